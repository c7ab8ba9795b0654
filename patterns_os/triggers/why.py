"""Why a run or a table is as it is, in one line: from facts, as `triggers.due` tells of nodes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from patterns_os.triggers.due import Explanation, length


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Why something is as it is; what `Explanation` is for nodes.

    Attributes:
        name: The run's number, the table's name, or the row's id.
        cause: One line.
        details: What else helps, a line each.
        hint: One thing to do, or `None`.
    """

    kind: Literal["run", "table", "row"]
    name: str
    cause: str
    details: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What decides a run's line.

    Attributes:
        now: The moment that times are told from.
        error: Its message with its place, `None` if nothing went wrong.
        node_now: Why the node does what it does now.
    """

    run: int
    node: str
    now: datetime
    reason: str
    state: str
    attempt: int
    rows_in: int
    rows_out: int
    claimed_at: datetime
    ended_at: datetime | None
    launcher: str
    error: str | None
    node_now: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFacts:
    """A node that reads a table; `behind`: how many positions it has not got to."""

    node: str
    behind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """What decides a table's line.

    Attributes:
        written_at: When the last write was committed, `None` before the first.
        writers: The nodes and webhooks of the active version that write it, and why each does what it does now.
        readers: The nodes that read it.
    """

    table: str
    now: datetime
    rows: int
    watermark: int
    version: int
    written_at: datetime | None
    writers: tuple[Explanation, ...]
    readers: tuple[ReaderFacts, ...]


def explain_run(facts: RunFacts) -> Told:
    """Say in one line what a run does or how it ended, and what its node does now."""
    taken = f"took {_count(facts.rows_in, 'row')} and wrote {facts.rows_out}"
    reason = f"reason {facts.reason}, attempt {facts.attempt}"
    since = length((facts.now - facts.claimed_at).total_seconds())
    if facts.state == "running" or facts.ended_at is None:
        cause = f'running since {since} in node "{facts.node}", held by launcher {facts.launcher}'
        return _told_run(facts, cause, reason)
    ago = length(max(0.0, (facts.now - facts.ended_at).total_seconds()))
    took = length((facts.ended_at - facts.claimed_at).total_seconds())
    if facts.state == "done":
        return _told_run(facts, f'done {ago} ago: node "{facts.node}" {taken}, in {took}', reason)
    what = f'{facts.state} {ago} ago in node "{facts.node}" with {facts.error or "an error"}'
    return _told_run(facts, f"{what}; the node now: {facts.node_now.cause}", reason)


def explain_table(facts: TableFacts) -> Told:
    """Say in one line whether a table is written and read, and what it waits for."""
    details = (
        *(f"written by {found.node}: {found.cause}" for found in facts.writers),
        *(f"read by {reader.node}: {_place(reader)}" for reader in facts.readers),
    )
    return Told(kind="table", name=facts.table, cause=_table_cause(facts), details=details, hint=_hint(facts))


def _table_cause(facts: TableFacts) -> str:
    if facts.written_at is None:
        return f"has never been written: {_writers(facts)}"
    ago = length(max(0.0, (facts.now - facts.written_at).total_seconds()))
    what = f"{_count(facts.rows, 'row')}, last written {ago} ago"
    behind = [reader for reader in facts.readers if reader.behind]
    troubled = [found for found in facts.writers if found.state in {"failing", "backoff", "paused"}]
    if troubled:
        return f"{what}; its writer {_told(troubled[0])}"
    if behind:
        return f"{what}; " + ", ".join(f'"{reader.node}" is {_place(reader)}' for reader in behind)
    if not facts.readers:
        return f"{what}; no node reads it"
    return f"{what}; {'its reader has' if len(facts.readers) == 1 else 'all readers have'} seen all of it"


def _writers(facts: TableFacts) -> str:
    if not facts.writers:
        return "no node or webhook of the deployed version writes it"
    return "; ".join(f"its writer {_told(found)}" for found in facts.writers)


def _hint(facts: TableFacts) -> str | None:
    behind = next((reader for reader in facts.readers if reader.behind), None)
    if behind is None:
        return None
    return f"patterns why {_word(behind.node)}"


def _told(found: Explanation) -> str:
    return f'"{found.node}" {found.cause}'


def _told_run(facts: RunFacts, cause: str, reason: str) -> Told:
    hint = f"patterns logs {_word(facts.node)} --run {facts.run}"
    return Told(kind="run", name=str(facts.run), cause=cause, details=(reason,), hint=hint)


def _place(reader: ReaderFacts) -> str:
    return f"{_count(reader.behind, 'row')} behind" if reader.behind else "has seen all of it"


def _count(number: int, one: str) -> str:
    return f"{number} {one if number == 1 else one + 's'}"


def _word(name: str) -> str:
    return f'"{name}"' if " " in name else name
