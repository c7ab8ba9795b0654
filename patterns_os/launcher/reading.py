"""Reading tables inside a run: whole versions, SQL, and the run's range as a stream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from patterns.errors import TableError
from patterns.record import Record
from patterns_os.rows.errors import RowError
from patterns_os.rows.identity import parse_patterns_id
from patterns_os.rows.tagging import from_json, holds_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import psycopg

    from patterns_os.launcher.progress import Progress
    from patterns_os.ports.claims import ClaimedInput

SLICE_ROWS = 10_000
SLICE_OUTPUT_BYTES = 64 * 1024 * 1024
SLICE_SECONDS = 1.0
SLICE_START_UPS = 20.0
_LOOK_EVERY_S = 0.001
_FIRST_FETCH, _NEXT_FETCH = 200, 2_500
_READ_CHUNK = 5_000
_JSONB = 3802
_DONE_BEYOND = "patterns:done:{}:{}"


class Slice:
    """How much of a run is used up: rows, bytes of output and seconds since the script started."""

    def __init__(self, progress: Progress, output_bytes: Callable[[], int]) -> None:
        self._progress = progress
        self._output_bytes = output_bytes
        self._started = time.monotonic()
        self._until: float | None = None
        self._looked = 0.0
        self.rows = 0

    def first_record(self) -> None:
        """Fix the run's length: a script that is slow to start may run longer."""
        if self._until is None:
            now = time.monotonic()
            self._until = now + max(SLICE_SECONDS, SLICE_START_UPS * (now - self._started))

    def used_up(self) -> bool:
        """Tell whether the loop shall end at this record boundary. Fast loops look once a millisecond."""
        if self.rows >= SLICE_ROWS:
            return True
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        return (
            (self._until is not None and now >= self._until)
            or self._progress.stop_asked
            or self._output_bytes() >= SLICE_OUTPUT_BYTES
        )


class StreamPlace:
    """The node's place in one table for the time of a run (the SDK's `StreamHost`).

    Args:
        connection: Autocommit, binary, tuples; used only to read.
        given: The claimed range, with a start that moves at each checkpoint.
        relation: The physical relation, quoted.
        held: A record that was set aside: the only one to give.
        done_beyond: Positions after the start that are done already (only after a sorted loop was left early).
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        given: ClaimedInput,
        relation: str,
        progress: Progress,
        part: Slice,
        *,
        checkpoint: Callable[[], None],
        rollback: Callable[[], None],
        held: dict[str, Any] | None = None,
        done_beyond: Sequence[int] = (),
    ) -> None:
        self.given = given
        self.start = given.start
        self.sorted_by: str | None = None
        self._connection = connection
        self._relation = relation
        self._progress = progress
        self._slice = part
        self._commit = checkpoint
        self._drop = rollback
        self._held = held
        self._done = set(done_beyond)
        self._filter: tuple[str, Any] | None = None
        self._batch: list[dict[str, Any]] = []
        self._positions: list[int] = []
        self._index = 0
        self._exhausted = False
        self.last_given: int | None = None
        self._go_to(given.start)

    # -- what the script does

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the records that were not given yet."""
        part, progress = self._slice, self._progress
        table, used_up, open_record = self.given.table, part.used_up, progress.open_record
        stream = self.given.stream
        while True:
            if self._index >= len(self._batch) and not self._fetch():
                break
            if used_up():
                break
            index = self._index
            self._index = index + 1
            position = self._positions[index]
            self.last_given = position
            self.yielded += 1
            part.rows += 1
            if part.rows == 1:
                part.first_record()
            if progress.stream != stream:
                progress.stream = stream
            open_record(table, self.start, position, self.yielded)
            yield self._batch[index]
        progress.end_of_stream()

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Give the records as lists."""
        batch: list[dict[str, Any]] = []
        for record in self:
            batch.append(record)
            if len(batch) >= size:
                yield batch
                batch = []
        if batch:
            yield batch

    def checkpoint(self) -> None:
        """Commit everything given so far."""
        self._commit()

    def rollback(self) -> None:
        """Drop what was written since the last checkpoint; give its records again."""
        self._drop()

    def rewind(self) -> None:
        """Go back to the beginning of the active version."""
        self._go_to(self.given.base)

    def seek(self, value: Any) -> None:  # noqa: ANN401 - a value of the order column
        """Go behind `value` of the order column."""
        if self.sorted_by is None or self.sorted_by == "patterns_id":
            try:
                self._go_to(parse_patterns_id(str(value))[2])
            except RowError as error:
                raise TableError(
                    f'"{value}" is no patterns_id',
                    code="stream-seek",
                    hint="give order_by for another column",
                ) from error
        else:
            self._go_to(self.given.base)
            self._filter = (self.sorted_by, value)

    # -- what the session asks

    def reached(self) -> int:
        """Give the position up to which everything is done if the run ends now."""
        if self._held is not None:
            return self.start
        waiting = self._positions[self._index :]
        if self.sorted_by is not None and waiting:
            return min(min(waiting) - 1, self.last_given or self.start)
        if self._exhausted and not waiting:
            return self.given.to
        return self.last_given if self.last_given is not None else self.start

    def done_beyond(self) -> list[int]:
        """Give the positions after `reached()` that are done."""
        if self.sorted_by is None or self._index >= len(self._positions):
            return []
        reached = self.reached()
        return sorted(p for p in {*self._positions[: self._index], *self._done} if p > reached)

    @property
    def left_some(self) -> bool:
        """Whether the run gave rows out of order and left some before them: there is more to do at once."""
        return self.last_given is not None and bool(self.done_beyond())

    def committed(self, reached: int) -> None:
        """Take note of a checkpoint."""
        self.start = reached
        self.yielded = 0

    def back_to_start(self) -> None:
        """Take note of a rollback."""
        self._go_to(self.start)

    # -- how

    def _go_to(self, position: int) -> None:
        self._batch = []
        self._positions = []
        self._index = 0
        self._read_to = position
        self._exhausted = False
        self._fetches = 0
        self.last_given = None
        self.yielded = 0

    def _fetch(self) -> bool:
        """Read the next records; tell whether there are any."""
        if self._exhausted:
            return False
        if self._held is not None:
            self._exhausted = True
            self._positions, self._batch = [int(self._held["position"])], [self._held_record(self._held)]
            self._index = 0
            return True
        if self.sorted_by is not None:
            return self._fetch_sorted()
        rows = self._rows(_FIRST_FETCH if self._fetches == 0 else _NEXT_FETCH)
        return self._take(rows)

    def _held_record(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Give a record that was set aside: from the table, or from its kept content where the row is gone."""
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                f"select * from {self._relation} where patterns_position = %s",  # noqa: S608 - a quoted name that the database gave
                (held["position"],),
                prepare=False,
            )
            records = _records(cursor, cursor.fetchall())
        return records[0] if records else _from_content(dict(held["content"]))

    def _fetch_sorted(self) -> bool:
        rows = self._rows(SLICE_ROWS)
        self._exhausted = True
        if not rows or rows[-1][0] >= self.given.to:
            self._read_to = self.given.to
        if not self._take(rows):
            return False
        key = self.sorted_by
        order = sorted(
            range(len(self._batch)), key=lambda i: _sort_key(self._batch[i].get(str(key)), self._positions[i])
        )
        self._batch = [self._batch[i] for i in order]
        self._positions = [self._positions[i] for i in order]
        return True

    def _take(self, rows: list[tuple[int, dict[str, Any]]]) -> bool:
        if self._filter is not None:
            column, value = self._filter
            rows = [row for row in rows if row[1].get(column) is not None and row[1][column] > value]
        if self._done:
            rows = [row for row in rows if row[0] not in self._done]
        self._positions = [row[0] for row in rows]
        self._batch = [row[1] for row in rows]
        self._index = 0
        if rows:
            return True
        return not self._exhausted and self._fetch()

    def _rows(self, limit: int) -> list[tuple[int, dict[str, Any]]]:
        self._fetches += 1
        if self._read_to >= self.given.to:
            self._exhausted = True
            return []
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(
                f"select * from {self._relation} where patterns_position > %s and patterns_position <= %s "  # noqa: S608 - a quoted name that the database gave
                "order by patterns_position limit %s",
                (self._read_to, self.given.to, limit),
                prepare=False,  # a prepared statement breaks when the table gets a column
            )
            rows = cursor.fetchall()
            records = _records(cursor, rows)
        if len(rows) < limit:
            self._exhausted = True
            self._read_to = self.given.to
        else:
            self._read_to = rows[-1][0]
        return [(row[0], record) for row, record in zip(rows, records, strict=True)]


class EmptyPlace:
    """The place in a table that is not there: a stream without records.

    Args:
        checkpoint: Commits what the run has written so far.
        rollback: Drops it.
    """

    def __init__(self, *, checkpoint: Callable[[], None], rollback: Callable[[], None]) -> None:
        self.checkpoint = checkpoint
        self.rollback = rollback

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give nothing."""
        return iter(())

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:  # noqa: ARG002 - as other places
        """Give nothing."""
        return iter(())

    def rewind(self) -> None:
        """Stay where it is."""

    def seek(self, value: Any) -> None:  # noqa: ANN401 - any value
        """Stay where it is."""


def read_version(
    connection: psycopg.Connection[Any], relation: str, base: int, last: int, chunk: int | None
) -> Iterator[list[dict[str, Any]]]:
    """Give the rows of a version, positions in (`base`, `last`], in lists of at most `chunk`."""
    size = chunk or _READ_CHUNK
    while base < last:
        with connection.cursor(binary=True) as cursor:
            cursor.execute(
                f"select * from {relation} where patterns_position > %s and patterns_position <= %s "  # noqa: S608 - a quoted name that the database gave
                "order by patterns_position limit %s",
                (base, last, size),
                prepare=False,  # as above
            )
            rows = cursor.fetchall()
            records = _records(cursor, rows)
        if not rows:
            return
        yield records
        if len(rows) < size:
            return
        base = rows[-1][0]


def read_statement(
    connection: psycopg.Connection[Any],
    statement: str,
    parameters: Any,  # noqa: ANN401 - bind values
    chunk: int | None,
) -> Iterator[list[dict[str, Any]]]:
    """Give the rows of a statement that runs in a read-only transaction, in lists of at most `chunk`."""
    with connection.transaction():
        connection.execute("set transaction read only")
        with connection.cursor(binary=False) as cursor:
            cursor.execute(statement.encode(), parameters, prepare=False)
            if cursor.description is None:
                return
            names = [column.name for column in cursor.description]
            while rows := cursor.fetchmany(chunk or _READ_CHUNK):
                yield [Record(zip(names, row, strict=True)) for row in rows]


def done_key(given: ClaimedInput) -> str:
    """Give the State key under which positions done out of order are kept."""
    return _DONE_BEYOND.format(given.table, given.stream)


def _from_content(content: dict[str, Any]) -> dict[str, Any]:
    content.pop("patterns_position", None)
    more = content.pop("patterns_more", None) or {}
    record = Record((name, from_json(value)) for name, value in content.items())
    record.update(from_json(more))
    return record


def _records(cursor: psycopg.Cursor[Any], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Give rows of a physical table (position, id, more, then the columns) as records."""
    described = cursor.description or ()
    names = [column.name for column in described][3:]
    nested = [
        column.name
        for place, column in enumerate(described[3:], 3)
        if column.type_code == _JSONB and holds_tags([row[place] for row in rows])
    ]
    found: list[dict[str, Any]] = []
    for row in rows:
        record = Record(zip(names, row[3:], strict=True), patterns_id=row[1])
        for name in nested:
            record[name] = from_json(record[name])
        if row[2] is not None:
            record.update(from_json(row[2]))
        found.append(record)
    return found


def _sort_key(value: Any, position: int) -> tuple[int, Any, int]:  # noqa: ANN401 - any column value
    """Order by value, empty values last, ties by position; mixed types by their text."""
    if value is None:
        return (2, "", position)
    if isinstance(value, (int, float)):
        return (0, value, position)
    return (1, str(value) if not isinstance(value, str) else value, position)
