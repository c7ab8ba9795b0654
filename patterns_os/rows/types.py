"""Column types: the nine types of Postgres that tables of an app use."""

import re
from enum import StrEnum


class ColumnType(StrEnum):
    """The type of a column; the value is its name in plans, manifests and messages."""

    BOOL = "bool"
    BIGINT = "bigint"
    DOUBLE = "double"
    TEXT = "text"
    TIMESTAMPTZ = "timestamptz"
    DATE = "date"
    NUMERIC = "numeric"
    BYTEA = "bytea"
    JSONB = "jsonb"

    @property
    def sql(self) -> str:
        """The type as Postgres spells it."""
        return "double precision" if self is ColumnType.DOUBLE else str(self)


def parse_type(text: str) -> ColumnType | None:
    """Give the column type that an author means, or `None` if the word is not known.

    Case, arguments (`Decimal(16,2)`), and `NotNull` or `Nullable` at the end do not matter. Every whole
    number is a bigint and every moment a timestamptz, however the author spells it.
    """
    bare = _ARGUMENTS.sub(" ", text.strip().lower())
    if bare.endswith("[]"):
        return ColumnType.JSONB
    words = " ".join(_NULLABILITY.sub("", bare).split())
    return _ALIASES.get(words)


_ARGUMENTS = re.compile(r"\([^()]*\)")
_NULLABILITY = re.compile(r"\s+(not\s*null|nullable|null)\s*$")
_ALIASES = {
    alias: column_type
    for column_type, aliases in {
        ColumnType.BOOL: "bool|boolean",
        ColumnType.BIGINT: "int|integer|bigint|smallint|long|int2|int4|int8|int32|int64",
        ColumnType.DOUBLE: "float|double|double precision|number|real|float4|float8|float32|float64",
        ColumnType.TEXT: "text|string|str|varchar|character varying|char|character|longtext|uuid",
        ColumnType.TIMESTAMPTZ: (
            "datetime|timestamp|timestamptz|timestamp with time zone|timestamp without time zone"
        ),
        ColumnType.DATE: "date",
        ColumnType.NUMERIC: "decimal|numeric",
        ColumnType.BYTEA: "bytea|bytes|binary|longbinary|blob",
        # A time of day has no column type of its own: it is stored tagged.
        ColumnType.JSONB: "json|jsonb|struct|array|object|dict|list|time",
    }.items()
    for alias in aliases.split("|")
}
