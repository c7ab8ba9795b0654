import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from patterns_os.triggers.cron import parse_cron
from patterns_os.triggers.timetable import Period, Timetable, filled

DAILY = parse_cron("@daily")
HOURLY = parse_cron("@hourly")


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def shown(ticks):
    return [f"{tick:%dT%H}" for tick in ticks]


CHANGED = (
    Period(schedule=DAILY, since=utc("2026-01-02T12:00"), until=utc("2026-01-04T12:00")),
    Period(schedule=HOURLY, since=utc("2026-01-04T22:30")),
)


def test_each_tick_counts_by_the_schedule_that_was_in_force():
    ticks = Timetable(periods=CHANGED).ticks(utc("2026-01-01T00:00"), utc("2026-01-05T01:00"))

    assert shown(ticks) == ["03T00", "04T00", "04T23", "05T00", "05T01"]


def test_a_tick_at_the_very_change_is_one_of_the_former_schedule():
    changed = utc("2026-01-02T00:00")
    periods = (Period(schedule=DAILY, until=changed), Period(schedule=HOURLY, since=changed))

    assert shown(
        Timetable(periods=periods).ticks(utc("2026-01-01T12:00"), utc("2026-01-02T01:00"))
    ) == ["02T00", "02T01"]  # fmt: skip


def test_where_none_was_in_force_todays_schedule_counts():
    whole = filled(CHANGED, HOURLY)

    assert shown(whole.ticks(utc("2026-01-02T10:00"), utc("2026-01-03T00:00"))) == ["02T11", "02T12", "03T00"]
    assert shown(whole.ticks(utc("2026-01-04T11:00"), utc("2026-01-04T14:00"))) == ["04T13", "04T14"]


def test_a_cron_that_never_was_in_force_counts_for_all_times():
    whole = filled((), DAILY)

    assert shown(whole.ticks(utc("2026-01-01T00:00"), utc("2026-01-03T00:00"))) == ["02T00", "03T00"]


def test_no_more_are_counted_than_was_asked_for():
    whole = filled((), HOURLY)

    assert whole.count(utc("2026-01-01T00:00"), utc("2026-01-02T00:00"), 10) == 10
    assert whole.count(utc("2026-01-01T00:00"), utc("2026-01-02T00:00"), 100) == 24


@given(
    st.sampled_from(["30 2 * * *", "*/7 * * * *", "0,30 1-3 * * *", "0 0 29 2 *", "* 9 1 1 *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.integers(0, 60 * 24 * 364),
    st.integers(0, 60 * 24 * 400),
    st.integers(1, 30),
)
def test_the_newest_are_the_last_of_all(expression, zone, minute, minutes, most):
    whole = filled((), parse_cron(expression, zone))
    until = utc("2026-01-01T00:00") + dt.timedelta(minutes=minute)
    after = until - dt.timedelta(minutes=minutes)

    assert list(whole.newest(after, until, most)) == list(whole.ticks(after, until))[-most:]
