"""When crons are due. Times are the database's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A cron and when it was in force: later than `since`, not later than `until` (`None`: it still is)."""

    expression: str
    timezone: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTick:
    """A schedule whose next tick has come. `now` is the database's clock; all times are UTC.

    Attributes:
        since: When the schedule came into force.
        former: What was in force before, if the tick is older than the schedule.
    """

    node: int
    name: str
    expression: str
    timezone: str
    tick: datetime
    now: datetime
    since: datetime
    catchup: Literal["all", "last", "none"] = "last"
    overlap: Literal["queue", "skip"] = "queue"
    former: tuple[Scheduled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredTicks:
    """What becomes of the ticks that have come.

    Attributes:
        runs: Ticks that are run by their stable ids, the oldest first.
        following: The tick that comes next.
        missed: How many are not run.
        last_missed: The newest of these.
        line: What the node's log says of them.
    """

    runs: Mapping[str, datetime]
    following: datetime
    missed: int = 0
    last_missed: datetime | None = None
    line: str | None = None


class Schedules(Protocol):
    """The schedules of one app."""

    async def due(self) -> list[DueTick]:
        """Give the schedules whose next tick is not in the future."""
        ...

    async def fire(self, tick: DueTick, fired: FiredTicks) -> int:
        """Request the runs and move to the following tick, in one transaction; give how many were requested.

        A tick exists once, whoever races: 0 if somebody else was first. Where ticks do not wait for each other
        (`overlap` is `skip`), one that comes while the node runs, or has a tick waiting, is noted as skipped.
        """
        ...

    async def next_in(self) -> float | None:
        """Give the seconds until the next tick of any schedule, `None` without schedules."""
        ...
