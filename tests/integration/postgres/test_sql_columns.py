"""What is told of the columns of SQL, compared with Postgres: their names, their types, and where they come from."""

import itertools
import random

import psycopg
import pytest
from psycopg import sql

from patterns_os.graph.sql import analyse_sql
from patterns_os.graph.sql_columns import SqlColumns, trace_sql
from patterns_os.launcher.sql import _STORED_AS
from patterns_os.rows.types import ColumnType

COLUMNS = {
    "b": "bool", "i": "bigint", "d": "double", "t": "text", "z": "timestamptz", "a": "date", "n": "numeric",
    "y": "bytea", "j": "jsonb",
}  # fmt: skip
VALUES = (
    "1", "1.5", "'x'", "null", "true", "interval '1 day'", "date '2020-01-01'", "now()", "localtimestamp",
    "1::float4", "'{}'::json", "99999999999", "array[1, 2]",
)  # fmt: skip
OPERATORS = (
    "+", "-", "*", "/", "%", "||", "=", "<", "and", "->", "->>", "&", "^", "<<", "is distinct from", "like", "~",
)  # fmt: skip
ONE_ARGUMENT = (
    "sum", "avg", "min", "max", "count", "array_agg", "json_agg", "jsonb_agg", "bool_and", "every", "stddev",
    "variance", "length", "lower", "upper", "trim", "ltrim", "md5", "to_json", "to_jsonb", "age", "abs", "round",
    "floor", "ceil", "ceiling", "trunc", "sign", "sqrt", "exp", "ln", "reverse", "initcap", "unnest",
    "jsonb_array_length", "jsonb_typeof", "jsonb_object_keys", "to_timestamp", "any_value", "cardinality", "ascii",
)  # fmt: skip
FORMS = (
    "coalesce({0}, {1})", "nullif({0}, {1})", "greatest({0}, {1})", "case when b then {0} else {1} end",
    "round({0}, {1})", "power({0}, {1})", "mod({0}, {1})", "concat({0}, {1})", "generate_series({0}, {1})",
    "lag({0}) over (order by {1})",
)  # fmt: skip
FORMS_OF_ONE = (
    "date_trunc('day', {0})", "extract(epoch from {0})", "{0} at time zone 'utc'", "to_char({0}, 'x')",
    "substring({0}, 1)", "substring({0} from 1 for 2)", "{0} is null", "not {0}", "-({0})", "({0})::int",
    "({0})::text", "({0})::numeric(9, 2)", "({0})::date", "({0})::jsonb", "({0})::smallint", "({0})::varchar(3)",
    "row_number() over (order by {0})", "percentile_cont(0.5) within group (order by {0})",
    "mode() within group (order by {0})", "string_agg({0}, ',')", "split_part({0}, ',', 1)", "strpos({0}, 'x')",
    "jsonb_build_object('a', {0})", "exists(select {0})", "(select {0})", "array(select {0})", "array[{0}]",
    "{0} in (select {0})", "encode({0}, 'hex')", "first_value({0}) over ()", "{0} between {0} and {0}", "({0})[1]",
    "to_date({0}, 'x')", "string_to_array({0}, ',')", "count(*) filter (where {0})", "{0} #>> '{{a}}'",
)  # fmt: skip
OTHERS = (
    "current_date", "current_timestamp", "current_user", "random()", "gen_random_uuid()", "null", "count(*)", "E'a'",
    "x'1f'", "(q).i", "q.i", 'i as "A b"', "sum(1)", "sum(case when b then i else 0 end)", "sum(n) / count(*)",
    "trim(leading 'x' from t)", "j -> 'a' -> 'b'", "(j -> 'a') ->> 'b'", "j['a']", "t || i", "z - a", "a - 1",
    "make_date(1, 2, 3)", "q", "row_to_json(q)", "grouping(i)", "position('x' in t)", "overlay(t placing 'x' from 1)",
)  # fmt: skip


def expressions() -> list[str]:
    given = [*COLUMNS, *VALUES]
    pairs = list(itertools.product(given, given))
    found = [f"{left} {operator} {right}" for (left, right), operator in itertools.product(pairs, OPERATORS)]
    found += [form.format(left, right) for (left, right), form in itertools.product(pairs, FORMS)]
    found += [f"{function}({one})" for function, one in itertools.product(ONE_ARGUMENT, given)]
    return [*found, *(form.format(one) for form, one in itertools.product(FORMS_OF_ONE, given)), *OTHERS]


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def lay(connection: psycopg.Connection, table: str, columns: dict[str, str]) -> None:
    parts = [sql.SQL("patterns_id text")]
    parts += [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(ColumnType(kind).sql))
        for name, kind in columns.items()
    ]
    connection.execute(
        sql.SQL("create table {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(parts))
    )


def described(connection: psycopg.Connection, query: str) -> list[tuple[str, str]] | None:
    """Give names and column types of what a query gives, `None` where Postgres refuses it."""
    try:
        cursor = connection.execute(sql.SQL("select * from ({}) answer limit 0").format(sql.SQL(query)))
    except psycopg.Error:
        return None
    found = []
    for column in cursor.description or ():
        kind = connection.adapters.types.get(column.type_code)
        # The registry gives the kind of the elements for an array.
        name = kind.name if kind is not None and kind.oid == column.type_code else ""
        found.append((column.name, str(_STORED_AS.get(name, ColumnType.TEXT))))
    return [(name, kind) for name, kind in found if not name.startswith("patterns_")]


def traced(query: str, shapes: dict[str, dict[str, str]]) -> SqlColumns:
    script = analyse_sql("q.sql", query.encode(), {}, {})
    assert script.traced is not None, (query, script.diagnostics)
    return trace_sql(script.traced, shapes)


@pytest.mark.timeout(600)
def test_names_and_types_of_expressions_are_those_of_postgres(connection):
    lay(connection, "q", COLUMNS)
    compared, typed, wrong = 0, 0, []
    chance = random.Random(5)
    tried = expressions()
    # All pairs take minutes; each run of this seed takes the same part of them.
    for expression in [*chance.sample(tried, 4_000), *OTHERS]:
        query = f"select {expression} from q"
        given = described(connection, query)
        if given is None:
            continue
        found = traced(query, {"q": COLUMNS})
        compared += 1
        typed += all(flow.type is not None for flow in found.flows)
        same = all(flow.type in {None, kind} for flow, (_, kind) in zip(found.flows, given, strict=True))
        if (
            [flow.column for flow in found.flows] != [name for name, _ in given]
            or not same
            or found.diagnostics
        ):
            wrong.append((expression, given, found))

    assert wrong == []
    assert compared > 700
    assert typed > 0.85 * compared


SHAPES = {
    "t": {"a": "bigint", "b": "text", "c": "numeric"},
    "u": {"a": "bigint", "d": "text", "e": "bigint"},
}


class Writer:
    """Writes random queries over the tables of `SHAPES`."""

    def __init__(self, seed: str, *, filters: bool) -> None:
        self.chance, self.filters, self.names = random.Random(seed), filters, 0

    def query(self, depth: int, seen: dict[str, list[str]]) -> tuple[str, list[str]]:
        """Give a query and the names of its columns."""
        form = self.chance.random()
        if depth > 0 and form < 0.2:
            name, (inner, columns) = self.name("w"), self.query(depth - 1, seen)
            text, names = self.query(depth - 1, {**seen, name: columns})
            return f"with {name} as ({inner}) {text}", names
        if depth > 0 and form < 0.35:
            first, names = self.casted(depth - 1, seen)
            second, _ = self.casted(depth - 1, seen)
            return f"({first}) union all ({second})", names
        return self.select(depth, seen)

    def casted(self, depth: int, seen: dict[str, list[str]]) -> tuple[str, list[str]]:
        text, names = self.query(depth, seen)
        picked = [self.chance.choice(names), self.chance.choice(names)]
        named = [self.name("k"), self.name("k")]
        cells = ", ".join(f"({old})::text as {new}" for old, new in zip(picked, named, strict=True))
        return f"select {cells} from ({text}) as inside", named

    def select(self, depth: int, seen: dict[str, list[str]]) -> tuple[str, list[str]]:
        sources = [self.source(depth, seen) for _ in range(self.chance.randint(1, 2))]
        scope = [(alias, column) for _, alias, columns in sources for column in columns]
        text = sources[0][0]
        for joined, alias, columns in sources[1:]:
            common = [column for column in columns if column in sources[0][2]]
            if self.filters and common and self.chance.random() < 0.5:
                shared = self.chance.choice(common)
                side = self.chance.choice(("", "left ", "right ", "full "))
                text += f" {side}join {joined} using ({shared})"
            else:
                text += f" cross join {joined}"
            del alias
        cells, names = [], []
        for _ in range(self.chance.randint(1, 3)):
            names.append(self.name("x"))
            cells.append(f"{self.cell(scope, depth, seen)} as {names[-1]}")
        if self.filters and self.chance.random() < 0.3:
            cells.append(self.chance.choice(["*", f"{sources[0][1]}.*"]))
        where = (
            f" where {self.reference(scope)} is not null"
            if self.filters and self.chance.random() < 0.3
            else ""
        )
        return f"select {', '.join(cells)} from {text}{where}", names

    def source(self, depth: int, seen: dict[str, list[str]]) -> tuple[str, str, list[str]]:
        alias = self.name("s")
        if depth > 0 and self.chance.random() < 0.4:
            text, names = self.query(depth - 1, seen)
            if self.chance.random() < 0.3:
                new = [self.name("r") for _ in names[:1]]
                return f"({text}) as {alias}({', '.join(new)})", alias, new + names[1:]
            return f"({text}) as {alias}", alias, names
        tables = {name: list(columns) for name, columns in SHAPES.items()} | seen
        name = self.chance.choice(sorted(tables))
        return f"{name} as {alias}", alias, tables[name]

    def cell(self, scope: list[tuple[str, str]], depth: int, seen: dict[str, list[str]]) -> str:
        first, second = self.reference(scope), self.reference(scope)
        forms = [
            first, first, f"coalesce({first}::text, {second}::text)", f"{first}::text || {second}::text",
            f"case when {first} is null then 'x' else {second}::text end", "1", f"count({first}) over ()",
            f"max({first}::text) over (partition by {second})", f"jsonb_build_object('k', {first}) ->> 'k'",
            f"row_number() over (order by {first}::text)",
        ]  # fmt: skip
        if depth > 0:
            inner, alias, columns = self.source(0, seen)
            picked = f"{alias}.{self.chance.choice(columns)}"
            forms += [
                f"(select max({picked}::text) from {inner})",
                f"(select min({picked}::text || {first}::text) from {inner})",
                f"exists (select 1 from {inner} where {picked}::text = {first}::text)",
            ]
        return self.chance.choice(forms)

    def reference(self, scope: list[tuple[str, str]]) -> str:
        alias, column = self.chance.choice(scope)
        is_plain = sum(column == other for _, other in scope) == 1 and self.chance.random() < 0.4
        return column if is_plain else f"{alias}.{column}"

    def name(self, letter: str) -> str:
        self.names += 1
        return f"{letter}{self.names}"


@pytest.fixture
def tables(connection):
    for name, columns in SHAPES.items():
        lay(connection, name, columns)
    connection.execute(
        "insert into t values ('1', 1, 'one', 1.5), ('2', 2, null, 2.5), ('3', 3, 'three', null)"
    )
    connection.execute("insert into u values ('4', 1, 'x', 7), ('5', 2, 'y', null)")
    return connection


def test_random_queries_have_the_columns_that_postgres_gives(tables):
    compared = 0
    for number in range(400):
        query, _ = Writer(f"names/{number}", filters=True).query(3, {})
        given = described(tables, query)
        if given is None:
            continue
        compared += 1
        found = traced(query, SHAPES)
        names = list(dict.fromkeys(name for name, _ in given))
        once = {name: kind for name, kind in given if sum(name == other for other, _ in given) == 1}
        # Postgres gives two columns of one name, and no table can hold them.
        assert [one for one in found.diagnostics if one.code != "duplicate-column"] == [], query
        assert [flow.unknown for flow in found.flows if flow.unknown] == [], query
        assert [flow.column for flow in found.flows] == names, query
        assert all(flow.type in {None, once.get(flow.column, flow.type)} for flow in found.flows), query

    assert compared > 250


CHANGES = {
    ("t", "a"): "update t set a = a + 100",
    ("t", "b"): "update t set b = coalesce(b, '') || '!'",
    ("t", "c"): "update t set c = coalesce(c, 0) + 1000",
    ("u", "a"): "update u set a = a + 100",
    ("u", "d"): "update u set d = d || '?'",
    ("u", "e"): "update u set e = coalesce(e, 0) + 1000",
}


@pytest.mark.parametrize("shapes", [SHAPES, {}], ids=["columns known", "columns not known"])
def test_what_changes_with_a_column_is_told_to_come_from_it(tables, shapes):
    """Without filters and joins on values, a column of the answer changes only with what its values come from."""
    changed = 0
    for number in range(160):
        query, _ = Writer(f"flows/{number}", filters=False).query(3, {})
        if described(tables, query) is None:
            continue
        flows = {flow.column: flow for flow in traced(query, shapes).flows}
        before = answer(tables, query)
        for (table, column), change in CHANGES.items():
            with tables.transaction(force_rollback=True):
                tables.execute(change)
                after = answer(tables, query)
            for name in before:
                if before[name] == after[name]:
                    continue
                changed += 1
                told = {(source.table, source.column) for source in flows[name].sources}
                assert told & {(table, column), (table, "*")} or flows[name].unknown, (
                    query,
                    name,
                    table,
                    column,
                )

    assert changed > 250


def answer(connection: psycopg.Connection, query: str) -> dict[str, set[str]]:
    cursor = connection.execute(sql.SQL(query))
    rows = cursor.fetchall()
    return {column.name: {str(row[at]) for row in rows} for at, column in enumerate(cursor.description or ())}
