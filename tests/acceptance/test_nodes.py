"""Script shapes and failures, run as users run them."""

import json

import pytest

pytestmark = pytest.mark.postgres

NUMBERS = [{"i": i} for i in range(10)]
COPY = """
from patterns import Table
out = Table("{out}", "w")
for row in Table("{source}").as_stream():
    out.append({{"i": row["i"]}})
"""


@pytest.fixture(scope="module")
def shapes(make_app):
    """Give one app with a node of each shape, after ten numbers have gone through all of them."""
    app = make_app()
    app.write(
        listed="""
from patterns import Table
rows = list(Table("events").as_stream())
Table("listed", "w").append([{"i": row["i"]} for row in rows])
""",
        batched="""
from patterns import Table
out = Table("batched", "w")
for batch in Table("events").as_stream().batches(4):
    out.append({"size": len(batch), "total": sum(row["i"] for row in batch)})
""",
        broken_off="""
from patterns import Table
out = Table("broken_off", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"]})
    if row["i"] % 4 == 3:
        break
""",
        sorted_off="""
from patterns import Table
out = Table("sorted_off", "w")
for n, row in enumerate(Table("events").as_stream(order_by="key")):
    out.append({"i": row["i"]})
    if n == 2:
        break
""",
        checkpointed="""
from patterns import Table
out = Table("checkpointed", "w")
stream = Table("events").as_stream()
for row in stream:
    out.append({"i": row["i"]})
    stream.checkpoint()
""",
        rolled_back="""
from patterns import State, Table
out, state = Table("rolled_back", "w"), State()
stream = Table("events").as_stream()
again = 0
for row in stream:
    out.append({"i": row["i"], "again": again})
    state.set_value("rows", state.get_value("rows", 0) + 1)
    if row["i"] == 4 and not again:
        again = 1
        stream.rollback()
""",
        one_by_one="""
from patterns import Table
out = Table("one_by_one", "w")
with Table("events").as_stream().consume_with_rollback() as rows:
    for row in rows:
        out.append({"i": row["i"]})
""",
        rewound="""
from patterns import State, Table
out, state = Table("rewound", "w"), State()
stream = Table("events").as_stream()
for row in stream:
    out.append({"i": row["i"]})
if not state.get_value("rewound"):
    state.set_value("rewound", True)
    stream.rewind()
    for row in stream:
        out.append({"i": row["i"]})
""",
        sought="""
from patterns import Table
out = Table("sought", "w")
stream = Table("events").as_stream(order_by="i")
stream.seek(6)
for row in stream:
    out.append({"i": row["i"]})
""",
        printing="""
import logging, sys
from patterns import Table
for row in Table("events").as_stream():
    if row["i"] == 0:
        print("to the output", "größe 日本 \\U0001f600", sep="\\t")
        print("to the errors", file=sys.stderr)
        print("no end", end="")
        logging.getLogger().warning("logged")
        print("a\\nb")
        print("nul \\0 and surrogate \\ud800")
        print("x" * 20_000)
""",
        exiting="""
import sys
from patterns import Table
out = Table("exiting", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"]})
sys.exit(0)
""",
        remembering="""
from datetime import datetime, timezone
from patterns import State, Table
state = State()
out = Table("remembering", "w")
for row in Table("events").as_stream():
    state.set_value("n", state.get_value("n", 0) + row["i"])
    state.set_value("last", datetime(2024, 1, 2, tzinfo=timezone.utc))
last = str(state.get_datetime("last"))
out.append({"n": state.get_value("n"), "last": last, "missing": state.get_value("x", "none")})
""",
        parametrized="""
from patterns import Parameter, Table
out = Table("parametrized", "w")
size, name, extra = Parameter("size", type=int), Parameter("name"), Parameter("extra", default="default")
for row in Table("events").as_stream():
    pass
out.append({"size": size, "name": name, "extra": extra})
""",
        filing="""
from patterns import File, Table
note = File("notes/today.txt", "a")
for row in Table("events").as_stream():
    note.write(f"{row['i']}\\n")
Table("filing", "w").append({"text": File("notes/today.txt").read()})
""",
        reading="""
from patterns import Table
events = Table("events")
for row in events.as_stream():
    pass
found = events.read_sql(f"select count(*) as n, sum(i) as total from {events} where i > %(least)s", least=3)
Table("reading", "w").append({
    "all": len(events.read()), "count": events.record_count, "chunks": [len(part) for part in events.read(chunksize=4)],
    "columns": sorted(events.schema), "over": found[0]["n"], "total": int(found[0]["total"]), "exists": events.exists,
})
""",
        upserting="""
from patterns import Table
out = Table("upserting", "w")
out.init(schema={"k": "text", "n": "bigint"}, unique_on="k")
for row in Table("events").as_stream():
    out.upsert({"k": str(row["i"] % 3), "n": row["i"]})
""",
        replacing="""
from patterns import Table
out = Table("replacing", "w")
for row in Table("events").as_stream():
    pass
out.replace([{"n": n} for n in range(3)])
""",
        resetting="""
from patterns import Table
out = Table("resetting", "w")
for row in Table("events").as_stream():
    out.append({"before": row["i"]})
out.reset()
out.append({"after": 1})
""",
        importing="""
from patterns import Table
import helper
out = Table("importing", "w")
for row in Table("events").as_stream():
    pass
out.append({"answer": helper.answer(), "main": __name__})
""",
        helper="def answer():\n    return 42\n",
        manual="""
from patterns import Table
print("asked")
Table("manual", "w").append({"ran": 1})
""",
        selected__sql="select i % 2 as odd, count(*) as n, sum(i) as total from events group by 1 order by 1",
        inserted__sql='insert into {{ Table("inserted", mode="w") }} select count(*) as n from {{ Table("events") }}',
    )
    nodes = [
        "listed", "batched", "broken_off", "sorted_off", "checkpointed", "rolled_back", "one_by_one", "rewound",
        "sought",
        "printing", "exiting", "remembering", "filing", "reading", "upserting", "replacing", "resetting",
        "importing", "manual",
    ]  # fmt: skip
    app.manifest(
        [
            *(f"{name}.py" for name in nodes),
            {"file": "parametrized.py", "parameters": {"size": 3, "name": "Ann"}},
            {"file": "selected.sql", "outputs": ["selected"]},
            "inserted.sql",
        ]
    )
    app.send([{"i": i, "key": (7 * i) % 10} for i in range(10)])
    return app


@pytest.mark.parametrize(
    "table", ["listed", "broken_off", "checkpointed", "one_by_one", "exiting", "sorted_off", "rolled_back"]
)
def test_every_shape_gives_each_row_once(shapes, table):
    assert sorted(shapes.column(table, "i")) == list(range(10))


def test_batches_are_lists_of_at_most_their_size(shapes):
    assert shapes.column("batched", "size") == [4, 4, 2]
    assert sum(shapes.column("batched", "total")) == 45


def test_a_sorted_loop_that_breaks_gives_the_rest_sorted_in_the_next_runs(shapes):
    keys = [(7 * i) % 10 for i in shapes.column("sorted_off", "i")]
    assert keys == list(range(10))


def test_rollback_drops_what_was_written_and_set_since_the_last_checkpoint(shapes):
    assert shapes.column("rolled_back", "again") == [1] * 10
    assert shapes.sql("select value from patterns_os.states where key = 'rows'") == [(10,)]


def test_rewind_goes_back_to_the_beginning(shapes):
    assert sorted(shapes.column("rewound", "i")) == sorted([*range(10), *range(10)])


def test_seek_skips_up_to_a_value_of_the_order_column(shapes):
    assert shapes.column("sought", "i") == [7, 8, 9]


def test_what_a_script_prints_is_in_its_logs(shapes):
    lines = shapes.logs("printing")
    assert lines[:2] == ["to the output\tgröße 日本 \U0001f600", "to the errors"]
    assert {"no enda", "b", "nul \\x00 and surrogate \\ud800"} <= set(lines)
    assert any("logged" in line for line in lines)
    assert max(map(len, lines)) == 16_384


def test_state_parameters_and_files_are_there(shapes):
    assert shapes.rows("remembering") == [{"n": 45, "last": "2024-01-02 00:00:00+00:00", "missing": "none"}]
    assert shapes.rows("parametrized") == [{"size": 3, "name": "Ann", "extra": "default"}]
    assert shapes.rows("filing") == [{"text": "".join(f"{i}\n" for i in range(10))}]


def test_reads_see_the_whole_table(shapes):
    assert shapes.rows("reading") == [
        {"all": 10, "count": 10, "chunks": [4, 4, 2], "columns": ["i", "key"], "over": 6, "total": 39, "exists": True}
    ]  # fmt: skip


def test_upsert_replace_and_reset_do_what_they_say(shapes):
    assert sorted((row["k"], row["n"]) for row in shapes.rows("upserting")) == [("0", 9), ("1", 7), ("2", 8)]
    assert shapes.rows("replacing") == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert shapes.rows("resetting") == [{"after": 1}]
    assert shapes.rows("importing") == [{"answer": 42, "main": "__main__"}]


def test_a_bare_select_replaces_its_table_and_an_insert_appends(shapes):
    assert [tuple(row.values()) for row in shapes.rows("selected")] == [(0, 5, 20), (1, 5, 25)]
    assert shapes.rows("inserted") == [{"n": 10}]


def test_a_node_with_neither_inputs_nor_a_cron_runs_only_when_asked(shapes):
    assert shapes.patterns("table", "data", "manual").out == 'Table "manual" has no rows.\n'
    assert shapes.patterns("trigger", "manual").code == 0
    assert shapes.rows("manual") == [{"ran": 1}]
    assert shapes.logs("manual") == ["asked"]


def test_an_unchanged_select_makes_no_version_and_a_changed_one_replaces(make_app):
    app = make_app()
    app.write(
        sums__sql="select sum(i) as total from events",
        seen=COPY.format(source="sums", out="seen").replace('"i": row["i"]', '"total": int(row["total"])'),
    )
    app.manifest([{"file": "sums.sql", "outputs": ["sums"]}, "seen.py"])
    for event in ({"i": 1}, {"i": 0}, {"i": 4}):
        app.send(event)
    assert [int(row["total"]) for row in app.rows("sums")] == [5]
    assert app.column("seen", "total") == [1, 5]


def test_arrays_of_a_statement_are_lists(shared_app):
    app = shared_app
    app.write(
        lists__sql="select array_agg(i order by i) as numbers, array_agg(i::text order by i) as words, "
        "array[[1, 2], [3, 4]] as deep, null::int[] as missing from generate_series(1, 3) i"
    )
    app.manifest([{"file": "lists.sql", "outputs": ["lists"], "trigger": "manual"}])
    app.patterns("trigger", "lists")
    assert app.rows("lists") == [
        {"numbers": [1, 2, 3], "words": ["1", "2", "3"], "deep": [[1, 2], [3, 4]], "missing": None}
    ]


def test_a_statement_that_fails_is_told_in_words(shared_app):
    app = shared_app
    app.write(wrong__sql="select i / 0 as x from events", unknown__sql="select nothing_like_it from events")
    app.manifest(
        [{"file": "wrong.sql", "outputs": ["wrong"]}, {"file": "unknown.sql", "outputs": ["unknown"]}]
    )
    result = app.send({"i": 1}, code=1)
    assert "error[sql-failed] wrong: the statement failed: division by zero" in result.err
    assert (
        'error[sql-failed] unknown: the statement failed: column "nothing_like_it" does not exist'
        in result.err
    )
    assert "Traceback" not in result.out + result.err
    assert any("division by zero" in line for line in app.logs("wrong"))


def test_a_bad_record_is_held_after_its_retries_and_the_others_go_on(shared_app):
    app = shared_app
    app.write(
        picky="""
from patterns import Table
out = Table("good", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"], "part": 10 / (row["i"] - 4)})
"""
    )
    app.manifest(["picky.py"])
    first = app.send(NUMBERS, code=1)
    assert "picky.py:5 ZeroDivisionError: division by zero" in first.err
    app.run_to_the_end()
    assert app.column("good", "i") == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    ((content, attempts, error),) = app.sql("select content, attempts, error from patterns_os.held")
    assert (content["i"], attempts, error["code"]) == (4, 4, "script-failed")
    assert error["where"] == "picky.py:5"
    logs = app.logs("picky")
    assert "ZeroDivisionError: division by zero" in logs
    assert '  File "' + str(app.folder / "picky.py") + '", line 5, in <module>' in logs


def test_three_bad_records_in_a_row_stop_the_lane_and_nothing_more_is_set_aside(shared_app):
    app = shared_app
    app.write(
        broken='from patterns import Table\nfor row in Table("events").as_stream():\n    raise ValueError(row["i"])\n'
    )
    app.manifest([{"file": "broken.py", "retries": 0}])
    app.send(NUMBERS, code=1)
    for _ in range(3):
        app.hurry()
        app.patterns("run", "--patience=0", code=1)
    assert app.sql("select count(*) from patterns_os.held") == [(3,)]
    assert app.sql("select state from patterns_os.lanes where error is not null") == [("failing",)]
    app.write(broken=COPY.format(source="events", out="mended"))
    app.patterns("run")
    assert app.column("mended", "i") == [3, 4, 5, 6, 7, 8, 9]


def test_a_timeout_kills_the_script_and_nothing_else(shared_app):
    app = shared_app
    app.write(
        slow="""
import time
from patterns import Table
out = Table("slow", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"]})
    if row["i"] == 3:
        time.sleep(60)
""",
        copied=COPY.format(source="events", out="copied"),
        endless__sql="select count(*) as n from events, generate_series(1, 100000000000) g",
    )
    app.manifest(
        [
            {"file": "slow.py", "timeout": 1, "retries": 0},
            "copied.py",
            {"file": "endless.sql", "timeout": 1, "outputs": ["endless"]},
        ]
    )
    result = app.send(NUMBERS, code=1)
    assert (
        'error[timeout] slow: node "slow" did not reach a record boundary for 1 s and was killed'
        in result.err
    )
    assert "error[timeout] endless: the statement took longer than the node's timeout" in result.err
    app.patterns("run", code=None)
    assert app.column("copied", "i") == list(range(10))
    assert app.column("slow", "i") == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_scripts_that_end_their_process_fail_and_harm_nobody(shared_app):
    app = shared_app
    loop = 'from patterns import Table\nfor row in Table("events").as_stream():\n    pass\n'
    app.write(
        exits=loop + "import sys\nsys.exit(3)\n",
        exits_hard=loop + "import os\nos._exit(7)\n",
        recursive=loop + "def f():\n    f()\nf()\n",
        interrupts=loop + "raise KeyboardInterrupt\n",
        leaves_threads=loop
        + "import threading, time\nfor _ in range(3):\n    threading.Thread(target=time.sleep, args=(30,)).start()\n"
        "Table('left', 'w').append({'i': 1})\n",
        starts_threads="""
from concurrent.futures import ThreadPoolExecutor
from patterns import Table
out = Table("threaded", "w")
with ThreadPoolExecutor(4) as pool:
    for result in pool.map(lambda row: {"i": row["i"]}, list(Table("events").as_stream())):
        out.append(result)
""",
        babbles=loop + "for n in range(20_000):\n    print('line', n)\n",
        changes="""
import builtins, os, signal, sys
from patterns import Table
for row in Table("events").as_stream():
    pass
found = {"folder": os.path.basename(os.getcwd()), "x": os.environ.get("X", ""), "own": "HOOK" in globals()}
Table("changed", "w").append(found)
os.chdir("/"); os.environ["X"] = "left"; HOOK = 1; sys.stdout = None; sys.argv[:] = []
signal.signal(signal.SIGTERM, signal.SIG_IGN)
""",
        copied=COPY.format(source="events", out="copied"),
    )
    names = [
        "exits",
        "exits_hard",
        "recursive",
        "interrupts",
        "leaves_threads",
        "starts_threads",
        "babbles",
        "changes",
        "copied",
    ]
    app.manifest([{"file": f"{name}.py", "retries": 1} for name in names])
    result = app.send(NUMBERS, code=1)
    for message in (
        "exits: exits.py:5 the script called sys.exit(3)",
        "exits_hard: the script ended its process with exit code 7",
        "recursive: recursive.py:5 RecursionError: maximum recursion depth exceeded",
        "interrupts: interrupts.py:4 KeyboardInterrupt",
    ):
        assert message in result.err
    assert "Traceback" not in result.err
    assert app.column("copied", "i") == list(range(10))
    assert sorted(app.column("threaded", "i")) == list(range(10))
    assert app.column("left", "i") == [1]
    assert app.sql("select count(*) from patterns_os.logs where line like 'line %'")[0][0] == 20_000
    app.send([{"i": 10}], code=None)
    assert app.column("copied", "i") == list(range(11))
    assert app.column("changed", "x") == ["", ""]
    assert app.column("changed", "own") == [False, False]
    assert app.column("changed", "folder") == [app.folder.name] * 2


def test_every_value_comes_back_equal_through_two_nodes(shared_app):
    app = shared_app
    values = """
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
ROWS = [
    {"v": None}, {"v": True}, {"v": 1}, {"v": 1.5}, {"v": float("nan")}, {"v": float("-inf")},
    {"v": 2**63 - 1}, {"v": 2**200},
    {"v": "text"}, {"v": ""}, {"v": "nul \\0"}, {"v": "\\ud800 lone"}, {"v": b"\\x00\\xff"}, {"v": Decimal("1.10")},
    {"v": date(2024, 2, 29)}, {"v": datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))},
    {"v": {"a": [1, {"b": None, "nan": float("nan"), "big": 2**70, "nul": "\\0"}], "d": Decimal("0.1")}},
    {"v": [b"x", date(1, 1, 1)]}, {"v": []}, {"v": {}},
    {"n": 1}, {"n": 2.5}, {"n": 2**80}, {"s": "text"}, {"s": 5},
    {"with space": 1, 'quote"d': 2, "größe": 3, "Upper": 4, "select": 5},
    {"t": datetime(1, 1, 1, tzinfo=timezone.utc)},
    {"t": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)},
    {"position": 1, "id": 2, "record": 3, "payload": 4},
]
"""
    app.write(
        values=values,
        makes="""
from patterns import Table
from values import ROWS
out = Table("made", "w")
for row in Table("events").as_stream():
    for one in ROWS:
        out.append(one)
""",
        passes="""
from patterns import Table
out = Table("passed", "w")
for row in Table("made").as_stream():
    out.append(row)
""",
        checks="""
from patterns import Table
from values import ROWS
def told(value):
    if isinstance(value, dict):
        return {k: told(value[k]) for k in sorted(value)}
    if isinstance(value, list):
        return [told(v) for v in value]
    if type(value) is int and value < 2**53:
        return float(value)  # a column of numbers gives 1 back as 1.0
    return value if value == value else repr(value)
got = [{k: v for k, v in row.items() if k != "patterns_id"} for row in Table("passed").as_stream()]
print(len(got) - len(ROWS))
for wanted, row in zip(ROWS, got):
    found = {k: v for k, v in row.items() if v is not None or k in wanted}
    if told(found) != told(wanted):
        print("wanted", told(wanted), "found", told(found))
""",
    )
    app.manifest(["makes.py", "passes.py", {"file": "checks.py", "inputs": ["passed"]}])
    app.send({"i": 1})
    assert app.logs("checks") == ["0"]
    assert len(app.rows("passed")) == len(app.rows("made")) == 29


def test_new_keys_add_columns_and_widening_loses_nothing(shared_app):
    app = shared_app
    app.write(
        copies="""
from patterns import Table
out = Table("copies", "w")
for row in Table("events").as_stream():
    out.append(row)
"""
    )
    app.manifest(["copies.py"])
    for event in ({"a": 1}, {"a": 2.5, "b": "new"}, {"a": "text", "c": {"d": [1]}}, {"a": None}):
        app.send(event)
    for table in ("events", "copies"):
        shown = app.patterns("table", "data", table, "--json").json
        rows = [{k: v for k, v in row.items() if v is not None and k != "patterns_id"} for row in shown]
        assert rows == [{"a": 1}, {"a": 2.5, "b": "new"}, {"a": "text", "c": {"d": [1]}}, {}]
    assert 'warning[column-type] table "copies": values of "a" do not fit its column of type "bigint"' in (
        app.patterns("logs", "copies").out
    )


def test_a_value_that_no_table_can_hold_is_refused_with_its_place(shared_app):
    app = shared_app
    app.write(
        wrong="""
from patterns import Table
out = Table("wrong", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"], "value": object() if row["i"] == 1 else 0})
""",
        no_rows="""
from patterns import Table
for row in Table("events").as_stream():
    pass
Table("rows", "w").append([1, 2])
""",
    )
    app.manifest(["wrong.py", "no_rows.py"])
    result = app.send(NUMBERS[:3], code=1)
    assert 'A row for table "rows" is of type "int", expected a dict' in result.err
    assert "object" in result.err
    app.write(no_rows=COPY.format(source="events", out="rows"))
    app.run_to_the_end()
    assert app.column("wrong", "i") == [0, 2]


def test_two_streams_of_a_table_have_places_of_their_own(shared_app):
    app = shared_app
    app.write(
        two_streams="""
from patterns import Table
out = Table("two_streams", "w")
for name in ("one", "two"):
    for row in Table("events").as_stream(name=name):
        out.append({"i": row["i"], "stream": name})
""",
    )
    app.manifest(["two_streams.py"])
    app.send(NUMBERS)
    app.send({"i": 10})
    found = sorted((row["stream"], row["i"]) for row in app.rows("two_streams"))
    assert found == [(name, i) for name in ("one", "two") for i in range(11)]
    # a bad record of one stream is held there, and nowhere else
    app.write(
        two_streams="""
from patterns import Table
out = Table("two_streams", "w")
for name in ("one", "two"):
    for row in Table("events").as_stream(name=name):
        if row["i"] == 12 and name == "two":
            raise ValueError("bad")
        out.append({"i": row["i"], "stream": name})
"""
    )
    app.send([{"i": i} for i in range(11, 15)], code=None)
    app.run_to_the_end()
    assert app.sql("select stream, content ->> 'i' from patterns_os.held") == [("two", "12")]
    found = sorted((row["stream"], row["i"]) for row in app.rows("two_streams"))
    assert found == [(name, i) for name in ("one", "two") for i in range(15) if (name, i) != ("two", 12)]


def test_a_table_that_is_not_required_may_lead_nowhere(shared_app):
    app = shared_app
    app.write(
        unconnected="""
from patterns import Table
for row in Table("events").as_stream():
    pass
maybe = Table("nowhere", required=False)
Table("unconnected", "w").append({"connected": maybe.is_connected, "rows": maybe.read(), "exists": maybe.exists})
for row in maybe.as_stream():
    print("never")
""",
    )
    app.manifest(["unconnected.py"])
    app.send({"i": 1})
    assert app.rows("unconnected") == [{"connected": False, "rows": [], "exists": False}]


def test_two_apps_in_one_database_keep_apart(make_app):
    one, two = make_app(), make_app()
    two.database = one.database
    for app, name in ((one, "one"), (two, "two")):
        app.write(copied=COPY.format(source="events", out="copied"))
        app.manifest(["copied.py"], name=name)
        app.send([{"i": 1 if app is one else 2}])
    assert [row["i"] for row in one.rows("copied", "one")] == [1]
    assert [row["i"] for row in two.rows("copied", "two")] == [2]


def test_two_apps_run_at_one_time(make_app):
    apps = [make_app(), make_app()]
    for app in apps:
        app.write(copied=COPY.format(source="events", out="copied"))
        app.manifest(["copied.py"])
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda app: app.send(NUMBERS), apps))
    assert [app.column("copied", "i") for app in apps] == [list(range(10))] * 2
    assert json.loads(apps[0].patterns("run", "--json").out)[1]["runs"] == 0
