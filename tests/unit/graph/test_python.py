import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import Location, Severity, render_diagnostic
from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources

QUICK_START = b"""\
from patterns import File, Model, Parameter, Table

import openai


messages = Table("slack_messages")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
"""


def analyse(source, **modules):
    sources = {f"{name.replace('_of_', '/')}.py": text.encode() for name, text in modules.items()}
    return analyse_python("main.py", source.encode(), Sources(sources))


def tables(source, **files):
    analysis, _ = analyse(f"from patterns import *\n{source}", **files)
    return [(use.name, str(use.access)) for use in analysis.uses if use.kind == "table"]


def reasons(source, **files):
    analysis, _ = analyse(f"from patterns import *\n{source}", **files)
    return [unknown.reason for unknown in analysis.unknown]


def test_the_quick_start_streams_messages_and_writes_completions():
    analysis, diagnostics = analyse_python("my_py.py", QUICK_START, Sources({}))

    assert [(use.kind, use.name, use.access, use.where.line, use.where.column) for use in analysis.uses] == [
        ("model", "", None, 3, 1),
        ("table", "slack_messages", "stream", 6, 12),
        ("table", "completions", "write", 7, 15),
    ]
    assert analysis.uses[0].detail == {"import": "openai"}
    assert analysis.unknown == ()
    assert diagnostics == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('Table("a")', [("a", "read")], id="opened and no more"),
        pytest.param('Table("a", "w")', [("a", "write")], id="mode by position"),
        pytest.param('Table("a", mode="w")', [("a", "write")], id="mode by keyword"),
        pytest.param('Table(mode="w", name="a")', [("a", "write")], id="name by keyword"),
        pytest.param('Table("a").read()', [("a", "read")], id="read"),
        pytest.param('Table("a").as_stream()', [("a", "stream")], id="stream at once"),
        pytest.param('t = Table("a")\nu = t\nu.as_stream()', [("a", "stream")], id="through another name"),
        pytest.param('for row in Table("a"): pass', [("a", "read")], id="iterated"),
        pytest.param('rows = [r for r in Table("a")]', [("a", "read")], id="iterated in a comprehension"),
        pytest.param('rows = list(Table("a"))', [("a", "read")], id="made a list"),
        pytest.param(
            't = Table("a")\nt.read()\nt.as_stream()',
            [("a", "stream"), ("a", "read")],
            id="streamed and read",
        ),
        pytest.param(
            't = Table("a", "w")\nt.append(1)\nt.read()', [("a", "write"), ("a", "read")], id="own table read"
        ),
        pytest.param(
            't = Table("a", "w")\nfor r in t.as_stream(): t.append(r)',
            [("a", "write"), ("a", "stream")],
            id="own table streamed",
        ),
        pytest.param('NAME = "a"\nTable(NAME, "w")', [("a", "write")], id="constant"),
        pytest.param('P = "x"\nTable(f"{P}_{1}", "w")', [("x_1", "write")], id="f-string"),
        pytest.param('P = "x"\nTable(P + "_y")', [("x_y", "read")], id="sum"),
        pytest.param('Table("a" if True else "b")', [("a", "read"), ("b", "read")], id="either"),
        pytest.param(
            'for n in ["a", "b"]:\n    Table(n, "w").append({})',
            [("a", "write"), ("b", "write")],
            id="loop over a list",
        ),
        pytest.param(
            'for n, m in [("a", "r"), ("b", "w")]:\n    Table(n, m)',
            [("a", "read"), ("b", "write")],
            id="loop over pairs keeps the pairs",
        ),
        pytest.param(
            'N = {"a": "r", "b": "w"}\nfor n, m in N.items():\n    Table(n, m)',
            [("a", "read"), ("b", "write")],
            id="loop over a dictionary",
        ),
        pytest.param(
            'for i in range(2): Table(f"t{i}")', [("t0", "read"), ("t1", "read")], id="loop over a range"
        ),
        pytest.param("for n in []: Table(n)", [], id="loop over nothing"),
        pytest.param(
            'names = []\nnames.append("a")\nfor n in names: Table(n)', [("a", "read")], id="list filled first"
        ),
        pytest.param(
            'outs = {n: Table(n, "w") for n in ("a", "b")}\nouts["a"].append({})',
            [("a", "write"), ("b", "write")],
            id="comprehension",
        ),
        pytest.param(
            'ins = {n: Table(n) for n in ("a", "b")}\nins["a"].as_stream()',
            [("a", "stream"), ("b", "read")],
            id="one item of a comprehension",
        ),
        pytest.param(
            'def work(n, m="r"):\n    return Table(n, m)\nwork("a").as_stream()\nwork("b", m="w")',
            [("a", "stream"), ("b", "write")],
            id="function called twice",
        ),
        pytest.param(
            'def each(t):\n    for r in t.as_stream(): pass\neach(Table("a"))',
            [("a", "stream")],
            id="handle given to a function",
        ),
        pytest.param(
            'class Job:\n    def __init__(self):\n        self.rows = Table("a")\n'
            "    def run(self):\n        for r in self.rows.as_stream(): pass\n",
            [("a", "stream")],
            id="attribute of an object",
        ),
        pytest.param(
            'class Job:\n    def __init__(self, name):\n        self.rows = Table(name, "w")\nJob("a")',
            [("a", "write")],
            id="name given to a class",
        ),
        pytest.param(
            'class Names:\n    OUT = "a"\nTable(Names.OUT, "w")', [("a", "write")], id="class constant"
        ),
        pytest.param(
            'from elsewhere import consume\nx = consume()\nx.as_stream()\nconsume(Table("a"))',
            [("a", "stream")],
            id="given away while something is streamed",
        ),
        pytest.param(
            'if False:\n    def f():\n        Table("a")', [("a", "read")], id="function never called"
        ),
        pytest.param('def Table(n): pass\nTable("a")', [], id="shadowed name is not the SDK's"),
    ],
)
def test_finds_tables_and_what_is_done_with_them(source, expected):
    assert tables(source) == expected


REACHED = {
    "alias module": (
        'import patterns as p\np.Table("a","w")',
        ["a:w"],
    ),
    "dotted inner": (
        'from patterns.table import Table as X\nX("a")',
        ["a:r"],
    ),
    "tuple assign": (
        'a, b = Table("a"), Table("b", "w")\nfor r in a.as_stream(): b.append(r)',
        ["a:s", "b:w"],
    ),
    "starred assign": (
        'a, *b = ["x","y","z"]\nfor n in b: Table(n)',
        ["x:r", "y:r", "z:r"],
    ),
    "chained assign": (
        'a = b = Table("a","w")\nb.append({})',
        ["a:w"],
    ),
    "default arg": (
        'def f(n="a"): return Table(n)\nf()',
        ["a:r"],
    ),
    "kwonly default": (
        'def f(*, n="a", m="w"): Table(n, m)\nf(m="r")',
        ["a:r"],
    ),
    "return of two": (
        'def f(): return Table("a"), Table("b","w")\nx, y = f()\nx.as_stream()',
        ["a:s", "b:w"],
    ),
    "closure": (
        ('def outer(n):\n    def inner(): return Table(n)\n    return inner\nouter("a")().as_stream()'),
        ["a:s"],
    ),
    "nonlocal": (
        ('def o():\n    n="a"\n    def i():\n        nonlocal n\n        n="b"\n    i()\n    Table(n)\no()'),
        ["b:r"],
    ),
    "global": (
        'n="a"\ndef f():\n    global n\n    n="b"\nf()\nTable(n)',
        ["b:r"],
    ),
    "reassign": (
        'n="a"\nTable(n)\nn="b"\nTable(n)',
        ["a:r", "b:r"],
    ),
    "lambda": (
        't = lambda n: Table(n, "w")\nt("a")',
        ["a:w"],
    ),
    "app decorator": (
        (
            "def deco(f):\n"
            "    def w(*a, **k):\n"
            "        return f(*a, **k)\n"
            "    return w\n"
            "@deco\n"
            "def g(n): return Table(n)\n"
            'g("a").as_stream()'
        ),
        ["a:s"],
    ),
    "external decorator": (
        'import functools\n@functools.lru_cache\ndef g(n): return Table(n)\ng("a")',
        ["a:r"],
    ),
    "wraps": (
        (
            "import functools\n"
            "def deco(f):\n"
            "    @functools.wraps(f)\n"
            "    def w(*a, **k):\n"
            "        return f(*a, **k)\n"
            "    return w\n"
            "@deco\n"
            "def g(n): return Table(n)\n"
            'g("a").as_stream()'
        ),
        ["a:s"],
    ),
    "decorator with args": (
        (
            "def deco(x):\n"
            "    def d(f):\n"
            "        def w(): return f(x)\n"
            "        return w\n"
            "    return d\n"
            '@deco("a")\n'
            "def g(n): return Table(n)\n"
            "g()"
        ),
        ["a:r"],
    ),
    "class attr": (
        'class C:\n    t = Table("a","w")\nC.t.append({})',
        ["a:w"],
    ),
    "self.x via method": (
        (
            "class C:\n"
            '    def __init__(self): self.n = "a"\n'
            "    def go(self): Table(self.n).as_stream()\n"
            "C().go()"
        ),
        ["a:s"],
    ),
    "inheritance": (
        (
            "class B:\n"
            '    name="x"\n'
            "    def t(self): return Table(self.name)\n"
            "class D(B):\n"
            '    name="a"\n'
            "D().t().as_stream()"
        ),
        ["a:s"],
    ),
    "super init": (
        (
            "class B:\n"
            "    def __init__(self, n): self.t = Table(n)\n"
            "class D(B):\n"
            '    def __init__(self): super().__init__("a")\n'
            "D().t.as_stream()"
        ),
        ["a:s"],
    ),
    "property": (
        'class C:\n    @property\n    def t(self): return Table("a")\nC().t.as_stream()',
        ["a:s"],
    ),
    "cached prop": (
        (
            "from functools import cached_property\n"
            "class C:\n"
            "    @cached_property\n"
            '    def t(self): return Table("a")\n'
            "C().t.as_stream()"
        ),
        ["a:s"],
    ),
    "staticmethod": (
        'class C:\n    @staticmethod\n    def t(n): return Table(n)\nC.t("a")',
        ["a:r"],
    ),
    "classmethod": (
        'class C:\n    N="a"\n    @classmethod\n    def t(cls): return Table(cls.N)\nC.t()',
        ["a:r"],
    ),
    "dataclass": (
        (
            "from dataclasses import dataclass\n"
            "@dataclass\n"
            "class C:\n"
            "    name: str\n"
            '    mode: str = "w"\n'
            "    def t(self): return Table(self.name, self.mode)\n"
            'C("a").t()'
        ),
        ["a:w"],
    ),
    "namedtuple class": (
        'from typing import NamedTuple\nclass C(NamedTuple):\n    n: str\nTable(C("a").n)',
        ["a:r"],
    ),
    "enum": (
        'from enum import Enum\nclass N(Enum):\n    A = "a"\nTable(N.A.value, "w")',
        ["a:w"],
    ),
    "instance dict": (
        'class C: pass\nc = C()\nc.t = Table("a")\nc.t.as_stream()',
        ["a:s"],
    ),
    "call dunder": (
        'class C:\n    def __call__(self, n): return Table(n)\nC()("a")',
        ["a:r"],
    ),
    "zip": (
        'for n, m in zip(["a","b"], ["r","w"]): Table(n, m)',
        ["a:r", "b:w"],
    ),
    "enumerate": (
        'for i, n in enumerate(["a","b"]): Table(f"{n}{i}")',
        ["a0:r", "b1:r"],
    ),
    "items": (
        'for k, v in {"a":"r","b":"w"}.items(): Table(k, v)',
        ["a:r", "b:w"],
    ),
    "keys": (
        'for k in {"a":1}.keys(): Table(k)',
        ["a:r"],
    ),
    "values": (
        'for k in {1:"a"}.values(): Table(k)',
        ["a:r"],
    ),
    "dict iteration": (
        'for k in {"a":1}: Table(k)',
        ["a:r"],
    ),
    "nested loops": (
        'for a in "xy":\n    for b in ("1","2"):\n        Table(a+b)',
        ["x1:r", "x2:r", "y1:r", "y2:r"],
    ),
    "listcomp": (
        'ts = [Table(n) for n in ("a","b")]\nfor t in ts: t.as_stream()',
        ["a:s", "b:s"],
    ),
    "comp with condition": (
        'ts = [Table(n) for n in ("a","b") if n != "b"]',
        ["a:r"],
    ),
    "dictcomp": (
        'ts = {n: Table(n, "w") for n in ("a","b")}\nts["a"].append({})',
        ["a:w", "b:w"],
    ),
    "set comp": (
        'for n in {x for x in ("a",)}: Table(n)',
        ["a:r"],
    ),
    "percent": (
        'Table("%s_%s" % ("a","b"))',
        ["a_b:r"],
    ),
    "percent one": (
        'Table("t_%d" % 3)',
        ["t_3:r"],
    ),
    "format": (
        'Table("{}_{x}".format("a", x="b"))',
        ["a_b:r"],
    ),
    "join": (
        'Table("_".join(["a","b"]))',
        ["a_b:r"],
    ),
    "lower": (
        'Table("ABC".lower())',
        ["abc:r"],
    ),
    "fstring spec": (
        'Table(f"t_{1:03d}")',
        ["t_001:r"],
    ),
    "concat": (
        'P="a"\nTable(P + "_" + str(1))',
        ["a_1:r"],
    ),
    "either": (
        'import sys\nTable("a" if sys.argv else "b")',
        ["a:r", "b:r"],
    ),
    "branch": (
        'import sys\nif sys.argv: n="a"\nelse: n="b"\nTable(n)',
        ["a:r", "b:r"],
    ),
    "match": (
        'import sys\nmatch len(sys.argv):\n    case 1: n="a"\n    case _: n="b"\nTable(n)',
        ["a:r", "b:r"],
    ),
    "match known": (
        ('for k in ("x","y"):\n    match k:\n        case "x": Table("a")\n        case "y": Table("b","w")'),
        ["a:r", "b:w"],
    ),
    "walrus": (
        'if (t := Table("a")): t.as_stream()',
        ["a:s"],
    ),
    "walrus in comp": (
        '[y for n in ("a","b") if (y := Table(n))]\ny.as_stream()',
        ["a:r", "b:s"],
    ),
    "with block": (
        (
            's = Table("a").as_stream()\n'
            "with s.consume_with_rollback() as rows:\n"
            '    for r in rows: Table("b","w").append(r)'
        ),
        ["a:s", "b:w"],
    ),
    "try": (
        'try: t = Table("a")\nexcept Exception: t = Table("b")\nt.as_stream()',
        ["a:s", "b:s"],
    ),
    "finally": (
        'try: pass\nfinally: Table("a","w").append({})',
        ["a:w"],
    ),
    "while": (
        'while True:\n    Table("a").read()\n    break',
        ["a:r"],
    ),
    "star import module": (
        "from base import *\nout.append({})",
        ["o:w"],
        {"base": 'from patterns import Table\nout=Table("o","w")'},
    ),
    "package": (
        "from lib import t\nt.as_stream()",
        ["a:s"],
        {
            "lib_of___init__": "from .inner import t",
            "lib_of_inner": 'from patterns import Table\nt = Table("a")',
        },
    ),
    "module attr": (
        "import lib.inner\nlib.inner.t.as_stream()",
        ["a:s"],
        {"lib_of_inner": 'from patterns import Table\nt = Table("a")'},
    ),
    "module function": (
        'import base\nbase.f("a")',
        ["a:w"],
        {"base": 'from patterns import Table\ndef f(n): return Table(n,"w")'},
    ),
    "module const": (
        "import base\nTable(base.N)",
        ["a:r"],
        {"base": 'N="a"'},
    ),
    "circular": (
        'import base\nTable(base.N)\nM="m"',
        ["a:r"],
        {"base": 'import main\nN="a"'},
    ),
    "partial": (
        'from functools import partial\nw = partial(Table, mode="w")\nw("a")',
        ["a:w"],
    ),
    "map literal": (
        'list(map(Table, ["a","b"]))',
        ["a:r", "b:r"],
    ),
    "getattr": (
        'import patterns\ngetattr(patterns, "Table")("a")',
        ["a:r"],
    ),
    "getattr handle": (
        'getattr(Table("a"), "as_stream")()',
        ["a:s"],
    ),
    "bound method": (
        's = Table("a").as_stream\ns()',
        ["a:s"],
    ),
    "dispatch": (
        'def f(): return Table("a")\ndef g(): return Table("b")\n{"f": f, "g": g}["f"]()',
        ["a:r", "b:r"],
    ),
    "star args": (
        'def f(*names):\n    for n in names: Table(n)\nf("a","b")',
        ["a:r", "b:r"],
    ),
    "kwargs": (
        'def f(**k):\n    for n, m in k.items(): Table(n, m)\nf(a="r", b="w")',
        ["a:r", "b:w"],
    ),
    "spread args": (
        'args=("a","w")\nTable(*args)',
        ["a:w"],
    ),
    "spread kwargs": (
        'k={"name":"a","mode":"w"}\nTable(**k)',
        ["a:w"],
    ),
    "generator": (
        'def names():\n    yield "a"\n    yield "b"\nfor n in names(): Table(n)',
        ["a:r", "b:r"],
    ),
    "global in fn": (
        (
            "T = None\n"
            "def setup():\n"
            "    global T\n"
            '    T = Table("a")\n'
            "def run():\n"
            "    for r in T.as_stream(): pass\n"
            "setup()\n"
            "run()"
        ),
        ["a:s"],
    ),
    "list mutated": (
        'ns=["a"]\nns.append("b")\nns += ["c"]\nns.extend(("d",))\nfor n in ns: Table(n)',
        ["a:r", "b:r", "c:r", "d:r"],
    ),
    "dict mutated": (
        'd={}\nd["a"]="w"\nd.update(b="r")\nfor k,v in d.items(): Table(k,v)',
        ["a:w", "b:r"],
    ),
    "sorted": (
        'for n in sorted({"b","a"}): Table(n)',
        ["a:r", "b:r"],
    ),
    "slice": (
        'for n in ["a","b","c"][:2]: Table(n)',
        ["a:r", "b:r"],
    ),
    "index": (
        'Table(["a","b"][1])',
        ["b:r"],
    ),
    "negative index": (
        'Table(("a","b")[-1])',
        ["b:r"],
    ),
    "asyncio": (
        (
            "import asyncio\n"
            "async def main():\n"
            '    async for r in Table("a").as_stream(): pass\n'
            "asyncio.run(main())"
        ),
        ["a:s"],
    ),
    "main guard": (
        'def main(): Table("a").as_stream()\nif __name__ == "__main__": main()',
        ["a:s"],
    ),
    "uncalled": (
        'def main(): Table("a").as_stream()',
        ["a:s"],
    ),
    "uncalled nested": (
        'def main():\n    def inner(): Table("a")\n    return None',
        ["a:r"],
    ),
    "default handle": (
        'def f(t=Table("a")): t.as_stream()\nf()',
        ["a:s"],
    ),
    "typing import": (
        'from typing import TYPE_CHECKING\nif TYPE_CHECKING: import x\nTable("a")',
        ["a:r"],
    ),
    "optional import": (
        'try:\n    from base import N\nexcept ImportError:\n    N = "b"\nTable(N)',
        ["a:r", "b:r"],
        {"base": 'N="a"'},
    ),
    "thread pool": (
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "def f(n): Table(n).read()\n"
            'with ThreadPoolExecutor() as p: list(p.map(f, ["a","b"]))'
        ),
        ["a:r", "b:r"],
    ),
    "annassign": (
        'n: str = "a"\nTable(n)',
        ["a:r"],
    ),
    "augassign": (
        'n="a"\nn+="b"\nTable(n)',
        ["ab:r"],
    ),
    "and/or": (
        'import os\nTable(None or "a")',
        ["a:r"],
    ),
    "multiplication": (
        'Table("a"*3)',
        ["aaa:r"],
    ),
    "config": (
        (
            'CONFIG = {"in": {"name": "a"}, "outs": ["b","c"]}\n'
            'Table(CONFIG["in"]["name"])\n'
            'for o in CONFIG["outs"]: Table(o,"w")'
        ),
        ["a:r", "b:w", "c:w"],
    ),
    "config get": (
        'C={"in":"a"}\nTable(C.get("in"))',
        ["a:r"],
    ),
    "config get default": (
        'C={"in":"a"}\nTable(C.get("x","b"))',
        ["b:r"],
    ),
}


@pytest.mark.parametrize(
    ("source", "expected", "files"), [(*case, {})[:3] for case in REACHED.values()], ids=REACHED
)
def test_finds_tables_wherever_they_are_reached(source, expected, files):
    analysis, diagnostics = analyse(f"from patterns import *\n{source}", **files)
    letters = {"read": "r", "write": "w", "stream": "s"}

    assert (
        sorted({f"{use.name}:{letters[use.access]}" for use in analysis.uses if use.kind == "table"})
        == expected
    )
    assert analysis.unknown == ()
    assert diagnostics == []


@pytest.mark.parametrize(
    "source",
    [
        'from patterns import Table\nTable("a")',
        'from patterns import Table as T\nT("a")',
        'import patterns\npatterns.Table("a")',
        'import patterns as p\np.Table("a")',
        'from patterns import *\nTable("a")',
        'def f():\n    from patterns import Table\n    return Table("a")',
        'import patterns as p\nT = p.Table\nT("a")',
    ],
)
def test_knows_the_sdk_under_every_import(source):
    analysis, _ = analyse(source)

    assert [use.name for use in analysis.uses] == ["a"]


def test_a_table_of_another_library_is_none():
    analysis, _ = analyse('from sqlalchemy import Table\nTable("a")')

    assert analysis.uses == ()


def test_follows_modules_of_the_app():
    found = tables(
        "from .base import out\nfrom lib import names\nimport lib.deep as d\n"
        "out.read()\nTable(names.ONE)\nd.f('x')",
        base='from patterns import Table\nout = Table("base_out", "w")',
        lib_of___init__="",
        lib_of_names='ONE = "one"',
        lib_of_deep="from patterns import Table\ndef f(n):\n    for r in Table(n): pass",
    )

    assert found == [("one", "read"), ("base_out", "write"), ("base_out", "read"), ("x", "read")]


def test_lists_the_modules_of_the_app_that_are_imported():
    analysis, _ = analyse("import base", base="import other", other="import base", unused="")

    assert analysis.imports == ("base.py", "other.py")


def test_uses_in_imported_modules_have_their_own_place():
    analysis, _ = analyse("import base", base='\nfrom patterns import Table\nTable("a")')

    assert analysis.uses[0].where == Location(file="base.py", line=3, column=1)


def test_columns_count_characters():
    analysis, _ = analyse('from patterns import Table\nx = "ééé"; Table("a")')

    assert analysis.uses[0].where == Location(file="main.py", line=2, column=12)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            'import os\nTable(os.environ["T"])',
            'the name of a Table cannot be told: ".environ"[…] is known only at run time',
        ),
        (
            "def f(name): Table(name)",
            (
                'the name of a Table cannot be told: "name" is a parameter of "f", '
                "whose arguments are known only at run time"
            ),
        ),
        ("Table(name)", 'the name of a Table cannot be told: "name" is not defined in the script'),
        ("Table()", "the name of a Table cannot be told: no name is given"),
        ("Table(1)", "the name of a Table cannot be told: the name is not a text"),
        ("Table(*args)", "the name of a Table cannot be told: the arguments are unpacked at run time"),
        (
            "for n in input(): Table(n)",
            'the name of a Table cannot be told: the result of "input(…)" is known only at run time',
        ),
        ("map(Table, x)", '"Table" is passed on as a value, so what it opens cannot be told'),
        ("exec(x)", '"exec" runs code that the text does not show'),
        (
            "n = ''\nfor i in input(): n = n + 'a'\nTable(n)",
            "the name of a Table cannot be told: the value depends on itself",
        ),
        (
            "def f(n): return f(n)\nTable(f('a'))",
            "the name of a Table cannot be told: the value depends on itself",
        ),
        (
            "Table(Parameter('source', default='orders'))",
            (
                'the name of a Table cannot be told: it is the value of parameter "source", '
                "which is known only when the app is deployed"
            ),
        ),
        (
            "p = Parameter('source')\nTable(f'raw_{p}')",
            (
                'the name of a Table cannot be told: it is the value of parameter "source", '
                "which is known only when the app is deployed"
            ),
        ),
        (
            "import sys\nTable('a', sys.argv[1])",
            'the name of a Table cannot be told: ".argv"[…] is known only at run time',
        ),
        (
            "for r in Table('a').as_stream(): Table(r['t'], 'w').append(r)",
            "the name of a Table cannot be told: the value is known only at run time",
        ),
        (
            "from settings import N\nTable(N)",
            'the name of a Table cannot be told: "N" is imported from outside the app',
        ),
        (
            "import importlib\nimportlib.import_module(x)",
            '"import_module" runs code that the text does not show',
        ),
        ("Secret(x)", 'the name of a Secret cannot be told: "x" is not defined in the script'),
        ("Connection(x)", 'the name of a Connection cannot be told: "x" is not defined in the script'),
    ],
)
def test_says_what_cannot_be_told_and_why(source, reason):
    assert reason in reasons(source)


def test_a_function_given_away_has_unknown_arguments():
    assert reasons("def f(n): Table(n)\nf('a')\npool.map(f, names)") == [
        (
            'the name of a Table cannot be told: "n" is a parameter of "f", '
            "whose arguments are known only at run time"
        )
    ]


def test_finds_parameters_with_type_and_default():
    analysis, _ = analyse(
        "from patterns import Parameter, Connection\nimport datetime\n"
        'Parameter("limit", type=int, default=5)\nParameter("Sender Name")\n'
        'Parameter("day", "which day", datetime.date, None)\nParameter("key", type=Connection("openai"))'
    )

    assert [(use.name, dict(use.detail)) for use in analysis.uses] == [
        ("limit", {"default": 5, "required": False, "type": "int"}),
        ("Sender Name", {"required": True}),
        ("day", {"default": None, "required": False, "type": "date"}),
        ("key", {"required": True, "type": "connection"}),
    ]
    assert [use.kind for use in analysis.uses] == ["parameter"] * 4


def test_finds_connections_that_are_asked_for():
    analysis, _ = analyse('from patterns import Connection\nc = Connection("my-slack")\nprint(c["token"])')

    assert [(use.kind, use.name) for use in analysis.uses] == [("connection", "my-slack")]


def test_finds_models_files_secrets_and_state():
    analysis, _ = analyse(
        "from patterns import File, Model, Secret, State\n"
        'Model("llm")\nFile("in.txt").read()\nFile("out.txt").write("x")\nFile("log").open("a")\n'
        'File("any")\nSecret("KEY")\nState().get("n")'
    )

    assert [(use.kind, use.name, use.access) for use in analysis.uses] == [
        ("model", "llm", None),
        ("file", "in.txt", "read"),
        ("file", "out.txt", "write"),
        ("file", "log", "write"),
        ("file", "any", None),
        ("secret", "KEY", None),
        ("state", "", None),
    ]


def test_a_syntax_error_is_one_diagnostic_with_its_place():
    analysis, diagnostics = analyse("x = 1\ny = (1,,2)\n")

    assert analysis.uses == ()
    assert [render_diagnostic(found) for found in diagnostics] == [
        'error[script-syntax] main.py:2:8: "main.py" is not valid Python: invalid syntax.'
    ]


def test_a_syntax_error_in_an_imported_module_leaves_the_rest():
    analysis, diagnostics = analyse('import base\nfrom patterns import Table\nTable("a")', base="def (")

    assert [use.name for use in analysis.uses] == ["a"]
    assert [found.where for found in diagnostics] == [Location(file="base.py", line=1, column=5)]


def test_bytes_that_are_not_utf_8_are_a_diagnostic():
    _, diagnostics = analyse_python("a.py", b"x = 1\ny = '\xff'\n", Sources({}))

    assert [render_diagnostic(found) for found in diagnostics] == [
        (
            'error[script-encoding] a.py:2:1: "a.py" is not UTF-8: byte 0xff at offset 11 cannot be read.\n'
            "  hint: save the file as UTF-8"
        )
    ]


def test_a_nul_is_a_diagnostic():
    _, diagnostics = analyse_python("a.py", b"\nx = '\x00'", Sources({}))

    assert [render_diagnostic(found) for found in diagnostics] == [
        'error[script-encoding] a.py:2:1: "a.py" holds a NUL character, which no script may hold.'
    ]


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "-" * 20_000 + "1",
        "x = " + "(" * 5_000,
        "x = " + "[" * 90 + "]" * 90,
        "x = a" + ".b" * 20_000,
        "x = " + " + ".join(["'a'"] * 20_000),
        "f = " + "lambda: " * 500 + "1",
        "9" * 5_000,
        "from patterns import Table\n" + "t = Table('a' + t)\n" * 200,
        "def f(n): return f(f(n))\nfrom patterns import Table\nTable(f('a'))",
    ],
    ids=["minuses", "parentheses", "lists", "attributes", "sum", "lambdas", "number", "itself", "recursion"],
)
def test_deep_sources_never_raise(source):
    analyse_python("deep.py", source.encode(), Sources({}))


def test_a_write_to_a_table_that_is_opened_for_reading_is_a_warning():
    _, diagnostics = analyse('from patterns import Table\nTable("a").append({})')

    assert [found.severity for found in diagnostics] == [Severity.WARNING]
    assert render_diagnostic(diagnostics[0]) == (
        'warning[table-mode] main.py:2:1: table "a" is opened for reading, '
        "but the script calls its .append().\n"
        '  hint: open it with Table("a", "w")'
    )


def test_an_unknown_mode_is_an_error():
    analysis, diagnostics = analyse('from patterns import Table\nTable("a", "x")')

    assert analysis.uses == ()
    assert [render_diagnostic(found) for found in diagnostics] == [
        (
            'error[table-mode] main.py:2:1: table "a" is opened with the unknown mode "x".\n'
            '  known modes: "r", "w"'
        )
    ]


def test_a_script_with_too_much_to_follow_is_unknown_and_ends_soon():
    calls = "\n".join(
        f"def f{i}(n, m):\n    f{i + 1}(n + 'a', m)\n    f{i + 1}(n + 'b', m)" for i in range(40)
    )
    source = f"{calls}\ndef f40(n, m): Table(n, m)\nf0('x', 'w')"

    assert "the script has too many cases to follow" in reasons(source)


def test_writes_say_which_methods_are_called():
    analysis, _ = analyse(
        'from patterns import Table\nt = Table("a", "w")\nt.replace([])\nt.append({})\nTable("b", mode="append")\n'
        'Table("c", "w", required=False).delete()\nTable("d")'
    )

    assert [(use.name, dict(use.detail)) for use in analysis.uses] == [
        ("a", {"methods": ("append", "replace")}),
        ("b", {"methods": ()}),
        ("c", {"required": False, "methods": ("delete",)}),
        ("d", {}),
    ]


def test_the_packages_around_an_imported_module_are_imported_too():
    analysis, _ = analyse("import lib.deep as d", lib_of___init__="", lib_of_deep="")

    assert analysis.imports == ("lib/__init__.py", "lib/deep.py")


def test_a_loop_over_many_items_ends_soon_and_keeps_what_is_around_it():
    found = tables(
        "t = Table('a')\nfor i in range(400):\n    for j in range(400):\n        x = i * j\nt.as_stream()"
    )

    assert found == [("a", "stream")]


@settings(deadline=None)
@given(st.integers(0, len(QUICK_START)), st.binary(max_size=8), st.integers(0, 12))
def test_mutated_bytes_never_raise(place, inserted, dropped):
    source = QUICK_START[:place] + inserted + QUICK_START[place + dropped :]

    analyse_python("a.py", source, Sources({"b.py": source}))
