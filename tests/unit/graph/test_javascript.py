"""What JavaScript and TypeScript touch is read from their text."""

import sys
import time
from pathlib import Path

import pytest

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.javascript import analyse_javascript
from patterns_os.graph.sources import Sources

sys.path.insert(0, str(Path(__file__).parents[2] / "fuzz"))

IMPORT = 'import { Table, File, Model, Parameter, State, Secret, once } from "patterns";\n'


def analyse(source, *, name="main.js", **files):
    sources = Sources(
        {path.replace("__", "/").replace("_dot_", "."): text.encode() for path, text in files.items()}
    )
    return analyse_javascript(name, source.encode(), sources)


def uses(source, **options):
    analysis, _ = analyse(source, **options)
    return [(use.kind, use.name, str(use.access) if use.access else None) for use in analysis.uses]


def unknown(source, **options):
    analysis, _ = analyse(source, **options)
    return [f"{one.where}: {one.reason}" for one in analysis.unknown]


def flows(source, **options):
    """Give the flows as `table.column <- sources`, with how and what is proven of the value."""
    analysis, _ = analyse(source, **options)
    found = []
    for flow in analysis.flows:
        sources = ", ".join(f"{source.table}.{source.column}" for source in flow.sources)
        known = [] if flow.type is None else [flow.type]
        known += {True: ["nullable"], False: ["not null"], None: []}[flow.nullable]
        how = f"unknown: {flow.unknown.reason}" if flow.unknown else f"{flow.derivation} {sources}".strip()
        found.append(f"{flow.table}.{flow.column} {how}" + (f" ({' '.join(known)})" if known else ""))
    return found


def reads(source, **options):
    analysis, _ = analyse(source, **options)
    return [f"{one.table}.{one.column}{'?' if one.optional else ''}" for one in analysis.reads]


def told(source, **options):
    _, diagnostics = analyse(source, **options)
    return [render_diagnostic(one) for one in diagnostics]


def observed(source, **options):
    analysis, _ = analyse(source, **options)
    return [f"{one.where.line}:{one.where.column} {one.kind} {one.name}" for one in analysis.observations]


# -- what is opened


def test_a_script_shows_its_tables_and_how_they_are_used():
    script = IMPORT + (
        'const orders = new Table("orders");\n'
        'const big = Table("big_orders", "w");\n'
        "for await (const order of orders.asStream()) {\n"
        "  await big.append({ ...order, total: order.qty * 2 });\n"
        "}\n"
    )
    assert uses(script) == [("table", "orders", "stream"), ("table", "big_orders", "write")]


@pytest.mark.parametrize(
    "opening",
    [
        'import { Table as T } from "patterns"; new T("x", "w");',
        'import * as p from "patterns"; new p.Table("x", { mode: "w" });',
        'import p from "patterns"; p.Table("x", "w");',
        'const { Table } = require("patterns"); Table("x", "w");',
        'const { Table: T } = require("patterns"); new T("x", "w");',
        'const p = require("patterns"); new p.Table("x", { mode: "w", required: true });',
        'const { Table } = await import("patterns"); Table("x", "w");',
        'import { Table } from "patterns"; const T = Table; new T("x", "w");',
        'import { Table } from "patterns"; const name = "x", mode = `w`; new Table(name, mode);',
        'import { Table } from "patterns"; const [name] = ["x"]; new Table(`${name}`, "w");',
        'import { Table } from "patterns"; const { a: { b } } = { a: { b: "x" } }; new Table(b, "w");',
        'import { Table } from "patterns"; const { b = "x" } = {}; new Table(b, "w");',
        'import { Table } from "patterns"; const c = { tables: { out: "x" } }; new Table(c.tables["out"], "w");',
        'import { Table } from "patterns"; const f = (n, m = "w") => new Table(n, m); f("x");',
        'import { Table } from "patterns"; function f({ n, m }) { return new Table(n, m); } f({ n: "x", m: "w" });',
        'import { Table } from "patterns"; class A { name = "x"; open() { return new Table(this.name, "w"); } }',
        'import { Table } from "patterns"; class A { constructor(n) { this.t = new Table(n, "w"); } } new A("x");',
        'import { Table } from "patterns"; new Table("\\u0078", "w");',
        'import { Table } from "patterns"; new Table("X".toLowerCase(), "w");',
        'import { Table } from "patterns"; const m = new Map([["k", "x"]]); new Table(m.get("k"), "w");',
    ],
)
def test_a_table_is_seen_however_it_is_reached(opening):
    assert uses(opening) == [("table", "x", "write")]


@pytest.mark.parametrize(
    "loop",
    [
        'for (const n of ["a", "b"]) new Table(n, "w");',
        '["a", "b"].forEach((n) => { new Table(n, "w"); });',
        '["a", "b"].map((n) => new Table(n, "w"));',
        'const names = ["a"]; names.push("b"); for (const n of names) new Table(n, "w");',
        'for (const { name, mode } of [{ name: "a", mode: "w" }, { name: "b", mode: "w" }]) new Table(name, mode);',
        'for (const [n, m] of Object.entries({ a: "w", b: "w" })) new Table(n, m);',
        'for (const n of ["b", "a"].reverse()) new Table(n, "w");',
        'for (const n of ["x-a", "x-b"].map((one) => one.split("-")[1])) new Table(n, "w");',
        'const open = (n) => new Table(n, "w"); for (const n of new Set(["a", "b"])) open(n);',
        'for (const i of [1]) ["a", "b"].forEach((n) => { setTimeout(() => new Table(n, "w"), i); });',
    ],
)
def test_loops_over_literals_are_followed(loop):
    assert sorted(uses(IMPORT + loop)) == [("table", "a", "write"), ("table", "b", "write")]


def test_pairs_stay_pairs():
    script = IMPORT + 'for (const [n, m] of [["a", "r"], ["b", "w"]]) new Table(n, m);'

    assert uses(script) == [("table", "a", "read"), ("table", "b", "write")]


def test_names_are_those_of_their_own_block():
    script = IMPORT + (
        'for (const r of new Table("a").asStream()) new Table("x", "w").append({ v: r.one });\n'
        'for (const r of new Table("b").asStream()) new Table("y", "w").append({ v: r.two });\n'
        '{ const name = "p"; new Table(name); } { const name = "q"; new Table(name); }\n'
    )
    assert flows(script) == ["x.v copied a.one", "y.v copied b.two"]
    assert uses(script)[4:] == [("table", "p", "read"), ("table", "q", "read")]


def test_everything_else_of_the_sdk_is_seen():
    script = IMPORT + (
        'const limit = Parameter("limit", { type: "int", default: 10 });\n'
        'new Parameter("start", { type: Date });\n'
        'Model("gpt", { type: "chat" }); Secret("KEY"); new State();\n'
        'new File("report.csv").write("x"); File("in.txt").read(); File("other.txt", "w");\n'
    )
    analysis, _ = analyse(script)

    assert [(use.kind, use.name, use.access, dict(use.detail)) for use in analysis.uses] == [
        ("parameter", "limit", None, {"type": "int", "default": 10, "required": False}),
        ("parameter", "start", None, {"required": True, "type": "datetime"}),
        ("model", "gpt", None, {"type": "chat"}),
        ("secret", "KEY", None, {}),
        ("state", "", None, {}),
        ("file", "report.csv", "write", {}),
        ("file", "in.txt", "read", {}),
        ("file", "other.txt", "write", {}),
    ]


def test_a_table_that_need_not_be_there_says_so():
    analysis, _ = analyse(IMPORT + 'new Table("x", { required: false });')

    assert [dict(use.detail) for use in analysis.uses] == [{"required": False}]


def test_modules_of_the_app_are_followed():
    found = uses(
        'import { orders, NAMES } from "./base.js";\n'
        'import * as cfg from "./lib";\n'
        'import consume, { out as o } from "../shared/deep.mjs";\n'
        "for (const n of NAMES) cfg.open(n);\n"
        "consume(orders.asStream()); o.append({ a: 1 });\n",
        name="x/a.ts",
        x__base_dot_ts=(
            'import { Table } from "patterns";\n'
            'export const orders: Table = new Table("orders");\n'
            'export const NAMES = ["a", "b"] as const;\n'
        ),
        x__lib__index_dot_js=(
            'const { Table } = require("patterns");\n'
            'module.exports = { open(n) { return new Table(n, "w"); } };\n'
        ),
        shared__deep_dot_mjs=(
            'import { Table } from "patterns";\n'
            'const out = new Table("deep_out", "w");\n'
            "export { out };\n"
            "export default async function (s) { for await (const r of s) out.append({ z: r.z }); }\n"
        ),
    )
    assert found == [
        ("table", "orders", "stream"),
        ("table", "a", "write"),
        ("table", "b", "write"),
        ("table", "deep_out", "write"),
    ]


def test_imports_that_circle_or_lead_nowhere_end():
    analysis, found = analyse(
        'import { b } from "./b.js"; import "../../out.js"; import "left-pad"; export const a = b;',
        b_dot_js='export { a as b } from "./main.js"; export * from "./b.js";',
    )
    assert analysis.imports == ("b.js",)
    assert found == []


# -- what can't be told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("new Table(process.env.X);", 'the name of a Table cannot be told: ".X" is known only at run time'),
        ("new Table();", "the name of a Table cannot be told: no name is given"),
        (
            'Parameter(await fetch("x"));',
            'the name of a Parameter cannot be told: the result of "fetch(…)" is known only at run time',
        ),
        ('eval("x");', '"eval" runs code that the text does not show'),
        ('new Function("x")();', '"Function" runs code that the text does not show'),
        ("import(name);", '"import" loads a module that only run time knows'),
        ("helper(Table);", '"Table" is passed on as a value, so what it opens cannot be told'),
        (
            "new Table(new Table(`${1 + x}`));",
            'the name of a Table cannot be told: "x" is not defined in the script',
        ),
    ],
)
def test_what_depends_on_run_time_is_unknown_with_its_reason(line, reason):
    assert reason in [one.partition(": ")[2] for one in unknown(IMPORT + line)]


def test_a_function_whose_calls_are_not_seen_leaves_its_parameters_open():
    assert unknown(IMPORT + 'function f(n) { return new Table(n, "w"); }\nexport { f };') == [
        (
            'main.js:2:24: the name of a Table cannot be told: "n" is a parameter of "f", whose arguments are '
            "known only at run time"
        )
    ]


def test_wrong_modes_are_told():
    assert told(IMPORT + 'new Table("x", "q"); new Table("y").append({});') == [
        'error[table-mode] main.js:2:1: table "x" is opened with the unknown mode "q".\n  known modes: "r", "w"',
        (
            'warning[table-mode] main.js:2:22: table "y" is opened for reading, but the script calls its .append().\n'
            '  hint: open it with new Table("y", "w")'
        ),
    ]


# -- columns


def test_columns_are_followed_through_everyday_code():
    script = IMPORT + (
        'const orders = new Table("orders"), out = new Table("out", "w");\n'
        "for await (const { id, qty: amount = 1, ...rest } of orders.asStream()) {\n"
        "  out.append({ ...rest, id, amount, price: rest.price * amount, note: `n ${rest['note']}`, one: 1 });\n"
        "}\n"
    )
    assert flows(script) == [
        'out.* unknown: all columns of "orders" except "id", "qty" are copied',
        "out.id copied orders.id",
        "out.amount computed orders.qty",
        "out.price computed orders.price, orders.qty",
        "out.note computed orders.note (text not null)",
        "out.one constant (bigint not null)",
    ]
    assert reads(script) == ["orders.id", "orders.qty?", "orders.price", "orders.note"]


def test_a_record_that_is_changed_in_place_is_followed():
    script = IMPORT + (
        'for await (const r of new Table("orders").asStream()) {\n'
        "  r.total = r.qty * r.price;\n"
        '  new Table("out", "w").append(r);\n'
        "}\n"
    )
    assert flows(script) == ["out.* copied orders.*", "out.total computed orders.price, orders.qty"]
    assert reads(script) == ["orders.qty", "orders.price"]


def test_totals_know_what_they_are_made_of():
    script = IMPORT + (
        'const out = new Table("out", "w"); let total = 0; const by = {}; const rows = [];\n'
        'for await (const r of new Table("orders").asStream()) {\n'
        "  total += r.qty; by[r.kind] = (by[r.kind] ?? 0) + r.price; rows.push({ id: r.id, total });\n"
        "}\n"
        'out.append({ total, by: by["x"], at: new Date().toISOString() });\n'
        "out.append(Object.entries(by).map(([kind, sum]) => ({ kind, sum })));\n"
        "out.append(rows);\n"
    )
    assert flows(script) == [
        "out.total computed orders.qty",
        "out.by computed orders.price",
        "out.at constant (text not null)",
        "out.kind unknown: the keys of an object are known only at run time",
        "out.sum computed orders.price",
        "out.id copied orders.id",
        "out.total computed orders.qty",
    ]


def test_functions_and_lists_of_rows_are_followed():
    script = IMPORT + (
        'const out = new Table("out", "w");\n'
        "const enrich = (r, factor = 2) => ({ ...r, total: r.qty * factor, ['x' + 1]: r.y ?? 0 });\n"
        "function* all(rows) { for (const r of rows) yield enrich(r); }\n"
        'out.replace(all(new Table("a").read()));\n'
        'for await (const batch of new Table("b").asStream().batches(10)) out.append(batch.map((r) => enrich(r)));\n'
    )
    assert flows(script) == [
        "out.* copied a.*",
        "out.total computed a.qty",
        "out.x1 computed a.y",
        "out.* copied b.*",
        "out.total computed b.qty",
        "out.x1 computed b.y",
    ]
    assert sorted(reads(script)) == ["a.qty", "a.y?", "b.qty", "b.y?"]


@pytest.mark.parametrize(
    ("row", "flow"),
    [
        ("await response.json()", "out.* unknown: the rows are known only at run time"),
        (
            'new Table("c").readSql("select 1")',
            "out.* unknown: the rows of a SQL statement are known only at run time",
        ),
        ("{ [key]: 1 }", "out.* unknown: the name of a column is known only at run time"),
        ("{ ...other }", "out.* unknown: what is spread is known only at run time"),
        ("{ x: 1, ...{ x: 'a' } }", "out.x constant (text not null)"),
        ("{ x: null }", "out.x constant (nullable)"),
        ("{ x: a ? 1 : 'b' }", "out.x constant (not null)"),
        ("{ x: a === b }", "out.x constant (bool not null)"),
        ("{ x: 1.5 }", "out.x constant (double not null)"),
        ("{ x: [1, 2] }", "out.x constant (jsonb not null)"),
        ("{ x: undefined }", "out.x constant (nullable)"),
    ],
)
def test_what_a_row_holds_is_told_or_unknown(row, flow):
    assert flows(IMPORT + f'new Table("out", "w").append({row});') == [flow]


def test_a_spread_behind_a_column_may_replace_it():
    script = IMPORT + 'for (const r of new Table("a").asStream()) new Table("b", "w").append({ x: 1, ...r });'

    assert flows(script) == ["b.x computed a.x", "b.* copied a.*"]


def test_a_list_that_is_filled_elsewhere_is_not_taken_for_empty():
    script = IMPORT + 'const rows = []; fill(rows); new Table("b", "w").append(rows);'

    assert flows(script) == ['b.* unknown: "rows" is filled where the text does not show it']


def test_places_are_counted_in_characters():
    analysis, _ = analyse(IMPORT + 'const ä = "ö"; /* 😀 */ new Table("ä" + ä, "w").append({ größe: 1 });')

    assert [str(use.where) for use in analysis.uses] == ["main.js:2:24"]
    assert [str(flow.where) for flow in analysis.flows] == ["main.js:2:57"]
    assert [use.name for use in analysis.uses] == ["äö"]


# -- effects


def test_effects_outside_of_once_are_observed():
    script = (
        'import axios from "axios"; import { once, Table } from "patterns";\n'
        'fetch("x"); fetch("x", { method: "post" }); axios.post("x"); axios.get("y");\n'
        'const options = { method: "DELETE" }; await fetch("u", options);\n'
        'await once("k", async () => { await fetch("u", options); });\n'
        "function send() { return fetch('u', options); }\n"
        'await once("z", send);\n'
        "const outer = () => inner(); function inner() { return axios.put('x'); }\n"
        'await once("q", () => outer());\n'
    )
    assert observed(script) == ["2:13 effect fetch", "2:45 effect axios.post", "3:45 effect fetch"]


def test_reading_what_the_run_has_written_is_observed():
    script = IMPORT + 'const t = new Table("t", "w");\nt.read();\nt.append({ a: 1 });\nt.read();'

    assert observed(script) == ["5:1 read-after-write t"]


# -- what is no script


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("const x = ;\nfoo(", '1:11: "main.js" is not valid JavaScript: ";" is not expected here.'),
        ("x = 'abc", '1:9: "main.js" is not valid JavaScript: the file ends too early.'),
        ("(((", '1:4: "main.js" is not valid JavaScript: the file ends too early.'),
        ("const é = 'ä' ü;", '1:15: "main.js" is not valid JavaScript: "ü" is not expected here.'),
        ("let a = 1;\nfoo(\nlet y = 2;", '3:5: "main.js" is not valid JavaScript: "y" is not expected here.'),
        (
            "// hi\nlet a = { b: /* c */ }",
            '2:22: "main.js" is not valid JavaScript: "}" is not expected here.',
        ),
        ("const x: number = 1;", '1:8: "main.js" is not valid JavaScript: ":" is not expected here.'),
    ],
)
def test_a_script_that_does_not_parse_is_told_with_its_place(source, message):
    analysis, found = analyse(source)

    assert [render_diagnostic(one) for one in found] == [f"error[script-syntax] main.js:{message}"]
    assert analysis.uses == ()


def test_typescript_is_read_as_such():
    script = IMPORT + 'interface R { a: number }\nconst t = new Table<R>("x" as string, "w")!;\n'

    assert uses(script, name="main.ts") == [("table", "x", "write")]
    assert told("enum {", name="main.mts") == [
        'error[script-syntax] main.mts:1:6: "main.mts" is not valid TypeScript: "{" is not expected here.'
    ]


def test_a_broken_import_is_told_and_the_rest_is_analysed():
    analysis, found = analyse(IMPORT + 'import "./b.js"; new Table("x");', b_dot_js="let =")

    assert [str(one.where) for one in found] == ["b.js:1:6"]
    assert [use.name for use in analysis.uses] == ["x"]


def test_bytes_that_are_no_text_are_told():
    _, found = analyse_javascript("a.js", b"let x\n'\xff'", Sources({}))

    assert [render_diagnostic(one) for one in found] == [
        (
            'error[script-encoding] a.js:2:1: "a.js" is not UTF-8: byte 0xff at offset 7 cannot be read.\n'
            "  hint: save the file as UTF-8"
        )
    ]


@pytest.mark.parametrize(
    "source",
    [
        "x=" + "(" * 50_000 + "1" + ")" * 50_000,
        "x=" + "1+" * 50_000 + "1",
        "{" * 50_000 + "}" * 50_000,
        "a=>" * 50_000 + "1",
        "x" + ".a" * 50_000,
        "x" + ".a()" * 30_000,
        "[" * 50_000,
        "f(" * 30_000,
        "`${" * 20_000,
        "x=" + "[" * 30_000 + "]" * 30_000,
        "if(x)" * 30_000 + "y",
        "const " + ",".join(f"a{i}=a{i + 1}" for i in range(20_000)) + ";new Table(a0)",
    ],
)
def test_deep_and_long_files_end_soon_and_never_crash(source):
    began = time.perf_counter()
    analyse(IMPORT + source)
    assert time.perf_counter() - began < 10


def test_too_many_cases_are_said_to_be_unknown():
    loops = "".join(f"for (const a{i} of NAMES) " for i in range(6))
    name = "".join(f"${{a{i}}}" for i in range(6))
    found = unknown(IMPORT + f'const NAMES = ["a","b","c","d","e","f","g"];\n{loops} new Table(`{name}`);')

    assert found[-1] == "main.js:1:1: the script has too many cases to follow"


def test_blocks_nested_too_deeply_are_told():
    assert told("{" * 300 + "}" * 300) == [
        (
            'error[script-too-deep] main.js:1:1: "main.js" is nested too deeply to be analysed.\n'
            "  hint: split the deepest expression into steps"
        )
    ]


def test_mutated_scripts_never_crash():
    import fuzz_javascript  # noqa: PLC0415 - lies beside the tests

    assert fuzz_javascript.run(seed=1, cases=150) == []
