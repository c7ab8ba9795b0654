import pytest

from patterns_os.graph.javascript import analyse_javascript
from patterns_os.graph.sources import Sources

LIBRARY = """
import { Table } from "patterns";

export function orders() {
  return new Table("orders");
}

export function save(row) {
  return opened().append(row);
}

function opened() {
  return new Table("kept", "w");
}
"""


def touched(script, library=LIBRARY):
    files = {"a.js": script.encode(), "lib.js": library.encode()}
    analysis, found = analyse_javascript("a.js", files["a.js"], Sources(files))
    assert found == []
    return sorted((use.name, str(use.access)) for use in analysis.uses)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            'import { orders } from "./lib.js";\nfor await (const o of orders().asStream()) {}',
            [("orders", "stream")],
        ),
        ('import { save } from "./lib.js";\nawait save({ a: 1 });', [("kept", "write")]),
        ('import * as lib from "./lib.js";\nawait lib.save({ a: 1 });', [("kept", "write")]),
        ('import "./lib.js";', []),
    ],
)
def test_only_functions_that_are_named_count(script, expected):
    assert touched(script) == expected


def test_with_computed_names_all_of_them_count():
    script = 'import * as lib from "./lib.js";\nconst name = process.argv[2];\nawait lib[name]({ a: 1 });'
    assert [name for name, _ in touched(script)] == ["kept", "orders"]


def test_what_is_exported_under_another_name_or_by_default_counts():
    assert touched('import "./lib.js";', LIBRARY + "export { opened as open };") == [("kept", "write")]
    library = 'import { Table } from "patterns";\nexport default function main() { new Table("kept", "w"); }'
    assert touched('import run from "./lib.js";\nrun();', library) == [("kept", "write")]


def test_functions_of_the_script_itself_always_count():
    assert touched('import { Table } from "patterns";\nfunction f() { new Table("own", "w"); }') == [
        ("own", "write")
    ]
