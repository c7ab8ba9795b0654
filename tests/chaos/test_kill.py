"""Any process may be killed at any moment: a restart goes on, and every row is there, once.

Short by default. Long: `PATTERNS_CHAOS_ROWS=100000 PATTERNS_CHAOS_KILLS=40 PATTERNS_CHAOS_SEED=7 pytest tests/chaos`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from patterns_os.adapters.postgres.server import EmbeddedServer

ROWS = int(os.environ.get("PATTERNS_CHAOS_ROWS", "20000"))
KILLS = int(os.environ.get("PATTERNS_CHAOS_KILLS", "8"))
SEED = int(os.environ.get("PATTERNS_CHAOS_SEED", "1"))
PAUSE_S = (0.1, 1.0)
LIMIT_S = 80 + ROWS / 200 + KILLS * 5

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(LIMIT_S * 2)]

COPY = "from patterns import Table\n"
SCRIPTS = {
    "copied.py": """
out = Table("copied", "w")
for row in Table("numbers").as_stream():
    out.append(row)
""",
    "listed.py": """
rows = list(Table("numbers").as_stream())
Table("listed", "w").append(rows)
""",
    "batched.py": """
out = Table("batched", "w")
batch = []
for row in Table("numbers").as_stream():
    batch.append(row)
    if len(batch) == 100:
        out.append(batch)
        batch = []
if batch:
    out.append(batch)
""",
    "totals.py": """
total = n = 0
for row in Table("numbers").as_stream():
    total += row["i"]
    n += 1
Table("totals", "w").append({"total": total, "n": n})
""",
    "first.py": """
a, b = Table("left_side", "w"), Table("right_side", "w")
for row in Table("numbers").as_stream():
    a.append({"i": row["i"], "by": "first"})
    b.append({"i": row["i"], "by": "first"})
""",
    "second.py": """
b, a = Table("right_side", "w"), Table("left_side", "w")
for row in Table("numbers").as_stream():
    b.append({"i": row["i"], "by": "second"})
    a.append({"i": row["i"], "by": "second"})
""",
    "counter.py": """
from patterns import State
state = State()
for row in Table("numbers").as_stream():
    state.set_value("n", state.get_value("n", 0) + 1)
""",
}
INSERTED = """
insert into {{ Table("inserted", mode="w") }} select i, i * 2 as double_i from {{ Table("copied").new }}
"""
# table → how often each number is in it
OUTPUTS = {
    "numbers": 1, "copied": 1, "listed": 1, "batched": 1, "inserted": 1, "left_side": 2, "right_side": 2,
}  # fmt: skip


KINDS = ("supervisor", "node", "postmaster", "backend")


class Monkey:
    """Kills processes of one app, one kind after the other by a seeded die."""

    def __init__(self, folder, seed):
        self.kills = Counter()
        self.die = random.Random(seed)
        self._folder = folder

    def strike(self, process):
        """Kill something of a kind that was not killed more often than the others; tell whether there was one."""
        kind = self.die.choice(
            [kind for kind in KINDS if self.kills[kind] == min(self.kills[k] for k in KINDS)]
        )
        postmaster = self.postmaster()
        victims = {
            "supervisor": [process.pid],
            "node": nodes_of(process.pid),
            "postmaster": [postmaster] if postmaster else [],
            "backend": [pid for pid in children(postmaster or 0) if "patterns_" in command_line(pid)],
        }[kind]
        if not victims:
            return False
        try:
            os.kill(self.die.choice(sorted(victims)), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills[kind] += 1
        return True

    def postmaster(self):
        try:
            return int((self._folder / ".patterns" / "pg" / "postmaster.pid").read_text().split("\n")[0])
        except (OSError, ValueError):
            return None


def children(parent):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(process.name))
    return found


def nodes_of(supervisor):
    return [pid for pid in children(supervisor) if "node_process" in command_line(pid)]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def start(folder, log, *arguments):
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "patterns_os", *arguments], cwd=folder, env=environment, stdout=log, stderr=log
    )


def survive(folder, log, monkey):
    """Start the app again and again, killing, until it ends by itself with nothing left to do."""
    process = start(folder, log, "webhook", "test", "--data=@events.json")
    wait_until(lambda: monkey.postmaster() is not None)
    wait_until(lambda: delivered(folder))  # what is not acknowledged may be lost
    deadline = time.monotonic() + LIMIT_S
    while True:
        if monkey.die.random() < 0.75:  # mostly at work, sometimes while it starts
            wait_until(lambda now=process: len(nodes_of(now.pid)) > 2 or now.poll() is not None)
        while process.poll() is None and sum(monkey.kills.values()) < KILLS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(monkey.die.uniform(*PAUSE_S))
                break
            monkey.strike(process)
        if process.wait(max(1.0, deadline - time.monotonic())) == 0:
            return
        assert time.monotonic() < deadline, monkey.kills
        process = start(folder, log, "run")


def delivered(folder):
    with suppress(psycopg.Error), connected(folder) as connection:
        return connection.execute("select 1 from patterns_os.deliveries").fetchone()


@contextmanager
def connected(folder):
    server = EmbeddedServer(folder / ".patterns")
    try:
        with psycopg.connect(server.start(), autocommit=True) as connection:
            yield connection
    finally:
        server.release()


def wait_until(found, within_s=60):
    end = time.monotonic() + within_s
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path):
    scripts = dict(SCRIPTS)
    for name, text in scripts.items():
        (tmp_path / name).write_text(COPY + text)
    (tmp_path / "inserted.sql").write_text(INSERTED)
    manifest = {
        "name": "chaos",
        "scripts": [{"file": name} for name in [*scripts, "inserted.sql"]],
        "webhooks": [{"title": "Numbers", "table": "numbers", "limits": {"body": "64MB"}}],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    events = [{"i": i, "name": f"row {i}", "nested": {"a": i}} for i in range(ROWS)]
    (tmp_path / "events.json").write_text(json.dumps(events))
    return tmp_path


def test_whatever_is_killed_each_row_is_there_once(folder):
    monkey = Monkey(folder, SEED)
    with (folder / "out.log").open("ab") as log:
        survive(folder, log, monkey)
    told = f"{dict(monkey.kills)}, seed {SEED}\n{(folder / 'out.log').read_text()[-5_000:]}"
    with connected(folder) as connection:

        def one(statement):
            return connection.execute(statement.encode()).fetchone()

        numbers = ROWS * (ROWS - 1) // 2
        found = {t: one(f"select count(*), count(distinct i), sum(i) from app_chaos.{t}") for t in OUTPUTS}
        assert found == {t: (ROWS * each, ROWS, numbers * each) for t, each in OUTPUTS.items()}, told
        assert one("select sum(n), sum(total) from app_chaos.totals") == (ROWS, numbers), told
        assert one("select value from patterns_os.states where key = 'n'") == (ROWS,), told
        for side in ("left_side", "right_side"):
            assert one(f"select count(distinct (i, by)) from app_chaos.{side}") == (2 * ROWS,), told
        gaps = (
            "select count(*) from (select last - n as before, lag(last, 1, 0::bigint) over "
            "(partition by table_id order by last) as ended from patterns_os.commits) b where before <> ended"
        )
        assert one(gaps) == (0,), told
        assert one("select count(*) from patterns_os.lanes where run is not null or narrow is not null") == (
            0,
        ), told
        assert one("select count(*) from patterns_os.held") == (0,), told
        assert one("select count(*) from patterns_os.runs where state = 'running'") == (0,), told
    assert sum(monkey.kills.values()) >= min(KILLS, 4), told  # a fast machine is done sooner


CIRCLE = {
    "ask.py": """
out = Table("questions", "w")
for row in Table("numbers").as_stream():
    out.append({"i": row["i"], "round": 0})
for row in Table("answers").as_stream():
    out.append({"i": row["i"], "round": row["round"] + 1})
""",
    "answer.py": """
out = Table("answers", "w")
for row in Table("questions").as_stream():
    out.append(row)
""",
    "first_copy.py": """
out = Table("copied_questions", "w")
for row in Table("questions").as_stream():
    out.append(row)
""",
    "second_copy.py": """
out = Table("copied_answers", "w")
for row in Table("answers").as_stream():
    out.append(row)
""",
}
ROUNDS = 3


@pytest.fixture
def circle(tmp_path):
    for name, text in CIRCLE.items():
        (tmp_path / name).write_text(COPY + text)
    bounds = {"answer.py": {"max_hops": ROUNDS}}
    manifest = {
        "name": "chaos",
        "scripts": [{"file": name, **bounds.get(name, {})} for name in CIRCLE],
        "webhooks": [{"title": "Numbers", "table": "numbers", "limits": {"body": "64MB"}}],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "events.json").write_text(json.dumps([{"i": i} for i in range(ROWS)]))
    return tmp_path


def test_a_bounded_circle_ends_with_the_same_rows_whatever_is_killed(circle):
    monkey = Monkey(circle, SEED)
    with (circle / "out.log").open("ab") as log:
        survive(circle, log, monkey)
    told = f"{dict(monkey.kills)}, seed {SEED}\n{(circle / 'out.log').read_text()[-5_000:]}"
    with connected(circle) as connection:

        def rounds(table):
            found = connection.execute(
                f"select round, count(*), count(distinct i) from app_chaos.{table} group by round order by round"
            )
            return found.fetchall()

        asked = [(number, ROWS, ROWS) for number in range(ROUNDS + 1)]
        assert (rounds("questions"), rounds("copied_questions")) == (asked, asked), told
        assert (rounds("answers"), rounds("copied_answers")) == (asked[:-1], asked[:-1]), told
        held = connection.execute(
            "select error ->> 'message', content ->> 'round', count(*), count(distinct content ->> 'i') "
            "from patterns_os.held group by 1, 2"
        ).fetchall()
        reason = f'it has come round {ROUNDS} times, which is the max_hops of "answer"'
        assert held == [(reason, str(ROUNDS), ROWS, ROWS)], told
    assert sum(monkey.kills.values()) >= min(KILLS, 3), told
