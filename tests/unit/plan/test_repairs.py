from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app
from patterns_os.plan.repairs import mend

FETCH = 'from patterns import Table\nTable("pages", "w").append({"url": "x"})\n'


def mended(manifest, configuration=None, files=None, wanted=lambda _: True):
    texts = {"manifest.json": manifest, "fetch.py": FETCH} | (files or {})
    if configuration is not None:
        texts["patterns.json"] = configuration
    compiled = compile_app(Sources({name: text.encode() for name, text in texts.items()}))
    result = mend(compiled, compile_app, wanted)
    return [found.code for found in result.mended], {
        name: text.decode() for name, text in result.files.items()
    }


def test_keys_and_names_that_are_nearly_right_are_put_right_and_all_else_stays():
    manifest = """{
  "naem": "My App",  // the name
  "scripts": [
    {"file": "fetsh.py", "triger": "@hourly"},
  ],
}
"""

    assert mended(manifest) == (
        ["unknown-key", "bad-name", "unknown-key", "missing-file"],
        {
            "manifest.json": """{
  "name": "my-app",  // the name
  "scripts": [
    {"file": "fetch.py", "trigger": "@hourly"},
  ],
}
"""
        },
    )


def test_what_nobody_uses_is_removed():
    manifest = """{
  "name": "app",
  "scripts": [{"file": "fetch.py", "trigger": "@hourly"}],
  "parameters": [
    {"name": "depth", "type": "int", "default": 3},
    {"name": "width", "type": "int", "default": 3}
  ]
}
"""
    configuration = '{"runtimes": [{"name": "py", "image": "python:3.12"}]}'

    assert mended(manifest, configuration) == (
        ["unused-parameter", "unused-parameter", "unused-runtime"],
        {
            "manifest.json": """{
  "name": "app",
  "scripts": [{"file": "fetch.py", "trigger": "@hourly"}],
  "parameters": []
}
""",
            "patterns.json": '{"runtimes": []}',
        },
    )


def test_stores_and_secrets_that_are_used_are_declared():
    manifest = '{"name": "app", "scripts": [{"file": "fetch.py", "trigger": "@hourly"}]}'
    source = 'from patterns import Secret, Table\nTable("pages", "w").append({"key": Secret("KEY")})\n'
    rules = '{"rules": {"undeclared-store": "warning"}}'

    assert mended(manifest, rules, {"fetch.py": source}) == (
        ["undeclared-secret", "undeclared-store"],
        {
            "manifest.json": '{"name": "app", "scripts": [{"file": "fetch.py", "trigger": "@hourly"}], '
            '"secrets": ["KEY"], "stores": [{"table": "pages"}]}'
        },
    )


def test_only_what_is_wanted_is_mended():
    manifest = '{"name": "app", "scripts": [{"file": "fetch.py", "triger": "@hourly"}]}'

    assert mended(manifest, wanted=lambda found: found.code == "unused-store") == ([], {})


def test_what_is_ignored_stays():
    configuration = '{\n  "runtimes": [\n    {"name": "py", "image": "python:3.12"}\n  ]\n}'
    manifest = '{"name": "app", "scripts": [{"file": "fetch.py", "trigger": "@hourly"}]}'
    ignored = configuration.replace('"}\n', '"}  // patterns: ignore[unused-runtime]\n')

    assert mended(manifest, configuration)[0] == ["unused-runtime"]
    assert mended(manifest, ignored) == ([], {})


def test_where_two_names_are_near_nothing_is_guessed():
    manifest = """{"name": "app", "scripts": [
  {"file": "fetch.py", "trigger": "@hourly"},
  {"file": "total.py", "inputs": {"rows": "page"}, "outputs": ["totals"]}
], "stores": [{"table": "pages"}, {"table": "pages2"}]}"""
    total = 'from patterns import Table\nfor row in Table("rows").as_stream():\n    Table("totals", "w").append(row)'

    assert mended(manifest, files={"total.py": total, "fetch.py": FETCH.replace("pages", "pages2")}) == (
        [],
        {},
    )


def test_a_table_is_named_right_where_the_manifest_names_it():
    manifest = """{"name": "app", "scripts": [
  {"file": "fetch.py", "trigger": "@hourly"},
  {"file": "total.py", "inputs": {"rows": "pags"}, "outputs": ["totals"]}
]}"""
    total = 'from patterns import Table\nfor row in Table("rows").as_stream():\n    Table("totals", "w").append(row)'

    assert mended(manifest, files={"total.py": total}) == (
        ["unknown-table"],
        {"manifest.json": manifest.replace('"pags"', '"pages"')},
    )


def test_a_file_with_mistakes_of_json_is_left_alone():
    assert mended('{"name": "app" "scripts": [], "parametrs": []}') == ([], {})
