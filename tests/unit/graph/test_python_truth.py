"""Runs random small scripts for real, with tables that trace their values, and compares with their analysis."""

import random
import re
from types import SimpleNamespace

import pytest

from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources

ROWS = [{column: f"<t.{column}.{number}>" for column in "abcd"} for number in range(3)]
PART = re.compile(r"((?:^ +)?)<([ske])>", re.MULTILINE)
TAG = re.compile(r"<t\.(\w)\.\d>")

STATEMENTS = (
    "row = {'x': <e>, 'y': <e>}",
    "row = {**r, '<k>': <e>}",
    "row = {'<k>': <e>, **row}",
    "row = dict(row, <k>=<e>)",
    "row = r.copy()",
    "row = r | {'<k>': <e>}",
    "row = {k: v for k, v in r.items() if k != '<k>'}",
    "row = {k: str(v)[:99] for k, v in row.items()}",
    "row = {k: r[k] for k in ('a', 'b')}",
    "row = make(r, <e>)",
    "row = vars(Box(<e>))",
    "row['<k>'] = <e>",
    "other = row",
    "other['<k>'] = <e>",
    "row.update(<k>=<e>)",
    "row.update(kept)",
    "row.setdefault('<k>', <e>)",
    "row.pop('<k>', None)",
    "kept = row",
    "kept['<k>'] = <e>",
    "last = <e>",
    "rows.append(row)",
    "rows.append({'<k>': <e>})",
    "rows = [{**row, '<k>': <e>} for row in rows[:9]]",
    "found[<e>] = <e>",
    "change(row)",
    "out.append(row)",
    "out.append(rows)",
    "out.append(kept)",
    "out.append({'<k>': <e>})",
    "out.append(list(produce(rows)))",
    "if len(<e>) > 7:\n    <s>\nelse:\n    <s>",
    "if last:\n    <s>",
    "if len(<e>) > 5:\n    continue",
    "if len(<e>) > 9:\n    break",
    "for k in ('a', 'x'):\n    row[k] = <e>",
    "for k, v in row.items():\n    last = v",
    "for row in list(rows):\n    <s>",
    "try:\n    last = r['<k>']\n    <s>\nexcept KeyError:\n    <s>",
    "match r:\n    case {'a': last}:\n        <s>",
)
EXPRESSIONS = (
    "r['a']",
    "r['b']",
    "r.get('c')",
    "r.get('z', <e>)",
    "row.get('<k>')",
    "kept.get('<k>', '')",
    "last",
    "(last or <e>)",
    "str(<e>)",
    "f'{last}-{row}'[:99]",
    "(<e> if last else <e>)",
    "'-'.join([str(<e>), 'x'])",
    "(str(<e>) + str(<e>))[:99]",
    "found.get(<e>, '')",
    "join(<e>, <e>)",
    "(lambda q: q)(<e>)",
    "[<e>, <e>][-1]",
    "(last := <e>)",
    "'constant'",
    "str(row)[:99]",
    "str([q.get('<k>') for q in rows])[:99]",
)
HEAD = """\
from patterns import Table
t = Table("t")
out = Table("out", "w")
class Box:
    def __init__(self, x): self.x = x
def make(r, x):
    made = {'x': x, 'd': r['d']}
    if x: return made
    made['x'] = r['c']
    return made
def change(row): row['changed'] = row.get('a')
def join(*parts): return '/'.join(str(part) for part in parts)
def produce(rows):
    for row in rows:
        yield {**row, 'n': len(row)}
last = ''
kept = {}
found = {}
rows = []
row = other = {}
"""


def script(chance):
    """Give a random script that reads "t" and writes "out"."""

    def expression(depth):
        return filled(chance.choice(EXPRESSIONS if depth < 3 else EXPRESSIONS[:3]), depth + 1)

    def statement(depth):
        return filled(chance.choice(STATEMENTS if depth < 2 else STATEMENTS[:31]), depth)

    def filled(template, depth):
        def part(match):
            indent, kind = match.group(1), match.group(2)
            if kind == "s":
                return indent + statement(depth + 1).replace("\n", f"\n{indent}")
            return indent + (chance.choice("abxyz") if kind == "k" else expression(depth))

        return PART.sub(part, template)

    body = "\n".join(statement(0) for _ in range(chance.randint(3, 9))).replace("\n", "\n    ")
    return f"{HEAD}for r in t.as_stream():\n    {body}\nout.append(rows)\nout.append({{'last': last}})\n"


def written(source):
    """Give the rows that the script writes, run for real."""
    rows = []

    def append(records):
        for record in [records] if isinstance(records, dict) else list(records):
            rows.append(dict(record))  # noqa: PERF401 - what came before stays when one is none

    tables = {
        "t": SimpleNamespace(as_stream=lambda: [dict(row) for row in ROWS]),
        "out": SimpleNamespace(append=append),
    }
    code = source.replace("from patterns import Table\n", "", 1)
    try:
        exec(compile(code, "script", "exec"), {"Table": lambda name, mode="r": tables[name]})
    except (KeyError, TypeError, AttributeError, RuntimeError, ValueError):
        return rows
    return rows


def untold(source):
    """Give what the script wrote and its analysis does not tell."""
    analysis, _ = analyse_python("script.py", source.encode(), Sources({}))
    flows = {}
    for flow in analysis.flows:
        flows.setdefault(flow.column, []).append(flow)
    for row in written(source):
        for column, value in row.items():
            told = [*flows.get(column, ()), *flows.get("*", ())]
            if not told:
                return f"column {column}"
            if any(flow.unknown for flow in told):
                continue
            sources = {source.column for flow in told for source in flow.sources}
            real = set(TAG.findall(str(value)))
            if "*" not in sources and not real <= sources:
                return f"column {column} is made from {sorted(real)}, told are {sorted(sources)}"
            types = {flow.type for flow in flows.get(column, ()) if flow.type}
            if "*" not in flows and value is not None and len(types) == 1 and len(flows[column]) == 1:
                kind = {str: "text", int: "bigint", bool: "bool", dict: "jsonb", list: "jsonb"}[type(value)]
                if kind not in types:
                    return f"column {column} is {kind}, told is {types}"
            if value is None and "*" not in flows and all(flow.nullable is False for flow in flows[column]):
                return f"column {column} is null"
    return None


@pytest.mark.parametrize("seed", range(300))
def test_what_a_script_writes_is_told_by_its_analysis(seed):
    source = script(random.Random(seed))

    assert untold(source) is None, source
