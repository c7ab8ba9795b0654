"""The commands that look at an app, as a user types them."""

import json
from pathlib import Path

import pytest

from patterns_os.cli.main import run

pytestmark = pytest.mark.postgres

MANIFEST = {"name": "looked", "scripts": [{"file": "greet.py"}], "stores": [{"table": "greetings"}]}
SCRIPT = """
from patterns import Table
print("greeting")
Table("greetings", "w").append([{"text": "hello", "n": {"deep": [1, 2]}}, {"text": "bye"}])
"""


@pytest.fixture
def app(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the folder of an app that never ran."""
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "greet.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_an_app_that_never_ran_says_so(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["table", "list"]) == 2

    assert capsys.readouterr().err == (
        'error[not-deployed] App "looked" has not run yet: there is nothing to show\n'
        "  hint: patterns run, or patterns dev\n"
    )
    assert printed(capsys, "why", "greet").startswith("greet: not deployed yet")


def test_a_triggered_node_is_seen_everywhere(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "done" in printed(capsys, "trigger", "greet.py")

    rows = json.loads(printed(capsys, "table", "data", "greetings", "--json"))
    assert [{name: row[name] for name in row if name != "patterns_id"} for row in rows] == [
        {"text": "hello", "n": {"deep": [1, 2]}},
        {"text": "bye", "n": None},
    ]
    assert printed(capsys, "table", "data", "greetings", "--limit", "1").endswith("1 of 2 rows\n")
    assert "greet  " in printed(capsys, "table", "list")
    assert "jsonb" in printed(capsys, "table", "schema", "greetings")
    csv = printed(capsys, "table", "data", "greetings", "--format", "csv", "--columns", "n,text")
    assert csv.split("\n")[0] == "patterns_id,n,text"
    assert csv.split("\n")[1].endswith(',"{""deep"": [1, 2]}",hello')
    (ran,) = json.loads(printed(capsys, "runs", "--json"))
    assert (ran["node"], ran["reason"], ran["state"], ran["rows_out"]) == ("greet", "manual", "done", 2)
    assert printed(capsys, "logs", "greet").endswith("  greeting\n")
    assert printed(capsys, "why", "greet").startswith("greet: runs only when asked")
    assert printed(capsys, "held", "list") == "No record is set aside.\n"
    assert "FAILED" not in printed(capsys, "doctor")
    assert printed(capsys, "reset", "--data", "--yes") == "1 table with 2 rows: deleted\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "data", "greeting"], 'did you mean "greetings"?'),
        (["table", "data", "greetings", "--columns", "txt"], 'did you mean "text"?'),
        (["table", "data", "greetings", "--where", "text ="], 'The condition "text =" is no SQL expression'),
        (["logs", "greeet"], 'did you mean "greet"?'),
        (["trigger", "greeet"], 'did you mean "greet"?'),
        (["held", "show", "4"], "No held record has the number 4; known: none"),
        (["reset"], "patterns reset --data"),
        (["rename", "greet"], "patterns rename OLD NEW"),
        (["db", "restore", "missing.dump"], 'There is no file "missing.dump"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_answered_with_what_is_known(
    app: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    run(["trigger", "greet"])

    assert run(arguments) == 2

    assert message in capsys.readouterr().err


def test_a_row_is_told_from_the_command_line(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["trigger", "greet"])
    capsys.readouterr()
    first = json.loads(printed(capsys, "table", "data", "greetings", "--json"))[0]["patterns_id"]

    lines = printed(capsys, "row", "greetings", first).splitlines()
    data = json.loads(printed(capsys, "row", "greetings", first, "--json"))

    assert lines[0] == f'row {first} of table "greetings": position 1 of 2'
    assert ' by run 1 of node "greet" (manual, attempt 1, version ' in lines[1]
    assert lines[2:] == ["taken by nobody: no node reads the table"]
    assert (data["written"]["run"]["node"], data["state"], data["deliveries"]) == ("greet", "there", [])
    assert run(["row", "greetings", "nonsense"]) == 2
    assert 'error[row-id] "nonsense" is no patterns_id' in capsys.readouterr().err


def test_why_takes_a_node_a_run_a_table_and_a_row(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["trigger", "greet"])
    capsys.readouterr()
    first = json.loads(printed(capsys, "table", "data", "greetings", "--json"))[0]["patterns_id"]

    assert printed(capsys, "why", "greet.py").startswith("greet: runs only when asked")
    for spelling in ("1", "r_1", "run 1"):
        assert printed(capsys, "why", spelling).startswith("run 1: done ")
    assert printed(capsys, "why", "greetings").split(" ago")[1].startswith("; no node reads it\n")
    assert printed(capsys, "why", "greetings", first).startswith(
        f'row {first}: written by run 1 of node "greet" (manual, attempt 1, version '
    )
    assert json.loads(printed(capsys, "why", "greetings", "--json"))["kind"] == "table"
    assert json.loads(printed(capsys, "why", "--json"))[0]["state"] == "manual"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "greetins",
            (
                'error[unknown-name] No node, table or run has the name "greetins"; known nodes: "greet"; '
                'known tables: "greetings"\n  hint: did you mean "greetings"?\n'
            ),
        ),
        (
            "99",
            (
                "error[unknown-run] No run has the number 99, or its record is not kept any more: that is seven "
                "days\n  hint: patterns runs\n"
            ),
        ),
    ],
)
def test_why_names_what_it_knows(
    app: Path, capsys: pytest.CaptureFixture[str], given: str, message: str
) -> None:
    run(["trigger", "greet"])
    capsys.readouterr()

    assert run(["why", given]) == 2
    assert capsys.readouterr().err == message
