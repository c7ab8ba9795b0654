"""What is known of the deployed world when a plan is compared with it: plain numbers and names, read elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """A table as it is, whether the active version has it or not.

    Attributes:
        rows: Rows of the active version of the table.
        watermark: Its last position.
        columns: The real columns in order, name → column type.
    """

    rows: int = 0
    watermark: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerFacts:
    """How far a node has got in a table that it reads or once read.

    Attributes:
        active: Whether the active version reads it.
        waiting: Rows that are there and not done.
        is_new: Whether they make the node due.
    """

    active: bool = True
    waiting: int = 0
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """A node as it is, retired or not.

    Attributes:
        running: Whether a run of it is being executed.
        failing: Whether its last run failed, and it waits to try again.
        state_keys: How many keys its State has.
        held: How many of its records are set aside.
        requests: How many requests for runs of it wait.
    """

    retired: bool = False
    running: bool = False
    failing: bool = False
    state_keys: int = 0
    held: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFacts:
    """Everything that decides what deploying a plan would do.

    Attributes:
        deployment: Number of the active deployment, `None` before the first.
        consumers: By node and table.
    """

    deployment: int | None = None
    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    nodes: Mapping[str, NodeFacts] = field(default_factory=dict)
    consumers: Mapping[tuple[str, str], ConsumerFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The part of the facts that a deploy relies on: it is refused if one of them has changed meanwhile.

    How many rows wait is not among them: they may come at any time, and nothing is lost by it.

    Attributes:
        deployment: Number of the active deployment, `None` if there was none.
        columns: The real columns of tables whose columns change; `None` for a table that was not there.
        dropped: The watermarks of the tables that are dropped: rows that came since were not agreed to.
    """

    deployment: int | None = None
    columns: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data."""
        columns = {name: None if found is None else dict(found) for name, found in self.columns.items()}
        return {"deployment": self.deployment, "columns": columns, "dropped": dict(self.dropped)}

    def moved(self, facts: DeployedFacts) -> tuple[str, ...]:
        """Give what is not as expected, a sentence each without its full stop; nothing if all is."""
        found: list[str] = []
        if facts.deployment != self.deployment:
            before, now = _deployment(self.deployment), _deployment(facts.deployment)
            found.append(f"the plan is for {before}, and {now} is active now")
        for name, columns in sorted(self.columns.items()):
            table = facts.tables.get(name)
            found += _moved_columns(name, columns, None if table is None else table.columns)
        for name, watermark in sorted(self.dropped.items()):
            table = facts.tables.get(name)
            if table is None:
                found.append(f'table "{name}" is gone')
            elif table.watermark != watermark:
                found.append(f'table "{name}" was written since: position {watermark} → {table.watermark}')
        return tuple(found)


def _deployment(number: int | None) -> str:
    return "no deployment" if number is None else f"deployment {number}"


def _moved_columns(table: str, before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> list[str]:
    if before is None or now is None:
        if before is now:
            return []
        return [f'table "{table}" {"is there already" if before is None else "is gone"}']
    return [
        f'column "{table}.{name}": {before.get(name, "none")} → {now.get(name, "none")}'
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
