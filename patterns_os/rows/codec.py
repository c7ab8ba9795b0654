"""The one codec between rows of Python values and rows of Postgres, both ways.

A physical table has the system columns `patterns_position`, `patterns_id` and `patterns_more`, then the
columns of the app. What has no column, or does not fit its own, travels in `patterns_more` under its key; the
column is null then. So every value comes back equal, or the batch is refused before anything is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any

import orjson

from patterns_os.rows.columns import check_rows
from patterns_os.rows.errors import RowError
from patterns_os.rows.forms import FORMS, MISFIT, NULL, Form, copy_json
from patterns_os.rows.plain import plain
from patterns_os.rows.tagging import from_json, holds_tags, is_untagged, to_json, too_deep
from patterns_os.rows.types import ColumnType

MAX_ROW_BYTES = 64 * 1024 * 1024
MORE = "patterns_more"
# Chunks this small let the allocator reuse its memory, which makes copying three times faster.
_CHUNK_ROWS = 250


class RowCodec:
    """Writes and reads rows of a table with the given columns; immutable, safe to share between threads.

    Attributes:
        columns: The columns by name, in the order in which values are written and read.
    """

    __slots__ = ("_forms", "_json_positions", "_names", "columns")

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self.columns: Mapping[str, ColumnType] = MappingProxyType(dict(columns))
        self._names = tuple(columns)
        self._forms: tuple[tuple[str, Form], ...] = tuple(
            (name, FORMS[kind]) for name, kind in columns.items()
        )
        self._json_positions = tuple(
            position for position, kind in enumerate(columns.values()) if kind is ColumnType.JSONB
        )

    def copy_lines(self, rows: Iterable[Mapping[str, Any]]) -> bytes:
        r"""Give rows in the text format of COPY: the columns in order, then `patterns_more`, one line a row.

        Raises:
            RowError: A row is no mapping, has keys that are not text, a value that nothing can hold, or is
                larger than `MAX_ROW_BYTES`.
        """
        checked = check_rows(rows)
        return b"".join(
            [self._copy_chunk(checked[at : at + _CHUNK_ROWS]) for at in range(0, len(checked), _CHUNK_ROWS)]
        )

    def json_rows(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Give rows as JSON data for `jsonb_to_recordset`, which makes null of keys that are left out.

        Values are as Postgres reads them into the columns' types, and tagged in jsonb. The data is ready for
        `orjson.dumps`.

        Raises:
            RowError: As `copy_lines`.
        """
        checked = check_rows(rows)
        more = self._unknown_values(checked)
        ready = self._untagged_columns(checked)
        found = [self._json_row(row, more.get(position, {}), ready) for position, row in enumerate(checked)]
        _check_json_sizes(found)
        return found

    def decode(self, values: Sequence[Any], more: Any) -> dict[str, Any]:  # noqa: ANN401 - parsed JSON
        """Give a row from what psycopg read: the values of the columns in order, and parsed `patterns_more`.

        The result has every column, None where it is null, then the keys that only `patterns_more` has.
        Parsed JSON among the values belongs to this method: it is changed in place.
        """
        row = dict(zip(self._names, values, strict=True))
        return _merge({**row, MORE: more}, [self._names[position] for position in self._json_positions])

    def decode_rows(
        self,
        rows: Iterable[Sequence[Any]],
        make: Callable[[dict[str, Any]], Any] | None = None,
        leading: Sequence[str] = (),
    ) -> list[Any]:
        """Give what `make` makes of each row that psycopg read.

        Args:
            rows: The values of each row: `leading` columns, the columns in order, `patterns_more`.
            make: Given a new dict for each row; `None` leaves it as it is.
            leading: Names of columns that were selected ahead of the table's own, `patterns_id` for example;
                their values are taken as they are. A key in `patterns_more` wins over them.
        """
        names = (*leading, *self._names, MORE)
        fetched = list(rows)
        positions = [position + len(leading) for position in self._json_positions]
        tagged = [names[at] for at in positions if holds_tags([row[at] for row in fetched])]
        found = [_merge(dict(zip(names, row, strict=True)), tagged) for row in fetched]
        return found if make is None or make is dict else list(map(make, found))

    def _copy_chunk(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        more = self._unknown_values(rows)
        fields: list[Iterable[str]] = [_copy_column(name, form, rows, more) for name, form in self._forms]
        fields.append(_copy_more(more, len(rows)) if more else repeat(NULL, len(rows)))
        lines = "\n".join(map("\t".join, zip(*fields, strict=True))).encode() + b"\n"
        if len(lines) > MAX_ROW_BYTES:
            _check_sizes(map(len, lines.split(b"\n")))
        return lines

    def _unknown_values(self, rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
        """Give by position of the row what has no column; rows without such keys are left out."""
        unknown = set().union(*rows) - self.columns.keys()
        if not unknown:
            return {}
        # Refuses keys that are not text.
        to_json(dict.fromkeys(unknown))
        found = {}
        for position, row in enumerate(rows):
            extra = {key: value for key, value in row.items() if key in unknown}
            if extra:
                found[position] = extra
        return found

    def _untagged_columns(self, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        """Give the jsonb columns of which no value needs a tag, found at the speed of C."""
        names = [self._names[position] for position in self._json_positions]
        return {
            name for name in names if is_untagged([row[name] for row in rows if row.get(name) is not None])
        }

    def _json_row(self, row: Mapping[str, Any], more: dict[str, Any], ready: set[str]) -> dict[str, Any]:
        found = {}
        for name, form in self._forms:
            value = row.get(name)
            if value is None:
                continue
            if name in ready:
                found[name] = value
                continue
            fitted = _fit(name, form, value)
            if fitted is MISFIT:
                more[name] = value
            elif fitted is not None:
                found[name] = form.json(fitted)
        if more:
            found[MORE] = to_json(more)
        return found


def _copy_column(
    name: str, form: Form, rows: Sequence[Mapping[str, Any]], more: dict[int, dict[str, Any]]
) -> list[str]:
    values = [row.get(name) for row in rows]
    present = [value for value in values if value is not None]
    if not present:
        return [NULL] * len(values)
    fields = form.copy_many(present) if not form.kinds or form.kinds.issuperset(map(type, present)) else None
    if fields is None:
        return [_copy_value(name, form, value, more, position) for position, value in enumerate(values)]
    if len(present) == len(values):
        return fields
    field = iter(fields)
    return [NULL if value is None else next(field) for value in values]


def _copy_value(
    name: str,
    form: Form,
    value: Any,  # noqa: ANN401 - rows hold any value
    more: dict[int, dict[str, Any]],
    position: int,
) -> str:
    fitted = None if value is None else _fit(name, form, value)
    if fitted is None:
        return NULL
    if fitted is MISFIT:
        more.setdefault(position, {})[name] = value
        return NULL
    return form.copy(fitted)


def _fit(name: str, form: Form, value: Any) -> Any:  # noqa: ANN401 - any value
    found = plain(value, (name,))
    return None if found is None else form.fit(found, (name,))


def _copy_more(more: Mapping[int, dict[str, Any]], count: int) -> list[str]:
    return [copy_json(to_json(more[position])) if position in more else NULL for position in range(count)]


def _merge(row: dict[str, Any], tagged: Sequence[str]) -> dict[str, Any]:
    more = row.pop(MORE)
    for name in tagged:
        row[name] = from_json(row[name])
    if more is not None:
        row.update(from_json(more))
    return row


def _check_json_sizes(rows: Sequence[dict[str, Any]]) -> None:
    try:
        if len(orjson.dumps(rows)) > MAX_ROW_BYTES:
            _check_sizes(len(orjson.dumps(row)) for row in rows)
    except TypeError as error:
        raise too_deep(()) from error


def _check_sizes(sizes: Iterable[int]) -> None:
    largest = max(sizes)
    if largest > MAX_ROW_BYTES:
        raise RowError(
            f"row is {largest / 1024 / 1024:.1f} MB; a row holds at most {MAX_ROW_BYTES // 1024 // 1024} MB",
            code="row-too-large",
            hint="write large contents to a File and keep its name in the row",
        )
