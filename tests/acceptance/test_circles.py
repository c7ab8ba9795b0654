"""Circles that end: tables that trigger their own writers, with a bound."""

import json
import shutil
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "13-bounded-circle"

pytestmark = pytest.mark.postgres

REASON = 'it has come round 3 times, which is the max_hops of "critique"'


def held(app):
    return json.loads(app.patterns("held", "list", "--json").out)


def test_an_agent_that_works_on_its_own_answers_ends_when_it_is_done_or_at_its_bound(shared_app):
    app = shared_app
    shutil.copytree(EXAMPLE, app.folder, dirs_exist_ok=True)

    app.send({"text": "Dear Ann", "wishes": ["a date", "a joke"]})
    app.send({"text": "Dear Bob", "wishes": ["a date", "a joke", "a map", "a pony"]})

    letters = [row["text"] for row in app.rows("letters", "letters")]
    assert letters == ["Dear Ann, with a date, with a joke"]
    assert [row["missing"] for row in app.rows("critiques", "letters")] == [
        *("a date", "a joke"),
        *("a date", "a joke", "a map"),
    ]
    assert len(app.rows("drafts", "letters")) == 3 + 4
    [record] = held(app)
    assert (record["node"], record["why"], record["error"]["code"]) == ("critique", "dead", "max-hops")
    assert record["error"]["message"] == REASON
    assert record["record"]["text"] == "Dear Bob, with a date, with a joke, with a map"
    assert app.logs("critique")[-1] == f"1 record is set aside: {REASON}"


def test_a_held_record_goes_round_once_more_and_can_be_dropped(shared_app):
    app = shared_app
    shutil.copytree(EXAMPLE, app.folder, dirs_exist_ok=True)
    app.send({"text": "Dear Bob", "wishes": ["a date", "a joke", "a map", "a pony"]})
    app.run_to_the_end()

    app.patterns("held", "retry", str(held(app)[0]["number"]))
    app.patterns("run")

    [record] = held(app)
    assert record["record"]["text"].endswith("with a map, with a pony")
    assert (len(app.rows("drafts", "letters")), len(app.rows("critiques", "letters"))) == (5, 4)
    assert app.rows("letters", "letters") == []

    app.patterns("held", "drop", str(record["number"]), "--yes")
    app.patterns("run")
    assert held(app) == []


def test_a_sql_node_is_bounded_as_well_and_takes_a_held_row_again(shared_app):
    app = shared_app
    app.write(
        double__sql='insert into {{ Table("events", mode="w") }} '
        'select i * 2 as i from {{ Table("events").new }}'
    )
    app.manifest([{"file": "double.sql", "max_hops": 3}])
    app.send([{"i": 1}, {"i": 10}])

    assert app.column("events", "i") == [1, 10, 2, 20, 4, 40, 8, 80]
    assert [record["record"]["i"] for record in held(app)] == [8, 80]

    app.patterns("held", "retry", str(held(app)[1]["number"]))
    app.patterns("run")

    assert app.column("events", "i") == [1, 10, 2, 20, 4, 40, 8, 80, 160]
    assert [record["record"]["i"] for record in held(app)] == [8, 160]
