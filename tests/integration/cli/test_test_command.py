"""`patterns test`, run as people run it, on a small app."""

import json
import os
import subprocess
import sys

import pytest

MANIFEST = {
    "name": "shop",
    "scripts": [
        {"file": "double.py", "parameters": {"factor": 2}},
        {"file": "total.sql", "outputs": ["totals"]},
    ],
    "stores": [{"table": "orders"}, {"table": "doubled"}, {"table": "totals"}],
    "webhooks": [{"title": "Orders", "table": "orders"}],
}
DOUBLE = """
from patterns import Parameter, Table

factor = Parameter("factor", type=int)
orders = Table("orders").as_stream()
doubled = Table("doubled", "w")
for order in orders:
    print("order", order["n"])
    doubled.append({"n": order["n"] * factor})
"""


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "double.py").write_text(DOUBLE)
    (folder / "total.sql").write_text('select count(*) as n from {{ Table("doubled") }}\n')
    write_rows(folder, [{"n": 1}, {"n": 2}])
    return folder


def write_rows(app, rows):
    (app / "rows.json").write_text(json.dumps(rows))


def use(app, script, rows=(), **entry):
    """Make `script` the app's only node, `node`."""
    (app / "total.sql").unlink()
    (app / "double.py").unlink()
    (app / "node.py").write_text(script)
    (app / "manifest.json").write_text(json.dumps({**MANIFEST, "scripts": [{"file": "node.py", **entry}]}))
    write_rows(app, list(rows))


def patterns(app, *words, given=b"", **extra):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PATTERNS_", "FORCE_"))}
    environment = {**kept, "XDG_CONFIG_HOME": str(app.parent / "config"), "COLUMNS": "100", **extra}
    done = subprocess.run(
        [sys.executable, "-m", "patterns_os", "test", *words],
        cwd=app,
        env=environment,
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rehearsed(app, *words, node="node", code=0, **extra):
    """Give what `--json` prints."""
    got, out, err = patterns(app, node, "--rows", "rows.json", "--json", *words, **extra)
    assert (got, err) == (code, ""), out
    return json.loads(out)


# -- what it shows


def test_the_outputs_are_shown_and_nothing_is_kept(app):
    before = sorted(path.name for path in app.iterdir())

    assert patterns(app, "double", "--rows", "rows.json") == (
        0,
        "order 1\norder 2\ndoubled: 2 rows appended\n+---+\n| n |\n+---+\n| 2 |\n| 4 |\n+---+\n",
        "double: 2 rows in, 2 rows out; nothing is kept\n",
    )
    assert sorted(path.name for path in app.iterdir()) == before


def test_everything_is_there_as_json(app):
    assert rehearsed(app, node="double.py") == {
        "node": "double",
        "ok": True,
        "error": None,
        "rows_in": 2,
        "rows_out": 2,
        "outputs": {"doubled": [{"n": 2}, {"n": 4}]},
        "writes": {"doubled": ["append"]},
        "state": {},
        "files": {},
        "again_s": None,
        "printed": [{"stream": "stdout", "line": "order 1"}, {"stream": "stdout", "line": "order 2"}],
    }


def test_a_script_that_fails_shows_its_own_lines_and_the_row(app):
    write_rows(app, [{"n": 1}, {"n": None}])

    code, out, err = patterns(app, "double", "--rows", "rows.json")

    assert (code, out) == (1, "order 1\norder None\n")
    # The line that points at the place differs between versions of Python.
    assert [line for line in err.splitlines() if line.strip("~^ ")] == [
        "Traceback (most recent call last):",
        f'  File "{app}/double.py", line 9, in <module>',
        '    doubled.append({"n": order["n"] * factor})',
        "TypeError: unsupported operand type(s) for *: 'NoneType' and 'int'",
        (
            "error[script-failed] double: double.py:9 TypeError: unsupported operand type(s) for *: "
            "'NoneType' and 'int' (row 2 of table \"orders\")"
        ),
    ]


def test_many_rows_are_shown_in_part(app):
    write_rows(app, [{"n": n} for n in range(25)])
    _, out, _ = patterns(app, "double", "--rows", "rows.json")

    assert out.endswith("| 38 |\n+----+\n… and 5 more: --json shows all\n")
    assert len(rehearsed(app, node="double")["outputs"]["doubled"]) == 25


# -- rows and parameters


def test_rows_may_come_by_table_and_from_standard_input(app):
    code, out, _ = patterns(
        app, "double", "--rows", "-", "--parameter", "factor=10", given=b'{"orders": [{"n": 5}]}'
    )

    assert (code, out) == (0, "order 5\ndoubled: 1 row appended\n+----+\n| n  |\n+----+\n| 50 |\n+----+\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"orders": 1}',
            (
                '"rows.json" holds neither a list of rows nor an object of table → rows\n'
                '  hint: write [{"text": "hello"}], or {"table": [{"text": "hello"}]}'
            ),
        ),
        (
            '{"order": []}',
            (
                'Node "double" does not use a table "order"; known: "doubled", "orders"\n'
                '  hint: did you mean "orders"?'
            ),
        ),
        ("[1]", 'Row 1 of "rows.json" is 1, expected an object'),
        ('{"orders": [{}, null]}', 'Row 2 of table "orders" in "rows.json" is null, expected an object'),
        ("[", '"rows.json" is not JSON: Expecting value: line 1 column 2 (char 1)'),
    ],
)
def test_rows_that_are_none_are_said_so(app, text, message):
    (app / "rows.json").write_text(text)

    assert patterns(app, "double", "--rows", "rows.json") == (2, "", f"error[test-rows] {message}\n")


def test_wrong_calls_get_a_hint(app):
    calls = [
        (("dubble", "--rows", "rows.json"), (
            'error[unknown-node] There is no node "dubble"; known: "double", "total"\n'
            '  hint: did you mean "double"?\n'
        )),
        (("total", "--rows", "rows.json"), (
            'error[test-sql] Node "total" is SQL, which runs in a database; '
            "patterns test runs Python nodes only, as yet\n  hint: patterns run\n"
        )),
        (("Orders", "--rows", "rows.json"), (
            'error[test-webhook] "Orders" is a webhook: it runs no script\n'
            """  hint: patterns webhook test --title="Orders" --data='{}'\n"""
        )),
        (("double",), (
            'error[test-rows] Node "double" reads "orders": there are no rows to run it on\n'
            "  hint: --rows rows.json\n"
        )),
        (("double", "--rows", "none.json"), (
            'error[test-rows] "none.json" can\'t be read: No such file or directory\n'
        )),
        (("double", "--rows", "rows.json", "--parameter", "facter=1"), (
            'error[test-parameter] Node "double" has no parameter "facter"; known: "factor"\n'
            '  hint: did you mean "factor"?\n'
        )),
        (("double", "--rows", "rows.json", "--parameter", "factor"), (
            'error[test-parameter] "factor" is no parameter, expected NAME=VALUE\n'
        )),
    ]  # fmt: skip
    for words, message in calls:
        assert patterns(app, *words) == (2, "", message)


def test_two_inputs_need_rows_by_table(app):
    use(app, 'from patterns import Table\nfor name in ("orders", "doubled"):\n    list(Table(name).as_stream())\n',
        [{"n": 1}], inputs=["orders", "doubled"])  # fmt: skip

    assert patterns(app, "node", "--rows", "rows.json") == (
        2,
        "",
        (
            'error[test-rows] Node "node" has 2 inputs, so a list of rows belongs to none of them; '
            'known: "doubled", "orders"\n'
            '  hint: write {"doubled": [], "orders": []}\n'
        ),
    )


def test_a_node_without_inputs_needs_no_rows(app):
    use(app, 'from patterns import Table\nTable("totals", "w").append({"n": 1})\n')

    assert patterns(app, "node")[:2] == (0, "totals: 1 row appended\n+---+\n| n |\n+---+\n| 1 |\n+---+\n")


# -- what scripts find


def test_records_look_as_in_a_run(app):
    rows = [
        {"n": 2**70, "deep": {"a": [1]}, "patterns_id": "00000000000000000000000abc"},
        {"only": "here"},
    ]
    script = """
from patterns import Table
for record in Table("orders").as_stream():
    Table("totals", "w").append({**record, "id": record["patterns_id"], "all": record["record"]})
print(Table("orders").record_count, sorted(Table("orders").schema), len(Table("orders").read()))
"""
    use(app, script, rows)
    done = rehearsed(app)
    first, second = done["outputs"]["totals"]

    assert first == {
        "deep": {"a": [1]},
        "only": None,
        "n": 2**70,
        "id": "00000000000000000000000abc",
        "all": {"deep": {"a": [1]}, "n": 2**70},
    }
    assert (second["only"], second["deep"], len(second["id"])) == ("here", None, 26)
    assert done["printed"] == [{"stream": "stdout", "line": "2 ['deep', 'only'] 2"}]


def test_streams_sort_seek_roll_back_and_checkpoint(app):
    script = """
from patterns import State, Table
state, out = State(), Table("totals", "w")
stream = Table("orders").as_stream(order_by="n")
print([record["n"] for record in stream])
stream.seek(1)
print([record["n"] for record in stream])
stream.rewind()
stream.checkpoint()
given = []
with stream.consume_with_rollback() as records:
    for record in records:
        given.append(record["n"])
        out.append({"n": record["n"]})
        state.set_value("last", record["n"])
        if record["n"] == 2:
            raise ValueError("two")
"""
    use(app, script, [{"n": 3}, {"n": 1}, {"n": 2}])
    done = rehearsed(app, code=1)

    assert [line["line"] for line in done["printed"] if line["stream"] == "stdout"] == ["[1, 2, 3]", "[2, 3]"]
    assert done["outputs"] == {"totals": [{"n": 1}]}
    assert done["state"] == {"last": 1}
    assert done["error"]["message"] == "ValueError: two"
    assert done["error"]["record"] == 'row 3 of table "orders"'


def test_writes_are_upserted_and_replaced(app):
    script = """
from patterns import Table
doubled, totals = Table("doubled", "w"), Table("totals", "w")
totals.init(unique_on="k")
totals.upsert([{"k": 1, "v": "a"}, {"k": 2, "v": "b"}])
totals.upsert({"k": 1, "v": "c"})
doubled.append({"n": 1})
doubled.replace([{"n": 2}])
doubled.append({"n": 3, "patterns_id": "mine"})
"""
    use(app, script)
    done = rehearsed(app)

    assert done["outputs"] == {
        "doubled": [{"n": 2}, {"n": 3}],
        "totals": [{"k": 2, "v": "b"}, {"k": 1, "v": "c"}],
    }
    assert done["writes"] == {"doubled": ["replace", "append"], "totals": ["upsert"]}


@pytest.mark.parametrize(
    ("write", "code", "message"),
    [
        ("append([1])", "row-type", 'A row for table "totals" is of type "int", expected a dict'),
        ("append({1: 1})", "row-type", 'A row for table "totals" has a key that is not a text'),
        (
            "upsert({'a': 1})  # patterns: ignore[upsert-without-key]",
            "no-unique-on",
            'table "totals" has no unique_on',
        ),
    ],
)
def test_rows_that_no_table_takes_are_refused(app, write, code, message):
    use(app, f'from patterns import Table\nTable("totals", "w").{write}\n')
    error = rehearsed(app, code=1)["error"]

    assert (error["code"], error["message"]) == (code, message)


def test_a_value_that_no_row_can_hold_is_refused(app):
    use(app, 'from patterns import Table\nTable("totals", "w").append({"a": {"b": object}})\n')
    error = rehearsed(app, code=1)["error"]

    assert error["code"] == "row-value"
    assert error["message"].startswith('Table "totals": ')


def test_values_of_all_kinds_come_back(app):
    script = """
from datetime import date, datetime, timezone
from decimal import Decimal
from patterns import Table
Table("totals", "w").append({
    "at": datetime(2024, 1, 2, tzinfo=timezone.utc), "on": date(2024, 1, 2), "cost": Decimal("1.10"), "raw": b"x",
})
"""
    use(app, script)

    assert rehearsed(app)["outputs"]["totals"] == [
        {"at": "2024-01-02T00:00:00+00:00", "on": "2024-01-02", "cost": "1.10", "raw": "78"}
    ]


def test_files_are_read_from_the_app_and_written_elsewhere(app):
    files = app / ".patterns" / "files"
    files.mkdir(parents=True)
    (files / "log.txt").write_text("one\n")
    script = """
from patterns import File
log = File("log.txt")
print(log.read().strip())
File("log.txt", "a").write("two\\n")
print(log.read().split())
File("new.txt", "w").write("new")
log.delete()
print(log.exists, File("new.txt").exists)
"""
    use(app, script)
    done = rehearsed(app)

    assert [line["line"] for line in done["printed"]] == ["one", "['one', 'two']", "False True"]
    assert done["files"] == {"new.txt": 3}
    assert (files / "log.txt").read_text() == "one\n"
    assert sorted(path.name for path in files.iterdir()) == ["log.txt"]


def test_models_are_asked_also_as_openai(app):
    (app / "patterns.json").write_text(json.dumps({"models": [{"name": "llm", "provider": "echo"}]}))
    script = """
import openai
from patterns import Model, Table
for order in Table("orders").as_stream():
    Table("totals", "w").append({"text": openai.completion(order["text"])})
"""
    use(app, script, [{"text": "hello"}])

    assert rehearsed(app)["outputs"]["totals"] == [{"text": "[echo] hello"}]


def test_secrets_are_given_and_masked_where_they_are_printed(app):
    use(
        app,
        'import os\nfrom patterns.secret import Secret\nprint("key", Secret("API_KEY"), "PATTERNS_X" in os.environ)\n',
    )
    done = rehearsed(app, API_KEY="hunter22", PATTERNS_X="1")

    assert done["printed"] == [{"stream": "stdout", "line": "key ***API_KEY*** False"}]


def test_what_is_only_in_a_database_is_refused(app):
    use(
        app,
        'from patterns import Table\norders = Table("orders")\norders.read()\norders.read_sql("select 1")\n',
        [],
    )
    error = rehearsed(app, code=1)["error"]

    assert (error["code"], error["message"], error["where"]) == (
        "rehearsal-sql",
        "read_sql needs a database, and a rehearsal has none",
        "node.py:4",
    )


def test_effects_are_done_once_a_record_and_another_run_is_noted(app):
    script = """
from patterns import State, Table
from patterns.effects import once
for order in Table("orders").as_stream():
    for _ in range(2):
        once("tell", lambda: print("told", order["n"]))
State().request_new_run(wait_atleast_seconds=5)
"""
    use(app, script, [{"n": 1}, {"n": 2}])
    done = rehearsed(app)

    assert [line["line"] for line in done["printed"]] == ["told 1", "told 2"]
    assert done["again_s"] == 5


# -- scripts that do harm


def test_sys_exit_ends_the_script_only(app):
    use(app, "import sys\nprint('a')\nsys.exit(0)\n")
    assert rehearsed(app)["ok"] is True

    (app / "node.py").write_text("import sys\nsys.exit(3)\n")
    assert rehearsed(app, code=1)["error"]["message"] == "the script called sys.exit(3)"


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("import os\nos._exit(0)\n", "process-exited", "the script ended its process with exit code 0"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
            "process-died",
            "the script's process died of SIGKILL",
        ),
        (
            "while True:\n    pass\n",
            "timeout",
            'node "node" did not reach a record boundary for 2 s and was killed',
        ),
    ],
)
def test_a_process_that_ends_or_hangs_is_told(app, script, code, message):
    use(app, script, timeout=2)
    error = rehearsed(app, code=1)["error"]

    assert (error["code"], error["message"]) == (code, message)


def test_what_is_printed_past_python_is_shown_and_threads_hold_nothing_up(app):
    use(
        app,
        "import os, threading, time\nos.system('echo from a shell')\n"
        "threading.Thread(target=time.sleep, args=[30]).start()\n",
    )

    assert rehearsed(app)["printed"] == [{"stream": "stdout", "line": "from a shell"}]


def test_an_app_with_mistakes_is_refused_with_all_of_them(app):
    (app / "double.py").write_text("for\n")
    code, out, err = patterns(app, "double", "--rows", "rows.json")

    assert (code, out) == (1, "")
    assert "double.py:1" in err
