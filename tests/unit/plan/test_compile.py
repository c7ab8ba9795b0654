import json
import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app

MANIFEST = b"""\
{
    "name": "quick-start",
    "scripts": [
        {"file": "my_py.py"},
    ],
    "webhooks": [
        {"title": "Slack messages", "table": "slack_messages"},
    ],
}
"""
SCRIPT = b"""\
from patterns import File, Model, Parameter, Table

import openai


messages = Table("slack_messages")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
"""
CONFIGURATION = b'{"models": [{"name": "text", "provider": "echo"}]}'
FILES = {"manifest.json": MANIFEST, "my_py.py": SCRIPT, "patterns.json": CONFIGURATION}


def told(compiled):
    return [render_diagnostic(found) for found in compiled.diagnostics]


def test_the_quick_start_compiles_without_findings():
    compiled = compile_app(Sources(FILES))

    assert compiled.diagnostics == ()
    assert compiled.is_good
    assert [table.name for table in compiled.plan.tables] == ["completions", "slack_messages"]
    assert compiled.plan.node("my_py").models == ("text",)


def test_the_quick_start_as_printed_compiles_with_a_warning():
    compiled = compile_app(Sources({"manifest.json": MANIFEST, "my_py.py": SCRIPT}))

    assert compiled.is_good
    assert told(compiled) == [
        (
            'warning[no-text-model] my_py.py:3:1: node "my_py" imports "openai", '
            "which the app's text model answers, "
            "and no text model is declared or bound: calls to it will fail.\n"
            "  hint: patterns add model text --provider echo (made-up answers, to try it offline)"
        )
    ]


def test_a_folder_without_a_manifest_is_no_app():
    compiled = compile_app(Sources({"my_py.py": SCRIPT}), folder="quick-start")

    assert compiled.manifest is None
    assert compiled.graph is None
    assert not compiled.is_good
    assert told(compiled) == [
        (
            'error[no-app] the folder "quick-start" has no "manifest.json", so it is no app.\n'
            "  hint: `patterns create app NAME` makes one"
        )
    ]


def test_everything_wrong_is_told_at_once_and_the_graph_is_still_there():
    compiled = compile_app(
        Sources(
            {
                "manifest.json": b"""\
{
    "name": "bad",
    "scripts": [
        {"file": "a.py", "runtime": "fast"},
        {"file": "b.py"},
        {"file": "lib/b.py"},
        {"file": "gone.py"}
    ]
}
""",
                "a.py": b"from patterns import Table\nTable('nothing')\n",
                "b.py": b"def (",
                "patterns.json": b'{"storage": []}',
            }
        )
    )

    assert compiled.plan is None
    assert [found.code for found in compiled.diagnostics] == [
        "unknown-table",
        "script-syntax",
        "unknown-runtime",
        "duplicate-name",
        "missing-file",
        "unknown-key",
    ]


def test_broken_json_stops_at_the_manifest():
    compiled = compile_app(Sources({"manifest.json": b"{"}))

    assert compiled.graph is None
    assert len(compiled.diagnostics) == 1


def test_a_cron_is_checked_where_a_parser_is_given():
    def refuse(expression, timezone):
        raise ValueError("there is no 31 February")

    sources = Sources(
        {
            "manifest.json": b'{"name": "a", "scripts": [{"file": "a.py", "trigger": "0 0 31 2 *"}]}',
            "a.py": b"",
        }
    )

    assert compile_app(sources).is_good
    assert told(compile_app(sources, parse_cron=refuse)) == [
        (
            'error[cron-invalid] manifest.json:1:55 /scripts/0/trigger: the cron of node "a" cannot be kept: '
            "there is no 31 February."
        )
    ]


def test_the_plan_s_bytes_do_not_depend_on_the_process():
    program = (
        "from patterns_os.graph.sources import Sources\n"
        "from patterns_os.plan.compile import compile_app\n"
        f"print(compile_app(Sources({FILES!r})).plan.version_hash)\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }

    assert hashes == {f"{compile_app(Sources(FILES)).plan.version_hash}\n"}


def test_an_app_without_sql_does_not_load_its_parser():
    program = (
        "import sys\n"
        "from patterns_os.graph.sources import Sources\n"
        "from patterns_os.plan.compile import compile_app\n"
        f"compile_app(Sources({FILES!r}))\n"
        "print(sorted({'sqlglot', 'jinja2', 'networkx', 'rich'} & set(sys.modules)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 300), st.binary(max_size=6), st.integers(0, 10))
def test_mutated_files_never_raise(name, place, inserted, dropped):
    content = FILES[name]
    mutated = content[:place] + inserted + content[place + dropped :]

    compiled = compile_app(Sources(FILES | {name: mutated}))

    assert compiled.is_good or compiled.diagnostics


def test_a_script_is_read_in_the_dialect_of_its_storage():
    manifest = {
        "name": "app",
        "scripts": [{"file": "a.sql", "outputs": ["a"]}, {"file": "b.sql", "outputs": ["b"]}],
        "stores": [{"table": "orders", "storage": "lake"}, {"table": "a", "storage": "lake"}, {"table": "b"}],
    }
    configuration = {
        "storages": [
            {"type": "database", "url": "postgresql://localhost/db", "name": "main"},
            {"type": "database", "url": "postgresql://localhost/lake", "name": "lake", "dialect": "redshift"},
        ]
    }
    # Redshift knows `approximate`, and Postgres does not.
    query = b'select approximate count(distinct id) as n from {{ Table("orders") }}'
    found = compile_app(
        Sources(
            {
                "manifest.json": json.dumps(manifest).encode(),
                "patterns.json": json.dumps(configuration).encode(),
                "a.sql": query,
                "b.sql": query,
            }
        )
    )
    assert [(one.code, one.where.file) for one in found.diagnostics if one.code == "sql-syntax"] == [
        ("sql-syntax", "b.sql")
    ]
