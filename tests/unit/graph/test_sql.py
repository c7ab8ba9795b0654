import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import Location, render_diagnostic
from patterns_os.graph.sql import analyse_sql
from patterns_os.graph.vertices import Access

SCRIPT = b"""\
-- totals
with paid as (select * from {{ Table("orders") }} where amount > {{ Parameter("least", type=float) }})
select "id", 'a''b' as text from paid join Customers using (id);
"""


def analyse(source, parameters=None, stores=None):
    return analyse_sql("q.sql", source.encode(), parameters or {}, stores or {})


def tables(source):
    return [(use.name, str(use.access)) for use in analyse(source).analysis.uses if use.kind == "table"]


def query(source, parameters=None, stores=None):
    result = analyse(source, parameters, stores)
    assert result.diagnostics == ()
    return result.statements[0]


def told(source, parameters=None):
    return [render_diagnostic(found) for found in analyse(source, parameters).diagnostics]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("select 1", [("output_table", "write")], id="bare select"),
        pytest.param("values (1)", [("output_table", "write")], id="values"),
        pytest.param(
            'select * from {{ Table("a") }}', [("output_table", "write"), ("a", "read")], id="macro"
        ),
        pytest.param(
            'select * from {{ Table("a", mode="r") }}', [("output_table", "write"), ("a", "read")], id="mode"
        ),
        pytest.param(
            'select * from Aa, "Bb"',
            [("output_table", "write"), ("aa", "read"), ("Bb", "read")],
            id="plain names fold unless quoted",
        ),
        pytest.param(
            "select (select max(i) from a) from b where exists (select 1 from c)",
            [("output_table", "write"), ("a", "read"), ("b", "read"), ("c", "read")],
            id="subqueries",
        ),
        pytest.param(
            "with a as (select * from a) select * from a",
            [("output_table", "write"), ("a", "read")],
            id="a CTE does not see itself",
        ),
        pytest.param(
            "with recursive a as (select 1 union all select * from a) select * from a",
            [("output_table", "write")],
            id="a recursive CTE does",
        ),
        pytest.param(
            "select * from generate_series(1, 2), unnest(array[1])",
            [("output_table", "write")],
            id="functions are no tables",
        ),
        pytest.param("-- {{ Table('a') }}\nselect 1", [("output_table", "write")], id="comment"),
        pytest.param(
            'insert into {{ Table("t", mode="w") }} select * from a',
            [("t", "write"), ("a", "read")],
            id="insert",
        ),
        pytest.param(
            "insert into t select * from t", [("t", "write"), ("t", "read")], id="insert from itself"
        ),
        pytest.param("create table t as select * from a", [("t", "write"), ("a", "read")], id="create"),
        pytest.param(
            '{% for t in ["a", "b"] %}{{ "union all " if not loop.first }}select * from {{ Table(t) }} '
            "{% endfor %}",
            [("output_table", "write"), ("a", "read"), ("b", "read")],
            id="template loop",
        ),
        pytest.param(
            "{% set n %}a{% endset %}select * from {{ Table(n) }}",
            [("output_table", "write"), ("a", "read")],
            id="captured name",
        ),
    ],
)
def test_finds_tables(source, expected):
    assert tables(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('select a -- b\nfrom {{ Table("x") }} as t; -- end', 'select a -- b\nfrom "x" as t'),
        ("select Orders.id from Orders", 'select Orders.id from "orders"'),
        ("insert into t select * from s", 'select * from "s"'),
        (
            'insert into t (a, "B") select x, y from s -- all',
            'select * from (select x, y from "s"\n) as patterns_insert("a", "B")',
        ),
        ("insert into t (a) values (1)", 'select * from (values (1)\n) as patterns_insert("a")'),
        ("with s as (select 1) insert into t select * from s", "with s as (select 1) select * from s"),
        ("create table t as select * from s", 'select * from "s"'),
        ("select * from information_schema.tables", "select * from information_schema.tables"),
        ("select 'from x', $$ from y $$", "select 'from x', $$ from y $$"),
        ("select * from a\r\nwhere x", 'select * from "a"\nwhere x'),
    ],
)
def test_keeps_the_text_and_quotes_the_tables(source, expected):
    assert query(source) == expected


def test_a_renamed_table_keeps_the_name_that_its_columns_are_called_by():
    stores = {"rows": "orders"}

    assert query("select rows.id from rows", stores=stores) == 'select rows.id from "orders" as "rows"'
    assert query("select r.id from rows r", stores=stores) == 'select r.id from "orders" r'


@pytest.mark.parametrize(
    ("call", "value", "expected"),
    [
        ('Parameter("p")', "it's", "'it''s'"),
        ('Parameter("p", type=str)', "'; drop table x; --", "'''; drop table x; --'"),
        ('Parameter("p", type=int)', 7, "7"),
        ('Parameter("p", type=float)', -1.5, "(-1.5)"),
        ('Parameter("p", type=bool)', True, "TRUE"),
        ('Parameter("p", type=date)', "2024-01-02", "'2024-01-02'::date"),
        ('Parameter("p", type=datetime)', "2024-01-02", "'2024-01-02'::timestamptz"),
        ('Parameter("p", type=list)', ["a", "b'", 1], "('a', 'b''', 1)"),
        ('Parameter("p", type=list)', [], "(NULL)"),
        ('Parameter("p", type="identifier")', 'a"b', '"a""b"'),
        ('Parameter("p", type=int)', None, "NULL"),
        ('Parameter("q", type=int, default=3)', 9, "3"),
        ('Parameter("p", "described", int)', 7, "7"),
    ],
)
def test_parameters_become_literals_of_their_type(call, value, expected):
    assert query(f"select {{{{ {call} }}}} as x", {"p": value}) == f"select {expected} as x"


def test_finds_parameters():
    uses = analyse('select {{ Parameter("p", type=int) }}, {{ Parameter("q", default="x") }}').analysis.uses

    assert [(use.name, dict(use.detail)) for use in uses if use.kind == "parameter"] == [
        ("p", {"type": "int", "required": True}),
        ("q", {"type": "str", "required": False, "default": "x"}),
    ]


def test_places_are_those_of_the_file():
    result = analyse_sql("q.sql", SCRIPT, {})

    assert {use.name: use.where for use in result.analysis.uses} == {
        "output_table": Location(file="q.sql", line=2, column=1),
        "orders": Location(file="q.sql", line=2, column=29),
        "least": Location(file="q.sql", line=2, column=66),
        "customers": Location(file="q.sql", line=3, column=44),
    }
    assert result.kind == "select"
    assert result.analysis.statement == "select"


def test_tables_of_other_schemas_are_unknown():
    unknown = analyse("select * from pg_catalog.pg_class").analysis.unknown

    assert [item.reason for item in unknown] == ['"pg_catalog.pg_class" is outside the app\'s own tables']


ALLOWED = "expected one select, one insert into … select, or one create table … as select."


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "update x set a = 1",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "update", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").upsert(…)'
            ),
        ),
        (
            "\ndelete from x",
            (
                f'error[sql-statement] q.sql:2:1: "q.sql" uses "delete", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").delete(…)'
            ),
        ),
        (
            "truncate x",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "truncate", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").truncate(…)'
            ),
        ),
        (
            "drop table x",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "drop", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").replace(…)'
            ),
        ),
        (
            "insert into x (a) values (1) on conflict do nothing",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "on conflict", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").upsert(…)'
            ),
        ),
        (
            "with d as (delete from x returning *) select * from d",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "delete", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").delete(…)'
            ),
        ),
        (
            "create temp table x as select 1",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "create", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").replace(…)'
            ),
        ),
        (
            "select * into y from x",
            (
                f'error[sql-statement] q.sql:1:1: "q.sql" uses "select into", {ALLOWED}\n'
                '  hint: do it in a Python script: Table("name", "w").replace(…)'
            ),
        ),
        (
            "insert into x values (1)",
            (
                "error[sql-statement] q.sql:1:1: an insert of values names no columns, "
                "and rows go to columns by name.\n"
                '  hint: write insert into "x" (column, …) values …'
            ),
        ),
        (
            "select 1;\nselect 2",
            (
                f'error[sql-statement] q.sql:2:1: "q.sql" holds 2 statements, {ALLOWED}\n'
                "  hint: make a script of each"
            ),
        ),
        ("-- nothing", f'error[sql-statement] q.sql:1:1: "q.sql" holds no statement, {ALLOWED}'),
        (
            'select * from {{ Table("x", "w") }}',
            (
                'error[table-mode] q.sql:1:1: table "x" is opened for writing, '
                "but the statement does not write it.\n"
                '  hint: begin with insert into {{ Table("x", mode="w") }}, or leave the mode out to read it'
            ),
        ),
        (
            'select * from {{ Table("abcdefgh") }}\nwhere and x',
            'error[sql-syntax] q.sql:2:11: "q.sql" is not valid SQL near "x".',
        ),
        (
            'select {{ Table("abcdefgh") }} from (select 1',
            'error[sql-syntax] q.sql:1:45: "q.sql" is not valid SQL near "1", expected ")".',
        ),
        (
            "create table {{ Table('t', 'w') }} as\nselect * from where a",
            'error[sql-syntax] q.sql:2:15: "q.sql" is not valid SQL near "where", expected "table name".',
        ),
        (
            "select 'it''s',\n 'abc",
            'error[sql-syntax] q.sql:2:2: "q.sql" is not valid SQL: a text, name or comment is not closed.',
        ),
        (
            'select * from {{ Tabel("x") }}',
            (
                'error[sql-template] q.sql:1:1: "q.sql" uses "Tabel", which is not available in a '
                "SQL script.\n"
                '  known functions: "Parameter", "Table"\n'
                '  hint: did you mean "Table"?'
            ),
        ),
        (
            'select 1\n{{ Table("x" }}',
            (
                'error[sql-template] q.sql:2:1: the template part of "q.sql" cannot be rendered: '
                "unexpected '}', expected ')'."
            ),
        ),
        (
            'select * from {{ Table("x", "rw") }}',
            'error[sql-template] q.sql:1:18: table "x" is opened with the unknown mode "rw".',
        ),
        ("{{ Table() }}", "error[sql-template] q.sql:1:4: Table needs the name of a table."),
        (
            'select {{ Parameter("p", type=int) }}',
            'error[parameter-type] q.sql:1:11: parameter "p" is "seven", expected a value of type "int".',
        ),
        (
            'select {{ Parameter("p", type="money") }}',
            (
                'error[sql-template] q.sql:1:11: parameter "p" has the unknown type "money".\n'
                '  known types: "str", "int", "float", "bool", "date", "datetime", "list", "identifier"'
            ),
        ),
        (
            'select {{ "a" * 1000000000 }}',
            'error[sql-template] q.sql:1:1: the operator "*" is not available in a SQL script.',
        ),
        (
            "{% for i in range(1000000) %}{% endfor %}",
            (
                "error[sql-template] q.sql:1:1: the loops of the script are too long, "
                "at most 10,000 turns are possible."
            ),
        ),
    ],
)
def test_says_what_is_wrong(source, expected):
    assert told(source, {"p": "seven"}) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "{{ ().__class__.__mro__ }}",
        '{{ "".format }}',
        "{{ Table.__globals__ }}",
        "{% import 'os' as os %}",
        "{% include '/etc/passwd' %}",
        "{{ cycler.__init__.__globals__ }}",
        '{{ Table("x").__class__ }}',
        '{{ "%1000000000d" % 1 }}',
    ],
)
def test_the_template_reaches_nothing_but_its_functions(source):
    assert analyse(f"select 1 {source}").diagnostics != ()


@pytest.mark.parametrize(
    "source",
    [
        "select " + "(" * 5_000,
        "select " + "not " * 5_000 + "true",
        "select " + "- " * 5_000 + "1",
        "{{ " + "(" * 5_000,
        "{% if 1 %}" * 2_000,
        "select " + "a+" * 5_000 + "1",
    ],
    ids=["parentheses", "nots", "minuses", "template", "ifs", "sum"],
)
def test_deep_sources_never_raise(source):
    analyse(source)


@settings(deadline=None)
@given(st.integers(0, len(SCRIPT)), st.binary(max_size=8), st.integers(0, 12))
def test_mutated_bytes_never_raise(place, inserted, dropped):
    result = analyse_sql("q.sql", SCRIPT[:place] + inserted + SCRIPT[place + dropped :], {})

    assert bool(result.statements) != bool(result.diagnostics)


def test_the_new_rows_of_a_table_are_a_stream_and_keep_its_name_for_columns() -> None:
    script = analyse_sql(
        "q.sql", b'insert into {{ Table("y", "w") }} select x.i from {{ Table("x").new }}', {}
    )

    assert [(use.name, use.access) for use in script.analysis.uses] == [
        ("y", Access.WRITE),
        ("x", Access.STREAM),
    ]
    assert script.statements == ('select x.i from "patterns_new:x" as "x"',)
