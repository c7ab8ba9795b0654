"""Circles of a plan, and who bounds them."""

from typing import Any

from patterns_os.plan.circles import bounds_of_circles
from patterns_os.plan.spec import Plan, PlannedInput, PlannedNode, PlannedOutput


def node(name: str, takes: str, gives: str, *, triggering: bool = True, **more: Any) -> PlannedNode:
    return PlannedNode(
        name=name,
        kind="python",
        file=f"{name}.py",
        content="1",
        inputs=tuple(
            PlannedInput(table=table, port=table, access="stream", triggering=triggering)
            for table in takes.split()
        ),
        outputs=tuple(PlannedOutput(table=table, port=table) for table in gives.split()),
        **more,
    )


def bounds(*nodes: PlannedNode) -> dict[str, tuple[str, ...]]:
    return bounds_of_circles(Plan(app="try", nodes=nodes))


def test_every_node_of_a_circle_knows_who_bounds_it():
    found = bounds(
        node("draft", "topics critiques", "drafts"),
        node("critique", "drafts", "critiques", max_hops=3),
        node("publish", "drafts", "published"),
    )

    assert found == {"draft": ("critique",), "critique": ("critique",)}


def test_a_node_may_be_a_circle_of_its_own():
    assert bounds(node("dig", "found", "found", max_hops=2)) == {"dig": ("dig",)}


def test_ways_that_share_a_node_are_one_circle():
    found = bounds(
        node("plan", "reports", "tasks", max_hops=2),
        node("work", "tasks retries", "results"),
        node("check", "results", "retries reports", max_hops=5),
    )

    assert found == dict.fromkeys(["plan", "work", "check"], ("check", "plan"))


def test_circles_that_follow_each_other_are_two():
    found = bounds(
        node("a", "first", "first between", max_hops=2),
        node("b", "between second", "second", max_hops=4),
    )

    assert found == {"a": ("a",), "b": ("b",)}


def test_outside_of_circles_and_where_nothing_is_triggered_nobody_counts():
    assert bounds(node("a", "first", "second", max_hops=2)) == {}
    assert bounds(node("a", "first", "first", max_hops=2, triggering=False)) == {}
    assert bounds(node("a", "first", "first")) == {}
