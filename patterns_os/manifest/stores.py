"""Tables and files in `manifest.json`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag

from patterns_os.manifest.values import ColumnName, Duration, FilePath, Items, Spec, TableName, either, tag


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


class TableStoreSpec(Spec):
    """A table of the app."""

    noun: ClassVar[str] = "a table"

    table: TableName = Field(description="Name of the table.", examples=["orders"])
    title: str | None = Field(None, description="Name for people.")
    description: str | None = Field(None, description="What a row is.")
    columns: dict[ColumnName, str] | None = Field(
        None,
        alias="schema",
        description="Columns and their types; further ones are added as rows bring them.",
        examples=[{"id": "integer", "name": "text"}],
    )
    unique_on: Items[ColumnName] | None = Field(
        None, min_length=1, description="Columns that tell rows apart in an upsert.", examples=[["id"]]
    )
    storage: StorageReference | None = Field(
        None, description="Storage of patterns.json. Default: the first database."
    )
    retention: RetentionSpec | None = Field(None, description="How long rows stay. Default: for ever.")

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
    title: str | None = Field(None, description="Name for people.")
    description: str | None = Field(None, description="What the file holds.")
    storage: str | None = Field(
        None, description="Storage of patterns.json. Default: the first file storage."
    )

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
