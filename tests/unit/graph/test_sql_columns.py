import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.sql import analyse_sql
from patterns_os.graph.sql_columns import trace_sql
from patterns_os.graph.vertices import EVERY_COLUMN

SHAPES = {
    "orders": {"id": "bigint", "customer": "bigint", "amount": "numeric", "at": "timestamptz"},
    "customers": {"id": "bigint", "name": "text", "active": "bool", "document": "jsonb"},
}


def trace(source, shapes=SHAPES, dialect="postgres"):
    script = analyse_sql("q.sql", source.encode(), {}, {}, dialect)
    assert script.traced is not None, script.diagnostics
    return trace_sql(script.traced, shapes)


def shown(flow):
    sources = ", ".join(f"{source.table}.{source.column}" for source in flow.sources)
    told = [f"{flow.column} <- {sources}".rstrip(), str(flow.derivation)]
    if flow.type is not None:
        told.append(flow.type)
    if flow.nullable is not None:
        told.append("nullable" if flow.nullable else "never null")
    if flow.unknown is not None:
        told.append(f"unknown: {flow.unknown.reason}")
    return "; ".join(told if flow.table == "output_table" else [f"{flow.table}.{told[0]}", *told[1:]])


def flows(source, shapes=SHAPES, dialect="postgres"):
    found = trace(source, shapes, dialect)
    assert found.diagnostics == ()
    return [shown(flow) for flow in found.flows]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "select id, o.amount as paid, amount * 2 as twice, now() as made, 'x' as kind from orders o",
            [
                "id <- orders.id; copied; bigint",
                "paid <- orders.amount; copied; numeric",
                "twice <- orders.amount; computed; numeric",
                "made <-; constant; timestamptz; never null",
                "kind <-; constant; text; never null",
            ],
            id="columns, aliases, constants",
        ),
        pytest.param(
            "select * from orders",
            [
                "id <- orders.id; copied; bigint",
                "customer <- orders.customer; copied; bigint",
                "amount <- orders.amount; copied; numeric",
                "at <- orders.at; copied; timestamptz",
            ],
            id="a star where the columns are known, without what rows have by themselves",
        ),
        pytest.param(
            "select patterns_id as row from orders",
            ["row <- orders.patterns_id; copied; text; never null"],
            id="every row has an identity",
        ),
        pytest.param(
            "select * from clicks",
            ['* <- clicks.*; copied; unknown: the columns of "clicks" are not known'],
            id="a star where they are not",
        ),
        pytest.param(
            "select c.*, id from clicks c join orders on orders.id = c.id",
            [
                '* <- clicks.*; copied; unknown: the columns of "clicks" are not known',
                "id <- orders.id; copied; bigint",
            ],
            id="a name that a known table has is its column: a query that runs has one meaning for a name",
        ),
        pytest.param(
            "select page from clicks, orders",
            ["page <- clicks.page; copied"],
            id="a name that no known table has is of the only other one",
        ),
        pytest.param(
            "select page, count(*) as n from clicks, visits group by page",
            [
                'page <-; computed; unknown: "page" may come from "clicks" or "visits"',
                "n <- clicks.*, visits.*; computed; bigint; never null",
            ],
            id="a name that two unknown tables may have",
        ),
        pytest.param(
            "with a as (select * from clicks), b as (select page, x.user from a as x) select * from b",
            ["page <- clicks.page; copied", "user <- clicks.user; copied"],
            id="through the star of an unknown table",
        ),
        pytest.param(
            "with a as (select * from clicks, visits) select page from a",
            ['page <-; computed; unknown: "page" may come from "clicks" or "visits"'],
            id="not through the star of two",
        ),
        pytest.param(
            "with paid as (select customer, sum(amount) as total from orders group by 1) "
            "select name, coalesce(total, 0) as total from customers left join paid on customer = id",
            [
                "name <- customers.name; copied; text",
                "total <- orders.amount; computed; numeric; never null",
            ],
            id="common table expressions and joins",
        ),
        pytest.param(
            "with recursive r(n, m) as (select id, amount from orders union all select m, n from r) "
            "select * from r",
            [
                "n <- orders.amount, orders.id; copied; numeric",
                "m <- orders.amount, orders.id; copied; numeric",
            ],
            id="recursion carries columns on",
        ),
        pytest.param(
            "select (select max(amount) from orders o where o.customer = c.id) as top, "
            "exists (select 1 from orders o where o.customer = c.id) as buys from customers c",
            [
                "top <- orders.amount; computed; numeric",
                "buys <- customers.id, orders.customer; computed; bool; never null",
            ],
            id="queries in the place of values",
        ),
        pytest.param(
            "select id from orders union select id from customers except select amount from orders",
            ["id <- customers.id, orders.id; copied; numeric"],
            id="set operations: what is taken away adds nothing",
        ),
        pytest.param(
            "select id, 1 as n from orders union all select * from clicks",
            [
                'id <- clicks.*, orders.id; computed; unknown: the columns of "clicks" are not known',
                'n <- clicks.*; computed; unknown: the columns of "clicks" are not known',
            ],
            id="columns go by position, which a star may hide",
        ),
        pytest.param(
            "select v.n, w from (values (1, 'a'), (2, null)) as v(n, w)",
            ["n <-; constant; bigint; never null", "w <-; constant; text"],
            id="values",
        ),
        pytest.param(
            "select name, e.key, e.value ->> 'x' as x, t.n, s from customers, "
            "jsonb_each(document) e, lateral (select amount as n from orders where customer = customers.id) t, "
            "generate_series(1, 3) s",
            [
                "name <- customers.name; copied; text",
                "key <- customers.document; computed; text",
                "x <- customers.document; computed; text",
                "n <- orders.amount; copied; numeric",
                "s <-; computed; bigint",
            ],
            id="lateral joins and functions that give rows",
        ),
        pytest.param(
            "select u.word, u.at from customers, unnest(string_to_array(name, ' ')) with ordinality as u(word, at)",
            ["word <- customers.name; computed; text", "at <- customers.name; computed; bigint; never null"],
            id="unnest with ordinality",
        ),
        pytest.param(
            "select x.a, x.b from customers, jsonb_to_recordset(document) as x(a int, b text)",
            ["a <- customers.document; computed; bigint", "b <- customers.document; computed; text"],
            id="a function whose columns the alias defines",
        ),
        pytest.param(
            "select f.* from my_function(1) f",
            ['* <-; computed; unknown: the columns that "my_function" gives are not known'],
            id="a function of one's own",
        ),
        pytest.param(
            "select row_number() over (partition by customer order by at) as n, "
            "sum(amount) over w as s from orders window w as (order by id)",
            [
                "n <- orders.at, orders.customer; computed; bigint; never null",
                "s <- orders.amount, orders.id; computed; numeric",
            ],
            id="windows",
        ),
        pytest.param(
            "select o, row_to_json(c) as c from orders o, customers c",
            ["o <- orders.*; computed", "c <- customers.*; computed; jsonb"],
            id="whole rows",
        ),
        pytest.param(
            "select clicks from clicks",
            ['clicks <- clicks.*; computed; unknown: "clicks" may be a column or a whole row of "clicks"'],
            id="a whole row or a column of that name",
        ),
        pytest.param(
            "select * from orders join customers using (id)",
            [
                "id <- orders.id; copied; bigint",
                "customer <- orders.customer; copied; bigint",
                "amount <- orders.amount; copied; numeric",
                "at <- orders.at; copied; timestamptz",
                "name <- customers.name; copied; text",
                "active <- customers.active; copied; bool",
                "document <- customers.document; copied; jsonb",
            ],
            id="columns that a join merges come once",
        ),
        pytest.param(
            "select id from orders full join customers using (id)",
            ["id <- customers.id, orders.id; copied; bigint"],
            id="a full join merges both",
        ),
        pytest.param(
            "select * from pg_catalog.pg_class c",
            ["* <-; computed; unknown: \"pg_catalog.pg_class\" is outside the app's own tables"],
            id="tables of others",
        ),
        pytest.param(
            "select relname from pg_catalog.pg_class",
            ["relname <-; computed; unknown: \"pg_catalog.pg_class\" is outside the app's own tables"],
            id="a column of a table of others",
        ),
        pytest.param(
            'select "Id", ID as "Total" from "Odd", orders',
            ["Id <- Odd.Id; copied", "Total <- orders.id; copied; bigint"],
            id="quoted names keep their case, others fold",
        ),
        pytest.param(
            'select new.amount from {{ Table("orders").new }} as new, {{ Table("orders") }} as all_of_them',
            ["amount <- orders.amount; copied; numeric"],
            id="new rows are rows of the table",
        ),
        pytest.param(
            'select patterns_id as p, orders.id from {{ Table("orders").new }}',
            ["p <- orders.patterns_id; copied; text; never null", "id <- orders.id; copied; bigint"],
            id="new rows are called by the table's name",
        ),
        pytest.param(
            "select count(*), sum(id), max(at), at::date, case when active then 1 end, 1 + 1, "
            "lower(name) from orders, customers group by 4, 5, 7",
            [
                "count <- customers.*, orders.*; computed; bigint; never null",
                'sum <-; computed; unknown: "id" may come from "orders" or "customers"',
                "max <- orders.at; computed; timestamptz",
                "at <- orders.at; computed; date",
                "case <- customers.active; computed; bigint",
                "?column? <-; constant; bigint; never null",
                "lower <- customers.name; computed; text",
            ],
            id="names that Postgres gives",
        ),
        pytest.param(
            "select id, coalesce(n, 0) as n from orders left join lateral "
            "(select count(*) as n from customers where customers.id = orders.customer) t on true",
            ["id <- orders.id; copied; bigint", "n <- customers.*; computed; bigint; never null"],
            id="an outer join may have no row",
        ),
    ],
)  # fmt: skip
def test_follows_columns_through_queries(source, expected):
    assert flows(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "insert into sums (who, total) select customer, sum(amount) from orders group by 1",
            ["sums.who <- orders.customer; copied; bigint", "sums.total <- orders.amount; computed; numeric"],
            id="insert with a list of columns",
        ),
        pytest.param(
            "insert into sums select customer as who from orders",
            ["sums.who <- orders.customer; copied; bigint"],
            id="insert without: by name",
        ),
        pytest.param(
            "insert into sums (a, b) select * from clicks",
            [
                'sums.a <- clicks.*; computed; unknown: the columns of "clicks" are not known',
                'sums.b <- clicks.*; computed; unknown: the columns of "clicks" are not known',
            ],
            id="insert of a star by position",
        ),
        pytest.param(
            "insert into customers values (1, 'x')",
            [
                "customers.id <-; constant; bigint; never null",
                "customers.name <-; constant; text; never null",
            ],
            id="insert of values into a known table",
        ),
        pytest.param(
            "insert into sums (who, total) select customer, amount from orders "
            "on conflict (who) do update set total = sums.total + excluded.total",
            [
                "sums.who <- orders.customer; copied; bigint",
                "sums.total <- orders.amount, sums.total; computed",
            ],
            id="insert or update",
        ),
        pytest.param(
            "create table sums as select customer as who from orders",
            ["sums.who <- orders.customer; copied; bigint"],
            id="create table as",
        ),
        pytest.param(
            "update sums set total = o.amount, (a, b) = (select id, name from customers) "
            "from orders o where o.customer = sums.who",
            [
                "sums.total <- orders.amount; copied; numeric",
                "sums.a <- customers.id; copied; bigint",
                "sums.b <- customers.name; copied; text",
            ],
            id="update from",
        ),
        pytest.param(
            "merge into sums using orders o on o.customer = sums.who "
            "when matched then update set total = sums.total + o.amount "
            "when not matched then insert (who, total) values (o.customer, o.amount)",
            [
                "sums.total <- orders.amount, sums.total; computed",
                "sums.who <- orders.customer; copied; bigint",
            ],
            id="merge",
        ),
        pytest.param("delete from sums using orders o where o.customer = sums.who", [], id="delete"),
        pytest.param(
            "with gone as (delete from orders returning id, amount) insert into sums select amount from gone",
            ["sums.amount <- orders.amount; copied; numeric"],
            id="what a change returns",
        ),
    ],
)
def test_follows_columns_into_tables(source, expected):
    assert flows(source) == expected


def reads(source, shapes=SHAPES):
    return [(read.table, read.column, read.type, read.where.column) for read in trace(source, shapes).reads]


def test_reads_are_all_columns_that_are_named_with_the_type_that_is_needed():
    source = (
        "select name from customers c join orders o on o.customer = c.id "
        "where c.active and c.document ->> 'x' like 'y%' group by name, o.at order by lower(name)"
    )

    assert reads(source) == [
        ("customers", "name", None, 8),
        ("orders", "customer", None, 49),
        ("customers", "id", None, 62),
        ("customers", "active", "bool", 73),
        ("customers", "document", "jsonb", 86),
        ("customers", "name", None, 122),
        ("orders", "at", None, 130),
        ("customers", "name", "text", 148),
    ]


def test_a_star_reads_all_columns():
    assert reads("select * from clicks, orders") == [
        ("clicks", EVERY_COLUMN, None, 8),
        ("orders", "amount", None, 8),
        ("orders", "at", None, 8),
        ("orders", "customer", None, 8),
        ("orders", "id", None, 8),
    ]


def test_deletes_and_updates_read_what_they_compare():
    assert reads("delete from sums using orders o where o.customer = sums.who") == [
        ("orders", "customer", None, 41),
        ("sums", "who", None, 57),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "select\n  amout from orders",
            ('error[unknown-column] q.sql:2:3: table "orders" has no column "amout".\n'
            '  known columns: "amount", "at", "customer", "id"\n'
            '  hint: did you mean "amount"?'),
        ),
        (
            "with paid as (select id from orders) select p.amount from paid p",
            ('error[unknown-column] q.sql:1:47: "p" has no column "amount".\n'
            '  known columns: "id"'),
        ),
        (
            'select 1 from {{ Table("orders") }} o join customers c on c.id = o.buyer',
            ('error[unknown-column] q.sql:1:68: table "orders" has no column "buyer".\n'
            '  known columns: "amount", "at", "customer", "id"'),
        ),
        (
            "select 1 from orders, customers where adress = 1",
            ('error[unknown-column] q.sql:1:39: none of "orders", "customers" has a column "adress".\n'
            '  known columns: "active", "amount", "at", "customer", "document", "id", "name"'),
        ),
        (
            "select 1 from orders join customers using (nam)",
            ('error[unknown-column] q.sql:1:44: table "orders" has no column "nam".\n'
            '  known columns: "amount", "at", "customer", "id"\n'
            'error[unknown-column] q.sql:1:44: table "customers" has no column "nam".\n'
            '  known columns: "active", "document", "id", "name"\n'
            '  hint: did you mean "name"?'),
        ),
        (
            "select amount as a from orders where a > 1",
            ('error[unknown-column] q.sql:1:38: table "orders" has no column "a".\n'
            '  known columns: "amount", "at", "customer", "id"\n'
            '  hint: did you mean "at"?'),
        ),
        ("select b", 'error[unknown-column] q.sql:1:8: nothing here has a column "b".\n  known columns: none'),
    ],
)  # fmt: skip
def test_says_which_column_is_missing(source, expected):
    found = "\n".join(render_diagnostic(one) for one in reversed(trace(source).diagnostics))

    assert sorted(found.splitlines()) == sorted(expected.splitlines())


@pytest.mark.parametrize(
    "source",
    [
        "select amout from clicks",
        "select amout from orders, clicks",
        "select patterns_id, patterns_position, ctid from orders",
        "select amount as a from orders order by a, 1",
        "select date_trunc('day', at) as day from orders group by day having count(*) > 1",
        "select o.* from orders o where exists (select 1 from clicks where amout = o.id)",
        "select current_user, user, session_user from orders",
        "select x.amount from orders as x(patterns, id, customer, amount)",
        "insert into customers (naem) select name from customers",
    ],
)
def test_says_nothing_where_it_cannot_know(source):
    assert trace(source).diagnostics == ()


def test_other_dialects_have_lineage_but_no_missing_columns():
    source = "SELECT Name, AMOUT, `id` * 2 AS Twice FROM orders CROSS JOIN customers"

    assert flows(source, dialect="bigquery")[0] == "name <- customers.name; copied; text"
    assert flows("select ID as x from orders", {"ORDERS": {"ID": "bigint"}}, "snowflake") == [
        "X <- ORDERS.ID; copied; bigint"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "with " + ", ".join(
            f"a{i} as (select x.*, y.* from {'orders' if i == 0 else f'a{i - 1}'} x, "
            f"{'orders' if i == 0 else f'a{i - 1}'} y)" for i in range(40)
        ) + " select * from a39",
    ],
)  # fmt: skip
def test_columns_without_end_are_unknown(source):
    assert flows(source) == ["* <-; computed; unknown: the script makes more columns than can be followed"]


def test_long_chains_are_followed():
    many = " and ".join(f"id > {number}" for number in range(3_000))
    union = " union all ".join(["select id from orders"] * 1_000)

    assert flows(f"select id from orders where {many}") == ["id <- orders.id; copied; bigint"]
    assert flows(f"{union}") == ["id <- orders.id; copied; bigint"]


def test_what_is_traced_is_plain_data():
    script = analyse_sql("q.sql", b"select * from orders", {}, {})

    assert pickle.loads(pickle.dumps(script.traced)) == script.traced
    assert trace_sql(script.traced, SHAPES) == trace_sql(pickle.loads(pickle.dumps(script.traced)), SHAPES)


WORDS = [
    "select",
    "from",
    "where",
    "join",
    "left",
    "on",
    "using",
    "with",
    "as",
    "orders",
    "customers",
    "clicks",
    "id",
    "name",
    "amount",
    "*",
    ",",
    ".",
    "(",
    ")",
    "=",
    "1",
    "'x'",
    "union",
    "all",
    "except",
    "group",
    "by",
    "order",
    "lateral",
    "values",
    "insert",
    "into",
    "update",
    "set",
    "delete",
    "merge",
    "recursive",
    "over",
    "partition",
    "unnest",
    "generate_series",
    "count",
    "case",
    "when",
    "then",
    "end",
    "null",
    "::int",
    "->>",
    "exists",
    "in",
    "any",
    "array",
    "distinct",
]


@given(st.lists(st.sampled_from(WORDS), max_size=25))
@settings(max_examples=300)
def test_words_in_any_order_never_raise(words):
    script = analyse_sql("q.sql", " ".join(words).encode(), {}, {})
    if script.traced is not None:
        assert trace_sql(script.traced, SHAPES) == trace_sql(script.traced, SHAPES)


OPEN = {
    "orders": {"id": "bigint", "amount": "numeric", EVERY_COLUMN: None},
    "refunds": {"id": "bigint", "paid": "bool", EVERY_COLUMN: None},
    "customers": {"id": "bigint", "name": "text"},
}
NOT_ALL = 'unknown: not all columns of "orders" are known'
EITHER = 'unknown: the columns of "orders" and "refunds" are not known'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "select id, amount, note from orders",
            [
                "id <- orders.id; copied; bigint",
                "amount <- orders.amount; copied; numeric",
                "note <- orders.note; copied",
            ],
            id="known columns have their types, others are taken as they are named",
        ),
        pytest.param(
            "select * from orders",
            [
                f"* <- orders.*; copied; {NOT_ALL}",
                "id <- orders.id; copied; bigint",
                "amount <- orders.amount; copied; numeric",
            ],
            id="a star is the known columns and others",
        ),
        pytest.param(
            "with o as (select * from orders) select sum(o.amount) as total, max(o.note) as note from o",
            ["total <- orders.amount; computed; numeric", "note <- orders.note; computed"],
            id="through a query",
        ),
        pytest.param(
            "select amount, name from orders o join customers c on c.id = o.customer",
            ["amount <- orders.amount; copied; numeric", "name <- customers.name; copied; text"],
            id="a name that one table is known to have is its",
        ),
        pytest.param(
            "select note from orders o join refunds r on r.id = o.id",
            ['note <-; computed; unknown: "note" may come from "o" or "r"'],
            id="a name that none is known to have may be any one's",
        ),
        pytest.param(
            "select * from orders where amount > 1 union all select * from orders where amount < 0",
            [
                f"* <- orders.*; copied; {NOT_ALL}",
                "id <- orders.id; copied; bigint",
                "amount <- orders.amount; copied; numeric",
            ],
            id="a union of a table with itself",
        ),
        pytest.param(
            "select * from orders union all select * from refunds",
            [
                f"* <- orders.*, refunds.*, refunds.id, refunds.paid; computed; {EITHER}",
                f"id <- orders.id, refunds.*, refunds.id, refunds.paid; computed; {EITHER}",
                f"amount <- orders.amount, refunds.*, refunds.id, refunds.paid; computed; {EITHER}",
            ],
            id="columns of two tables go by a position that is not known",
        ),
        pytest.param(
            "select o.b from orders as o(a, b)",
            [f"b <- orders.*; computed; {NOT_ALL}"],
            id="columns that are renamed by position",
        ),
        pytest.param(
            "insert into orders values (1, 2)",
            [f"orders.* <-; computed; {NOT_ALL}"],
            id="values go by a position that is not known",
        ),
    ],
)
def test_of_a_table_some_columns_may_be_known(source, expected):
    assert flows(source, OPEN) == expected


def test_a_column_of_a_query_keeps_its_name_where_those_before_it_are_renamed():
    source = "select q.x, q.amount from (select id, amount, o.* from clicks o) as q(x)"
    assert flows(source)[1].startswith("amount <- clicks.amount")


def told(source):
    return [render_diagnostic(found) for found in trace(source).diagnostics]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            "select o.id from orders o where orders.amount > 3",
            'error[unknown-alias] q.sql:1:33: "orders" is no table of the query.\n'
            '  tables of the query: "o"\n'
            '  hint: it is called "o" here',
            id="a table under its name where it has another",
        ),
        pytest.param(
            "select o.id, cust.* from orders o join customers cus on cus.id = o.customer",
            'error[unknown-alias] q.sql:1:14: "cust" is no table of the query.\n'
            '  tables of the query: "cus", "o"\n'
            '  hint: did you mean "cus"?',
            id="a star",
        ),
        pytest.param(
            "select id from orders union all select id, name from customers",
            "error[column-count] q.sql:1:40: this query gives 2 columns, and the one before gives 1 column.",
            id="sides of a union",
        ),
        pytest.param(
            "insert into sums (a, b) select id from orders",
            "error[column-count] q.sql:1:19: the insert fills 2 columns, and its query gives 1 column.",
            id="an insert and its query",
        ),
        pytest.param(
            "select id, sum(amount), sum(customer) from orders group by id",
            'error[duplicate-column] q.sql:1:25: two columns of the query are named "sum".\n'
            '  hint: name one of them: … as "sum_2"',
            id="names that the database makes",
        ),
        pytest.param(
            "select * from orders o join customers c on c.id = o.customer",
            'error[duplicate-column] q.sql:1:8: two columns of the query are named "id".\n'
            "  hint: name the columns that are wanted in place of the star",
            id="a star over two tables",
        ),
    ],
)
def test_what_postgres_would_refuse_is_an_error(source, expected):
    assert told(source) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "select jsonb_each.key from customers, jsonb_each(document)",
        "select * from orders union all select id, customer, amount, at from clicks",
        "select * from orders join customers using (id)",
        "select a.id from (select id, id from orders) as a(id, other)",
        "select id from orders where exists (select 1 from customers c where c.id = orders.customer)",
        "insert into sums (a) select * from clicks",
        "select avg(amount) as a, (select avg(amount) from orders) as b from orders",
    ],
)
def test_what_postgres_may_take_is_none(source):
    assert told(source) == []
