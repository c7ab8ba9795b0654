import json

import pytest

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app

WRITES = 'Table("out", "w").append({"id": 1})'


def told(files, manifest=None, rules=None):
    """Give the findings of an app of Python scripts that nothing starts."""
    scripts = [{"file": file} for file in files if file.endswith((".py", ".sql"))]
    texts = {"manifest.json": json.dumps({"name": "app", "scripts": scripts} | (manifest or {}))} | files
    if rules is not None:
        texts["patterns.json"] = json.dumps({"rules": rules}, indent=1)
    sources = Sources({name: text.encode() for name, text in texts.items()})
    return [render_diagnostic(found) for found in compile_app(sources).diagnostics]


def codes(*given, **more):
    return [text.partition("]")[0] + "]" for text in told(*given, **more)]


def insert(*lines):
    return {"copy_rows.sql": "\n".join([*lines, "insert into b select * from a"])}


STORES = {"stores": [{"table": "a"}, {"table": "unused"}]}
UNUSED = "warning[unused-store]"


def manifest_with(comment):
    stores = f'"stores": [\n  {{"table": "x"}} {comment}\n]'
    return f'{{"name": "app", "scripts": [{{"file": "a.py", "trigger": "@daily"}}], {stores}}}'


def test_a_comment_behind_a_finding_ignores_it():
    files = {"a.py": f"from patterns import Table\n{WRITES}\n"}

    assert codes(files | {"manifest.json": manifest_with("")}) == [UNUSED]
    assert codes(files | {"manifest.json": manifest_with("// patterns: ignore[unused-store]")}) == []


def test_a_comment_alone_on_a_line_is_about_the_next_line_that_is_none():
    text = (
        '{"name": "app", "scripts": [{"file": "a.py", "trigger": "@daily"}], "stores": [\n'
        "  // patterns: ignore[unused-store]\n  // It is filled next year.\n"
        '  {"table": "x"},\n  {"table": "y"}\n]}'
    )
    files = {"a.py": f"from patterns import Table\n{WRITES}\n", "manifest.json": text}

    assert told(files) == [
        (
            'warning[unused-store] manifest.json:5:3 /stores/1: table "y" is declared, and no node reads or '
            'writes it.\n  hint: remove it from "stores" if nothing is to use it'
        )
    ]


def test_a_comment_at_the_top_is_about_the_whole_file():
    text = (
        "// patterns: ignore-file[unused-store]\n"
        '{"name": "app", "scripts": [{"file": "a.py", "trigger": "@daily"}], "stores": [\n'
        '  {"table": "x"},\n  {"table": "y"}\n]}'
    )

    assert told({"a.py": f"from patterns import Table\n{WRITES}\n", "manifest.json": text}) == []


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# patterns: ignore[script-twice]", '"script-twice" is ignored here, where nothing of it is found.'),
        (
            "# patterns: ignore[script-twise]",
            'there is no code "script-twise" to ignore.\n  hint: did you mean "script-twice"?',
        ),
        ("# patterns: ignore", 'this comment names no code to ignore.\n  hint: write "ignore[code]"'),
    ],
)
def test_an_ignore_in_vain_is_a_finding(comment, message):
    files = {"a.py": f"from patterns import Table\n{WRITES}  {comment}\n"}
    manifest = {"scripts": [{"file": "a.py", "trigger": "@daily"}]}
    hint = "" if "hint" in message else "\n  hint: remove the comment"

    assert told(files, manifest) == [f"warning[unused-ignore] a.py:2:{len(WRITES) + 3}: {message}{hint}"]


def test_a_code_that_does_not_exist_is_told_beside_errors_and_one_that_is_not_found_is_not():
    files = {
        "a.py": f"from patterns import Table\n{WRITES}  # patterns: ignore[script-twise, script-twice]\n"
        'Table("nowhere").read()\n'
    }
    found = codes(files, {"scripts": [{"file": "a.py", "trigger": "@daily"}]})

    assert found == ["warning[unused-ignore]", "error[unknown-table]"]


def test_a_text_is_no_comment():
    files = {"a.py": f'from patterns import Table\n{WRITES}\nx = "# patterns: ignore[nothing]"\n'}

    assert told(files, {"scripts": [{"file": "a.py", "trigger": "@daily"}]}) == []


def test_what_keeps_the_app_from_running_is_not_ignored():
    files = {
        "a.py": 'from patterns import Table\nTable("nowhere").read()  # patterns: ignore[unknown-table]\n'
    }

    assert codes(files, {"scripts": [{"file": "a.py"}]}) == ["error[unknown-table]"]


def test_where_there_are_errors_no_comment_is_called_unused():
    files = {"a.py": "from patterns import Table  # patterns: ignore[naive-datetime]\nTable(\n"}

    assert codes(files) == ["error[script-syntax]"]


def test_an_error_that_is_ignored_leaves_a_plan():
    texts = {
        "manifest.json": '{"name": "app", "scripts": [{"file": "a.sql", "outputs": ["t"], "trigger": "@daily"}, '
        '{"file": "b.sql", "outputs": ["t"], "trigger": "@daily"}]}',
        "a.sql": "select 1 as x",
        "b.sql": "-- patterns: ignore[two-replacers]\nselect 2 as x",
    }
    compiled = compile_app(Sources({name: text.encode() for name, text in texts.items()}))

    assert compiled.diagnostics == ()
    assert compiled.is_good


def test_severities_are_those_of_patterns_json():
    assert codes(insert(), STORES, {"insert-repeats": "error"}) == ["error[insert-repeats]", UNUSED]
    assert codes(insert(), STORES, {"insert-repeats": "off"}) == [UNUSED]


def test_rules_that_are_off_are_turned_on_there():
    files = {"a.py": f"from patterns import Table\n{WRITES}\n"}
    manifest = {"scripts": [{"file": "a.py", "trigger": "@daily"}]}

    assert codes(files, manifest) == []
    assert codes(files, manifest, {"undeclared-store": "warning"}) == ["warning[undeclared-store]"]


def test_rules_that_are_off_leave_their_comments_alone():
    text = f"from patterns import Table\n{WRITES}  # patterns: ignore[undeclared-store]\n"

    assert codes({"a.py": text}, {"scripts": [{"file": "a.py", "trigger": "@daily"}]}) == []


def test_codes_in_patterns_json_exist_and_can_be_turned_off():
    assert told({}, {}, {"unused-stores": "off", "cycle": "warning", "unknown-table": "error"}) == [
        (
            'error[unknown-rule] patterns.json:3:20 /rules/unused-stores: "rules" names "unused-stores", and there '
            'is no such code.\n  hint: did you mean "unused-store"?'
        ),
        (
            'error[needed-rule] patterns.json:4:12 /rules/cycle: "cycle" stays an error: an app with such a '
            'finding cannot run.\n  hint: remove it from "rules", and see `patterns explain cycle`'
        ),
    ]


def test_errors_of_the_files_themselves_stay_errors():
    files = {"a.py": "def (:\n"}

    assert codes(files, {"scripts": [{"file": "a.py"}]}, {"script-syntax": "off"}) == [
        "error[script-syntax]",
        "error[needed-rule]",
    ]
