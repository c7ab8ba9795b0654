"""How soon the command answers, and how soon an empty folder has its first row."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from workbench import PATTERNS, cpu_of, tell

ROUNDS = 5


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="patterns-bench-"))
    try:
        subprocess.run([*PATTERNS, "--help"], cwd=folder, check=True, capture_output=True)
        walls = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            subprocess.run([*PATTERNS, "--help"], cwd=folder, check=True, capture_output=True)
            walls.append(time.perf_counter() - began)
        cpu = min(cpu_of(["--help"], folder) for _ in range(ROUNDS))
        tell(
            "patterns --help",
            f"{min(walls) * 1000:.0f} ms wall, {cpu * 1000:.0f} ms CPU",
            "200 ms",
            min(walls) < 0.2,
        )

        wall, app = first_row(folder)
        tell("empty folder to first row in completions", f"{wall:.2f} s wall", "8 s", wall < 8)
        cpu = min(cpu_of(["compile"], app) for _ in range(ROUNDS))
        tell("patterns compile of the quick start", f"{cpu * 1000:.0f} ms CPU", "600 ms", cpu < 0.6)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def first_row(folder: Path) -> tuple[float, Path]:
    """Type the quick start; give the seconds until the row is printed."""
    app = folder / "quick-start"
    began = time.perf_counter()
    for words in (
        ["create", "app", "quick-start"],
        ["add", "script", "--from-template=patterns/slack-receive-messages@v0"],
        ["add", "script", "my_py.py"],
        ["add", "model", "base-llm", "--provider", "echo"],
        ["webhook", "test", "--title=Slack messages", '--data={"event":{"text":"hello world"}}'],
        ["table", "data", "completions", "--format", "json"],
    ):
        done = subprocess.run(
            [*PATTERNS, *words],
            cwd=app if app.exists() else folder,
            check=True,
            capture_output=True,
            text=True,
        )
    assert "[echo] hello world" in done.stdout, done
    return time.perf_counter() - began, app


if __name__ == "__main__":
    main()
