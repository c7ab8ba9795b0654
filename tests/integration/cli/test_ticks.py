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
