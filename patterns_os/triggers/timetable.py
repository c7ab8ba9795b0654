"""The ticks of a node whose cron was changed: each counts by the expression that was in force then."""

import datetime as dt
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from patterns_os.triggers.cron import CronSchedule

_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
_SHORTEST_LOOK = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time in which a schedule was in force.

    Attributes:
        since: It ticks later than this; `None` for as long as anybody asks.
        until: And not later than this; `None` if it is in force now.
    """

    schedule: CronSchedule
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """All ticks of a node; periods in order, none over another."""

    periods: tuple[Period, ...]

    def ticks(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        """Give the ticks later than `after`, not later than `until`, in order, in UTC; there may be many."""
        for period in self.periods:
            first = after if period.since is None else max(after, period.since)
            last = until if period.until is None else min(until, period.until)
            if first < last:
                yield from period.schedule.ticks(first, last)

    def newest(self, after: dt.datetime, until: dt.datetime, most: int) -> tuple[dt.datetime, ...]:
        """Give the last ones of these, `most` at most, in order, without a look at all before them."""
        look = _SHORTEST_LOOK
        while True:
            start = max(after, until - look if until - _NEVER > look else _NEVER)
            found = deque(self.ticks(start, until), maxlen=most)
            if len(found) == most or start == after:
                return tuple(found)
            look *= 2

    def count(self, after: dt.datetime, until: dt.datetime, most: int) -> int:
        """Give how many there are, and no more than `most`."""
        return sum(1 for _ in islice(self.ticks(after, until), most))


def filled(periods: Sequence[Period], schedule: CronSchedule) -> Timetable:
    """Give a timetable for all times: where no schedule was in force, that of today counts.

    Args:
        periods: Those that were in force, in order.
        schedule: The one of today.
    """
    whole: list[Period] = []
    end: dt.datetime | None = None
    for period in periods:
        if period.since is not None and (end is None or end < period.since):
            whole.append(Period(schedule=schedule, since=end, until=period.since))
        whole.append(period)
        end = period.until
    if not periods or end is not None:
        whole.append(Period(schedule=schedule, since=end))
    return Timetable(periods=tuple(whole))
