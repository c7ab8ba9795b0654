"""What can be told about an app that runs or has run: values that commands print. All read only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """A column of a table, its type as Postgres spells it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """A table of the app.

    Attributes:
        number: The table's number in its database.
        rows: Rows of the active version.
        watermark: The last position, over all versions; 0 before the first write.
        version: Number of the active version, from 1.
        written_at: When the last write was committed, `None` before the first.
    """

    number: int
    name: str
    rows: int
    watermark: int
    version: int
    written_at: datetime | None
    unique_on: tuple[str, ...]
    columns: tuple[ColumnReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReport:
    """A row: its id and position, and the record as scripts get it."""

    patterns_id: str
    position: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsReport:
    """Rows of a table, the newest last.

    Attributes:
        columns: Names of the table's own columns, then of keys that only some of these rows have.
        total: How many rows match, shown or not.
    """

    columns: tuple[str, ...]
    rows: tuple[RowReport, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run.

    Attributes:
        reason: `rows`, `retry`, `cron`, `manual`, `again` or `resume`.
        state: `running`, `done`, `failed` or `lost`.
        seconds: How long it took, or has taken until now.
        error: `{"code", "message", "where", …}`, `None` if nothing went wrong.
    """

    run: int
    node: str
    reason: str
    state: str
    attempt: int
    rows_in: int
    rows_out: int
    claimed_at: datetime
    ended_at: datetime | None
    seconds: float
    launcher: str
    version: str
    error: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """A line that a node printed; `number` rises with time."""

    number: int
    run: int | None
    stream: str
    line: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReport:
    """A record that was set aside.

    Attributes:
        why: `dead` after its retries, or `refused`: a row that did not fit the table that it was written for.
        source: Where a refused row comes from: `delivery:` or `run:` and its number, `position` is its place there.
        record: The record as the script gets it when it is delivered again; the refused row.
        retry: State of the last request to deliver it again, `None` if nobody asked.
    """

    number: int
    node: str
    table: str
    position: int
    why: str
    attempts: int
    at: datetime
    run: int | None
    error: Mapping[str, Any] | None
    record: Mapping[str, Any] = field(repr=False)
    retry: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """How far a node has got in a table; `cursor` means something for streams only."""

    node: str
    table: str
    access: str
    cursor: int
    seen: int
    watermark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """A promise that was checked.

    Attributes:
        sentence: What holds, or should.
        offending: What breaks it, a line each; empty if it holds.
    """

    name: str
    sentence: str
    offending: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return not self.offending
