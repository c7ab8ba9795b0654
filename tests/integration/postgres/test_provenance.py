"""Which run wrote a row from what, and who has taken it, on the real functions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres import provenance
from patterns_os.adapters.postgres.provenance import row_provenance
from patterns_os.adapters.postgres.reports import open_reports
from patterns_os.adapters.postgres.requests import drop_held, request_resume
from patterns_os.cli.provenance_text import row_line, row_lines
from patterns_os.errors import UsageError
from patterns_os.plan.spec import PlannedInput, PlannedNode, PlannedOutput, PlannedTable, PlannedWebhook
from patterns_os.ports.provenance import RowProvenance

pytestmark = pytest.mark.postgres

_LARGE = ("commits", "runs", "deliveries", "requests")


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"i": i} for i in range(count)]


@pytest.fixture
def look(hands: Any, database: str) -> Callable[..., RowProvenance]:
    """Give a function that tells the row at a position of a table."""

    def do(table: str, position: int = 1, patterns_id: str | None = None) -> RowProvenance:
        given = patterns_id or hands.one(
            f"select patterns_id from app_try_data.{table} where patterns_position = %s", position
        )
        with open_reports(database, "try") as reports:
            assert reports is not None
            return row_provenance(database, reports.app, reports.table(table), given)

    return do


def told(found: RowProvenance) -> list[str]:
    """Give what is printed at the moment when the row was written, without the row's own line."""
    return row_lines(found, found.written.at - timedelta(seconds=9))[1:]


def ingest(hands: Any, *counts: int) -> None:
    """Store deliveries of the webhook "hook", with so many rows each, in one commit."""
    hands.one(
        "select patterns_os.ingest_v2(%s, 'hook', %s, %s, %s, %s, '{i}', %s, '[]')",
        hands.deployment.app,
        hands.deployment.tables["src"],
        [b"{}" for _ in counts],
        [Jsonb({}) for _ in counts],
        list(counts),
        Jsonb(numbers(sum(counts)), dumps=orjson.dumps),
    )


@pytest.fixture
def hooked(hands: Any, deploy: Any) -> Any:
    """Give hands on the copying app with a webhook, and a node that reads `dst` whole."""
    whole = PlannedNode(
        name="whole",
        kind="sql",
        file="whole.sql",
        content="1",
        inputs=(PlannedInput(table="dst", port="dst", access="read", triggering=True),),
        outputs=(PlannedOutput(table="sum", port="sum"),),
    )
    plan = hands.deployment.plan
    hook = PlannedWebhook(name="hook", title="Hook", path="/hook", table="src", respond=None, verify=None)
    hands.deployment = deploy(
        plan.model_copy(
            update={
                "nodes": (*plan.nodes, whole),
                "tables": (*plan.tables, PlannedTable(name="sum")),
                "webhooks": (hook,),
            }
        )
    )
    return hands


def claim_of(hands: Any, node: str) -> Any:
    claim = hands.claim()
    assert claim["node"] == node
    return claim


class TestWhoWrote:
    def test_a_delivery_of_a_webhook_among_many(
        self, hooked: Any, look: Callable[..., RowProvenance]
    ) -> None:
        ingest(hooked, 1, 0, 3, 0)
        ingest(hooked, 2)

        found = [look("src", position).written.delivery for position in range(1, 7)]

        assert [one.delivery for one in found if one] == [1, 3, 3, 3, 5, 5]
        assert {(one.webhook, one.verdict) for one in found if one} == {("hook", "unchecked")}

    def test_a_run_from_one_row_of_one_delivery(
        self, hooked: Any, look: Callable[..., RowProvenance]
    ) -> None:
        ingest(hooked, 1)
        claim = claim_of(hooked, "copy")
        hooked.commit(claim, rows=numbers(1))
        version = hooked.deployment.plan.version_hash[:8]

        found = look("dst")
        source = look("src")

        assert told(found) == [
            f'written 0.0 s ago by run {claim["run"]} of node "copy" (rows, attempt 1, version {version})',
            f'  from table "src": the row at position 1, {source.patterns_id}',
            '    written 0.0 s ago by webhook "hook", delivery 1 (unchecked)',
            "taken by",
            '  "whole": not yet, seen at 0',
        ]
        assert found.state == "there"
        assert found.deliveries() == [source.written.delivery]
        assert told(source)[-1] == f'  "copy": taken by run {claim["run"]}, 0.0 s ago (done)'

    def test_a_range_is_told_with_its_count(self, hooked: Any, look: Callable[..., RowProvenance]) -> None:
        for _ in range(6):
            ingest(hooked, 2)
        hooked.commit(claim_of(hooked, "copy"), rows=numbers(1))

        lines = told(look("dst"))

        assert lines[1:] == [
            '  from table "src": 12 rows, positions 1 to 12',
            '    positions 1 to 2 written 0.0 s ago by webhook "hook", delivery 1 (unchecked)',
            '    positions 3 to 4 written 0.0 s ago by webhook "hook", delivery 2 (unchecked)',
            '    positions 5 to 6 written 0.0 s ago by webhook "hook", delivery 3 (unchecked)',
            "    … and by further commits",
            "taken by",
            '  "whole": not yet, seen at 0',
        ]

    def test_rows_that_a_key_has_taken_away_since_are_counted(
        self, hands: Any, look: Callable[..., RowProvenance]
    ) -> None:
        hands.write("src", numbers(5))
        hands.commit(hands.claim(), rows=numbers(1))
        hands.connection.execute("delete from app_try_data.src where patterns_position < 3")

        (given,) = look("dst").written.inputs

        assert (given.after, given.upto, given.rows, given.exact) == (0, 5, 3, True)

    def test_what_was_written_by_nobody_on_record(
        self, hands: Any, look: Callable[..., RowProvenance]
    ) -> None:
        hands.write("src", numbers(1))
        claim = hands.claim()
        hands.commit(claim, rows=numbers(1))
        hands.connection.execute("delete from patterns_os.runs")

        assert told(look("src")) == [
            "written 0.0 s ago by no run: a delivery that is not kept any more, or a held row that was let in",
            "taken by",
            '  "copy": passed, cursor at 1; no run that did is on record any more',
        ]
        assert told(look("dst"))[0] == (
            f"written 0.0 s ago by run {claim['run']}, whose record is not kept any more"
        )

    def test_the_tree_is_bounded(
        self, hands: Any, look: Callable[..., RowProvenance], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(provenance, "MOST_DEEP", 0)
        hands.write("src", numbers(1))
        hands.commit(hands.claim(), rows=numbers(1))

        assert told(look("dst"))[1] == "  … 1 input is not followed further"


class TestWhoTook:
    def test_each_row_by_the_run_that_had_it(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        runs = []
        for count in (3, 1, 4, 2):
            hands.write("src", numbers(count))
            claim = hands.claim()
            hands.commit(claim)
            runs += [claim["run"]] * count

        assert [look("src", n).taken[0].run.run for n in range(1, 11)] == runs  # type: ignore[union-attr] # each was taken

    def test_a_run_that_committed_a_part_before_it_failed(
        self, hands: Any, look: Callable[..., RowProvenance]
    ) -> None:
        hands.write("src", numbers(4))
        first = hands.claim()
        hands.commit(first, to=2, end=False)
        hands.fail(first)
        second = hands.claim()
        hands.commit(second)

        found = [look("src", n).taken[0] for n in range(1, 5)]

        assert [(one.state, one.run.run) for one in found if one.run] == [
            ("taken", first["run"]),
            ("taken", first["run"]),
            ("taken", second["run"]),
            ("taken", second["run"]),
        ]

    def test_what_is_under_way_and_what_is_not_yet(
        self, hands: Any, look: Callable[..., RowProvenance]
    ) -> None:
        hands.write("src", numbers(2))
        claim = hands.claim()
        hands.write("src", numbers(1))

        assert told(look("src", 2))[-1] == f'  "copy": run {claim["run"]}, 0.0 s ago (running) has it'
        assert told(look("src", 3))[-1] == '  "copy": not yet, cursor at 0'

    def test_a_record_that_is_held_then_delivered_again(
        self, hands: Any, look: Callable[..., RowProvenance], database: str
    ) -> None:
        hands.write("src", numbers(1))
        failed = hands.claim()
        where = {"table": hands.deployment.tables["src"], "stream": "", "position": 1, "attempts": 4}
        hands.fail(failed, held=where)
        number = hands.one("select id from patterns_os.held")
        held = told(look("src"))[-1]
        request_resume(database, hands.deployment.app, number)
        again = hands.claim()
        hands.commit(again, rows=numbers(1), release=[number])

        assert held == (
            f'  "copy": set aside as held record {number} after run {failed["run"]}, 0.0 s ago (failed)'
        )
        assert told(look("src"))[-1] == (
            f'  "copy": set aside by run {failed["run"]}, taken by run {again["run"]}, 0.0 s ago (done)'
        )
        assert told(look("dst"))[1] == (
            '  from table "src": the record at position 1, which had been set aside, '
            + look("src").patterns_id
        )

    def test_a_record_that_was_dropped(
        self, hands: Any, look: Callable[..., RowProvenance], database: str
    ) -> None:
        hands.write("src", numbers(1))
        failed = hands.claim()
        where = {"table": hands.deployment.tables["src"], "stream": "", "position": 1, "attempts": 4}
        hands.fail(failed, held=where)
        drop_held(database, hands.deployment.app, hands.one("select id from patterns_os.held"))

        assert told(look("src"))[-1] == (
            f'  "copy": run {failed["run"]}, 0.0 s ago (failed) failed at it, and it was dropped'
        )

    def test_a_node_that_is_gone(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("src", numbers(1))
        hands.connection.execute("update patterns_os.nodes set retired_at = now()")

        assert told(look("src"))[-1] == '  "copy": not taken, cursor at 0 (the node is retired)'

    def test_a_table_that_is_read_whole(self, hooked: Any, look: Callable[..., RowProvenance]) -> None:
        runs = []
        for _ in range(3):
            ingest(hooked, 1)
            hooked.commit(claim_of(hooked, "copy"), rows=numbers(2))
            claim = claim_of(hooked, "whole")
            hooked.commit(claim)
            runs += [claim["run"]] * 2

        found = [look("dst", n).taken[0] for n in range(1, 7)]

        assert [(one.state, one.run.run) for one in found if one.run] == [("read", run) for run in runs]

    def test_a_table_that_nobody_reads(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("dst", numbers(1))

        assert told(look("dst"))[-1] == "taken by nobody: no node reads the table"


class TestRowsThatAreGone:
    def test_a_replaced_row_that_nobody_took(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("src", numbers(2))
        before = look("src").patterns_id
        hands.write("src", numbers(1), kind="replace")
        hands.commit(hands.claim())

        found = look("src", patterns_id=before)

        assert (found.state, found.written.version, found.active_version) == ("replaced", 1, 2)
        assert told(found)[0] == (
            "replaced: it is of version 1 of the table, version 2 is active since "
            + found.active_since.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
        assert found.taken[0].state in {"replaced", "forgotten"}

    def test_a_row_of_a_table_that_was_emptied(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("src", numbers(2))
        before = look("src").patterns_id
        hands.commit(hands.claim())
        hands.write("src", [], kind="reset")

        found = look("src", patterns_id=before)

        assert (found.state, found.active_version, found.taken[0].state) == ("replaced", 2, "taken")

    def test_a_row_whose_key_came_again(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("src", numbers(2))
        before = look("src").patterns_id
        hands.connection.execute("delete from app_try_data.src where patterns_position = 1")

        found = look("src", patterns_id=before.upper())

        assert found.state == "gone"
        assert told(found)[0] == "gone: it was deleted, or a newer row with its key has taken its place"


class TestMistakes:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                "orders",
                (
                    'error[row-id] "orders" is no patterns_id; expected 26 characters of '
                    '0123456789abcdefghjkmnpqrstvwxyz, the first at most "7"\n'
                    "  hint: patterns table data shows the ids of rows"
                ),
            ),
            (
                "01k9v2m3x70zzz000000000001",
                (
                    "error[unknown-row] The id 01k9v2m3x70zzz000000000001 is of no table of this app: it was made "
                    "in another one, or in another database\n  hint: patterns table data src"
                ),
            ),
        ],
    )
    def test_what_is_no_row_of_the_app(
        self, hands: Any, look: Callable[..., RowProvenance], given: str, message: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            look("src", patterns_id=given)

        assert str(caught.value) == message

    def test_a_row_of_another_table(self, hands: Any, look: Callable[..., RowProvenance]) -> None:
        hands.write("src", numbers(1))
        given = look("src").patterns_id

        with pytest.raises(UsageError) as caught:
            look("dst", patterns_id=given)

        assert str(caught.value) == (
            f'error[unknown-row] The id {given} is of a row of table "src", not "dst"\n'
            f"  hint: patterns row src {given}"
        )

    def test_a_row_of_the_same_table_in_another_database(
        self, hands: Any, look: Callable[..., RowProvenance]
    ) -> None:
        hands.write("src", numbers(1))
        given = look("src").patterns_id

        for other in ("02" + given[2:], given[:-1] + "5"):
            with pytest.raises(UsageError, match=f'Table "src" never had a row with the id {other}'):
                look("src", patterns_id=other)


def test_the_line_says_who_has_it_not_yet(hooked: Any, look: Callable[..., RowProvenance]) -> None:
    ingest(hooked, 1)
    found = look("src")

    assert row_line(found, found.written.at) == (
        'written by webhook "hook", delivery 1 (unchecked) 0.0 s ago; "copy": not yet, cursor at 0'
    )
    hooked.commit(hooked.claim())
    after = look("src")
    assert row_line(after, after.written.at).endswith("; its reader has taken it")
    assert row_line(replace(after, taken=()), after.written.at).endswith("; no node reads it")


@pytest.mark.parametrize("name", ["_BLOCK", "_BLOCKS", "_BEFORE", "_AFTER", "_RUN", "_DELIVERY"])
def test_large_tables_are_not_scanned(hands: Any, name: str) -> None:
    """The tables that grow with the work are reached by an index."""
    hands.connection.execute("set enable_seqscan = off")
    values: dict[str, Any] = {
        "_BLOCK": (1, 1),
        "_BLOCKS": (1, 1, 4),
        "_AFTER": (1, 1),
        "_RUN": (1, 1),
        "_BEFORE": {"node": 1, "given": "$[*]", "key": "from", "position": 1},
        "_DELIVERY": {"app": 1, "table": 1, "first": 1, "last": 1},
    }

    statement = "explain " + getattr(provenance, name)
    plan = hands.connection.execute(statement.encode(), values[name]).fetchall()

    scanned = [row["QUERY PLAN"] for row in plan if "Seq Scan" in row["QUERY PLAN"]]
    assert [line for line in scanned if any(large in line for large in _LARGE)] == []
