"""From what scripts hold to plain values: exact built-in types, without importing the libraries of others."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from patterns_os.rows.errors import RowError, render_path


def plain(value: Any, path: Sequence[str | int]) -> Any:  # noqa: ANN401 - rows hold any value
    """Give the value as one of the plain types; what a container holds is left as it is.

    Plain are None, bool, int, float, str, bytes, Decimal, datetime, date, time, dict and list, exactly these
    and no subclasses. Tuples become lists, enumerations their values, UUIDs text, numpy scalars and pandas
    timestamps what they stand for (None for missing ones), objects with `model_dump` dicts.

    Raises:
        RowError: There is no equal plain value; names the path and the type.
    """
    if type(value) in PLAIN_TYPES:
        return value
    for base, convert in _CONVERSIONS:
        if isinstance(value, base):
            return convert(value, path)
    return _plain_foreign(value, path)


def refuse(value: Any, path: Sequence[str | int]) -> RowError:  # noqa: ANN401 - rows hold any value
    """Give the error for a value that rows cannot hold."""
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return RowError(
        f'value at "{render_path(path)}" has type "{name}"; expected None, bool, int, float, str, bytes, '
        "Decimal, datetime, date, time, a list, or a dict with text keys",
        code="row-value",
        hint="convert the value before it is written, for example a set with list()",
    )


def _plain_datetime(value: dt.datetime, path: Sequence[str | int]) -> dt.datetime | None:
    if value != value:  # noqa: PLR0124 - only the "not a time" of pandas differs from itself
        return None
    if getattr(value, "nanosecond", 0):
        raise RowError(
            f'value at "{render_path(path)}" has nanoseconds; a datetime in a row ends at microseconds',
            code="row-value",
            hint='round it, for example with .floor("us")',
        )
    return dt.datetime.combine(dt.date(value.year, value.month, value.day), value.timetz())


def _plain_foreign(value: Any, path: Sequence[str | int]) -> Any:  # noqa: ANN401 - rows hold any value
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and getattr(value, "shape", None) == ():
        found = value.item()
        # Nanoseconds of numpy come out as bare numbers.
        if type(found) in PLAIN_TYPES and (type(found) is not int or value.dtype.kind in "iu"):
            return found
    elif type(value).__name__ == "NAType":
        return None
    elif hasattr(value, "model_dump") and not isinstance(value, type):
        return plain(value.model_dump(), path)
    raise refuse(value, path)


PLAIN_TYPES = frozenset(
    {type(None), bool, int, float, str, bytes, Decimal, dt.datetime, dt.date, dt.time, dict, list}
)
# The order matters: an enumeration may be text, a datetime is a date.
_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Any], ...] = (
    (Enum, lambda value, path: plain(value.value, path)),
    (tuple, lambda value, _: list(value)),
    (str, lambda value, _: str.__str__(value)),
    (int, lambda value, _: int.__int__(value)),
    (float, lambda value, _: float.__float__(value)),
    (dt.datetime, _plain_datetime),
    (dt.date, lambda value, _: dt.date(value.year, value.month, value.day)),
    (dt.time, lambda value, _: dt.time.fromisoformat(value.isoformat())),
    (Decimal, lambda value, _: Decimal(value)),
    (UUID, lambda value, _: str(value)),
    ((bytes, bytearray, memoryview), lambda value, _: bytes(value)),
    (Mapping, lambda value, _: dict(value)),
    (list, lambda value, _: list(value)),
)
