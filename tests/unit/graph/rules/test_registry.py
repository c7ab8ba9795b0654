import json

import pytest

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.build import build_graph
from patterns_os.graph.rules.registry import RULES, check_graph
from patterns_os.graph.rules.rule import Checked
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_configuration, parse_manifest

IMPORT = "from patterns import *\n"
ABOUT_SMALL_APPS = {"never-started", "unlisted-script", "unused-model", "unused-runtime", "unused-store"}
"""What is found in many of these apps, and is not what their tests are about."""


def told(manifest, files=None, configuration=None, *, code=None):
    """Give the findings of that code as text, or all but those about small apps."""
    parsed = parse_manifest(json.dumps({"name": "app"} | manifest).encode())
    assert parsed.diagnostics == ()
    sources = Sources({name: text.encode() for name, text in (files or {}).items()})
    settings = parse_configuration(json.dumps(configuration).encode()) if configuration else None
    graph, _ = build_graph(parsed, sources, settings.spec if settings else None)
    found = check_graph(Checked(graph=graph, sources=sources, manifest=parsed, parsed_configuration=settings))
    return [
        render_diagnostic(diagnostic)
        for diagnostic in found
        if diagnostic.code == code or (code is None and diagnostic.code not in ABOUT_SMALL_APPS)
    ]


def app(**scripts):
    """Give the arguments of `told` for Python scripts by name."""
    files = {f"{name}.py": IMPORT + text for name, text in scripts.items()}
    return {"scripts": [{"file": file} for file in files]}, files


def test_a_missing_script_is_named_with_the_nearest():
    assert told({"scripts": [{"file": "my_pi.py"}]}, {"my_py.py": "", "readme.md": ""}) == [
        (
            'error[missing-file] manifest.json:1:38 /scripts/0/file: script "my_pi.py" does not exist.\n'
            '  known scripts: "my_py.py"\n'
            '  hint: did you mean "my_py.py"?'
        )
    ]


def test_a_table_that_nothing_fills_is_named_with_the_nearest():
    manifest, files = app(clean='Table("order")\nTable("out", "w")')

    assert told(manifest | {"stores": [{"table": "orders"}]}, files) == [
        (
            'error[unknown-table] clean.py:2:1: node "clean" reads table "order", '
            "which nothing declares and nothing writes.\n"
            '  known tables: "orders", "out"\n'
            '  hint: did you mean "orders"?'
        )
    ]


def test_a_table_that_nothing_fills_and_nothing_is_near_can_be_declared():
    assert told(*app(clean='Table("zebra")')) == [
        (
            'error[unknown-table] clean.py:2:1: node "clean" reads table "zebra", '
            "which nothing declares and nothing writes.\n"
            "  known tables: none\n"
            '  hint: add {"table": "zebra"} to "stores" if something else fills it'
        )
    ]


def test_a_wrong_name_is_told_where_it_is_used():
    assert told(*app(a='Table("1 table", "w")\nFile("../x").write("")')) == [
        (
            'error[wrong-name] a.py:2:1: "1 table" cannot be the name of a table: '
            "expected letters, digits and _, at most 63, the first not a digit."
        ),
        'error[wrong-name] a.py:3:1: "../x" cannot be the name of a file: it holds "..".',
    ]


def test_a_trigger_on_a_table_that_is_no_input_is_an_error():
    manifest = {
        "scripts": [{"file": "a.py", "trigger": {"on": ["lookup", "row"]}}],
        "stores": [{"table": "rows"}, {"table": "lookup"}],
    }

    assert told(manifest, {"a.py": f'{IMPORT}Table("rows").as_stream()\nTable("lookup").read()'}) == [
        (
            'error[unknown-table] manifest.json:1:57 /scripts/0/trigger: node "a" is triggered by '
            'table "row", '
            "which is not an input of it.\n"
            '  inputs: "lookup", "rows"\n'
            '  hint: did you mean "rows"?'
        )
    ]


def test_storages_and_runtimes_are_those_of_patterns_json():
    manifest = {
        "scripts": [{"file": "a.py", "runtime": "custom"}],
        "stores": [{"table": "t", "storage": "local-gp"}, {"file": "f", "storage": "local-pg"}],
    }
    configuration = {
        "storages": [{"type": "database", "url": "postgresql://localhost/db", "name": "local-pg"}],
        "runtimes": [{"name": "custom-python", "image": "python:3.12"}],
    }

    assert told(manifest, {"a.py": ""}, configuration) == [
        (
            'error[unknown-runtime] manifest.json:1:57 /scripts/0/runtime: node "a" runs in runtime '
            '"custom", '
            "which patterns.json does not have.\n"
            '  known runtimes: "custom-python"\n'
            '  hint: did you mean "custom-python"?'
        ),
        (
            'error[unknown-storage] manifest.json:1:80 /stores/0: table "t" is in storage "local-gp", '
            "which is not a database storage of patterns.json.\n"
            '  known storages: "local-pg"\n'
            '  hint: did you mean "local-pg"?'
        ),
        (
            'error[unknown-storage] manifest.json:1:119 /stores/1: file "f" is in storage "local-pg", '
            "which is not a file storage of patterns.json.\n"
            "  known storages: none"
        ),
    ]


@pytest.mark.parametrize(
    ("storages", "default"),
    [
        (["main", "warehouse"], '"main"'),
        ([], "the default one"),
    ],
)
def test_one_sql_statement_cannot_span_storages(storages, default):
    manifest = {
        "scripts": [{"file": "q.sql", "outputs": ["t"]}],
        "stores": [{"table": "t", "storage": "warehouse"}, {"table": "s"}],
    }
    databases = [
        {"type": "database", "url": f"postgresql://localhost/{name}", "name": name} for name in storages
    ]
    found = told(manifest, {"q.sql": "select * from s"}, {"storages": databases}, code="mixed-storages")

    assert found == [
        (
            'error[mixed-storages] manifest.json:1:29 /scripts/0: node "q" is one SQL statement over several '
            f'storages: "s" in {default}, "t" in "warehouse".\n'
            "  hint: move the rows with a Python script between them"
        )
    ]


def test_the_first_storage_is_that_of_tables_which_name_none():
    manifest = {
        "scripts": [{"file": "q.sql", "outputs": ["t"]}],
        "stores": [{"table": "t", "storage": "warehouse"}, {"table": "s"}],
    }
    databases = [{"type": "database", "url": "postgresql://localhost/w", "name": "warehouse"}]

    assert told(manifest, {"q.sql": "select * from s"}, {"storages": databases}) == []


@pytest.mark.parametrize(
    ("kind", "value", "is_wrong"),
    [
        ("int", "many", True),
        ("int", "12", False),
        ("int", [1], True),
        ("float", "1,5", True),
        ("bool", "perhaps", True),
        ("bool", "yes", False),
        ("date", "2024-13-01", True),
        ("datetime", "2024-12-01T10:00:00Z", False),
        ("list", 3, True),
        ("str", 3, False),
        ("int", None, False),
        ("int", "${{ LIMIT }}", False),
    ],
)
def test_a_value_that_is_not_of_the_type_of_its_parameter_is_an_error(kind, value, is_wrong):
    manifest, files = app(
        a=f'from datetime import date, datetime\nTable("t", "w").append({{"x": Parameter("p", type={kind})}})'
    )
    manifest["scripts"][0]["parameters"] = {"p": value}
    found = told(manifest, files, code="parameter-type")

    assert [text.partition(": ")[2] for text in found] == (
        [f'node "a" is given {json.dumps(value)} for parameter "p", which is of type "{kind}".']
        if is_wrong
        else []
    )


def test_keys_and_passwords_in_patterns_json_are_found():
    manifest, files = app(a='Table("t", "w").append({"x": 1})')
    settings = {
        "storages": [
            {"type": "database", "url": "postgresql://app:hunter2hunter2@db.example.com/app", "name": "main"}
        ],
        "models": [
            {"name": "m", "provider": "openai", "model": "x", "options": {"key": "sk-" + "a1B2" * 10}}
        ],
    }
    found = told(manifest, files, settings, code="secret-in-text")

    assert [text.partition(": ")[2].splitlines()[0] for text in found] == [
        '"patterns.json" holds what looks like a password in an address.',
        '"patterns.json" holds what looks like an OpenAI or Anthropic key.',
    ]


@pytest.mark.parametrize("password", ["${DB_PASSWORD}", "postgres", "password", "pass", "secret"])
def test_placeholders_are_no_passwords(password):
    manifest, files = app(a='Table("t", "w").append({"x": 1})')
    url = f"postgresql://app:{password}@localhost/app"
    settings = {"storages": [{"type": "database", "url": url, "name": "main"}]}

    assert told(manifest, files, settings, code="secret-in-text") == []


def test_a_circle_is_printed():
    found = told(
        *app(
            b='for r in Table("two").as_stream(): Table("one", "w").append(r)',
            a='for r in Table("one").as_stream(): Table("two", "w").append(r)',
        )
    )

    assert found == [
        (
            "error[cycle] a.py:2:10: tables trigger their own writers in a circle: a → two → b → one → a.\n"
            "  hint: let one of these nodes run by a cron and look at its table with .read()"
        )
    ]


def test_a_node_that_streams_what_it_writes_triggers_itself():
    assert told(*app(a='t = Table("t", "w")\nfor r in t.as_stream(): t.append(r)')) == [
        (
            'error[self-trigger] a.py:2:5: node "a" streams table "t", which it writes: a → t → a.\n'
            '  hint: look at its rows with .read(), or write another table than "t"'
        )
    ]


@pytest.mark.parametrize(
    "second",
    [
        {"file": "b.py", "trigger": "@daily"},
        {"file": "b.py", "trigger": "manual"},
        {"file": "c.py"},
    ],
    ids=["by the clock", "when asked", "beside a stream"],
)
def test_a_table_that_only_is_looked_at_makes_no_circle(second):
    files = {
        "a.py": f'{IMPORT}for r in Table("one").as_stream(): Table("two", "w").append(r)',
        "b.py": f'{IMPORT}Table("two").read()\nTable("one", "w")',
        "c.py": f'{IMPORT}Table("two").read()\nTable("three").as_stream()\nTable("one", "w")',
    }

    assert told({"scripts": [{"file": "a.py"}, second], "stores": [{"table": "three"}]}, files) == []


def test_a_node_may_read_what_it_writes():
    assert told(*app(a='t = Table("t", "w")\nseen = t.read()\nt.append(seen)')) == []


def test_two_selects_cannot_replace_one_table():
    manifest = {
        "scripts": [{"file": "a.sql", "outputs": ["t"]}, {"file": "b.sql", "outputs": ["t"]}],
    }

    assert told(manifest, {"a.sql": "select 1", "b.sql": "select 2"}) == [
        (
            'error[two-replacers] b.sql:1:1: nodes "a" and "b" both replace table "t", '
            "and each would undo the other.\n"
            '  hint: append in one of them with insert into "t" select …'
        )
    ]


@pytest.mark.parametrize(
    ("source", "repeats"),
    [
        ("insert into t select * from s", True),
        ('insert into t select * from {{ Table("s").new }}', False),
        ("insert into t select * from s where id not in (select id from t)", False),
        ("create table t as select * from s", False),
    ],
)
def test_an_insert_of_whole_tables_is_a_warning(source, repeats):
    manifest = {"scripts": [{"file": "q.sql"}], "stores": [{"table": "s"}]}
    warning = (
        'warning[insert-repeats] manifest.json:1:29 /scripts/0: each run of "q" inserts all rows of '
        '"s" again.\n'
        '  hint: read {{ Table("s").new }} for the rows that are new, or use a bare select, which replaces'
    )

    assert told(manifest, {"q.sql": source}) == ([warning] if repeats else [])


def test_a_parameter_needs_a_value_or_a_default():
    manifest = {"scripts": [{"file": "a.py", "parameters": {"limti": 5}}]}
    source = f'{IMPORT}Parameter("limit", type=int)\nParameter("since", default=None)\nParameter("day")'

    assert told(manifest, {"a.py": source}) == [
        (
            'error[missing-parameter] a.py:2:1: node "a" asks for parameter "limit", '
            "which has neither a value nor a default.\n"
            '  given parameters: "limti"\n'
            '  hint: did you mean "limti"?'
        ),
        (
            'error[missing-parameter] a.py:4:1: node "a" asks for parameter "day", '
            "which has neither a value nor a default.\n"
            '  given parameters: "limti"\n'
            '  hint: add "parameters": {"day": …} to the script in manifest.json'
        ),
        (
            'warning[unknown-parameter] manifest.json:1:60 /scripts/0/parameters: node "a" is given '
            "parameter "
            '"limti", which its script never asks for.\n'
            '  parameters of the script: "day", "limit", "since"\n'
            '  hint: did you mean "limit"?'
        ),
    ]


def test_a_declared_output_that_is_never_written_is_a_warning():
    manifest = {"scripts": [{"file": "a.py", "outputs": ["total", "totals"]}]}

    assert told(manifest, {"a.py": f'{IMPORT}Table("totals", "w")'}) == [
        (
            'warning[output-not-written] manifest.json:1:57 /scripts/0/outputs: node "a" declares output '
            '"total" and never writes it.\n'
            '  hint: did you mean "totals"?'
        )
    ]


def test_a_model_that_neither_file_knows_is_a_warning():
    manifest, files = app(a='Model("lmm")\nModel("llm")\nModel("bound")')
    models = {"models": [{"name": "llm", "type": "chat"}]}
    bound = {"models": [{"name": "bound", "provider": "echo"}]}

    assert told(manifest | models, files, bound) == [
        (
            'warning[unknown-model] a.py:2:1: node "a" asks for model "lmm", '
            "which neither manifest.json nor patterns.json knows.\n"
            '  known models: "bound", "llm"\n'
            '  hint: did you mean "llm"?'
        )
    ]


def test_import_openai_without_a_text_model_is_a_warning():
    manifest, files = app(a="import openai")

    assert told(manifest, files) == [
        (
            'warning[no-text-model] a.py:2:1: node "a" imports "openai", '
            "which the app's text model answers, "
            "and no text model is declared or bound: calls to it will fail.\n"
            "  hint: patterns add model text --provider echo (made-up answers, to try it offline)"
        )
    ]
    assert told(manifest | {"models": [{"name": "llm", "type": "chat"}]}, files) == []
    assert told(manifest, files, {"models": [{"name": "llm", "provider": "echo"}]}) == []


@pytest.mark.parametrize(
    ("manifest", "files"),
    [
        pytest.param(
            {"scripts": [{"file": "a.py"}]},
            {
                "a.py": f'{IMPORT}prompts = Table("completions")\ncompletions = Table("completions", "w")\n'
                "for row in prompts.as_stream(): completions.append(row)"
            },
            id="two handles of one table",
        ),
        pytest.param(
            {"scripts": [{"file": "a.py", "inputs": {"prompts": "completions"}, "outputs": ["completions"]}]},
            {
                "a.py": f'{IMPORT}out = Table("completions", "w")\n'
                'for row in Table("prompts").as_stream(): out.append(row)'
            },
            id="a port of another name",
        ),
        pytest.param(
            {"scripts": [{"file": "a.py"}]},
            {
                "a.py": f"{IMPORT}import tables as t\nfor row in t.prompts.as_stream(): t.completions.append(row)",
                "tables.py": f'{IMPORT}prompts = Table("completions")\ncompletions = Table("completions", "w")',
            },
            id="a module of the app",
        ),
        pytest.param(
            {"scripts": [{"file": "a.sql"}]},
            {"a.sql": 'insert into completions select * from {{ Table("completions").new }}'},
            id="SQL",
        ),
    ],
)
def test_a_node_that_feeds_itself_is_found_under_all_names(manifest, files):
    [found] = told(manifest, files, code="self-trigger")

    assert found.endswith(
        'node "a" streams table "completions", which it writes: a → completions → a.\n'
        '  hint: look at its rows with .read(), or write another table than "completions"'
    )


def test_a_circle_may_be_bounded():
    manifest, files = app(a='t = Table("t", "w")\nfor r in t.as_stream(): t.append(r)')
    bounded = {"scripts": [{"file": "a.py", "max_hops": 3}]}

    assert len(told(manifest, files, code="self-trigger")) == 1
    assert told(bounded, files) == []


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ("t.replace([])", "t.replace([])", "two-replacers"),
        ("t.truncate()\nt.append({})", "t.replace([])", "two-replacers"),
        ("t.replace([])", "t.append({})", "replaced-and-appended"),
        ("t.truncate()", "t.append({})", None),
        ("t.append({})", "t.append({})", None),
        ("t.replace([])\nt.append({})", "t.append({})", None),
    ],
)
def test_nodes_that_undo_each_other_are_found_in_python_too(one, other, code):
    manifest, files = app(a=f't = Table("t", "w")\n{one}', b=f't = Table("t", "w")\n{other}')
    found = [text.partition("[")[2].partition("]")[0] for text in told(manifest, files)]

    assert found == ([] if code is None else [code])


def test_a_webhook_adds_rows_that_a_select_would_drop():
    manifest = {
        "scripts": [{"file": "q.sql", "outputs": ["events"]}],
        "webhooks": [{"title": "Events", "table": "events"}],
        "stores": [{"table": "s"}],
    }

    assert told(manifest, {"q.sql": "select 1 as x from s"}) == [
        (
            'warning[replaced-and-appended] manifest.json:1:114 /webhooks/0/table: node "Events" adds rows to '
            'table "events", and each run of "q" replaces them all.\n'
            "  hint: let one of them write another table"
        )
    ]


def test_an_insert_of_a_table_into_itself_repeats_it():
    manifest = {"scripts": [{"file": "q.sql", "trigger": "@daily"}], "stores": [{"table": "t"}]}

    assert told(manifest, {"q.sql": "insert into t select x + 1 as x from t"}) == [
        (
            'warning[insert-repeats] manifest.json:1:29 /scripts/0: each run of "q" inserts all rows of "t" '
            "again.\n  hint: read another table than the one that is written"
        )
    ]


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ('Table("t", "w").upsert({})', True),
        ('t = Table("t", "w")\nt.init(unique_on=["id"])\nt.upsert({})', False),
        ('Table("t", "w").append({})', False),
    ],
)
def test_an_upsert_needs_a_key(source, is_found):
    assert bool(told(*app(a=source), code="upsert-without-key")) is is_found


@pytest.mark.parametrize(
    ("engine", "url", "is_found"),
    [
        ("local", "postgresql://localhost/db", False),
        ("kubernetes", "postgresql://localhost/db", True),
        ("docker", "postgresql://user:word@127.0.0.1:5432/db", True),
        ("nomad", "postgresql:///db", True),
        ("kubernetes", "postgresql://localhost.example.com/db", False),
        ("kubernetes", "${DATABASE_URL}", False),
    ],
)
def test_launchers_elsewhere_need_an_address_that_leads_somewhere(engine, url, is_found):
    configuration = {
        "storages": [{"type": "database", "url": url, "name": "pg"}],
        "deployment": {"engine": engine},
    }

    assert bool(told({}, {}, configuration, code="unreachable-storage")) is is_found


def test_a_script_of_a_test_or_a_module_needs_no_entry():
    manifest, files = app(a="import lib\nlib.f()")
    files |= {
        "lib.py": f"{IMPORT}def f(): pass",
        "test_a.py": IMPORT,
        "tools/x.py": IMPORT,
        "notes.py": "x = 1",
    }

    assert told(manifest, files, code="unlisted-script") == []


@pytest.mark.parametrize(
    ("file", "imports", "is_found"),
    [
        pytest.param("calendar.py", "calendar", True, id="a module of the app that is never reached"),
        pytest.param("requests.py", "requests", True, id="a module of the app in place of a package"),
        pytest.param("helpers.py", "helpers", False, id="another name"),
        pytest.param("calendar.py", "json", False, id="not imported"),
    ],
)
def test_modules_that_are_hidden_by_others_are_found(file, imports, is_found):
    manifest, files = app(a=f'import {imports}\nTable("t", "w").append({{}})')

    assert bool(told(manifest, files | {file: "x = 1"}, code="shadowed-module")) is is_found


def test_a_script_may_have_the_name_of_a_module_of_python():
    manifest, files = app(
        calendar='Table("t", "w").append({})', b='import calendar\nTable("u", "w").append({})'
    )

    assert told(manifest, files, code="shadowed-module") == []


@pytest.mark.parametrize(
    "text",
    ["sk-short", "task-" + "a" * 40, "ghp_tooshort", "AKIAlowercase1234567", "xoxb-", "the key is secret"],
)
def test_texts_that_only_look_a_little_like_keys_are_left_alone(text):
    manifest, files = app(a=f'Table("t", "w").append({{"x": "{text}"}})')

    assert told(manifest, files, code="secret-in-text") == []


def test_a_key_is_found_and_never_shown():
    manifest = {"scripts": [{"file": "a.py", "parameters": {"key": "ghp_" + "a1B2" * 9}}]}
    [found] = told(manifest, {"a.py": ""}, code="secret-in-text")

    assert found.startswith("warning[secret-in-text] manifest.json:1:")
    assert "holds what looks like a GitHub token." in found
    assert "a1B2" not in found


def test_what_is_not_understood_is_not_called_unused():
    manifest = {
        "scripts": [{"file": "a.py"}],
        "stores": [{"table": "t"}],
        "parameters": [{"name": "p"}],
        "models": [{"name": "m", "type": "chat"}],
    }
    hidden = f'{IMPORT}import os\nTable(os.environ["T"])\nTable("u", "w")'

    for code in ("unused-store", "unused-parameter", "unused-model"):
        assert told(manifest, {"a.py": hidden}, code=code) == []
        assert len(told(manifest, {"a.py": f'{IMPORT}Table("u", "w")'}, code=code)) == 1


def test_codes_are_sorted_and_differ():
    codes = [rule.code for rule in RULES]

    assert codes == sorted(set(codes))
