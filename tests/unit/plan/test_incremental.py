"""A compile that remembers gives what one that doesn't would."""

import json
import random

import pytest

from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app
from patterns_os.triggers.cron import parse_cron

PYTHON = [
    (
        'from patterns import Table\nfor r in Table("{a}").as_stream():\n'
        '    Table("{b}", "w").append({{"x": r["x"], "n": 1}})\n'
    ),
    (
        "from helpers.tools import out\nfrom patterns import Table\n"
        'for r in Table("{a}").as_stream():\n    out("{b}").append(r)\n'
    ),
    'from patterns import Table\nTable("{b}", "w").append({{"y": len("{a}")}})\n',
    "def broken(:\n",
]
SQL = [
    'select x, count(*) as n from {{{{ Table("{a}") }}}} group by x',
    'insert into {{{{ Table("{b}", mode="w") }}}} select * from {{{{ Table("{a}").new }}}}',
    "select nothing_known from {{{{ Table('{a}') }}}}",
    "selec",
]
HELPERS = [
    'from patterns import Table\n\ndef out(name):\n    return Table(name, "w")\n',
    'from patterns import Table\n\ndef out(name):\n    return Table("t0", "w")\n',
    "",
]
SCHEMAS = [None, {"x": "text"}, {"x": "integer", "n": "bigint NotNull"}]


class Kept(dict):
    def put(self, key, answer):
        self[key] = answer


def app(chosen):
    """Give the files of a small app, any part of which may be wrong."""
    tables = [f"t{number}" for number in range(5)]
    files, scripts = {"helpers/tools.py": chosen.choice(HELPERS)}, []
    for number in range(6):
        python = number % 2 == 0
        a, b = chosen.choice(tables), chosen.choice(tables)
        file = f"n{number}.{'py' if python else 'sql'}"
        files[file] = chosen.choice(PYTHON if python else SQL).format(a=a, b=b)
        scripts.append({"file": file} | ({} if python else {"outputs": [b]}))
    stores = [
        {"table": table} | ({"schema": schema} if (schema := chosen.choice(SCHEMAS)) else {})
        for table in tables
    ]
    files["manifest.json"] = json.dumps(
        {"name": "app", "scripts": scripts, "stores": stores}, indent=chosen.choice([1, 2])
    )
    return files


def compiled(files, memo=None):
    sources = Sources({path: text.encode() for path, text in files.items()})
    return compile_app(sources, parse_cron=parse_cron, memo=memo)


def everything(found):
    lineage = found.lineage
    return (
        found.graph,
        found.diagnostics,
        found.plan and found.plan.to_bytes(),
        {name: tuple(flows) for name, flows in lineage.flows.items()},
        {name: tuple(reads) for name, reads in lineage.reads.items()},
        dict(lineage.shapes),
        lineage.given,
    )


@pytest.mark.parametrize("seed", range(12))
def test_any_edits_give_what_a_fresh_compile_gives(seed):
    chosen = random.Random(seed)
    memo, files = Kept(), app(chosen)
    for _ in range(6):
        assert everything(compiled(files, memo)) == everything(compiled(files))
        other = app(chosen)
        for path in chosen.sample(sorted(files), 2):
            files[path] = other[path]


def test_nothing_is_looked_at_twice():
    memo = Kept()
    files = app(random.Random(1))
    compiled(files, memo)
    before = dict(memo)
    compiled(files, memo)
    assert memo == before


def test_somebody_may_look_ahead():
    memo, done = Kept(), []

    def ahead(work):
        done.extend(task() for task in work)

    files = app(random.Random(2))
    sources = Sources({path: text.encode() for path, text in files.items()})
    found = compile_app(sources, parse_cron=parse_cron, memo=memo, ahead=ahead)
    assert len(done) == 6
    assert everything(found) == everything(compiled(files))
