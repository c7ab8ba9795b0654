"""A node under a new name: it is refused, renamed, or declared new."""

from typing import Any

import pytest

from patterns_os.errors import PermanentError
from patterns_os.plan.spec import Plan

pytestmark = pytest.mark.postgres


def renamed_plan(hands: Any) -> Plan:
    plan = hands.deployment.plan
    return plan.model_copy(update={"nodes": (plan.nodes[0].model_copy(update={"name": "clone"}),)})


def cursor_of(hands: Any, node: str) -> int:
    statement = "select i.cursor from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node where n.name = %s"
    return int(hands.one(statement, node))


@pytest.fixture
def worked(hands: Any) -> Any:
    """Give hands on an app whose node has done three rows."""
    hands.write("src", [{"i": 1}, {"i": 2}, {"i": 3}])
    hands.commit(hands.claim())
    return hands


def test_what_looks_renamed_is_not_deployed(worked: Any, deploy: Any) -> None:
    with pytest.raises(PermanentError) as caught:
        deploy(renamed_plan(worked))

    assert caught.value.hint == (
        "patterns rename copy clone (keeps its place), or patterns rename --forget copy (it is new)"
    )


def test_a_renamed_node_keeps_its_place(worked: Any, deploy: Any) -> None:
    deploy(renamed_plan(worked), renamed={"copy": "clone"})

    assert cursor_of(worked, "clone") == 3


def test_a_node_declared_new_starts_at_the_beginning(worked: Any, deploy: Any) -> None:
    deploy(renamed_plan(worked), forgotten=["copy"])

    assert (cursor_of(worked, "copy"), cursor_of(worked, "clone")) == (3, 0)
    assert worked.one("select retired_at is not null from patterns_os.nodes where name = 'copy'")


@pytest.mark.parametrize(
    "options", [{"renamed": {"copi": "clone"}}, {"forgotten": ["copi"]}], ids=["rename", "forget"]
)
def test_only_deployed_nodes_can_be_told_of(worked: Any, deploy: Any, options: dict[str, Any]) -> None:
    with pytest.raises(PermanentError) as caught:
        deploy(renamed_plan(worked), **options)

    assert str(caught.value) == (
        'error[unknown-node] No node "copi" is deployed\n  hint: did you mean "copy"?'
    )
