import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.control.rates import Rate


def test_so_many_may_come_at_once_and_then_one_at_a_time():
    rate = Rate(10, 2)

    assert [rate.take(0), rate.take(0), rate.take(0), rate.take(0.1), rate.take(0.15)] == pytest.approx(
        [0, 0, 0.1, 0, 0.05]
    )


def test_a_long_pause_saves_no_more_than_fits():
    rate = Rate(10, 2)
    rate.take(0)

    assert [rate.take(100) for _ in range(3)] == [0, 0, 0.1]


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=200), st.integers(1, 20), st.floats(0.1, 50))
def test_never_more_than_the_rate_and_what_may_come_at_once(pauses, at_once, per_second):
    rate, now, taken = Rate(per_second, at_once), 0.0, 0
    for pause in pauses:
        now += pause
        taken += rate.take(now) == 0

    assert taken <= at_once + now * per_second + 1e-6
