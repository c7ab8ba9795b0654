"""Ownership without clocks: a lane whose beat stands still is taken away from its launcher.

The rescuer believes only what it has seen itself: the same beat of the same token for fifteen seconds of its own
monotonic clock. After a pause of its own, or a time without answers, it begins to watch afresh: the launchers
could not have shown a beat either.
"""

import asyncio
import time
from collections.abc import Callable

from patterns_os.errors import TemporaryError
from patterns_os.ports.claims import Claims, OwnedLane

SILENCE_S = 15.0
WATCH_EVERY_S = 3.0
OWN_PAUSE_S = 3.0
COLLECT_EVERY_S = 60.0
COLLECT_ROWS = 5_000

_Seen = tuple[int, int, int, int]


class Rescuer:
    """Watches the lanes of an app, and takes away what nobody needs any more.

    Args:
        claims: Where lanes are looked at and taken.
        rescued: Called when lanes are free again.
        clock: Monotonic seconds.
    """

    def __init__(
        self, claims: Claims, rescued: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._claims = claims
        self._rescued = rescued
        self._clock = clock
        self._since: dict[_Seen, float] = {}
        self._looked: float | None = None
        self._collected = clock()

    async def serve(self) -> None:
        """Watch for ever."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            try:
                await self.look()
                await self._collect()
            except TemporaryError:
                self._since.clear()

    async def look(self) -> int:
        """Look once; give how many lanes were taken away."""
        lanes = await self._claims.owned_lanes()
        now = self._clock()
        if self._looked is not None and now - self._looked > WATCH_EVERY_S + OWN_PAUSE_S:
            self._since.clear()
        self._looked = now
        self._since = {_key(lane): self._since.get(_key(lane), now) for lane in lanes}
        silent = [lane for lane in lanes if now - self._since[_key(lane)] >= SILENCE_S]
        if not silent:
            return 0
        taken = await self._claims.rescue(silent)
        if taken:
            self._rescued()
        return taken

    async def _collect(self) -> None:
        if self._clock() - self._collected < COLLECT_EVERY_S:
            return
        # Much to take away: the next round comes soon.
        if await self._claims.collect(COLLECT_ROWS) < COLLECT_ROWS:
            self._collected = self._clock()


def _key(lane: OwnedLane) -> _Seen:
    return lane.node, lane.lane, lane.token, lane.beat
