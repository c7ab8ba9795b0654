import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.rows import codec as codec_module
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.errors import RowError
from patterns_os.rows.types import ColumnType

AWARE = dt.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=dt.UTC)
NAIVE = AWARE.replace(tzinfo=None)
FAR = dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=5)))
NAN = float("nan")

# column type, value, COPY field, JSON value
FITTING = [
    (ColumnType.BOOL, True, "t", True),
    (ColumnType.BIGINT, -(2**63), "-9223372036854775808", -(2**63)),
    (ColumnType.DOUBLE, 1.5, "1.5", 1.5),
    (ColumnType.DOUBLE, 3, "3.0", 3.0),
    (ColumnType.DOUBLE, float("-inf"), "-inf", "-Infinity"),
    (ColumnType.DOUBLE, NAN, "nan", "NaN"),
    (ColumnType.DOUBLE, -0.0, "-0.0", "-0.0"),
    (ColumnType.TEXT, "a\tb\\c\nd\re é", "a\\tb\\\\c\\nd\\re é", "a\tb\\c\nd\re é"),
    (ColumnType.TEXT, "", "", ""),
    (ColumnType.TEXT, "\\N", "\\\\N", "\\N"),
    (ColumnType.TIMESTAMPTZ, AWARE, "2024-05-06T07:08:09.000010+00:00", "2024-05-06T07:08:09.000010+00:00"),
    (
        ColumnType.TIMESTAMPTZ,
        AWARE.astimezone(ZoneInfo("Asia/Kolkata")),
        "2024-05-06T07:08:09.000010+00:00",
        "2024-05-06T07:08:09.000010+00:00",
    ),
    (ColumnType.DATE, dt.date(2024, 1, 2), "2024-01-02", "2024-01-02"),
    (ColumnType.NUMERIC, Decimal("1.10"), "1.10", "1.10"),
    (ColumnType.NUMERIC, 10**30, str(10**30), str(10**30)),
    (ColumnType.NUMERIC, Decimal("NaN"), "NaN", "NaN"),
    (ColumnType.BYTEA, b"\x00\xff", "\\\\x00ff", "\\x00ff"),
    (ColumnType.JSONB, {"a": "\\"}, '{"a":"\\\\\\\\"}', {"a": "\\"}),
    (ColumnType.JSONB, "x", '"x"', "x"),
    (ColumnType.JSONB, NAN, '{"$float":"nan"}', {"$float": "nan"}),
    (ColumnType.JSONB, -0.0, '{"$float":"-0.0"}', {"$float": "-0.0"}),
]

# column type, value, its tagged JSON
MISFITS = [
    (ColumnType.BOOL, 1, 1),
    (ColumnType.BIGINT, "1", "1"),
    (ColumnType.BIGINT, 1.0, 1.0),
    (ColumnType.BIGINT, True, True),
    (ColumnType.BIGINT, 2**63, 2**63),
    (ColumnType.BIGINT, 2**70, {"$int": str(2**70)}),
    (ColumnType.DOUBLE, 2**53 + 1, 2**53 + 1),
    (ColumnType.DOUBLE, True, True),
    (ColumnType.TEXT, 1, 1),
    (ColumnType.TEXT, "a\0", {"$text64": "YQA="}),
    (ColumnType.TEXT, "\udc80", {"$text64": "7bKA"}),
    (ColumnType.TIMESTAMPTZ, NAIVE, {"$datetime": "2024-05-06T07:08:09.000010"}),
    (ColumnType.TIMESTAMPTZ, FAR, {"$datetime": "0001-01-01T00:00:00+05:00"}),
    (ColumnType.TIMESTAMPTZ, dt.date(2024, 1, 2), {"$date": "2024-01-02"}),
    (ColumnType.DATE, AWARE, {"$datetime": "2024-05-06T07:08:09.000010+00:00"}),
    (ColumnType.NUMERIC, 0.5, 0.5),
    (ColumnType.NUMERIC, Decimal("1E-16384"), {"$decimal": "1E-16384"}),
    (ColumnType.NUMERIC, Decimal("1E+131072"), {"$decimal": "1E+131072"}),
    (ColumnType.NUMERIC, Decimal("sNaN"), {"$decimal": "sNaN"}),
    (ColumnType.NUMERIC, Decimal("-0"), {"$decimal": "-0"}),
    (ColumnType.BYTEA, "x", "x"),
]


@pytest.mark.parametrize(("column_type", "value", "field", "json"), FITTING)
def test_a_value_that_fits_is_written_into_its_column(column_type, value, field, json):
    codec = RowCodec({"a": column_type})

    assert codec.copy_lines([{"a": value}]) == f"{field}\t\\N\n".encode()
    assert codec.json_rows([{"a": value}]) == [{"a": json}]


@pytest.mark.parametrize(("column_type", "value", "tagged"), MISFITS)
def test_a_value_that_does_not_fit_travels_in_more(column_type, value, tagged):
    codec = RowCodec({"a": column_type})

    line = codec.copy_lines([{"a": value}])

    assert line == b"\\N\t" + orjson.dumps({"a": tagged}).replace(b"\\", b"\\\\") + b"\n"
    assert codec.json_rows([{"a": value}]) == [{"patterns_more": {"a": tagged}}]
    assert repr(codec.decode([None], {"a": tagged})) == repr({"a": value})


def test_fitting_and_misfitting_values_of_a_column_stand_in_their_own_rows():
    codec = RowCodec({"n": ColumnType.BIGINT, "t": ColumnType.TEXT})

    lines = codec.copy_lines([{"n": 1, "t": "a"}, {"n": "x"}, {"t": None, "z": 1}])

    assert lines == b'1\ta\t\\N\n\\N\t\\N\t{"n":"x"}\n\\N\t\\N\t{"z":1}\n'


def test_rows_are_written_alike_whatever_else_is_in_the_batch():
    codec = RowCodec({"a": ColumnType.JSONB, "b": ColumnType.TEXT})
    rows = [{"a": {"n": number}, "b": str(number)} for number in range(1000)]
    rows[500] = {"a": NAN, "b": "\0", "c": 1}

    assert codec.copy_lines(rows) == b"".join(codec.copy_lines([row]) for row in rows)
    assert codec.json_rows(rows) == [codec.json_rows([row])[0] for row in rows]


def test_no_rows_give_nothing():
    codec = RowCodec({"a": ColumnType.TEXT})

    assert codec.copy_lines([]) == b""
    assert codec.json_rows([]) == []
    assert codec.decode_rows([]) == []


def test_a_table_without_columns_keeps_everything_in_more():
    codec = RowCodec({})

    assert codec.copy_lines([{}, {"a": 1}]) == b'\\N\n{"a":1}\n'
    assert codec.json_rows([{}, {"a": 1}]) == [{}, {"patterns_more": {"a": 1}}]
    assert codec.decode([], {"a": 1}) == {"a": 1}


def test_keys_that_jsonb_refuses_come_back():
    codec = RowCodec({})

    more = codec.json_rows([{"a\0": 1, "\ud800": 2}, {"$int": "x"}])

    assert [codec.decode([], row["patterns_more"]) for row in more] == [
        {"a\0": 1, "\ud800": 2},
        {"$int": "x"},
    ]


def test_rows_are_decoded_with_leading_columns_and_more_wins():
    codec = RowCodec({"a": ColumnType.BIGINT, "b": ColumnType.JSONB})
    fetched = [
        ("id1", 1, [{"$float": "inf"}], None),
        ("id2", None, None, {"a": "x", "c": {"$bytes": "eA=="}, "patterns_id": "theirs"}),
    ]

    rows = codec.decode_rows(fetched, leading=("patterns_id",))

    assert rows == [
        {"patterns_id": "id1", "a": 1, "b": [float("inf")]},
        {"patterns_id": "theirs", "a": "x", "b": None, "c": b"x"},
    ]


def test_rows_are_made_into_what_is_asked_for():
    codec = RowCodec({"a": ColumnType.BIGINT})

    assert codec.decode_rows([(1, None)], make=lambda row: tuple(row.items())) == [(("a", 1),)]


@pytest.mark.parametrize("write", ["copy_lines", "json_rows"])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (5, 'row has type "int"; expected a dict with text keys'),
        ({1: 2}, 'row has the key 1 of type "int"; expected text keys'),
        ({"a": {"x": [{2: 3}]}}, 'dict at "a.x[0]" has the key 2 of type "int"; expected text keys'),
        (
            {"new": {"x": [b"", {3}]}},
            (
                'value at "new.x[1]" has type "set"; expected None, bool, int, float, str, bytes, Decimal, '
                "datetime, date, time, a list, or a dict with text keys"
            ),
        ),
    ],
)
def test_what_no_row_can_hold_refuses_the_batch(write, row, message):
    codec = RowCodec({"a": ColumnType.JSONB})

    with pytest.raises(RowError) as caught:
        getattr(codec, write)([{"a": 1}, row])

    assert caught.value.message == message


@pytest.mark.parametrize("write", ["copy_lines", "json_rows"])
def test_a_row_that_is_too_large_is_refused(write, monkeypatch):
    monkeypatch.setattr(codec_module, "MAX_ROW_BYTES", 1024 * 1024)
    codec = RowCodec({"a": ColumnType.TEXT})
    small = {"a": "x" * 700_000}

    assert len(getattr(codec, write)([small, small])) > 1
    with pytest.raises(RowError) as caught:
        getattr(codec, write)([small, {"a": "x" * 1_600_000}])

    assert caught.value.message == "row is 1.5 MB; a row holds at most 1 MB"


@pytest.mark.parametrize("write", ["copy_lines", "json_rows"])
def test_a_row_that_is_too_deep_is_refused(write):
    deep = []
    for _ in range(300):
        deep = [deep]
    codec = RowCodec({"a": ColumnType.JSONB})

    with pytest.raises(RowError) as caught:
        getattr(codec, write)([{"a": deep}])

    assert caught.value.message == 'value at "a" is nested deeper than 200 levels, or holds itself'


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_any_storable_text_is_one_field_of_one_line(texts):
    lines = RowCodec({"a": ColumnType.TEXT}).copy_lines([{"a": text} for text in texts])

    assert lines.count(b"\n") == len(texts)
    assert all(line.count(b"\t") == 1 for line in lines.split(b"\n")[:-1])


def test_columns_cannot_be_changed():
    columns = {"a": ColumnType.TEXT}
    codec = RowCodec(columns)
    columns["b"] = ColumnType.TEXT

    assert codec.columns == {"a": ColumnType.TEXT}
    with pytest.raises(TypeError):
        codec.columns["c"] = ColumnType.TEXT
