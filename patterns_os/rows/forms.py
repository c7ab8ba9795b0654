"""How values of each column type are written: which fit, as COPY text, as JSON.

Each type has a way for a whole batch, at the speed of C, for values of the expected kind without surprises,
and a way for single values, which may find that a value does not fit.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from patterns_os.rows.columns import INT64_MAX, INT64_MIN
from patterns_os.rows.tagging import dump_many, dump_tagged, is_storable_text, to_json
from patterns_os.rows.types import ColumnType


class Misfit:
    """The answer for a value that its column cannot hold."""


MISFIT: Final = Misfit()
NULL: Final = "\\N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How values of one column type are written.

    Attributes:
        kinds: The exact types that `copy_many` takes; empty for any.
        copy_many: Values without None as COPY fields, or `None` if one of them needs a closer look.
        fit: A plain value, not None, as the column holds it, equal to what was given, or `MISFIT`. The path
            is for errors.
        copy: What `fit` gave as a COPY field.
        json: What `fit` gave as JSON data.
    """

    kinds: frozenset[type]
    copy_many: Callable[[list[Any]], list[str] | None]
    fit: Callable[[Any, Sequence[str]], Any]
    copy: Callable[[Any], str]
    json: Callable[[Any], Any] = lambda value: value


def escape(text: str) -> str:
    """Give text as COPY wants it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _copy_bools(values: Sequence[bool]) -> list[str]:
    return ["t" if value else "f" for value in values]


def _fit_bool(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    return value if type(value) is bool else MISFIT


def _copy_ints(values: Sequence[int]) -> list[str] | None:
    return list(map(repr, values)) if min(values) >= INT64_MIN and max(values) <= INT64_MAX else None


def _fit_int(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    return value if type(value) is int and INT64_MIN <= value <= INT64_MAX else MISFIT


def _copy_floats(values: list[float]) -> list[str]:
    # orjson prints floats several times faster than repr, but has no word for those that are no number.
    text = orjson.dumps(values)
    return list(map(repr, values)) if b"null" in text else text[1:-1].decode().split(",")


def _fit_float(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    if type(value) is float:
        return value
    # Whole numbers are exact in a double up to 53 bits, and some beyond.
    if type(value) is int and INT64_MIN <= value <= INT64_MAX and int(float(value)) == value:
        return float(value)
    return MISFIT


def _float_json(value: float) -> float | str:
    if value - value != 0.0:
        return _INFINITE[repr(value)]
    # jsonb drops the sign of zero, the text keeps it.
    return value or repr(value)


def _copy_texts(values: Sequence[str]) -> list[str] | None:
    # NUL is the one character that no field may have, so it can part the fields.
    joined = "\0".join(values)
    if joined.count("\0") != len(values) - 1:
        return None
    if not joined.isascii():
        try:
            joined.encode()
        except UnicodeEncodeError:
            return None
    if "\\" in joined or "\n" in joined or "\t" in joined or "\r" in joined:
        joined = escape(joined)
    return joined.split("\0")


def _fit_text(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    return value if type(value) is str and is_storable_text(value) else MISFIT


def _copy_datetimes(values: Sequence[dt.datetime]) -> list[str] | None:
    zones = {value.tzinfo for value in values}
    if not all(isinstance(zone, dt.timezone | ZoneInfo) for zone in zones):
        return None
    if zones <= _UTC_SPELLINGS:
        return [value.isoformat() for value in values]
    try:
        return [value.astimezone(dt.UTC).isoformat() for value in values]
    except OverflowError:
        return None


def _fit_datetime(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    if type(value) is not dt.datetime or value.utcoffset() is None:
        return MISFIT
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        return MISFIT


def _copy_dates(values: Sequence[dt.date]) -> list[str]:
    return [value.isoformat() for value in values]


def _fit_date(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    return value if type(value) is dt.date else MISFIT


def _copy_decimals(values: Sequence[Decimal]) -> list[str] | None:
    return list(map(str, values)) if all(_fits_numeric(value) for value in values) else None


def _fit_decimal(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    if type(value) is int and value.bit_length() < _NUMERIC_INT_BITS:
        return Decimal(value)
    return value if type(value) is Decimal and _fits_numeric(value) else MISFIT


def _fits_numeric(value: Decimal) -> bool:
    sign, digits, exponent = value.as_tuple()
    if isinstance(exponent, str):
        # Postgres has one NaN and two infinities, no signalling or signed NaN.
        return exponent == "F" or (exponent == "n" and not sign and not digits)
    return (
        exponent >= _NUMERIC_MIN_EXPONENT
        and value.adjusted() < _NUMERIC_MAX_DIGITS
        and (any(digits) or not sign)
    )


def _copy_bytes(values: Sequence[bytes]) -> list[str]:
    return ["\\\\x" + value.hex() for value in values]


def _fit_bytes(value: Any, _: Sequence[str]) -> Any:  # noqa: ANN401 - see Form.fit
    return value if type(value) is bytes else MISFIT


def _copy_jsons(values: Sequence[Any]) -> list[str] | None:
    dumped = dump_many(values)
    # JSON escapes all control characters, so lines part the values and only backslashes are left to escape.
    return None if dumped is None else dumped.replace(b"\\", b"\\\\").decode().split("\n")


def copy_json(value: Any) -> str:  # noqa: ANN401 - tagged JSON data
    """Give tagged JSON data as a COPY field."""
    return dump_tagged(value).replace(b"\\", b"\\\\").decode()


_UTC_SPELLINGS = frozenset({dt.UTC, ZoneInfo("UTC")})
_INFINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_NUMERIC_INT_BITS = 10_000
_NUMERIC_MIN_EXPONENT = -16_383
_NUMERIC_MAX_DIGITS = 131_072

FORMS: dict[ColumnType, Form] = {
    ColumnType.BOOL: Form(
        kinds=frozenset({bool}),
        copy_many=_copy_bools,
        fit=_fit_bool,
        copy=lambda value: "t" if value else "f",
    ),
    ColumnType.BIGINT: Form(kinds=frozenset({int}), copy_many=_copy_ints, fit=_fit_int, copy=repr),
    ColumnType.DOUBLE: Form(
        kinds=frozenset({float}), copy_many=_copy_floats, fit=_fit_float, copy=repr, json=_float_json
    ),
    ColumnType.TEXT: Form(kinds=frozenset({str}), copy_many=_copy_texts, fit=_fit_text, copy=escape),
    ColumnType.TIMESTAMPTZ: Form(
        kinds=frozenset({dt.datetime}),
        copy_many=_copy_datetimes,
        fit=_fit_datetime,
        copy=dt.datetime.isoformat,
        json=lambda value: value.isoformat(timespec="microseconds"),
    ),
    ColumnType.DATE: Form(
        kinds=frozenset({dt.date}),
        copy_many=_copy_dates,
        fit=_fit_date,
        copy=dt.date.isoformat,
        json=dt.date.isoformat,
    ),
    ColumnType.NUMERIC: Form(
        kinds=frozenset({Decimal}), copy_many=_copy_decimals, fit=_fit_decimal, copy=str, json=str
    ),
    ColumnType.BYTEA: Form(
        kinds=frozenset({bytes}),
        copy_many=_copy_bytes,
        fit=_fit_bytes,
        copy=lambda value: "\\\\x" + value.hex(),
        json=lambda value: "\\x" + value.hex(),
    ),
    ColumnType.JSONB: Form(
        kinds=frozenset(),
        copy_many=_copy_jsons,
        fit=to_json,
        copy=copy_json,
    ),
}
