"""Compiling again gives what compiling afresh gives, and remembers no more than it needs."""

import json

import pytest

from patterns_os.composition.authoring import compile_sources
from patterns_os.composition.recompiling import Recompiler
from patterns_os.graph.sources import Sources

MANIFEST = {"name": "shop", "scripts": [{"file": "a.py"}, {"file": "b.sql", "outputs": ["sums"]}]}
FILES = {
    "manifest.json": json.dumps(MANIFEST | {"stores": [{"table": "orders", "schema": {"id": "integer"}}]}),
    "a.py": 'from patterns import Table\n\nTable("clean", "w").append({"id": 1})\nprint(Table("orders").read())\n',
    "b.sql": 'select id from {{ Table("clean") }}\n',
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setenv("PATTERNS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def test_each_compile_gives_what_a_fresh_one_gives(shop):
    recompiler = Recompiler(shop)
    changes = [
        {},
        {"b.sql": "select"},
        {"manifest.json": "{"},
        {"a.py": FILES["a.py"].replace("clean", "other")},
        {},
    ]

    for change in changes:
        texts = {name: text.encode() for name, text in change.items()}
        fresh = compile_sources(shop, Sources({**{n: t.encode() for n, t in FILES.items()}, **texts}))
        assert recompiler.compile(texts) == fresh


def test_what_is_typed_over_is_forgotten(shop):
    recompiler = Recompiler(shop)
    recompiler.compile()
    usual = size_of(recompiler)

    for number in range(20):
        manifest = FILES["manifest.json"].replace('"a.py"', f'"a.py", "parameters": {{"n": {number}}}')
        recompiler.compile(
            {
                "manifest.json": manifest.replace(
                    '"b.sql"', f'"b.sql", "parameters": {{"n": {number}}}'
                ).encode()
            }
        )

    assert size_of(recompiler) <= usual


def size_of(recompiler):
    return len(recompiler._memo._recent) + len(recompiler._memo._older)


def test_the_first_compile_is_left_to_later_processes(shop, tmp_path):
    Recompiler(shop).compile()

    assert list((tmp_path / "cache").rglob("*"))
