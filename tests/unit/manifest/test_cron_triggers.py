"""What a cron trigger may say beside its times."""

import json

import pytest

from patterns_os.manifest.parse import parse_manifest


def told(trigger: object) -> list[str]:
    text = json.dumps({"name": "clock", "scripts": [{"file": "a.py", "trigger": trigger}]})
    return [found.code for found in parse_manifest(text.encode()).diagnostics]


@pytest.mark.parametrize("catchup", ["all", "last", "none"])
@pytest.mark.parametrize("overlap", ["queue", "skip"])
def test_what_becomes_of_missed_ticks_and_of_ticks_that_meet_a_run_can_be_said(catchup, overlap):
    assert told({"cron": "@daily", "catchup": catchup, "overlap": overlap}) == []


def test_runs_beside_each_other_are_not_possible_yet():
    text = json.dumps(
        {"name": "clock", "scripts": [{"file": "a.py", "trigger": {"cron": "@daily", "overlap": "allow"}}]}
    )
    (found,) = parse_manifest(text.encode()).diagnostics

    assert (found.code, found.message, found.hint) == (
        "not-yet",
        '"overlap": "allow" is not possible yet, a node runs once at a time',
        'write "queue" or "skip"',
    )


def test_other_words_are_refused():
    assert told({"cron": "@daily", "catchup": "some"}) == ["wrong-value"]
    assert told({"catchup": "all"}) == ["missing-key"]
