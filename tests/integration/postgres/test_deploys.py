"""Versions as rows: what is expected must still be so, one of two wins, what is dropped is gone, nothing else."""

import threading
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.adapters.postgres.reset import delete_app
from patterns_os.adapters.postgres.versions import PostgresVersions
from patterns_os.errors import PatternsError, TemporaryError, UsageError
from patterns_os.plan.diff import diff_plans
from patterns_os.plan.facts import ConsumerFacts, DeployedFacts, NodeFacts, TableFacts
from patterns_os.plan.spec import Plan, PlannedNode, PlannedSource, PlannedTable
from patterns_os.ports.deployments import Deployment, Origin

pytestmark = pytest.mark.postgres

SCRIPT = b"print('hello')\n"
HASH = sha256(SCRIPT).hexdigest()


def with_content(plan: Plan, content: str) -> Plan:
    return plan.model_copy(update={"nodes": (plan.nodes[0].model_copy(update={"content": content}),)})


def world(database: str, app: str = "try") -> DeployedFacts:
    return PostgresVersions(database).facts(app)


def apps(database: str) -> list[dict[str, Any]]:
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return connection.execute("select active from patterns_os.apps").fetchall()


class TestFacts:
    def test_a_database_without_apps_has_none(self, database: str) -> None:
        versions = PostgresVersions(database)

        assert versions.facts("try") == DeployedFacts()
        assert versions.active("try") is None
        assert versions.history("try", 9) == []
        with psycopg.connect(database) as connection:
            found = connection.execute("select to_regnamespace('patterns_os')").fetchone()
        assert found == (None,)

    def test_rows_columns_and_places_are_as_they_are(self, database: str, hands: Any) -> None:
        hands.write("src", [{"i": 1}, {"i": 2}, {"i": 3}])
        hands.commit(hands.claim(), to=2, rows=[{"i": 1}], state={"set": {"k": 1}})

        assert world(database) == DeployedFacts(
            deployment=hands.deployment.version,
            tables={
                "src": TableFacts(rows=3, watermark=3, columns={"i": "bigint"}),
                "dst": TableFacts(rows=1, watermark=1, columns={"i": "bigint"}),
            },
            nodes={"copy": NodeFacts(state_keys=1)},
            consumers={("copy", "src"): ConsumerFacts(active=True, waiting=1, is_new=True)},
        )

    def test_a_replaced_version_counts_once(self, database: str, hands: Any) -> None:
        hands.write("src", [{"i": 1}, {"i": 2}], kind="replace")
        hands.write("src", [{"i": 3}], kind="replace")

        facts = world(database)
        assert facts.tables["src"].rows == 1
        assert facts.consumers["copy", "src"].waiting == 1

    def test_a_database_of_the_release_before_can_be_looked_at(self, database: str, hands: Any) -> None:
        hands.connection.execute("drop table patterns_os.sources")
        hands.connection.execute("alter table patterns_os.versions drop column deployed_by, drop column how")
        versions = PostgresVersions(database)

        assert versions.facts("try").deployment == hands.deployment.version
        assert versions.history("try", 9)[0].origin == Origin()
        found = versions.active("try")
        assert found is not None
        assert (found.plan, found.sources) == (hands.deployment.plan, {})


class TestExpectations:
    def test_a_plan_for_another_deployment_is_refused(self, database: str, hands: Any, deploy: Any) -> None:
        plan = hands.deployment.plan
        expected = diff_plans(plan, with_content(plan, "2"), world(database)).expected
        deploy(with_content(plan, "3"))

        with pytest.raises(TemporaryError) as caught:
            deploy(with_content(plan, "2"), expected=expected)
        before, now = hands.deployment.version, hands.deployment.version + 1
        assert str(caught.value) == (
            f"error[world-moved] The world moved since the plan was made: the plan is for deployment {before}, "
            f"and deployment {now} is active now\n"
            "  hint: nothing is changed: look at `patterns plan` again, then deploy"
        )
        assert apps(database) == [{"active": now}]

    def test_columns_that_came_meanwhile_are_noticed(self, database: str, hands: Any, deploy: Any) -> None:
        plan = hands.deployment.plan
        tables = tuple(table.model_copy(update={"columns": {"j": "text"}}) for table in plan.tables)
        after = plan.model_copy(update={"tables": tables})
        expected = diff_plans(plan, after, world(database)).expected
        hands.one('select patterns_os.add_columns_v1(%s, \'{"j": "bool"}\')', hands.deployment.tables["src"])

        with pytest.raises(TemporaryError, match=r'column "src.j": none → bool'):
            deploy(after, expected=expected)

    def test_rows_that_come_meanwhile_refuse_nothing(self, database: str, hands: Any, deploy: Any) -> None:
        plan = hands.deployment.plan
        after = with_content(plan, "2")
        expected = diff_plans(plan, after, world(database)).expected
        hands.write("src", [{"i": 1}])

        assert deploy(after, expected=expected).changed

    def test_of_two_at_once_one_wins_and_the_other_is_told(self, database: str, hands: Any) -> None:
        plan = hands.deployment.plan
        passwords: dict[str, str] = {}
        results: list[Deployment | PatternsError] = []
        ready = threading.Barrier(4)

        def one(content: str) -> None:
            after = with_content(plan, content)
            expected = diff_plans(plan, after, world(database)).expected
            ready.wait()
            try:
                made = PostgresDeployments(database, passwords.setdefault)
                results.append(made.deploy(after, first_ticks={}, expected=expected))
            except PatternsError as error:
                results.append(error)

        threads = [threading.Thread(target=one, args=(str(i),)) for i in range(2, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        won = [result for result in results if isinstance(result, Deployment)]
        assert len(won) == 1
        assert [result.code for result in results if isinstance(result, PatternsError)] == ["world-moved"] * 3
        assert apps(database) == [{"active": won[0].version}]


class TestDrops:
    def test_a_dropped_table_is_gone_and_the_others_stay(
        self, database: str, hands: Any, deploy: Any
    ) -> None:
        hands.write("src", [{"i": 1}])
        hands.commit(hands.claim(), rows=[{"i": 1}])
        bare = Plan(app="try", tables=(PlannedTable(name="dst"),))
        deploy(bare)
        diff = diff_plans(bare, bare, world(database), drop=["src"])
        deploy(bare, expected=diff.expected, drop=["src"])

        assert world(database).tables == {"dst": TableFacts(rows=1, watermark=1, columns={"i": "bigint"})}
        assert hands.one("select to_regclass('app_try_data.src')") is None
        assert hands.one("select to_regclass('app_try.src')") is None
        assert hands.one("select count(*) from patterns_os.inputs") == 0

    def test_rows_that_nobody_agreed_to_lose_stop_the_drop(
        self, database: str, hands: Any, deploy: Any
    ) -> None:
        bare = Plan(app="try", tables=(PlannedTable(name="dst"),))
        deploy(bare)
        diff = diff_plans(bare, bare, world(database), drop=["src"])
        hands.write("src", [{"i": 1}])

        with pytest.raises(TemporaryError, match='table "src" was written since: position 0 → 1'):
            deploy(bare, expected=diff.expected, drop=["src"])
        assert world(database).tables["src"].rows == 1

    def test_a_table_that_is_read_is_not_dropped(self, hands: Any, deploy: Any) -> None:
        with pytest.raises(UsageError, match='Table "src" is read by node "copy"'):
            deploy(hands.deployment.plan, drop=["src"])

    def test_a_table_of_that_name_may_come_again(self, database: str, hands: Any, deploy: Any) -> None:
        hands.write("src", [{"i": 1}])
        deploy(Plan(app="try"))
        deploy(Plan(app="try"), drop=["src"])
        deploy(hands.deployment.plan)

        assert world(database).tables["src"] == TableFacts()


class TestVersions:
    def test_source_files_come_back_with_their_version(self, database: str, deploy: Any) -> None:
        source = PlannedSource(path="a.py", content=HASH)
        node = PlannedNode(name="a", kind="python", file="a.py", content="1", sources=(source,), manual=True)
        made = deploy(Plan(app="try", nodes=(node,)), sources={HASH: SCRIPT})
        deploy(Plan(app="try"))

        found = PostgresVersions(database).find("try", str(made.version))
        assert (found.plan, found.sources) == (made.plan, {HASH: SCRIPT})
        assert PostgresVersions(database).find("try", made.plan.version_hash[:6]) == found
        delete_app(database, made.app)
        assert apps(database) == []

    def test_who_deployed_what_is_remembered(self, database: str, deploy: Any) -> None:
        first = deploy(Plan(app="try"), origin=Origin(deployed_by="ada@laptop", how="deploy"))
        second = deploy(
            Plan(app="try", files=("f",)), origin=Origin(deployed_by="bob@server", how="rollback to 1")
        )

        assert [
            (one.number, one.parent, one.origin.deployed_by, one.origin.how, one.active)
            for one in PostgresVersions(database).history("try", 9)
        ] == [
            (second.version, first.version, "bob@server", "rollback to 1", True),
            (first.version, None, "ada@laptop", "deploy", False),
        ]

    @pytest.mark.parametrize("wanted", ["99", "zz", "'; drop", "%"])
    def test_an_unknown_version_is_told(self, database: str, deploy: Any, wanted: str) -> None:
        deploy(Plan(app="try"))

        with pytest.raises(UsageError) as caught:
            PostgresVersions(database).find("try", wanted)
        assert caught.value.message == f'Deployment "{wanted}" is none of this app\'s'

    def test_the_active_deployment_can_be_taken_up_again(self, database: str, hands: Any) -> None:
        passwords: dict[str, str] = {}
        deployments = PostgresDeployments(database, passwords.setdefault)
        found = deployments.active("try")

        assert found is not None
        assert (found.version, found.nodes, found.tables) == (
            hands.deployment.version, hands.deployment.nodes, hands.deployment.tables,
        )  # fmt: skip
        with psycopg.connect(found.conninfo) as connection:
            connection.execute("select * from app_try.src")
        assert deployments.active("other") is None
