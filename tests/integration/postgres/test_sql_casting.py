"""What a statement gives is cast as what a script appends: the database's own answers are the caster's."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from patterns_os.launcher.sql_casting import GivenColumn, Sorted, stage_fitting
from patterns_os.rows.casting import compile_casts
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.tagging import from_json
from patterns_os.rows.types import ColumnType as C

pytestmark = pytest.mark.postgres

NOON = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
VALUES: Mapping[C, list[Any]] = {
    C.BOOL: [True, False, None],
    C.BIGINT: [0, 1, -7, 2**53, 2**53 + 1, -(2**63), 2**63 - 1, None],
    C.DOUBLE: [0.0, 1.0, 0.1, 1e300, 2.0**53, 2.0**60, float("inf"), float("-inf"), float("nan"), None],
    C.NUMERIC: [
        Decimal(text)
        for text in (
            "0",
            "1",
            "1.00",
            "0.1",
            "0.33333333333333333333",
            "9223372036854775808",
            "1e-320",
            "NaN",
        )
    ],
    C.TEXT: [
        "",
        "abc",
        "12",
        "007",
        "0.10",
        "true",
        "2024-05-06",
        "2024-05-06T12:00:00Z",
        "a\tb\\c\nd",
        None,
    ],
    C.TIMESTAMPTZ: [NOON, None],
    C.DATE: [dt.date(2024, 5, 6), dt.date(1, 1, 1), None],
    C.BYTEA: [b"\x00\xff", None],
    C.JSONB: [{"a": 1}, [1], 1, "text", None],
}
RULES: list[dict[str, Any]] = [
    {},
    {"minimum": 0, "exclusiveMaximum": 2},
    {"exclusiveMinimum": -8, "maximum": 0.5},
    {"minLength": 1, "maxLength": 3},
    {"enum": [1, "abc", True, "2024-05-06"]},
    {"pattern": "^[a-z0-9]+$"},
]


async def stage(
    connection: psycopg.AsyncConnection[Any],
    statement: str,
    columns: list[GivenColumn],
    schema: TableSchema,
    *,
    most: int = 10**6,
) -> tuple[Sorted, list[tuple[Any, ...]]]:
    """Give how the rows of a statement went, and what is in the staging table then."""
    laid = "".join(f'"{column.name}" {column.stored.sql}, ' for column in columns)
    await connection.execute("drop table if exists pg_temp.stage")
    await connection.execute(f"create temporary table stage ({laid}patterns_more jsonb)".encode())
    async with connection.transaction():
        done = await stage_fitting(
            connection,
            sql.SQL(statement),
            columns,
            compile_casts(schema),
            stage=sql.SQL("stage"),
            most_refused=most,
        )
    return done, await (await connection.execute("select * from stage", prepare=False)).fetchall()


def staged(
    database: str, statement: str, columns: list[GivenColumn], schema: TableSchema, **options: int
) -> tuple[Sorted, list[tuple[Any, ...]]]:
    async def run() -> tuple[Sorted, list[tuple[Any, ...]]]:
        async with await connected(database) as connection:
            return await stage(connection, statement, columns, schema, **options)

    return asyncio.run(run())


async def connected(database: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(database, autocommit=True, options="-c timezone=UTC")


def schemas(column: C) -> Iterator[TableSchema]:
    """Give the schemas to try: all rules softly, and what else may be declared without any."""
    for rules in RULES:
        yield TableSchema(fields=(FieldSchema(name="a", type=column, rules=rules),))
    yield TableSchema(fields=(FieldSchema(name="a", type=column, nullable=False),))
    yield TableSchema(fields=(FieldSchema(name="a", type=column),), casting="hard")


@pytest.mark.parametrize("given", list(C))
def test_a_statement_may_give_what_a_script_may_append(given, database):
    values = VALUES[given]
    written = [Jsonb(v) if given is C.JSONB and v is not None else v for v in values]
    lines = ", ".join(f"((%s)::{given.sql})" for _ in values)

    async def compare() -> None:
        async with await connected(database) as connection:
            statement = psycopg.AsyncClientCursor(connection).mogrify(
                f"select a from (values {lines}) v(a)", written
            )
            for column in C:
                columns = [GivenColumn(name="a", kind=given, as_text=False, stored=column)]
                for schema in schemas(column):
                    done, rows = await stage(connection, statement, columns, schema)
                    fitting, refused = compile_casts(schema).sort_out([{"a": value} for value in values])
                    told = [(one.number, one.reason) for one in done.refused]
                    assert told == [(one.number, one.reason) for one in refused], schema
                    in_table = [normal(from_json(row[0])) for row in rows]
                    assert repr(in_table) == repr([normal(row["a"]) for row in fitting]), schema
                    assert done.given == len(values)

    asyncio.run(compare())


def normal(value: Any) -> Any:
    """Give equal values as the same."""
    if isinstance(value, Decimal):
        return value.normalize()
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value


def test_rows_stay_in_the_order_of_the_statement(database):
    schema = TableSchema(fields=(FieldSchema(name="a", type=C.BIGINT),))
    columns = [
        GivenColumn(name="n", kind=C.BIGINT, as_text=False, stored=C.BIGINT),
        GivenColumn(name="a", kind=C.TEXT, as_text=False, stored=C.BIGINT),
    ]
    statement = (
        "select n, case when n % 3 = 0 then null when n % 1000 = 1 then 'x' else n::text end as a "
        "from generate_series(20000, 1, -1) n order by n desc"
    )

    done, rows = staged(database, statement, columns, schema)

    numbers = [row[0] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert (done.given, done.staged, len(done.refused)) == (20_000, len(rows), 20_000 - len(rows))
    assert {row[2] for row in rows} == {None}


def test_it_gives_up_after_so_many_refused_rows(database):
    schema = TableSchema(fields=(FieldSchema(name="a", type=C.BIGINT, rules={"minimum": 10}),))
    columns = [GivenColumn(name="a", kind=C.BIGINT, as_text=False, stored=C.BIGINT)]

    done, rows = staged(database, "select n as a from generate_series(1, 20) n", columns, schema, most=3)

    assert (done.given, len(done.refused) > 3, rows) == (20, True, [])


def test_a_moment_without_a_zone_is_refused_and_other_types_are_taken_as_text(database):
    fields = (
        FieldSchema(name="at", type=C.TIMESTAMPTZ),
        FieldSchema(name="id", type=C.TEXT, rules={"minLength": 36}),
    )
    columns = [
        GivenColumn(name="at", kind=None, as_text=False, stored=C.TIMESTAMPTZ),
        GivenColumn(name="id", kind=C.TEXT, as_text=True, stored=C.TEXT),
    ]
    statement = (
        "select at, gen_random_uuid() as id from (values (null::timestamp), ('2024-05-06 07:08')) v(at)"
    )

    done, rows = staged(database, statement, columns, TableSchema(fields=fields))

    assert [one.reason for one in done.refused] == [
        'column "at" is the moment 2024-05-06T07:08:00 without a time zone; expected timestamptz'
    ]
    assert len(rows) == 1


def test_a_column_that_is_missing_or_too_much_is_told_row_by_row(database):
    fields = (FieldSchema(name="a", type=C.BIGINT, nullable=False),)
    columns = [GivenColumn(name="b", kind=C.BIGINT, as_text=False, stored=C.BIGINT)]

    soft, _ = staged(database, "select 1 as b", columns, TableSchema(fields=fields))
    hard, _ = staged(database, "select 1 as b", columns, TableSchema(fields=fields, casting="hard"))

    assert [one.reason for one in soft.refused] == ['column "a" is missing; expected bigint']
    assert [one.reason for one in hard.refused] == ['column "b" is not declared; declared: "a"']
