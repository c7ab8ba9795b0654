"""What is declared of a table's rows: the one form that all spellings of a schema are read into.

The compiler compares such schemas, the launcher checks rows with them, the plan carries them as plain data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from patterns_os.diagnostics import Location
from patterns_os.rows.types import ColumnType


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSchema:
    """One column.

    Attributes:
        type: What the column holds.
        nullable: Whether it may be null, or be missing from a row.
        semantic: Name of the semantic type that it was declared with (`common.Email`), if any.
        rules: What else a value must be, by JSON Schema's words: `minimum`, `maximum`, `exclusiveMinimum`,
            `exclusiveMaximum`, `minLength`, `maxLength`, `pattern` (searched), `format`, `enum`. JSON values
            only.
        where: Where it is declared, if that is known. A place is no part of the value: schemas that say the
            same are equal wherever they stand, and the plan carries no places.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    semantic: str | None = None
    description: str | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    where: Location | None = field(default=None, compare=False, repr=False)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data, defaults left out."""
        data: dict[str, Any] = {"name": self.name, "type": str(self.type)}
        if not self.nullable:
            data["nullable"] = False
        optional = {"semantic": self.semantic, "description": self.description, "rules": dict(self.rules)}
        return data | {key: value for key, value in optional.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """All that is declared of a table's rows.

    Attributes:
        fields: In the author's order, names differ.
        name: What the schema is called, where it has a name (a class, a semantic type).
        casting: `soft` turns what can be turned without loss into the column's type and keeps columns that are
            not declared; `hard` takes only values of the type, and no other columns.
    """

    fields: tuple[FieldSchema, ...]
    name: str | None = None
    casting: Literal["soft", "hard"] = "soft"

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The type of each column by name."""
        return {found.name: found.type for found in self.fields}

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data, for the plan."""
        data: dict[str, Any] = {"fields": [found.to_data() for found in self.fields]}
        if self.name is not None:
            data["name"] = self.name
        return data if self.casting == "soft" else data | {"casting": self.casting}


def schema_from_data(data: Mapping[str, Any]) -> TableSchema:
    """Read what `TableSchema.to_data` gives."""
    return TableSchema(
        fields=tuple(_fields(data["fields"])), name=data.get("name"), casting=data.get("casting", "soft")
    )


def _fields(given: Iterable[Mapping[str, Any]]) -> Iterable[FieldSchema]:
    for entry in given:
        yield FieldSchema(**{**entry, "type": ColumnType(entry["type"])})
