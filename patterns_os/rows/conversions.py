"""What a value of another kind becomes in a column, where that loses nothing: the table of soft casting.

    column        takes as it is           and turns
    bool          true, false              the texts "true" and "false", in any case
    bigint        whole numbers            doubles and decimals that are whole, texts of a whole number
    double        doubles, whole numbers   decimals and texts of a number; a fraction becomes the nearest double
    numeric       decimals, whole numbers  doubles, by the digits that they are written with; texts of a number
    text          texts                    booleans, numbers, dates and moments, by their usual spelling
    timestamptz   moments with a zone      ISO 8601 texts with an offset, to microseconds
    date          dates                    texts like 2024-12-31
    bytea         bytes                    nothing
    jsonb         everything

What is turned would be equal if it were turned back; only fractions become what doubles are, near. A text of a
number is one as JSON writes it, so that "007" stays a text; a moment without a zone is none, so it is refused
wherever a moment is expected.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

from patterns_os.rows.forms import FORMS, MISFIT
from patterns_os.rows.types import ColumnType

Castable = Literal["always", "sometimes", "never"]


def convert(value: Any, column: ColumnType, *, is_soft: bool) -> Any:  # noqa: ANN401 - rows hold any value
    """Give a plain value as the column holds it, or `MISFIT`.

    Args:
        value: One of the plain types (see `rows.plain`), not None.
        column: What the column holds.
        is_soft: Whether values may be turned; otherwise only those that the column takes as they are.
    """
    if column is ColumnType.JSONB:
        return value
    held = FORMS[column].fit(value, ())
    if held is not MISFIT or not is_soft:
        return held
    turn = _TURNS[column].get(type(value))
    turned = MISFIT if turn is None else turn(value)
    return turned if turned is MISFIT else FORMS[column].fit(turned, ())


def castable(given: ColumnType, column: ColumnType, *, is_soft: bool) -> Castable:
    """Tell which values of one column type another one takes: all, some, or none (but null)."""
    if given is column or column is ColumnType.JSONB:
        return "always"
    if given is ColumnType.JSONB or (given, column) == (ColumnType.BIGINT, ColumnType.DOUBLE):
        return "sometimes"
    if (given, column) == (ColumnType.BIGINT, ColumnType.NUMERIC):
        return "always"
    if not is_soft or _KINDS[given] not in _TURNS[column]:
        return "never"
    return "always" if (given, column) in _ALWAYS else "sometimes"


def _bool_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    return {"true": True, "false": False}.get(text.lower(), MISFIT)


def _whole(number: float | Decimal) -> Any:  # noqa: ANN401 - or MISFIT
    """Give a whole number; beyond 53 bits a double may have lost digits before it came here."""
    if isinstance(number, float):
        return int(number) if number.is_integer() and abs(number) <= _EXACT else MISFIT
    is_whole = (
        number.is_finite() and number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
    )
    return int(number) if is_whole else MISFIT


def _whole_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    return int(text) if len(text) <= _MOST_DIGITS and _WHOLE.fullmatch(text) else MISFIT


def _double_of_decimal(number: Decimal) -> Any:  # noqa: ANN401 - or MISFIT
    """Whole numbers are often names of things: not one digit of them may change."""
    found = float(number) if number.is_finite() else math.inf
    if not math.isfinite(found) or (number and not found):
        return MISFIT
    is_kept = Decimal(found) == number if number == number.to_integral_value() else True
    return found if is_kept else MISFIT


def _double_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    number = _decimal_of_text(text)
    return number if number is MISFIT else _double_of_decimal(number)


def _decimal_of_float(number: float) -> Any:  # noqa: ANN401 - or MISFIT
    return _unsigned_zero(Decimal(repr(number))) if math.isfinite(number) else MISFIT


def _decimal_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return MISFIT
    return _unsigned_zero(Decimal(text))


def _unsigned_zero(number: Decimal) -> Decimal:
    """Postgres knows one zero of a numeric."""
    return number or number.copy_abs()


def _text_of_bool(value: bool) -> str:  # noqa: FBT001 - the value to be written
    return "true" if value else "false"


def _text_of_number(number: float | Decimal) -> Any:  # noqa: ANN401 - or MISFIT
    is_finite = math.isfinite(number) if isinstance(number, float) else number.is_finite()
    return str(number) if is_finite else MISFIT


def _text_of_moment(moment: dt.datetime) -> Any:  # noqa: ANN401 - or MISFIT
    return moment.isoformat() if moment.utcoffset() is not None else MISFIT


def _moment_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    if not _MOMENT.fullmatch(text):
        return MISFIT
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return MISFIT


def _date_of_text(text: str) -> Any:  # noqa: ANN401 - or MISFIT
    if not _DATE.fullmatch(text):
        return MISFIT
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return MISFIT


_EXACT = 2**53
_MOST_DIGITS = 20
_LONGEST_NUMBER = 1_000
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Digits beyond microseconds are let in only where they say nothing.
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)

_TURNS: Mapping[ColumnType, Mapping[type, Callable[[Any], Any]]] = {
    ColumnType.BOOL: {str: _bool_of_text},
    ColumnType.BIGINT: {float: _whole, Decimal: _whole, str: _whole_of_text},
    ColumnType.DOUBLE: {Decimal: _double_of_decimal, str: _double_of_text},
    ColumnType.NUMERIC: {float: _decimal_of_float, Decimal: _unsigned_zero, str: _decimal_of_text},
    ColumnType.TEXT: {
        bool: _text_of_bool,
        int: str,
        float: _text_of_number,
        Decimal: _text_of_number,
        dt.date: dt.date.isoformat,
        dt.datetime: _text_of_moment,
    },
    ColumnType.TIMESTAMPTZ: {str: _moment_of_text},
    ColumnType.DATE: {str: _date_of_text},
    ColumnType.BYTEA: {},
}
_KINDS: Mapping[ColumnType, type] = {
    ColumnType.BOOL: bool,
    ColumnType.BIGINT: int,
    ColumnType.DOUBLE: float,
    ColumnType.TEXT: str,
    ColumnType.TIMESTAMPTZ: dt.datetime,
    ColumnType.DATE: dt.date,
    ColumnType.NUMERIC: Decimal,
    ColumnType.BYTEA: bytes,
    ColumnType.JSONB: object,
}
_ALWAYS = frozenset(
    (given, ColumnType.TEXT)
    for given in (ColumnType.BOOL, ColumnType.BIGINT, ColumnType.DATE, ColumnType.TIMESTAMPTZ)
)
