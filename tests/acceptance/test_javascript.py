"""Nodes in JavaScript and TypeScript, run as users run them. Without a Node.js that is new enough nothing is tried."""

import os
import shutil
import subprocess

import pytest

from patterns_os.launcher.node_js import find_node, is_new_enough, node_version

NODE = find_node()
VERSION = node_version(NODE) if NODE else None

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(
        VERSION is None or not is_new_enough(VERSION),
        reason=f"JAVASCRIPT IS NOT TRIED: Node.js 22.18 or newer is needed, found {VERSION or 'none'}",
    ),
]

NUMBERS = [{"i": i} for i in range(10)]
IMPORT = 'import { File, Parameter, Secret, State, Table, once } from "patterns";\n'


@pytest.fixture
def make_js_app(make_app):
    """Give a function that makes apps whose nodes run in the Node.js of these tests."""

    def make():
        app = make_app()
        if "PATTERNS_NODE" in os.environ:
            app.variables["PATTERNS_NODE"] = os.environ["PATTERNS_NODE"]
        return app

    return make


def write(app, **scripts):
    for name, text in scripts.items():
        path = app.folder / name.replace("__", ".")
        path.write_text(text if "patterns" in text.split("\n")[0] else IMPORT + text, "utf-8")
    return [name.replace("__", ".") for name in scripts]


def test_every_shape_of_script_consumes_each_row_once(make_js_app):
    app = make_js_app()
    files = write(
        app,
        streamed__js="""
const out = new Table("streamed", "w");
for await (const row of new Table("events").asStream()) await out.append({ i: row.i });
""",
        plain__mjs="""
const out = Table("plain", "w");
for (const { i } of Table("events").as_stream()) out.append([{ i }]);
""",
        required__cjs="""const { Table } = require("patterns");
const out = new Table("required", "w");
for (const row of new Table("events").asStream()) out.append({ i: row.i });
""",
        batched__ts="""
const out = new Table("batched", "w");
for (const batch of new Table("events").asStream().batches(4) as Iterable<{ i: number }[]>) {
  out.append({ size: batch.length, total: batch.reduce((sum: number, row) => sum + row.i, 0) });
}
""",
        broken_off__js="""
const out = new Table("broken_off", "w");
for await (const row of new Table("events").asStream()) {
  out.append({ i: row.i });
  if (row.i % 4 === 3) break;
}
""",
        not_awaited__js="""
async function main() {
  for await (const row of new Table("events").asStream()) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    new Table("not_awaited", "w").append({ i: row.i });
  }
}
main();
""",
        exiting__js="""
const out = new Table("exiting", "w");
for (const row of new Table("events").asStream()) out.append({ i: row.i });
process.exit(0);
""",
        checkpointed__js="""
const stream = new Table("events").asStream();
for (const row of stream) { new Table("checkpointed", "w").append({ i: row.i }); stream.checkpoint(); }
""",
        rolled_back__js="""
const out = new Table("rolled_back", "w"), state = new State(), stream = new Table("events").asStream();
let again = true;
for (const row of stream) out.append({ i: row.i, round: 1 });
stream.rollback();
for (const row of stream) out.append({ i: row.i, round: 2 });
""",
    )
    app.manifest(files)

    app.send(NUMBERS)
    app.run_to_the_end()

    wanted = list(range(10))
    for table in ("streamed", "plain", "required", "broken_off", "not_awaited", "exiting", "checkpointed"):
        assert app.column(table, "i") == wanted, table
    assert app.rows("batched") == [
        {"size": 4, "total": 6},
        {"size": 4, "total": 22},
        {"size": 2, "total": 17},
    ]
    assert app.column("rolled_back", "round") == [2] * 10


def test_everything_of_the_sdk_is_there(make_js_app):
    app = make_js_app()
    files = write(
        app,
        all__js="""
const state = new State(), events = new Table("events");
for (const row of events.asStream()) state.setValue("n", state.getValue("n", 0) + row.i);
new File("note.txt", "a").write("é");
const [sql] = events.readSql(`select sum(i) as total from ${events} where i > %(least)s`, { least: 3 });
new Table("seen", "w").append({
  n: state.getValue("n"), size: Parameter("size", { type: "int" }), extra: Parameter("extra", { default: "x" }),
  secret: Secret("KEY"), note: new File("note.txt").read(), all: events.read().length, count: events.recordCount,
  exists: events.exists, total: Number(sql.total), columns: Object.keys(events.schema).sort(),
});
const upserted = new Table("upserted", "w");
upserted.init({ schema: { k: "text", n: "bigint" }, uniqueOn: "k" });
for (const row of events.read()) upserted.upsert({ k: String(row.i % 3), n: row.i });
new Table("replaced", "w").replace([{ n: 1 }, { n: 2 }]);
const emptied = new Table("emptied", "w");
emptied.append({ before: 1 });
emptied.reset();
emptied.append({ after: 1 });
""",
    )
    app.variables["KEY"] = "hush"
    app.manifest([{"file": files[0], "parameters": {"size": "7"}, "secrets": ["KEY"]}], secrets=["KEY"])

    app.send(NUMBERS)

    assert app.rows("seen") == [
        {
            "n": 45,
            "size": 7,
            "extra": "x",
            "secret": "hush",
            "note": "é",
            "all": 10,
            "count": 10,
            "exists": True,
            "total": 39,
            "columns": ["i"],
        }
    ]
    assert {row["k"]: row["n"] for row in app.rows("upserted")} == {"0": 9, "1": 7, "2": 8}
    assert app.column("replaced", "n") == [1, 2]
    assert app.column("emptied", "after") == [1]


def test_rows_go_through_a_script_unchanged(make_js_app):
    app = make_js_app()
    app.write(
        make="""
from datetime import date, datetime, time, timezone
from decimal import Decimal
from patterns import Table
for row in Table("events").as_stream():
    Table("made", "w").append({
        "big": 2**62 + 1, "exact": Decimal("1.10"), "moment": datetime(2024, 1, 2, 3, 4, 5, 678901, timezone.utc),
        "day": date(2024, 2, 29), "bytes": b"\\x00\\xff", "text": "é\\U0001f600", "float": 1.5, "yes": True,
        "nested": {"huge": 10**30, "list": [1, {"$int": "5"}], "at": time(1, 2), "__proto__": {"a": 1}, "nul": "a\\0b"},
    })
"""
    )
    files = write(
        app,
        copy__js='for (const row of new Table("made").asStream()) new Table("copied", "w").append({ ...row });\n',
    )
    app.manifest(["make.py", *files])

    app.send(NUMBERS[:1])
    app.run_to_the_end()

    made = app.sql("select big, exact, moment, day, bytes, text, float, yes, nested from app_try_data.made")
    assert (
        app.sql("select big, exact, moment, day, bytes, text, float, yes, nested from app_try_data.copied")
        == made
    )
    types = "select column_name, data_type from information_schema.columns where table_name = '{}' order by 1"
    assert app.sql(types.format("copied")) == app.sql(types.format("made"))


def test_errors_are_told_with_their_place_and_the_others_go_on(make_js_app):
    app = make_js_app()
    files = write(
        app,
        throwing__ts="""
import { check } from "./lib.js";
const out = new Table("checked", "w");
for (const row of new Table("events").asStream()) {
  check(row.i as number);
  out.append({ i: row.i });
}
""",
        undeclared__js='new Table("events").read();\nnew Table(String("nowhere"));\n',
        exiting__js='for (const row of new Table("events").asStream()) process.exit(3);\n',
        rejecting__js='for (const row of new Table("events").asStream()) Promise.reject(new Error("late"));\n',
        promised__js='new Table("promised", "w").append({ x: Promise.resolve(1) });\nnew Table("events").read();\n',
    )
    write(
        app,
        lib__ts='export function check(i: number) {\n  if (i === 3) throw new RangeError("too big");\n}\n',
    )
    inputs = {"undeclared.js": ["events"]}
    app.manifest(
        [
            {"file": file, "retries": 0} | ({"inputs": inputs[file]} if file in inputs else {})
            for file in files
        ]
    )

    app.patterns("webhook", "test", "--data=-", given='[{"i": 1}, {"i": 3}, {"i": 5}]', code=None)
    for _ in range(6):
        app.hurry()
        app.patterns("run", "--patience=0", code=None)

    assert app.column("checked", "i") == [1, 5]
    held = app.sql("select error ->> 'message', error ->> 'where' from patterns_os.held order by id")
    assert ("RangeError: too big", "lib.ts:3") in held
    errors = {
        message for message, _ in app.sql("select distinct error ->> 'message', 1 from patterns_os.runs")
    }
    assert 'value at "x" is a promise: it lacks an "await", which no row can hold' in errors
    assert "Error: late" in errors
    assert "the script called process.exit(3)" in errors


def test_effects_are_performed_once_and_their_results_remembered(make_js_app):
    app = make_js_app()
    files = write(
        app,
        sending__js="""
const out = new Table("sent", "w"), log = new File("effects.txt", "a");
for await (const row of new Table("events").asStream()) {
  const [first, second] = await Promise.all([
    once("first", async () => { log.write(`first ${row.i}\\n`); return { at: row.i }; }),
    once("second", () => { log.write(`second ${row.i}\\n`); return 2; }),
  ]);
  await once("failing", async () => { throw new Error("not now"); }).catch(() => null);
  const attempts = new File(`attempt-${row.i}.txt`, "a");
  attempts.write("x");
  if (attempts.read() === "x") throw new Error("try again");
  out.append({ first: first.at, second });
}
""",
    )
    app.manifest([{"file": files[0], "retries": 3}])

    app.patterns("webhook", "test", "--data=-", given='[{"i": 0}, {"i": 1}]', code=None)
    app.run_to_the_end()

    assert sorted(app.column("sent", "first")) == [0, 1]
    performed = (app.folder / ".patterns" / "files" / "effects.txt").read_text("utf-8").split("\n")
    assert sorted(performed) == ["", "first 0", "first 1", "second 0", "second 1"]


def test_a_process_that_is_killed_loses_and_repeats_nothing(make_js_app):
    app = make_js_app()
    files = write(
        app,
        dying__js="""
const out = new Table("survived", "w");
for await (const row of new Table("events").asStream()) {
  out.append({ i: row.i });
  const mark = new File(`died-${row.i}.txt`);
  if (row.i % 4 === 2 && !mark.exists) { mark.write("x"); process.kill(process.pid, "SIGKILL"); }
}
""",
    )
    app.manifest(files)

    app.patterns("webhook", "test", "--data=-", given=str(NUMBERS).replace("'", '"'), code=None)
    app.run_to_the_end()

    assert app.column("survived", "i") == list(range(10))


def test_the_script_of_the_version_runs_and_prints(make_js_app):
    app = make_js_app()
    files = write(
        app,
        printing__js='console.log("größe", 1); console.error("\\u{1f600}"); new Table("events").read();\n',
    )
    app.manifest(files)

    app.send(NUMBERS[:1])

    assert app.logs("printing") == ["größe 1", "\U0001f600"] or sorted(app.logs("printing")) == [
        "größe 1",
        "\U0001f600",
    ]


def test_no_process_stays_behind(make_js_app):
    app = make_js_app()
    app.manifest(
        write(
            app, copy__js='for (const r of new Table("events").asStream()) new Table("out", "w").append(r);\n'
        )
    )

    app.send(NUMBERS)

    pgrep = shutil.which("pgrep")
    if pgrep is not None:
        found = subprocess.run(
            [pgrep, "-fa", "launcher/javascript/main.mjs"], capture_output=True, text=True, check=False
        )
        assert [line for line in found.stdout.splitlines() if str(app.folder) in line] == []


def test_a_missing_node_is_the_configuration_s_fault_and_stops_only_its_nodes(make_js_app):
    app = make_js_app()
    app.variables["PATTERNS_NODE"] = "/nowhere/node"
    app.write(
        good='from patterns import Table\nfor r in Table("events").as_stream():\n    Table("good", "w").append(r)\n'
    )
    app.manifest(["good.py", *write(app, bad__js='new Table("events").read();\n')])

    result = app.patterns("webhook", "test", "--data=-", given='[{"i": 1}]', code=None)

    assert app.column("good", "i") == [1]
    assert "Node.js" in result.out + result.err
    assert "install Node.js 22.18 or newer" in result.out + result.err
