"""Which of the ticks that have come are run, when some of them were missed."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CatchUp = Literal["all", "last", "none"]
Overlap = Literal["queue", "skip"]

MISSED_AFTER = dt.timedelta(seconds=60)
"""A tick that is found later than this was missed; until then it is on time."""
MOST_CAUGHT_UP = 100
"""So many ticks are run at one look, the newest ones."""
MOST_COUNTED = 10_000
"""So many are counted; of more it is only known that there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What becomes of the ticks that have come.

    Attributes:
        run: Those that are run, the oldest first.
        missed: How many are not.
        last_missed: The newest of those that are not, `None` if all are run.
    """

    run: tuple[dt.datetime, ...]
    missed: int = 0
    last_missed: dt.datetime | None = None


def decide(
    due: Sequence[dt.datetime], count: int, now: dt.datetime, catchup: CatchUp, overlap: Overlap = "queue"
) -> Firing:
    """Tell what becomes of ticks that have come.

    Args:
        due: The newest of them, in order: at least `MOST_CAUGHT_UP + 1`, or all.
        count: How many have come.
        now: When that is asked.
        catchup: What is made up for: `all` of the missed ones, one run for the `last` unless a tick is on time,
            or `none`.
        overlap: Under `skip`, of several that would stand in line only the newest is left.
    """
    punctual = [tick for tick in due if now - tick <= MISSED_AFTER]
    if catchup == "all":
        run = list(due[-MOST_CAUGHT_UP:])
    elif catchup == "last":
        run = punctual or list(due[-1:])
    else:
        run = punctual
    if overlap == "skip":
        run = run[-1:]
    left = [tick for tick in due if tick not in run]
    return Firing(run=tuple(run), missed=count - len(run), last_missed=left[-1] if left else None)


def describe_missed(firing: Firing, catchup: CatchUp) -> str | None:
    """Give the line for the node's log, `None` if nothing was missed."""
    if firing.last_missed is None:
        return None
    number = f"{firing.missed} or more" if firing.missed + len(firing.run) >= MOST_COUNTED else firing.missed
    ticks = "tick was" if firing.missed == 1 else "ticks were"
    return (
        f'{number} {ticks} missed, the last at {firing.last_missed:%Y-%m-%d %H:%M} UTC (catchup "{catchup}")'
    )
