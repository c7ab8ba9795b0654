"""How long the compiler takes for apps of 1,000 and 10,000 nodes: cold, and after one file has changed.

Each figure is the best of several runs of a fresh process. "Compile" is what the command does from reading the
folder to the finished plan, without starting Python and loading the program; "command" is all of
`patterns compile` as a person waits for it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from generated_app import generate
from workbench import PATTERNS, QUICK, tell

ROUNDS = 5
MEASURED = """
import json, resource, sys, time
from pathlib import Path
from patterns_os.composition.authoring import load
began, cpu = time.perf_counter(), time.process_time()
compiled = load(Path(sys.argv[1]))
wall = time.perf_counter() - began
used = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu, "memory": max(used) / 1024,
    "nodes": len(compiled.graph.nodes), "good": compiled.is_good, "version": compiled.plan.version_hash}))
"""


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="patterns-bench-"))
    try:
        small = measure(folder / "small", 1000)
        tell("compile 1,000 nodes, cold", shown(small["cold"]), "3 s", small["cold"]["wall"] < 3)
        tell("the same, one file changed", shown(small["warm"]), "0.3 s", small["warm"]["wall"] < 0.3)
        tell("`patterns compile`, one file changed", f"{small['command']:.2f} s", "-", True)
        if not QUICK:
            large = measure(folder / "large", 10_000, rounds=2)
            ratio = large["cold"]["cpu_all"] / small["cold"]["cpu_all"]
            tell("compile 10,000 nodes, cold", shown(large["cold"]), "-", True)
            tell("CPU of 10,000 over 1,000 nodes", f"{ratio:.1f}", "11.5", ratio < 11.5)
            tell(
                "memory at 10,000 nodes",
                f"{large['cold']['memory']:.0f} MB",
                "400 MB",
                large["cold"]["memory"] < 400,
            )
            tell("the same, one file changed", shown(large["warm"]), "-", True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(app: Path, nodes: int, rounds: int = ROUNDS) -> dict:
    app.mkdir()
    generate(app, nodes)
    cache = app.with_suffix(".cache")
    environ = os.environ | {"PATTERNS_CACHE": str(cache)}
    cold, warm, commands = [], [], []
    for number in range(rounds):
        shutil.rmtree(cache, ignore_errors=True)
        cold.append(compiled(app, environ))
        assert cold[-1]["good"]
        assert cold[-1]["nodes"] == nodes
        changed = app / "nodes" / "000" / "node_00000.py"
        changed.write_text(f"{changed.read_text()}# change {number}\n")
        warm.append(compiled(app, environ))
        changed.write_text(f"{changed.read_text()}# change {number} again\n")
        began = time.perf_counter()
        subprocess.run([*PATTERNS, "compile"], cwd=app, env=environ, check=True, capture_output=True)
        commands.append(time.perf_counter() - began)
    return {"cold": best(cold), "warm": best(warm), "command": min(commands)}


def compiled(app: Path, environ: dict) -> dict:
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(app)], env=environ, check=True, capture_output=True, text=True
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout) | {"cpu_all": spent}


def best(runs: list[dict]) -> dict:
    return {key: min(run[key] for run in runs) for key in ("wall", "cpu", "cpu_all", "memory")}


def shown(figures: dict) -> str:
    return f"{figures['wall']:.2f} s wall, {figures['cpu_all']:.2f} s CPU of both processes with their start"


if __name__ == "__main__":
    main()
