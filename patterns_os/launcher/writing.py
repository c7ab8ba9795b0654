"""Writing tables inside a run: rows wait here, travel ahead when there are many, and are committed once."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import errors as pg
from psycopg.types.json import Jsonb

from patterns.errors import TableError
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.columns import SYSTEM_PREFIX, infer_column_types
from patterns_os.rows.errors import RowError
from patterns_os.rows.types import ColumnType, parse_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from patterns_os.rows.casting import RowCaster

# Up to so many rows travel inside the commit call: one round trip. More go ahead by COPY.
INLINE_ROWS = 500
_SPILL_ROWS = 2_000
_COLUMN_TRIES = 3
# How many rows of a large batch are looked at for values that do not fit their column.
_LOOKED_AT = 100
_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(slots=True)
class Operation:
    """Rows of one kind for one table; `stage` holds those that went ahead, `rows` those that wait."""

    kind: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    stage: str | None = None
    staged_columns: tuple[str, ...] = ()
    staged: int = 0

    @property
    def count(self) -> int:
        """How many rows the operation has."""
        return self.staged + len(self.rows)


class TableWriter:
    """What a run has written to one table so far.

    Args:
        connection: The node process's own, as the app's role.
        table: The table's number.
        name: For messages.
        caster: Casts rows to the table's schema, `None` where nothing is declared.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        table: int,
        name: str,
        caster: RowCaster | None = None,
    ) -> None:
        self.table = table
        self.name = name
        self.staged_bytes = 0
        self._connection = connection
        self._caster = caster
        self._operations: list[Operation] = []
        self._columns: dict[str, ColumnType] | None = None
        self._stages = 0
        self._turn = threading.RLock()
        self._warned: set[str] = set()

    @property
    def count(self) -> int:
        """How many rows wait for the commit."""
        return sum(operation.count for operation in self._operations)

    def add(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Buffer copies of the rows: what the script does to them later changes nothing. Threads may call it.

        Raises:
            TableError: A row does not fit the table's schema (`row-refused`); none of these rows is buffered.
        """
        if self._caster is not None:
            rows = self._cast(self._caster, rows)
        with self._turn:
            self._add(kind, rows)

    def _add(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        operation = self._operation(kind)
        kept = operation.rows
        for row in rows:
            if not isinstance(row, dict):
                raise self._no_row(f'is of type "{type(row).__name__}", expected a dict')
            kept.append(
                {key: value if type(value) in _SCALARS else _copy(value) for key, value in row.items()}
            )
        if len(kept) >= _SPILL_ROWS:
            self._spill(operation)

    def _cast(self, caster: RowCaster, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Refuse at the call what does not fit, so that the trace-back names the author's line."""
        try:
            return caster.cast_rows(rows)
        except RowError as error:
            raise TableError(
                f'Table "{self.name}": {error.message}', code=error.code, hint=error.hint
            ) from error

    def empty(self) -> None:
        """Begin an empty version; what waits for the table is dropped."""
        self._operations = [Operation("reset")]

    def flush(self) -> None:
        """Send waiting rows ahead; they are committed with the run."""
        with self._turn:
            for operation in list(self._operations):
                if operation.rows:
                    self._spill(operation)

    def clear(self) -> None:
        """Forget everything that waits."""
        self._operations = []
        self.staged_bytes = 0

    def lay(self, schema: Mapping[str, str]) -> None:
        """Lay columns before the first row."""
        wanted: dict[str, ColumnType] = {}
        for name, text in schema.items():
            kind = parse_type(str(text))
            if kind is None:
                raise TableError(
                    f'Column "{name}" of table "{self.name}" has the unknown type "{text}"',
                    code="column-type",
                )
            if name not in self.columns:
                wanted[name] = kind
        if wanted:
            self._add_columns(wanted)

    def body(self) -> dict[str, Any] | None:
        """Give this table's part of the commit, or `None` if there is nothing to write."""
        with self._turn:
            operations = [self._operation_body(operation) for operation in list(self._operations)]
        given = [operation for operation in operations if operation is not None]
        return {"table": self.table, "operations": given} if given else None

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The table's columns as last seen."""
        if self._columns is None:
            row = self._connection.execute("select patterns_os.columns_v1(%s)", (self.table,)).fetchone()
            self._set_columns(row[0] if row else [])
        assert self._columns is not None  # noqa: S101 - set above
        return self._columns

    def _operation(self, kind: str) -> Operation:
        last = self._operations[-1] if self._operations else None
        if kind == "replace":
            self._operations = [Operation("replace")]
        elif (
            last is None
            or last.kind == "reset"
            or (last.kind != kind and (last.kind, kind) != ("replace", "append"))
        ):
            self._operations.append(Operation(kind))
        return self._operations[-1]

    def _operation_body(self, operation: Operation) -> dict[str, Any] | None:
        if operation.kind == "reset":
            return {"kind": "reset"}
        if operation.stage is None and len(operation.rows) <= INLINE_ROWS:
            if not operation.rows and operation.kind != "replace":
                return None
            codec = self._codec(operation.rows)
            rows = self._encoded(lambda: codec.json_rows(operation.rows))
            self._warn_of_misfits(rows)
            used = {key for row in rows for key in row}
            return {
                "kind": operation.kind,
                "columns": [name for name in codec.columns if name in used],
                "rows": rows,
            }
        if operation.rows:
            self._spill(operation)
        return {"kind": operation.kind, "columns": list(operation.staged_columns), "stage": operation.stage}

    def _codec(self, rows: Sequence[dict[Any, Any]]) -> RowCodec:
        """Give a codec that knows the columns of these rows, laying new ones where nobody is in the way.

        System keys are taken out of the rows on the way: a new row gets a new id.
        """
        for key in set().union(*rows):
            if isinstance(key, str) and key.startswith(SYSTEM_PREFIX):
                for row in rows:
                    row.pop(key, None)
        new = self._encoded(lambda: infer_column_types(rows, self.columns))
        if new:
            self._add_columns(new)
        return RowCodec(self.columns)

    def _spill(self, operation: Operation) -> None:
        """Send waiting rows by COPY into the operation's staging table: no lock is held meanwhile."""
        codec = self._codec(operation.rows)
        if operation.stage is not None and tuple(codec.columns) != operation.staged_columns:
            # Rows with new columns go into a staging table of their own, right after.
            kind = "append" if operation.kind == "replace" else operation.kind
            later = Operation(kind, operation.rows)
            operation.rows = []
            self._operations.insert(self._operations.index(operation) + 1, later)
            self._spill(later)
            return
        if operation.stage is None:
            self._stages += 1
            row = self._connection.execute(
                "select patterns_os.stage_v1(%s, %s)", (self.table, self._stages)
            ).fetchone()
            operation.stage = str(row[0]) if row else None
            operation.staged_columns = tuple(codec.columns)
            self._warn_of_misfits(self._encoded(lambda: codec.json_rows(operation.rows[:_LOOKED_AT])))
        lines = self._encoded(lambda: codec.copy_lines(operation.rows))
        names = "".join(f'"{name.replace(chr(34), chr(34) * 2)}", ' for name in operation.staged_columns)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy {operation.stage} ({names}patterns_more) from stdin".encode()) as copy,
        ):
            copy.write(lines)
        self.staged_bytes += len(lines)
        operation.staged += len(operation.rows)
        operation.rows = []

    def _warn_of_misfits(self, encoded: Sequence[Mapping[str, Any]]) -> None:
        """Say once a run, in the node's log, which columns values do not fit: nothing is lost, but SQL is blind."""
        beside = {key for row in encoded for key in row.get("patterns_more") or ()}
        for name in sorted((beside & self.columns.keys()) - self._warned):
            self._warned.add(name)
            sys.stderr.write(
                f'warning[column-type] table "{self.name}": values of "{name}" do not fit its column of type '
                f'"{self.columns[name]}"; they are kept beside it, where SQL does not see them\n'
            )

    def _add_columns(self, new: Mapping[str, ColumnType]) -> None:
        """Lay columns; where a reader is in the way for long, the values stay in `patterns_more`."""
        wanted = Jsonb([[name, kind.sql] for name, kind in new.items()])
        for attempt in range(_COLUMN_TRIES):
            try:
                row = self._connection.execute(
                    "select patterns_os.add_columns_v1(%s, %s)", (self.table, wanted)
                ).fetchone()
            except (pg.LockNotAvailable, pg.DeadlockDetected):
                time.sleep(0.02 * (attempt + 1))
                continue
            self._set_columns(row[0] if row else [])
            return

    def _no_row(self, what: str) -> TableError:
        return TableError(f'A row for table "{self.name}" {what}', code="row-type")

    def _set_columns(self, described: Sequence[Mapping[str, str]]) -> None:
        known = ((column["name"], parse_type(column["type"])) for column in described)
        self._columns = {name: kind for name, kind in known if kind is not None}

    def _encoded(self, encode: Any) -> Any:  # noqa: ANN401 - whatever the encoder gives
        try:
            return encode()
        except RowError as error:
            raise TableError(f'Table "{self.name}": {error}', code="row-value") from error


def _copy(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, dict):
        return {key: item if type(item) in _SCALARS else _copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _SCALARS else _copy(item) for item in value]
    return value
