"""Tables of the app, as scripts see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from patterns import host
from patterns.errors import TableError
from patterns.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MODES = {"r": "r", "read": "r", "w": "w", "write": "w", "a": "w", "append": "w", "rw": "w"}


class Table:
    """A table of the app.

    Rows are dicts. What is written becomes visible to others when the run commits, all of it or nothing;
    reads see committed rows.

    Args:
        name: The table's name, or the port that the manifest maps to one.
        mode: `"r"` to read or stream, `"w"` to write (a written table can be read too).
        description: For people.
        schema: Columns for a table that is new: `{"name": "type"}`.
        required: With `False`, a name that leads to no table gives a table that is always empty, and writes
            to it do nothing.

    Raises:
        TableError: The app has no such table, or the script may not use it so.
    """

    def __init__(
        self,
        name: str,
        mode: str = "r",
        description: str | None = None,
        schema: Mapping[str, str] | None = None,
        required: bool = True,  # noqa: FBT001, FBT002 - the signature that users of the older devkit know
    ) -> None:
        if mode not in _MODES:
            raise TableError(f'Table mode "{mode}" is none of "r", "w"', code="table-mode")
        self.name = name
        self.port_name = name
        self.mode = _MODES[mode]
        self.description = description
        self._host = host.current()
        self._host.table_opened(name, self.mode, schema=schema, required=required)

    # -- what it is

    @property
    def is_connected(self) -> bool:
        """Whether the name leads to a table of the app."""
        return self._host.is_connected(self.name)

    @property
    def sql_name(self) -> str:
        """The qualified, quoted name, for SQL."""
        return self._host.sql_name(self.name)

    @property
    def schema(self) -> dict[str, str]:
        """The columns, name → type; empty before the first row."""
        return self._host.columns(self.name)

    @property
    def record_count(self) -> int:
        """How many rows the active version has."""
        return self._host.count(self.name)

    @property
    def exists(self) -> bool:
        """Whether the table has rows."""
        return self.is_connected and self.record_count > 0

    def __str__(self) -> str:
        """Give the SQL name, for f-strings."""
        return self.sql_name

    def __repr__(self) -> str:
        """Give the call that makes this table."""
        return f'Table("{self.name}", "{self.mode}")'

    # -- reading

    def read(
        self, as_format: Literal["records", "dataframe"] = "records", chunksize: int | None = None
    ) -> Any:  # noqa: ANN401 - list, DataFrame, or an iterator of them
        """Give all rows of the active version, in the order they were written.

        Args:
            as_format: `"records"` for a list of dicts, `"dataframe"` for a pandas DataFrame.
            chunksize: Give an iterator of parts of at most this many rows instead.
        """
        return _formatted(self._host.read(self.name, chunksize), as_format, chunked=chunksize is not None)

    def read_dataframe(self, chunksize: int | None = None) -> Any:  # noqa: ANN401 - pandas is optional
        """Give all rows as a pandas DataFrame, or an iterator of them."""
        return self.read("dataframe", chunksize)

    def read_sql(
        self,
        sql: str,
        as_format: Literal["records", "dataframe"] = "records",
        chunksize: int | None = None,
        **parameters: Any,  # noqa: ANN401 - any bind value
    ) -> Any:  # noqa: ANN401 - as read
        """Give the rows of a read-only SQL statement; `%(name)s` takes the keyword arguments."""
        rows = self._host.read_sql(sql, parameters or None, chunksize)
        return _formatted(rows, as_format, chunked=chunksize is not None)

    def as_stream(
        self,
        order_by: str | None = None,
        starting_value: Any = None,  # noqa: ANN401 - a value of the order column
        name: str = "",
    ) -> Stream:
        """Give this node's stream: each row once, over all runs.

        Args:
            order_by: Column that orders the rows of one run; the place in the table is kept in any case.
            starting_value: Rows up to and including this value are skipped.
            name: A second stream of the same table has a place of its own.
        """
        return Stream(self._host.stream(self.name, name, order_by, starting_value), order_by)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over all rows, like `read`."""
        for part in self._host.read(self.name, None):
            yield from part

    # -- writing

    def append(self, records: Any) -> None:  # noqa: ANN401 - dict, list of dicts or DataFrame
        """Add rows at the end."""
        if isinstance(records, dict):
            self._write("append", (records,))
        else:
            self._write("append", _rows(records))

    def upsert(self, records: Any) -> None:  # noqa: ANN401 - as append
        """Add rows, or change the ones with the same key (`unique_on`); a changed row moves to the end."""
        self._write("upsert", _rows(records))

    def replace(self, records: Any) -> None:  # noqa: ANN401 - as append
        """Make the rows the table's new version; with the same rows as before nothing changes."""
        self._write("replace", _rows(records))

    def truncate(self) -> None:
        """Begin an empty version and drop the old rows."""
        self._writable()
        self._host.empty(self.name, drop=True)

    def reset(self) -> None:
        """Begin an empty version; the old rows are kept until retention takes them."""
        self._writable()
        self._host.empty(self.name, drop=False)

    def flush(self) -> None:
        """Send buffered rows on their way. They become visible when the run commits."""
        self._host.flush(self.name)

    def init(
        self,
        schema: Mapping[str, str] | None = None,
        schema_hints: Mapping[str, str] | None = None,
        unique_on: str | Sequence[str] | None = None,
        **_: Any,  # noqa: ANN401 - add_created, add_monotonic_id and auto_indexes of the older devkit: always on
    ) -> None:
        """Lay columns and the key of the table; does nothing where they are laid already."""
        self._writable()
        keys = [unique_on] if isinstance(unique_on, str) else list(unique_on or ())
        self._host.init(self.name, {**(schema_hints or {}), **(schema or {})}, keys)

    def _write(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if self.mode != "w":
            self._writable()
        self._host.write(self.name, kind, rows)

    def _writable(self) -> None:
        if self.mode != "w":
            raise TableError(
                f'Table "{self.name}" is open for reading',
                code="table-mode",
                hint=f'open it with Table("{self.name}", "w")',
            )


def _rows(records: Any) -> Sequence[Mapping[str, Any]]:  # noqa: ANN401 - dict, iterable of dicts or DataFrame
    if isinstance(records, dict):
        return (records,)
    if hasattr(records, "to_dict") and hasattr(records, "columns"):
        return records.to_dict("records")  # type: ignore[no-any-return] # a DataFrame, pandas is optional
    return list(records)


def _formatted(parts: Iterable[list[dict[str, Any]]], as_format: str, *, chunked: bool) -> Any:  # noqa: ANN401 - as read
    if as_format not in {"records", "dataframe"}:
        raise TableError(f'Format "{as_format}" is none of "records", "dataframe"', code="table-format")
    if chunked:
        return (_frame(part) if as_format == "dataframe" else part for part in parts)
    whole = [row for part in parts for row in part]
    return _frame(whole) if as_format == "dataframe" else whole


def _frame(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - pandas is optional
    try:
        import pandas as pd  # noqa: PLC0415 - optional and slow to import
    except ImportError as error:
        raise TableError(
            "DataFrames need pandas, which is not installed", code="pandas-missing", hint="pip install pandas"
        ) from error
    return pd.DataFrame(rows)
