"""Apps that include others become one flat graph."""

import json

import pytest

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.build import build_graph
from patterns_os.graph.groups import collapse_groups
from patterns_os.graph.parts import find_parts
from patterns_os.graph.render import render_terminal
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_manifest

COPY = """\
from patterns import Parameter, Table
limit = Parameter("limit", type=int, default=1)
for row in Table("rows").as_stream():
    Table("kept", "w").append(row)
    Table("seen", "w").append(row)
"""
SUB = {
    "name": "copy",
    "exposes": {"inputs": ["rows"], "outputs": ["kept"], "parameters": ["limit"]},
    "scripts": [{"file": "copy.py"}, {"file": "count.sql", "outputs": ["counts"]}],
    "stores": [{"table": "rows"}, {"table": "kept"}, {"table": "seen"}, {"table": "counts"}],
}
COUNT = 'select count(*) as n from {{ Table("seen") }}'
EVENTS = [{"title": "Events", "table": "events"}]


def build(scripts, sub=SUB, webhooks=EVENTS, stores=(), **files):
    manifest = {"name": "app", "scripts": scripts, "webhooks": webhooks, "stores": list(stores)}
    texts = {"sub/manifest.json": json.dumps(sub), "sub/copy.py": COPY, "sub/count.sql": COUNT}
    texts |= {name.replace("__", "/", 1).replace("_dot_", "."): text for name, text in files.items()}
    sources = Sources({name: text.encode() for name, text in texts.items()})
    return build_graph(parse_manifest(json.dumps(manifest).encode()), sources, None)


def told(found):
    return [render_diagnostic(one) for one in found]


def edges(graph):
    return {(edge.node, str(edge.access), edge.store) for edge in graph.edges}


def test_an_included_app_is_connected_by_its_ports_and_keeps_its_other_tables():
    entry = {"file": "sub/manifest.json", "inputs": {"rows": "events"}, "outputs": {"kept": "result"}}

    graph, found = build([entry])

    assert told(found) == []
    assert edges(graph) == {
        ("Events", "write", "events"),
        ("sub.copy", "stream", "events"),
        ("sub.copy", "write", "result"),
        ("sub.copy", "write", "sub__seen"),
        ("sub.count", "read", "sub__seen"),
        ("sub.count", "write", "sub__counts"),
    }
    assert {(store.name, store.group) for store in graph.stores} == {
        ("events", None),
        ("result", None),
        ("sub__counts", "sub"),
        ("sub__seen", "sub"),
    }
    assert [(node.name, node.group, node.file) for node in graph.nodes] == [
        ("Events", None, None),
        ("sub.copy", "sub", "sub/copy.py"),
        ("sub.count", "sub", "sub/count.sql"),
    ]
    assert graph.node("sub.count").sql == ('select count(*) as n from "sub__seen" as "seen"',)


def test_one_app_is_included_twice_without_sharing_anything():
    entries = [
        {"file": "sub/manifest.json", "name": name, "inputs": {"rows": "events"}, "outputs": {"kept": name}}
        for name in ("one", "two")
    ]

    graph, found = build(entries)

    assert told(found) == []
    assert {store for _, _, store in edges(graph)} == {
        *("events", "one", "two"),
        *("one__seen", "one__counts", "two__seen", "two__counts"),
    }


def test_an_exposed_name_that_is_not_connected_is_a_table_of_the_same_name():
    graph, found = build([{"file": "sub/manifest.json"}], webhooks=[{"title": "Rows", "table": "rows"}])

    assert told(found) == []
    assert ("sub.copy", "write", "kept") in edges(graph)


def test_without_exposes_all_tables_meet_those_that_the_app_around_names():
    sub = {key: value for key, value in SUB.items() if key != "exposes"}
    webhooks = [{"title": "Rows", "table": "rows"}]

    graph, found = build(
        [{"file": "sub/manifest.json"}], sub=sub, webhooks=webhooks, stores=[{"table": "seen"}]
    )

    assert told(found) == []
    assert {store for _, _, store in edges(graph)} == {"rows", "seen", "sub__kept", "sub__counts"}


def test_parameters_and_settings_of_the_entry_win():
    entry = {
        "file": "sub/manifest.json",
        "inputs": {"rows": "events"},
        "parameters": {"limit": 7},
        "retries": 9,
        "trigger": "@daily",
    }
    sub = SUB | {"scripts": [{"file": "copy.py", "parameters": {"limit": 2}, "retries": 1}]}

    graph, found = build([entry], sub=sub)
    node = graph.node("sub.copy")

    assert told(found) == []
    assert (node.parameters, node.spec["retries"], node.spec["trigger"]) == ({"limit": 7}, 9, "@daily")


@pytest.mark.parametrize(
    ("given", "own", "exposed", "expected"),
    [
        ({"limit": 7}, {}, ["limit"], {"limit": 7}),
        ({"limit": 7}, {"limit": 2}, ["limit"], {"limit": 7}),
        ({}, {"limit": 2}, ["limit"], {"limit": 2}),
        ({"limit": 7}, {}, None, {"limit": 7}),
    ],
)
def test_what_the_outermost_app_sets_reaches_the_innermost_nodes(given, own, exposed, expected):
    entry = {"file": "sub/manifest.json", "inputs": {"rows": "events"}, "parameters": given, "retries": 9}
    entry |= {"trigger": "@daily", "secrets": ["OUTER"]}
    passing = {"file": "inner/manifest.json", "parameters": own, "outputs": {"kept": "kept"}}
    middle = {
        "name": "middle",
        "exposes": SUB["exposes"],
        "scripts": [passing | {"trigger": "@hourly", "retries": 1, "secrets": ["INNER"]}],
        "stores": SUB["stores"],
    }
    inner = SUB if exposed else {key: value for key, value in SUB.items() if key != "exposes"}
    files = {
        "sub/manifest.json": json.dumps(middle),
        "sub/inner/manifest.json": json.dumps(inner),
        "sub/inner/copy.py": COPY,
        "sub/inner/count.sql": COUNT,
    }
    manifest = {"name": "app", "scripts": [entry], "webhooks": EVENTS}
    sources = Sources({name: text.encode() for name, text in files.items()})

    graph, found = build_graph(parse_manifest(json.dumps(manifest).encode()), sources, None)
    node = graph.node("sub.inner.copy")

    assert told(found) == []
    assert (node.parameters, node.spec["retries"], node.spec["trigger"]) == (expected, 9, "@daily")
    assert node.spec["secrets"] == ["INNER", "OUTER"]


def test_a_parameter_that_an_inner_app_does_not_expose_does_not_reach_it():
    hidden = SUB | {"exposes": SUB["exposes"] | {"parameters": []}}
    middle = SUB | {"scripts": [{"file": "inner/manifest.json", "outputs": {"kept": "kept"}}]}
    sources = Sources(
        {
            "sub/manifest.json": json.dumps(middle).encode(),
            "sub/inner/manifest.json": json.dumps(hidden).encode(),
            "sub/inner/copy.py": COPY.encode(),
            "sub/inner/count.sql": COUNT.encode(),
        }
    )
    entry = {"file": "sub/manifest.json", "inputs": {"rows": "events"}, "parameters": {"limit": 7}}
    manifest = json.dumps({"name": "app", "scripts": [entry], "webhooks": EVENTS}).encode()

    graph, _ = build_graph(parse_manifest(manifest), sources, None)

    assert graph.node("sub.inner.copy").parameters == {}


def test_webhooks_of_an_included_app_have_its_name_before_theirs():
    sub = {"name": "hooks", "webhooks": [{"title": "New order", "table": "orders"}]}

    graph, _ = build([{"file": "sub/manifest.json"}], sub=sub)
    [hook] = [node for node in graph.nodes if node.group]

    assert (hook.name, hook.spec["path"], hook.spec["table"]) == (
        "sub.New order",
        "/sub/new-order",
        "sub__orders",
    )


def test_apps_within_apps_have_all_their_names():
    inner = {"name": "in", "scripts": [{"file": "x.py"}]}
    sub = {"name": "sub", "scripts": [{"file": "deep/manifest.json", "inputs": {"a": "b"}}]}
    script = 'from patterns import Table\nfor r in Table("a").as_stream(): Table("c", "w").append(r)'

    graph, found = build(
        [{"file": "sub/manifest.json", "inputs": {"b": "events"}}],
        sub=sub,
        **{"sub__deep/manifest.json": json.dumps(inner), "sub__deep/x.py": script},
    )

    assert told(found) == []
    assert edges(graph) == {
        ("Events", "write", "events"),
        ("sub.deep.x", "stream", "events"),
        ("sub.deep.x", "write", "sub__deep__c"),
    }


def test_a_long_private_name_is_cut_and_stays_unlike_others():
    name = "n" * 40
    sub = SUB | {"stores": [{"table": "t" * 40}, {"table": "t" * 40 + "u"}]}

    graph, _ = build([{"file": "sub/manifest.json", "name": name, "inputs": {"rows": "events"}}], sub=sub)
    names = [store.name for store in graph.stores if store.name.startswith("n")]

    assert all(len(found) <= 63 for found in names)
    assert len(set(names)) == len(names) == 4


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"inputs": {"rws": "events", "rows": "events"}},
            (
                'error[unknown-port] manifest.json:1:69 /scripts/0/inputs: the included app "sub" has no input '
                '"rws".\n  its inputs: "rows"\n  hint: did you mean "rows"?'
            ),
        ),
        (
            {"inputs": {"rows": "events"}, "parameters": {"limt": 1}},
            (
                'error[unknown-port] manifest.json:1:103 /scripts/0/parameters: the included app "sub" has no '
                'parameter "limt".\n  its parameters: "limit"\n  hint: did you mean "limit"?'
            ),
        ),
        (
            {},
            (
                'error[unconnected-input] manifest.json:1:29 /scripts/0: the input "rows" of the included app '
                '"sub" is not connected.\n  tables to connect it to: "events", "kept"\n'
                '  hint: add {"rows": "…"} to the "inputs" of the entry, with the name of a table'
            ),
        ),
        (
            {"inputs": {"rows": "event"}},
            (
                'error[unconnected-input] manifest.json:1:69 /scripts/0/inputs: the input "rows" of the included '
                'app "sub" is connected to "event", which nothing declares and nothing writes.\n'
                '  tables to connect it to: "events", "kept"\n  hint: did you mean "events"?'
            ),
        ),
    ],
)
def test_a_wrong_connection_is_explained(entry, expected):
    _, found = build([{"file": "sub/manifest.json", **entry}])

    assert told(found) == [expected]


def test_two_apps_with_one_webhook_path_are_an_error():
    sub = {"name": "hooks", "webhooks": [{"title": "New", "table": "orders"}]}
    entry = {"file": "sub/manifest.json", "name": "A b"}

    _, found = build([entry], sub=sub, webhooks=[{"title": "X", "table": "x", "path": "/a-b/new"}])

    assert told(found) == [
        (
            'error[taken-name] manifest.json:1:89 /webhooks/0: the webhooks "X" and "A b.New" have the same path, '
            '"/a-b/new".\n  hint: give one of them another "path", or the included app another "name"'
        )
    ]


@pytest.mark.parametrize("is_included", [True, False])
def test_what_is_exposed_and_nothing_uses_is_a_slip(is_included):
    exposes = {"inputs": ["rows", "rwos"], "outputs": ["kept"], "parameters": ["limt"]}
    sub = SUB | {"exposes": exposes}
    if is_included:
        _, found = build([{"file": "sub/manifest.json", "inputs": {"rows": "events"}}], sub=sub)
    else:
        texts = {"copy.py": COPY, "count.sql": COUNT}
        sources = Sources({name: text.encode() for name, text in texts.items()})
        _, found = build_graph(parse_manifest(json.dumps(sub).encode()), sources, None)

    file = "sub/manifest.json" if is_included else "manifest.json"
    assert told(found) == [
        (
            f'warning[unknown-port] {file}:1:49 /exposes/inputs/1: the app exposes the input "rwos", which nothing '
            'in it uses.\n  its tables and files: "counts", "kept", "rows", "seen"\n  hint: did you mean "rows"?'
        ),
        (
            f'warning[unknown-port] {file}:1:94 /exposes/parameters/0: the app exposes the parameter "limt", which '
            'nothing in it uses.\n  its parameters: "limit"\n  hint: did you mean "limit"?'
        ),
    ]


def test_an_app_that_cannot_be_read_is_not_said_to_lack_parameters():
    middle = SUB | {"scripts": [{"file": "inner/manifest.json"}]}
    entry = {"file": "sub/manifest.json", "inputs": {"rows": "events"}, "parameters": {"limit": 7}}

    _, found = build([entry], sub=middle, **{"sub__inner/manifest.json": '{"name": "inner", "scripts": ['})

    assert {one.code for one in found} == {"syntax-error"}


def test_a_private_table_is_nobody_elses():
    script = 'from patterns import Table\nfor r in Table("sub__seen").as_stream(): pass'

    _, found = build(
        [{"file": "sub/manifest.json", "inputs": {"rows": "events"}}, {"file": "look.py"}], look_dot_py=script
    )

    assert told(found) == [
        (
            'error[taken-name] look.py:2:10: "sub__seen" is the table "seen" that the included app "sub" keeps to '
            'itself.\n  hint: add "seen" to the "exposes" of the included app, or take another name'
        )
    ]


def test_a_circle_of_inclusions_is_shown():
    sub = {"name": "sub", "scripts": [{"file": "deep/manifest.json"}]}
    deep = {"name": "deep", "scripts": [{"file": "manifest.json", "name": "again"}]}

    _, found = build(
        [{"file": "sub/manifest.json"}], sub=sub, **{"sub__deep/manifest.json": json.dumps(deep)}
    )

    assert told(found) == [
        (
            "error[include-cycle] sub/deep/manifest.json:1:39 /scripts/0/file: apps include each other in a circle: "
            "sub/deep/manifest.json → sub/deep/manifest.json.\n"
            "  hint: take out one of these inclusions"
        )
    ]


def test_inclusions_that_multiply_end():
    files = {
        f"a{n}.json": json.dumps(
            {"name": "a", "scripts": [{"file": f"a{n + 1}.json", "name": str(copy)} for copy in range(9)]}
        ).encode()
        for n in range(9)
    }
    parts, found = find_parts(parse_manifest(files["a0.json"], "a0.json"), Sources(files))

    assert len(parts) < 1100
    assert "more than 1000 apps are included" in "".join(told(found))


def test_mistakes_in_an_included_app_point_into_its_file():
    _, found = build([{"file": "sub/manifest.json"}], sub={"name": "sub", "scripts": [{"file": 3}]})

    assert told(found)[0].startswith("error[wrong-type] sub/manifest.json:1:38 /scripts/0/file:")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            "patterns/openai-completion@v3",
            (
                'error[unknown-component] manifest.json:1:38 /scripts/0: component "patterns/openai-completion" has no '
                'version "v3".\n  known versions: "v4"\n'
                '  hint: write "patterns/openai-completion@v4", and see whether its ports are what you need'
            ),
        ),
        (
            "patterns/openai-completions@v4",
            (
                "error[unknown-component] manifest.json:1:38 /scripts/0: there is no component "
                '"patterns/openai-completions@v4".\n  known components: "patterns/openai-completion@v4"\n'
                '  hint: did you mean "patterns/openai-completion@v4"?'
            ),
        ),
    ],
)
def test_an_unknown_component_is_named_with_those_that_there_are(reference, expected):
    _, found = build(
        [{"uses": reference}], webhooks=[], **{".components__index.txt": "patterns/openai-completion@v4"}
    )

    assert [text.replace("/scripts/0/uses", "/scripts/0") for text in told(found)] == [expected]


def test_a_secret_in_the_parameters_of_sql_is_refused():
    _, found = build(
        [{"file": "q.sql", "outputs": ["o"], "parameters": {"p": "${{ token }}"}}],
        webhooks=[],
        q_dot_sql="select {{ Parameter('p') }} as p",
    )

    assert told(found) == [
        (
            'error[secret-in-sql] manifest.json:1:79 /scripts/0/parameters: a parameter of the SQL script "q" holds '
            '"${{ token }}", and a secret must not stand in the text of a query.\n'
            "  hint: do this step in a Python script"
        )
    ]


def test_a_picture_shows_an_included_app_as_one_box():
    entry = {"file": "sub/manifest.json", "inputs": {"rows": "events"}}

    graph, _ = build([entry])

    assert [" ".join(line.split()) for line in render_terminal(collapse_groups(graph)).splitlines()[2:]] == [
        "● Events webhook POST /events",
        "╰─▶ ▤ events table",
        "╰─▶ ● sub app 2 nodes",
        "╰─▶ ▤ kept table",
    ]
    assert "seen" not in render_terminal(collapse_groups(graph))


def test_the_order_of_entries_plays_no_part():
    entries = [
        {"file": "sub/manifest.json", "name": name, "inputs": {"rows": "events"}, "outputs": {"kept": name}}
        for name in ("one", "two")
    ]
    first, _ = build(entries)
    second, _ = build(entries[::-1])

    assert edges(first) == edges(second)
    assert [node.content for node in first.nodes] == [node.content for node in second.nodes]
