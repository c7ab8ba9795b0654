import datetime as dt
from decimal import Decimal
from enum import Enum

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.rows.errors import RowError
from patterns_os.rows.tagging import dump_many, dump_tagged, from_json, is_untagged, to_json

TEXTS = st.text(st.characters(), max_size=6) | st.sampled_from(["\0", "\ud800", "$int", "$", "$dict", "null"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**4000]),
    st.floats(),
    st.sampled_from([-0.0, 1e16, 1e22, 1.5e300]),
    TEXTS,
    st.binary(max_size=5),
    st.decimals(allow_nan=False),
    # Equality does not look at fold, and nothing keeps it.
    st.datetimes(timezones=st.none() | st.just(dt.UTC)).map(lambda value: value.replace(fold=0)),
    st.dates(),
    st.times().map(lambda value: value.replace(fold=0)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def through_json(value):
    return from_json(orjson.loads(dump_tagged(to_json(value))))


@given(VALUES)
def test_every_value_comes_back_equal_and_of_the_same_type(value):
    assert repr(through_json(value)) == repr(value)


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_the_fast_way_writes_what_needs_no_tags_and_leaves_the_rest(values):
    dumped = dump_many(values)

    assert is_untagged(values) == (dumped is not None)
    if dumped is not None:
        assert dumped == b"\n".join(dump_tagged(to_json(value)) for value in values)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\0b", {"$text64": "YQBi"}),
        ("\ud800", {"$text64": "7aCA"}),
        (float("nan"), {"$float": "nan"}),
        (float("-inf"), {"$float": "-inf"}),
        (-0.0, {"$float": "-0.0"}),
        (1e15, 1e15),
        (1e16, {"$float": "1e+16"}),
        (2**64 - 1, 2**64 - 1),
        (2**64, {"$int": "18446744073709551616"}),
        (-(2**63) - 1, {"$int": "-9223372036854775809"}),
        (Decimal("1.10"), {"$decimal": "1.10"}),
        (b"\xff", {"$bytes": "/w=="}),
        (dt.datetime.fromisoformat("2024-01-02T03:04"), {"$datetime": "2024-01-02T03:04:00"}),
        (dt.date(2024, 1, 2), {"$date": "2024-01-02"}),
        (dt.time(3, 4), {"$time": "03:04:00"}),
        ({"$int": "1"}, {"$dict": [["$int", "1"]]}),
        ({"$set": {"a": 1}}, {"$dict": [["$set", {"a": 1}]]}),
        ({"$a": 1, "b": 2}, {"$a": 1, "b": 2}),
        ({"\0": 1}, {"$dict": [[{"$text64": "AA=="}, 1]]}),
        ((1, (2,)), [1, [2]]),
    ],
)
def test_what_json_cannot_hold_is_tagged(value, expected):
    assert to_json(value) == expected


@pytest.mark.parametrize(
    "data",
    [
        {"$int": "x"},
        {"$int": 3},
        {"$float": ["1"]},
        {"$decimal": "x"},
        {"$bytes": "é"},
        {"$text64": "/w=="},
        {"$datetime": "soon"},
        {"$dict": "x"},
        {"$dict": [["a"]]},
        {"$dict": [[1, 2]]},
        {"$dict": [[[1], 2]]},
        {"$dict": 1},
        {"$else": 1},
    ],
)
def test_what_another_writer_left_that_only_looks_tagged_stays(data):
    assert from_json({"a": [data]}) == {"a": [data]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: 2}, 'dict at "a.b[0]" has the key 1 of type "int"; expected text keys'),
        (
            dt.time(1, tzinfo=type("Zone", (dt.tzinfo,), {"utcoffset": lambda *_: None})()),
            'value at "a.b[0]" is a time of day in a zone whose offset depends on the day',
        ),
    ],
)
def test_a_refusal_names_the_path(value, message):
    with pytest.raises(RowError) as caught:
        to_json({"b": [value]}, ("a",))

    assert caught.value.message == message


def test_what_holds_itself_is_refused():
    loop = []
    loop.append(loop)

    with pytest.raises(RowError) as caught:
        to_json(loop, ("a",))

    assert caught.value.message == 'value at "a" is nested deeper than 200 levels, or holds itself'


def test_tags_that_make_a_value_too_deep_are_refused():
    value = None
    for _ in range(120):
        value = {"$x": value}

    with pytest.raises(RowError) as caught:
        dump_tagged(to_json(value))

    assert caught.value.message == "row is nested deeper than 200 levels, or holds itself"


def test_whole_numbers_too_long_to_print_come_back():
    assert through_json([10**5000, -(10**5000)]) == [10**5000, -(10**5000)]


def test_a_not_finite_float_hidden_in_an_enumeration_is_seen():
    odd = Enum("Odd", {"NAN": float("nan")})

    assert dump_many([[odd.NAN]]) is None
    assert to_json([odd.NAN]) == [{"$float": "nan"}]
