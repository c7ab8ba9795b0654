"""When crons are due. Times are the database's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTick:
    """A schedule whose next tick has come. `now` is the database's clock; all times are UTC."""

    node: int
    name: str
    expression: str
    timezone: str
    tick: datetime
    now: datetime


class Schedules(Protocol):
    """The schedules of one app."""

    async def due(self) -> list[DueTick]:
        """Give the schedules whose next tick is not in the future."""
        ...

    async def fire(self, tick: DueTick, key: str, following: datetime) -> bool:
        """Request the tick's run and move to the following tick, in one transaction.

        A tick exists once, whoever races: `False` if somebody else was first.
        """
        ...

    async def next_in(self) -> float | None:
        """Give the seconds until the next tick of any schedule, `None` without schedules."""
        ...
