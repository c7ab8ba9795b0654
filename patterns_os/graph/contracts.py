"""Whether what producers give fits what stores declare, and what consumers ask for is there.

Typing is structural and gradual: what is proven is compared, what is not is unknown, and never taken for wrong.
Semantic types are compared too, by what they are a kind of.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeVar

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote, sort_diagnostics
from patterns_os.graph.lineage import ColumnShape, Lineage, TableShape
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    Access,
    ColumnFlow,
    ColumnRead,
    Derivation,
    Edge,
    Graph,
    Store,
    StoreKind,
)
from patterns_os.rows.columns import SYSTEM_PREFIX
from patterns_os.rows.conversions import castable
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.semantic import is_kind_of
from patterns_os.rows.types import ColumnType

Found = TypeVar("Found", ColumnFlow, ColumnRead)


class Verdict(StrEnum):
    """What is known of two ends that meet."""

    COMPATIBLE = "compatible"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnVerdict:
    """What is known of a column at an edge.

    Attributes:
        column: Its name; `EVERY_COLUMN` where all are meant.
        reason: Why, as a sentence without its full stop; empty where it is compatible.
        code: The code of the finding where it is incompatible.
        where: The place of the node's end.
        other: The place of the store's end.
        is_declared: Whether something is declared there; otherwise it is where the column is first written.
    """

    column: str
    verdict: Verdict
    reason: str = ""
    code: str | None = None
    where: Location
    other: Location
    is_declared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeVerdict:
    """What is known of an edge: the worst of its columns, and why.

    Attributes:
        where: The place of the node's end.
        other: The place of the store's end.
        columns: Each column that was compared.
    """

    node: str
    store: str
    port: str
    access: Access
    verdict: Verdict
    reason: str
    where: Location
    other: Location
    columns: tuple[ColumnVerdict, ...] = ()


def check_contracts(graph: Graph, lineage: Lineage) -> tuple[Diagnostic, ...]:
    """Give an error for everything that is proven not to fit; each names the places of both ends."""
    stores = _tables(graph)
    found = (
        _diagnostic(edge, column, stores[edge.store], lineage)
        for edge in edge_verdicts(graph, lineage)
        for column in edge.columns
        if column.verdict is Verdict.INCOMPATIBLE
    )
    return sort_diagnostics(found)


def edge_verdicts(graph: Graph, lineage: Lineage) -> tuple[EdgeVerdict, ...]:
    """Give what is known of each edge between a node and a table, in the order of the graph's edges."""
    stores = _tables(graph)
    flows = _by_table(lineage.flows.items())
    reads = _by_table(lineage.reads.items())
    return tuple(
        _written(edge, stores[edge.store], flows.get((edge.node, edge.store), []), lineage)
        if edge.access is Access.WRITE
        else _read(edge, stores[edge.store], reads.get((edge.node, edge.store), []), lineage)
        for edge in graph.edges
        if edge.kind is StoreKind.TABLE
    )


def assignable(given: ColumnType, column: ColumnType, casting: Literal["soft", "hard"]) -> Verdict:
    """Tell whether a column takes the values of a type.

    `unknown` where it depends on the value: under soft casting a text may be a date, a double a whole number;
    and whatever JSON holds. Whole numbers count as doubles, though those beyond 53 bits are refused at run time.
    """
    if (given, column) == (ColumnType.BIGINT, ColumnType.DOUBLE):
        return Verdict.COMPATIBLE
    return _CASTS[castable(given, column, is_soft=casting == "soft")]


def usable(given: ColumnType, needed: ColumnType) -> Verdict:
    """Tell whether values of a type can be used as those of another: nothing is turned when rows are read."""
    if given is needed or (given, needed) in _WIDER:
        return Verdict.COMPATIBLE
    is_known = given is not ColumnType.JSONB and not {given, needed} <= _NUMBERS
    return Verdict.INCOMPATIBLE if is_known else Verdict.UNKNOWN


def meant_as(given: str, needed: str) -> Verdict:
    """Tell whether values of a semantic type are values of another one."""
    if given == needed or is_kind_of(given, needed):
        return Verdict.COMPATIBLE
    return Verdict.UNKNOWN if is_kind_of(needed, given) else Verdict.INCOMPATIBLE


def _tables(graph: Graph) -> dict[str, Store]:
    return {store.name: store for store in graph.stores if store.kind is StoreKind.TABLE}


def _by_table(found: Iterable[tuple[str, Sequence[Found]]]) -> dict[tuple[str, str], list[Found]]:
    by_table: dict[tuple[str, str], list[Found]] = {}
    for node, entries in found:
        for entry in entries:
            by_table.setdefault((node, entry.table), []).append(entry)
    return by_table


def _written(edge: Edge, store: Store, flows: list[ColumnFlow], lineage: Lineage) -> EdgeVerdict:
    schema = store.schema
    if schema is None:
        reason = f"table {quote(store.name)} declares no schema, so it takes any row"
        return _edge(edge, store, (), Verdict.COMPATIBLE, reason)
    if not flows:
        reason = f"what node {quote(edge.node)} writes to table {quote(store.name)} cannot be told"
        return _edge(edge, store, (), Verdict.UNKNOWN, reason)
    producer = _Producer(edge, store, schema, flows, lineage)
    return _edge(edge, store, tuple(producer.verdicts()))


@dataclass(frozen=True, slots=True)
class _Producer:
    edge: Edge
    store: Store
    schema: TableSchema
    flows: list[ColumnFlow]
    lineage: Lineage

    def verdicts(self) -> Iterator[ColumnVerdict]:
        fields = {field.name: field for field in self.schema.fields}
        for flow in self.flows:
            if flow.column == EVERY_COLUMN:
                yield self._unknown(flow, None, _reason(flow))
            elif flow.column.startswith(SYSTEM_PREFIX):
                continue
            elif flow.column in fields:
                yield from self._column(flow, fields[flow.column])
            elif self.schema.casting == "hard":
                yield self._undeclared(flow)
        yield from self._missing()

    def _column(self, flow: ColumnFlow, field: FieldSchema) -> Iterator[ColumnVerdict]:
        copied = self._copied(flow)
        found = [*self._nulls(flow, field, copied)]
        if not _is_null(flow):
            found += self._types(flow, field, copied)
        if found:
            yield from found
        else:
            place = self._place(field)
            yield ColumnVerdict(column=field.name, verdict=Verdict.COMPATIBLE, where=flow.where, other=place)

    def _types(
        self, flow: ColumnFlow, field: FieldSchema, copied: ColumnShape | None
    ) -> Iterator[ColumnVerdict]:
        written = flow.type or (copied.type if copied else None)
        if written is None:
            reason = f"the type of column {quote(field.name)} cannot be told"
            yield self._unknown(flow, field, flow.unknown.reason if flow.unknown else reason)
            return
        verdict = assignable(ColumnType(written), field.type, self.schema.casting)
        if verdict is Verdict.INCOMPATIBLE:
            yield self._wrong(flow, field, "type-mismatch", f"writes {written} to", f"which is {field.type}")
        elif verdict is Verdict.UNKNOWN:
            yield self._unknown(flow, field, f"whether {written} fits {field.type} depends on each value")
        else:
            yield from self._meanings(flow, field, copied)

    def _meanings(
        self, flow: ColumnFlow, field: FieldSchema, copied: ColumnShape | None
    ) -> Iterator[ColumnVerdict]:
        if field.semantic is None:
            return
        if copied is None or copied.semantic is None:
            yield self._unknown(flow, field, f"whether it is {field.semantic} depends on each value")
            return
        verdict = meant_as(copied.semantic, field.semantic)
        if verdict is Verdict.INCOMPATIBLE:
            told = f"writes {copied.semantic} to"
            yield self._wrong(flow, field, "meaning-mismatch", told, f"which is {field.semantic}")
        elif verdict is Verdict.UNKNOWN:
            reason = f"whether {copied.semantic} is {field.semantic} depends on each value"
            yield self._unknown(flow, field, reason)

    def _nulls(
        self, flow: ColumnFlow, field: FieldSchema, copied: ColumnShape | None
    ) -> Iterator[ColumnVerdict]:
        if field.nullable:
            return
        nullable = copied.nullable if flow.nullable is None and copied else flow.nullable
        if _is_null(flow):
            yield self._wrong(flow, field, "null-column", "writes null to", "which is never null")
        elif nullable is None:
            yield self._unknown(flow, field, f"whether column {quote(field.name)} can be null cannot be told")
        elif nullable:
            yield self._unknown(flow, field, f"column {quote(field.name)} may be null")

    def _missing(self) -> Iterator[ColumnVerdict]:
        written = {flow.column for flow in self.flows}
        if EVERY_COLUMN in written:
            return
        for field in self.schema.fields:
            if not field.nullable and field.name not in written:
                told = f"never writes column {quote(field.name)} of table {quote(self.store.name)}"
                yield ColumnVerdict(
                    column=field.name,
                    verdict=Verdict.INCOMPATIBLE,
                    reason=f"node {quote(self.edge.node)} {told}, which is never null",
                    code="missing-column",
                    where=self.edge.where,
                    other=self._place(field),
                )

    def _undeclared(self, flow: ColumnFlow) -> ColumnVerdict:
        told = f"writes column {quote(flow.column)} of table {quote(self.store.name)}"
        return ColumnVerdict(
            column=flow.column,
            verdict=Verdict.INCOMPATIBLE,
            reason=f"node {quote(self.edge.node)} {told}, which takes only the columns that it declares",
            code="undeclared-column",
            where=flow.where,
            other=self.store.where,
        )

    def _wrong(self, flow: ColumnFlow, field: FieldSchema, code: str, told: str, is_: str) -> ColumnVerdict:
        column = f"column {quote(field.name)} of table {quote(self.store.name)}"
        return ColumnVerdict(
            column=field.name,
            verdict=Verdict.INCOMPATIBLE,
            reason=f"node {quote(self.edge.node)} {told} {column}, {is_}",
            code=code,
            where=flow.where,
            other=self._place(field),
        )

    def _unknown(self, flow: ColumnFlow, field: FieldSchema | None, reason: str) -> ColumnVerdict:
        place = self._place(field) if field else self.store.where
        return ColumnVerdict(
            column=flow.column, verdict=Verdict.UNKNOWN, reason=reason, where=flow.where, other=place
        )

    def _copied(self, flow: ColumnFlow) -> ColumnShape | None:
        """Give the column that the values are a copy of, where there is one."""
        if flow.derivation is not Derivation.COPIED or len(flow.sources) != 1:
            return None
        shape = self.lineage.shapes.get(flow.sources[0].table)
        return shape.columns.get(flow.sources[0].column) if shape else None

    def _place(self, field: FieldSchema) -> Location:
        return field.where or self.store.where


def _read(edge: Edge, store: Store, reads: list[ColumnRead], lineage: Lineage) -> EdgeVerdict:
    shape = lineage.shapes.get(store.name, TableShape())
    if not reads:
        reason = f"which columns of table {quote(store.name)} node {quote(edge.node)} reads cannot be told"
        return _edge(edge, store, (), Verdict.UNKNOWN, reason)
    return _edge(edge, store, tuple(_asked(edge, store, read, shape) for read in reads))


def _asked(edge: Edge, store: Store, read: ColumnRead, shape: TableShape) -> ColumnVerdict:
    if read.column == EVERY_COLUMN or read.column.startswith(SYSTEM_PREFIX):
        return ColumnVerdict(
            column=read.column, verdict=Verdict.COMPATIBLE, where=read.where, other=store.where
        )
    column = shape.columns.get(read.column)
    if column is None:
        return _absent(edge, store, read, shape)
    verdict, reason = _use(edge, store, read, column)
    return ColumnVerdict(
        column=read.column,
        verdict=verdict,
        reason=reason,
        code="type-mismatch" if verdict is Verdict.INCOMPATIBLE else None,
        where=read.where,
        other=_shape_place(column, store),
        is_declared=column.declared,
    )


def _use(edge: Edge, store: Store, read: ColumnRead, column: ColumnShape) -> tuple[Verdict, str]:
    named = f"column {quote(read.column)} of table {quote(store.name)}"
    if read.type is None:
        return Verdict.COMPATIBLE, ""
    if column.type is None:
        return Verdict.UNKNOWN, f"the type of {named} cannot be told"
    verdict = usable(ColumnType(column.type), ColumnType(read.type))
    if verdict is Verdict.INCOMPATIBLE:
        return verdict, f"node {quote(edge.node)} uses {named} as {read.type}, and it is {column.type}"
    unknown = f"whether {column.type} can be used as {read.type} depends on each value"
    return verdict, unknown if verdict is Verdict.UNKNOWN else ""


def _absent(edge: Edge, store: Store, read: ColumnRead, shape: TableShape) -> ColumnVerdict:
    verdict, reason, code = Verdict.COMPATIBLE, "", ""
    if not shape.is_closed:
        verdict = Verdict.UNKNOWN
        reason = shape.unknown[0].reason if shape.unknown else "its columns are not known"
    elif not read.optional:
        verdict, code = Verdict.INCOMPATIBLE, "unknown-column"
        named = f"column {quote(read.column)} of table {quote(store.name)}"
        reason = f"node {quote(edge.node)} reads {named}, which has no such column"
    written = [column.where for column in shape.columns.values() if not column.declared]
    is_declared = store.schema is not None or not written
    return ColumnVerdict(
        column=read.column,
        verdict=verdict,
        reason=reason,
        code=code or None,
        where=read.where,
        other=store.where if is_declared else written[0],
        is_declared=is_declared,
    )


def _shape_place(column: ColumnShape, store: Store) -> Location:
    """Give the place of the column: its own where the manifest declares it, else where it is first written."""
    fields = store.schema.fields if store.schema and column.declared else ()
    declared = next((field.where for field in fields if field.name == column.name), None)
    return declared or column.where


def _edge(
    edge: Edge,
    store: Store,
    columns: tuple[ColumnVerdict, ...],
    verdict: Verdict = Verdict.COMPATIBLE,
    reason: str = "",
) -> EdgeVerdict:
    worst = max(columns, key=lambda column: _ORDER.index(column.verdict), default=None)
    return EdgeVerdict(
        node=edge.node,
        store=edge.store,
        port=edge.port,
        access=edge.access,
        verdict=worst.verdict if worst else verdict,
        reason=worst.reason if worst else reason,
        where=worst.where if worst else edge.where,
        other=worst.other if worst else store.where,
        columns=columns,
    )


def _diagnostic(edge: EdgeVerdict, column: ColumnVerdict, store: Store, lineage: Lineage) -> Diagnostic:
    known: tuple[str, tuple[str, ...]] | None = None
    if column.code == "unknown-column":
        known = "known columns", tuple(lineage.shapes[edge.store].columns)
    elif column.code == "undeclared-column" and store.schema is not None:
        known = "declared columns", tuple(store.schema.columns)
    made = "declared" if column.is_declared else "written"
    place = f"{column.other.file}:{column.other.line}:{column.other.column}"
    return Diagnostic(
        code=column.code or "type-mismatch",
        message=f"{column.reason}, {made} in {place}.",
        where=column.where,
        known=known,
        hint=did_you_mean(column.column, known[1]) if known else None,
    )


def _is_null(flow: ColumnFlow) -> bool:
    return flow.derivation is Derivation.CONSTANT and flow.nullable is True


def _reason(flow: ColumnFlow) -> str:
    return flow.unknown.reason if flow.unknown else "further columns may be written"


_ORDER: Final = (Verdict.COMPATIBLE, Verdict.UNKNOWN, Verdict.INCOMPATIBLE)
_CASTS: Final = {
    "always": Verdict.COMPATIBLE,
    "sometimes": Verdict.UNKNOWN,
    "never": Verdict.INCOMPATIBLE,
}
_NUMBERS: Final = frozenset({ColumnType.BIGINT, ColumnType.DOUBLE, ColumnType.NUMERIC})
_WIDER: Final = frozenset(
    {
        (ColumnType.BIGINT, ColumnType.DOUBLE),
        (ColumnType.BIGINT, ColumnType.NUMERIC),
        (ColumnType.BOOL, ColumnType.BIGINT),
    }
)
