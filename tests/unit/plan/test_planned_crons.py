"""Crons in plans: their rules, and how a difference of them is told."""

import json

import pytest

from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app
from patterns_os.plan.differences import node_details
from patterns_os.plan.spec import PlannedCron
from patterns_os.triggers.cron import parse_cron


def planned(trigger):
    manifest = {"name": "clock", "scripts": [{"file": "a.py", "trigger": trigger}]}
    sources = Sources({"manifest.json": json.dumps(manifest).encode(), "a.py": b""})
    (node,) = compile_app(sources, parse_cron=parse_cron).plan.nodes
    return node


def test_one_run_makes_up_for_what_was_missed_and_ticks_wait_unless_it_is_said_otherwise():
    assert planned("@daily").cron == PlannedCron(
        expression="0 0 * * *", timezone="UTC", catchup="last", overlap="queue"
    )
    assert planned({"cron": "@daily", "catchup": "none", "overlap": "skip"}).cron == PlannedCron(
        expression="0 0 * * *", catchup="none", overlap="skip"
    )


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"catchup": "all"}, 'trigger: cron 0 0 * * * → cron 0 0 * * *, catchup "all"'),
        ({"overlap": "skip"}, 'trigger: cron 0 0 * * * → cron 0 0 * * *, overlap "skip"'),
    ],
)
def test_other_rules_are_a_difference(rules, text):
    details = node_details(planned("@daily"), planned({"cron": "@daily", **rules}), {})

    assert text in [detail.text for detail in details]
