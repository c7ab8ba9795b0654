"""What the commands tell about an app, read from a real database."""

from collections.abc import Iterator
from math import isnan
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.invariants import check_invariants
from patterns_os.adapters.postgres.migrate import pending_steps
from patterns_os.adapters.postgres.reports import PostgresReports, open_reports
from patterns_os.adapters.postgres.requests import drop_held, request_resume, request_run
from patterns_os.adapters.postgres.reset import delete_app
from patterns_os.errors import PatternsError, UsageError
from patterns_os.triggers.due import explain

pytestmark = pytest.mark.postgres


@pytest.fixture
def reports(hands: Any, database: str) -> Iterator[PostgresReports]:
    """Give reports on the copying app."""
    with open_reports(database, "try") as found:
        assert found is not None
        yield found


def numbers(count: int) -> list[dict[str, Any]]:
    return [{"i": i} for i in range(count)]


def held(hands: Any) -> int:
    """Set the only row of `src` aside; give the held record's number."""
    hands.write("src", [{"i": 1, "patterns_more": {"note": {"$float": "nan"}}}])
    claim = hands.claim()
    where = {"table": hands.deployment.tables["src"], "stream": "", "position": 1, "attempts": 4}
    hands.fail(claim, held=where)
    return int(hands.one("select id from patterns_os.held"))


class TestApps:
    def test_an_app_that_never_ran_has_no_reports(self, hands: Any, database: str) -> None:
        with open_reports(database, "other") as found:
            assert found is None

    def test_nor_has_a_database_without_control_schema(self, database: str) -> None:
        with open_reports(database, "try") as found:
            assert found is None


class TestTables:
    def test_a_table_with_its_size_columns_and_place(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(3))
        hands.write("src", numbers(2), kind="replace")

        table = reports.table("src")

        assert (table.rows, table.watermark, table.version) == (2, 5, 2)
        assert [(column.name, column.type) for column in table.columns] == [("i", "bigint")]
        assert [found.name for found in reports.tables()] == ["dst", "src"]
        assert (reports.writers("dst"), reports.readers("src")) == (("copy",), ("copy",))

    def test_an_unknown_table_is_named_with_its_neighbours(self, reports: PostgresReports) -> None:
        with pytest.raises(UsageError) as caught:
            reports.table("srk")

        assert str(caught.value) == (
            'error[unknown-table] No table has the name "srk"; known tables: "dst", "src"\n'
            '  hint: did you mean "src"?'
        )

    def test_the_newest_rows_come_last(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(5))

        found = reports.rows(reports.table("src"), limit=2)

        assert [dict(row.record) for row in found.rows] == [{"i": 3}, {"i": 4}]
        assert [row.position for row in found.rows] == [4, 5]
        assert found.total == 5

    def test_values_beside_the_columns_are_merged_in(self, hands: Any, reports: PostgresReports) -> None:
        more = {"i": {"$int": str(2**70)}, "tags": ["a"], "patterns_id": "mine"}
        hands.write("src", [{"i": 1}, {"patterns_more": more}])

        table = reports.table("src")
        found = reports.rows(table, limit=9)

        assert found.columns == ("i", "tags", "patterns_id")
        assert dict(found.rows[1].record) == {"i": 2**70, "tags": ["a"], "patterns_id": "mine"}
        assert found.rows[1].patterns_id != "mine"
        assert reports.uncolumned(table) == {"i": 1, "patterns_id": 1, "tags": 1}

    def test_keys_that_look_like_tags_are_counted_by_their_name(
        self, hands: Any, reports: PostgresReports
    ) -> None:
        hands.write(
            "src", [{"patterns_more": {"$dict": [["$ref", 1]]}}, {"patterns_more": {"$dict": 1, "b": 2}}]
        )

        assert reports.uncolumned(reports.table("src")) == {"$dict": 1, "$ref": 1, "b": 1}

    def test_an_older_version_is_not_shown(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(3))
        hands.write("src", [], kind="reset")

        found = reports.rows(reports.table("src"), limit=9)

        assert (found.rows, found.total) == ((), 0)


class TestConditions:
    @pytest.mark.parametrize(
        "where",
        [
            "i >= 3",
            "i >= 3 -- a comment",
            "i in (select i from src where i > 2)",
            "patterns_more is null and i::text like '%3%' or i = 4",
            "src.i > 2",
        ],
    )
    def test_rows_are_chosen_by_sql(self, hands: Any, reports: PostgresReports, where: str) -> None:
        hands.write("src", numbers(5))

        found = reports.rows(reports.table("src"), limit=9, where=where)

        assert [row.record["i"] for row in found.rows] == [3, 4]
        assert found.total == 2

    @pytest.mark.parametrize(
        ("where", "rest"),
        [
            ("", "is not one SQL expression"),
            ("i = 1; select 1", "is not one SQL expression"),
            ("i = 1) or (true", "is no SQL expression"),
            ("delete from src", "is no SQL expression that only chooses rows"),
            ("j = 1", 'does not work on table "src": column "j" does not exist'),
            (
                "pg_read_file('x') is null",
                'does not work on table "src": permission denied for function pg_read_file',
            ),
            (
                "exists (select 1 from patterns_os.runs)",
                'does not work on table "src": permission denied for table runs',
            ),
            (
                "patterns_os.create_table_v1(1, 'evil') > 0",
                'does not work on table "src": it would write',
            ),
        ],
    )
    def test_what_is_no_condition_is_refused(
        self, hands: Any, reports: PostgresReports, where: str, rest: str
    ) -> None:
        hands.write("src", numbers(2))

        with pytest.raises(UsageError) as caught:
            reports.rows(reports.table("src"), limit=9, where=where)

        assert caught.value.message == f'The condition "{where}" {rest}'
        assert hands.one("select count(*) from app_try.src") == 2


class TestRuns:
    def test_runs_by_node_and_state(self, hands: Any, reports: PostgresReports) -> None:
        for _ in range(2):
            hands.write("src", numbers(1))
            hands.commit(hands.claim(), rows=[{"i": 1}], rows_in=1)
        hands.write("src", numbers(1))
        hands.fail(hands.claim())

        found = reports.runs(limit=2)

        assert [(run.state, run.rows_in, run.rows_out) for run in found] == [("done", 1, 1), ("failed", 0, 0)]
        assert (found[1].reason, found[1].node, found[1].error) == ("rows", "copy", {"code": "x"})
        assert [run.state for run in reports.runs(node="copy", state="done")] == ["done", "done"]
        assert reports.runs(node="other") == []

    def test_logs_page_forwards_and_back(self, hands: Any, reports: PostgresReports) -> None:
        lines = [
            {"node": "copy", "run": n, "stream": "stdout", "line": f"l{n}", "at": "2026-01-01T00:00:00Z"}
            for n in range(4)
        ]
        hands.one("select patterns_os.log_v1(%s, %s)", hands.deployment.app, Jsonb(lines))

        newest = reports.logs("copy", limit=2)

        assert [line.line for line in newest] == ["l2", "l3"]
        assert [line.line for line in reports.logs("copy", after=newest[0].number)] == ["l3"]
        assert [line.line for line in reports.logs("copy", run=1)] == ["l1"]
        assert reports.last_log() == newest[1].number


class TestHeld:
    def test_a_held_record_has_its_values(self, hands: Any, reports: PostgresReports) -> None:
        number = held(hands)

        (found,) = reports.held(number)

        assert (found.node, found.table, found.position, found.why, found.retry) == (
            "copy",
            "src",
            1,
            "dead",
            None,
        )
        assert found.record["i"] == 1
        assert isnan(found.record["note"])

    def test_a_retry_is_asked_for_once(self, hands: Any, reports: PostgresReports, database: str) -> None:
        number = held(hands)

        assert request_resume(database, reports.app, number) == "copy"
        request_resume(database, reports.app, number)

        assert hands.one("select count(*) from patterns_os.requests") == 1
        assert reports.held(number)[0].retry == "pending"
        claim = hands.claim()
        assert (claim["reason"], claim["held"]["id"]) == ("resume", number)

    def test_a_dropped_record_is_gone(self, hands: Any, reports: PostgresReports, database: str) -> None:
        number = held(hands)

        drop_held(database, reports.app, number)

        assert reports.held() == []
        with pytest.raises(UsageError, match=f"No held record has the number {number}"):
            drop_held(database, reports.app, number)
        with pytest.raises(UsageError, match=f"No held record has the number {number}"):
            request_resume(database, reports.app, number)


class TestFacts:
    def test_a_node_with_rows_to_do_is_due(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(3))

        told = explain(reports.node_facts("copy", served_by="patterns dev"))

        assert (told.due, told.cause) == (True, 'due: "src": cursor 0 of watermark 3')

    def test_a_run_that_is_running(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(3))
        claim = hands.claim()

        told = explain(reports.node_facts("copy"))

        assert told.cause == (
            f"running since 0.0 s: run {claim['run']}, held by launcher me; nothing runs the app here now"
        )
        assert "launcher me" in told.details

    def test_a_request_makes_a_node_run(self, hands: Any, reports: PostgresReports, database: str) -> None:
        request_run(database, reports.app, "copy")
        request_run(database, reports.app, "copy")

        assert explain(reports.node_facts("copy")).due
        assert hands.claim()["reason"] == "manual"
        assert len(reports.node_facts("copy").requests) == 1

    def test_a_retired_node_is_not_run(self, hands: Any, reports: PostgresReports, database: str) -> None:
        hands.connection.execute("update patterns_os.nodes set retired_at = now()")

        with pytest.raises(UsageError, match='Node "copy" can\'t be run'):
            request_run(database, reports.app, "copy")
        assert explain(reports.node_facts("copy")).state == "retired"

    def test_a_node_that_nobody_deployed(self, reports: PostgresReports) -> None:
        assert explain(reports.node_facts("new")).state == "not-deployed"

    def test_positions_of_consumers(self, hands: Any, reports: PostgresReports) -> None:
        hands.write("src", numbers(3))
        hands.commit(hands.claim(), to=2)

        (found,) = reports.positions()

        assert (found.node, found.table, found.cursor, found.seen, found.watermark) == (
            "copy",
            "src",
            2,
            3,
            3,
        )


BROKEN = {
    "blocks": (
        "update patterns_os.commits set n = 1 where last = 5",
        'table "src": the block that ends at 5 begins after 4, the one before ends at 3',
    ),
    "cursors": (
        "update patterns_os.inputs set cursor = 9",
        'node "copy" in table "src": cursor 9, seen 0, watermark 5',
    ),
    "lanes": (
        "update patterns_os.lanes set run = 7",
        'the lane of node "copy" has run 7, which is not running',
    ),
    "leases": (
        (
            "with made as (insert into patterns_os.runs "
            "  (app, node, lane, version, reason, attempt, token, launcher, inputs) "
            "  select a.id, n.id, 0, a.active, 'rows', 1, 1, 'ghost', '[]' "
            "  from patterns_os.apps a join patterns_os.nodes n on n.app = a.id returning id) "
            "update patterns_os.lanes set run = made.id, launcher = 'ghost' from made"
        ),
        'run 1 of node "copy" is held by launcher "ghost", which nobody knows',
    ),
    "requests": (
        (
            "insert into patterns_os.requests (app, node, kind, key, state) "
            "select app, id, 'manual', 'k', 'running' from patterns_os.nodes"
        ),
        'request 1 (manual) of node "copy" is running, and no run is its own',
    ),
    "held": (
        (
            "insert into patterns_os.held (app, node, table_id, position, why, content) "
            "select n.app, n.id, t.id, 4, 'dead', '{}' from patterns_os.nodes n "
            "join patterns_os.tables t on t.name = 'src'"
        ),
        'held record 1 of node "copy" is at position 4 of table "src", and the cursor at 0',
    ),
    "ticks": (
        "update patterns_os.versions set plan = jsonb_set(plan, '{nodes,0,cron}', '{}')",
        'node "copy" has a cron and no next tick',
    ),
    "rows": (
        "update app_try_data.src set patterns_position = 8, patterns_id = 'x' where patterns_position = 5",
        'table "src": row x at position 8',
    ),
}


class TestInvariants:
    def test_they_hold_after_work(self, hands: Any, reports: PostgresReports, database: str) -> None:
        hands.write("src", numbers(3))
        hands.commit(hands.claim(), rows=numbers(3))
        hands.write("src", [], kind="reset")

        checks = check_invariants(database, reports.app)

        assert [check.name for check in checks] == [
            "blocks",
            "cursors",
            "lanes",
            "leases",
            "requests",
            "held",
            "ticks",
            "rows",
        ]
        assert {check.offending for check in checks} == {()}

    @pytest.mark.parametrize("name", BROKEN)
    def test_damage_is_found(self, hands: Any, reports: PostgresReports, database: str, name: str) -> None:
        hands.write("src", numbers(3))
        hands.write("src", numbers(2))
        damage, offending = BROKEN[name]
        hands.connection.execute(damage.encode())

        checks = check_invariants(database, reports.app)

        assert {check.name: check.offending for check in checks if not check.holds} == {name: (offending,)}

    def test_the_control_schema_is_current(self, hands: Any) -> None:
        assert pending_steps(hands.connection) == []
        hands.connection.execute("update patterns_os.migrations set name = 'functions old' where number = 0")
        assert [step[:10] for step in pending_steps(hands.connection)] == ["functions "]


class TestReset:
    def test_nothing_of_the_app_is_left(self, hands: Any, reports: PostgresReports, database: str) -> None:
        held(hands)
        request_run(database, reports.app, "copy")

        delete_app(database, reports.app)

        kept = hands.rows(
            "select relname from pg_class where relnamespace = 'patterns_os'::regnamespace and relkind = 'r'"
        )
        left = {
            row["relname"]: hands.one(f"select count(*) from patterns_os.{row['relname']}") for row in kept
        }
        assert {name for name, count in left.items() if count} == {"migrations"}
        assert hands.one("select count(*) from pg_namespace where nspname like 'app_try%%'") == 0

    def test_it_waits_for_nobody_who_is_at_work(
        self, hands: Any, reports: PostgresReports, database: str
    ) -> None:
        hands.write("src", numbers(1))
        hands.claim()

        with pytest.raises(PatternsError, match='Node "copy" is running'):
            delete_app(database, reports.app)


def test_reports_can_not_write(reports: PostgresReports) -> None:
    with pytest.raises(PatternsError, match="read-only transaction"), reports._reading():
        reports._connection.execute("delete from patterns_os.runs")
