"""The clock of an app: turns due ticks into requests. Ticks that were missed while nobody ran are one run."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from patterns_os.errors import TemporaryError
from patterns_os.ports.schedules import Schedules
from patterns_os.triggers.cron import parse_cron, tick_key

LONGEST_SLEEP_S = 30.0


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
        """Request the runs of all ticks that are due; give how many."""
        count = 0
        for tick in await self._schedules.due():
            following = parse_cron(tick.expression, tick.timezone).next_after(max(tick.tick, tick.now))
            if await self._schedules.fire(tick, tick_key(tick.name, tick.tick), following):
                count += 1
        if count:
            self._fired()
        return count
