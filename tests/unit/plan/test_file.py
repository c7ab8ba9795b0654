from hashlib import sha256

import pytest

from patterns_os.errors import UsageError
from patterns_os.plan.downstream import ColumnUse
from patterns_os.plan.facts import Expected
from patterns_os.plan.file import PlanFile, read_plan_file
from patterns_os.plan.spec import Plan, PlannedNode, PlannedSource

SCRIPT = b"print('\xff')\r\n"
HASH = sha256(SCRIPT).hexdigest()
KEPT = PlanFile(
    plan=Plan(
        app="shop",
        nodes=(
            PlannedNode(
                name="a",
                kind="python",
                file="a.py",
                content="1",
                sources=(PlannedSource(path="a.py", content=HASH),),
            ),
        ),
    ),
    sources={HASH: SCRIPT},
    expected=Expected(deployment=3, columns={"t": {"b": "text", "a": "bool"}, "u": None}, dropped={"old": 7}),
    uses={("a", "t"): ColumnUse(columns=frozenset({"b", "a"}), is_whole=True)},
)


def test_a_plan_comes_back_as_it_was_kept():
    assert read_plan_file(KEPT.to_bytes(), "next.plan") == KEPT


def test_the_same_plan_gives_the_same_bytes():
    again = PlanFile(
        plan=Plan.model_validate(KEPT.plan.model_dump(mode="json")),
        sources=dict(KEPT.sources),
        expected=Expected(
            deployment=3, columns={"u": None, "t": {"a": "bool", "b": "text"}}, dropped={"old": 7}
        ),
        uses=dict(KEPT.uses),
    )

    assert again.to_bytes() == KEPT.to_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        KEPT.to_bytes().replace(b'"old": 7', b'"old": 8'),
        KEPT.to_bytes().replace(b'"patterns_plan": 1', b'"patterns_plan": 2'),
    ],
)
def test_what_is_no_plan_or_was_changed_is_refused(content):
    with pytest.raises(UsageError) as caught:
        read_plan_file(content, "next.plan")

    assert str(caught.value) == (
        'error[plan-file] "next.plan" is no plan that this release can deploy, or was changed by hand\n'
        "  hint: make it again: patterns plan --out next.plan"
    )
