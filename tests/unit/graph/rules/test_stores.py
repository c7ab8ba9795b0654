import json

import pytest

from patterns_os.graph.rules.stores import _is_slip
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app

HEAD = "from patterns import File, Table\n"
PAGES = {"table": "pages", "schema": {"url": "text", "title": "text"}}


def codes(stores, **scripts):
    manifest = {
        "name": "app",
        "scripts": [{"file": f"{name}.py", "trigger": "manual"} for name in scripts],
        "stores": stores,
    }
    files = {f"{name}.py": (HEAD + text).encode() for name, text in scripts.items()}
    found = compile_app(Sources({"manifest.json": json.dumps(manifest).encode(), **files})).diagnostics
    return [(one.code, one.hint) for one in found]


@pytest.mark.parametrize(
    ("stores", "script", "expected"),
    [
        (
            [PAGES],
            "Table('pages', 'w').append({'url': 'x', 'titel': 'y'})",
            [("misspelt-column", 'did you mean "title"?')],
        ),
        ([PAGES], "Table('pages', 'w').append({'url': 'x', 'title': 'z', 'titel': 'y'})", []),
        ([PAGES], "Table('pages', 'w').append({'url': 'x', 'subtitle': 'y'})", []),
        (
            [{**PAGES, "unique_on": ["uri"]}],
            "Table('pages', 'w').upsert({'url': 'x'})",
            [("key-without-column", 'did you mean "url"?')],
        ),
        (
            [{"table": "pages", "unique_on": ["uri"]}],
            "Table('pages', 'w').upsert({'url': 'x'})",
            [("key-without-column", 'did you mean "url"?')],
        ),
        (
            [{"table": "pages", "unique_on": ["uri"]}],
            "import json\nTable('pages', 'w').upsert(json.loads(input()))",
            [],
        ),
        (
            [{"file": "a.csv"}],
            "File('a.csv').read_text()\nFile('b.csv', 'w').write('')\nFile('b.csv').read_text()",
            [],
        ),
        (
            [],
            "File('a.csv').read_text()",
            [("unknown-file", 'add {"file": "a.csv"} to "stores" if something else makes it')],
        ),
    ],
)
def test_names_of_columns_keys_and_files_are_known_ones(stores, script, expected):
    assert codes(stores, a=script) == expected


@pytest.mark.parametrize(
    ("name", "meant", "is_slip"),
    [
        ("titel", "title", True),
        ("embeding", "embedding", True),
        ("emaill", "email", True),
        ("prise", "price", True),
        ("email", "email", False),
        ("line1", "line2", False),
        ("total2", "total", False),
        ("first_name", "last_name", False),
        ("id", "ip", False),
    ],
)
def test_a_slip_is_one_letter(name, meant, is_slip):
    assert _is_slip(name, meant) is is_slip


def test_each_table_that_triggers_its_writer_is_told():
    script = "a, b = Table('a', 'w'), Table('b', 'w')\n"
    script += "for row in Table('a').as_stream(): b.append(row)\n"
    script += "for row in Table('b').as_stream(): a.append(row)"
    found = codes([{"table": "a"}, {"table": "b"}], n=script)
    assert [hint for code, hint in found if code == "self-trigger"] == [
        'look at its rows with .read(), or write another table than "a"',
        'look at its rows with .read(), or write another table than "b"',
    ]
