"""Rows of every kind go through a real Postgres and come back: by COPY, and by jsonb_to_recordset."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from patterns_os.rows.codec import MORE, RowCodec
from patterns_os.rows.columns import infer_column_types
from patterns_os.rows.types import ColumnType

pytestmark = pytest.mark.postgres

ZONES = st.none() | st.integers(-840, 840).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
TEXTS = st.text(st.characters(), max_size=5) | st.sampled_from(
    ["\0", "\ud800", "\\N", "\\.", "\t\n\r\\", '"', "null", "$int"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1]),
    st.floats(),
    st.sampled_from([-0.0, 1e15, 1e16, 1e22, 1.5e300, 5e-324, 1.7976931348623157e308]),
    TEXTS,
    st.binary(max_size=5),
    st.decimals(),
    st.sampled_from([Decimal("1E-16383"), Decimal("1E-16384"), Decimal("1E+131072"), Decimal("1E+2")]),
    st.datetimes(timezones=ZONES),
    st.dates(),
    st.times(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["a", "b", "c", "C", "$d", "", "patterns_id", "key with\0", "xmin", "quo\"te'", "%s"])
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), min_size=1, max_size=4)
COLUMNS = st.dictionaries(st.sampled_from(["a", "b", "quo\"te'"]), st.sampled_from(list(ColumnType)))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ROWS, COLUMNS)
@pytest.mark.parametrize("way", ["copy", "recordset"])
def test_every_row_comes_back_equal(connection, way, rows, known):
    columns = known | infer_column_types(rows, known)
    codec = RowCodec(columns)
    create(connection, columns)

    write_by[way](connection, codec, rows)

    found = read(connection, codec)
    for row, back in zip(rows, found, strict=True):
        assert is_same(row, {key: back[key] for key in row}), (row, back)
        assert all(back[key] is None for key in back.keys() - row.keys())


def test_numbers_that_another_writer_left_in_jsonb_are_read_as_they_are(connection):
    codec = RowCodec({"a": ColumnType.JSONB})
    create(connection, codec.columns)
    connection.execute("""insert into codec (a) values ('[1.0, 10, 1e2, 0.5]')""")

    assert read(connection, codec) == [{"a": [1.0, 10, 100, 0.5]}]


def create(connection, columns):
    connection.execute("drop table if exists codec")
    connection.execute(
        sql.SQL("create temporary table codec ({}, n bigint generated always as identity)").format(
            shape(columns)
        )
    )


def shape(columns: Mapping[str, ColumnType]):
    named = {**{name: kind.sql for name, kind in columns.items()}, MORE: "jsonb"}
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in named.items()
    )


def names(codec):
    return sql.SQL(", ").join(map(sql.Identifier, (*codec.columns, MORE)))


def copy(connection, codec, rows):
    statement = sql.SQL("copy codec ({}) from stdin").format(names(codec))
    with connection.cursor() as cursor, cursor.copy(statement) as target:
        target.write(codec.copy_lines(rows))


def recordset(connection, codec, rows):
    statement = sql.SQL("insert into codec ({0}) select {0} from jsonb_to_recordset(%s) as r({1})").format(
        names(codec), shape(codec.columns)
    )
    connection.execute(statement, (orjson.dumps(codec.json_rows(rows)).decode(),))


write_by = {"copy": copy, "recordset": recordset}


def read(connection, codec):
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql.SQL("select {} from codec order by n").format(names(codec)))
        return codec.decode_rows(cursor.fetchall())


def is_same(given, back):
    """Equal, with nan as itself; numbers may have become those of their column, nothing else its type."""
    if isinstance(given, dict):
        return given.keys() == back.keys() and all(is_same(given[key], back[key]) for key in given)
    if isinstance(given, list):
        return len(given) == len(back) and all(map(is_same, given, back))
    if isinstance(given, float) or (isinstance(given, Decimal) and given.is_nan()):
        return repr(given) == repr(back)
    if type(given) is int and type(back) in (float, Decimal):
        return given == back
    return type(given) is type(back) and given == back


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("set timezone to 'UTC'")
        yield connection
