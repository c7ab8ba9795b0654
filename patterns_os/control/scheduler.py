"""The clock of an app: turns ticks that have come into requests, and decides about those that were missed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from patterns_os.errors import TemporaryError
from patterns_os.ports.schedules import DueTick, FiredTicks, Schedules
from patterns_os.triggers.catchup import MOST_CAUGHT_UP, MOST_COUNTED, decide, describe_missed
from patterns_os.triggers.cron import parse_cron, tick_key
from patterns_os.triggers.timetable import Period, Timetable

LONGEST_SLEEP_S = 30.0
_INSTANT = timedelta(microseconds=1)


class Scheduler:
    """Fires the schedules of an app.

    Args:
        schedules: Where they are kept.
        fired: Called after a tick was requested.
    """

    def __init__(self, schedules: Schedules, fired: Callable[[], None]) -> None:
        self._schedules = schedules
        self._fired = fired
        self._changed = asyncio.Event()

    def reload(self) -> None:
        """Look at the schedules again: they may have changed."""
        self._changed.set()

    async def serve(self) -> None:
        """Fire ticks for ever."""
        while True:
            self._changed.clear()
            try:
                await self.fire_due()
                wait = await self._schedules.next_in()
            except TemporaryError:
                wait = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._changed.wait(), LONGEST_SLEEP_S if wait is None else min(wait, LONGEST_SLEEP_S)
                )

    async def fire_due(self) -> int:
        """Request the runs of the ticks that have come; give how many."""
        count = 0
        for tick in await self._schedules.due():
            count += await self._schedules.fire(tick, fired_ticks(tick))
        if count:
            self._fired()
        return count


def fired_ticks(tick: DueTick) -> FiredTicks:
    """Tell what becomes of the tick that has come, and of those after it that have come too."""
    table = _timetable(tick)
    begin = tick.tick - _INSTANT
    # A tick that the time zone's new rules do not know is one all the same: it was promised.
    due = table.newest(begin, tick.now, MOST_CAUGHT_UP + 1) or (tick.tick,)
    count = max(len(due), table.count(begin, tick.now, MOST_COUNTED))
    firing = decide(due, count, tick.now, tick.catchup, tick.overlap)
    return FiredTicks(
        runs={tick_key(tick.name, moment): moment for moment in firing.run},
        following=parse_cron(tick.expression, tick.timezone).next_after(max(tick.tick, tick.now)),
        missed=firing.missed,
        last_missed=firing.last_missed,
        line=describe_missed(firing, tick.catchup),
    )


def _timetable(tick: DueTick) -> Timetable:
    former = (
        Period(schedule=parse_cron(part.expression, part.timezone), since=part.since, until=part.until)
        for part in tick.former
    )
    now = Period(schedule=parse_cron(tick.expression, tick.timezone), since=tick.since)
    return Timetable(periods=(*former, now))
