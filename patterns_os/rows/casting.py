"""Rows against the schema of their table: what fits goes in, cast where that is allowed; what does not is refused.

Soft casting turns what can be turned without loss (the table is in `rows.conversions`) and keeps columns that are
not declared. Hard casting takes only what a column takes as it is, and no other columns. With either a column
that may be null may be missing, one that may not may not, and the rules of the schema hold for what is stored.

A table without a schema has no caster, so that its rows cost nothing here.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from patterns_os.diagnostics import nearest, quote
from patterns_os.rows.columns import INT64_MAX, INT64_MIN, SYSTEM_PREFIX, check_rows
from patterns_os.rows.conversions import convert
from patterns_os.rows.errors import REFUSED, RowError
from patterns_os.rows.forms import MISFIT
from patterns_os.rows.plain import plain
from patterns_os.rows.rules import Rule, compile_rules, holds_all
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.tagging import is_storable_text, to_json
from patterns_os.rows.types import ColumnType

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that its table does not take.

    Attributes:
        number: Its place among the rows that were given, from 1.
        row: As it was given.
        reason: A sentence that names the column, what it holds, and what was expected.
        hint: What mends it, or `None`.
    """

    number: int
    row: Row
    reason: str
    hint: str | None = None


def held_form(refused: Refused) -> dict[str, Any]:
    """Give what the protocol functions take for a refused row: its number, its content and the error.

    All values are kept as those without a column are, so that the row comes back equal, whatever its keys are.
    """
    error = {"family": "node", "code": REFUSED, "message": refused.reason, "hint": refused.hint}
    return {
        "number": refused.number,
        "content": {"patterns_more": to_json(dict(refused.row))},
        "error": error,
    }


def compile_casts(schema: TableSchema) -> "RowCaster":
    """Give what casts the rows of a table.

    Raises:
        RowError: A pattern of the schema is none (`schema-pattern`).
    """
    is_soft = schema.casting == "soft"
    return RowCaster(schema, tuple(_column(field, is_soft=is_soft) for field in schema.fields))


class RowCaster:
    """Casts the rows of one table; immutable, safe to share between threads.

    Attributes:
        schema: What the rows are cast to.
        rules: The rules of each column that has any.
    """

    __slots__ = ("_columns", "_is_hard", "_names", "rules", "schema")

    def __init__(self, schema: TableSchema, columns: "tuple[_Column, ...]") -> None:
        self.schema = schema
        self.rules: Mapping[str, tuple[Rule, ...]] = {
            column.name: column.rules for column in columns if column.rules
        }
        self._columns = columns
        self._names = frozenset(column.name for column in columns)
        self._is_hard = schema.casting == "hard"

    def cast(self, row: Row) -> Row:
        """Give the row as its table holds it; the same object where it is so already.

        Raises:
            RowError: The row is refused (`row-refused`), or is no mapping.
        """
        if self._is_hard:
            self._check_keys(row)
        changed: dict[str, Any] = {}
        for column in self._columns:
            value = row.get(column.name, _MISSING)
            if type(value) is column.kind and (column.fits is None or column.fits(value)):
                continue
            found = column.cast(value)
            if found is not value:
                changed[column.name] = found
        return {**row, **changed} if changed else row

    def cast_rows(self, rows: Iterable[Any]) -> list[Row]:
        """Give all rows as their table holds them.

        Raises:
            RowError: One is refused; names it by its number if there are several.
        """
        checked = check_rows(rows)
        if self._fit(checked):
            return checked
        return [self._cast_numbered(row, number, len(checked)) for number, row in enumerate(checked, start=1)]

    def sort_out(self, rows: Iterable[Any]) -> tuple[list[Row], list[Refused]]:
        """Give the rows that fit, as their table holds them, and those that do not."""
        checked = check_rows(rows)
        if self._fit(checked):
            return checked, []
        fitting: list[Row] = []
        refused: list[Refused] = []
        for number, row in enumerate(checked, start=1):
            try:
                fitting.append(self.cast(row))
            except RowError as error:
                refused.append(Refused(number=number, row=row, reason=error.message, hint=error.hint))
        return fitting, refused

    def _fit(self, rows: Sequence[Row]) -> bool:
        """Tell, a column at a time at the speed of C, whether all rows are as they must be."""
        if len(rows) < _FEW:
            return not rows
        if self._is_hard and not set().union(*rows) <= self._names:
            return False
        return all(
            column.fit_many([row.get(column.name, _MISSING) for row in rows]) for column in self._columns
        )

    def _cast_numbered(self, row: Row, number: int, count: int) -> Row:
        try:
            return self.cast(row)
        except RowError as error:
            where = f"row {number}: " if count > 1 else ""
            raise RowError(f"{where}{error.message}", code=error.code, hint=error.hint) from None

    def _check_keys(self, row: Row) -> None:
        if row.keys() <= self._names:
            return
        for key in row:
            if key not in self._names and not str(key).startswith(SYSTEM_PREFIX):
                known = nearest(str(key), self._names)
                raise RowError(
                    f"column {quote(_shortened(str(key)))} is not declared; declared: "
                    f"{', '.join(quote(field.name) for field in self.schema.fields)}",
                    code=REFUSED,
                    hint=f"did you mean {quote(known)}?"
                    if known
                    else 'declare it, or set "casting" to "soft"',
                )


class _Missing:
    """In place of the value of a column that a row does not have."""


_MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """One column, as closures that know all about it.

    Attributes:
        kind: The exact type of what it holds; no value has that of a jsonb column, which holds any.
        fits: Tells whether a value of that type can stay as it is; `None` if each can.
        fit_many: The same of all values of many rows, at once.
        cast: Gives a value as the column holds it.
    """

    name: str
    rules: tuple[Rule, ...]
    kind: type
    fits: Callable[[Any], bool] | None
    fit_many: Callable[[list[Any]], bool]
    cast: Callable[[Any], Any]


def _column(field: FieldSchema, *, is_soft: bool) -> _Column:
    try:
        rules = compile_rules(field.type, field.rules)
    except ValueError as error:
        raise RowError(
            f"the pattern of column {quote(field.name)} is none that can be matched: {error}",
            code="schema-pattern",
        ) from error
    kind, single, many = _KINDS[field.type]
    ruled = holds_all(rules)
    return _Column(
        name=field.name,
        rules=rules,
        kind=kind,
        fits=_both(single, ruled),
        fit_many=_many(field, many or single, ruled, is_each=many is None),
        cast=_cast(field, rules, is_soft=is_soft),
    )


def _both(
    one: Callable[[Any], bool] | None, other: Callable[[Any], bool] | None
) -> Callable[[Any], bool] | None:
    if one is None or other is None:
        return one or other
    return lambda value: one(value) and other(value)


def _many(
    field: FieldSchema,
    check: Callable[[Any], bool] | None,
    ruled: Callable[[Any], bool] | None,
    *,
    is_each: bool,
) -> Callable[[list[Any]], bool]:
    """Give the question for many values at once; `check` takes each of them, or all."""
    kind = _KINDS[field.type][0]
    exact, with_null = frozenset({kind}), frozenset({kind, type(None)})
    is_any = field.type is ColumnType.JSONB

    def fit_many(values: list[Any]) -> bool:
        kinds = set(map(type, values))
        if is_any:
            if _Missing in kinds or (not field.nullable and type(None) in kinds):
                return False
        elif not kinds <= (with_null if field.nullable else exact):
            return False
        present = [value for value in values if value is not None] if type(None) in kinds else values
        if check is not None and present and not (all(map(check, present)) if is_each else check(present)):
            return False
        return ruled is None or all(map(ruled, present))

    return fit_many


def _cast(field: FieldSchema, rules: Sequence[Rule], *, is_soft: bool) -> Callable[[Any], Any]:
    name, column, nullable = field.name, field.type, field.nullable

    def cast(value: Any) -> Any:  # noqa: ANN401 - rows hold any value
        if value is None or value is _MISSING:
            if nullable:
                return None
            raise _refusal(field, value, str(column))
        given = plain(value, (name,))
        if given is None:
            return cast(None)
        held = convert(given, column, is_soft=is_soft)
        if held is MISFIT:
            raise _refusal(field, given, str(column))
        for rule in rules:
            if not rule.holds(held):
                raise _refusal(field, given, rule.expected)
        return value if held is given else held

    return cast


def _refusal(field: FieldSchema, value: Any, expected: str) -> RowError:  # noqa: ANN401 - any value
    if field.semantic and expected.startswith(_MATCH):
        expected = _meaning(field.semantic) or expected
    meant = f" ({field.semantic})" if field.semantic else ""
    return RowError(
        f"column {quote(field.name)} is {_described(value)}; expected {expected}{meant}",
        code=REFUSED,
        hint=_hint(field, value),
    )


def _meaning(semantic: str) -> str | None:
    """Say what a semantic type is: nobody wants to read the pattern of an e-mail address."""
    from patterns_os.rows.semantic import find_type  # noqa: PLC0415 - a library that only refusals need

    found = find_type(semantic)
    return f"{found.description[:1].lower()}{found.description[1:].rstrip('.')}" if found else None


def _hint(field: FieldSchema, value: Any) -> str | None:  # noqa: ANN401 - any value
    if field.type is not ColumnType.TIMESTAMPTZ:
        return None
    if isinstance(value, dt.datetime) and value.utcoffset() is None:
        return "give it a time zone: datetime.now(timezone.utc), or .replace(tzinfo=…)"
    if isinstance(value, str):
        return "write a moment with its offset: 2024-12-31T23:59:59Z"
    return None


def _described(value: Any) -> str:  # noqa: ANN401 - any value
    """Give the kind of a value, and the value itself where it is short."""
    for kind, describe in _DESCRIPTIONS:
        if isinstance(value, kind):
            return describe(value)
    return f"of type {quote(type(value).__name__)}"


def _described_text(text: str) -> str:
    shown = _shortened(json.dumps(text, ensure_ascii=not is_storable_text(text))[1:-1])
    length = f" of {len(text)} characters" if len(text) > _LONGEST_SHOWN else ""
    return f"the text {quote(shown)}{length}"


def _described_moment(moment: dt.datetime) -> str:
    return f"the moment {moment.isoformat()}" + (
        "" if moment.utcoffset() is not None else " without a time zone"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _fits_bigint(value: int) -> bool:
    return INT64_MIN <= value <= INT64_MAX


def _all_fit_bigint(values: list[int]) -> bool:
    return min(values) >= INT64_MIN and max(values) <= INT64_MAX


def _all_storable(texts: list[str]) -> bool:
    joined = "\0".join(texts)
    return joined.count("\0") == len(texts) - 1 and (joined.isascii() or is_storable_text("".join(texts)))


def _fits_moment(moment: dt.datetime) -> bool:
    # At the ends of the calendar a moment may have no form in UTC.
    return type(moment.tzinfo) in _ZONES and dt.MINYEAR < moment.year < dt.MAXYEAR


def _fits_numeric(value: Decimal) -> bool:
    return convert(value, ColumnType.NUMERIC, is_soft=False) is not MISFIT


_FEW = 4
_LONGEST_SHOWN = 40
_MATCH = "a match of "
_ZONES = frozenset({dt.timezone, ZoneInfo})
# For each column type: the exact type of its values, the question whether one of them can stay as it is, and the
# same for all of many where that is faster than one by one.
_KINDS: Mapping[ColumnType, tuple[type, Callable[[Any], bool] | None, Callable[[Any], bool] | None]] = {
    ColumnType.BOOL: (bool, None, None),
    ColumnType.BIGINT: (int, _fits_bigint, _all_fit_bigint),
    ColumnType.DOUBLE: (float, None, None),
    ColumnType.TEXT: (str, is_storable_text, _all_storable),
    ColumnType.TIMESTAMPTZ: (dt.datetime, _fits_moment, None),
    ColumnType.DATE: (dt.date, None, None),
    ColumnType.NUMERIC: (Decimal, _fits_numeric, None),
    ColumnType.BYTEA: (bytes, None, None),
    ColumnType.JSONB: (_Missing, lambda _: False, None),
}
# The order matters: a bool is an int, a datetime is a date.
_DESCRIPTIONS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (type(None), lambda _: "null"),
    (_Missing, lambda _: "missing"),
    (bool, lambda value: "true" if value else "false"),
    ((int, float), lambda value: f"the number {_shortened(repr(value))}"),
    (Decimal, lambda value: f"the decimal {_shortened(str(value))}"),
    (str, _described_text),
    (bytes, lambda value: f"binary, of {len(value)} bytes"),
    (dt.datetime, _described_moment),
    (dt.date, lambda value: f"the date {value.isoformat()}"),
    (dt.time, lambda value: f"the time {value.isoformat()}"),
    (dict, lambda _: "an object"),
    (list, lambda _: "a list"),
)
