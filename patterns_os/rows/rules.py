"""What else a value must be than of its column's type: the rules of a schema as questions, and in words.

Rules have the words of JSON Schema, and like there a rule says nothing about values that it is not made for: a
length about numbers, a range about texts.
"""

import datetime as dt
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from patterns_os.rows.conversions import convert
from patterns_os.rows.forms import MISFIT
from patterns_os.rows.types import ColumnType

Check = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a column.

    Attributes:
        holds: Tells whether a value as the column holds it, not None, keeps the rule.
        expected: The rule in words, to go on after "expected".
        word: Its word in the schema.
        operand: What values are compared with, as the column holds it: a bound, a length, all of an `enum`.
    """

    holds: Check
    expected: str
    word: str
    operand: Any = None


def compile_rules(column: ColumnType, rules: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Give the rules of a column. Words that mean nothing here are left out.

    Raises:
        ValueError: A pattern is none; `pattern_problem` says more.
    """
    return tuple(_rules(column, rules))


def pattern_problem(pattern: str) -> str | None:
    """Say what is wrong with a pattern, or `None`.

    Patterns are matched by an engine whose time grows linearly with the text, so that none can hang. It has
    neither look-around nor references back, and refuses patterns that need more than 10 MB.
    """
    try:
        _matcher(pattern)
    except ValueError as error:
        return str(error)
    return None


FORMATS: Mapping[str, tuple[Check, str]]
"""What `format` may say of a text: the question, and the words for what is expected. Others mean nothing."""


def _rules(column: ColumnType, rules: Mapping[str, Any]) -> Iterator[Rule]:
    for word, (compare, words) in _RANGES.items():
        if word in rules:
            bound = _bound(rules[word], column)
            if bound is not None:
                holds = _ranged(compare, bound)
                yield Rule(holds=holds, expected=f"{words} {_shown(rules[word])}", word=word, operand=bound)
    if "minLength" in rules:
        least = int(rules["minLength"])
        expected = f"{_characters(least)} or more"
        yield Rule(holds=_long(lambda n: n >= least), expected=expected, word="minLength", operand=least)
    if "maxLength" in rules:
        most = int(rules["maxLength"])
        expected = f"at most {_characters(most)}"
        yield Rule(holds=_long(lambda n: n <= most), expected=expected, word="maxLength", operand=most)
    if "pattern" in rules:
        pattern = str(rules["pattern"])
        yield Rule(
            holds=_of_texts(_matcher(pattern)), expected=f"a match of {_shown(pattern)}", word="pattern"
        )
    if rules.get("format") in FORMATS:
        check, words = FORMATS[rules["format"]]
        yield Rule(holds=_of_texts(check), expected=words, word="format")
    if "enum" in rules:
        yield _one_of(column, rules["enum"])


def _bound(given: Any, column: ColumnType) -> Any:  # noqa: ANN401 - any JSON value
    """Give a bound as values of the column compare with it, `None` where they do not."""
    if column in {ColumnType.DATE, ColumnType.TIMESTAMPTZ}:
        found = convert(given, column, is_soft=True) if isinstance(given, str) else MISFIT
        return None if found is MISFIT else found
    if column in _NUMBERS and isinstance(given, (int, float)):
        return Decimal(repr(given)) if column is ColumnType.NUMERIC else given
    return None


def _ranged(compare: Callable[[Any, Any], bool], bound: Any) -> Check:  # noqa: ANN401 - a number or a moment
    kinds = (dt.date,) if isinstance(bound, dt.date) else (int, float, Decimal)

    def holds(value: Any) -> bool:  # noqa: ANN401 - any value of a column
        if isinstance(value, bool) or not isinstance(value, kinds):
            return True
        # What is no number at all is in no range, and a Decimal of that kind may not even be compared.
        return value == value and compare(value, bound)  # noqa: PLR0124 - see above

    return holds


def _long(is_allowed: Callable[[int], bool]) -> Check:
    return lambda value: not isinstance(value, str) or is_allowed(len(value))


def _of_texts(check: Check) -> Check:
    return lambda value: not isinstance(value, str) or check(value)


def _one_of(column: ColumnType, values: Sequence[Any]) -> Rule:
    allowed = [held for held in (_held(value, column) for value in values) if held is not MISFIT]
    shown = ", ".join(_shown(value) for value in values[:_MOST_SHOWN])
    more = f" or {len(values) - _MOST_SHOWN} others" if len(values) > _MOST_SHOWN else ""
    expected = f"one of {shown}{more}" if len(values) > 1 else shown or "nothing"
    is_any = column is ColumnType.JSONB
    return Rule(
        holds=(lambda value: any(_same(value, known) for known in allowed))
        if is_any
        else frozenset(allowed).__contains__,
        expected=expected,
        word="enum",
        operand=tuple(allowed),
    )


def _held(value: Any, column: ColumnType) -> Any:  # noqa: ANN401 - any JSON value
    return MISFIT if value is None else convert(value, column, is_soft=True)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    """To JSON true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> Check:
    from pydantic_core import SchemaError, SchemaValidator  # noqa: PLC0415 - slow to load, few schemas need it

    bare = pattern.removesuffix(_VERY_END)
    if bare != pattern:
        pattern = rf"{bare}\z"
    try:
        matches = SchemaValidator(
            {"type": "str", "pattern": pattern, "strict": True, "regex_engine": "rust-regex"}
        )
    except SchemaError as error:
        raise ValueError(str(error).strip().splitlines()[-1].strip()) from error
    return matches.isinstance_python


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False)


def _is_date(text: str) -> bool:
    return convert(text, ColumnType.DATE, is_soft=True) is not MISFIT


def _is_moment(text: str) -> bool:
    return convert(text, ColumnType.TIMESTAMPTZ, is_soft=True) is not MISFIT


def _is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return (
        0 < len(local) <= _LONGEST_LOCAL
        and len(domain) <= _LONGEST_DOMAIN
        and _LOCAL.fullmatch(local) is not None
        and all(_LABEL.fullmatch(label) for label in domain.split("."))
        and "." in domain
    )


def _is_uri(text: str) -> bool:
    if any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_address(kind: Callable[[str], object]) -> Check:
    def check(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    return check


_MOST_SHOWN = 5
# How a pattern says "the very end" in every dialect; the one look-ahead that our engine has a word for.
_VERY_END = r"(?![\s\S])"
_NUMBERS = frozenset({ColumnType.BIGINT, ColumnType.DOUBLE, ColumnType.NUMERIC, ColumnType.JSONB})
_RANGES: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (lambda value, bound: value >= bound, "at least"),
    "maximum": (lambda value, bound: value <= bound, "at most"),
    "exclusiveMinimum": (lambda value, bound: value > bound, "more than"),
    "exclusiveMaximum": (lambda value, bound: value < bound, "less than"),
}
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 253
_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\]]+")
_LABEL = re.compile(r"[^\W_]([\w-]{0,61}[^\W_])?")

FORMATS = {
    "date-time": (_is_moment, "a date and time with an offset (2024-12-31T23:59:59Z)"),
    "date": (_is_date, "a date (2024-12-31)"),
    "email": (_is_email, "an e-mail address"),
    "uri": (_is_uri, "an address with a scheme (https://example.com)"),
    "uuid": (_is_uuid, "a UUID"),
    "ipv4": (_is_address(ipaddress.IPv4Address), "an IPv4 address"),
    "ipv6": (_is_address(ipaddress.IPv6Address), "an IPv6 address"),
}


def holds_all(rules: Iterable[Rule]) -> Check | None:
    """Give one question for several rules, `None` for none."""
    checks = tuple(rule.holds for rule in rules)
    if len(checks) <= 1:
        return checks[0] if checks else None
    return lambda value: all(check(value) for check in checks)
