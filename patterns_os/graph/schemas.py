"""From the spellings of a schema in the manifest to the one form that everybody else knows."""

from patterns_os.diagnostics import Diagnostic, Location, quote
from patterns_os.manifest.spec import TableStoreSpec
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.types import ColumnType, parse_type


def declared_schema(
    spec: TableStoreSpec, where: Location
) -> tuple[TableSchema | None, tuple[Diagnostic, ...]]:
    """Give what the manifest declares of a table's rows, and what is wrong with it.

    Columns whose type is not known are left out. `None` where nothing is declared.
    """
    if spec.columns is None:
        return None, ()
    fields: list[FieldSchema] = []
    found: list[Diagnostic] = []
    for name, written in spec.columns.items():
        kind = parse_type(written)
        if kind is None:
            found.append(_unknown_type(spec.name, name, written, where))
        else:
            fields.append(FieldSchema(name=name, type=kind))
    return TableSchema(fields=tuple(fields)), tuple(found)


def _unknown_type(table: str, column: str, written: str, where: Location) -> Diagnostic:
    return Diagnostic(
        code="unknown-type",
        message=f"column {quote(column)} of table {quote(table)} has the unknown type {quote(written)}.",
        where=where,
        known=("known types", tuple(str(known) for known in ColumnType)),
    )
