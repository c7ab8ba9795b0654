import datetime as dt
from decimal import Decimal

import pytest

from patterns_os.rows.columns import infer_column_types, payload_to_row, strip_system_keys
from patterns_os.rows.errors import RowError
from patterns_os.rows.types import ColumnType

AWARE = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True], ColumnType.BOOL),
        ([1], ColumnType.BIGINT),
        ([2**63 - 1, -(2**63)], ColumnType.BIGINT),
        ([1.5], ColumnType.DOUBLE),
        ([float("nan")], ColumnType.DOUBLE),
        (["x"], ColumnType.TEXT),
        (["\0"], ColumnType.TEXT),
        ([AWARE], ColumnType.TIMESTAMPTZ),
        ([AWARE.replace(tzinfo=None)], ColumnType.JSONB),
        ([dt.date(2024, 1, 1)], ColumnType.DATE),
        ([dt.time(1)], ColumnType.JSONB),
        ([Decimal(1)], ColumnType.NUMERIC),
        ([b"x"], ColumnType.BYTEA),
        ([{}], ColumnType.JSONB),
        ([()], ColumnType.JSONB),
        ([1, 1.5], ColumnType.DOUBLE),
        ([1, Decimal(1)], ColumnType.NUMERIC),
        ([True, 1], ColumnType.JSONB),
        (["x", 1], ColumnType.JSONB),
        ([AWARE, dt.date(2024, 1, 1)], ColumnType.JSONB),
        ([1, 1.5, "x"], ColumnType.JSONB),
        ([None, 1], ColumnType.BIGINT),
        ([2**63, 1], ColumnType.BIGINT),
    ],
    ids=repr,
)
def test_a_batch_of_values_gives_a_column(values, expected):
    assert infer_column_types([{"a": value} for value in values], {}) == {"a": expected}


@pytest.mark.parametrize("value", [None, 2**63, -(2**63) - 1])
def test_values_that_tell_no_type_give_no_column(value):
    assert infer_column_types([{"a": value}], {}) == {}


@pytest.mark.parametrize(
    "key",
    ["", "k" * 64, "é" * 32, "patterns_id", "Patterns_x", "a\0b", "\ud800", "xmin", "ctid", "a%s", "AMOUNT"],
)
def test_keys_that_cannot_name_a_column_give_none(key):
    assert infer_column_types([{key: 1}], {"amount": ColumnType.BIGINT}) == {}


@pytest.mark.parametrize("key", ["k" * 63, "with space", 'quo"te', "é" * 31, "$x", "select"])
def test_other_keys_may_name_a_column(key):
    assert infer_column_types([{key: 1}], {}) == {key: ColumnType.BIGINT}


def test_columns_come_in_the_order_in_which_keys_appear_and_the_first_spelling_wins():
    rows = [{"b": 1}, {"B": 2, "a": 3}, {"b": 4, "c": None}]

    assert list(infer_column_types(rows, {})) == ["b", "a"]


def test_known_columns_are_left_out_and_count_for_the_limit():
    known = {f"k{n}": ColumnType.TEXT for n in range(198)}
    rows = [{"k0": 1, "x": 1, "y": 1, "z": 1}]

    assert list(infer_column_types(rows, known)) == ["x", "y"]
    assert list(infer_column_types(rows, known, max_columns=199)) == ["x"]


def test_a_value_that_no_row_can_hold_is_refused_with_its_key():
    with pytest.raises(RowError) as caught:
        infer_column_types([{"tags": {1, 2}}], {})

    assert caught.value.message == (
        'value at "tags" has type "set"; expected None, bool, int, float, str, bytes, Decimal, datetime, '
        "date, time, a list, or a dict with text keys"
    )


def test_a_row_that_is_no_dict_is_refused():
    with pytest.raises(RowError) as caught:
        infer_column_types([["a"]], {})

    assert caught.value.message == 'row has type "list"; expected a dict with text keys'


def test_incoming_system_keys_are_dropped():
    assert strip_system_keys({"patterns_id": "x", "a": 1, "patterns_": 2}) == {"a": 1}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"event": {"text": "hi"}, "patterns_id": "x"}, {"event": {"text": "hi"}, "patterns_id": "x"}),
        ([1, 2], {"record": [1, 2]}),
        ("text", {"record": "text"}),
        (None, {"record": None}),
        ({}, {}),
    ],
)
def test_a_payload_becomes_a_row(payload, expected):
    assert payload_to_row(payload) == expected
