import itertools
import json
import random
import subprocess
import sys
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.errors import UsageError
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app
from patterns_os.plan.diff import diff_plans, likely_renames, summary
from patterns_os.plan.downstream import ColumnUse
from patterns_os.plan.facts import ConsumerFacts, DeployedFacts, NodeFacts, TableFacts
from patterns_os.plan.render import explain_diff, render_diff
from patterns_os.plan.spec import (
    Plan,
    PlannedChart,
    PlannedCron,
    PlannedInput,
    PlannedModel,
    PlannedNode,
    PlannedOutput,
    PlannedSource,
    PlannedTable,
    PlannedWebhook,
)

CLEAN = b"""
from patterns import Parameter, Table
from lib import cut
limit = Parameter("limit", type=int, default=3)
out = Table("cleaned", "w")
for row in Table("orders").as_stream():
    out.append({"a": cut(row["a"], limit)})
"""
FILES = {
    "clean.py": CLEAN,
    "lib.py": b"def cut(text, limit):\n    return text[:limit]\n",
    "report.py": b"from patterns import Table\nfor row in Table('cleaned').as_stream():\n    print(row)\n",
}
MANIFEST = {
    "name": "shop",
    "scripts": [{"file": "clean.py", "parameters": {"limit": 10}}, {"file": "report.py"}],
    "stores": [{"table": "orders"}, {"table": "cleaned"}],
    "webhooks": [{"title": "Orders", "path": "/orders", "table": "orders"}],
}


def compiled(files=None, **manifest):
    return compile_app(
        Sources({**FILES, **(files or {}), "manifest.json": json.dumps(MANIFEST | manifest).encode()})
    )


def contents(*apps):
    return {sha256(file).hexdigest(): file for app in apps for file in app.sources.values()}


def source(path, content):
    return PlannedSource(path=path, content=content)


def streaming(name, table, *outputs, **more):
    return PlannedNode(
        name=name,
        kind="python",
        file=f"{name}.py",
        content=more.pop("content", "1"),
        inputs=(PlannedInput(table=table, port=table, access="stream", triggering=True),),
        outputs=tuple(
            PlannedOutput(table=output, port=output, **more.pop("gives", {})) for output in outputs
        ),
        **more,
    )


def summing(**more):
    return PlannedNode(
        name="totals",
        kind="sql",
        file="totals.sql",
        content=more.pop("content", "1"),
        inputs=(PlannedInput(table="orders", port="orders", access="read", triggering=True),),
        outputs=(PlannedOutput(table="totals", port="totals", columns=more.pop("columns", None)),),
        sql_kind="select",
        **more,
    )


def schema(**fields):
    return {
        "columns": {name: kind.removesuffix("!") for name, kind in fields.items()},
        "row_schema": {
            "fields": [
                {"name": name, "type": kind.removesuffix("!")}
                | ({"nullable": False} if kind.endswith("!") else {})
                for name, kind in fields.items()
            ]
        },
    }


def shop(*nodes, tables=(), **more):
    used = {given.table for node in nodes for given in (*node.inputs, *node.outputs)} - {
        t.name for t in tables
    }
    both = (*tables, *(PlannedTable(name=name) for name in used))
    return Plan(
        app="shop",
        nodes=tuple(sorted(nodes, key=lambda node: node.name)),
        tables=tuple(sorted(both, key=lambda table: table.name)),
        **more,
    )


def texts(before, after, facts=None, **more):
    """Give the lines of a printed plan between its title and its sum."""
    lines = render_diff(diff_plans(before, after, facts, **more)).split("\n")
    return [line for line in lines[2:-1] if line]


def details(before, after, **more):
    """Give reason and text of every detail."""
    found = diff_plans(before, after, **more)
    return [(detail.why, detail.text) for change in found.changes for detail in change.details]


# -- whole plans

NEW = """\
shop: new, version {after}

Nodes
  + clean  python clean.py
      → new consumer of "orders": starts at the beginning, no row waits
  + report  python report.py
      → new consumer of "cleaned": starts at the beginning, no row waits

Tables
  + cleaned
  + orders

Webhooks
  + Orders  POST /orders → orders

Plan: 5 to add, 0 to change, 0 to remove; nothing is dropped."""

CHANGED = """\
shop: version {before} → {after}

Nodes
  + archive  python archive.py
      → new consumer of "orders": starts at the beginning, 1,204 rows wait
      → runs at once
  ~ clean  python clean.py
      imported module: lib.py
      parameter "limit": 10 → 20
      retries: 3 → 5
      → goes on where it was in "orders": 4 rows wait
      → runs at once

Tables
  + archived
  ~ orders
      + column "amount" bigint
      → gains column "amount" bigint

Webhooks
  - Orders  POST /orders → orders
      /orders answers 404 from now on; deliveries and rows stay  breaks senders outside
      nobody writes table "orders" any more  breaks "clean"

Downstream
  ≈ report  by clean → cleaned
      may read other values from now on

Plan: 2 to add, 2 to change, 1 to remove; 1 table gains columns; 1 change may break something; 2 nodes run at once; \
nothing is dropped."""

EXPLAINED = """\
archive
├─ added
├─ then: new consumer of "orders": starts at the beginning, 1,204 rows wait
└─ then: runs at once

clean
├─ imported module: lib.py
├─ parameter "limit": 10 → 20
├─ retries: 3 → 5
├─ then: goes on where it was in "orders": 4 rows wait
└─ then: runs at once

report
└─ upstream: clean → cleaned
   ├─ imported module: lib.py
   ├─ parameter "limit": 10 → 20
   ├─ retries: 3 → 5
   └─ may read other values from now on"""

REMOVED = """\
shop: version {before} → {after}

Nodes
  - clean  python clean.py
      nobody writes table "cleaned" any more  breaks "report"
      → retired: its place in its tables, its State (2 keys) and 1 held record are kept, and come back with its name

Tables
  - staging
      → dropped, with 4,012 rows

Downstream
  ≈ report  by cleaned
      breaks: something that it relies on goes

Plan: 0 to add, 0 to change, 2 to remove; 1 change may break something; 1 table is dropped with 4,012 rows."""

ARCHIVE = b"""
from patterns import Table
for row in Table("orders").as_stream():
    Table("archived", "w").append(row)
"""


def changed_shop():
    before = compiled()
    after = compiled(
        {"lib.py": b"def cut(text, limit):\n    return text[-limit:]\n", "archive.py": ARCHIVE},
        scripts=[
            {"file": "clean.py", "parameters": {"limit": 20}, "retries": 5},
            {"file": "report.py"},
            {"file": "archive.py"},
        ],
        stores=[
            {"table": "orders", "schema": {"amount": "int"}},
            {"table": "cleaned"},
            {"table": "archived"},
        ],
        webhooks=[],
    )
    facts = DeployedFacts(
        deployment=4,
        tables={
            "orders": TableFacts(rows=1204, watermark=1204),
            "cleaned": TableFacts(rows=1200, watermark=1200),
        },
        consumers={
            ("clean", "orders"): ConsumerFacts(waiting=4, is_new=True),
            ("report", "cleaned"): ConsumerFacts(),
        },
    )
    return (
        diff_plans(before.plan, after.plan, facts, contents=contents(before, after)),
        before.plan,
        after.plan,
    )


def test_without_a_deployment_everything_is_new():
    plan = compiled().plan

    assert render_diff(diff_plans(None, plan)) == NEW.format(after=plan.version_hash[:8])


def test_what_differs_is_told_with_its_reason_and_with_what_happens_then():
    diff, before, after = changed_shop()

    assert render_diff(diff) == CHANGED.format(before=before.version_hash[:8], after=after.version_hash[:8])
    assert explain_diff(diff, after) == EXPLAINED


def test_what_is_removed_is_kept_unless_it_is_dropped_by_name():
    before = shop(streaming("clean", "orders", "cleaned"), streaming("report", "cleaned"))
    after = shop(streaming("report", "cleaned"), tables=(PlannedTable(name="orders"),))
    facts = DeployedFacts(
        deployment=1,
        tables={"staging": TableFacts(rows=4012, watermark=4012)},
        nodes={"clean": NodeFacts(state_keys=2, held=1)},
    )
    diff = diff_plans(before, after, facts, drop=["staging"])

    assert render_diff(diff) == REMOVED.format(before=before.version_hash[:8], after=after.version_hash[:8])
    assert diff.expected.dropped == {"staging": 4012}


def test_the_same_plan_again_changes_nothing():
    plan = compiled().plan
    diff = diff_plans(plan, plan, DeployedFacts(deployment=1))

    assert diff.is_empty
    assert render_diff(diff) == f"No changes: version {plan.version_hash[:8]} of shop is active."
    assert summary(diff) == "Plan: 0 to add, 0 to change, 0 to remove; nothing is dropped."


# -- why a node has changed


def test_formatting_is_told_apart_from_code():
    before = compiled()
    after = compiled({"clean.py": b"# Cuts orders.\n" + CLEAN.replace(b'"a"', b"'a'")})
    found = contents(before, after)

    assert details(before.plan, after.plan, contents=found) == [("formatting", "formatting only: clean.py")]
    assert details(before.plan, after.plan) == [("code", "code: clean.py")]
    diff = diff_plans(before.plan, after.plan, contents=found)
    assert (diff.is_empty, diff.affected, diff.changes[0].is_formatting) == (False, (), True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"parameters": {"n": 1, "who": "me"}},
            [("parameter", 'parameter "n": none → 1'), ("parameter", 'parameter "who": none → me')],
        ),
        ({"runtime": {"name": "own", "image": "python:3.12"}}, [("runtime", "runtime: default → own")]),
        (
            {"cron": PlannedCron(expression="0 0 * * *")},
            [("trigger", "trigger: new rows in orders → cron 0 0 * * *")],
        ),
        ({"secrets": ("KEY",)}, [("secret", 'uses secret "KEY"')]),
        ({"models": ("llm",)}, [("model", 'uses model "llm"')]),
        ({"files": {"f": "notes.txt"}}, [("file", 'uses file "notes.txt"')]),
        ({"retries": 9}, [("retries", "retries: 3 → 9")]),
        ({"timeout_s": 10.0}, [("timeout", "timeout: 600 → 10")]),
        ({"on_error": "stop"}, [("on-error", "on_error: hold → stop")]),
        ({"file": "b.py"}, [("file", "file: a.py → b.py")]),
        (
            {"inputs": ()},
            [
                ("trigger", "trigger: new rows in orders → manual"),
                ("input", 'no longer reads table "orders"'),
            ],
        ),
        (
            {"outputs": (PlannedOutput(table="z", port="y"),)},
            [("output", 'no longer writes table "out"'), ("output", 'writes table "z" (as y)')],
        ),
        ({"content": "2"}, [("code", "code: a.py")]),
    ],
)
def test_each_reason_has_its_words(changes, expected):
    node = streaming("a", "orders", "out")
    tables = tuple(PlannedTable(name=name) for name in ("orders", "out", "z"))
    before = shop(node, tables=tables)
    after = shop(node.model_copy(update=changes), tables=tables)

    assert details(before, after) == expected


def test_a_runtime_is_told_by_what_has_changed_of_it():
    own = {"name": "own", "requirements": "requirements.txt", "content": "1"}
    runtimes = [own, own | {"content": "2"}, {"name": "own", "image": "python:3.12"}]
    plans = [shop(streaming("a", "orders", runtime=runtime)) for runtime in runtimes]

    assert details(plans[0], plans[1]) == [("runtime", 'runtime "own": requirements.txt has changed')]
    assert details(plans[1], plans[2]) == [("runtime", 'runtime "own": requirements.txt → python:3.12')]


def test_a_model_that_is_another_one_changes_the_nodes_that_ask_it():
    def plan(**model):
        return shop(streaming("a", "orders", models=("llm",)), models=(PlannedModel(name="llm", **model),))

    before = plan(provider="openai", endpoint="https://key@one", options={"k": "secret"})
    after = plan(provider="openai", endpoint="https://key@two", options={"k": "secrets"})

    assert details(before, after) == [
        ("model", 'model "llm" is another one'),
        ("endpoint", "another endpoint"),
        ("options", 'options: "k"'),
    ]
    assert "secret" not in json.dumps(diff_plans(before, after).to_data())
    assert "key@" not in json.dumps(diff_plans(before, after).to_data())


# -- whom it breaks


def test_a_column_that_goes_breaks_who_asks_for_it_and_may_break_who_hides_what_it_asks_for():
    nodes = (streaming("knows", "orders"), streaming("hides", "orders"), streaming("other", "orders"))
    before = shop(*nodes, tables=(PlannedTable(name="orders", **schema(a="text", b="text")),))
    after = shop(*nodes, tables=(PlannedTable(name="orders", **schema(a="text")),))
    uses = {
        ("knows", "orders"): ColumnUse(columns=frozenset({"b"})),
        ("other", "orders"): ColumnUse(columns=frozenset({"a"}), is_whole=True),
    }

    assert texts(before, after, uses=uses) == [
        "Tables",
        "  ~ orders",
        '      - column "b": no longer declared, it stays with its values  breaks "knows", may break "hides"',
        '      → gains column "a" text',
        "Downstream",
        "  ≈ hides  by orders",
        "      may break: nothing proves that it does not rely on what goes",
        "  ≈ knows  by orders",
        "      breaks: something that it relies on goes",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": "bigint"}, {"a": "numeric"}, ['~ column "a": bigint → numeric', ("reads", "writes")]),
        ({"a": "text"}, {"a": "text!"}, ['~ column "a": text → text not null', ("writes",)]),
        ({"a": "text!"}, {"a": "text"}, ['~ column "a": text not null → text', ("reads",)]),
        ({}, {"a": "text!"}, ['+ column "a" text not null', ("writes",)]),
        ({}, {"a": "text"}, ['+ column "a" text', ()]),
    ],
)
def test_promises_that_change_concern_readers_or_writers(before, after, expected):
    nodes = (streaming("reads", "orders"), streaming("writes", "others", "orders"))
    plans = [
        shop(*nodes, tables=(PlannedTable(name="orders", **schema(**fields)),)) for fields in (before, after)
    ]
    (detail,) = (one for change in diff_plans(*plans).changes for one in change.details)

    assert [detail.text, (*detail.breaks, *detail.may_break)] == expected


def test_a_select_that_only_adds_a_column_reaches_nobody():
    statements = [
        'select region, sum(a) as s from "orders" group by 1',
        'select region, sum(a) as s, max(a) as m from "orders" group by 1',
    ]
    plans = [
        shop(
            summing(content=str(i), sql=(text,), sources=(source("totals.sql", str(i)),)),
            streaming("report", "totals"),
        )
        for i, text in enumerate(statements)
    ]
    diff = diff_plans(*plans)

    assert details(*plans) == [("adds-columns", 'code: totals.sql, which only adds "m"')]
    assert diff.affected == ()


def test_columns_that_a_select_no_longer_gives_break_who_asks_for_them():
    before = shop(summing(columns={"region": "text", "s": "bigint"}), streaming("report", "totals"))
    after = shop(
        summing(columns={"region": "text", "total": "bigint"}, content="2"), streaming("report", "totals")
    )
    uses = {("report", "totals"): ColumnUse(columns=frozenset({"s"}))}

    assert texts(before, after, uses=uses) == [
        "Nodes",
        "  ~ totals  sql totals.sql",
        "      code: totals.sql",
        '      no longer gives column "s" of "totals"  breaks "report"',
        '      gives column "total" of "totals"',
        '      → "totals" stays as it is until an input has new rows (to renew it now: patterns trigger totals)',
        "Downstream",
        "  ≈ report  by totals",
        "      breaks: something that it relies on goes",
    ]


def test_a_webhook_under_another_path_breaks_its_senders():
    hook = PlannedWebhook(name="h", title="H", path="/a", table="orders")
    before = shop(streaming("a", "orders"), webhooks=(hook,))
    after = shop(
        streaming("a", "orders"),
        webhooks=(hook.model_copy(update={"path": "/b", "verify": {"secret": "S"}}),),
    )

    assert texts(before, after) == [
        "Webhooks",
        "  ~ h  POST /b → orders",
        "      path: /a → /b  breaks senders outside",
        "      how senders are verified  breaks senders outside",
    ]


def test_a_webhook_with_another_title_keeps_its_path_and_its_senders():
    hook = PlannedWebhook(name="Old", title="Old", path="/a", table="orders")
    node = streaming("a", "orders")
    renamed = hook.model_copy(update={"name": "New", "title": "New"})
    strict = renamed.model_copy(update={"verify": {"secret": "S"}})
    before, after, stricter = (shop(node, webhooks=(one,)) for one in (hook, renamed, strict))

    assert texts(before, after) == [
        "Webhooks",
        "  + New  POST /a → orders",
        "  - Old  POST /a → orders",
        '      /a is taken over by webhook "New"',
    ]
    assert "      how senders are verified  breaks senders outside" in texts(before, stricter)


@pytest.mark.parametrize("table", [None, "elsewhere"])
def test_a_table_that_loses_its_last_webhook_gets_no_rows_any_more(table):
    def webhooks(*nodes, hooks):
        return shop(
            streaming("a", "orders"), *nodes, webhooks=hooks, tables=(PlannedTable(name="elsewhere"),)
        )

    hook = PlannedWebhook(name="h", title="H", path="/a", table="orders")
    left = () if table is None else (hook.model_copy(update={"table": table}),)
    writer = streaming("w", "others", "orders")

    alone = texts(webhooks(hooks=(hook,)), webhooks(hooks=left))
    assert '      nobody writes table "orders" any more  breaks "a"' in alone
    assert not any(
        "nobody" in line for line in texts(webhooks(writer, hooks=(hook,)), webhooks(writer, hooks=left))
    )


def test_a_table_that_keeps_a_writer_breaks_nobody_when_it_loses_another():
    reader, stays = streaming("reads", "out"), streaming("stays", "b", "out")
    before = shop(reader, stays, streaming("goes", "a", "out"))
    after = shop(reader, stays, streaming("goes", "a"))
    (change,) = diff_plans(before, after).changes

    assert [(detail.text, detail.is_breaking) for detail in change.details] == [
        ('no longer writes table "out"', False)
    ]


def test_the_order_of_keys_is_no_difference():
    table = PlannedTable(name="t", columns={"b": "text", "a": "text"}, retention={"rows": 1, "age": 60.0})
    again = PlannedTable(name="t", columns={"a": "text", "b": "text"}, retention={"age": 60.0, "rows": 1})

    assert diff_plans(shop(tables=(table,)), shop(tables=(again,))).changes == ()


def test_retention_is_told_in_words():
    kept = [{}, {"age": 2_592_000.0}, {"age": 90.0, "rows": 5}, {"age": 7200}]
    plans = [shop(tables=(PlannedTable(name="t", retention=one),)) for one in kept]

    assert [detail for pair in itertools.pairwise(plans) for detail in details(*pair)] == [
        ("retention", "retention: for ever → 30 d"),
        ("retention", "retention: 30 d → 5 rows and 90 s"),
        ("retention", "retention: 5 rows and 90 s → 2 h"),
    ]


def test_a_chart_that_is_drawn_otherwise_is_told():
    bars, spaced, lines = b'{"mark": "bar"}', b'{ "mark": "bar" }', b'{"mark": "line"}'
    found = {sha256(content).hexdigest(): content for content in (bars, spaced, lines)}
    plans = [
        shop(
            charts=(PlannedChart(name="c", file="c.json", table="t", content=name),),
            tables=(PlannedTable(name="t"),),
        )
        for name in found
    ]

    assert texts(shop(tables=(PlannedTable(name="t"),)), plans[0]) == ["Charts", "  + c  c.json of t"]
    assert details(plans[0], plans[1], contents=found) == [("formatting", "formatting only: c.json")]
    assert details(plans[0], plans[2], contents=found) == [("code", "code: c.json")]


def test_a_column_that_goes_breaks_the_chart_that_draws_it():
    chart = PlannedChart(name="c", file="c.json", table="orders")
    before, after = (
        shop(tables=(PlannedTable(name="orders", **schema(**dict.fromkeys(names, "text"))),), charts=(chart,))
        for names in ("ab", "a")
    )

    def detail(columns):
        use = ColumnUse(columns=frozenset(columns), is_whole=True)
        (change,) = diff_plans(before, after, uses={("c", "orders"): use}).changes
        return change.details[0]

    assert (detail("b").breaks, detail("b").may_break) == (("c",), ())
    assert (detail("a").breaks, detail("a").may_break) == ((), ())


def test_a_change_is_felt_all_the_way_down():
    nodes = (streaming("b", "t1", "t2"), streaming("c", "t2", "t3"), streaming("d", "t3"))
    before = shop(streaming("a", "t0", "t1"), *nodes)
    after = shop(streaming("a", "t0", "t1", content="2"), *nodes)

    assert [(found.node, found.through, found.category) for found in diff_plans(before, after).affected] == [
        ("b", ("a", "t1", "b"), "values"),
        ("c", ("a", "t1", "b", "t2", "c"), "values"),
        ("d", ("a", "t1", "b", "t2", "c", "t3", "d"), "values"),
    ]


# -- what happens then


def test_a_new_consumer_that_starts_now_skips_what_is_there():
    facts = DeployedFacts(deployment=1, tables={"orders": TableFacts(rows=7, watermark=7)})
    before = shop(tables=(PlannedTable(name="orders"),))
    diff = diff_plans(before, shop(streaming("a", "orders", start="now")), facts)

    assert [effect.text for change in diff.changes for effect in change.effects] == [
        'new consumer of "orders": starts now, behind the 7 rows that are there'
    ]
    assert diff.running == ()


def test_a_node_that_comes_back_goes_on_where_it_was():
    facts = DeployedFacts(
        deployment=2,
        nodes={"a": NodeFacts(retired=True)},
        tables={"orders": TableFacts(rows=7, watermark=7)},
        consumers={("a", "orders"): ConsumerFacts(active=False, waiting=2, is_new=True)},
    )
    before = shop(tables=(PlannedTable(name="orders"),))
    diff = diff_plans(before, shop(streaming("a", "orders")), facts)

    assert [effect.text for change in diff.changes for effect in change.effects] == [
        'goes on where it was in "orders": 2 rows wait',
        "runs at once",
    ]


def test_a_real_column_of_another_type_stays():
    facts = DeployedFacts(deployment=1, tables={"t": TableFacts(columns={"a": "bigint"})})
    before = shop(tables=(PlannedTable(name="t", **schema(a="bigint")),))
    after = shop(tables=(PlannedTable(name="t", **schema(a="numeric")),))
    diff = diff_plans(before, after, facts)

    assert [effect.text for change in diff.changes for effect in change.effects] == [
        'the real column "a" stays bigint: what is numeric and does not fit is kept beside it'
    ]
    assert diff.expected.columns == {"t": {"a": "bigint"}}


def test_a_failing_node_tries_again_with_any_new_version():
    facts = DeployedFacts(deployment=1, nodes={"a": NodeFacts(failing=True)})
    before = shop(streaming("a", "orders"))
    after = shop(streaming("a", "orders"), streaming("b", "others"))

    assert diff_plans(before, after, facts).running == ("a",)


def test_what_looks_renamed_stops_the_plan():
    before, after = (
        shop(streaming("old", "orders", "out")),
        shop(streaming("new", "orders", "out", content="2")),
    )
    diff = diff_plans(before, after)

    assert diff.renames == likely_renames(before, after) == {"old": "new"}
    assert render_diff(diff).split("\n\n")[-2] == (
        '"old" is gone and "new" is new with the same work. Say which it is before you deploy:\n'
        "  patterns rename old new    it keeps its place\n"
        '  patterns rename --forget old    "new" is new, and starts at the beginning'
    )
    assert diff_plans(before, after, renamed={"old": "new"}).renames == {}
    assert diff_plans(before, after, forgotten=["old"]).renames == {}


def test_a_node_that_comes_back_is_not_said_to_start_at_the_beginning():
    before, after = shop(streaming("now", "orders", "out")), shop(streaming("then", "orders", "out"))
    facts = DeployedFacts(
        deployment=2,
        nodes={"now": NodeFacts(), "then": NodeFacts(retired=True)},
        consumers={
            ("now", "orders"): ConsumerFacts(),
            ("then", "orders"): ConsumerFacts(active=False, waiting=3, is_new=True),
        },
    )
    diff = diff_plans(before, after, facts)

    assert (diff.renames, diff.returning) == ({"now": "then"}, ("then",))
    assert render_diff(diff).split("\n\n")[-2] == (
        '"now" is gone and "then" is back with the same work. Say which it is before you deploy:\n'
        '  patterns rename --forget now    "then" goes on where it was when it was last deployed'
    )
    assert '      → goes on where it was in "orders": 3 rows wait' in texts(before, after, facts=facts)


def test_a_renamed_node_keeps_its_place_and_that_is_said():
    before, after = shop(streaming("old", "orders", "out")), shop(streaming("new", "orders", "out"))
    facts = DeployedFacts(
        deployment=1,
        tables={"orders": TableFacts(rows=5, watermark=5)},
        nodes={"old": NodeFacts()},
        consumers={("old", "orders"): ConsumerFacts()},
    )
    (change,) = diff_plans(before, after, facts, renamed={"old": "new"}).changes

    assert [detail.text for detail in change.details] == ["name: old → new", "file: old.py → new.py"]
    assert [effect.text for effect in change.effects] == ['goes on where it was in "orders": no row waits']


def test_a_table_of_the_app_is_not_dropped():
    plan = shop(streaming("a", "orders"))
    with pytest.raises(UsageError) as caught:
        diff_plans(plan, plan, DeployedFacts(tables={"orders": TableFacts()}), drop=["orders"])
    assert caught.value.code == "table-in-use"
    with pytest.raises(UsageError) as caught:
        diff_plans(plan, plan, DeployedFacts(tables={"staging": TableFacts()}), drop=["stagin"])
    assert str(caught.value) == (
        'error[unknown-table] No table "stagin" is left to drop; tables that the app does not use any more: '
        '"staging"\n  hint: did you mean "staging"?'
    )


# -- always


FIELDS = {
    "retries": st.integers(0, 9),
    "timeout_s": st.sampled_from([1.0, 2.0]),
    "parameters": st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 1.0, True, "x", None])),
    "secrets": st.sampled_from([(), ("A",), ("A", "B")]),
    "start": st.sampled_from(["beginning", "now"]),
    "runtime": st.sampled_from(
        [
            None,
            {"name": "r", "image": "i"},
            {"name": "r", "image": "j"},
            {"name": "r", "x": 1},
            {"name": "r", "x": True},
        ]
    ),
    "max_hops": st.sampled_from([None, 3]),
    "manual": st.booleans(),
    "isolation": st.sampled_from(["warm", "run"]),
    "content": st.sampled_from("12"),
    "sql": st.sampled_from([(), ("select 1",)]),
}
NODES = st.fixed_dictionaries(FIELDS).map(lambda values: streaming("a", "orders", **values))
TABLES = st.builds(
    PlannedTable,
    name=st.just("orders"),
    unique_on=st.sampled_from([(), ("a",)]),
    row_schema=st.sampled_from([None, schema(a="text")["row_schema"], schema(a="text!")["row_schema"]]),
    retention=st.sampled_from([{}, {"rows": 1}, {"rows": 1.0}, {"rows": True}]),
)
PLANS = st.builds(
    lambda nodes, tables, files: shop(*nodes, tables=tables, files=files),
    st.lists(NODES, max_size=1),
    st.lists(TABLES, min_size=1, max_size=1).map(tuple),
    st.sampled_from([(), ("f",)]),
)


@given(PLANS, PLANS)
def test_plans_of_different_bytes_never_look_alike(before, after):
    diff = diff_plans(before, after)

    assert diff.is_empty == (before.to_bytes() == after.to_bytes())
    assert bool(diff.changes) != diff.is_empty
    assert json.loads(json.dumps(diff.to_data())) == diff.to_data()
    assert render_diff(diff)
    assert explain_diff(diff, after) is not None


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_declared_plays_no_part(shuffling: random.Random):
    def shuffled(value):
        if isinstance(value, dict):
            items = list(value.items())
            shuffling.shuffle(items)
            return {key: shuffled(item) for key, item in items}
        if isinstance(value, list):
            items = [shuffled(item) for item in value]
            shuffling.shuffle(items)
            return items
        return value

    one, other = (
        compiled().plan,
        compile_app(
            Sources(shuffled(FILES) | {"manifest.json": json.dumps(shuffled(MANIFEST)).encode()})
        ).plan,
    )

    assert other.to_bytes() == one.to_bytes()
    assert json.dumps(diff_plans(None, other).to_data()) == json.dumps(diff_plans(None, one).to_data())


def test_plans_and_differences_are_the_same_bytes_in_every_process():
    script = (
        "import importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('cases', {__file__!r})\n"
        "cases = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(cases)\n"
        "diff, before, after = cases.changed_shop()\n"
        "print(json.dumps(diff.to_data()), cases.render_diff(diff), after.version_hash)\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PATH": "", "HOME": "/nowhere"},
            capture_output=True,
            check=True,
            cwd=folder,
        ).stdout
        for seed, folder in (("1", "/"), ("2", "/tmp"))
    }

    assert len(printed) == 1
