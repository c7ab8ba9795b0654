"""Tables and files in `manifest.json`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Tag, WithJsonSchema

from patterns_os.manifest.values import (
    METADATA,
    ColumnName,
    Duration,
    FilePath,
    Items,
    Metadata,
    Spec,
    TableName,
    either,
    tag,
)


class EngineSpec(Spec):
    """A storage by what it is instead of by name."""

    noun: ClassVar[str] = "a storage"

    engine: Literal["postgres"] = Field(description="Kind of the storage: the app's default one is taken.")


class RetentionSpec(Spec):
    """How long rows stay; whatever a consumer has not read stays in any case."""

    noun: ClassVar[str] = "a retention"

    rows: int | None = Field(None, ge=1, description="How many of the newest rows stay.", examples=[100000])
    age: Duration | None = Field(None, description="How long a row stays.", examples=["30d"])


def _storage_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    return tag("EngineSpec") if isinstance(value, dict | EngineSpec) else None


StorageReference = Annotated[
    Annotated[str, Tag(tag("text"))] | Annotated[EngineSpec, Tag(tag("EngineSpec"))],
    either('the name of a storage or an object with "engine"', _storage_form),
]


class FieldSpec(Spec):
    """A column, where more is said of it than its type."""

    noun: ClassVar[str] = "a column"

    type: str = Field(
        description='What the column holds: a column type or a semantic type, "NotNull" may follow.',
        examples=["integer", "text NotNull", "common.Email"],
    )
    nullable: bool | None = Field(
        None, description="Whether it may be null or be missing from a row. Default: true.", examples=[False]
    )
    description: str | None = Field(
        None, description="What the column means.", examples=["When the order came in."]
    )
    minimum: int | float | None = Field(None, description="Smallest number.", examples=[0])
    maximum: int | float | None = Field(None, description="Largest number.", examples=[100])
    exclusive_minimum: int | float | None = Field(
        None, alias="exclusiveMinimum", description="Numbers must be larger than this.", examples=[0]
    )
    exclusive_maximum: int | float | None = Field(
        None, alias="exclusiveMaximum", description="Numbers must be smaller than this.", examples=[100]
    )
    min_length: int | None = Field(
        None, alias="minLength", ge=0, description="How many characters a text has at least.", examples=[1]
    )
    max_length: int | None = Field(
        None, alias="maxLength", ge=0, description="How many characters a text has at most.", examples=[200]
    )
    pattern: str | None = Field(
        None,
        description="Regular expression that is found in a text; ^ and $ tie it to start and end.",
        examples=["^[A-Z]{3}$"],
    )
    enum: Items[Any] | None = Field(
        None, min_length=1, description="All values that there are.", examples=[["new", "paid"]]
    )


class NamedFieldSpec(FieldSpec):
    """A column of a schema that is written as a list."""

    noun: ClassVar[str] = "a column"

    name: ColumnName = Field(description="Name of the column.", examples=["id"])


def _field_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    return tag("FieldSpec") if isinstance(value, dict | FieldSpec) else None


FieldSpelling = Annotated[
    Annotated[str, Tag(tag("text"))] | Annotated[FieldSpec, Tag(tag("FieldSpec"))],
    either('a text or an object with "type"', _field_form),
]


def is_json_schema(value: object) -> bool:
    """Tell whether this is a JSON Schema, not an object that gives each column its type.

    `{"type": "object"}` alone is a table with a column that is called `type`.
    """
    if not isinstance(value, dict):
        return False
    says_so = isinstance(value.get("$schema"), str) and "://" in value["$schema"]
    return says_so or (value.get("type") == "object" and isinstance(value.get("properties"), dict))


def _schema_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    if isinstance(value, list | tuple):
        return tag("NamedFieldSpec")
    if isinstance(value, dict):
        return tag("JSON Schema") if is_json_schema(value) else tag("fields")
    return None


_JSON_SCHEMA = WithJsonSchema(
    {
        "type": "object",
        "description": "A JSON Schema of a row.",
        "anyOf": [
            {
                "properties": {"type": {"const": "object"}, "properties": {"type": "object"}},
                "required": ["type", "properties"],
            },
            {"properties": {"$schema": {"type": "string", "pattern": "://"}}, "required": ["$schema"]},
        ],
    }
)
SchemaSpelling = Annotated[
    Annotated[str, Tag(tag("text"))]
    | Annotated[Items[NamedFieldSpec], Tag(tag("NamedFieldSpec"))]
    | Annotated[dict[ColumnName, FieldSpelling], Tag(tag("fields"))]
    | Annotated[dict[str, Any], _JSON_SCHEMA, Tag(tag("JSON Schema"))],
    either("an object with columns, a list of columns, a JSON Schema, or the name of one", _schema_form),
]


class TableStoreSpec(Spec):
    """A table of the app."""

    noun: ClassVar[str] = "a table"

    table: TableName = Field(description="Name of the table.", examples=["orders"])
    title: str | None = Field(None, description="Name for people.", examples=["Orders"])
    description: str | None = Field(None, description="What a row is.", examples=["One order of the shop."])
    row_schema: SchemaSpelling | None = Field(
        None,
        alias="schema",
        description=(
            "What a row is: columns and their types, a JSON Schema, a file that holds one, a pydantic class of "
            "the app (`models.py:Order`), or a semantic type (`common.Order`)."
        ),
        examples=[
            {"id": "integer NotNull", "email": "common.Email"},
            "schemas/order.json",
            "models.py:Order",
            "common.Order",
        ],
    )
    casting: Literal["soft", "hard"] | None = Field(
        None,
        description=(
            'What becomes of a row that does not fit "schema": "soft" (the default) turns what can be turned '
            "without loss and keeps further columns, hard takes only values of the types and no other columns. "
            "What fits neither way is held with the reason."
        ),
        examples=["hard"],
    )
    unique_on: Items[ColumnName] | None = Field(
        None, min_length=1, description="Columns that tell rows apart in an upsert.", examples=[["id"]]
    )
    storage: StorageReference | None = Field(
        None,
        description="Storage of patterns.json. Default: the first database.",
        examples=["local-pg", {"engine": "postgres"}],
    )
    retention: RetentionSpec | None = Field(None, description="How long rows stay. Default: for ever.")
    metadata: Metadata | None = Field(None, description=METADATA)

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table

    @property
    def storage_name(self) -> str | None:
        """The name of the storage in patterns.json, `None` for the default one."""
        return self.storage if isinstance(self.storage, str) else None


class FileStoreSpec(Spec):
    """A file of the app."""

    noun: ClassVar[str] = "a file"

    file: FilePath = Field(description="Name of the file, folders allowed.", examples=["report.csv"])
    title: str | None = Field(None, description="Name for people.", examples=["Report"])
    description: str | None = Field(None, description="What the file holds.", examples=["One line an order."])
    storage: str | None = Field(
        None,
        description="Storage of patterns.json. Default: the first file storage.",
        examples=["local-files"],
    )
    metadata: Metadata | None = Field(None, description=METADATA)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.file

    @property
    def storage_name(self) -> str | None:
        """The name of the storage in patterns.json, `None` for the default one."""
        return self.storage


def _store_form(value: object) -> str | None:
    if isinstance(value, FileStoreSpec) or (
        isinstance(value, dict) and "file" in value and "table" not in value
    ):
        return tag("FileStoreSpec")
    return tag("TableStoreSpec") if isinstance(value, dict | TableStoreSpec) else None


StoreSpec = Annotated[
    Annotated[TableStoreSpec, Tag(tag("TableStoreSpec"))]
    | Annotated[FileStoreSpec, Tag(tag("FileStoreSpec"))],
    either('an object with "table" or "file"', _store_form),
]
