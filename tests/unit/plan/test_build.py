import json

import pytest

from patterns_os import __version__
from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.build import build_graph
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_configuration, parse_manifest
from patterns_os.plan.build import build_plan
from patterns_os.plan.spec import (
    PlannedCron,
    PlannedInput,
    PlannedModel,
    PlannedOutput,
    PlannedTable,
    PlannedWebhook,
)

IMPORT = "from patterns import *\n"
STREAM_AND_READ = f'{IMPORT}Table("rows").as_stream()\nTable("lookup").read()\nTable("out", "w")'


def accept(expression, timezone):
    """Take every cron."""


def refuse(expression, timezone):
    raise ValueError(f'the time zone "{timezone}" does not exist.')


def build(manifest, files=None, configuration=None, parse_cron=accept):
    sources = Sources({name: text.encode() for name, text in (files or {}).items()})
    settings = parse_configuration(json.dumps(configuration).encode()).spec if configuration else None
    parsed = parse_manifest(json.dumps({"name": "app"} | manifest).encode())
    assert parsed.diagnostics == ()
    graph, diagnostics = build_graph(parsed, sources, settings)
    assert diagnostics == ()
    return build_plan(graph, settings, parse_cron)


def planned(script, source=STREAM_AND_READ, **parts):
    plan, diagnostics = build({"scripts": [{"file": "a.py"} | script]} | parts, {"a.py": source})
    assert diagnostics == ()
    return plan.node("a")


def triggering(node):
    return [entry.table for entry in node.inputs if entry.triggering]


def test_streams_trigger_and_look_ups_beside_them_do_not():
    node = planned({})

    assert node.inputs == (
        PlannedInput(table="lookup", port="lookup", access="read", triggering=False),
        PlannedInput(table="rows", port="rows", access="stream", triggering=True),
    )
    assert node.outputs == (PlannedOutput(table="out", port="out"),)
    assert not node.manual


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            'Table("a").read()\nTable("b").read()', ["a", "b"], id="reads where nothing is streamed"
        ),
        pytest.param('t = Table("a", "w")\nt.read()\nTable("b")', ["b"], id="not what it writes"),
        pytest.param('t = Table("a")\nt.read()\nt.as_stream()', ["a"], id="streamed and read"),
        pytest.param('Table("a", "w")', [], id="nothing read"),
        pytest.param('File("f").read()', [], id="files do not"),
    ],
)
def test_what_triggers(source, expected):
    node = planned({}, IMPORT + source)

    assert triggering(node) == expected
    assert node.manual is not bool(expected)


def test_a_table_that_is_streamed_and_read_is_one_input():
    node = planned({}, f'{IMPORT}t = Table("a")\nt.read()\nt.as_stream()')

    assert [(entry.table, entry.access) for entry in node.inputs] == [("a", "stream")]


@pytest.mark.parametrize(
    ("trigger", "cron"),
    [
        ("@daily", PlannedCron(expression="0 0 * * *")),
        ("*/5  * * * *", PlannedCron(expression="*/5 * * * *")),
        (
            {"cron": "0 9 * * 1", "timezone": "Europe/Berlin"},
            PlannedCron(expression="0 9 * * 1", timezone="Europe/Berlin"),
        ),
    ],
)
def test_a_cron_replaces_the_reactive_trigger(trigger, cron):
    node = planned({"trigger": trigger})

    assert node.cron == cron
    assert triggering(node) == []
    assert not node.manual


def test_manual_means_only_when_asked():
    node = planned({"trigger": "manual"})

    assert node.manual
    assert triggering(node) == []


def test_named_tables_trigger_instead_of_all_streams():
    node = planned({"trigger": {"when": "all", "on": ["lookup"]}})

    assert triggering(node) == ["lookup"]
    assert node.when == "all"


def test_a_node_that_bounds_its_circle_is_triggered_by_what_it_writes():
    source = 'from patterns import *\nt = Table("t", "w")\nfor row in t.as_stream(): t.append(row)'
    node = planned({"max_hops": 3}, source)

    assert node.max_hops == 3
    assert triggering(node) == ["t"]


def test_a_cron_that_cannot_be_kept_is_an_error_at_its_place():
    trigger = {"cron": "0 9 * * 1", "timezone": "Mars"}
    plan, diagnostics = build(
        {"scripts": [{"file": "a.py", "trigger": trigger}]}, {"a.py": ""}, parse_cron=refuse
    )

    assert plan is None
    assert [render_diagnostic(found) for found in diagnostics] == [
        (
            'error[cron-invalid] manifest.json:1:57 /scripts/0/trigger: the cron of node "a" cannot be kept: '
            'the time zone "Mars" does not exist.'
        )
    ]


def test_what_the_author_sets_wins_over_defaults():
    node = planned(
        {
            "retries": 0,
            "timeout": "2m",
            "on_error": "stop",
            "start": "now",
            "isolation": "run",
            "secrets": ["B_KEY"],
            "parameters": {"limit": 5},
        },
        f'{IMPORT}Secret("A_KEY")\nParameter("limit", type=int)',
    )

    assert (node.retries, node.timeout_s, node.on_error, node.start, node.isolation) == (
        0,
        120.0,
        "stop",
        "now",
        "run",
    )
    assert node.secrets == ("A_KEY", "B_KEY")
    assert node.parameters == {"limit": 5}


def test_defaults_are_the_plan_s():
    node = planned({})

    assert (node.retries, node.timeout_s, node.on_error, node.start) == (3, 600.0, "hold", "beginning")


def test_files_are_mapped_from_port_to_store():
    node = planned({"outputs": {"report": "out.csv"}}, f'{IMPORT}File("report").write("")')

    assert node.files == {"report": "out.csv"}
    assert node.outputs == ()


def test_tables_have_declared_columns_in_our_types():
    plan, _ = build(
        {
            "stores": [
                {
                    "table": "t",
                    "schema": {"id": "int", "at": "Datetime", "x": "Json"},
                    "unique_on": ["id"],
                    "retention": {"age": "1d"},
                }
            ]
        }
    )

    assert plan.tables == (
        PlannedTable(
            name="t",
            columns={"id": "bigint", "at": "timestamptz", "x": "jsonb"},
            row_schema={
                "fields": [
                    {"name": "id", "type": "bigint"},
                    {"name": "at", "type": "timestamptz"},
                    {"name": "x", "type": "jsonb"},
                ]
            },
            unique_on=("id",),
            retention={"age": 86400.0},
        ),
    )


def test_webhooks_have_a_path_from_their_title():
    plan, _ = build(
        {
            "webhooks": [
                {"title": "Slack messages", "table": "messages"},
                {
                    "title": "GitHub",
                    "name": "hub",
                    "path": "/github",
                    "table": "pushes",
                    "verify": {"preset": "github", "secret": "KEY"},
                    "respond": {"status": 202},
                },
            ]
        }
    )

    assert plan.webhooks == (
        PlannedWebhook(
            name="Slack messages", title="Slack messages", path="/slack-messages", table="messages"
        ),
        PlannedWebhook(
            name="hub",
            title="GitHub",
            path="/github",
            table="pushes",
            verify={"preset": "github", "secret": "KEY"},
            respond={"status": 202},
        ),
    )
    assert [table.name for table in plan.tables] == ["messages", "pushes"]


def test_models_are_joined_with_what_binds_them():
    plan, _ = build(
        {
            "models": [{"name": "second", "type": "chat"}, {"name": "base", "type": "text-embedding"}],
            "scripts": [{"file": "a.py"}],
        },
        {"a.py": f'{IMPORT}import openai\nModel("base")'},
        {
            "models": [
                {"name": "base", "provider": "openai", "model": "m", "secret": "KEY", "options": {"t": 0}},
                {"name": "extra", "provider": "echo"},
            ]
        },
    )

    assert plan.models == (
        PlannedModel(
            name="base",
            type="text-embedding",
            provider="openai",
            model="m",
            secret="KEY",
            options={"t": 0},
        ),
        PlannedModel(name="extra", type="chat", provider="echo"),
        PlannedModel(name="second", type="chat"),
    )
    assert plan.node("a").models == ("base", "second")


def test_sql_nodes_carry_their_query_and_the_parser_s_version():
    plan, _ = build(
        {"scripts": [{"file": "q.sql", "outputs": ["t"]}], "stores": [{"table": "s"}]},
        {"q.sql": "select * from s"},
    )
    node = plan.node("q")

    assert (node.kind, node.sql, node.sql_kind) == ("sql", ('select * from "s"',), "select")
    assert node.inputs == (PlannedInput(table="s", port="s", access="read", triggering=True),)
    assert node.outputs == (PlannedOutput(table="t", port="t"),)
    assert sorted(plan.toolchain) == ["patterns-os", "sqlglot"]


def test_without_sql_the_toolchain_is_this_package():
    plan, _ = build({})

    assert plan.toolchain == {"patterns-os": __version__}


def test_the_same_app_gives_the_same_bytes():
    one, _ = build({"stores": [{"table": "a"}, {"table": "b"}]})
    two, _ = build({"stores": [{"table": "b"}, {"table": "a"}]})

    assert one.to_bytes() == two.to_bytes()
    assert one.version_hash == two.version_hash
