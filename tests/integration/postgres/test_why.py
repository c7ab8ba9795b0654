"""One line for each thing that can keep a node from running, from the real database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.reports import open_reports
from patterns_os.triggers.due import explain
from patterns_os.triggers.why import ReaderFacts, RunFacts, TableFacts, explain_run, explain_table

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ERROR = Jsonb({"message": "KeyError: 'text'", "where": "copy.py:7"})


def nothing(hands: Any) -> None:
    """Leave the app as it was deployed."""


def rows(hands: Any) -> None:
    hands.write("src", [{"i": 1}, {"i": 2}])


def running(hands: Any) -> None:
    rows(hands)
    hands.claim("box-1")
    hands.connection.execute("update patterns_os.lanes set claimed_at = now() - interval '40 s'")


def failing(hands: Any) -> None:
    rows(hands)
    hands.connection.execute(
        "update patterns_os.lanes set state = 'failing', error = %s, attempts = 3, "
        "not_before = now() + interval '5 min 10 s'",
        (ERROR,),
    )


def backing_off(hands: Any) -> None:
    failing(hands)
    hands.connection.execute("update patterns_os.lanes set state = 'idle'")


def paused(hands: Any) -> None:
    rows(hands)
    hands.connection.execute("update patterns_os.lanes set state = 'paused'")


def dead_letters(hands: Any) -> None:
    rows(hands)
    for position in (1, 2):
        where = {"table": hands.deployment.tables["src"], "stream": "", "position": position, "attempts": 4}
        hands.fail(hands.claim(), held=where)
    hands.commit(hands.claim())


def requested(hands: Any) -> None:
    hands.connection.execute(
        "insert into patterns_os.requests (app, node, kind, key, due_at) "
        "select app, id, 'manual', 'k', now() - interval '3 min 5 s' from patterns_os.nodes"
    )


def asked_for_later(hands: Any) -> None:
    requested(hands)
    hands.connection.execute("update patterns_os.requests set due_at = now() + interval '5 min 10 s'")


def retired(hands: Any) -> None:
    hands.connection.execute("update patterns_os.nodes set retired_at = now()")


DEV = "patterns dev"
SITUATIONS: dict[str, tuple[Callable[[Any], None], str | None, str]] = {
    "waiting for rows": (nothing, DEV, 'waits for new rows: "src": cursor 0 of watermark 0'),
    "rows that nobody has taken yet": (rows, DEV, 'due: "src": cursor 0 of watermark 2'),
    "no launcher runs": (rows, None, 'due, and nothing runs the app: "src": cursor 0 of watermark 2'),
    "running": (running, DEV, "running since 40 s: run 1, held by launcher box-1"),
    "a lease whose holder is not here": (
        running,
        None,
        "running since 40 s: run 1, held by launcher box-1; nothing runs the app here now",
    ),
    "failing": (failing, DEV, "is failing with KeyError: 'text' (copy.py:7), again in 5 min"),
    "backing off": (backing_off, DEV, "fails with KeyError: 'text' (copy.py:7), again in 5 min"),
    "paused": (paused, DEV, "paused: nothing is claimed until it is resumed"),
    "dead letters": (
        dead_letters,
        DEV,
        'waits for new rows: "src": cursor 2 of watermark 2; 2 records set aside',
    ),
    "a request": (requested, DEV, "due: a manual request waits since 3 min"),
    "a request for later": (asked_for_later, DEV, "waits for a request that is due in 5 min"),
    "retired": (retired, DEV, "retired: the deployed version has no such node; its place is kept"),
}


@pytest.mark.parametrize(("arrange", "served_by", "line"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_node_says_what_it_waits_for(
    hands: Any, database: str, arrange: Callable[[Any], None], served_by: str | None, line: str
) -> None:
    arrange(hands)

    with open_reports(database, "try") as reports:
        assert reports is not None
        assert explain(reports.node_facts("copy", served_by=served_by)).cause == line


class TestRuns:
    def told(self, database: str, number: int) -> str:
        with open_reports(database, "try") as reports:
            assert reports is not None
            run = reports.run(number)
            now = (run.ended_at or run.claimed_at) + timedelta(seconds=7)
            error = None if run.error is None else str(run.error.get("message"))
            names = (
                "run", "node", "reason", "state", "attempt", "rows_in", "rows_out", "claimed_at", "ended_at",
                "launcher",
            )  # fmt: skip
            facts = RunFacts(
                **{name: getattr(run, name) for name in names},
                now=now,
                error=error,
                node_now=explain(reports.node_facts("copy", served_by=DEV)),
            )
            return explain_run(facts).cause

    def test_one_that_runs(self, hands: Any, database: str) -> None:
        rows(hands)
        hands.claim("box-1")

        assert self.told(database, 1) == 'running since 7 s in node "copy", held by launcher box-1'

    def test_one_that_is_done(self, hands: Any, database: str) -> None:
        rows(hands)
        hands.commit(hands.claim(), rows=[{"i": 1}], rows_in=2)

        assert self.told(database, 1) == 'done 7 s ago: node "copy" took 2 rows and wrote 1, in 0.0 s'

    def test_one_whose_launcher_is_gone(self, hands: Any, database: str) -> None:
        rows(hands)
        hands.claim()
        (lane,) = hands.rows("select node, lane, token from patterns_os.lanes")
        hands.one("select patterns_os.rescue_v1(%s, %s)", hands.deployment.app, Jsonb([lane]))

        assert self.told(database, 1) == (
            'lost 7 s ago in node "copy" with the launcher of this run is gone; '
            'the node now: due: "src": cursor 0 of watermark 2'
        )


class TestTables:
    def told(self, database: str) -> str:
        with open_reports(database, "try") as reports:
            assert reports is not None
            table = reports.table("dst")
            facts = TableFacts(
                table="dst",
                now=table.written_at + timedelta(seconds=7) if table.written_at else NOW,
                rows=table.rows,
                watermark=table.watermark,
                version=table.version,
                written_at=table.written_at,
                writers=tuple(
                    explain(reports.node_facts(node, served_by=DEV)) for node in reports.writers("dst")
                ),
                readers=tuple(ReaderFacts(node=name, behind=3) for name in reports.readers("dst")),
            )
            return explain_table(facts).cause

    def test_one_that_was_never_written(self, hands: Any, database: str) -> None:
        assert self.told(database) == (
            'has never been written: its writer "copy" waits for new rows: "src": cursor 0 of watermark 0'
        )

    def test_one_that_nobody_reads(self, hands: Any, database: str) -> None:
        rows(hands)
        hands.commit(hands.claim(), rows=[{"i": 1}])

        assert self.told(database) == "1 row, last written 7 s ago; no node reads it"

    def test_one_whose_writer_fails(self, hands: Any, database: str) -> None:
        rows(hands)
        hands.commit(hands.claim(), rows=[{"i": 1}])
        failing(hands)

        assert self.told(database) == (
            "1 row, last written 7 s ago; its writer \"copy\" is failing with KeyError: 'text' (copy.py:7), "
            "again in 5 min"
        )


@pytest.mark.parametrize(
    ("behind", "line"),
    [
        ((2, 0), '4 rows, last written 9 s ago; "a" is 2 rows behind'),
        ((0, 0), "4 rows, last written 9 s ago; all readers have seen all of it"),
        ((0,), "4 rows, last written 9 s ago; its reader has seen all of it"),
    ],
)
def test_a_table_says_who_is_behind(behind: tuple[int, ...], line: str) -> None:
    facts = TableFacts(
        table="t",
        now=NOW,
        rows=4,
        watermark=4,
        version=1,
        written_at=NOW - timedelta(seconds=9),
        writers=(),
        readers=tuple(
            ReaderFacts(node=name, behind=count) for name, count in zip("ab", behind, strict=False)
        ),
    )

    assert explain_table(facts).cause == line
