import pytest

from patterns_os.graph.python_modules import Imported, find_import, parse_module


@pytest.mark.parametrize(
    ("file", "module", "level", "found"),
    [
        ("main.py", "base", 0, "base.py"),
        ("main.py", "lib", 0, "lib/__init__.py"),
        ("main.py", "lib.deep", 0, "lib/deep.py"),
        ("lib/main.py", "deep", 0, "lib/deep.py"),
        ("lib/main.py", "base", 0, "base.py"),
        ("lib/main.py", "", 1, "lib/__init__.py"),
        ("lib/main.py", "deep", 1, "lib/deep.py"),
        ("lib/main.py", "base", 2, "base.py"),
        ("main.py", "base", 9, "base.py"),
        ("main.py", "", 0, None),
        ("main.py", "copy", 0, None),
        ("main.py", "patterns", 0, None),
        ("main.py", "nowhere", 0, None),
    ],
)
def test_imports_lead_to_files_of_the_app(file, module, level, found):
    files = dict.fromkeys(("base.py", "copy.py", "patterns.py", "lib/__init__.py", "lib/deep.py"), b"")

    assert find_import(file, Imported(module, level), files) == found


def test_imports_are_found_wherever_they_stand():
    module = parse_module(
        "a.py", b"import a\ndef f():\n    try: import b\n    except E: import c\nif x: from d import e\n"
    )

    assert [node.lineno for node in module.imports] == [1, 3, 4, 5]


def test_lines_end_where_python_ends_them():
    module = parse_module("a.py", "x = 'é\x0c\u2028'; y\r\nz = 1".encode())

    assert module.locate(module.tree.body[1]).column == 12
    assert module.locate(module.tree.body[2]).line == 2
