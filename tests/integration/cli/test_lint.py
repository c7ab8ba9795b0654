"""`patterns lint`, `patterns explain` and `patterns compile --format` as people and programs use them."""

import json

import pytest

from patterns_os.cli.lint_command import repository_path
from patterns_os.cli.main import run

MANIFEST = """\
{
  "name": "shop",
  "scripts": [
    {"file": "fetch.py", "triger": "@hourly"}  // once an hour
  ]
}
"""
FETCH = """\
from datetime import datetime

from patterns import Table

Table("pages", "w").append({"at": datetime.now()})
"""
NAIVE = (
    'warning[naive-datetime] fetch.py:5:35: node "fetch" calls "datetime.datetime.now", which gives a moment '
    "without a time zone: what it means depends on the machine.\n"
    "  hint: datetime.now(UTC), with `from datetime import UTC, datetime`, has one\n"
)


@pytest.fixture
def patterns(capsys):
    """Run a command; give exit code, standard output and standard error."""

    def call(*arguments):
        code = run(list(arguments))
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Stand in an app with a mistake that can be mended and one that can't."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    (tmp_path / "manifest.json").write_text(MANIFEST)
    (tmp_path / "fetch.py").write_text(FETCH)
    return tmp_path


def test_findings_are_listed_and_counted(app, patterns):
    code, told, said = patterns("lint")

    assert code == 1
    assert told.splitlines()[0].startswith("warning[naive-datetime] fetch.py:5:35: ")
    assert "error[unknown-key] manifest.json:4:26 /scripts/0/triger: " in told
    assert said.endswith("1 error, 2 warnings; `patterns lint --fix` mends 1 of them\n")


def test_what_is_sure_is_mended_with_the_change_shown(app, patterns):
    code, told, said = patterns("lint", "--fix")

    assert (code, told) == (0, NAIVE)
    assert said == (
        "--- manifest.json\n"
        "+++ manifest.json\n"
        "@@ -1,6 +1,6 @@\n"
        " {\n"
        '   "name": "shop",\n'
        '   "scripts": [\n'
        '-    {"file": "fetch.py", "triger": "@hourly"}  // once an hour\n'
        '+    {"file": "fetch.py", "trigger": "@hourly"}  // once an hour\n'
        "   ]\n"
        " }\n"
        'mended unknown-key: "triger" is not a key of a script\n'
        "1 warning\n"
    )
    assert (app / "manifest.json").read_text() == MANIFEST.replace("triger", "trigger")
    assert (app / "fetch.py").read_text() == FETCH


def test_codes_are_selected_and_left_out(app, patterns):
    assert patterns("lint", "--select", "naive-datetime")[:2] == (0, NAIVE)
    assert patterns("lint", "--select", "naive-datetime", "--strict")[:2] == (1, NAIVE)
    assert patterns("lint", "--ignore", "naive-datetime,unknown-key", "--ignore", "never-started") == (
        0,
        "",
        "no findings\n",
    )


def test_only_what_is_selected_is_mended(app, patterns):
    patterns("lint", "--fix", "--select", "naive-datetime")

    assert (app / "manifest.json").read_text() == MANIFEST


def test_a_code_that_does_not_exist_is_refused(app, patterns):
    assert patterns("lint", "--select", "naive-datetimes") == (
        2,
        "",
        'error[unknown-code] there is no code "naive-datetimes"\n  hint: did you mean "naive-datetime"?\n',
    )


@pytest.mark.parametrize("command", ["lint", "compile"])
def test_both_commands_print_for_programs(app, patterns, command):
    (app / "manifest.json").write_text(MANIFEST.replace("triger", "trigger"))

    code, told, said = patterns(command, "--format", "json")
    assert (code, said, [found["code"] for found in json.loads(told)]) == (0, "", ["naive-datetime"])
    [result] = json.loads(patterns(command, "--format", "sarif")[1])["runs"][0]["results"]
    assert result["ruleId"] == "naive-datetime"
    assert patterns(command, "--format", "github")[1].startswith(
        "::warning file=fetch.py,line=5,col=35,title=naive-datetime::node "
    )


def test_in_a_workflow_paths_begin_at_the_repository(tmp_path):
    workspace = {"GITHUB_WORKSPACE": str(tmp_path)}

    assert repository_path(tmp_path / "apps" / "shop", workspace) == "apps/shop"
    assert repository_path(tmp_path, workspace) == ""
    assert repository_path(tmp_path, {}) == ""
    assert repository_path(tmp_path.parent, workspace) == ""


def test_a_code_is_explained_with_examples(patterns):
    code, told, said = patterns("explain", "missing-key")

    assert (code, said) == (0, "")
    assert told == (
        "missing-key\n\n"
        "An object lacks a key that it needs.\n\n"
        "The object is of no use without that key.\n\n"
        "Wrong\n\n"
        "    manifest.json\n"
        "    {\n"
        '      "name": "app",\n'
        '      "webhooks": [{ "title": "Slack messages" }]\n'
        "    }\n\n"
        "Found in manifest.json on line 3.\n\n"
        "Right\n\n"
        "    manifest.json\n"
        "    {\n"
        '      "name": "app",\n'
        '      "webhooks": [{ "title": "Slack messages", "table": "messages" }]\n'
        "    }\n"
    )
    assert patterns("explain", "error[missing-key]")[1] == told


def test_codes_of_other_commands_have_their_sentence(patterns):
    assert patterns("explain", "webhook-refused")[:2] == (
        0,
        "webhook-refused\n\nThe running app did not accept the event.\n",
    )


def test_all_codes_are_listed(patterns):
    told = patterns("explain")[1].splitlines()

    assert any(line.startswith("self-trigger ") for line in told)
    assert told == sorted(told, key=lambda line: line.split()[0])
    listed = json.loads(patterns("explain", "--json")[1])
    assert {
        "code": "unused-runtime",
        "summary": "The configuration has a runtime that no script names.",
        "severity": "warning",
        "can_be_ignored": True,
        "can_be_fixed": True,
    } in listed
    assert json.loads(patterns("explain", "cycle", "--json")[1])["page"].startswith("# cycle\n\n")


def test_an_unknown_code_is_told_with_the_nearest(patterns):
    assert patterns("explain", "self-triger") == (
        2,
        "",
        'error[unknown-code] there is no code "self-triger"\n  hint: did you mean "self-trigger"?\n',
    )
