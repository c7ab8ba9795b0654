"""The table of fire times is what happens."""

import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from patterns_os.manifest.parse import parse_manifest
from patterns_os.triggers.cron import parse_cron

PAGE = (Path(__file__).parents[2] / "docs" / "crons.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| ([\w/]+) \| ([^|]*) \| (\S+), (\S+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(r"^<!-- manifest.json -->\n```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def test_the_table_is_read_as_a_whole():
    [table] = re.findall(r"^\| cron \| time zone .*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)

    assert len(ROWS) == len(table.splitlines()) - 1
    assert {zone for _, zone, *_ in ROWS} >= {
        "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin",
        "Pacific/Apia", "UTC",
    }  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_a_cron_fires_at_the_times_of_the_table(row):
    expression, zone, what, after, until, fires = row

    ticks = parse_cron(expression, zone).ticks(utc(after), utc(until))

    shown = [tick.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for tick in ticks]
    assert shown == fires.split(), what


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_right(example):
    assert parse_manifest(example.encode()).diagnostics == ()
