import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import Location, render_diagnostic
from patterns_os.graph.sql import analyse_sql
from patterns_os.graph.sql_template import Rendered, _full_render, _plain_render, render_template
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


def touched(source, dialect="postgres"):
    script = analyse_sql("q.sql", source.encode(), {}, {}, dialect)
    return [(use.name, str(use.access)) for use in script.analysis.uses if use.kind == "table"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("update x set a = y.b from y", [("x", "write"), ("y", "read")]),
        ("delete from x using y where x.a = y.a", [("x", "write"), ("y", "read")]),
        ("truncate x", [("x", "write")]),
        ("drop table x", [("x", "write")]),
        ("insert into x (a) select b from y on conflict do nothing", [("x", "write"), ("y", "read")]),
        ("select * into x from y", [("x", "write"), ("y", "read")]),
        ("create view x as select * from y", [("x", "write"), ("y", "read")]),
        (
            "merge into x using y on x.a = y.a when matched then update set b = (select max(c) from z)",
            [("x", "write"), ("y", "read"), ("z", "read")],
        ),
        (
            "with gone as (delete from x returning *) insert into y select * from gone",
            [("x", "write"), ("y", "write")],
        ),
        ("select 1 from x; select 2 from y", [("x", "read"), ("y", "read")]),
        ('select * from {{ Table("x", "w") }}, {{ Table("y").new }}', [("x", "read"), ("y", "stream")]),
    ],
)
def test_what_a_refused_statement_touches_is_told_all_the_same(source, expected):
    assert analyse(source).diagnostics != ()
    assert touched(source) == expected


def test_a_statement_that_the_parser_does_not_know_is_unknown():
    assert [unknown.reason for unknown in analyse("vacuum full x").analysis.unknown] == [
        "the parser does not know the statement"
    ]


def unseen(source, parameters=None):
    return [(str(found.where), found.reason) for found in analyse(source, parameters).analysis.unknown]


BRANCHES = """\
select * from {{ Table("a") }}
{% if Parameter("wide", type=bool, default=false) %}
join {{ Table("b") }} using (id)
{% endif %}
"""


def test_a_table_of_a_branch_that_is_not_taken_is_unknown():
    assert tables(BRANCHES) == [("output_table", "write"), ("a", "read")]
    assert unseen(BRANCHES) == [("q.sql:3:9", 'table "b" is used where {% if … %} decides')]
    assert unseen(BRANCHES, {"wide": True}) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            'select 1 {% for name in [] %} from {{ Table("a") }} {% endfor %}',
            [("q.sql:1:39", 'table "a" is used where {% for … %} decides')],
        ),
        (
            'select 1 from {{ Table("a") if 1 else Table(name="b") }}',
            [("q.sql:1:39", 'table "b" is used where {{ … if … }} decides')],
        ),
        (
            'select 1\n{% if 0 %} from {{ Table("a" ~ "b") }} {% endif %}',
            [("q.sql:2:20", 'table "ab" is used where {% if … %} decides')],
        ),
        (
            '{% macro m() %} from {{ Table("a") }} {% endmacro %} select 1',
            [("q.sql:1:25", 'table "a" is used where {% macro … %} decides')],
        ),
        (
            'select 1\n{% if 0 %}{% for x in [1, 2] %} from {{ Table("a" ~ x) }} {% endfor %}{% endif %}',
            [("q.sql:2:41", "a table whose name is computed is used where {% for … %} decides")],
        ),
        ('{% for name in ["a", "b"] %}{% endfor %} select 1 from {{ Table("a") }}', []),
        ('{% set t = Table("a") %} select 1 from {{ t }}', []),
    ],
)
def test_tables_of_parts_that_are_not_rendered_are_unknown(source, expected):
    assert unseen(source) == expected


def test_a_loop_over_names_reads_each_table():
    source = (
        '{% for name in ["a", "b"] %}select * from {{ Table(name) }}'
        "{% if not loop.last %} union all {% endif %}{% endfor %}"
    )

    assert sorted(tables(source)) == [("a", "read"), ("b", "read"), ("output_table", "write")]
    assert unseen(source) == []


PLAIN_PARTS = st.sampled_from(
    [
        '{{ Table("a") }}', "{{Table( 'b c' )}}", '{{ Table("a", mode="w") }}', "{{ Table('a', 'r') }}",
        '{{ Table("ä").new }}', "select", " ", "\n", "}}", "'x'", "from", "{", "%}", "#}", "{ {", "ü\n\n",
        '{{ Table("") }}',
        "{{ Table('a', \"w\").new }}",
        '{{ Table("a\\"b") }}', '{{ Table("a", "x") }}', "{{ 1 }}", '{{ Table("{{") }}',
    ]
)  # fmt: skip


@given(st.lists(PLAIN_PARTS, max_size=8))
def test_scripts_without_conditions_are_rendered_without_the_engine_and_just_the_same(parts):
    source = "".join(parts)
    plain = _plain_render("q.sql", source, "postgres")
    full = _full_render("q.sql", source, {}, "postgres")
    if plain is not None:
        assert (plain.text, plain.written) == (full.text, full.written)
        assert [plain.locate(at) for at in range(len(plain.text))] == [
            full.locate(at) for at in range(len(full.text))
        ]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("postgres", """select "o"."a", 'it''s \\', '2020-01-01'::date, TRUE from "o"\"o" """),
        ("mysql", r"""select `o`.`a`, 'it''s \\', CAST('2020-01-01' AS DATE), TRUE from `o"o`"""),
        ("bigquery", r"""select `o`.`a`, 'it\'s \\', CAST('2020-01-01' AS DATE), TRUE from `o"o`"""),
        ("tsql", """select [o].[a], 'it''s \\', CAST('2020-01-01' AS DATE), 1 from [o"o]"""),
    ],
)
def test_names_and_values_are_quoted_as_the_dialect_does(dialect, expected):
    source = (
        'select {{ Parameter("i", type=identifier) }}.{{ Table("a") }}, {{ Parameter("s") }}, '
        '{{ Parameter("d", type=date) }}, {{ Parameter("b", type=bool) }} from {{ Table(\'o"o\') }}'
    )
    values = {"i": "o", "s": "it's \\", "d": "2020-01-01", "b": True}
    rendered = render_template("q.sql", source, values, dialect)

    assert rendered.text.replace("(1 = 1)", "1").strip() == expected.replace('"o""o"', '"o""o"').strip()


def test_the_dialect_decides_how_the_text_is_read():
    assert touched("select `a b` from Orders", "mysql") == [("output_table", "write"), ("Orders", "read")]
    assert touched("select a from Orders qualify 1 = 1", "snowflake") == [
        ("output_table", "write"),
        ("ORDERS", "read"),
    ]
    assert touched('select a from {{ Table("orders") }}', "snowflake")[1] == ("orders", "read")


def test_functions_of_ones_own_may_be_called_as_others_that_the_parser_knows():
    assert tables("select split(a), abs(a, 2) from x") == [("output_table", "write"), ("x", "read")]
    assert told("select a + from x") != []


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        ('{% if Parameter("p", type=bool) %}1{% else %}2{% endif %}', {"p": False}, "2"),
        ('{% if Parameter("p") == "x" %}1{% else %}2{% endif %}', {"p": "x"}, "1"),
        ('{% if Parameter("p", type=int) > 3 %}1{% else %}2{% endif %}', {"p": 3}, "2"),
        ('{% if Parameter("p", type=int) >= Parameter("q", type=int) %}1{% endif %}', {"p": 3, "q": 3}, "1"),
        ('{% if Parameter("p", type=int) < 3 %}1{% else %}2{% endif %}', {}, "2"),
        ('{% if Parameter("p") is none %}1{% else %}2{% endif %}', {}, "1"),
        ('{% if "a" in Parameter("p", type=list) %}1{% endif %}', {"p": ["a"]}, "1"),
        ('{% for x in Parameter("p", type=list) %}{{ x }};{% endfor %}', {"p": ["a'b", 1]}, "'a''b';1;"),
        ('{{ Parameter("p", type=list) | join(", ") }}', {"p": ["a", "b"]}, "'a', 'b'"),
        ('{{ Parameter("p", type=list) | length }}', {"p": ["a", "b"]}, "2"),
        ('{{ Parameter("p") | upper }}', {"p": "a"}, "'A'"),
        ('{{ Table(Parameter("p")) }}', {"p": "a"}, '"a"'),
        ('{% set p = Parameter("p") %}{{ p }}', {"p": "a"}, "'a'"),
    ],
)
def test_parameters_decide_as_their_values_and_are_written_as_literals(source, values, expected):
    assert render_template("q.sql", source, values).text == expected


@pytest.mark.parametrize(
    "source",
    [
        "-- Type '{{' to use Tables and Parameters\nselect 1 as a from {{ Table(\"t\") }}",
        "select 1 as a /* {{ no longer */ from {{ Table('t') }} -- don't {{ Table('u', 'w') }} '",
        "select '--' as a, \"it's\" from {{ Table('t') }} -- {{",
        "-- {% if true %}\nselect 1 as a from {{ Table('t') }}\n-- {% endif %} {{",
    ],
)
def test_calls_in_comments_are_for_people(source):
    rendered = render_template("q.sql", source, {})

    assert isinstance(rendered, Rendered)
    assert rendered.written == frozenset()
    assert 'from "t"' in rendered.text


@pytest.mark.timeout(20)
@pytest.mark.parametrize("begun", ["'", '"', "{{", "{%", "{#", "--", "/*", "-- {{\n"])
def test_comments_are_looked_for_in_one_pass(begun):
    assert render_template("q.sql", "{{" + begun * 100_000, {}) is not None
