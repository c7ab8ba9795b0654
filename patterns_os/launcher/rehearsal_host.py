"""The host of a rehearsal: tables in memory, files in a folder that is thrown away, models for real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from patterns.errors import FileError, RunEndedError, TableError
from patterns.record import Record
from patterns_os.launcher.undeclared import (
    undeclared_secret,
    undeclared_stream,
    undeclared_table,
    unset_secret,
)
from patterns_os.manifest.interpolation import fill
from patterns_os.rows.casting import compile_casts
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.columns import infer_column_types, strip_system_keys
from patterns_os.rows.errors import RowError
from patterns_os.rows.identity import patterns_id
from patterns_os.rows.schema import schema_from_data
from patterns_os.rows.tagging import to_json
from patterns_os.rows.types import ColumnType, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from patterns_os.launcher.assignment import AssignedNode
    from patterns_os.launcher.progress import Progress
    from patterns_os.launcher.services import Services
    from patterns_os.plan.spec import PlannedTable

_ID = "patterns_id"
# Ids are made up, and the same each time: 2020-01-01.
_COMMITTED_MS = 1_577_836_800_000
_READ_CHUNK = 5_000


@dataclass(slots=True)
class Writes:
    """What a run writes to one table: the rows that it would add or change, and how it wrote them."""

    kinds: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class RehearsalHost:
    """Plays a run for one node (the SDK's `Host`); nothing that the script does outlives it.

    Args:
        node: What is rehearsed.
        tables: All tables of the node by name: given rows and what the plan knows of them.
        services: Models and secrets, the app's own; its files are only read.
        scratch: Gives the files that the script writes.
        progress: Where the open record is told.
    """

    def __init__(
        self,
        node: AssignedNode,
        tables: Mapping[str, RehearsalTable],
        services: Services,
        scratch: Services,
        progress: Progress,
    ) -> None:
        self.rows_in = 0
        self.again: float | None = None
        self._node = node
        self._tables = tables
        self._services = services
        self._files = _Files(services, scratch)
        self._progress = progress
        self._reads = {given.port: given.table for given in node.inputs}
        self._writes = {given.port: given.table for given in node.outputs}
        self._streamed = {given.table for given in node.inputs if given.access == "stream"}
        self._places: dict[tuple[str, str], RehearsalStream] = {}
        self._operations: list[tuple[str, str, list[dict[str, Any]]]] = []
        self._state: dict[str, Any] = {}
        self._done: dict[tuple[int, int, str], Any] = {}
        self._ended = False
        self._committed: tuple[int, dict[str, Any]] = (0, {})

    # -- tables

    def table_opened(self, name: str, mode: str, *, schema: Any, required: bool) -> None:  # noqa: ANN401 - any spelling
        """Refuse a table that the node does not declare."""
        self._check_alive()
        if name in self._writes or (mode == "r" and name in self._reads):
            if mode == "w" and schema:
                self._lay(name, schema)
        elif required:
            known = {**self._writes, **(self._reads if mode == "r" else {})}
            raise undeclared_table(self._node.name, name, mode, known)

    def is_connected(self, name: str) -> bool:
        """Tell whether the name leads to a table."""
        return name in self._reads or name in self._writes

    def sql_name(self, name: str) -> str:
        """Give the quoted name."""
        return '"' + self._table_name(name).replace('"', '""') + '"'

    def columns(self, name: str) -> dict[str, str]:
        """Give the columns that the plan and the given rows tell."""
        columns = self._table(name).columns if self.is_connected(name) else {}
        return {column: kind.sql for column, kind in columns.items()}

    def count(self, name: str) -> int:
        """Give the number of the given rows."""
        return len(self._table(name).rows) if self.is_connected(name) else 0

    def read(self, name: str, chunk: int | None) -> Iterator[list[dict[str, Any]]]:
        """Give the given rows: as in a run, what the script writes is not among them."""
        self._check_alive()
        records = self._table(name).records() if self.is_connected(name) else []
        size = chunk or _READ_CHUNK
        return (records[at : at + size] for at in range(0, len(records), size))

    def read_sql(self, statement: str, parameters: Any, chunk: int | None) -> Iterator[list[dict[str, Any]]]:  # noqa: ANN401, ARG002 - the host's signature
        """Refuse: there is no database."""
        raise TableError(
            "read_sql needs a database, and a rehearsal has none",
            code="rehearsal-sql",
            hint="use read() or as_stream(), or try it with `patterns run`",
        )

    def stream(self, name: str, stream: str, order_by: str | None, starting_value: Any) -> RehearsalStream:  # noqa: ANN401 - a value of the order column
        """Give the node's place in a table; a second call gives the same place."""
        self._check_alive()
        table = self._table_name(name)
        if table not in self._streamed:
            raise undeclared_stream(self._node.name, table)
        place = self._places.get((table, stream))
        if place is None:
            place = RehearsalStream(
                self._tables[table], self._opened, self._progress.end_of_stream, self._commit, self._rollback
            )
            self._places[table, stream] = place
        if order_by is not None:
            place.sort_by(order_by)
        if starting_value is not None:
            place.seek(starting_value)
        return place

    def write(self, name: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep copies of the rows."""
        self._check_alive()
        if not self.is_connected(name):
            return
        table = self._written(name)
        kept: list[dict[str, Any]] = []
        for row in self._tables[table].cast(rows):
            if not isinstance(row, dict):
                raise _no_row(table, f'is of type "{type(row).__name__}", expected a dict')
            if not all(isinstance(key, str) for key in row):
                raise _no_row(table, "has a key that is not a text")
            kept.append({key: _copy(value) for key, value in strip_system_keys(row).items()})
        self._operations.append((table, kind, kept))

    def empty(self, name: str, *, drop: bool) -> None:  # noqa: ARG002 - old versions are dropped by retention
        """Begin an empty version."""
        self._check_alive()
        if self.is_connected(name):
            self._operations.append((self._written(name), "reset", []))

    def flush(self, name: str) -> None:  # noqa: ARG002 - the host's signature
        """Do nothing: there is nowhere to send rows to."""
        self._check_alive()

    def init(self, name: str, schema: Any, unique_on: Sequence[str]) -> None:  # noqa: ANN401 - any spelling
        """Lay columns and key columns, for this rehearsal."""
        self._check_alive()
        if not self.is_connected(name):
            return
        if schema:
            self._lay(name, schema)
        if unique_on:
            self._table(name).unique_on = tuple(unique_on)

    # -- State, parameters, secrets, models, files, effects

    def state(self) -> dict[str, Any]:
        """Give the State: empty at the start, then as the script changes it."""
        return self._state

    def set_state(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Set a key."""
        self._check_alive()
        to_json(value)
        self._state[key] = value

    def reset_state(self) -> None:
        """Remove all keys."""
        self._check_alive()
        self._state.clear()

    def should_continue(self) -> bool:
        """Say yes: a rehearsal is one run, however long it is."""
        return True

    def request_new_run(self, delay_s: float) -> None:
        """Note that the script asks for another run."""
        self.again = delay_s

    def tick(self) -> str | None:
        """Say that no tick asked for it: a rehearsal is asked for by a person."""
        return None

    def parameter(self, name: str) -> tuple[bool, Any]:
        """Give a parameter's value."""
        if name not in self._node.parameters:
            return False, None
        return True, fill(self._node.parameters[name], self._named_secret)

    def _named_secret(self, name: str) -> str:
        value = self._services.secret(name)
        if value is None:
            raise unset_secret(name)
        return value

    def secret(self, name: str) -> str | None:
        """Give a declared secret."""
        if name not in self._node.secrets:
            raise undeclared_secret(self._node.name, name)
        return self._services.secret(name)

    def complete(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask a model, for real."""
        self._check_alive()
        return self._services.complete(model, request)

    def open_file(self, name: str, mode: str) -> IO[Any]:
        """Open a file."""
        self._check_alive()
        return self._files.open(name, mode)

    def file_exists(self, name: str) -> bool:
        """Tell whether the file is there."""
        return self._files.exists(name)

    def delete_file(self, name: str) -> None:
        """Remove the file, as far as this rehearsal goes."""
        self._check_alive()
        self._files.delete(name)

    def once(self, key: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Run an outside effect, for real, once for each record."""
        self._check_alive()
        seen = self._progress.snapshot()
        done = (seen.table, seen.position, key)
        if done not in self._done:
            result = effect()
            to_json(result)
            self._done[done] = result
        return self._done[done]

    # -- the end

    def finish(self) -> None:
        """End the run: everything counts.

        Raises:
            TableError: A row can't be stored.
        """
        self._commit()
        self._ended = True

    def abandon(self) -> None:
        """Make every handle of this run useless."""
        self._ended = True

    def outputs(self) -> dict[str, Writes]:
        """Give what counts, by table: rows in order; an upsert moves the row of the same key to the end."""
        found: dict[str, Writes] = {table: Writes() for table in sorted(set(self._writes.values()))}
        for table, kind, rows in self._operations[: self._committed[0]]:
            _apply(found[table], kind, rows, self._tables[table].unique_on)
        return found

    def kept_state(self) -> dict[str, Any]:
        """Give the State that counts."""
        return self._committed[1]

    # -- how

    def _opened(self, table: RehearsalTable, index: int, yielded: int) -> None:
        self.rows_in += 1
        self._progress.open_record(table.number, 0, index + 1, yielded)

    def _commit(self) -> None:
        self._check_alive()
        for table, kind, rows in self._operations[self._committed[0] :]:
            self._tables[table].check(kind, rows)
        self._committed = (len(self._operations), dict(self._state))
        for place in self._places.values():
            place.committed()
        self._progress.boundary()

    def _rollback(self) -> None:
        count, state = self._committed
        del self._operations[count:]
        self._state = dict(state)
        for place in self._places.values():
            place.back_to_start()

    def _lay(self, name: str, schema: Mapping[str, str]) -> None:
        table = self._table(name)
        for column, text in schema.items():
            kind = parse_type(str(text))
            if kind is None:
                raise TableError(
                    f'Column "{column}" of table "{table.name}" has the unknown type "{text}"',
                    code="column-type",
                )
            table.columns.setdefault(column, kind)

    def _written(self, name: str) -> str:
        if name not in self._writes:
            raise undeclared_table(self._node.name, name, "w", self._writes)
        return self._writes[name]

    def _table(self, name: str) -> RehearsalTable:
        return self._tables[self._table_name(name)]

    def _table_name(self, name: str) -> str:
        table = self._reads.get(name) or self._writes.get(name)
        if table is None:
            raise TableError(f'Table "{name}" is not connected', code="undeclared-table")
        return table

    def _check_alive(self) -> None:
        if self._ended:
            raise RunEndedError


class RehearsalTable:
    """A table with the rows that were given for it.

    Args:
        number: Told apart by it in ids and progress.
        name: The table's name.
        planned: What the plan declares, `None` for a table that only rows make.
        rows: The given rows.
    """

    def __init__(
        self, number: int, name: str, planned: PlannedTable | None, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        declared = planned.columns.items() if planned else ()
        self.number = number
        self.name = name
        self.unique_on: tuple[str, ...] = planned.unique_on if planned else ()
        schema = planned.row_schema if planned else None
        self._caster = compile_casts(schema_from_data(schema)) if schema is not None else None
        self.rows = rows
        self.columns: dict[str, ColumnType] = {column: ColumnType(kind) for column, kind in declared}
        self.check("append", rows)

    def cast(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Give rows as the table's schema wants them, as a run does.

        Raises:
            TableError: A row does not fit it (`row-refused`).
        """
        if self._caster is None:
            return rows
        try:
            return self._caster.cast_rows(rows)
        except RowError as error:
            raise TableError(
                f'Table "{self.name}": {error.message}', code=error.code, hint=error.hint
            ) from error

    def records(self) -> list[dict[str, Any]]:
        """Give the rows as scripts see them: every column, an id, then the keys that have no column."""
        return [self._record(index, row) for index, row in enumerate(self.rows)]

    def check(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take note of new columns.

        Raises:
            TableError: A row could not be stored, or has no key to be changed by.
        """
        if kind == "upsert" and not self.unique_on:
            raise TableError(
                f'table "{self.name}" has no unique_on',
                code="no-unique-on",
                hint='add "unique_on" to the table in manifest.json',
            )
        plain = [strip_system_keys(row) for row in rows]
        try:
            self.columns |= infer_column_types(plain, self.columns)
            RowCodec(self.columns).json_rows(plain)
        except RowError as error:
            raise TableError(
                f'Table "{self.name}": {error.message}', code="row-value", hint=error.hint
            ) from error

    def _record(self, index: int, row: Mapping[str, Any]) -> Record:
        given = row.get(_ID)
        made_up = patterns_id(_COMMITTED_MS, self.number, index + 1)
        record = Record({column: _copy(row.get(column)) for column in self.columns})
        record[_ID] = given if isinstance(given, str) else made_up
        record.update(
            {key: _copy(value) for key, value in strip_system_keys(row).items() if key not in record}
        )
        return record


class RehearsalStream:
    """A place in a table in memory (the SDK's `StreamHost`)."""

    def __init__(
        self,
        table: RehearsalTable,
        opened: Callable[[RehearsalTable, int, int], None],
        ended: Callable[[], None],
        checkpoint: Callable[[], None],
        rollback: Callable[[], None],
    ) -> None:
        self._table = table
        self._opened = opened
        self._ended = ended
        self._checkpoint = checkpoint
        self._rollback = rollback
        self._order_by: str | None = None
        self._records = list(enumerate(table.records()))
        self._index = self._start = 0
        self._behind: tuple[str, Any] | None = None

    def sort_by(self, column: str) -> None:
        """Order what was not given yet."""
        self._order_by = column
        rest = self._records[self._index :]
        rest.sort(key=lambda numbered: _sort_key(numbered[1].get(column)))
        self._records[self._index :] = rest

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the records that were not given yet."""
        while self._index < len(self._records):
            number, record = self._records[self._index]
            self._index += 1
            if self._is_behind(record):
                self._opened(self._table, number, self._index - self._start)
                # A copy: after a rollback it is given again as it was.
                yield Record(_copy(dict(record)))
        self._ended()

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
        """Let everything given so far count."""
        self._checkpoint()

    def rollback(self) -> None:
        """Drop what was written since the last checkpoint; give its records again."""
        self._rollback()

    def rewind(self) -> None:
        """Go back to the beginning."""
        self._index = 0
        self._behind = None

    def seek(self, value: Any) -> None:  # noqa: ANN401 - a value of the order column
        """Go behind `value` of the order column."""
        self._index = 0
        self._behind = (self._order_by or _ID, value)

    def committed(self) -> None:
        """Take note of a checkpoint."""
        self._start = self._index

    def back_to_start(self) -> None:
        """Take note of a rollback."""
        self._index = self._start

    def _is_behind(self, record: Mapping[str, Any]) -> bool:
        if self._behind is None:
            return True
        column, value = self._behind
        found = record.get(column)
        return found is not None and bool(found > value)


class _Files:
    """The app's files with what was written over them, which lies elsewhere and is thrown away."""

    def __init__(self, app: Services, scratch: Services) -> None:
        self._app = app
        self._scratch = scratch
        self._deleted: set[str] = set()

    def open(self, name: str, mode: str) -> IO[Any]:
        scratch = self._scratch.files(FileError)
        if mode.startswith("a") and not scratch.exists(name) and self.exists(name):
            with self._app.files(FileError).open(name, "rb") as old, scratch.open(name, "wb") as new:
                new.write(old.read())
        is_written = not mode.startswith("r")
        if is_written:
            self._deleted.discard(name)
        elsewhere = is_written or name in self._deleted or scratch.exists(name)
        opened: IO[Any] = (scratch if elsewhere else self._app.files(FileError)).open(name, mode)
        return opened

    def exists(self, name: str) -> bool:
        if self._scratch.files(FileError).exists(name):
            return True
        return name not in self._deleted and self._app.files(FileError).exists(name)

    def delete(self, name: str) -> None:
        self._scratch.files(FileError).delete(name)
        self._deleted.add(name)


def _apply(writes: Writes, kind: str, rows: Iterable[dict[str, Any]], unique_on: Sequence[str]) -> None:
    if kind in {"replace", "reset"}:
        writes.kinds, writes.rows = [kind], []
    elif kind not in writes.kinds:
        writes.kinds.append(kind)
    if kind == "upsert":
        by_key = {_key(row, unique_on): row for row in writes.rows}
        for row in rows:
            by_key.pop(_key(row, unique_on), None)
            by_key[_key(row, unique_on)] = row
        writes.rows = list(by_key.values())
    else:
        writes.rows.extend(rows)


def _key(row: Mapping[str, Any], unique_on: Sequence[str]) -> str:
    return repr([row.get(column) for column in unique_on])


def _no_row(table: str, what: str) -> TableError:
    return TableError(f'A row for table "{table}" {what}', code="row-type")


def _copy(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, (list, tuple)) else value


def _sort_key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - any column value
    """Order by value, empty values last; mixed types by their text."""
    if value is None:
        return (2, "")
    return (0, value) if isinstance(value, (int, float)) else (1, str(value))
