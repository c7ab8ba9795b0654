"""Circles of tables that trigger their writers: what counts as coming round, and what happens at the limit."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.adapters.postgres.requests import request_resume, request_run
from patterns_os.plan.spec import Plan, PlannedInput, PlannedNode, PlannedOutput, PlannedTable

pytestmark = pytest.mark.postgres

REASON = 'it has come round 2 times, which is the max_hops of "critique"'


def node(name: str, takes: str, gives: str, *, access: str = "stream", **more: Any) -> PlannedNode:
    return PlannedNode(
        name=name,
        kind="python",
        file=f"{name}.py",
        content="1",
        inputs=tuple(
            PlannedInput(table=table, port=table, access=access, triggering=True) for table in takes.split()
        ),
        outputs=tuple(PlannedOutput(table=table, port=table) for table in gives.split()),
        **more,
    )


class Circle:
    """An app on a database, played by hand: each run writes the rows that it is given.

    A node that reads its tables writes a row with 0.
    """

    def __init__(self, database: str, *nodes: PlannedNode) -> None:
        self.database = database
        passwords: dict[str, str] = {}
        names = {given.table for one in nodes for given in (*one.inputs, *one.outputs)}
        plan = Plan(app="try", nodes=nodes, tables=tuple(PlannedTable(name=name) for name in sorted(names)))
        self.deployment = PostgresDeployments(database, passwords.setdefault).deploy(plan, first_ticks={})
        self.plan = plan
        self.connection = psycopg.connect(database, autocommit=True, row_factory=dict_row)
        for number in self.deployment.tables.values():
            self.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', number)

    def one(self, statement: str, *parameters: Any) -> Any:
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        return next(iter(row.values())) if row else None

    def write(self, table: str, *values: int) -> None:
        """Write rows from outside."""
        rows = psycopg.types.json.Jsonb([{"i": value} for value in values])
        number = self.deployment.tables[table]
        with self.connection.transaction():
            self.one("select 1 from patterns_os.tables where id = %s for no key update", number)
            self.one(
                "select last from patterns_os.write_block(%s, 'append', array['i'], %s, null, null, null, null, null)",
                number, rows,
            )  # fmt: skip

    def claim(self, most: int = 1) -> list[dict[str, Any]]:
        return self.connection.execute(
            "select * from patterns_os.claim_v1(%s, %s, 'me', %s)",
            (self.deployment.app, self.deployment.version, most),
        ).fetchall()

    def given(self, claim: dict[str, Any]) -> dict[str, list[int]]:
        """Give the values that a claim has, by table."""
        if claim["held"]:
            held = claim["held"]
            names = {number: name for name, number in self.deployment.tables.items()}
            return {names[held["table_id"]]: [held["content"].get("i")]}
        return {
            given["name"]: [
                row["i"]
                for row in self.connection.execute(
                    f"select i from app_try_data.{given['name']} "
                    "where patterns_position > %s and patterns_position <= %s order by patterns_position",
                    (given["from"], given["to"]),
                )
            ]
            for given in claim["inputs"]
            if given["access"] == "stream" and given["to"] > given["from"]
        }

    def commit(self, claim: dict[str, Any]) -> None:
        node = self.plan.node(claim["node"])
        assert node is not None
        values = [{"i": value} for values in self.given(claim).values() for value in values]
        if all(given.access == "read" for given in node.inputs):
            values = [{"i": 0}]
        operation = {"kind": "append", "columns": ["i"], "rows": values}
        body = {
            "inputs": [
                {
                    "table": given["table"],
                    "stream": given["stream"],
                    "from": given["from"],
                    "to": given["to"],
                }
                for given in claim["inputs"]
                if given["access"] == "stream"
            ],
            "outputs": [
                {"table": self.deployment.tables[output.table], "operations": [operation]}
                for output in node.outputs
            ],
            "release": [claim["held"]["id"]] if claim["held"] else [],
            "end": True,
        }
        self.one(
            "select patterns_os.commit_v1(%s, %s, %s)",
            claim["run"],
            claim["token"],
            psycopg.types.json.Jsonb(body),
        )

    def run(self, most: int = 200) -> list[tuple[str, dict[str, list[int]]]]:
        """Run until nothing is due; give each run's node and what it was given."""
        runs = []
        for _ in range(most):
            claims = self.claim()
            if not claims:
                return runs
            runs.append((claims[0]["node"], self.given(claims[0])))
            self.commit(claims[0])
        raise AssertionError(runs)

    def column(self, table: str) -> list[int]:
        found = self.connection.execute(f"select i from app_try_data.{table} order by patterns_position")
        return [row["i"] for row in found]

    def held(self) -> list[tuple[str, str, int]]:
        found = self.connection.execute(
            "select n.name as node, h.content ->> 'i' as i, h.why, h.error ->> 'code' as code, "
            "h.error ->> 'message' as message, h.id from patterns_os.held h "
            "join patterns_os.nodes n on n.id = h.node order by h.id"
        ).fetchall()
        assert {(row["why"], row["code"]) for row in found} <= {("dead", "max-hops")}
        return [(row["node"], row["message"], int(row["i"] or 0)) for row in found]

    def hops(self, table: str) -> list[dict[str, int] | None]:
        """Give what each commit of a table carries, by the names of nodes."""
        names = {str(number): name for name, number in self.deployment.nodes.items()}
        found = self.connection.execute(
            "select hops from patterns_os.commits where table_id = %s order by last",
            (self.deployment.tables[table],),
        )
        return [row["hops"] and {names[key]: count for key, count in row["hops"].items()} for row in found]


@pytest.fixture
def make(database: str) -> Iterator[Callable[..., Circle]]:
    """Give a function that deploys nodes, and lets go of them afterwards."""
    made: list[Circle] = []

    def do(*nodes: PlannedNode) -> Circle:
        made.append(Circle(database, *nodes))
        return made[-1]

    yield do
    for circle in made:
        circle.connection.close()


@pytest.fixture
def agent(make: Callable[..., Circle]) -> Circle:
    """Give draft → critique → draft …, where a critique is made twice at most."""
    return make(
        node("draft", "topics critiques", "drafts"),
        node("critique", "drafts", "critiques", max_hops=2),
        node("publish", "drafts", "published"),
    )


def test_a_circle_ends_by_itself_and_the_last_rows_are_held_with_the_reason(agent: Circle) -> None:
    agent.write("topics", 1, 2)
    agent.run()

    assert agent.column("drafts") == [1, 2] * 3
    assert agent.column("critiques") == [1, 2] * 2
    assert agent.column("published") == [1, 2] * 3
    assert agent.held() == [("critique", REASON, 1), ("critique", REASON, 2)]
    assert agent.claim() == []
    assert (
        agent.one("select count(*) from patterns_os.runs where node = %s", agent.deployment.nodes["critique"])
        == 2
    )


def test_commits_of_the_circle_carry_how_often_and_others_nothing(agent: Circle) -> None:
    agent.write("topics", 1)
    agent.run()

    assert agent.hops("topics") == [None]
    assert agent.hops("drafts") == [None, {"critique": 1}, {"critique": 2}]
    assert agent.hops("critiques") == [{"critique": 1}, {"critique": 2}]
    assert set(map(str, agent.hops("published"))) == {"None"}


def test_new_rows_never_share_a_run_with_rows_that_have_come_round(agent: Circle) -> None:
    for topic in range(6):
        agent.write("topics", topic)
        for claim in agent.claim(3):
            agent.commit(claim)
    agent.run()

    assert sorted(agent.column("critiques")) == sorted([*range(6)] * 2)
    assert sorted(agent.column("drafts")) == sorted([*range(6)] * 3)
    assert sorted(value for *_, value in agent.held()) == [*range(6)]


def test_what_has_waited_longest_goes_first_and_what_was_left_stays_due(agent: Circle) -> None:
    agent.write("topics", 1)
    assert agent.run(most=200)[:2] == [("draft", {"topics": [1]}), ("critique", {"drafts": [1]})]
    lane = "update patterns_os.lanes set state = %s where node = %s"
    draft = agent.deployment.nodes["draft"]
    agent.connection.execute(lane, ("paused", draft))
    agent.write("topics", 2)
    agent.write("critiques", 3)
    request_resume(agent.database, agent.deployment.app, agent.one("select id from patterns_os.held"))
    agent.run()
    agent.write("topics", 4)
    agent.connection.execute(lane, ("idle", draft))

    given = [tables for name, tables in agent.run() if name == "draft"]

    # 2, 3 and 4 are new, and may share a run; 1 has come round three times
    assert given[:2] == [{"topics": [2, 4], "critiques": [3]}, {"critiques": [1]}]
    assert sorted(agent.column("critiques")) == [1, 1, 1, 2, 2, 3, 3, 3, 4, 4]


def test_a_retry_delivers_it_once_more_and_what_comes_of_it_counts_on(agent: Circle) -> None:
    agent.write("topics", 7)
    agent.run()
    number = agent.one("select id from patterns_os.held")

    request_resume(agent.database, agent.deployment.app, number)
    runs = agent.run()

    assert runs[0] == ("critique", {"drafts": [7]})
    assert agent.column("critiques") == [7, 7, 7]
    assert agent.column("drafts") == [7] * 4
    assert agent.hops("critiques")[-1] == {"critique": 3}
    assert agent.held() == [("critique", REASON, 7)]
    assert agent.one("select id from patterns_os.held") != number


def test_a_claim_that_a_crash_forgets_has_held_nothing_and_the_next_one_does(agent: Circle) -> None:
    agent.write("topics", 1)
    while (claim := agent.claim()[0])["node"] != "critique" or len(agent.column("drafts")) < 2:
        agent.commit(claim)
    agent.commit(claim)
    critique = agent.deployment.nodes["critique"]
    place = "select cursor from patterns_os.inputs where node = %s"
    for claim in agent.claim(5):
        agent.commit(claim)
    before = agent.one(place, critique)

    with agent.connection.transaction(force_rollback=True):
        agent.claim(5)
        assert agent.held() == [("critique", REASON, 1)]
        assert agent.one(place, critique) == before + 1

    assert (agent.held(), agent.one(place, critique)) == ([], before)
    agent.run()
    assert (agent.held(), agent.one(place, critique)) == ([("critique", REASON, 1)], before + 1)


def test_a_lane_that_only_goes_past_rows_takes_no_place_from_others(make: Callable[..., Circle]) -> None:
    circle = make(node("again", "words", "words", max_hops=1), node("other", "words", "copies"))
    circle.write("words", 1)
    for claim in circle.claim(2):
        circle.commit(claim)
    circle.connection.execute(
        "update patterns_os.lanes set claimed_at = null where node = %s", (circle.deployment.nodes["again"],)
    )

    claims = circle.claim(1)

    assert [claim["node"] for claim in claims] == ["other"]
    assert circle.held() == [("again", 'it has come round once, which is the max_hops of "again"', 1)]


def test_each_of_two_bounds_counts_for_itself(make: Callable[..., Circle]) -> None:
    circle = make(
        node("draft", "topics critiques", "drafts", max_hops=5),
        node("critique", "drafts", "critiques", max_hops=2),
    )
    circle.write("topics", 1)
    circle.run()

    assert circle.column("drafts") == [1, 1, 1]
    assert circle.hops("drafts") == [
        {"draft": 1},
        {"critique": 1, "draft": 2},
        {"critique": 2, "draft": 3},
    ]
    assert circle.held() == [("critique", REASON, 1)]


def test_a_second_circle_begins_at_zero(make: Callable[..., Circle]) -> None:
    circle = make(
        node("a", "first", "first between", max_hops=3),
        node("b", "between second", "second", max_hops=2),
    )
    circle.write("first", 1)
    circle.run()

    assert len(circle.column("between")) == 3
    assert len(circle.column("second")) == 3 * 2
    assert sorted(name for name, *_ in circle.held()) == ["a", "b", "b", "b"]


def test_a_node_that_reads_its_circle_is_not_started_again(make: Callable[..., Circle]) -> None:
    circle = make(
        node("draft", "critiques", "drafts"),
        node("critique", "drafts", "critiques", access="read", max_hops=2),
    )
    circle.write("critiques", 1)
    circle.run()

    assert circle.column("critiques") == [1, 0, 0]
    assert circle.held() == [("critique", REASON, 0)]

    request_resume(circle.database, circle.deployment.app, circle.one("select id from patterns_os.held"))
    circle.run()

    assert circle.column("critiques") == [1, 0, 0, 0]
    assert circle.held() == [("critique", REASON, 0)]


def test_a_node_that_waits_for_all_inputs_gets_all_and_counts_the_greatest(
    make: Callable[..., Circle],
) -> None:
    circle = make(node("join", "new old", "old", when="all", max_hops=3))
    circle.write("new", 1)
    circle.write("old", 2)
    circle.run()
    circle.write("new", 3)

    assert circle.run() == [("join", {"new": [3], "old": [1, 2]})]
    assert circle.hops("old") == [None, {"join": 1}, {"join": 2}]


def test_a_stream_that_a_run_opens_gets_only_rows_that_have_come_round_as_often(agent: Circle) -> None:
    agent.write("topics", 1)
    agent.run()
    number = agent.deployment.tables["critiques"]
    agent.write("topics", 2)
    claim = agent.claim()[0]

    opened = agent.one(
        "select patterns_os.open_stream_v1(%s, %s, %s, 'again', false)", claim["run"], claim["token"], number
    )

    assert (claim["node"], opened["from"], opened["to"], opened["last"]) == ("draft", 0, 0, 2)
    agent.commit(claim)
    given = [tables for name, tables in agent.run() if name == "draft"]
    # the topic was the oldest; the rows of the new stream follow, each as often as it has come round
    assert given[:2] == [{"critiques": [1]}, {"critiques": [1]}]


def test_asking_for_a_run_counts_from_nothing(agent: Circle) -> None:
    request_run(agent.database, agent.deployment.app, "critique")
    claim = agent.claim()[0]

    assert agent.one("select hops from patterns_os.runs where id = %s", claim["run"]) == {
        str(agent.deployment.nodes["critique"]): 1
    }


def test_a_node_outside_of_circles_carries_nothing(agent: Circle) -> None:
    agent.write("drafts", 1)
    claim = next(claim for claim in agent.claim(5) if claim["node"] == "publish")

    assert agent.one("select hops from patterns_os.runs where id = %s", claim["run"]) is None


def test_without_bound_after_a_deploy_nothing_counts(agent: Circle, make: Callable[..., Circle]) -> None:
    make(node("critique", "drafts", "reports", max_hops=2))

    assert agent.one("select count(*) from patterns_os.nodes where circle is not null") == 0
