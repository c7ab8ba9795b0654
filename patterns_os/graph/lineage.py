"""Where every column of an app comes from: the flows of all nodes, in the tables of the app.

Nodes are walked upstream first, so that the columns of a table are known, as far as anybody can tell, when the
first reader is looked at. What is not known stays `unknown(reason)`: a table is closed only where every column
that it can have is proven.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from patterns_os.diagnostics import Diagnostic, Location, Packed, quote, sort_diagnostics
from patterns_os.graph.memo import Forgetful, Memo, Stored, digest, remember
from patterns_os.graph.sources import Sources
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
class ColumnShape(Packed):
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
class TableShape(Packed):
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
        given: By node and table: the type of each column that the node is proven to write there, `None` where
            there may be others. The same as `flows` tell, and much less to read.
    """

    flows: Mapping[str, Sequence[ColumnFlow]] = field(default_factory=dict)
    reads: Mapping[str, Sequence[ColumnRead]] = field(default_factory=dict)
    shapes: Mapping[str, TableShape] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Mapping[str, str | None] | None]] = field(default_factory=dict)


Shapes = Mapping[str, Mapping[str, str | None] | None]
"""Port → column → column type (`None`: not proven), `EVERY_COLUMN` among them where there may be others; `None` for
a port of whose columns nothing is known."""

Traced = tuple[Sequence[ColumnFlow], Sequence[ColumnRead], tuple[Diagnostic, ...]]
"""What a SQL node writes and reads, by port, and what is wrong with it."""

SqlTracer = Callable[[Node, Shapes], Traced]
"""Traces the columns of a SQL node, given what is known of its inputs."""

Check = Callable[[Graph, Lineage], tuple[Diagnostic, ...]]
"""Tells what is wrong with the columns of a graph of one node and its tables."""


def trace_lineage(
    graph: Graph, trace_sql: SqlTracer, check: Check | None = None, memo: Memo | None = None
) -> tuple[Lineage, tuple[Diagnostic, ...]]:
    """Give the columns of the whole app, and what tracing them found to be wrong.

    Nodes are looked at one by one: a node whose script and whose inputs' columns are as they were in `memo`
    costs next to nothing.

    Args:
        graph: The app.
        trace_sql: Asked once for each SQL node, upstream first.
        check: Asked once for each node, with its columns and all that is known of its tables.
        memo: What was traced before.
    """
    tracing = _Tracing(graph, trace_sql, check, Forgetful() if memo is None else memo)
    for name in graph.order:
        node = graph.node(name)
        if node is not None:
            tracing.visit(node)
    return tracing.lineage(), sort_diagnostics(tracing.diagnostics)


@dataclass(frozen=True, slots=True)
class _Written(Packed):
    """What one node does to the columns of one table."""

    columns: tuple[ColumnShape, ...]
    unknown: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class _NodeColumns(Packed):
    """What tracing a node gives; `keys` tell when what is known of a table by this node has changed."""

    flows: Sequence[ColumnFlow]
    reads: Sequence[ColumnRead]
    written: Mapping[str, Sequence[_Written]]
    keys: Mapping[str, str]
    given: Mapping[str, Mapping[str, str | None] | None]
    diagnostics: tuple[Diagnostic, ...]


class _LazyShapes(Mapping[str, TableShape]):
    """The shapes of all tables, made when they are asked for."""

    def __init__(self, tables: Iterable[str], make: Callable[[str], TableShape]) -> None:
        self._tables = dict.fromkeys(sorted(tables))
        self._make = make

    def __getitem__(self, table: str) -> TableShape:
        if table not in self._tables:
            raise KeyError(table)
        return self._make(table)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


@dataclass(slots=True)
class _Tracing:
    graph: Graph
    trace_sql: SqlTracer
    check: Check | None
    memo: Memo
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _done: dict[str, _NodeColumns] = field(default_factory=dict)
    _written: dict[str, list[str]] = field(default_factory=dict)
    _shapes: dict[str, TableShape] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _pending: Counter[str] = field(default_factory=Counter)
    _stores: dict[str, Store] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stores = {s.name: s for s in self.graph.stores if s.kind is StoreKind.TABLE}
        self._pending = Counter(
            table for node in self.graph.nodes for table in _tables_written(self.graph.edges_of(node.name))
        )

    def visit(self, node: Node) -> None:
        edges = [edge for edge in self.graph.edges_of(node.name) if edge.kind is StoreKind.TABLE]
        done = remember(
            self.memo, self._question(node, edges), Sources({}), lambda _: self._worked_out(node, edges)
        )
        self._done[node.name] = done
        self.diagnostics += done.diagnostics
        for table in done.written:
            self._written.setdefault(table, []).append(node.name)
        for table in _tables_written(edges):
            self._pending[table] -= 1

    def lineage(self) -> Lineage:
        return Lineage(
            flows={name: done.flows for name, done in self._done.items() if done.flows},
            reads={name: done.reads for name, done in self._done.items()},
            shapes=_LazyShapes(self._stores, self._shape),
            given={name: done.given for name, done in self._done.items() if done.given},
        )

    def _question(self, node: Node, edges: list[Edge]) -> bytes:
        """Give all that the columns of a node, and what is wrong with them, depend on."""
        tables = sorted({edge.store for edge in edges})
        facts = [
            ("columns", node.name, node.kind, digest(node.analysis.flows), digest(node.analysis.reads)),
            node.traced,
            [(edge.store, edge.port, edge.access, edge.where) for edge in edges],
            [(table, self._table_key(table)) for table in tables],
        ]
        return repr(facts).encode("utf-8", "surrogatepass")

    def _table_key(self, table: str) -> str:
        known = self._keys.get(table)
        if known is None:
            store = self._stores[table]
            writers = [(name, self._done[name].keys[table]) for name in self._written.get(table, ())]
            pending = self._pending[table]
            known = _key((store, writers, pending > 0))
            if not pending:
                self._keys[table] = known
        return known

    def _worked_out(self, node: Node, edges: list[Edge]) -> _NodeColumns:
        inputs = {edge.port: edge.store for edge in edges if edge.access is not Access.WRITE}
        outputs = {edge.port: edge.store for edge in edges if edge.access is Access.WRITE}
        given, asked, diagnostics = self._of_node(node, inputs)
        reads = tuple(
            replace(read, table=inputs[read.table]) if inputs[read.table] != read.table else read
            for read in asked
            if read.table in inputs
        )
        found = self._in_tables(given, inputs, outputs)
        found += self._not_looked_at(node, outputs, {flow.table for flow in found}, edges)
        flows = tuple(sorted(found, key=lambda flow: (flow.table, flow.column)))
        written = {table: _written(table, flows) for table in sorted(set(outputs.values()))}
        return _NodeColumns(
            flows=Stored.of(flows),
            reads=Stored.of(reads),
            written={table: Stored.of((entry,)) for table, entry in written.items()},
            keys={table: _key(entry) for table, entry in written.items()},
            given={table: _given(entry) for table, entry in written.items()},
            diagnostics=(*diagnostics, *self._wrong(node, edges, flows, reads)),
        )

    def _wrong(
        self, node: Node, edges: list[Edge], flows: Sequence[ColumnFlow], reads: Sequence[ColumnRead]
    ) -> tuple[Diagnostic, ...]:
        if self.check is None:
            return ()
        stores = tuple(self._stores[table] for table in sorted({edge.store for edge in edges}))
        alone = Graph(app=self.graph.app, nodes=(node,), stores=stores, edges=tuple(edges))
        shapes = {store.name: self._shape(store.name) for store in stores}
        return self.check(alone, Lineage(flows={node.name: flows}, reads={node.name: reads}, shapes=shapes))

    def _of_node(self, node: Node, inputs: Mapping[str, str]) -> Traced:
        if node.traced is None:
            return node.analysis.flows, node.analysis.reads, ()
        return self.trace_sql(node, {port: self._known_columns(table) for port, table in inputs.items()})

    def _known_columns(self, table: str) -> Mapping[str, str | None] | None:
        shape = self._shape(table)
        known: dict[str, str | None] = {name: column.type for name, column in shape.columns.items()}
        if shape.is_closed:
            return known
        return known | {EVERY_COLUMN: None} if known else None

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
                found.append(self._typed(_renamed(flow, inputs, outputs)))
        return found

    def _typed(self, flow: ColumnFlow) -> ColumnFlow:
        """Give a value that is passed on as it is the type of what it was."""
        if flow.type is not None or flow.derivation is not Derivation.COPIED or len(flow.sources) != 1:
            return flow
        source = flow.sources[0]
        known = self._shape(source.table).columns.get(source.column) if source.table in self._stores else None
        return flow if known is None else replace(flow, type=known.type, nullable=known.nullable)

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
        written = [
            entry for name in self._written.get(table, ()) for entry in self._done[name].written[table]
        ]
        columns = _declared_columns(store)
        inferred: dict[str, list[ColumnShape]] = {}
        for column in (column for entry in written for column in entry.columns):
            if column.name not in columns:
                inferred.setdefault(column.name, []).append(column)
        columns |= {name: self._proven(table, _joined(found), written) for name, found in inferred.items()}
        if store is not None and store.schema is not None and store.schema.casting == "hard":
            return TableShape(columns=columns, is_closed=True)
        unknown = tuple(self._open_because(table, store, written))
        return TableShape(columns=columns, is_closed=not unknown, unknown=unknown)

    def _proven(self, table: str, column: ColumnShape, written: list[_Written]) -> ColumnShape:
        """Give the column without what another writer, of which not all is known, may do differently."""
        may_differ = self._pending[table] or any(
            entry.unknown and all(other.name != column.name for other in entry.columns) for entry in written
        )
        return replace(column, type=None, nullable=None) if may_differ else column

    def _open_because(self, table: str, store: Store | None, written: list[_Written]) -> Iterator[Unknown]:
        where = store.where if store is not None else Location(file="manifest.json")
        if self._pending[table]:
            yield Unknown(reason=f"table {quote(table)} is read before all that writes it", where=where)
        elif not written:
            yield Unknown(reason=f"no node writes {quote(table)}", where=where)
        yield from dict.fromkeys(unknown for entry in written for unknown in entry.unknown)


def _key(facts: object) -> str:
    return sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


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
            where=found.where or store.where,
        )
        for found in store.schema.fields
    }


def _written(table: str, flows: Iterable[ColumnFlow]) -> _Written:
    found: dict[str, list[ColumnShape]] = {}
    unknown: dict[Unknown, None] = {}
    for flow in flows:
        if flow.table != table:
            continue
        if flow.column != EVERY_COLUMN:
            found.setdefault(flow.column, []).append(_inferred(flow))
        elif flow.unknown is not None:
            unknown[flow.unknown] = None
    return _Written(tuple(_joined(columns) for columns in found.values()), tuple(unknown))


def _given(written: _Written) -> dict[str, str | None] | None:
    if written.unknown or not written.columns:
        return None
    return {column.name: column.type for column in sorted(written.columns, key=lambda column: column.name)}


def _inferred(flow: ColumnFlow) -> ColumnShape:
    return ColumnShape(name=flow.column, type=flow.type, nullable=flow.nullable, where=flow.where)


def _joined(columns: list[ColumnShape]) -> ColumnShape:
    """Give what holds for all of them; the place is that of the first."""
    types = {column.type for column in columns}
    nullable = {column.nullable for column in columns}
    return replace(
        columns[0],
        type=types.pop() if len(types) == 1 else None,
        nullable=nullable.pop() if len(nullable) == 1 else None,
    )
