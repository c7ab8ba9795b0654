"""What the benchmarks share: an app folder, the command, and figures."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATTERNS = [str(Path(sys.executable).parent / "patterns")]
QUICK = bool(os.environ.get("PATTERNS_BENCH_QUICK"))


@contextmanager
def app_folder(manifest: dict, files: dict[str, str], configuration: dict | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="patterns-bench-"))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "patterns.json").write_text(json.dumps(configuration or {}))
    for name, text in files.items():
        (folder / name).write_text(text)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    done = subprocess.run([*PATTERNS, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"patterns {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


@contextmanager
def dev(folder: Path, port: int) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [*PATTERNS, "dev", "--port", str(port), "--no-reload"], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_patterns/status", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_of(arguments: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PATTERNS, *arguments], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tell(name: str, figure: str, target: str, good: bool) -> None:
    print(f"{'ok  ' if good else 'MISS'}  {name:<52} {figure:<34} target {target}", flush=True)
