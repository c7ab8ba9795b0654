"""What `patterns table schema` shows: the columns of a table as declared, as inferred from code, and as they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from patterns_os.diagnostics import Location, quote
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnFlow
from patterns_os.ports.reports import TableReport
from patterns_os.rows.schema import FieldSchema, TableSchema

UNKNOWN = "unknown"
"""In place of a type that the code does not tell."""

NOT_SEEN = "\N{EN DASH}"
"""In place of the real type where no database was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredColumn:
    """What the code of the writers tells of a column.

    Attributes:
        types: Column types, each once; `unknown` among them where a writer does not tell.
        nullable: `None` where nobody tells.
        writers: The nodes that write it.
    """

    types: tuple[str, ...]
    nullable: bool | None
    writers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRow:
    """One column, from all three sides.

    Attributes:
        declared: `None` where the manifest does not declare it.
        inferred: `None` where no code is seen to write it.
        real: Its type as Postgres spells it; `None` where the table has no such column, or nobody could look.
        is_key: Whether rows are told apart by it.
        beside: How many rows have the key without a column, or a value that does not fit it.
    """

    name: str
    declared: FieldSchema | None = None
    inferred: InferredColumn | None = None
    real: str | None = None
    is_key: bool = False
    beside: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        declared, inferred = self.declared, self.inferred
        return {
            "name": self.name,
            "declared": declared.type.sql if declared else None,
            "nullable": declared.nullable if declared else None,
            "semantic": declared.semantic if declared else None,
            "rules": dict(declared.rules) if declared else {},
            "inferred": " | ".join(inferred.types) if inferred else None,
            "written_by": list(inferred.writers) if inferred else [],
            "type": self.real,
            "unique": self.is_key,
            "beside": self.beside,
        }

    def cells(self, *, is_reached: bool) -> list[str]:
        """Give it as cells of a table: column, declared, inferred, real, key, rows beside."""
        return [
            self.name,
            _declared(self.declared),
            _inferred(self.inferred),
            (self.real or "") if is_reached else NOT_SEEN,
            "yes" if self.is_key else "",
            str(self.beside or ""),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEnd:
    """Why further columns may be written: the reason, the node, and the place of its code."""

    node: str
    reason: str
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSchema:
    """A table's columns, the declared ones first, and what is not known of them."""

    rows: tuple[SchemaRow, ...] = ()
    open_ends: tuple[OpenEnd, ...] = ()
    unique_on: tuple[str, ...] = ()
    casting: str | None = None
    count: int | None = None


def shown_schema(
    name: str,
    *,
    declared: TableSchema | None,
    unique_on: Sequence[str],
    lineage: Lineage | None,
    real: TableReport | None,
    beside: Mapping[str, int],
) -> ShownSchema:
    """Join what is known of a table.

    Args:
        name: The table's.
        declared: What the manifest says of it, if anything.
        unique_on: Its key columns.
        lineage: The columns of the app, `None` where it has no graph.
        real: The table as it is, `None` where it was never made or nobody could look.
        beside: Keys whose values live beside the columns, with their rows.
    """
    fields = {found.name: found for found in declared.fields} if declared else {}
    flows = list(_flows(name, lineage))
    inferred = _inferred_columns(flows)
    columns = {column.name: column.type for column in real.columns} if real else {}
    names = dict.fromkeys([*fields, *inferred, *columns, *beside])
    keys = set(unique_on) | set(real.unique_on if real else ())
    return ShownSchema(
        rows=tuple(
            SchemaRow(
                name=column,
                declared=fields.get(column),
                inferred=inferred.get(column),
                real=columns.get(column),
                is_key=column in keys,
                beside=beside.get(column, 0),
            )
            for column in names
        ),
        open_ends=tuple(dict.fromkeys(_open_ends(flows))),
        unique_on=tuple(real.unique_on if real else unique_on),
        casting=declared.casting if declared else None,
        count=real.rows if real else None,
    )


def _flows(table: str, lineage: Lineage | None) -> Iterable[tuple[str, ColumnFlow]]:
    for node, flows in sorted((lineage.flows if lineage else {}).items()):
        for flow in flows:
            if flow.table == table:
                yield node, flow


def _inferred_columns(flows: Iterable[tuple[str, ColumnFlow]]) -> dict[str, InferredColumn]:
    written: dict[str, list[tuple[str, ColumnFlow]]] = {}
    for node, flow in flows:
        if flow.column != EVERY_COLUMN:
            written.setdefault(flow.column, []).append((node, flow))
    return {column: _joined(found) for column, found in written.items()}


def _joined(flows: Sequence[tuple[str, ColumnFlow]]) -> InferredColumn:
    nullable = {flow.nullable for _, flow in flows}
    return InferredColumn(
        types=tuple(sorted({flow.type or UNKNOWN for _, flow in flows})),
        nullable=True if True in nullable else None if None in nullable else False,
        writers=tuple(sorted({node for node, _ in flows})),
    )


def _open_ends(flows: Iterable[tuple[str, ColumnFlow]]) -> Iterable[OpenEnd]:
    for node, flow in flows:
        if flow.column != EVERY_COLUMN:
            continue
        if flow.unknown is not None:
            yield OpenEnd(node=node, reason=flow.unknown.reason, where=flow.unknown.where)
        elif flow.sources:
            tables = ", ".join(quote(table) for table in sorted({source.table for source in flow.sources}))
            yield OpenEnd(node=node, reason=f"it writes all columns of {tables}", where=flow.where)


def _declared(found: FieldSchema | None) -> str:
    if found is None:
        return ""
    semantic = f" ({found.semantic})" if found.semantic else ""
    return f"{found.type.sql}{'' if found.nullable else ' not null'}{semantic}"


def _inferred(found: InferredColumn | None) -> str:
    if found is None:
        return ""
    return " | ".join(found.types) + (" not null" if found.nullable is False else "")
