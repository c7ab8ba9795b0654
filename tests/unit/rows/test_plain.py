import datetime as dt
from collections import OrderedDict
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel

from patterns_os.rows.errors import RowError
from patterns_os.rows.plain import plain


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


class Shape(Enum):
    ROUND = Colour.RED


class Pair(NamedTuple):
    left: int
    right: int


class Scalar:
    """Looks like a scalar of numpy, which is not needed to know one."""

    shape = ()

    def __init__(self, value, kind):
        self.dtype = type("dtype", (), {"kind": kind})()
        self.value = value

    def item(self):
        return self.value


Scalar.__module__ = "numpy"


class Moment(dt.datetime):
    nanosecond = 0


class Instant(Moment):
    nanosecond = 7


class NotATime(dt.datetime):
    def __ne__(self, other):
        return True

    __hash__ = dt.datetime.__hash__


class NAType:
    """Looks like the missing value of pandas."""


class Person(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (Size.LARGE, 3),
        (Shape.ROUND, "red"),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (Scalar(1.5, "f"), 1.5),
        (Scalar(2, "i"), 2),
        (Moment(2024, 1, 2, 3, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC)),
        (NotATime(2024, 1, 1), None),
        (NAType(), None),
        (Person(name="Ada"), {"name": "Ada"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_stands_for_a_plain_value_becomes_it(value, expected):
    found = plain(value, ())

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({1}, "set"),
        (1j, "complex"),
        (dt.timedelta(1), "datetime.timedelta"),
        (object(), "object"),
        (Person, "pydantic._internal._model_construction.ModelMetaclass"),
        (Scalar(1_700_000_000_000_000_000, "M"), "numpy.Scalar"),
    ],
)
def test_what_has_no_plain_equal_is_refused(value, name):
    with pytest.raises(RowError) as caught:
        plain(value, ("order", "lines", 2))

    assert caught.value.message == (
        f'value at "order.lines[2]" has type "{name}"; expected None, bool, int, float, str, bytes, Decimal, '
        "datetime, date, time, a list, or a dict with text keys"
    )


def test_nanoseconds_are_refused_rather_than_cut_off():
    with pytest.raises(RowError) as caught:
        plain(Instant(2024, 1, 1), ("at",))

    assert caught.value.message == 'value at "at" has nanoseconds; a datetime in a row ends at microseconds'


def test_plain_values_are_given_back_themselves():
    value = {"a": [Decimal(1)]}

    assert plain(value, ()) is value
