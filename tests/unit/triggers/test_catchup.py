import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.triggers.catchup import MOST_CAUGHT_UP, MOST_COUNTED, Firing, decide, describe_missed

NOW = dt.datetime(2026, 1, 1, 12, 0, 30, tzinfo=dt.UTC)


def ago(minutes):
    """Give the tick that came so many whole minutes before that of 12:00."""
    return NOW.replace(second=0) - dt.timedelta(minutes=minutes)


# What has come, in minutes ago; the tick of 12:00 is on time.
TRUTH = [
    ([0], "all", "queue", [0]),
    ([0], "last", "queue", [0]),
    ([0], "none", "queue", [0]),
    ([0], "all", "skip", [0]),
    ([5], "all", "queue", [5]),
    ([5], "last", "queue", [5]),
    ([5], "none", "queue", []),
    ([5], "all", "skip", [5]),
    ([5], "none", "skip", []),
    ([7, 6, 5], "all", "queue", [7, 6, 5]),
    ([7, 6, 5], "last", "queue", [5]),
    ([7, 6, 5], "none", "queue", []),
    ([7, 6, 5], "all", "skip", [5]),
    ([7, 6, 5], "last", "skip", [5]),
    ([2, 1, 0], "all", "queue", [2, 1, 0]),
    ([2, 1, 0], "last", "queue", [0]),
    ([2, 1, 0], "none", "queue", [0]),
    ([2, 1, 0], "all", "skip", [0]),
    ([2, 1, 0], "none", "skip", [0]),
]


@pytest.mark.parametrize(("come", "catchup", "overlap", "run"), TRUTH)
def test_what_is_run_of_the_ticks_that_have_come(come, catchup, overlap, run):
    due = [ago(minutes) for minutes in come]

    firing = decide(due, len(due), NOW, catchup, overlap)

    left = [minutes for minutes in come if minutes not in run]
    assert firing == Firing(
        run=tuple(ago(minutes) for minutes in run),
        missed=len(left),
        last_missed=ago(left[-1]) if left else None,
    )


def test_a_minute_late_is_on_time():
    late, missed = NOW - dt.timedelta(seconds=60), NOW - dt.timedelta(seconds=61)

    assert decide([late], 1, NOW, "none").run == (late,)
    assert decide([missed], 1, NOW, "none").run == ()


@given(
    st.integers(1, 500),
    st.sampled_from(["all", "last", "none"]),
    st.sampled_from(["queue", "skip"]),
    st.integers(0, 90),
)
def test_no_more_are_run_than_the_bound_and_none_is_forgotten(count, catchup, overlap, offset):
    come = [ago(offset + minutes) for minutes in reversed(range(count))]

    firing = decide(come[-MOST_CAUGHT_UP - 1 :], count, NOW, catchup, overlap)

    assert len(firing.run) <= MOST_CAUGHT_UP
    assert len(firing.run) + firing.missed == count
    assert list(firing.run) == sorted(set(firing.run))
    assert (firing.last_missed is None) == (firing.missed == 0)


def test_what_was_missed_is_told():
    assert describe_missed(Firing(run=(ago(0),)), "last") is None
    assert (
        describe_missed(Firing(run=(), missed=1, last_missed=ago(60)), "none")
        == '1 tick was missed, the last at 2026-01-01 11:00 UTC (catchup "none")'
    )
    assert (
        describe_missed(Firing(run=(ago(0),), missed=MOST_COUNTED - 1, last_missed=ago(1)), "last")
        == '9999 or more ticks were missed, the last at 2026-01-01 11:59 UTC (catchup "last")'
    )
