"""Who is downstream of a change: which nodes rely on a table or a column, and which feel a change from afar."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from patterns_os.diagnostics import quote
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.vertices import EVERY_COLUMN, Graph, NodeKind
from patterns_os.plan.differences import READERS, SENDERS, TUNING, WRITERS, Detail
from patterns_os.plan.spec import Plan, PlannedNode


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnUse:
    """Which columns of a table a node asks for.

    Attributes:
        columns: Those that its text shows; `EVERY_COLUMN` is among them where it takes all that there are.
        is_whole: Whether it is proven that it asks for no others.
    """

    columns: frozenset[str] = frozenset()
    is_whole: bool = False


ColumnUses = Mapping[tuple[str, str], ColumnUse]
"""By node and table. A pair that is not there is one of which nothing is known."""

Category = Literal["breaking", "perhaps-breaking", "values"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A node that feels a change upstream, and gives no other values for a reason of its own.

    Attributes:
        through: The way there: changed node or table, then tables and nodes in turn, up to the node; of a long
            one the beginning and the end, with `…` between.
        category: `breaking` if something that it relies on goes, `perhaps-breaking` if nobody can tell,
            `values` if what it reads may have other values.
    """

    node: str
    through: tuple[str, ...]
    category: Category

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"node": self.node, "through": list(self.through), "category": self.category}


def column_uses(graph: Graph, lineage: Lineage) -> dict[tuple[str, str], ColumnUse]:
    """Give what the scripts of an app are seen to ask of tables."""
    found: dict[tuple[str, str], ColumnUse] = {}
    for node in graph.nodes:
        flows = lineage.flows.get(node.name, ())
        asked: dict[str, set[str]] = {}
        for read in lineage.reads.get(node.name, ()):
            asked.setdefault(read.table, set()).add(read.column)
        for source in (source for flow in flows for source in flow.sources):
            asked.setdefault(source.table, set()).add(source.column)
        is_hidden = bool(node.analysis.unknown) or any(flow.unknown for flow in flows)
        for table, names in asked.items():
            # Only of a statement and of a chart everything that it asks for is in the text.
            is_whole = (
                node.kind in {NodeKind.SQL, NodeKind.CHART} and not is_hidden and EVERY_COLUMN not in names
            )
            found[node.name, table] = ColumnUse(columns=frozenset(names), is_whole=is_whole)
    return found


def with_victims(
    detail: Detail, plan: Plan, uses: ColumnUses, *, apart_from: frozenset[str] = frozenset()
) -> Detail:
    """Give the detail with who relies on what it takes away, in the version that is to come.

    Args:
        detail: What differs.
        plan: The version that is to come.
        uses: What its nodes are seen to ask for.
        apart_from: Names of nodes and webhooks that lose nothing: who is new, and who changes it.
    """
    breaks: set[str] = set(detail.breaks)
    may: set[str] = set()
    if detail.table is not None and READERS[0] in detail.harms:
        for reader in readers(plan, detail.table):
            certainty = _relies(uses.get((reader, detail.table)), detail.column)
            (breaks if certainty is True else may if certainty is None else set()).add(reader)
    if detail.table is not None and WRITERS[0] in detail.harms:
        may |= {writer for writer in writers(plan, detail.table) if not _gives(plan, writer, detail)}
    found = [frozenset(names) - apart_from for names in (breaks, may - breaks)]
    return replace(detail, breaks=tuple(sorted(found[0])), may_break=tuple(sorted(found[1])))


def readers(plan: Plan, table: str) -> list[str]:
    """Give the names of the nodes that read the table, and of the charts that draw it."""
    nodes = [node.name for node in plan.nodes if any(given.table == table for given in node.inputs)]
    return [*nodes, *(chart.name for chart in plan.charts if chart.table == table)]


def writers(plan: Plan, table: str) -> list[str]:
    """Give the names of the nodes and webhooks that write the table."""
    nodes = [node.name for node in plan.nodes if any(given.table == table for given in node.outputs)]
    return [*nodes, *(hook.name for hook in plan.webhooks if hook.table == table)]


def affected(
    plan: Plan, changed: Mapping[str, Iterable[Detail]], tables: Mapping[str, Iterable[Detail]]
) -> tuple[Affected, ...]:
    """Give the nodes that feel a change of something else, sorted by name, each by its shortest way.

    Args:
        plan: The version that is to come.
        changed: By node that is new or changed: its details.
        tables: By table that is changed: its details.
    """
    details = [detail for found in (*changed.values(), *tables.values()) for detail in found]
    broken = {name for detail in details for name in detail.breaks}
    doubtful = {name for detail in details for name in detail.may_break}
    found = []
    for name, way in sorted(_ways(plan, changed, details).items()):
        category: Category = (
            "breaking" if name in broken else "perhaps-breaking" if name in doubtful else "values"
        )
        found.append(Affected(node=name, through=way, category=category))
    return tuple(found)


def _ways(
    plan: Plan, changed: Mapping[str, Iterable[Detail]], details: Iterable[Detail]
) -> dict[str, tuple[str, ...]]:
    """Walk downstream from all changes at once, nearest first."""
    reading: dict[str, list[PlannedNode]] = {}
    for node in plan.nodes:
        for table in sorted({given.table for given in node.inputs}):
            reading.setdefault(table, []).append(node)
    known = {node.name: node for node in plan.nodes}
    sources = {name for name, found in changed.items() if name in known and _changes_values(found)}
    ways: dict[str, tuple[str, ...]] = {name: (name,) for name in sorted(sources)}
    for detail in details:
        for name in (*detail.breaks, *detail.may_break):
            if name in known and detail.table is not None:
                ways.setdefault(name, (detail.table, name))
    pending = list(ways)
    for name in pending:  # it grows while it is walked
        for table in sorted({given.table for given in known[name].outputs}):
            for reader in reading.get(table, ()):
                if reader.name not in ways:
                    ways[reader.name] = _shortened((*ways[name], table, reader.name))
                    pending.append(reader.name)
    return {name: way for name, way in ways.items() if name not in sources}


def _shortened(way: tuple[str, ...]) -> tuple[str, ...]:
    """Give a long way by its ends: a chain of ten thousand nodes is not told ten thousand times."""
    return way if len(way) <= _LONGEST_WAY else (*way[:2], "…", *way[3 - _LONGEST_WAY :])


_LONGEST_WAY = 9


def _changes_values(details: Iterable[Detail]) -> bool:
    """Tell whether what the node writes may be other than before. A node without details is new."""
    found = list(details)
    return not found or any(detail.why not in TUNING and not _is_gain(detail) for detail in found)


def _is_gain(detail: Detail) -> bool:
    """Tell whether a column comes to those that are there."""
    return detail.why == "gives" and detail.column is not None and not detail.harms


def told_victims(detail: Detail) -> str:
    """Give who loses what, in words; empty where nobody does."""
    parts = []
    if detail.breaks:
        parts.append(f"breaks {_names(detail.breaks)}")
    if detail.may_break:
        parts.append(f"may break {_names(detail.may_break)}")
    return ", ".join(parts)


def _names(names: Iterable[str]) -> str:
    return ", ".join(name if name == SENDERS else quote(name) for name in names)


def _relies(use: ColumnUse | None, column: str | None) -> bool | None:
    """Tell whether a reader relies on the column; `None` where nobody can tell."""
    if column is None:
        return True
    if use is None:
        return None
    if column in use.columns:
        return True
    # Who takes all columns gets one less, which is no error of its own.
    return False if use.is_whole else None


def _gives(plan: Plan, writer: str, detail: Detail) -> bool:
    """Tell whether a writer is proven to give the column with the type that it must have."""
    node = plan.node(writer)
    table = next((table for table in plan.tables if table.name == detail.table), None)
    if node is None or table is None or detail.column is None:
        return False
    given: Iterator[Mapping[str, str | None]] = (
        output.columns
        for output in node.outputs
        if output.table == detail.table and output.columns is not None
    )
    types = [columns.get(detail.column) for columns in given]
    return bool(types) and all(kind == table.columns.get(detail.column) for kind in types)
