"""A cron as its script and its author see it."""

import json
from pathlib import Path

import psycopg
import pytest

from patterns_os.cli.main import run

pytestmark = pytest.mark.postgres

MANIFEST = {
    "name": "ticking",
    "scripts": [{"file": "tell.py", "trigger": "0 0 1 1 *"}],
    "stores": [{"table": "told"}],
}
SCRIPT = """
from patterns import Table, run
Table("told", "w").append([{"tick": run.tick.isoformat() if run.tick else "none"}])
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_script_is_told_its_tick_and_its_author_what_came_and_was_missed(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "tell.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    printed(capsys, "trigger", "tell")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "update patterns_os.schedules set since = '2019-06-01Z', next_at = '2020-01-01Z', expression = '0 0 1 1 *'"
        )

    printed(capsys, "run")

    rows = json.loads(printed(capsys, "table", "data", "told", "--json"))
    ticks = [row["tick"] for row in rows]
    assert ticks[0] == "none"
    [year] = [int(tick[:4]) for tick in ticks[1:]]
    assert ticks[1] == f"{year}-01-01T00:00:00+00:00"
    assert json.loads(printed(capsys, "why", "tell", "--json"))["details"] == [
        "cron 0 0 1 1 * (UTC)",
        f"next tick {year + 1}-01-01 00:00 UTC",
        f"last tick {year}-01-01 00:00 UTC: has run",
        f'{year - 2020} ticks missed, the last {year - 1}-01-01 00:00 UTC (catchup "last")',
    ]


def test_a_backfill_lists_each_tick_and_runs_those_that_have_not_run(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    manifest = {**MANIFEST, "scripts": [{"file": "tell.py", "trigger": trigger}]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "tell.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    printed(capsys, "run")
    days = ("backfill", "tell", "--from", "2026-03-28", "--to", "2026-03-31")

    shown = printed(capsys, *days, "--dry-run")
    assert shown.split("\n")[-2] == "tell: 3 to run, 0 left out"
    assert shown.count("in a gap: ") == 1
    assert json.loads(printed(capsys, *days, "--missed", "--yes", "--json"))["requested"] == 0
    assert json.loads(printed(capsys, *days, "--yes", "--json"))["requested"] == 3
    assert json.loads(printed(capsys, *days, "--yes", "--json"))["requested"] == 0
    printed(capsys, "run")

    expected = [f"2026-03-{time}:00+00:00" for time in ("28T01:30", "29T01:00", "30T00:30")]
    rows = json.loads(printed(capsys, "table", "data", "told", "--json"))
    assert [row["tick"] for row in rows] == expected
    assert printed(capsys, *days, "--yes").split("\n")[-2] == "tell: 0 to run, 3 left out"
    assert json.loads(printed(capsys, *days, "--again", "--yes", "--json"))["requested"] == 3
    printed(capsys, "run")
    rows = json.loads(printed(capsys, "table", "data", "told", "--json"))
    assert sorted(row["tick"] for row in rows) == sorted(expected * 2)


def test_a_backfill_of_what_is_no_time_is_refused(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "tell.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    printed(capsys, "run")

    assert run(["backfill", "tell", "--from", "soon", "--to", "2026-01-01"]) == 2
    assert capsys.readouterr().err.startswith('error[bad-time] "soon" is no time')
    assert run(["backfill", "tell", "--from", "2026-01-01", "--to", "2026-03-01"]) == 2
    assert "error[needs-yes]" in capsys.readouterr().err
