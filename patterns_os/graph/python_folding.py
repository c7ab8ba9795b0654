"""Operations on constants that give a constant, bounded so that no source makes them slow or large."""

import ast
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from patterns_os.graph.python_values import Known

MOST_CHARACTERS = 10_000
_MOST_NUMBER = 2**63


def fold_binary(kind: type[ast.operator], left: object, right: object) -> Known | None:
    """Give what the operator makes of two constants, or `None` if that is not followed."""
    if isinstance(left, str) and kind is ast.Mod:
        return fold_percent(left, (right,))
    if isinstance(left, str | bytes) and type(left) is type(right) and kind is ast.Add:
        return _bounded(left + right)  # type: ignore[operator] # both are of one type
    if isinstance(left, str) and type(right) is int and kind is ast.Mult:
        return Known(left * right) if len(left) * right <= MOST_CHARACTERS else None
    if type(left) in {int, float, bool} and type(right) in {int, float, bool} and kind in _OPERATORS:
        return _number(_OPERATORS[kind], left, right)
    return None


def fold_compare(kind: type[ast.cmpop], left: object, right: object) -> bool | None:
    """Give whether the comparison of two constants holds, or `None` if that is not followed."""
    if kind in _COMPARISONS:
        return bool(_COMPARISONS[kind](left, right))
    if kind in _ORDERS and type(left) is type(right) and isinstance(left, int | float | str):
        return bool(_ORDERS[kind](left, right))
    return None


def fold_percent(template: str, values: Sequence[object]) -> Known | None:
    """Give the text that `template % values` makes, or `None` if that is not followed."""
    if _LARGE.search(template) or not all(_is_plain(value) for value in values):
        return None
    try:
        return _bounded(template % tuple(values))
    except (TypeError, ValueError, OverflowError):
        return None


def fold_format(value: object, conversion: int, specification: str) -> Known | None:
    """Give the text that a part of an f-string makes of a constant, or `None` if that is not followed."""
    if not _is_plain(value) or _LARGE.search(specification):
        return None
    try:
        convert = _CONVERSIONS.get(conversion)
        return _bounded(format(value if convert is None else convert(value), specification))
    except (TypeError, ValueError, OverflowError):
        return None


def fold_method(
    text: str, name: str, arguments: Sequence[object], keywords: dict[str, object]
) -> Known | None:
    """Give what a method of a text returns for constants, or `None` if that is not followed."""
    plain = all(_is_plain(value) for value in (*arguments, *keywords.values()))
    if name not in _METHODS or not plain:
        return None
    if name in {"format", "zfill"} and _LARGE.search(" ".join([text, *map(str, arguments)])):
        return None
    size = len(text) + sum(len(value) for value in arguments if isinstance(value, str))
    if size > MOST_CHARACTERS or (name == "replace" and size * len(text) > MOST_CHARACTERS * 10):
        return None
    try:
        return _bounded(getattr(text, name)(*arguments, **keywords))
    except (TypeError, ValueError, OverflowError, LookupError, AttributeError):
        return None


def fold_join(separator: str, texts: Sequence[object]) -> Known | None:
    """Give the constant texts joined, or `None` if that is not followed."""
    found = [text for text in texts if isinstance(text, str)]
    size = len(separator) * len(texts) + sum(map(len, found))
    return Known(separator.join(found)) if len(found) == len(texts) and size <= MOST_CHARACTERS else None


_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "format",
        "lower",
        "lstrip",
        "removeprefix",
        "removesuffix",
        "replace",
        "rstrip",
        "strip",
        "swapcase",
        "title",
        "upper",
        "zfill",
        "startswith",
        "endswith",
    ]
)
# Widths of three digits and more, and those that come from arguments.
_LARGE = re.compile(r"\d{3}|\*|\{[^{}]*\{")
_CONVERSIONS: dict[int, Callable[[object], str]] = {ord("r"): repr, ord("a"): ascii, ord("s"): str}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
}
_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        # Beyond that, Python refuses to write an integer out, and takes long to.
        return abs(value) < _MOST_NUMBER
    return value is None or isinstance(value, str | float)


def _number(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Known | None:  # noqa: ANN401 - numbers
    if not _is_plain(left) or not _is_plain(right):
        return None
    try:
        return Known(function(left, right))
    except (ArithmeticError, ValueError):
        return None


def _bounded(value: object) -> Known | None:
    return None if isinstance(value, str | bytes) and len(value) > MOST_CHARACTERS else Known(value)
