import pytest

from patterns_os.rows.types import ColumnType, parse_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bool", ColumnType.BOOL),
        ("Boolean", ColumnType.BOOL),
        ("int", ColumnType.BIGINT),
        ("Integer NotNull", ColumnType.BIGINT),
        ("float", ColumnType.DOUBLE),
        ("double  precision", ColumnType.DOUBLE),
        ("number", ColumnType.DOUBLE),
        ("str", ColumnType.TEXT),
        ("Text(255) not null", ColumnType.TEXT),
        ("character varying(20)", ColumnType.TEXT),
        ("DateTime(timezone=False)", ColumnType.TIMESTAMPTZ),
        ("timestamp(6) with time zone", ColumnType.TIMESTAMPTZ),
        ("date", ColumnType.DATE),
        ("Decimal(16,2)", ColumnType.NUMERIC),
        ("bytes", ColumnType.BYTEA),
        ("Struct Nullable", ColumnType.JSONB),
        ("text[]", ColumnType.JSONB),
        ("Json", ColumnType.JSONB),
        ("", None),
        ("not null", None),
        ("money", None),
    ],
)
def test_an_authors_word_names_a_column_type(text, expected):
    assert parse_type(text) is expected


@pytest.mark.parametrize("column_type", ColumnType)
def test_every_type_is_read_back_from_its_name_and_its_sql(column_type):
    assert parse_type(column_type.value) is column_type
    assert parse_type(column_type.sql) is column_type
