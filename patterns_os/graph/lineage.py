"""Where every column of an app comes from: the flows of all nodes, in the tables of the app.

Nodes are walked upstream first, so that the columns of a table are known, as far as anybody can tell, when the
first reader is looked at. What is not known stays `unknown(reason)`: a table is closed only where every column
that it can have is proven.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from patterns_os.diagnostics import Diagnostic, Location, quote, sort_diagnostics
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    Access,
    ColumnFlow,
    ColumnRead,
    ColumnSource,
    Derivation,
    Edge,
    Graph,
    Node,
    NodeKind,
    Store,
    StoreKind,
    Unknown,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnShape:
    """What is known of a column of a table.

    Attributes:
        type: A value of `ColumnType`; `None` where it is not proven or writers differ.
        nullable: `None` where it is not proven.
        semantic: Name of the semantic type that it is declared with.
        declared: Whether the manifest declares it; otherwise it is inferred from what writes it.
        where: Where it is declared, or first written.
    """

    name: str
    type: str | None = None
    nullable: bool | None = None
    semantic: str | None = None
    declared: bool = False
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """What is known of the columns of a table.

    Attributes:
        columns: By name: the declared ones in their order, then the others as they are written.
        is_closed: Whether there can be no others.
        unknown: Why it is not closed; empty where it is.
    """

    columns: Mapping[str, ColumnShape] = field(default_factory=dict)
    is_closed: bool = False
    unknown: tuple[Unknown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The columns of an app.

    Attributes:
        flows: By node: what it writes, in tables of the app (not ports), by table and column. A node that is
            not here writes nothing.
        reads: By node: the columns that it asks for, in tables of the app.
        shapes: By table: every table of the graph is here.
    """

    flows: Mapping[str, tuple[ColumnFlow, ...]] = field(default_factory=dict)
    reads: Mapping[str, tuple[ColumnRead, ...]] = field(default_factory=dict)
    shapes: Mapping[str, TableShape] = field(default_factory=dict)


Shapes = Mapping[str, Mapping[str, str | None] | None]
"""Port → column → column type (`None`: not proven); `None` for a port whose columns are not known."""

Traced = tuple[Sequence[ColumnFlow], Sequence[ColumnRead], tuple[Diagnostic, ...]]
"""What a SQL node writes and reads, by port, and what is wrong with it."""

SqlTracer = Callable[[Node, Shapes], Traced]
"""Traces the columns of a SQL node, given what is known of its inputs."""


def trace_lineage(graph: Graph, trace_sql: SqlTracer) -> tuple[Lineage, tuple[Diagnostic, ...]]:
    """Give the columns of the whole app, and what tracing them found to be wrong.

    Args:
        graph: The app.
        trace_sql: Asked once for each SQL node, upstream first.
    """
    tracing = _Tracing(graph, trace_sql)
    for name in graph.order:
        node = graph.node(name)
        if node is not None:
            tracing.visit(node)
    return tracing.lineage(), sort_diagnostics(tracing.diagnostics)


@dataclass(slots=True)
class _Tracing:
    graph: Graph
    trace_sql: SqlTracer
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _flows: dict[str, tuple[ColumnFlow, ...]] = field(default_factory=dict)
    _reads: dict[str, tuple[ColumnRead, ...]] = field(default_factory=dict)
    _written: dict[str, list[ColumnFlow]] = field(default_factory=dict)
    _shapes: dict[str, TableShape] = field(default_factory=dict)
    _pending: Counter[str] = field(default_factory=Counter)
    _stores: dict[str, Store] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stores = {s.name: s for s in self.graph.stores if s.kind is StoreKind.TABLE}
        self._pending = Counter(
            table for node in self.graph.nodes for table in _tables_written(self.graph.edges_of(node.name))
        )

    def visit(self, node: Node) -> None:
        edges = [edge for edge in self.graph.edges_of(node.name) if edge.kind is StoreKind.TABLE]
        inputs = {edge.port: edge.store for edge in edges if edge.access is not Access.WRITE}
        outputs = {edge.port: edge.store for edge in edges if edge.access is Access.WRITE}
        flows, reads = self._of_node(node, inputs)
        self._reads[node.name] = tuple(
            replace(read, table=inputs[read.table]) if inputs[read.table] != read.table else read
            for read in reads
            if read.table in inputs
        )
        found = self._in_tables(flows, inputs, outputs)
        found += self._not_looked_at(node, outputs, {flow.table for flow in found}, edges)
        if found:
            self._flows[node.name] = tuple(sorted(found, key=lambda flow: (flow.table, flow.column)))
        for flow in found:
            self._written.setdefault(flow.table, []).append(flow)
        for table in _tables_written(edges):
            self._pending[table] -= 1

    def lineage(self) -> Lineage:
        shapes = {table: self._shape(table) for table in sorted(self._stores)}
        return Lineage(flows=self._flows, reads=self._reads, shapes=shapes)

    def _of_node(
        self, node: Node, inputs: Mapping[str, str]
    ) -> tuple[Sequence[ColumnFlow], Sequence[ColumnRead]]:
        if node.traced is None:
            return node.analysis.flows, node.analysis.reads
        shapes = {port: self._known_columns(table) for port, table in inputs.items()}
        flows, reads, found = self.trace_sql(node, shapes)
        self.diagnostics += found
        return flows, reads

    def _known_columns(self, table: str) -> Mapping[str, str | None] | None:
        shape = self._shape(table)
        return {name: column.type for name, column in shape.columns.items()} if shape.is_closed else None

    def _in_tables(
        self, flows: Iterable[ColumnFlow], inputs: Mapping[str, str], outputs: Mapping[str, str]
    ) -> list[ColumnFlow]:
        """Give the flows with tables for ports, copies of whole rows spelled out where that can be."""
        flows = [flow for flow in flows if flow.table in outputs]
        named = {(flow.table, flow.column) for flow in flows}
        found: list[ColumnFlow] = []
        for flow in flows:
            if flow.column == EVERY_COLUMN and flow.unknown is None:
                found += self._copied_rows(flow, named, inputs, outputs)
            else:
                found.append(_renamed(flow, inputs, outputs))
        return found

    def _copied_rows(
        self,
        flow: ColumnFlow,
        named: set[tuple[str, str]],
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
    ) -> Iterator[ColumnFlow]:
        for source in flow.sources:
            table = inputs.get(source.table)
            if table is None:
                reason = f"the columns of {quote(source.table)} are not known"
                yield _renamed(replace(flow, unknown=Unknown(reason=reason, where=flow.where)), {}, outputs)
                continue
            shape = self._shape(table)
            for column in shape.columns.values():
                if (flow.table, column.name) not in named:
                    yield _copy(flow, outputs[flow.table], table, column)
            if not shape.is_closed:
                reason = f"the columns of {quote(table)} are not known"
                rest = (ColumnSource(table=table, column=EVERY_COLUMN),)
                yield replace(
                    flow,
                    table=outputs[flow.table],
                    sources=rest,
                    unknown=Unknown(reason=reason, where=flow.where),
                )

    def _not_looked_at(
        self, node: Node, outputs: Mapping[str, str], seen: set[str], edges: Iterable[Edge]
    ) -> Iterator[ColumnFlow]:
        places = {edge.store: edge.where for edge in edges if edge.access is Access.WRITE}
        reason = (
            "what a webhook receives is known only when it comes"
            if node.kind is NodeKind.WEBHOOK
            else "what the script writes there cannot be told"
        )
        for table in sorted(set(outputs.values()) - seen):
            unknown = Unknown(reason=reason, where=places[table])
            yield ColumnFlow(table=table, column=EVERY_COLUMN, unknown=unknown, where=places[table])

    def _shape(self, table: str) -> TableShape:
        known = self._shapes.get(table)
        if known is None:
            known = self._made_shape(table)
            if not self._pending[table]:
                self._shapes[table] = known
        return known

    def _made_shape(self, table: str) -> TableShape:
        store = self._stores.get(table)
        flows = self._written.get(table, [])
        columns = _declared_columns(store)
        inferred: dict[str, list[ColumnFlow]] = {}
        for flow in flows:
            if flow.column not in columns and flow.column != EVERY_COLUMN:
                inferred.setdefault(flow.column, []).append(flow)
        columns |= {name: _inferred(name, found) for name, found in inferred.items()}
        if store is not None and store.schema is not None and store.schema.casting == "hard":
            return TableShape(columns=columns, is_closed=True)
        unknown = list(self._open_because(table, store, flows))
        return TableShape(columns=columns, is_closed=not unknown, unknown=tuple(unknown))

    def _open_because(self, table: str, store: Store | None, flows: list[ColumnFlow]) -> Iterator[Unknown]:
        where = store.where if store is not None else Location(file="manifest.json")
        if self._pending[table]:
            yield Unknown(reason=f"table {quote(table)} is read before all that writes it", where=where)
        elif not flows:
            yield Unknown(reason=f"no node writes {quote(table)}", where=where)
        yield from dict.fromkeys(
            flow.unknown for flow in flows if flow.column == EVERY_COLUMN and flow.unknown is not None
        )


def _tables_written(edges: Iterable[Edge]) -> set[str]:
    return {edge.store for edge in edges if edge.access is Access.WRITE and edge.kind is StoreKind.TABLE}


def _renamed(flow: ColumnFlow, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> ColumnFlow:
    sources = tuple(
        ColumnSource(table=inputs.get(source.table, source.table), column=source.column)
        for source in flow.sources
    )
    return replace(flow, table=outputs[flow.table], sources=sources)


def _copy(flow: ColumnFlow, output: str, table: str, column: ColumnShape) -> ColumnFlow:
    return ColumnFlow(
        table=output,
        column=column.name,
        sources=(ColumnSource(table=table, column=column.name),),
        derivation=Derivation.COPIED,
        type=column.type,
        nullable=column.nullable,
        where=flow.where,
    )


def _declared_columns(store: Store | None) -> dict[str, ColumnShape]:
    if store is None or store.schema is None:
        return {}
    return {
        found.name: ColumnShape(
            name=found.name,
            type=str(found.type),
            nullable=found.nullable,
            semantic=found.semantic,
            declared=True,
            where=store.where,
        )
        for found in store.schema.fields
    }


def _inferred(name: str, flows: list[ColumnFlow]) -> ColumnShape:
    types = {flow.type for flow in flows}
    nullable = {flow.nullable for flow in flows}
    return ColumnShape(
        name=name,
        type=types.pop() if len(types) == 1 else None,
        nullable=nullable.pop() if len(nullable) == 1 else None,
        where=flows[0].where,
    )
