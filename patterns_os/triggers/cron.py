"""Cron schedules: when a node runs by the clock.

Ticks are moments in UTC; a schedule names them by the clock of its time zone. Where that clock is put forward
or back, it follows Debian's cron:

- A schedule at fixed times (neither minutes nor hours begin with `*`) ticks once for each time. A time that
  the clock leaves out ticks at the first moment after the gap, together with what is due then. A time that
  the clock shows twice ticks when it comes first.
- Others, `*/15 * * * *` or `0 * * * *`, follow real time: nothing in a gap, and in the repeated hour they
  tick again.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from cronsim.cronsim import SYMBOLIC_DAYS, SYMBOLIC_MONTHS

from patterns_os.diagnostics import did_you_mean, quote


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A schedule that ticks again and again.

    Attributes:
        normalised: Five fields with numbers for names and aliases.
        timezone: IANA name.
    """

    normalised: str
    timezone: str
    _zone: dt.tzinfo = field(repr=False, compare=False)

    def next_after(self, instant: dt.datetime) -> dt.datetime:
        """Give the first tick strictly later than the instant (aware), in UTC."""
        return next(self._from(instant))

    def ticks(self, after: dt.datetime, until: dt.datetime) -> Iterator[dt.datetime]:
        """Give all ticks later than `after`, not later than `until`, in order, in UTC; there may be many."""
        for tick in self._from(after):
            if tick > until:
                return
            yield tick

    def local(self, tick: dt.datetime) -> dt.datetime:
        """Give the moment by the clock of the time zone."""
        return tick.astimezone(self._zone)

    def is_moved(self, tick: dt.datetime) -> bool:
        """Tell whether the tick is due at another time, which the clock leaves out."""
        shown = self.local(tick).replace(tzinfo=None)
        # Without a time zone no time is left out.
        return next(CronSim(self.normalised, shown - dt.timedelta(minutes=1))) != shown

    def describe(self) -> str:
        """Give the schedule in words: `daily at 00:00 UTC`."""
        words = CronSim(self.normalised, _ANY_TIME).explain()
        daily = _DAILY.fullmatch(words)
        if daily is not None:
            return f"daily at {daily[1]} {self.timezone}"
        words = words[0].lower() + words[1:]
        return words if self.normalised.endswith(" * * * *") else f"{words}, {self.timezone}"

    def _from(self, instant: dt.datetime) -> Iterator[dt.datetime]:
        last = instant.astimezone(dt.UTC)
        for tick in CronSim(self.normalised, instant.astimezone(self._zone)):
            moment = tick.astimezone(dt.UTC)
            # Seen from the second pass of a repeated hour, its fixed times were in the first.
            if moment > last:
                last = moment
                yield moment


def parse_cron(expression: str, timezone: str = "UTC") -> CronSchedule:
    """Read a schedule.

    Args:
        expression: Five fields (minute, hour, day of month, month, day of week) with lists, ranges, steps,
            names (`mon`, `jan`), ranges of weekdays over the weekend (`fri-mon`), `L`, `LW` and `5#2`; or
            `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`; or `every 5m`,
            `every 2 hours`, `every day`. If both days are restricted, one of them is enough.
        timezone: IANA name.

    Raises:
        ValueError: With a whole sentence: the expression or the time zone is not known, or it never ticks.
    """
    zone = _find_zone(timezone)
    normalised = _normalise(expression)
    schedule = CronSchedule(normalised, timezone, zone)
    try:
        schedule.next_after(_ANY_TIME)
    except CronSimError as error:
        _refuse_field(expression, normalised, str(error))
    except StopIteration:
        raise _never(expression) from None
    return schedule


def tick_key(node: str, tick: dt.datetime) -> str:
    """Give the stable id of a node's tick: the same for everyone who finds it due."""
    return f"cron:{node}:{tick.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _find_zone(timezone: str) -> dt.tzinfo:
    if timezone == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(timezone)
    except (ValueError, OSError, KeyError):
        hint = did_you_mean(timezone, available_timezones()) or 'expected an IANA name like "Europe/Berlin"'
        raise ValueError(f"time zone {quote(timezone)} is not known; {hint}") from None


def _normalise(expression: str) -> str:
    words = expression.lower().split()
    if words[:1] == ["every"]:
        return _every(expression, "".join(words[1:]))
    if len(words) == 1 and words[0].startswith("@"):
        return _alias(expression, words[0])
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"cron {quote(expression)} has {len(words)} fields; expected 5: minute, hour, day of month, "
            "month, day of week"
        )
    minute, hour, day, month, weekday = words
    return f"{minute} {hour} {day} {_numbers(month, _MONTHS)} {_unwrap(_numbers(weekday, _WEEKDAYS))}"


def _every(expression: str, interval: str) -> str:
    found = _INTERVAL.fullmatch(interval)
    if found is None:
        raise ValueError(
            f'cron {quote(expression)} is not known; expected "every 5m", "every 2h" or "every day"'
        )
    count, unit = int(found[1] or 1), found[2]
    if unit == "m" and count and _MINUTES_IN_HOUR % count == 0:
        return (
            "* * * * *" if count == 1 else f"*/{count} * * * *" if count < _MINUTES_IN_HOUR else "0 * * * *"
        )
    if unit == "h" and count and _HOURS_IN_DAY % count == 0:
        return "0 * * * *" if count == 1 else f"0 */{count} * * *" if count < _HOURS_IN_DAY else "0 0 * * *"
    if unit == "d" and count == 1:
        return "0 0 * * *"
    raise ValueError(
        f"cron {quote(expression)} does not come out even; expected minutes that divide an hour (1m, 5m, "
        "20m), hours that divide a day (1h, 6h), or 1d"
    )


def _alias(expression: str, alias: str) -> str:
    if alias not in _ALIASES:
        hint = did_you_mean(alias, _ALIASES)
        known = ", ".join(map(quote, _ALIASES))
        raise ValueError(f"cron {quote(expression)} is not known; {hint or f'known are {known}'}")
    return _ALIASES[alias]


def _numbers(text: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda found: names.get(found[0], found[0]), text)


def _unwrap(weekdays: str) -> str:
    """Write ranges of weekdays that go over the end of the week as lists, which cron knows."""
    return ",".join(_WEEKDAY_RANGE.sub(_unwrap_range, term) for term in weekdays.split(","))


def _unwrap_range(found: re.Match[str]) -> str:
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if first <= last or step == 0:
        return found[0]
    return ",".join(str(day % 7) for day in range(first, last + 8, step))


def _refuse_field(expression: str, normalised: str, reason: str) -> NoReturn:
    for (name, allowed), text in zip(_FIELDS.items(), normalised.split(), strict=True):
        if reason == f"Bad {name.replace('day of ', 'day-of-')}":
            if name == "day of month" and _NUMBERS_ONLY.fullmatch(text) and _is_day(text):
                raise _never(expression) from None
            raise ValueError(
                f"cron {quote(expression)} has a bad {name} {quote(text)}; expected {allowed}"
            ) from None
    raise ValueError(f"cron {quote(expression)} is not known; {reason}") from None


def _is_day(text: str) -> bool:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    return all(1 <= number <= _LONGEST_MONTH for number in numbers) and all(
        a <= b for a, b in pairwise(numbers)
    )


def _never(expression: str) -> ValueError:
    return ValueError(f"cron {quote(expression)} never comes: no month that it names has such a day")


_ANY_TIME = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_MINUTES_IN_HOUR = 60
_HOURS_IN_DAY = 24
_LONGEST_MONTH = 31
_FIELDS = {
    "minute": "0 to 59, `*`, lists, ranges or steps",
    "hour": "0 to 23, `*`, lists, ranges or steps",
    "day of month": "1 to 31, `*`, `L`, `LW`, lists, ranges or steps",
    "month": "1 to 12, jan to dec, `*`, lists, ranges or steps",
    "day of week": "0 to 7, sun to sat, `*`, `5L`, `5#2`, lists, ranges or steps",
}
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = {name.lower(): str(number) for number, name in enumerate(SYMBOLIC_MONTHS, start=1)}
_WEEKDAYS = {name.lower(): str(number) for number, name in enumerate(SYMBOLIC_DAYS)}
_NAME = re.compile(r"[a-z]+")
_WEEKDAY_RANGE = re.compile(r"([0-7])-([0-7])(?:/(\d+))?")
_NUMBERS_ONLY = re.compile(r"[\d,/-]+")
_INTERVAL = re.compile(r"(\d{1,4})?(m|h|d)(?:in|ins|inute|inutes|our|ours|ay|ays)?")
_DAILY = re.compile(r"At (.*) every day")
