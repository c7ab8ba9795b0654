import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.build import build_graph
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import NodeKind, StoreKind
from patterns_os.manifest.parse import parse_manifest
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.types import ColumnType

IMPORT = "from patterns import *\n"


def build(manifest, **scripts):
    files = {name.replace("_dot_", "."): text.encode() for name, text in scripts.items()}
    parsed = parse_manifest(json.dumps({"name": "app"} | manifest).encode())
    assert parsed.diagnostics == ()
    return build_graph(parsed, Sources(files), None)


def edges(graph):
    return [(edge.node, str(edge.access), edge.store, edge.port, str(edge.origin)) for edge in graph.edges]


def told(diagnostics):
    return [render_diagnostic(found) for found in diagnostics]


def test_a_webhook_and_a_script_meet_at_a_table():
    graph, diagnostics = build(
        {
            "scripts": [{"file": "a.py"}],
            "webhooks": [{"title": "Slack messages", "table": "messages"}],
        },
        a_dot_py=f'{IMPORT}for r in Table("messages").as_stream(): Table("out", "w").append(r)',
    )

    assert diagnostics == ()
    assert [(node.name, node.kind) for node in graph.nodes] == [
        ("Slack messages", NodeKind.WEBHOOK),
        ("a", NodeKind.PYTHON),
    ]
    assert edges(graph) == [
        ("Slack messages", "write", "messages", "messages", "declared"),
        ("a", "stream", "messages", "messages", "inferred"),
        ("a", "write", "out", "out", "inferred"),
    ]
    assert [(store.name, store.kind, store.declared) for store in graph.stores] == [
        ("messages", StoreKind.TABLE, False),
        ("out", StoreKind.TABLE, False),
    ]
    assert graph.order == ("Slack messages", "a")


def test_a_declared_port_leads_to_its_store():
    graph, diagnostics = build(
        {
            "scripts": [
                {"file": "a.py", "inputs": {"rows": "orders"}, "outputs": {"result": "totals"}},
            ]
        },
        a_dot_py=f'{IMPORT}Table("rows").as_stream()\nTable("result", "w")',
    )

    assert diagnostics == ()
    assert edges(graph) == [
        ("a", "stream", "orders", "rows", "declared"),
        ("a", "write", "totals", "result", "declared"),
    ]


def test_a_declared_access_wins():
    graph, _ = build(
        {"scripts": [{"file": "a.py", "inputs": {"rows": {"table": "orders", "access": "read"}}}]},
        a_dot_py=f'{IMPORT}Table("rows").as_stream()',
    )

    assert edges(graph) == [("a", "read", "orders", "rows", "declared")]


def test_a_declared_input_that_the_code_hides_is_taken_for_a_stream():
    script = {"file": "a.py", "inputs": ["orders"], "outputs": ["totals"]}
    graph, diagnostics = build({"scripts": [script]}, a_dot_py=f"{IMPORT}Table(input()).as_stream()")

    assert diagnostics == ()
    assert edges(graph) == [
        ("a", "stream", "orders", "orders", "declared"),
        ("a", "write", "totals", "totals", "declared"),
    ]


def test_what_the_code_proves_and_the_declaration_lacks_is_an_error():
    _, diagnostics = build(
        {"scripts": [{"file": "a.py", "inputs": ["orders"], "outputs": ["totals"]}]},
        a_dot_py=f'{IMPORT}Table("order")\nTable("orders")\nTable("log", "w")\nTable("totals", "w")',
    )

    assert told(diagnostics) == [
        (
            'error[undeclared-table] a.py:2:1: node "a" reads table "order", which its "inputs" do '
            "not declare.\n"
            '  declared inputs: "orders"\n'
            '  hint: did you mean "orders"?'
        ),
        (
            'error[undeclared-table] a.py:4:1: node "a" writes table "log", which its "outputs" do '
            "not declare.\n"
            '  declared outputs: "totals"\n'
            '  hint: add "log" to the "outputs" of the script'
        ),
    ]


def test_a_node_may_look_at_what_it_writes_without_declaring_it_as_input():
    _, diagnostics = build(
        {"scripts": [{"file": "a.py", "inputs": [], "outputs": ["totals"]}]},
        a_dot_py=f'{IMPORT}t = Table("totals", "w")\nt.read()',
    )

    assert diagnostics == ()


@pytest.mark.parametrize(
    ("script", "stores", "table"),
    [
        ({"outputs": ["totals"]}, [], "totals"),
        ({"outputs": {"output_table": "totals"}}, [], "totals"),
        ({"outputs": {"output_table": "totals", "other": "log"}}, [], "totals"),
        ({}, [{"table": "output_table"}], "output_table"),
    ],
)
def test_a_bare_select_fills_its_declared_output(script, stores, table):
    graph, diagnostics = build(
        {"scripts": [{"file": "q.sql"} | script], "stores": stores}, q_dot_sql="select 1 as x"
    )

    assert diagnostics == ()
    assert ("q", "write", table) in [(node, access, store) for node, access, store, *_ in edges(graph)]
    assert graph.node("q").sql == ("select 1 as x",)
    assert graph.node("q").sql_kind == "select"


@pytest.mark.parametrize(
    ("outputs", "reason"), [(None, "declares no output"), (["a", "b"], "declares 2 outputs")]
)
def test_a_bare_select_without_one_output_is_an_error(outputs, reason):
    script = {"file": "q.sql"} | ({"outputs": outputs} if outputs else {})
    _, diagnostics = build({"scripts": [script]}, q_dot_sql="select 1")

    assert told(diagnostics) == [
        (
            'error[output-unknown] q.sql:1:1: the select in "q.sql" has no table to fill: the script '
            f"{reason}.\n"
            '  hint: add "outputs": ["name_of_a_table"] to the script in manifest.json'
        )
    ]


def test_a_port_of_sql_is_mapped_in_the_query():
    graph, _ = build(
        {"scripts": [{"file": "q.sql", "inputs": {"rows": "orders"}, "outputs": {"t": "totals"}}]},
        q_dot_sql='insert into {{ Table("t", mode="w") }} select * from {{ Table("rows") }} as r',
    )

    assert edges(graph) == [
        ("q", "read", "orders", "rows", "declared"),
        ("q", "write", "totals", "t", "declared"),
    ]
    assert graph.node("q").sql == ('select * from "orders" as r',)
    assert graph.node("q").sql_kind == "insert"


def test_parameters_of_the_script_win_over_those_of_the_app():
    graph, _ = build(
        {
            "parameters": [{"name": "a", "type": "int", "default": 1}, {"name": "b", "default": "x"}],
            "scripts": [{"file": "q.sql", "parameters": {"b": "y"}, "outputs": ["t"]}],
        },
        q_dot_sql='select {{ Parameter("a", type=int) }} as a, {{ Parameter("b") }} as b',
    )

    assert graph.node("q").parameters == {"a": 1, "b": "y"}
    assert graph.node("q").sql == ("select 1 as a, 'y' as b",)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("a.tsx", "scripts in JSX are not supported yet"),
        ("a.rb", "its language is not known"),
    ],
)
def test_a_language_that_does_not_run_is_an_error(file, reason):
    graph, diagnostics = build({"scripts": [{"file": file}]})

    assert graph.nodes == ()
    assert told(diagnostics) == [
        (
            f'error[language-not-supported] manifest.json:1:38 /scripts/0/file: script "{file}" cannot run: '
            f'{reason}.\n  known endings: ".cjs", ".cts", ".js", ".mjs", ".mts", ".py", ".sql", ".ts"'
        )
    ]


def test_files_are_stores_too():
    graph, _ = build(
        {"scripts": [{"file": "a.py"}], "stores": [{"file": "report.csv"}]},
        a_dot_py=f'{IMPORT}File("report.csv").write("x")\nFile("in/seen.txt").read()',
    )

    assert [(edge.store, edge.kind, edge.access) for edge in graph.edges] == [
        ("in/seen.txt", "file", "read"),
        ("report.csv", "file", "write"),
    ]
    assert [(store.name, store.declared) for store in graph.stores] == [
        ("in/seen.txt", False),
        ("report.csv", True),
    ]


def test_declared_stores_keep_what_is_declared():
    graph, _ = build(
        {
            "stores": [
                {
                    "table": "t",
                    "schema": {"id": "int"},
                    "unique_on": ["id"],
                    "storage": "pg",
                    "retention": {"rows": 5},
                },
                {"table": "u", "storage": {"engine": "postgres"}},
            ]
        }
    )
    first, second = graph.stores

    assert first.schema == TableSchema(fields=(FieldSchema(name="id", type=ColumnType.BIGINT),))
    assert first.unique_on == ("id",)
    assert first.storage == "pg"
    assert first.retention == {"rows": 5}
    assert second.storage is None


def test_an_unknown_column_type_is_an_error_at_the_column():
    graph, diagnostics = build({"stores": [{"table": "t", "schema": {"id": "integr", "x": "text"}}]})

    assert [store.schema.columns for store in graph.stores] == [{"x": ColumnType.TEXT}]
    assert told(diagnostics) == [
        (
            'error[unknown-type] manifest.json:1:60 /stores/0/schema/id: column "id" of table "t" has the '
            'unknown type "integr".\n'
            '  known types: "bool", "bigint", "double", "text", "timestamptz", "date", "numeric", '
            '"bytea", "jsonb"\n'
            '  hint: did you mean "integer"?'
        )
    ]


def test_content_follows_the_script_its_imports_and_its_parameters():
    def content(base="x = 1", parameters=None):
        graph, _ = build(
            {"scripts": [{"file": "a.py", "parameters": parameters or {}}]},
            a_dot_py="import base",
            base_dot_py=base,
            other_dot_py=base,
        )
        return graph.node("a").content

    assert content() == content()
    assert content(base="x = 2") != content()
    assert content(parameters={"p": 1}) != content()


def test_without_a_spec_there_is_no_graph():
    assert build_graph(parse_manifest(b"{"), Sources({}), None) == (None, ())


SCRIPTS = [
    {"file": "clean.py"},
    {"file": "join.sql", "outputs": ["joined"]},
    {"file": "send.py", "trigger": {"on": ["joined"]}},
]
WEBHOOKS = [{"title": "Slack", "table": "slack"}, {"title": "Stripe", "table": "stripe"}]
STORES = [{"table": "stripe"}, {"table": "clean"}, {"file": "x.csv"}]
FILES = {
    "clean_dot_py": f'{IMPORT}for r in Table("slack").as_stream(): Table("clean", "w").append(r)',
    "join_dot_sql": "select * from clean join stripe using (id)",
    "send_dot_py": f'{IMPORT}Table("joined").as_stream()\nFile("x.csv").write("")',
}


@settings(deadline=None)
@given(st.permutations(SCRIPTS), st.permutations(WEBHOOKS), st.permutations(STORES))
def test_the_order_of_declaration_gives_the_same_graph(scripts, webhooks, stores):
    def shape(manifest):
        graph, diagnostics = build(manifest, **FILES)
        assert diagnostics == ()
        nodes = [(node.name, node.kind, node.content, node.sql) for node in graph.nodes]
        return nodes, edges(graph), [(store.name, store.declared) for store in graph.stores], graph.order

    given_order = {"scripts": scripts, "webhooks": webhooks, "stores": stores}
    assert shape(given_order) == shape({"scripts": SCRIPTS, "webhooks": WEBHOOKS, "stores": STORES})
