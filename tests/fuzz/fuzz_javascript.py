"""Mutates JavaScript and TypeScript and analyses what comes out: nothing may raise, hang or misplace.

By hand: `python tests/fuzz/fuzz_javascript.py --seed 7 --cases 5000`. Prints the seeds of what went wrong.
"""

import argparse
import random
import re
import sys
import time
import traceback

from patterns_os.graph.javascript import analyse_javascript
from patterns_os.graph.sources import Sources

SLOWEST_S = 5.0
NAME = re.compile(r"\"\w*\"|\b(?!(?:const|for|await|import|from|of|new|let|class|return)\b)[A-Za-z]\w*")

CORPUS = [
    """import { Table, Parameter, State, once } from "patterns";
const limit = Parameter("limit", { type: "int", default: 10 });
const orders = new Table("orders"), big = new Table("big_orders", { mode: "w", required: false });
for await (const { id, qty: amount = 1, ...rest } of orders.asStream()) {
  if (amount < limit) continue;
  const answer = await once("post", () => fetch("u", { method: "POST", body: JSON.stringify(rest) }));
  await big.append({ ...rest, id, total: amount * 2, note: `n ${rest["note"]}`, at: answer?.at ?? 0 });
}
""",
    """const { Table: T, File } = require("patterns"); const p = require("patterns");
const NAMES = { a: "x1", b: "x2" }; let total = 0; const by = new Map();
for (const [k, n] of Object.entries(NAMES)) { const t = T(n, "w"); t.upsert([{ k }]); }
["m1", "m2"].forEach((n, i) => p.Table(`${n}_${i}`, "w").append({ i, n }));
for (const r of new T("s").as_stream()) { total += r.v; by.set(r.k, (by.get(r.k) || 0) + r.v); r.z = r.a + "é😀"; }
module.exports = { total, by, open(n) { return new T(n, "w"); } };
""",
    """import type { Row } from "./base"; import { orders, NAMES as names } from "./base.js";
import * as all from "./base";
interface Out extends Row { total: number }
class Job<A> { private rows: Out[] = []; #x = 1;
  constructor(name: string, public out = new all.Table(name, "w")) {}
  async *run(s: AsyncIterable<Row>) { for await (let r of s) { this.rows.push({ ...r, t: r.q! } as Out); yield r; } }
  get size() { return this.rows.length } static make = (n: string) => new Job(n); }
const job = Job.make("x"); try { job.out.replace(job.rows satisfies Out[]); } catch { label: while (true) break label; }
export default function f([a, , b = 2, ...c]: any[], { d: { e } = {} as any } = {}) {
  return a ? f([b, ...c], e) : null }
""",
]
BASE = 'import { Table } from "patterns"; export { Table }; export const orders = new Table("o"), NAMES = ["a", "b"];'
PIECES = [
    *"(){}[]<>`'\"\\;:,.?=!&|+-*/%~^@#$\n\t \u2028\u00e9\U0001f600\ufeff",
    "=>", "...", "${", "?.", "??", "async ", "await ", "yield ", "new ", "class ", "function ", "for (const x of ",
    "import(", "require(", 'Table("x")', "a = a", "[a, a] = [a, a]", "this.", "/*", "*/", "//", "const a = [a, ...a];",
    "\\u{110000}", "0x", "1e999", "9" * 400, "/(/", "<div>", "enum E { A }", "a.push(a);", "a[a] = a;", "label: ",
]  # fmt: skip


def mutated(random_: random.Random, source: str) -> str:
    """Give the source after a few random changes."""
    for _ in range(random_.randint(1, 6)):
        at, to = sorted(random_.randrange(len(source) + 1) for _ in range(2))
        match random_.randrange(18):
            case 0:
                source = source[:at] + random_.choice(PIECES) + source[at:]
            case 1:
                source = source[:at] + source[min(to, at + 20) :]
            case 2:
                source = source[:at] + source[at : at + 40] * random_.randint(2, 30) + source[at:]
            case 3:
                other = random_.choice(CORPUS)
                cut = random_.randrange(len(other))
                source = source[:at] + other[cut : cut + 60] + source[at:]
            case 4:
                lines = source.splitlines(keepends=True)
                random_.shuffle(lines)
                source = "".join(lines)
            case 5:
                words = source.split(" ")
                words[random_.randrange(len(words))] = random_.choice(words)
                source = " ".join(words)
            case _:
                # Most changes leave a script that parses: names and texts that stand for others.
                found = list(NAME.finditer(source))
                if found:
                    old, new = random_.choice(found), random_.choice(found)
                    source = source[: old.start()] + new[0] + source[old.end() :]
        source = source or " "
    return source


def run(seed: int, cases: int) -> list[str]:
    """Give what went wrong, one text each; empty where all is well."""
    wrong = []
    for case in range(cases):
        random_ = random.Random(f"{seed}/{case}")
        source = mutated(random_, random_.choice(CORPUS))
        file = random_.choice(["main.js", "main.ts", "main.mjs", "main.tsx"])
        data = source.encode("utf-8", "replace")
        began = time.perf_counter()
        try:
            check(file, data)
        except Exception:  # noqa: BLE001 - whatever is raised is a finding
            wrong.append(f"seed {seed} case {case}:\n{traceback.format_exc()}\n{source}")
        if time.perf_counter() - began > SLOWEST_S:
            wrong.append(f"seed {seed} case {case} is slow:\n{source}")
    return wrong


def check(file: str, data: bytes) -> None:
    """Analyse the file twice: same answer, and every place lies in the file."""
    sources = Sources({"base.ts": BASE.encode()})
    first, second = (analyse_javascript(file, data, sources) for _ in range(2))
    assert first == second, "two answers"
    analysis, found = first
    lines = data.decode(errors="replace").split("\n")
    places = [one.where for one in (*analysis.uses, *analysis.unknown, *analysis.flows, *analysis.reads)]
    for where in [*places, *(one.where for one in found)]:
        if where is not None and where.file == file:
            assert 1 <= where.line <= len(lines), where
            assert 1 <= where.column <= len(lines[where.line - 1]) + 1, where


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=2_000)
    given = parser.parse_args()
    found = run(given.seed, given.cases)
    print("\n".join(found) or f"{given.cases} cases of seed {given.seed}: nothing found")  # noqa: T201 - a command
    sys.exit(bool(found))
