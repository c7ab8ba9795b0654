"""What becomes of ticks that have come."""

import datetime as dt

from patterns_os.control.scheduler import fired_ticks
from patterns_os.ports.schedules import DueTick, FiredTicks, Scheduled


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def due(tick: str, now: str, **changes: object) -> DueTick:
    given = {"expression": "@daily", "timezone": "UTC", "since": utc("2025-01-01T00:00"), **changes}
    return DueTick(node=1, name="report", tick=utc(tick), now=utc(now), **given)  # type: ignore[arg-type] # a test's


def test_a_tick_on_time_is_run_by_its_id() -> None:
    assert fired_ticks(due("2026-01-02T00:00", "2026-01-02T00:00:01")) == FiredTicks(
        runs={"cron:report:2026-01-02T00:00:00Z": utc("2026-01-02T00:00")}, following=utc("2026-01-03T00:00")
    )


def test_the_last_one_makes_up_for_those_that_were_missed() -> None:
    assert fired_ticks(due("2026-01-02T00:00", "2026-01-04T12:00")) == FiredTicks(
        runs={"cron:report:2026-01-04T00:00:00Z": utc("2026-01-04T00:00")},
        following=utc("2026-01-05T00:00"),
        missed=2,
        last_missed=utc("2026-01-03T00:00"),
        line='2 ticks were missed, the last at 2026-01-03 00:00 UTC (catchup "last")',
    )


def test_ticks_before_a_change_are_those_of_the_former_cron() -> None:
    changed = utc("2026-01-03T12:00")
    former = Scheduled(expression="@daily", timezone="UTC", since=utc("2025-01-01T00:00"), until=changed)
    tick = due(
        "2026-01-02T00:00",
        "2026-01-03T14:30",
        expression="@hourly",
        since=changed,
        former=(former,),
        catchup="all",
    )

    fired = fired_ticks(tick)

    assert [moment.isoformat()[8:16] for moment in fired.runs.values()] == [
        "02T00:00", "03T00:00", "03T13:00", "03T14:00",
    ]  # fmt: skip
    assert fired.following == utc("2026-01-03T15:00")


def test_a_promised_tick_is_fired_though_its_zone_has_other_rules_by_now() -> None:
    fired = fired_ticks(due("2026-01-02T00:30", "2026-01-02T00:30:01"))

    assert list(fired.runs.values()) == [utc("2026-01-02T00:30")]
    assert fired.following == utc("2026-01-03T00:00")
