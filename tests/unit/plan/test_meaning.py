import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.plan.meaning import meaning_of, same_meaning

PYTHON = """
from patterns import Table
# every order once
def clean(row, *, limit=3):
    '''Cut.'''
    return {"a": row["a"][:limit], 'b': None, **row}

for row in Table("orders").as_stream():
    if row["a"] is not None: Table("out", "w").append(clean(row))
"""
LAYOUTS = ["", "\n", "\n\n\n", "  # a remark\n", "\n# a remark\n"]


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "a.py",
            "x=1 # one\n\n\ndef f( a ):\n  'd'\n  return None",
            'x = 1\ndef f(a):\n    "d"\n    return None\n',
        ),
        ("a.py", "x = 'a' 'b'", "x = ('ab')"),
        ("a.py", "", "# nothing"),
        ("a.sql", "SELECT a , b FROM t -- x\nwhere c<>1", "select a,b\nfrom t where c <> 1 /* hi */"),
        ("a.sql", "select 1 -- {{ x }}", "select 1"),
        ("a.sql", "select 1 {# gone #}", "select 1"),
        ("a.js", "let a = 1 // x\nf(a)", "let a=1\n\nf( a )"),
        ("a.js", "x=a/b/c", "x = a / b / c"),
        ("a.ts", "let a:number=1", "let a : number = 1;"),
        ("a.json", '{"a":1,"b":[2.0]}', '{"b":[2.0], "a":1}'),
    ],
)
def test_looks_have_no_meaning(path, before, after):
    assert same_meaning(path, before.encode(), after.encode())


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.py", "x = 1", "x = True"),
        ("a.py", "x = 1", "x = 1.0"),
        ("a.py", "x = None", "x = ..."),
        ("a.py", "f(None)", "f()"),
        ("a.py", "{**a}", "{None: a}"),
        ("a.py", "def f():\n 'a'", "def f():\n 'b'"),
        ("a.py", "x =", "x  ="),
        ("a.sql", "select 'A'", "select 'a'"),
        ("a.sql", 'select "A"', 'select "a"'),
        ("a.sql", "select a <= b", "select a < = b"),
        ("a.sql", "select $$ -- a$$", "select $$ -- b$$"),
        ("a.sql", "select {{ Parameter('A') }}", "select {{ Parameter('a') }}"),
        ("a.js", "function f() { return\n1 }", "function f() { return 1 }"),
        ("a.js", "a = `x ${b} y`", "a = `x ${b}  y`"),
        ("a.js", "for (a;;) {}", "for (;a;) {}"),
        ("a.js", "if (a); b()", "if (a) b()"),
        ("a.json", '{"a": 1}', '{"a": 1.0}'),
        ("a.txt", "a", "a "),
    ],
)
def test_everything_else_has(path, before, after):
    assert not same_meaning(path, before.encode(), after.encode())


@given(st.lists(st.sampled_from(LAYOUTS), min_size=9, max_size=9))
def test_formatting_changes_no_fingerprint(layouts):
    lines = PYTHON.strip("\n").split("\n")
    formatted = "\n".join(line + layout.rstrip("\n") for line, layout in zip(lines, layouts, strict=False))
    spread = "\n\n".join([*formatted.split("\n")[:2]]) + "\n" + "\n".join(formatted.split("\n")[2:])

    assert meaning_of("a.py", spread.encode()) == meaning_of("a.py", PYTHON.encode())


def test_what_python_itself_prints_again_means_the_same():
    assert same_meaning("a.py", PYTHON.encode(), ast.unparse(ast.parse(PYTHON)).encode())


@given(st.sampled_from(["a.py", "a.sql", "a.js", "a.ts", "a.json"]), st.binary(max_size=60))
def test_any_bytes_have_a_meaning(path, content):
    assert len(meaning_of(path, content)) == 64
