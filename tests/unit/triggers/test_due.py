"""Why a node does or does not run, fact by fact."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patterns_os.triggers.due import (
    InputFacts,
    LaneState,
    NodeFacts,
    RequestFacts,
    WebhookFacts,
    explain,
    is_due,
    length,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ERROR = {"code": "script-failed", "message": "KeyError: 'text'\nmore", "where": "my.py:7"}


def stream(**changes: Any) -> InputFacts:
    return InputFacts(**{"table": "t", "access": "stream", "cursor": 3, "seen": 3, "watermark": 3, **changes})


def read(**changes: Any) -> InputFacts:
    return InputFacts(**{"table": "r", "access": "read", "seen": 3, "watermark": 3, **changes})


def request(kind: str = "manual", due_in_s: float = -2.0) -> RequestFacts:
    return RequestFacts(kind=kind, due_at=NOW + timedelta(seconds=due_in_s))


def lane(**changes: Any) -> LaneState:
    return LaneState(**changes)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


DUE = {
    "a stream with rows after the watermark it saw": ({"inputs": (stream(watermark=5),)}, True),
    "a stream with nothing new": ({"inputs": (stream(),)}, False),
    "rows left over, and the last run moved": ({"inputs": (stream(cursor=1, moved=True),)}, True),
    "rows left over, and the last run did not move": ({"inputs": (stream(cursor=1),)}, False),
    "a table that is read and has a new version": ({"inputs": (read(watermark=4),)}, True),
    "a table that is read has no cursor": ({"inputs": (read(cursor=0, moved=True),)}, False),
    "an input that triggers nothing": ({"inputs": (stream(watermark=5, triggering=False),)}, False),
    "an input of an older version of the node": ({"inputs": (stream(watermark=5, active=False),)}, False),
    "no inputs at all": ({}, False),
    "any of two": ({"inputs": (stream(watermark=5), read())}, True),
    "all of two, one new": ({"inputs": (stream(watermark=5), read()), "when": "all"}, False),
    "all of two, both new": ({"inputs": (stream(watermark=5), read(watermark=5)), "when": "all"}, True),
    "all of none": ({"when": "all"}, False),
    "a request": ({"requests": (request(),)}, True),
    "a request for later": ({"requests": (request(due_in_s=60),)}, False),
    "a narrowed range, whatever is new": ({"lane": lane(narrow={"alone": 4})}, True),
    "a lane that runs": ({"inputs": (stream(watermark=5),), "lane": lane(run=9)}, False),
    "a lane that waits": ({"inputs": (stream(watermark=5),), "lane": lane(not_before=after(9))}, False),
    "a lane that has waited": ({"inputs": (stream(watermark=5),), "lane": lane(not_before=after(-1))}, True),
    "a paused lane": ({"requests": (request(),), "lane": lane(state="paused")}, False),
    "a stopped lane": ({"requests": (request(),), "lane": lane(state="stopped")}, False),
    "a failing lane whose wait is over": ({"lane": lane(state="failing", narrow={"alone": 4})}, True),
    "a retired node": ({"requests": (request(),), "retired": True}, False),
    "a webhook": ({"requests": (request(),), "kind": "webhook"}, False),
    "a node that is not deployed": ({"requests": (request(),), "deployed": False}, False),
}


@pytest.mark.parametrize(("facts", "expected"), DUE.values(), ids=DUE)
def test_is_due(facts: dict[str, Any], *, expected: bool) -> None:
    told = NodeFacts(node="n", now=NOW, **facts)

    assert is_due(told) is expected
    assert explain(told).due is expected
    assert (explain(told).state == "due") is expected


WHY = {
    "not deployed": ({"deployed": False}, "not deployed yet: no version of the app with it has run"),
    "retired": ({"retired": True}, "retired: the deployed version has no such node; its place is kept"),
    "running": (
        {"lane": lane(run=9, claimed_at=after(-12), launcher="local-1")},
        "running since 12 s: run 9, held by launcher local-1; nothing runs the app here now",
    ),
    "paused": ({"lane": lane(state="paused")}, "paused: nothing is claimed until it is resumed"),
    "backing off": (
        {"lane": lane(state="backoff", not_before=after(8), error=ERROR, attempts=2)},
        "fails with KeyError: 'text' (my.py:7), again in 8 s",
    ),
    "failing": (
        {"lane": lane(state="failing", not_before=after(180), error=ERROR)},
        "is failing with KeyError: 'text' (my.py:7), again in 3 min",
    ),
    "between two runs": ({"lane": lane(not_before=after(0.5))}, "waits between two runs, again in 0.5 s"),
    "due by rows": (
        {"inputs": (stream(watermark=5),), "served_by": "patterns dev"},
        'due: "t": cursor 3 of watermark 5',
    ),
    "due, with nobody to run it": (
        {"requests": (request("cron"),)},
        "due, and nothing runs the app: a cron request waits since 2 s",
    ),
    "due for a retry": (
        {"lane": lane(narrow={"alone": 4}, error=ERROR), "served_by": "patterns dev"},
        "due: tries again after KeyError: 'text' (my.py:7)",
    ),
    "a request for later": (
        {"requests": (request(due_in_s=30),)},
        "waits for a request that is due in 30 s",
    ),
    "waiting for rows": ({"inputs": (stream(),)}, 'waits for new rows: "t": cursor 3 of watermark 3'),
    "waiting for all": (
        {"inputs": (stream(watermark=5), read()), "when": "all"},
        'waits for new rows: "r": seen 3 of watermark 3',
    ),
    "a silent webhook upstream": (
        {"inputs": (stream(cursor=0, seen=0, watermark=0),), "silent_webhooks": ("Slack",)},
        'waits for new rows: "t": cursor 0 of watermark 0; upstream webhook "Slack" has had no delivery',
    ),
    "a failing node upstream": (
        {"inputs": (stream(),), "failing_upstream": ("fetch",)},
        'waits for new rows: "t": cursor 3 of watermark 3; upstream "fetch" is failing',
    ),
    "a cron": (
        {"next_tick": after(300), "served_by": "patterns dev"},
        "waits for its next tick, in 5 min (2026-03-01 12:05:00 UTC)",
    ),
    "a cron that nobody serves": (
        {"next_tick": after(300)},
        "waits for its next tick, in 5 min (2026-03-01 12:05:00 UTC); nothing runs the app now",
    ),
    "a tick that is late": (
        {"next_tick": after(-300)},
        "its tick of 2026-03-01 11:55:00 UTC is late by 5 min, and nothing runs the app",
    ),
    "manual": ({}, "runs only when asked: it has no input that triggers it, and no cron"),
    "a silent webhook": (
        {"kind": "webhook", "webhook": WebhookFacts(title="Slack")},
        "waits for its first delivery; nothing listens now",
    ),
    "a webhook with deliveries": (
        {
            "kind": "webhook",
            "webhook": WebhookFacts(title="Slack", accepted=2, last_at=after(-3)),
            "served_by": "patterns dev",
        },
        "has had 2 deliveries, the last 3 s ago",
    ),
}


@pytest.mark.parametrize(("facts", "cause"), WHY.values(), ids=WHY)
def test_the_cause_in_one_line(facts: dict[str, Any], cause: str) -> None:
    assert explain(NodeFacts(node="n", now=NOW, **facts)).cause == cause


def test_the_details_say_what_decides_it() -> None:
    facts = NodeFacts(
        node="my node",
        now=NOW,
        inputs=(stream(writers=("hook",)), read(triggering=False)),
        lane=lane(state="backoff", not_before=after(8), error=ERROR, attempts=2, narrow={"before": 7}),
        requests=(request("manual", 5),),
        held=1,
    )

    told = explain(facts)

    assert told.details == (
        'input "t": cursor 3 of watermark 3 (stream), written by "hook"',
        'input "r": seen 3 of watermark 3 (read, does not trigger)',
        "the records before position 7 go first",
        "2 failures in a row",
        "1 request pending: manual",
        "1 record set aside: patterns held list",
    )
    assert told.hint == 'patterns logs "my node"'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (1, "1 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert length(seconds) == text


def test_the_ticks_of_a_cron_are_told_as_the_clocks_of_its_zone_show_them() -> None:
    facts = NodeFacts(
        node="report",
        now=NOW,
        cron="30 2 * * * (Europe/Berlin)",
        timezone="Europe/Berlin",
        catchup="none",
        next_tick=datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        last_tick=(datetime(2026, 3, 1, 1, 30, tzinfo=UTC), "done"),
        missed=2,
        missed_at=datetime(2026, 2, 28, 1, 30, tzinfo=UTC),
    )

    assert explain(facts).details == (
        "cron 30 2 * * * (Europe/Berlin)",
        "next tick 2026-03-29 03:00 Europe/Berlin (2026-03-29 01:00 UTC)",
        "last tick 2026-03-01 02:30 Europe/Berlin (2026-03-01 01:30 UTC): has run",
        '2 ticks missed, the last 2026-02-28 02:30 Europe/Berlin (2026-02-28 01:30 UTC) (catchup "none")',
    )
