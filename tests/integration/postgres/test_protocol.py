"""The protocol functions: positions, versions, what is due, exactly once, and who may do what."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.errors import PatternsError
from patterns_os.plan.spec import Plan, PlannedInput, PlannedNode, PlannedOutput, PlannedTable
from patterns_os.ports.deployments import Deployment
from patterns_os.rows.identity import parse_patterns_id

pytestmark = pytest.mark.postgres


def numbers(start: int, stop: int) -> list[dict[str, Any]]:
    return [{"i": i} for i in range(start, stop)]


def shown(hands: Any, table: str = "dst") -> list[int]:
    return [row["i"] for row in hands.rows(f"select i from app_try.{table} order by patterns_id")]


class TestPositions:
    def test_blocks_tile_and_ids_grow_with_positions(self, hands: Any) -> None:
        for start in (0, 3, 5):
            hands.write("src", numbers(start, start + 2))

        blocks = hands.rows("select last, n, base, version from patterns_os.commits order by last")
        rows = hands.rows("select patterns_position, patterns_id from app_try_data.src order by 1")
        assert [tuple(b.values()) for b in blocks] == [
            (2, 2, 0, 1),
            (4, 2, 0, 1),
            (6, 2, 0, 1),
        ]
        assert [row["patterns_position"] for row in rows] == [1, 2, 3, 4, 5, 6]
        ids = [row["patterns_id"] for row in rows]
        assert ids == sorted(set(ids))
        assert [parse_patterns_id(text)[1:] for text in ids] == [
            (hands.deployment.tables["src"], p) for p in range(1, 7)
        ]

    def test_ids_keep_growing_across_the_boundary_of_thirty_bits(self, hands: Any) -> None:
        edge = 2**30
        hands.connection.execute(
            "insert into patterns_os.commits (table_id, last, n, base, version, kind) "
            "values (%s, %s, %s, 0, 1, 'append')",
            (hands.deployment.tables["src"], edge - 2, edge - 2),
        )

        hands.write("src", numbers(0, 4))

        ids = [
            row["patterns_id"]
            for row in hands.rows("select patterns_id from app_try_data.src order by patterns_position")
        ]
        assert [parse_patterns_id(text)[2] for text in ids] == [edge - 1, edge, edge + 1, edge + 2]
        assert ids == sorted(ids)

    def test_many_writers_of_one_table_give_no_gap_and_no_double(self, hands: Any, database: str) -> None:
        def write() -> None:
            with psycopg.connect(database, autocommit=True) as connection:
                for _ in range(20):
                    connection.execute(
                        "select patterns_os.ingest_v1(%s, 'w', %s, array['{}'::bytea], array['{}'::jsonb], "
                        "array[1], array['i'], '[{\"i\": 1}]')",
                        (hands.deployment.app, hands.deployment.tables["src"]),
                    )

        threads = [threading.Thread(target=write) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        positions = [
            row["patterns_position"]
            for row in hands.rows("select patterns_position from app_try_data.src order by 1")
        ]
        assert positions == list(range(1, 121))
        assert hands.one("select max(last) from patterns_os.commits") == 120
        assert (
            hands.rows(
                "select first_position, last_position from patterns_os.deliveries where first_position <> last_position"
            )
            == []
        )


class TestVersions:
    def test_replace_makes_a_version_whose_rows_come_after_the_old_ones(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        hands.write("src", numbers(10, 12), kind="replace")

        head = hands.rows("select * from patterns_os.head(%s)", hands.deployment.tables["src"])[0]
        assert (head["last"], head["base"], head["version"]) == (5, 3, 2)
        assert shown(hands, "src") == [10, 11]

    def test_a_replace_that_changes_nothing_makes_no_version(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3), kind="replace")
        before = hands.one("select count(*) from patterns_os.commits")

        last = hands.write("src", [{"i": 2}, {"i": 0}, {"i": 1}], kind="replace")

        assert last == 3
        assert hands.one("select count(*) from patterns_os.commits") == before

    def test_an_empty_replace_and_a_reset_are_something_new_to_see(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))

        assert hands.write("src", [], kind="replace") == 4
        assert hands.write("src", [], kind="reset") == 5
        assert shown(hands, "src") == []

    def test_upsert_moves_a_changed_row_to_the_end_and_leaves_an_equal_one(self, hands: Any) -> None:
        table = hands.deployment.tables["src"]
        hands.one("select patterns_os.unique_on_v1(%s, array['i'])", table)
        hands.write("src", [{"i": 1, "t": "a"}, {"i": 2, "t": "b"}], t="text")

        hands.write(
            "src",
            [{"i": 1, "t": "A"}, {"i": 2, "t": "b"}, {"i": 3, "t": "c"}, {"i": 3, "t": "C"}],
            kind="upsert",
        )

        rows = hands.rows("select patterns_position as p, i, t from app_try_data.src order by 1")
        assert [(row["p"], row["i"], row["t"]) for row in rows] == [(2, 2, "b"), (3, 1, "A"), (4, 3, "C")]

    def test_upsert_without_a_key_says_what_is_missing(self, hands: Any) -> None:
        with pytest.raises(psycopg.Error, match='table "src" has no unique_on'):
            hands.write("src", numbers(0, 1), kind="upsert")


class TestDue:
    def test_nothing_is_due_before_rows_and_after_their_commit(self, hands: Any) -> None:
        assert hands.claim() is None
        hands.write("src", numbers(0, 3))
        claim = hands.claim()
        assert claim is not None
        assert hands.claim() is None
        hands.commit(claim)
        assert hands.claim() is None

    def test_a_run_that_stops_early_gets_the_rest_next(self, hands: Any) -> None:
        hands.write("src", numbers(0, 5))
        hands.commit(hands.claim(), to=2)

        claim = hands.claim()

        assert [(i["from"], i["to"]) for i in claim["inputs"]] == [(2, 5)]

    def test_a_run_that_makes_no_progress_is_not_due_until_something_is_new(self, hands: Any) -> None:
        hands.write("src", numbers(0, 5))
        hands.commit(hands.claim(), to=0)
        assert hands.claim() is None

        hands.write("src", numbers(5, 6))
        claim = hands.claim()
        assert [(i["from"], i["to"]) for i in claim["inputs"]] == [(0, 6)]

    def test_rows_that_come_during_a_run_make_it_due_again(self, hands: Any) -> None:
        hands.write("src", numbers(0, 2))
        claim = hands.claim()
        hands.write("src", numbers(2, 4))
        hands.commit(claim)

        assert [(i["from"], i["to"]) for i in hands.claim()["inputs"]] == [(2, 4)]

    def test_a_version_that_is_not_active_gets_no_claims(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        hands.write("src", numbers(0, 2))
        node = copying(hands.deployment.plan, content="2")
        deploy(node)

        assert hands.claim() is None

    def test_all_waits_for_every_input(
        self, hands: Any, deploy: Callable[..., Deployment], database: str
    ) -> None:
        plan = joined("all")
        deployment = deploy(plan)
        hands.deployment = deployment
        hands.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', deployment.tables["left"])
        hands.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', deployment.tables["right"])

        hands.write("left", numbers(0, 1))
        assert hands.claim() is None
        hands.write("right", numbers(0, 1))
        assert hands.claim() is not None


class TestExactlyOnce:
    def test_outputs_state_and_cursor_commit_together(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        claim = hands.claim()

        done = hands.commit(claim, rows=numbers(0, 3), state={"set": {"n": 3}, "delete": []}, rows_in=3)

        assert done == {"tables": {str(hands.deployment.tables["dst"]): 3}, "rows_out": 3}
        assert shown(hands) == [0, 1, 2]
        assert hands.one("select cursor from patterns_os.inputs") == 3
        assert hands.one("select value from patterns_os.states where key = 'n'") == 3
        run = hands.rows("select state, rows_in, rows_out from patterns_os.runs")[0]
        assert (run["state"], run["rows_in"], run["rows_out"]) == ("done", 3, 3)

    def test_a_second_commit_of_a_run_changes_nothing(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        claim = hands.claim()
        hands.commit(claim, rows=numbers(0, 3))

        with pytest.raises(psycopg.Error, match="no longer owns its lane"):
            hands.commit(claim, rows=numbers(0, 3))
        assert shown(hands) == [0, 1, 2]

    def test_a_zombie_can_do_nothing_after_its_lane_was_taken(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        zombie = hands.claim()
        lane = hands.rows("select node, lane, token from patterns_os.lanes where run is not null")[0]
        assert hands.one("select patterns_os.rescue_v1(%s, %s)", hands.deployment.app, Jsonb([lane])) == 1

        heir = hands.claim("other")
        for attempt in ("commit", "fail"):
            with pytest.raises(psycopg.Error, match="no longer owns its lane"):
                getattr(hands, attempt)(zombie)
        hands.commit(heir, rows=numbers(0, 3))
        assert shown(hands) == [0, 1, 2]
        assert hands.one("select state from patterns_os.runs where id = %s", zombie["run"]) == "lost"

    def test_an_error_inside_a_commit_leaves_nothing(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        claim = hands.claim()
        broken = {"kind": "append", "columns": ["i"], "rows": [{"i": "no number"}]}
        outputs = [{"table": hands.deployment.tables["dst"], "operations": [broken]}]

        with pytest.raises(psycopg.Error):
            hands.commit(claim, outputs=outputs, state={"set": {"n": 1}, "delete": []})

        assert shown(hands) == []
        assert hands.one("select count(*) from patterns_os.states") == 0
        assert hands.one("select cursor from patterns_os.inputs") == 0

    def test_a_bad_record_is_narrowed_held_and_gone_past(self, hands: Any) -> None:
        hands.write("src", numbers(0, 5))
        table = hands.deployment.tables["src"]
        hands.fail(hands.claim(), attempts=1, narrow={"table": table, "stream": "", "before": 3})

        before = hands.claim()
        assert (before["reason"], before["inputs"][0]["from"], before["inputs"][0]["to"]) == ("retry", 0, 2)
        hands.commit(before, rows=numbers(0, 2))
        hands.connection.execute("update patterns_os.lanes set not_before = null")
        alone = hands.claim()
        assert (alone["inputs"][0]["from"], alone["inputs"][0]["to"], alone["attempts"]) == (2, 3, 1)
        hands.fail(alone, dead_in_row=1, held={"table": table, "stream": "", "position": 3, "attempts": 4})

        rest = hands.claim()
        assert (rest["inputs"][0]["from"], rest["inputs"][0]["to"]) == (3, 5)
        hands.commit(rest, rows=numbers(3, 5))
        assert shown(hands) == [0, 1, 3, 4]
        held = hands.rows("select position, why, attempts, content ->> 'i' as i from patterns_os.held")
        assert [dict(row) for row in held] == [{"position": 3, "why": "dead", "attempts": 4, "i": "2"}]

    def test_a_record_that_succeeds_alone_is_followed_by_the_rest(self, hands: Any) -> None:
        hands.write("src", numbers(0, 3))
        table = hands.deployment.tables["src"]
        hands.fail(hands.claim(), attempts=1, narrow={"table": table, "stream": "", "alone": 1})
        hands.commit(hands.claim(), rows=numbers(0, 1))

        rest = hands.claim()
        assert (rest["inputs"][0]["from"], rest["inputs"][0]["to"]) == (1, 3)

    def test_a_held_record_is_delivered_again_alone_and_released_with_its_outputs(self, hands: Any) -> None:
        hands.write("src", numbers(0, 1))
        table, node = hands.deployment.tables["src"], hands.deployment.nodes["copy"]
        hands.fail(hands.claim(), held={"table": table, "stream": "", "position": 1, "attempts": 4})
        held = hands.one("select id from patterns_os.held")
        hands.connection.execute(
            "insert into patterns_os.requests (app, node, kind, key, payload) values (%s, %s, 'resume', 'r1', %s)",
            (hands.deployment.app, node, Jsonb({"held": held})),
        )

        claim = hands.claim()
        assert (claim["reason"], claim["held"]["content"]["i"]) == ("resume", 0)
        hands.commit(claim, to=claim["inputs"][0]["from"], rows=numbers(0, 1), release=[held])

        assert hands.one("select count(*) from patterns_os.held") == 0
        assert hands.one("select state from patterns_os.requests") == "done"
        look = (
            hands.claim()
        )  # the failed run had not seen the watermark: the lane looks once more, at nothing
        assert [(i["from"], i["to"]) for i in look["inputs"]] == [(1, 1)]
        hands.commit(look)
        assert hands.claim() is None

    def test_rows_that_wait_while_a_held_record_is_delivered_again_are_next(self, hands: Any) -> None:
        hands.write("src", numbers(0, 1))
        table, node = hands.deployment.tables["src"], hands.deployment.nodes["copy"]
        hands.fail(hands.claim(), held={"table": table, "stream": "", "position": 1, "attempts": 4})
        held = hands.one("select id from patterns_os.held")
        hands.write("src", numbers(1, 3))
        hands.connection.execute(
            "insert into patterns_os.requests (app, node, kind, key, payload) values (%s, %s, 'resume', 'r1', %s)",
            (hands.deployment.app, node, Jsonb({"held": held})),
        )
        resumed = hands.claim()
        assert resumed["reason"] == "resume"
        hands.commit(resumed, rows=numbers(0, 1), release=[held])

        rest = hands.claim()

        assert [(i["from"], i["to"]) for i in rest["inputs"]] == [(1, 3)]
        hands.commit(rest)
        assert hands.claim() is None

    def test_two_nodes_with_the_same_outputs_in_opposite_order_never_deadlock(
        self, hands: Any, database: str, deploy: Callable[..., Deployment]
    ) -> None:
        plan = crossed()
        deployment = deploy(plan)
        hands.deployment = deployment
        for name in ("src", "one", "two"):
            hands.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', deployment.tables[name])
        errors: list[Exception] = []

        def play() -> None:
            with psycopg.connect(database, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
                mine = type(hands)(connection, deployment)
                try:
                    while (claim := mine.claim(threading.current_thread().name)) is not None:
                        given = claim["inputs"][0]
                        rows = [{"i": p} for p in range(given["from"] + 1, given["from"] + 3)]
                        names = ["one", "two"] if claim["node"] == "a" else ["two", "one"]
                        outputs = [
                            {
                                "table": deployment.tables[name],
                                "operations": [{"kind": "append", "columns": ["i"], "rows": rows}],
                            }
                            for name in names
                        ]
                        mine.commit(claim, to=given["from"] + 2, outputs=outputs)
                except psycopg.Error as error:
                    errors.append(error)

        hands.write("src", numbers(0, 80))
        threads = [threading.Thread(target=play) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        for name in ("one", "two"):
            assert sorted(shown(hands, name)) == sorted([*range(1, 81), *range(1, 81)])


class TestLocks:
    def test_a_reader_never_makes_a_writer_wait_for_a_column(self, hands: Any, database: str) -> None:
        with psycopg.connect(database) as reader:
            reader.execute("select * from app_try_data.src")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                hands.one(
                    'select patterns_os.add_columns_v1(%s, \'{"new": "text"}\')',
                    hands.deployment.tables["src"],
                )
            hands.write("src", [{"i": 1, "patterns_more": {"new": "x"}}])

        assert hands.one("select patterns_more ->> 'new' from app_try_data.src") == "x"

    def test_a_claim_held_by_another_transaction_is_skipped_not_waited_for(
        self, hands: Any, database: str
    ) -> None:
        hands.write("src", numbers(0, 1))
        with psycopg.connect(database) as other:
            other.execute("select * from patterns_os.lanes for update")
            assert hands.claim() is None
        assert hands.claim() is not None


class TestTrust:
    @pytest.fixture
    def launcher(self, hands: Any) -> Any:
        with psycopg.connect(hands.deployment.conninfo, autocommit=True) as connection:
            yield connection

    @pytest.mark.parametrize(
        "statement",
        [
            "update patterns_os.lanes set token = 0",
            "select * from patterns_os.runs",
            "insert into app_try_data.src values (1, 'x')",
            "delete from app_try_data.src",
            "create table app_try.mine (i int)",
            "create table public.mine (i int)",
            "select patterns_os.write_block(1, 'append', null, '[]', null, null, null, null, null)",
            "select patterns_os.own_lane(1, 1)",
            "set role patterns_owner",
            "copy (select 1) to program 'true'",
        ],
    )
    def test_the_apps_role_may_not(self, launcher: Any, statement: str) -> None:
        with pytest.raises(psycopg.Error) as refused:
            launcher.execute(statement)
        assert refused.value.sqlstate in {"42501", "PT001"}

    def test_the_apps_role_may_read_its_tables_and_stage(self, launcher: Any, hands: Any) -> None:
        hands.write("src", numbers(0, 2))
        assert launcher.execute("select count(*) from app_try.src").fetchone() == (2,)
        stage = launcher.execute(
            "select patterns_os.stage_v1(%s, 1)", (hands.deployment.tables["dst"],)
        ).fetchone()[0]
        launcher.execute(f"insert into {stage} (i) values (7)")
        with pytest.raises(psycopg.Error):
            launcher.execute(f"drop table {stage}")

    def test_another_apps_role_is_refused_whatever_token_it_shows(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        hands.write("src", numbers(0, 2))
        claim = hands.claim()
        stranger = deploy(Plan(app="other"))
        with psycopg.connect(stranger.conninfo, autocommit=True) as connection:
            for statement, parameters in [
                ("select patterns_os.commit_v1(%s, %s, '{}')", (claim["run"], claim["token"])),
                (
                    "select patterns_os.claim_v1(%s, %s, 'x', 1)",
                    (hands.deployment.app, hands.deployment.version),
                ),
                ("select patterns_os.add_columns_v1(%s, '{}')", (hands.deployment.tables["src"],)),
                ("select patterns_os.stage_v1(%s, 1)", (hands.deployment.tables["src"],)),
                ("select * from app_try.src", ()),
            ]:
                with pytest.raises(psycopg.Error) as refused:
                    connection.execute(statement, parameters)
                assert refused.value.sqlstate == "42501"


class TestMemory:
    def test_a_node_keeps_its_place_under_a_new_name(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        hands.write("src", numbers(0, 2))
        hands.commit(hands.claim())
        renamed = copying(hands.deployment.plan, name="again", content="2")

        hands.deployment = deploy(renamed, renamed={"copy": "again"})

        assert hands.claim() is None
        assert hands.one("select cursor from patterns_os.inputs") == 2

    def test_a_likely_rename_is_refused_until_somebody_says_so(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        with pytest.raises(Exception, match='Node "copy" is gone and node "again" is new') as refused:
            deploy(copying(hands.deployment.plan, name="again"))
        assert getattr(refused.value, "code", None) == "node-renamed"

    def test_a_removed_node_comes_back_where_it_was(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        plan = hands.deployment.plan
        hands.write("src", numbers(0, 2))
        hands.commit(hands.claim())
        deploy(plan.model_copy(update={"nodes": ()}))

        hands.deployment = deploy(plan)

        assert hands.claim() is None

    def test_deploying_the_same_plan_again_makes_no_version(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        assert deploy(hands.deployment.plan).changed is False

    def test_a_node_that_starts_now_skips_what_was_there(
        self, hands: Any, deploy: Callable[..., Deployment]
    ) -> None:
        hands.write("src", numbers(0, 5))
        late = PlannedNode(
            name="late", kind="python", file="l.py", content="9", start="now",
            inputs=(PlannedInput(table="src", port="src", access="stream", triggering=True),),
            outputs=(PlannedOutput(table="other", port="other"),),
        )  # fmt: skip
        hands.deployment = deploy(
            Plan(app="try", nodes=(late,), tables=(PlannedTable(name="other"), PlannedTable(name="src")))
        )

        assert hands.claim() is None


def copying(plan: Plan, **changes: Any) -> Plan:
    return plan.model_copy(update={"nodes": (plan.nodes[0].model_copy(update=changes),)})


def joined(when: str) -> Plan:
    node = PlannedNode(
        name="join", kind="python", file="j.py", content="1", when=when,
        inputs=tuple(PlannedInput(table=t, port=t, access="read", triggering=True) for t in ("left", "right")),
        outputs=(PlannedOutput(table="out", port="out"),),
    )  # fmt: skip
    return Plan(
        app="try", nodes=(node,), tables=tuple(PlannedTable(name=n) for n in ("left", "out", "right"))
    )


def crossed() -> Plan:
    def node(name: str, outputs: tuple[str, str]) -> PlannedNode:
        return PlannedNode(
            name=name, kind="python", file="x.py", content=name,
            inputs=(PlannedInput(table="src", port="src", access="stream", triggering=True),),
            outputs=tuple(PlannedOutput(table=o, port=o) for o in outputs),
        )  # fmt: skip

    tables = tuple(PlannedTable(name=n) for n in ("one", "src", "two"))
    return Plan(app="try", nodes=(node("a", ("one", "two")), node("b", ("two", "one"))), tables=tables)


class TestCollecting:
    def test_rows_of_old_versions_go_and_those_of_the_active_one_stay(self, hands: Any) -> None:
        hands.write("src", numbers(0, 5))
        hands.write("src", numbers(10, 13), kind="replace")
        assert hands.one("select patterns_os.collect_v1(%s, 100)", hands.deployment.app) == 0
        hands.connection.execute("update patterns_os.commits set at = at - interval '11 minutes'")

        assert hands.one("select patterns_os.collect_v1(%s, 2)", hands.deployment.app) == 2
        assert hands.one("select patterns_os.collect_v1(%s, 100)", hands.deployment.app) == 3
        assert shown(hands, "src") == [10, 11, 12]

    def test_a_version_that_a_live_run_reads_is_kept(self, hands: Any) -> None:
        hands.write("src", numbers(0, 5))
        claim = hands.claim()
        hands.write("src", numbers(10, 13), kind="replace")
        hands.connection.execute("update patterns_os.commits set at = at - interval '11 minutes'")

        assert hands.one("select patterns_os.collect_v1(%s, 100)", hands.deployment.app) == 0
        hands.commit(claim)
        assert hands.one("select patterns_os.collect_v1(%s, 100)", hands.deployment.app) == 5


class TestForging:
    def test_a_temporary_table_of_ones_own_is_not_taken_for_the_catalog_or_for_staging(
        self, hands: Any
    ) -> None:
        hands.write("src", numbers(0, 2))
        claim = hands.claim()
        with psycopg.connect(hands.deployment.conninfo, autocommit=True) as launcher:
            launcher.execute("create temporary table mine (i bigint, patterns_more jsonb)")
            launcher.execute(
                "create temporary table pg_class as "
                "select 'mine'::regclass::oid as oid, 't'::\"char\" as relpersistence, "
                "(select nspowner from pg_catalog.pg_namespace where nspname = 'patterns_os') as relowner"
            )
            operation = {"kind": "append", "columns": ["i"], "stage": "pg_temp.mine"}
            body = {
                "outputs": [{"table": hands.deployment.tables["dst"], "operations": [operation]}],
                "end": True,
            }

            with pytest.raises(psycopg.Error, match="is not ours"):
                launcher.execute(
                    "select patterns_os.commit_v1(%s, %s, %s)", (claim["run"], claim["token"], Jsonb(body))
                )


def test_apps_of_two_databases_can_be_deployed_at_once(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        names = [f"twin_{n}_{connection.info.backend_pid}" for n in range(4)]
        for name in names:
            connection.execute(f'create database "{name}"')
    errors: list[BaseException] = []

    def deploy(name: str) -> None:
        passwords: dict[str, str] = {}
        deployments = PostgresDeployments(make_conninfo(postgres, dbname=name), passwords.setdefault)
        try:
            deployments.deploy(Plan(app="twin"), first_ticks={})
        except PatternsError as error:
            errors.append(error)

    threads = [threading.Thread(target=deploy, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in names:
            connection.execute(f'drop database "{name}" with (force)')

    assert errors == []
