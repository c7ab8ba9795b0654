"""Every table that real SQL refers to is found, and every column of TPC-H is followed to its sources.

What is found in a statement is compared with what Postgres' own grammar (`pglast`) says of it. What that grammar
refuses (statements of other dialects) is compared with the names behind `from` and `join`. All 121 queries of
TPC-H and TPC-DS are statements that Postgres takes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from patterns_os.graph.sql import SqlScript, analyse_sql
from patterns_os.graph.sql_columns import SqlColumns, trace_sql
from patterns_os.launcher.sql import _STORED_AS
from patterns_os.rows.types import ColumnType, parse_type

sys.path.insert(0, str(Path(__file__).parent))

from sql_corpus import Corpus, UnreachableError, fetch_corpus, postgres_tables, worded_tables

pytestmark = pytest.mark.timeout(600)

# What the parser gives up on, and says so: none of these is a statement that a node can be.
NOT_UNDERSTOOD = "the parser does not know the statement"
# A text as the name of a query, which words alone do not show.
NOT_WORDED = {"WITH 'x' AS (SELECT 1) SELECT * FROM x"}


@pytest.fixture(scope="session")
def corpus(pytestconfig: pytest.Config) -> Corpus:
    assert pytestconfig.cache is not None
    try:
        return fetch_corpus(pytestconfig.cache.mkdir("corpus"))
    except UnreachableError as error:
        pytest.skip(f"the corpus of SQL cannot be downloaded: {error}")


def analyse(text: str, dialect: str = "postgres") -> SqlScript:
    return analyse_sql("q.sql", text.encode(), {}, {}, dialect)


def tables(script: SqlScript) -> set[str]:
    named = {
        use.name for use in script.analysis.uses if use.kind == "table" and not use.detail.get("implicit")
    }
    outside = {unknown.reason.split('"')[1] for unknown in script.analysis.unknown if '"' in unknown.reason}
    return {name.lower() for name in named | outside}


def expected_tables(text: str) -> set[str] | None:
    found = postgres_tables(text)
    return None if found is None else {".".join(filter(None, table)).lower() for table in found}


@pytest.mark.parametrize(("name", "count"), [("tpc-h", 22), ("tpc-ds", 99)])
def test_every_table_of_a_benchmark_is_found_and_no_other(corpus, name, count):
    queries = corpus.queries(name)

    assert len(queries) == count
    for query in queries:
        assert tables(analyse(query)) == expected_tables(query), query


def test_every_table_of_the_dialect_fixtures_is_found(corpus):
    checked, refused, missed = 0, 0, []
    for dialect, text in corpus.statements():
        # Where the grammar of Postgres takes it, both read it as Postgres.
        expected = expected_tables(text)
        script = analyse(text, dialect if expected is None else "postgres")
        if script.traced is None:
            refused += 1
            continue
        lost = any(unknown.reason == NOT_UNDERSTOOD for unknown in script.analysis.unknown)
        wanted = worded_tables(text) if expected is None else expected
        checked += 1
        if not lost and wanted - tables(script) and text not in NOT_WORDED:
            missed.append((dialect, text, wanted - tables(script)))

    assert missed == []
    assert checked > 5_000
    assert refused < 0.06 * checked


def traces(corpus: Corpus, name: str, schema: str) -> Iterator[tuple[str, SqlColumns]]:
    shapes = shapes_of(corpus, schema)
    for query in corpus.queries(name):
        script = analyse(query)
        assert script.traced is not None
        yield query, trace_sql(script.traced, shapes)


def shapes_of(corpus: Corpus, schema: str) -> dict[str, dict[str, str | None]]:
    return {
        table: {name: str(parse_type({"string": "text"}.get(kind, kind))) for name, kind in columns.items()}
        for table, columns in corpus.schema(schema).items()
    }


def test_every_column_of_tpc_h_is_followed(corpus):
    for query, traced in traces(corpus, "tpc-h", "TPCH_SCHEMA"):
        assert traced.diagnostics == (), query
        assert [flow for flow in traced.flows if flow.unknown is not None] == [], query


# An alias within an expression of `order by`, which Postgres refuses too.
REFUSED_BY_POSTGRES = 3
WITH_A_NAME_TWICE = 4


def test_every_column_of_tpc_ds_is_followed(corpus):
    unknown = [
        flow
        for _, traced in traces(corpus, "tpc-ds", "TPCDS_SCHEMA")
        for flow in traced.flows
        if flow.unknown
    ]
    told = [
        codes
        for _, traced in traces(corpus, "tpc-ds", "TPCDS_SCHEMA")
        if (codes := {found.code for found in traced.diagnostics})
    ]

    assert unknown == []
    # Postgres shows two columns of one name, and makes no table of them.
    assert sorted(map(sorted, told)) == [
        *[["duplicate-column"]] * WITH_A_NAME_TWICE,
        *[["unknown-column"]] * REFUSED_BY_POSTGRES,
    ]


def test_columns_are_called_and_typed_as_postgres_does(corpus, database):
    compared = 0
    with psycopg.connect(database, autocommit=True) as connection:
        for name, schema in (("tpc-h", "TPCH_SCHEMA"), ("tpc-ds", "TPCDS_SCHEMA")):
            for table, columns in shapes_of(corpus, schema).items():
                defined = [("patterns_id", ColumnType.TEXT.sql)]
                defined += [(column, ColumnType(kind).sql) for column, kind in columns.items()]
                parts = [
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in defined
                ]
                connection.execute(
                    sql.SQL("create table {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(parts))
                )
            for query, traced in traces(corpus, name, schema):
                try:
                    given = described(connection, query)
                except psycopg.Error:
                    # The fixtures keep dates as text, and some compare them with dates.
                    continue
                compared += 1
                assert {flow.column for flow in traced.flows} == given.keys(), query
                told = {flow.column: flow.type for flow in traced.flows if flow.type is not None}
                assert {name: given[name] or kind for name, kind in told.items()} == told, query
            connection.execute("drop schema public cascade; create schema public")

    assert compared > 90


def described(connection: psycopg.Connection, query: str) -> dict[str, str | None]:
    """Give the column types by name, `None` where several columns have the name."""
    cursor = connection.execute(sql.SQL("select * from ({}) q limit 0").format(sql.SQL(query)))
    kinds: dict[str, str | None] = {}
    for column in cursor.description or ():
        kind = connection.adapters.types.get(column.type_code)
        stored = str(_STORED_AS.get(kind.name if kind else "", ColumnType.TEXT))
        kinds[column.name] = stored if column.name not in kinds else None
    return kinds
