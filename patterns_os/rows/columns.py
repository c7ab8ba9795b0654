"""Which columns a table gets, and what becomes of the keys of a row."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from patterns_os.rows.errors import RowError
from patterns_os.rows.plain import plain
from patterns_os.rows.types import ColumnType

DEFAULT_MAX_COLUMNS = 200
SYSTEM_PREFIX = "patterns_"


def infer_column_types(
    rows: Sequence[Mapping[str, Any]],
    known: Mapping[str, ColumnType],
    max_columns: int = DEFAULT_MAX_COLUMNS,
) -> dict[str, ColumnType]:
    """Give the columns to add to a table that has the `known` ones, in the order in which keys first appear.

    A key without a column is no loss: its values stay in `patterns_more`. That is so for keys that cannot
    name a column (see `can_name_column`), that differ only in case from another column, that would go beyond
    `max_columns` (known ones count), and whose values are all None or whole numbers beyond 64 bits.

    Kinds that are mixed within the batch give the wider number type, else jsonb.

    Raises:
        RowError: A row is not a mapping, or a value is of a kind that no row can hold.
    """
    found: dict[str, ColumnType] = {}
    taken = {name.casefold() for name in known}
    for key in _new_keys(rows, known):
        if len(known) + len(found) >= max_columns:
            break
        if not can_name_column(key) or key.casefold() in taken:
            continue
        column_type = _common_type(key, (row[key] for row in rows if key in row))
        if column_type is not None:
            found[key] = column_type
            taken.add(key.casefold())
    return found


def can_name_column(key: str) -> bool:
    """Tell whether a column may have this name: 1 to 63 bytes of text, not used by Postgres or us.

    A percent sign is refused too: clients of Postgres read it as a placeholder, even within quotes.
    """
    if not key or "\0" in key or "%" in key:
        return False
    if key.casefold().startswith(SYSTEM_PREFIX) or key in _POSTGRES_SYSTEM_COLUMNS:
        return False
    try:
        return len(key.encode()) <= _MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False


def strip_system_keys(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row without keys that start with `patterns_`, as `append` does: a new row gets a new id."""
    return {key: value for key, value in row.items() if not _is_system_key(key)}


def payload_to_row(payload: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Give the row that a webhook stores for a parsed JSON payload.

    An object gives its own top-level keys, anything else `{"record": payload}`. Keys that start with
    `patterns_` stay: they never name a column, so the codec keeps them in `patterns_more`, and as the keys
    there win when the row is read, the payload's own values come back under them. Whatever needs the id that
    we gave reads the system column, not the row.
    """
    return dict(payload) if isinstance(payload, Mapping) else {"record": payload}


def check_rows(rows: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Give the rows as a list after looking that each is a mapping.

    Raises:
        RowError: One is something else.
    """
    listed = list(rows)
    if set(map(type, listed)) <= {dict}:
        return listed
    for row in listed:
        if not isinstance(row, Mapping):
            raise RowError(
                f'row has type "{type(row).__name__}"; expected a dict with text keys',
                code="row-type",
                hint="append one dict, or a list of dicts",
            )
    return listed


def _new_keys(rows: Sequence[Mapping[str, Any]], known: Mapping[str, ColumnType]) -> list[str]:
    checked = check_rows(rows)
    if set().union(*checked) <= known.keys():
        return []
    # A dict keeps the order in which keys appeared, a set does not. What is no text is refused by the codec.
    return [key for key in dict.fromkeys(key for row in checked for key in row) if _is_new(key, known)]


def _is_new(key: Any, known: Mapping[str, ColumnType]) -> bool:  # noqa: ANN401 - whatever the author wrote
    return type(key) is str and key not in known


def _common_type(key: str, values: Iterable[Any]) -> ColumnType | None:
    kinds = {_type_of(key, value) for value in values} - {None}
    if len(kinds) > 1:
        return next((wide for narrow, wide in _WIDER if kinds == narrow), ColumnType.JSONB)
    return kinds.pop() if kinds else None


def _type_of(key: str, value: Any) -> ColumnType | None:  # noqa: ANN401 - rows hold any value
    known = _TYPES.get(type(value))
    if known is not None:
        return known
    found = plain(value, (key,))
    if type(found) is int:
        return ColumnType.BIGINT if INT64_MIN <= found <= INT64_MAX else None
    if type(found) is dt.datetime:
        # A moment without a zone is no moment: it is stored tagged.
        return ColumnType.TIMESTAMPTZ if found.utcoffset() is not None else ColumnType.JSONB
    return _TYPES.get(type(found))


def _is_system_key(key: Any) -> bool:  # noqa: ANN401 - whatever the author wrote
    return isinstance(key, str) and key.startswith(SYSTEM_PREFIX)


INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
_MAX_NAME_BYTES = 63
_POSTGRES_SYSTEM_COLUMNS = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})
_TYPES: dict[type, ColumnType] = {
    bool: ColumnType.BOOL,
    float: ColumnType.DOUBLE,
    str: ColumnType.TEXT,
    dt.date: ColumnType.DATE,
    dt.time: ColumnType.JSONB,
    Decimal: ColumnType.NUMERIC,
    bytes: ColumnType.BYTEA,
    dict: ColumnType.JSONB,
    list: ColumnType.JSONB,
}
_WIDER = (
    ({ColumnType.BIGINT, ColumnType.DOUBLE}, ColumnType.DOUBLE),
    ({ColumnType.BIGINT, ColumnType.NUMERIC}, ColumnType.NUMERIC),
)
