"""The truth table of failures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.runs.retry import Decision, Failure, Held, LaneFacts, decide_retry, delay_after

AT = {"table": 7, "stream": "", "position": 42, "first": 40}
ALONE = {"table": 7, "stream": "", "alone": 42}

CASES = {
    "the machinery died": (
        Failure(family="infrastructure", yielded=3, **AT),
        LaneFacts(attempts=1, deaths=0, narrow=ALONE),
        {"state": "idle", "delay_s": 0.0, "attempts": 1, "deaths": 1, "narrow": ALONE},
    ),
    "the machinery died the sixth time at one record": (
        Failure(family="infrastructure", yielded=1, **AT),
        LaneFacts(deaths=5, narrow=ALONE),
        {"state": "backoff", "delay_s": 1.0, "attempts": 1, "deaths": 0, "narrow": ALONE},
    ),
    "the machinery dies on and on outside any record": (
        Failure(family="infrastructure"),
        LaneFacts(deaths=50),
        {"state": "idle", "delay_s": 5.0, "attempts": 0, "deaths": 51, "narrow": None},
    ),
    "the world is flaky": (
        Failure(family="temporary", yielded=1, **AT),
        LaneFacts(attempts=3),
        {"state": "backoff", "delay_s": 120.0, "attempts": 4, "narrow": None},
    ),
    "the world says when": (
        Failure(family="temporary", retry_after_s=7.5),
        LaneFacts(),
        {"state": "backoff", "delay_s": 7.5, "attempts": 1},
    ),
    "the configuration is wrong, however often": (
        Failure(family="permanent", yielded=1, **AT),
        LaneFacts(attempts=99),
        {"state": "backoff", "delay_s": 300.0, "attempts": 100, "held": None},
    ),
    "outside any record": (
        Failure(family="node"),
        LaneFacts(attempts=9),
        {"state": "backoff", "delay_s": 300.0, "attempts": 10, "held": None},
    ),
    "a request outside any record is tried again": (
        Failure(family="node"),
        LaneFacts(request_attempts=0),
        {"state": "backoff", "delay_s": 1.0, "request": "pending"},
    ),
    "a request that keeps failing is given up": (
        Failure(family="node"),
        LaneFacts(request_attempts=3),
        {"state": "idle", "delay_s": 0.0, "attempts": 0, "request": "failed"},
    ),
    "after the loop over many": (
        Failure(family="node", yielded=3, after_loop=True, **AT),
        LaneFacts(),
        {"state": "idle", "delay_s": 0.0, "narrow": {"table": 7, "stream": "", "before": 42}},
    ),
    "after the loop over one": (
        Failure(family="node", yielded=1, after_loop=True, **AT),
        LaneFacts(attempts=3),
        {"state": "idle", "held": Held(table=7, stream="", position=42, attempts=4), "dead_in_row": 1},
    ),
    "after the loop over one, with nothing done since the last dead one": (
        Failure(family="node", yielded=1, after_loop=True, **AT),
        LaneFacts(attempts=3, dead_in_row=1),
        {"state": "failing", "delay_s": 120.0, "attempts": 4, "held": None, "narrow": ALONE},
    ),
    "at a record with others before it": (
        Failure(family="node", yielded=2, **AT),
        LaneFacts(),
        {"state": "idle", "delay_s": 0.0, "attempts": 1, "narrow": {"table": 7, "stream": "", "before": 42}},
    ),
    "at a record alone, the first time": (
        Failure(family="node", yielded=1, **AT),
        LaneFacts(),
        {"state": "backoff", "delay_s": 1.0, "attempts": 1, "narrow": ALONE},
    ),
    "at a record alone, the second time": (
        Failure(family="node", yielded=1, **AT),
        LaneFacts(attempts=1, narrow=ALONE),
        {"state": "backoff", "delay_s": 10.0, "attempts": 2, "narrow": ALONE},
    ),
    "at a record alone, after all retries": (
        Failure(family="node", yielded=1, **AT),
        LaneFacts(attempts=3, narrow=ALONE, dead_in_row=2),
        {
            "state": "idle",
            "delay_s": 0.0,
            "attempts": 0,
            "dead_in_row": 3,
            "narrow": None,
            "held": Held(table=7, stream="", position=42, attempts=4),
        },
    ),
    "a row of a record alone was refused": (
        Failure(family="node", yielded=1, refused=True, **AT),
        LaneFacts(dead_in_row=2),
        {
            "state": "idle",
            "delay_s": 0.0,
            "attempts": 0,
            "dead_in_row": 3,
            "held": Held(table=7, stream="", position=42, attempts=1),
            "reason": "a row of the record was refused, and the record is set aside",
        },
    ),
    "a row was refused at a record with others before it": (
        Failure(family="node", yielded=2, refused=True, **AT),
        LaneFacts(),
        {"state": "idle", "delay_s": 0.0, "held": None, "narrow": {"table": 7, "stream": "", "before": 42}},
    ),
    "rows of three records in a row were refused": (
        Failure(family="node", yielded=1, refused=True, **AT),
        LaneFacts(dead_in_row=3),
        {"state": "failing", "delay_s": 1.0, "held": None, "narrow": ALONE},
    ),
    "a row was refused outside any record": (
        Failure(family="node", refused=True),
        LaneFacts(),
        {"state": "backoff", "delay_s": 1.0, "attempts": 1, "held": None},
    ),
    "three were set aside in a row": (
        Failure(family="node", yielded=1, **AT),
        LaneFacts(attempts=4, narrow=ALONE, dead_in_row=3),
        {"state": "failing", "delay_s": 240.0, "attempts": 5, "held": None, "narrow": ALONE},
    ),
}


@pytest.mark.parametrize(("failure", "lane", "expected"), CASES.values(), ids=CASES.keys())
def test_decides(failure: Failure, lane: LaneFacts, expected: dict) -> None:
    decision = decide_retry(failure, lane, retries=3, on_error="hold")

    assert {name: getattr(decision, name) for name in expected} == expected


def test_a_node_that_stops_on_errors_waits_at_the_record() -> None:
    failure = Failure(family="node", yielded=1, **AT)

    decision = decide_retry(failure, LaneFacts(attempts=3), retries=3, on_error="stop")

    assert (decision.state, decision.held, decision.narrow) == ("failing", None, ALONE)


def test_without_retries_a_record_is_set_aside_at_once() -> None:
    decision = decide_retry(Failure(family="node", yielded=1, **AT), LaneFacts(), retries=0, on_error="hold")

    assert decision.held == Held(table=7, stream="", position=42, attempts=1)


FAILURES = st.builds(
    Failure,
    family=st.sampled_from(["node", "temporary", "permanent", "internal", "infrastructure"]),
    table=st.just(7),
    position=st.one_of(st.none(), st.integers(41, 10_000)),
    first=st.just(40),
    yielded=st.integers(1, 100),
    after_loop=st.booleans(),
    refused=st.booleans(),
)
LANES = st.builds(
    LaneFacts,
    attempts=st.integers(0, 20),
    deaths=st.integers(0, 20),
    dead_in_row=st.integers(0, 5),
    request_attempts=st.one_of(st.none(), st.integers(0, 5)),
)


@given(
    FAILURES, LANES, st.integers(0, 5), st.sampled_from(["hold", "stop"]), st.floats(0, 1, exclude_max=True)
)
def test_nothing_is_lost_and_nothing_spins(
    failure: Failure, lane: LaneFacts, retries: int, on_error: str, jitter: float
) -> None:
    decision: Decision = decide_retry(failure, lane, retries=retries, on_error=on_error, jitter=jitter)

    assert 0 <= decision.delay_s <= 330
    if decision.held is not None:
        assert failure.family in {"node", "infrastructure"}
        assert decision.held.position == failure.position
        assert on_error == "hold"
    if decision.narrow is not None and decision.narrow is not lane.narrow:
        # a narrowed range is smaller than the one that failed, or is the one record
        assert 41 <= decision.narrow.get("before", decision.narrow.get("alone")) <= failure.position
    moves_on = decision.held is not None or decision.request == "failed" or failure.family == "infrastructure"
    narrows = decision.narrow is not None and "before" in decision.narrow
    assert moves_on or narrows or decision.delay_s > 0


def test_delays_grow_to_five_minutes() -> None:
    assert [delay_after(n) for n in range(1, 8)] == [1, 10, 60, 120, 240, 300, 300]
