"""Which ticks of a stretch of time a backfill runs, and why it leaves out the others."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from patterns_os.triggers.timetable import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTick:
    """A tick, whether it is run, and why."""

    tick: dt.datetime
    run: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a backfill is for.

    Attributes:
        missed: Only ticks that came under a cron of the node, and that nothing was requested for.
        again: Ticks that have run, too.
    """

    missed: bool = False
    again: bool = False


def choose(
    ticks: Iterable[dt.datetime],
    states: Mapping[dt.datetime, str],
    periods: Sequence[Period],
    upcoming: dt.datetime,
    wanted: Wanted,
) -> Iterator[ChosenTick]:
    """Tell of each tick whether it is run.

    Args:
        ticks: Those of the stretch of time.
        states: What became of the ticks that were requested: `pending`, `running`, `done`, `failed`, `skipped`.
        periods: When crons of the node were in force.
        upcoming: The next tick that is fired without a backfill.
        wanted: What is asked for.
    """
    for tick in ticks:
        state = states.get(tick)
        if state is not None:
            yield _known(tick, state, wanted)
        elif tick >= upcoming:
            yield ChosenTick(tick=tick, run=False, why="is still to come")
        elif any(_covers(period, tick) for period in periods):
            yield ChosenTick(tick=tick, run=True, why="was missed")
        else:
            yield ChosenTick(tick=tick, run=not wanted.missed, why="came before the cron was there")


def _known(tick: dt.datetime, state: str, wanted: Wanted) -> ChosenTick:
    if state in _UNDER_WAY:
        return ChosenTick(tick=tick, run=False, why=_UNDER_WAY[state])
    if state == "done":
        run = wanted.again and not wanted.missed
        return ChosenTick(tick=tick, run=run, why="has run")
    return ChosenTick(tick=tick, run=not wanted.missed, why=_ENDED.get(state, state))


def _covers(period: Period, tick: dt.datetime) -> bool:
    return (period.since is None or period.since < tick) and (period.until is None or tick <= period.until)


_UNDER_WAY: Final = {"pending": "is queued", "running": "runs now"}
_ENDED: Final = {"failed": "has failed", "skipped": "was left out, another one was running or waiting"}
