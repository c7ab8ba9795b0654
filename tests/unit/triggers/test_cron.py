import datetime as dt
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.triggers.cron import parse_cron, tick_key

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "normalised"),
    [
        ("0 0 * * *", "0 0 * * *"),
        ("  5  4 *  * * ", "5 4 * * *"),
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@Weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("0 9 * JAN-mar mon-FRI", "0 9 * 1-3 1-5"),
        ("0 9 * * fri-sun", "0 9 * * 5,6,0"),
        ("0 9 * * fri-mon/2", "0 9 * * 5,0"),
        ("0 9 * * sat-mon,wed", "0 9 * * 6,0,1,3"),
        ("0 9 * * fri#2", "0 9 * * 5#2"),
        ("0 9 L * *", "0 9 l * *"),
        ("every 5m", "*/5 * * * *"),
        ("every 5 minutes", "*/5 * * * *"),
        ("every minute", "* * * * *"),
        ("every 60 min", "0 * * * *"),
        ("every hour", "0 * * * *"),
        ("Every 2h", "0 */2 * * *"),
        ("every 24 hours", "0 0 * * *"),
        ("every day", "0 0 * * *"),
    ],
)
def test_an_expression_is_normalised(expression, normalised):
    schedule = parse_cron(expression)

    assert schedule.normalised == normalised
    assert parse_cron(normalised) == schedule


LISTS = "lists, ranges or steps"
UNEVEN = (
    "does not come out even; expected minutes that divide an hour (1m, 5m, 20m), "
    "hours that divide a day (1h, 6h), or 1d"
)
NUMBER = "expected 5: minute, hour, day of month, month, day of week"
NEVER = "never comes: no month that it names has such a day"
ALIASES = '"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", f"has 0 fields; {NUMBER}"),
        ("0 0 0 * * *", f"has 6 fields; {NUMBER}"),
        ("60 * * * *", f'has a bad minute "60"; expected 0 to 59, `*`, {LISTS}'),
        ("*/0 * * * *", f'has a bad minute "*/0"; expected 0 to 59, `*`, {LISTS}'),
        ("0 x * * *", f'has a bad hour "x"; expected 0 to 23, `*`, {LISTS}'),
        ("0 0 32 * *", f'has a bad day of month "32"; expected 1 to 31, `*`, `L`, `LW`, {LISTS}'),
        ("0 0 9-3 * *", f'has a bad day of month "9-3"; expected 1 to 31, `*`, `L`, `LW`, {LISTS}'),
        ("0 0 1 foo *", f'has a bad month "foo"; expected 1 to 12, jan to dec, `*`, {LISTS}'),
        ("0 0 * * 8", f'has a bad day of week "8"; expected 0 to 7, sun to sat, `*`, `5L`, `5#2`, {LISTS}'),
        (
            "0 0 * * fri-mon/0",
            f'has a bad day of week "5-1/0"; expected 0 to 7, sun to sat, `*`, `5L`, `5#2`, {LISTS}',
        ),
        ("0 0 31 2 *", NEVER),
        ("0 0 30,31 feb *", NEVER),
        ("0 0 31 4,jun *", NEVER),
        ("@dayly", 'is not known; did you mean "@daily"?'),
        ("@reboot", f"is not known; known are {ALIASES}"),
        ("every", 'is not known; expected "every 5m", "every 2h" or "every day"'),
        ("every 5s", 'is not known; expected "every 5m", "every 2h" or "every day"'),
        ("every 7m", UNEVEN),
        ("every 0h", UNEVEN),
        ("every 2 days", UNEVEN),
    ],
)
def test_a_bad_expression_is_refused_with_what_was_expected(expression, message):
    with pytest.raises(ValueError, match="cron") as caught:
        parse_cron(expression)

    assert str(caught.value) == f'cron "{expression}" {message}'


@given(st.lists(st.text("0123456789*/,-#lw²", max_size=5), min_size=5, max_size=5))
def test_an_expression_ticks_or_is_refused(fields):
    try:
        schedule = parse_cron(" ".join(fields))
    except ValueError:
        return
    assert schedule.next_after(utc("2024-01-01T00:00")) > utc("2024-01-01T00:00")
    assert schedule.describe()


@pytest.mark.parametrize(
    ("timezone", "message"),
    [
        ("Europe/Berln", 'time zone "Europe/Berln" is not known; did you mean "Europe/Berlin"?'),
        ("europe/berlin", 'time zone "europe/berlin" is not known; did you mean "Europe/Berlin"?'),
        (
            "../etc/passwd",
            'time zone "../etc/passwd" is not known; expected an IANA name like "Europe/Berlin"',
        ),
        ("/etc/passwd", 'time zone "/etc/passwd" is not known; expected an IANA name like "Europe/Berlin"'),
        ("", 'time zone "" is not known; expected an IANA name like "Europe/Berlin"'),
        ("\0", 'time zone "\0" is not known; expected an IANA name like "Europe/Berlin"'),
    ],
)
def test_an_unknown_time_zone_is_refused_with_the_nearest(timezone, message):
    with pytest.raises(ValueError, match="time zone") as caught:
        parse_cron("@daily", timezone)

    assert str(caught.value) == message


def test_a_folder_of_the_zone_database_is_no_time_zone():
    with pytest.raises(ValueError, match=r'^time zone "America" is not known; '):
        parse_cron("@daily", "America")


@pytest.mark.parametrize(
    ("expression", "timezone", "words"),
    [
        ("@daily", "UTC", "daily at 00:00 UTC"),
        ("0 9,17 * * *", BERLIN, "daily at 09:00 and 17:00 Europe/Berlin"),
        ("every 5m", "UTC", "every fifth minute of every hour"),
        ("every minute", BERLIN, "every minute"),
        ("@hourly", "UTC", "at the start of every hour"),
        ("0 9 * * mon-fri", BERLIN, "at 09:00 on Monday through Friday, Europe/Berlin"),
        ("@monthly", "UTC", "at 00:00 on the first day of every month, UTC"),
    ],
)
def test_a_schedule_is_described_in_words(expression, timezone, words):
    assert parse_cron(expression, timezone).describe() == words


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "ticks"),
    [
        pytest.param(
            "@daily", "UTC", "2024-02-28T00:00", ["2024-02-29T00:00", "2024-03-01T00:00"], id="strictly after"
        ),
        pytest.param("0 0 29 2 *", "UTC", "2024-03-01T00:00", ["2028-02-29T00:00"], id="leap day"),
        pytest.param(
            "0 0 13 * 5", "UTC", "2024-09-12T12:00", ["2024-09-13T00:00", "2024-09-20T00:00"], id="either day"
        ),
        pytest.param(
            "0 12 * * fri-sun", "UTC", "2024-01-04T00:00",
            ["2024-01-05T12:00", "2024-01-06T12:00", "2024-01-07T12:00", "2024-01-12T12:00"],
            id="over the weekend",
        ),
        # Berlin: 2024-03-31 02:00 becomes 03:00 (01:00 UTC); 2024-10-27 03:00 becomes 02:00 (01:00 UTC).
        pytest.param(
            "30 2 * * *", BERLIN, "2024-03-30T02:00",
            ["2024-03-31T01:00", "2024-04-01T00:30"], id="Berlin gap, fixed: first moment after it",
        ),
        pytest.param(
            "0,30 2,3 * * *", BERLIN, "2024-03-30T20:00",
            ["2024-03-31T01:00", "2024-03-31T01:30", "2024-04-01T00:00"],
            id="Berlin gap, fixed: what meets ticks once",
        ),
        pytest.param(
            "*/30 * * * *", BERLIN, "2024-03-31T00:10",
            ["2024-03-31T00:30", "2024-03-31T01:00", "2024-03-31T01:30"], id="Berlin gap, real time",
        ),
        pytest.param(
            "0 */2 * * *", BERLIN, "2024-03-30T23:10",
            ["2024-03-31T02:00", "2024-03-31T04:00"], id="Berlin gap, every 2h by the clock",
        ),
        pytest.param(
            "30 2 * * *", BERLIN, "2024-10-26T12:00",
            ["2024-10-27T00:30", "2024-10-28T01:30"], id="Berlin fold, fixed: once, the first",
        ),
        pytest.param(
            "30 2 * * *", BERLIN, "2024-10-27T01:10",
            ["2024-10-28T01:30"], id="Berlin fold, fixed, asked within the second pass",
        ),
        pytest.param(
            "0 * * * *", BERLIN, "2024-10-26T23:30",
            ["2024-10-27T00:00", "2024-10-27T01:00", "2024-10-27T02:00"], id="Berlin fold, real time: both",
        ),
        # New York: 2024-03-10 02:00 becomes 03:00 (07:00 UTC); 2024-11-03 02:00 becomes 01:00 (06:00 UTC).
        pytest.param(
            "15 2 * * *", NEW_YORK, "2024-03-10T00:00",
            ["2024-03-10T07:00", "2024-03-11T06:15"], id="New York gap, fixed",
        ),
        pytest.param(
            "*/20 * * * *", NEW_YORK, "2024-03-10T06:30",
            ["2024-03-10T06:40", "2024-03-10T07:00"], id="New York gap, real time",
        ),
        pytest.param(
            "30 1 * * *", NEW_YORK, "2024-11-03T00:00",
            ["2024-11-03T05:30", "2024-11-04T06:30"], id="New York fold, fixed",
        ),
        pytest.param(
            "*/30 1 * * *", NEW_YORK, "2024-11-03T04:00",
            ["2024-11-03T05:00", "2024-11-03T05:30", "2024-11-03T06:00", "2024-11-03T06:30",
             "2024-11-04T06:00"],
            id="New York fold, real time",
        ),
        pytest.param(
            "0 0 * * *", "Africa/Cairo", "2024-04-25T12:00",
            ["2024-04-25T22:00", "2024-04-26T21:00"], id="Cairo, no midnight",
        ),
    ],
)  # fmt: skip
def test_ticks_come_in_order(expression, timezone, after, ticks):
    schedule = parse_cron(expression, timezone)
    expected = [utc(tick) for tick in ticks]

    assert list(schedule.ticks(utc(after), expected[-1])) == expected
    assert schedule.next_after(utc(after)) == expected[0]
    assert [schedule.next_after(tick) for tick in expected[:-1]] == expected[1:]


def test_ticks_end_with_until_itself():
    schedule = parse_cron("@hourly")

    assert list(schedule.ticks(utc("2024-01-01T00:00"), utc("2024-01-01T02:00"))) == [
        utc("2024-01-01T01:00"),
        utc("2024-01-01T02:00"),
    ]
    assert list(schedule.ticks(utc("2024-01-01T00:10"), utc("2024-01-01T00:50"))) == []


def test_fractions_of_a_second_do_not_repeat_a_tick():
    schedule = parse_cron("@hourly")

    assert schedule.next_after(utc("2024-01-01T00:00:00.000001")) == utc("2024-01-01T01:00")
    assert schedule.next_after(utc("2023-12-31T23:59:59.999999")) == utc("2024-01-01T00:00")


@given(
    st.sampled_from(["30 2 * * *", "0,30 1-3 * * *", "*/7 * * * *", "5 */3 * * sun", "0 0 L * *", "@daily"]),
    st.sampled_from([BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]),
    st.integers(946_684_800, 2_208_988_800),
)
def test_asking_again_from_a_tick_gives_the_next_one(expression, timezone, start):
    schedule = parse_cron(expression, timezone)
    start = dt.datetime.fromtimestamp(start, dt.UTC)

    ticks = list(islice(schedule.ticks(start, utc("2060-01-01T00:00")), 30))

    assert ticks[0] == schedule.next_after(start)
    for tick, following in pairwise([start, *ticks]):
        assert tick < following == schedule.next_after(tick)
        assert (following.second, following.microsecond) == (0, 0)


def test_a_tick_has_one_key_in_every_zone():
    tick = utc("2024-03-31T01:00")

    assert tick_key("clean", tick) == "cron:clean:2024-03-31T01:00:00Z"
    assert tick_key("clean", tick.astimezone(dt.timezone(dt.timedelta(hours=2)))) == tick_key("clean", tick)


def test_a_tick_is_moved_where_its_time_is_left_out():
    schedule = parse_cron("30 2 * * *", BERLIN)

    assert schedule.is_moved(utc("2024-03-31T01:00"))
    assert not schedule.is_moved(utc("2024-04-01T00:30"))
    assert not schedule.is_moved(utc("2024-10-27T00:30"))
    assert schedule.local(utc("2024-03-31T01:00")).isoformat() == "2024-03-31T03:00:00+02:00"
