"""What a script may ask about the run that it is in."""

from __future__ import annotations

from datetime import datetime

from patterns import host


class Run:
    """The run that the script is in: `from patterns import run`."""

    @property
    def tick(self) -> datetime | None:
        """The time that the run is for, in UTC, if a cron or a backfill asked for it; `None` otherwise.

        It is the time of the plan, not that of the clock on the wall: a run that was late, or that makes up for
        a tick of last month, is told the tick's own time, and is told the same time when it is tried again.
        """
        text = host.current().tick()
        return None if text is None else datetime.fromisoformat(text)


run = Run()
