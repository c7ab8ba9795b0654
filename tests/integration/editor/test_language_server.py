"""What an editor gets from `patterns lsp`, over pipes as editors speak to it."""

import json

import pytest

MANIFEST = {
    "name": "shop",
    "scripts": [
        {"file": "clean.py", "parameters": {"limit": 3}, "runtime": "slim"},
        {"file": "total.sql", "outputs": ["totals"]},
        {"file": "send.ts"},
    ],
    "stores": [
        {"table": "orders", "schema": {"id": "integer", "amount": "number"}},
        {"table": "clean_orders", "unique_on": ["id"]},
    ],
    "models": [{"name": "base-llm", "type": "chat"}],
    "secrets": ["SLACK_TOKEN"],
}
CONFIGURATION = {"runtimes": [{"name": "slim", "image": "python:3.12-slim"}]}
CLEAN = """from patterns import Model, Parameter, Secret, Table

rows = Table("orders")
out = Table("clean_orders", "w")
limit = Parameter("limit", type=int)
llm = Model("base-llm")
token = Secret("SLACK_TOKEN")
for row in rows.as_stream():
    out.append({"id": row["id"], "amount": row["amount"]})
"""
TOTAL = 'select o.id, count(*) as n from {{ Table("clean_orders") }} as o group by o.id\n'
SEND = """import { Table } from "patterns";

const rows = new Table("totals");
for await (const row of rows.asStream()) {
  console.log(row.n);
}
"""


@pytest.fixture
def shop(tmp_path):
    return write_app(tmp_path / "shop")


def write_app(folder):
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST, indent=2))
    (folder / "patterns.json").write_text(json.dumps(CONFIGURATION, indent=2))
    (folder / "clean.py").write_text(CLEAN)
    (folder / "total.sql").write_text(TOTAL)
    (folder / "send.ts").write_text(SEND)
    return folder


def codes(found):
    return [finding["code"] for finding in found]


def has(code):
    return lambda found: code in codes(found)


def is_empty(found):
    return not found


def test_a_mistake_shows_while_one_types_and_goes_when_it_is_mended(editor, shop):
    clean = shop / "clean.py"
    editor.open(clean)
    editor.type(clean, CLEAN.replace('Table("orders")', 'Table("oders")'))

    found = editor.findings(clean, has("unknown-table"))

    [found] = [finding for finding in found if finding["code"] == "unknown-table"]
    assert found["message"] == (
        'node "clean" reads table "oders", which nothing declares and nothing writes.\n'
        "known tables: clean_orders, orders, totals\n"
        'hint: did you mean "orders"?'
    )
    assert (found["severity"], found["source"]) == (1, "patterns")
    assert found["range"] == {"start": {"line": 2, "character": 7}, "end": {"line": 2, "character": 21}}

    editor.type(clean, CLEAN)
    assert editor.findings(clean, is_empty) == []


def test_a_file_that_is_closed_counts_as_it_is_on_disk(editor, shop):
    clean = shop / "clean.py"
    editor.open(clean, CLEAN.replace('"orders"', '"oders"'))
    editor.findings(clean, has("unknown-table"))

    editor.close(clean)

    assert editor.findings(clean, is_empty) == []


def test_a_mistake_in_one_file_shows_in_another(editor, shop):
    editor.open(shop / "manifest.json")
    editor.type(shop / "manifest.json", json.dumps(MANIFEST, indent=2).replace('"clean.py"', '"klean.py"'))

    found = editor.findings(shop / "manifest.json", has("missing-file"))

    assert 'hint: did you mean "clean.py"?' in next(
        f["message"] for f in found if f["code"] == "missing-file"
    )


@pytest.mark.parametrize("broken", ["total.sql", "send.ts", "patterns.json", "clean.py"])
def test_mistakes_in_every_language_show(editor, shop, broken):
    text = {
        "total.sql": "select from where",
        "send.ts": 'new Table("',
        "clean.py": "def",
        "patterns.json": '{"runtime',
    }
    editor.open(shop / broken)
    editor.type(shop / broken, text[broken])

    assert editor.findings(shop / broken, bool)


def test_mistakes_of_a_graph_yml_show(editor, tmp_path):
    graph = tmp_path / "graph.yml"
    graph.write_text("title: Shop\nfunctions:\n  - node_file: gone.py\n")
    editor.open(graph)

    assert editor.findings(graph, has("missing-file"))


@pytest.mark.parametrize(
    ("file", "marked", "labels"),
    [
        ("clean.py", CLEAN.replace('Table("orders', 'Table("ord|'), ["clean_orders", "orders", "totals"]),
        ("clean.py", CLEAN.replace('Parameter("limit', 'Parameter("|'), ["limit"]),
        ("clean.py", CLEAN.replace('Model("base-llm', 'Model("|'), ["base-llm"]),
        ("clean.py", CLEAN.replace('Secret("SLACK_TOKEN', 'Secret("|'), ["SLACK_TOKEN"]),
        ("clean.py", CLEAN.replace('row["id"]', 'row["|"]'), ["amount", "id"]),
        ("total.sql", TOTAL.replace('Table("', 'Table("|'), ["clean_orders", "orders", "totals"]),
        ("total.sql", TOTAL.replace("o.id,", "o.|,"), ["amount", "id"]),
        ("send.ts", SEND.replace('new Table("', 'new Table("|'), ["clean_orders", "orders", "totals"]),
        ("send.ts", SEND.replace("row.n", "row.|"), ["id", "n"]),
        ("manifest.json", '"outputs": [\n        "|', ["clean_orders", "orders", "totals"]),
        ("manifest.json", '"runtime": "|', ["slim"]),
        ("manifest.json", '"limit|"', ["limit"]),
        ("manifest.json", '"unique_on": [\n        "|', ["amount", "id"]),
        ("patterns.json", '"name": "|', ["slim"]),
    ],
)
def test_names_are_offered_where_they_can_stand(editor, shop, file, marked, labels):
    if file.endswith(".json"):
        text = (shop / file).read_text()
        marked = text.replace(marked.replace("|", ""), marked, 1)
    editor.open(shop / file)
    editor.labels(shop / file, marked)  # as of the files on disk, and only then as of what is typed
    editor.type(shop / file, marked.replace("|", ""))

    assert editor.labels(shop / file, marked) == labels


def test_keys_and_their_values_are_offered(editor, shop):
    manifest = shop / "manifest.json"
    text = manifest.read_text()
    editor.open(manifest)

    keys = editor.labels(manifest, text.replace('"file": "clean.py"', '"fi|le": "clean.py"'))
    types = editor.labels(manifest, text.replace('"type": "chat"', '"type": "|chat"'))

    assert {"file", "trigger", "retries", "inputs"} <= set(keys)
    assert types == ["chat", "next-token-text", "text-embedding", "text-to-image"]


def test_an_offer_replaces_the_name_that_is_there(editor, shop):
    editor.open(shop / "clean.py")

    found = editor.at("completion", shop / "clean.py", CLEAN.replace('Table("orders', 'Table("or|ders'))

    edit = next(item["textEdit"] for item in found["items"] if item["label"] == "totals")
    assert edit == {
        "newText": "totals",
        "range": {"start": {"line": 2, "character": 14}, "end": {"line": 2, "character": 20}},
    }


def test_names_are_offered_while_the_manifest_is_broken(editor, shop):
    manifest, text = shop / "manifest.json", json.dumps(MANIFEST, indent=2)
    editor.open(manifest)
    assert editor.labels(manifest, text.replace('"outputs": [', '"outputs": [|')) == []
    editor.type(manifest, text[: text.index('"stores"')] + '"stor')
    assert editor.findings(manifest, has("syntax-error"))
    editor.open(shop / "total.sql")

    labels = editor.labels(shop / "total.sql", TOTAL.replace('Table("', 'Table("|'))

    assert labels == ["clean_orders", "orders", "totals"]


def test_definitions_are_found_from_every_language(editor, shop):
    manifest = (shop / "manifest.json").read_text()
    for file in ("clean.py", "total.sql", "send.ts", "manifest.json", "patterns.json"):
        editor.open(shop / file)

    def line(text):
        return manifest[: manifest.index(text)].count("\n") + 1

    def targets(file, before, after):
        text = (shop / file).read_text()
        return [place[:2] for place in editor.targets(shop / file, text.replace(before, after, 1))]

    orders, clean_orders = line('{\n      "table": "orders"'), line('{\n      "table": "clean_orders"')
    assert targets("clean.py", '"orders"', '"ord|ers"') == [("manifest.json", orders)]
    assert targets("clean.py", 'row["amount', 'row["amount|') == [("manifest.json", line('"amount"'))]
    assert targets("clean.py", '("limit', '("li|mit') == [("manifest.json", line('"limit"'))]
    assert targets("clean.py", "base-llm", "base|-llm") == [("manifest.json", line('"name": "base-llm"') - 1)]
    assert targets("clean.py", '"SLACK', '"SLA|CK') == [("manifest.json", line('"SLACK_TOKEN"'))]
    assert targets("total.sql", '"clean_orders', '"clean|_orders') == [("manifest.json", clean_orders)]
    assert targets("send.ts", '"totals', '"to|tals') == [("total.sql", 1)]
    assert targets("manifest.json", '"clean.py', '"clea|n.py') == [("clean.py", 1)]
    assert targets("manifest.json", '"slim', '"sl|im') == [("patterns.json", 3)]
    assert targets("manifest.json", '"limit', '"lim|it') == [("clean.py", 5)]
    assert targets("manifest.json", '"table": "clean', '"table": "cl|ean') == [
        ("clean.py", 4),
        ("total.sql", 1),
    ]
    assert targets("manifest.json", '"base-llm', '"ba|se-llm') == [("clean.py", 6)]


def test_what_a_name_means_is_told(editor, shop):
    for file in ("clean.py", "manifest.json"):
        editor.open(shop / file)

    table = editor.at("hover", shop / "clean.py", CLEAN.replace('"orders', '"or|ders'))
    manifest = (shop / "manifest.json").read_text()
    key = editor.at("hover", shop / "manifest.json", manifest.replace('"runtime"', '"run|time"'))

    assert table["contents"]["value"] == (
        "**orders** table\n\nstreamed by clean\n\n"
        "| column | type |\n|---|---|\n| id | bigint |\n| amount | double |"
    )
    assert key["contents"]["value"].startswith("**runtime**\n\n")
    assert editor.at("hover", shop / "clean.py", "fr|om") is None


def test_places_are_counted_as_the_editor_counts(editor, shop):
    clean = shop / "clean.py"
    text = CLEAN.replace('rows = Table("orders")', 'label, rows = "😀\u2028é", Table("oders")\x0c')
    editor.open(clean, text)

    found = editor.findings(clean, has("unknown-table"))

    [found] = [finding for finding in found if finding["code"] == "unknown-table"]
    start = len('label, rows = "😀\u2028é", '.encode("utf-16-le")) // 2
    assert found["range"]["start"] == {"line": 2, "character": start}
    assert found["range"]["end"] == {"line": 2, "character": start + 14}
    assert "orders" in editor.labels(clean, text.replace('"oders', '"od|ers'))
    assert editor.targets(clean, text.replace('"clean_orders', '"clean|_orders'))[0][0] == "manifest.json"


def test_the_name_that_is_meant_is_a_quick_fix(editor, shop):
    clean = shop / "clean.py"
    text = "# 😀\n" + CLEAN.replace('"orders"', '"oders"')
    editor.open(clean, text)
    [found] = [f for f in editor.findings(clean, has("unknown-table")) if f["code"] == "unknown-table"]

    [fix] = editor.ask(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": clean.as_uri()},
            "range": found["range"],
            "context": {"diagnostics": [found]},
        },
    )

    assert fix["title"] == 'Write "orders" instead of "oders"'
    assert fix["diagnostics"] == [found]
    assert fix["edit"]["changes"] == {
        clean.as_uri(): [
            {
                "newText": "orders",
                "range": {"start": {"line": 3, "character": 14}, "end": {"line": 3, "character": 19}},
            }
        ]
    }


def test_what_lint_mends_is_a_quick_fix(editor, shop):
    manifest = shop / "manifest.json"
    text = manifest.read_text().replace('"runtime": "slim"', '"runtime": "slimm"')
    editor.open(manifest, text)
    [found] = [f for f in editor.findings(manifest, has("unknown-runtime")) if f["code"] == "unknown-runtime"]
    key = manifest.read_text().replace('"unique_on"', '"unique_in"')

    def fixes(place):
        params = {"textDocument": {"uri": manifest.as_uri()}, "range": place, "context": {"diagnostics": []}}
        return [fix["title"] for fix in editor.ask("textDocument/codeAction", params)]

    assert fixes(found["range"]) == ['Write "slim" instead of "slimm"']
    editor.type(manifest, key)
    [found] = [f for f in editor.findings(manifest, has("unknown-key")) if f["code"] == "unknown-key"]
    assert fixes(found["range"]) == ['Write "unique_on" instead of "unique_in"']
    assert fixes({"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}) == []


def test_two_apps_do_not_mix(editor, shop, tmp_path):
    other = write_app(tmp_path / "other")
    (other / "total.sql").write_text('select 1 as n from {{ Table("lost") }}\n')
    for app in (shop, other):
        editor.open(app / "total.sql")
        editor.open(app / "clean.py")

    editor.findings(other / "total.sql", has("unknown-table"))
    editor.type(shop / "clean.py", CLEAN.replace('"orders"', '"oders"'))
    editor.findings(shop / "clean.py", has("unknown-table"))

    assert editor.published.get((shop / "total.sql").as_uri(), []) == []
    assert "unknown-table" in codes(editor.published[(other / "total.sql").as_uri()])


def test_an_app_within_an_app_is_shown_once(editor, shop):
    inner = write_app(shop / "inner")
    manifest = {**MANIFEST, "scripts": [*MANIFEST["scripts"], {"file": "inner/manifest.json"}]}
    (shop / "manifest.json").write_text(json.dumps(manifest))
    editor.open(shop / "clean.py")
    editor.open(inner / "clean.py")

    editor.type(inner / "clean.py", "def")
    found = editor.findings(inner / "clean.py", bool)

    assert len(found) == len({(f["code"], f["message"], str(f["range"])) for f in found})
    editor.type(inner / "clean.py", CLEAN)
    assert not has("python-syntax")(
        editor.findings(inner / "clean.py", lambda found: "python-syntax" not in codes(found))
    )


def test_a_file_of_no_app_is_left_alone(editor, tmp_path):
    alone = tmp_path / "alone.py"
    editor.open(alone, 'Table("')

    assert editor.labels(alone, 'Table("|') == []
    assert editor.targets(alone, 'Table("|') == []
    assert editor.at("hover", alone, 'Table("|') is None
    assert alone.as_uri() not in editor.published


def test_a_change_on_disk_counts(editor, shop):
    editor.open(shop / "manifest.json")
    editor.labels(shop / "manifest.json", "|{}")
    (shop / "clean.py").write_text(CLEAN.replace('"orders"', '"oders"'))

    change = {"uri": (shop / "clean.py").as_uri(), "type": 2}
    editor.tell("workspace/didChangeWatchedFiles", {"changes": [change]})

    assert editor.findings(shop / "clean.py", has("unknown-table"))


def test_a_folder_that_is_no_app_any_more_has_no_findings(editor, shop):
    editor.open(shop / "clean.py", "def")
    editor.findings(shop / "clean.py", bool)
    (shop / "manifest.json").unlink()
    editor.published.clear()

    editor.tell(
        "workspace/didChangeWatchedFiles",
        {"changes": [{"uri": (shop / "manifest.json").as_uri(), "type": 3}]},
    )

    assert editor.findings(shop / "clean.py") == []


def test_strange_addresses_and_requests_end_nothing(editor, shop):
    for uri in (
        "untitled:Untitled-1",
        "file:///",
        "git:/a.py?x",
        "file://%00/a.py",
        "",
        "file:///nowhere/%F0.py",
    ):
        item = {"uri": uri, "languageId": "x", "version": 1, "text": "Table('"}
        editor.tell("textDocument/didOpen", {"textDocument": item})
        editor.ask(
            "textDocument/hover", {"textDocument": {"uri": uri}, "position": {"line": 9, "character": 9}}
        )
    assert editor.ask("textDocument/nothing", {}, error=True)["code"] == -32601

    editor.open(shop / "clean.py")
    assert editor.labels(shop / "clean.py", CLEAN.replace('Table("', 'Table("|', 1)) == [
        "clean_orders",
        "orders",
        "totals",
    ]
