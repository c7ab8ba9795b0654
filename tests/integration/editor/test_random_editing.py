"""Whatever is typed and asked, the server goes on."""

import random

import pytest

from patterns_os.manifest.starter import starter_files

EDITS = 300
PIECES = (
    "", '"', "'", "{", "}", "[", "]", "(", ")", ",", ":", "\n", "\r\n", "😀", "\u2028", "\x0c", "\ufeff", "\0", "\\",
    "\\u12", "/*", "//", "#", "{{", "}}", "{%", "select", " from ", "Table(", 'Table("orders")', "import ", "def f(",
    "for x in ", '"file": ', '"table": ', "null", "-1e999", "²", "\ud800", "`${", "async", "=>", "lambda:", "\t", "%",
)  # fmt: skip
REQUESTS = ("completion", "definition", "hover", "codeAction")


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_that_is_typed_or_asked_ends_the_server(editor, tmp_path, seed):
    chosen = random.Random(seed)
    app = tmp_path / "app"
    for name, text in starter_files("quick-start").items():
        path = app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (app / "more.ts").write_text('import { Table } from "patterns";\nconst a = new Table("orders");\n')
    (app / "totals.sql").write_text('select o.id from {{ Table("orders") }} as o\n')
    files = [
        path for path in sorted(app.rglob("*")) if path.suffix in {".json", ".py", ".sql", ".ts", ".yml"}
    ]
    original = {path: path.read_text("utf-8") for path in files}
    texts = dict(original)
    for path in files:
        editor.open(path)

    for _ in range(EDITS // 2):
        path = chosen.choice(files)
        texts[path] = original[path] if chosen.random() < 0.1 else changed(texts[path], chosen)
        editor.type(path, texts[path])
        ask(editor, chosen.choice(REQUESTS), path, chosen)

    for path, text in original.items():
        editor.type(path, text)
    manifest = app / "manifest.json"
    assert "scripts" in editor.labels(manifest, original[manifest].replace('"name"', '"na|me"', 1))


def changed(text, chosen):
    start = chosen.randrange(len(text) + 1)
    end = min(start + chosen.choice((0, 0, 1, 3, 20, 200)), len(text))
    return text[:start] + chosen.choice(PIECES) + text[end:]


def ask(editor, request, path, chosen):
    position = {
        "line": chosen.choice((0, 1, 3, 8, 20, 10**6)),
        "character": chosen.choice((0, 1, 5, 12, 30, 10**6)),
    }
    params = {"textDocument": {"uri": path.as_uri()}}
    if request == "codeAction":
        params |= {"range": {"start": position, "end": position}, "context": {"diagnostics": []}}
    else:
        params["position"] = position
    editor.ask(f"textDocument/{request}", params)
