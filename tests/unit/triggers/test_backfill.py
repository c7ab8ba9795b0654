import datetime as dt

import pytest

from patterns_os.triggers.backfill import ChosenTick, Wanted, choose
from patterns_os.triggers.cron import parse_cron
from patterns_os.triggers.timetable import Period

THERE = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
NEXT = dt.datetime(2026, 1, 20, tzinfo=dt.UTC)
PERIODS = (Period(schedule=parse_cron("@daily"), since=THERE),)
LEFT_OUT = "was left out, another one was running or waiting"


# The day of the tick, what became of it, why; whether it is run by default, with missed, and with again.
@pytest.mark.parametrize(
    ("day", "state", "why", "runs"),
    [
        (10, None, "came before the cron was there", (True, False, True)),
        (11, None, "was missed", (True, True, True)),
        (20, None, "is still to come", (False, False, False)),
        (11, "pending", "is queued", (False, False, False)),
        (11, "running", "runs now", (False, False, False)),
        (11, "done", "has run", (False, False, True)),
        (11, "failed", "has failed", (True, False, True)),
        (11, "skipped", LEFT_OUT, (True, False, True)),
    ],
)
def test_each_tick_is_run_or_left_out_for_a_reason(day, state, why, runs):
    tick = dt.datetime(2026, 1, day, tzinfo=dt.UTC)
    states = {} if state is None else {tick: state}

    for wanted, run in zip((Wanted(), Wanted(missed=True), Wanted(again=True)), runs, strict=True):
        assert list(choose([tick], states, PERIODS, NEXT, wanted)) == [
            ChosenTick(tick=tick, run=run, why=why)
        ]
