"""What a table or a column comes from and what it goes to: walks through the lineage of an app."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patterns_os.graph.lineage import Lineage
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    Access,
    ColumnFlow,
    ColumnRead,
    ColumnSource,
    Derivation,
    Graph,
    NodeKind,
    StoreKind,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node on the way: it makes the column of `flow` from the sources of `flow`.

    Attributes:
        models: Names of the ML models that the node asks, any of which may have made a computed value.
    """

    node: str
    kind: NodeKind
    flow: ColumnFlow
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A node that asks for a column, whether or not a column of its outputs comes from it.

    Attributes:
        unknown: Why it cannot be told what comes from it; `None` where that is known, or nothing does.
    """

    node: str
    kind: NodeKind
    read: ColumnRead
    unknown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Everything on the way to or from a column.

    Attributes:
        start: The table and column asked for; `EVERY_COLUMN` for a table as a whole.
        steps: By the column that they hang below: upstream the one that they make, downstream one that they
            use. Each is once in the tree, nearest first.
        readings: Downstream: by column, who asks for it. Empty upstream.
    """

    start: ColumnSource
    steps: Mapping[ColumnSource, tuple[Step, ...]] = field(default_factory=dict)
    readings: Mapping[ColumnSource, tuple[Reading, ...]] = field(default_factory=dict)


def upstream(graph: Graph, lineage: Lineage, start: ColumnSource) -> Paths:
    """Give every step that `start` comes from, as far back as it can be told."""
    index = _Index(graph, lineage)
    found: dict[ColumnSource, tuple[Step, ...]] = {}
    pending = deque([start])
    while pending:
        column = pending.popleft()
        if column in found:
            continue
        found[column] = tuple(index.makers(column))
        for step in found[column]:
            pending.extend(_sources_of(step.flow, column))
    return Paths(start=start, steps={column: steps for column, steps in found.items() if steps})


def downstream(graph: Graph, lineage: Lineage, start: ColumnSource) -> Paths:
    """Give every step that `start` goes into, and who else asks for the columns on the way."""
    index = _Index(graph, lineage)
    found: dict[ColumnSource, tuple[Step, ...]] = {}
    readings: dict[ColumnSource, tuple[Reading, ...]] = {}
    pending = deque([start])
    while pending:
        column = pending.popleft()
        if column in found:
            continue
        found[column] = tuple(index.users(column))
        goers = {step.node for step in found[column]}
        readings[column] = tuple(r for r in index.readers(column) if r.node not in goers)
        pending.extend(target_of(step.flow, column) for step in found[column])
    return Paths(
        start=start,
        steps={column: steps for column, steps in found.items() if steps},
        readings={column: entries for column, entries in readings.items() if entries},
    )


def target_of(flow: ColumnFlow, source: ColumnSource) -> ColumnSource:
    """Give the column that the flow makes of `source`; a copied row keeps the names of its columns."""
    column = flow.column
    if column == EVERY_COLUMN and flow.derivation is Derivation.COPIED:
        column = source.column
    return ColumnSource(table=flow.table, column=column)


def paths_data(paths: Paths) -> dict[str, Any]:
    """Give the paths as plain data, in the order of the walk."""
    return {
        "table": paths.start.table,
        "column": None if paths.start.column == EVERY_COLUMN else paths.start.column,
        "steps": [
            {"of": _name(column)} | step_data(step) for column, steps in paths.steps.items() for step in steps
        ],
        "readings": [
            {
                "of": _name(column),
                "node": entry.node,
                "kind": str(entry.kind),
                "file": entry.read.where.file,
                "line": entry.read.where.line,
                "unknown": entry.unknown,
            }
            for column, entries in paths.readings.items()
            for entry in entries
        ],
    }


def step_data(step: Step) -> dict[str, Any]:
    """Give a step as plain data."""
    flow = step.flow
    return {
        "node": step.node,
        "kind": str(step.kind),
        "table": flow.table,
        "column": flow.column,
        "sources": [{"table": source.table, "column": source.column} for source in flow.sources],
        "derivation": str(flow.derivation),
        "type": flow.type,
        "models": list(step.models),
        "unknown": flow.unknown.reason if flow.unknown else None,
        "file": flow.where.file,
        "line": flow.where.line,
    }


def lineage_data(graph: Graph, lineage: Lineage) -> dict[str, Any]:
    """Give the columns of the whole app as plain data: its tables with what is known, and every flow."""
    index = _Index(graph, lineage)
    return {
        "tables": [
            {
                "name": table,
                "columns": [
                    {
                        "name": column.name,
                        "type": column.type,
                        "nullable": column.nullable,
                        "semantic": column.semantic,
                        "declared": column.declared,
                    }
                    for column in shape.columns.values()
                ],
                "closed": shape.is_closed,
                "unknown": [entry.reason for entry in shape.unknown],
            }
            for table, shape in sorted(lineage.shapes.items())
        ],
        "flows": [step_data(step) for step in index.all_steps()],
    }


@dataclass(slots=True)
class _Index:
    graph: Graph
    lineage: Lineage
    _made: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    _used: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    _read: dict[str, list[Reading]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for step in self.all_steps():
            self._made[step.flow.table].append(step)
            for table in dict.fromkeys(source.table for source in step.flow.sources):
                self._used[table].append(step)
        for node in self.graph.nodes:
            unknown = self._unknown(node.name)
            for read in (*self.lineage.reads.get(node.name, ()), *self._of_edges(node.name)):
                self._read[read.table].append(
                    Reading(node=node.name, kind=node.kind, read=read, unknown=unknown)
                )

    def _unknown(self, node: str) -> str | None:
        flows = self.lineage.flows.get(node, ())
        return next((flow.unknown.reason for flow in flows if flow.unknown and not flow.sources), None)

    def _of_edges(self, node: str) -> Iterator[ColumnRead]:
        """Give the tables that the node reads, of which nobody can tell what it asks."""
        told = {read.table for read in self.lineage.reads.get(node, ())}
        told |= {source.table for flow in self.lineage.flows.get(node, ()) for source in flow.sources}
        for edge in self.graph.edges_of(node):
            if edge.kind is StoreKind.TABLE and edge.access is not Access.WRITE and edge.store not in told:
                told.add(edge.store)
                yield ColumnRead(table=edge.store, column=EVERY_COLUMN, where=edge.where)

    def all_steps(self) -> Iterator[Step]:
        for node in self.graph.nodes:
            models = tuple(dict.fromkeys(use.name for use in node.analysis.uses if use.kind == "model"))
            for flow in self.lineage.flows.get(node.name, ()):
                computed = flow.derivation is Derivation.COMPUTED
                yield Step(node=node.name, kind=node.kind, flow=flow, models=models if computed else ())

    def makers(self, column: ColumnSource) -> Iterator[Step]:
        steps = self._made.get(column.table, [])
        if column.column == EVERY_COLUMN:
            yield from steps
            return
        by_name = {step.node for step in steps if step.flow.column == column.column}
        for step in steps:
            rest = step.flow.column == EVERY_COLUMN and step.node not in by_name
            if step.flow.column == column.column or rest:
                yield step

    def users(self, column: ColumnSource) -> Iterator[Step]:
        steps = self._used.get(column.table, [])
        for step in steps:
            taken = {source.column for source in step.flow.sources if source.table == column.table}
            in_the_row = EVERY_COLUMN in taken and not self._writes_over(step, column.column)
            if column.column in taken or column.column == EVERY_COLUMN or in_the_row:
                yield step

    def _writes_over(self, step: Step, column: str) -> bool:
        """Tell whether the node copies the row, and writes this column of the copy anew."""
        is_copy = step.flow.column == EVERY_COLUMN and step.flow.derivation is Derivation.COPIED
        return is_copy and any(
            other.node == step.node and other.flow.column == column for other in self._made[step.flow.table]
        )

    def readers(self, column: ColumnSource) -> Iterator[Reading]:
        seen: set[str] = set()
        for entry in self._read.get(column.table, []):
            wanted = {EVERY_COLUMN, entry.read.column}
            if column.column in wanted or entry.read.column == EVERY_COLUMN:
                if entry.node not in seen:
                    yield entry
                seen.add(entry.node)


def _sources_of(flow: ColumnFlow, column: ColumnSource) -> Iterable[ColumnSource]:
    for source in flow.sources:
        copied = flow.column == EVERY_COLUMN and flow.derivation is Derivation.COPIED
        yield ColumnSource(table=source.table, column=column.column) if copied else source


def _name(column: ColumnSource) -> str:
    return column.table if column.column == EVERY_COLUMN else f"{column.table}.{column.column}"
