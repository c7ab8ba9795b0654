"""The table of soft casting, cell by cell."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.rows.codec import RowCodec
from patterns_os.rows.conversions import castable, convert
from patterns_os.rows.forms import MISFIT
from patterns_os.rows.types import ColumnType as C

AWARE = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
NAIVE = AWARE.replace(tzinfo=None)
DAY = dt.date(2024, 5, 6)
TIME = dt.time(7, 8)
D = Decimal
NO = MISFIT

# kind → value
KINDS = {
    "bool": True,
    "int": 12,
    "whole float": 12.0,
    "float": 0.1,
    "nan": float("inf"),
    "whole decimal": D("12.00"),
    "decimal": D("0.10"),
    "text": "abc",
    "text true": "True",
    "text int": "12",
    "text float": "0.10",
    "text zeros": "007",
    "text moment": "2024-05-06T07:08:09Z",
    "text naive": "2024-05-06T07:08:09",
    "text date": "2024-05-06",
    "moment": AWARE,
    "naive": NAIVE,
    "date": DAY,
    "time": TIME,
    "bytes": b"ab",
    "object": {"a": 1},
    "list": [1],
}
# column → kind → what soft casting makes of it; everything else is refused. `hard` is what hard casting takes.
SOFT = {
    C.BOOL: {"bool": True, "text true": True},
    C.BIGINT: {"int": 12, "whole float": 12, "whole decimal": 12, "text int": 12},
    C.DOUBLE: {
        "int": 12.0, "whole float": 12.0, "float": 0.1, "nan": float("inf"), "whole decimal": 12.0,
        "decimal": 0.1, "text int": 12.0, "text float": 0.1,
    },
    C.NUMERIC: {
        "int": D(12), "whole float": D("12.0"), "float": D("0.1"), "whole decimal": D("12.00"),
        "decimal": D("0.10"), "text int": D(12), "text float": D("0.10"),
    },
    C.TEXT: {
        "bool": "true", "int": "12", "whole float": "12.0", "float": "0.1", "whole decimal": "12.00",
        "decimal": "0.10", "moment": "2024-05-06T07:08:09+00:00", "date": "2024-05-06",
        **{kind: value for kind, value in KINDS.items() if kind.startswith("text")},
    },
    C.TIMESTAMPTZ: {"moment": AWARE, "text moment": AWARE},
    C.DATE: {"date": DAY, "text date": DAY},
    C.BYTEA: {"bytes": b"ab"},
    C.JSONB: KINDS,
}  # fmt: skip
HARD = {
    C.BOOL: {"bool"},
    C.BIGINT: {"int"},
    C.DOUBLE: {"int", "whole float", "float", "nan"},
    C.NUMERIC: {"int", "whole decimal", "decimal"},
    C.TEXT: {kind for kind in KINDS if kind.startswith("text")},
    C.TIMESTAMPTZ: {"moment"},
    C.DATE: {"date"},
    C.BYTEA: {"bytes"},
    C.JSONB: set(KINDS),
}
CELLS = [(column, kind) for column in C for kind in KINDS]


@pytest.mark.parametrize(("column", "kind"), CELLS)
def test_soft_casting_turns_what_it_can(column, kind):
    found = convert(KINDS[kind], column, is_soft=True)

    expected = SOFT[column].get(kind, NO)
    assert found is expected or (found == expected and type(found) is type(expected))


@pytest.mark.parametrize(("column", "kind"), CELLS)
def test_hard_casting_takes_what_the_column_takes_as_it_is(column, kind):
    found = convert(KINDS[kind], column, is_soft=False)

    expected = SOFT[column][kind] if kind in HARD[column] else NO
    assert found is expected or (found == expected and type(found) is type(expected))


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (C.BIGINT, 2**63, NO),
        (C.BIGINT, str(2**63 - 1), 2**63 - 1),
        (C.BIGINT, str(2**63), NO),
        (C.BIGINT, "-12", -12),
        (C.BIGINT, "-0", NO),
        (C.BIGINT, "+1", NO),
        (C.BIGINT, " 1", NO),
        (C.BIGINT, "1_000", NO),
        (C.BIGINT, "\u0661", NO),
        (C.BIGINT, 2.0**53, 2**53),
        (C.BIGINT, 2.0**60, NO),
        (C.BIGINT, D("1E+3"), 1000),
        (C.BIGINT, D("1E+999999"), NO),
        (C.BIGINT, D("NaN"), NO),
        (C.BIGINT, float("nan"), NO),
        (C.DOUBLE, 2**53 + 1, NO),
        (C.DOUBLE, D(2**53 + 1), NO),
        (C.DOUBLE, str(2**53 + 1), NO),
        (C.DOUBLE, D("0.33333333333333333333"), 1 / 3),
        (C.DOUBLE, "1e400", NO),
        (C.DOUBLE, D("1e-400"), NO),
        (C.DOUBLE, "nan", NO),
        (C.DOUBLE, D("sNaN"), NO),
        (C.TEXT, D("sNaN"), NO),
        (C.TEXT, D("1E+999999"), "1E+999999"),
        (C.DOUBLE, "1e5", 100000.0),
        (C.NUMERIC, -0.0, D(0)),
        (C.NUMERIC, D("-0.00"), D("0.00")),
        (C.NUMERIC, "1" * 1001, NO),
        (C.NUMERIC, "1e99999", NO),
        (C.NUMERIC, D("NaN"), None),
        (C.TEXT, "a\0b", NO),
        (C.TEXT, "\udc80", NO),
        (C.TEXT, float("nan"), NO),
        (C.BOOL, 1, NO),
        (C.BOOL, "yes", NO),
        (C.TIMESTAMPTZ, "2024-05-06 07:08+02:00", dt.datetime(2024, 5, 6, 5, 8, tzinfo=dt.UTC)),
        (C.TIMESTAMPTZ, "2024-05-06T07:08:09.123456000Z", AWARE.replace(microsecond=123456)),
        (C.TIMESTAMPTZ, "2024-05-06T07:08:09.123456789Z", NO),
        (C.TIMESTAMPTZ, "2024-02-30T07:08:09Z", NO),
        (C.TIMESTAMPTZ, "2024-05-06T24:00:00Z", NO),
        (C.TIMESTAMPTZ, "0001-01-01T00:00:00+05:00", NO),
        (C.TIMESTAMPTZ, "20240506T070809Z", NO),
        (C.TIMESTAMPTZ, "2024-05-06", NO),
        (C.DATE, "2024-02-30", NO),
        (C.DATE, "20240506", NO),
        (C.DATE, "2024-W19-1", NO),
    ],
)
def test_edges(column, value, expected):
    found = convert(value, column, is_soft=True)

    assert expected is None or found is expected or found == expected


def test_a_moment_of_any_zone_is_kept():
    there = AWARE.astimezone(ZoneInfo("Asia/Kolkata"))

    assert convert(there, C.TIMESTAMPTZ, is_soft=False) == AWARE


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.integers().map(str),
    st.floats().map(str),
    st.decimals().map(str),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)).map(dt.datetime.isoformat),
)


@given(SCALARS, st.sampled_from(list(C)), st.booleans())
def test_what_is_cast_is_cast_to_itself_and_written_into_its_column(value, column, is_soft):
    found = convert(value, column, is_soft=is_soft)
    if found is MISFIT:
        return

    again = convert(found, column, is_soft=False)
    assert repr(again) == repr(found) or again == found
    assert "patterns_more" not in RowCodec({"a": column}).json_rows([{"a": found}])[0]


@given(SCALARS, st.sampled_from([C.BIGINT, C.NUMERIC, C.BOOL, C.DATE, C.TIMESTAMPTZ]))
def test_nothing_is_lost(value, column):
    held = convert(value, column, is_soft=True)
    text = MISFIT if held is MISFIT else convert(held, C.TEXT, is_soft=True)

    if text is not MISFIT:
        assert convert(text, column, is_soft=True) in {held, MISFIT}
        assert convert(text, column, is_soft=True) is not MISFIT or isinstance(held, Decimal)


OF_TYPE = {
    C.BOOL: st.booleans(),
    C.BIGINT: st.integers(-(2**63), 2**63 - 1),
    C.DOUBLE: st.floats(),
    C.NUMERIC: st.decimals(allow_nan=False, allow_infinity=False),
    C.TEXT: st.text().filter(lambda text: "\0" not in text and text.isprintable()),
    C.TIMESTAMPTZ: st.datetimes(dt.datetime(2, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001 - a bound
    C.DATE: st.dates(),
    C.BYTEA: st.binary(),
    C.JSONB: st.lists(st.integers()),
}


@given(st.data(), st.sampled_from(list(C)), st.sampled_from(list(C)), st.booleans())
def test_the_types_alone_tell_the_same_as_the_values(data, given_type, column, is_soft):
    told = castable(given_type, column, is_soft=is_soft)

    held = convert(data.draw(OF_TYPE[given_type]), column, is_soft=is_soft)

    assert told == "sometimes" or (held is not MISFIT) == (told == "always")
