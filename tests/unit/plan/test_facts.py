from patterns_os.plan.facts import DeployedFacts, Expected, TableFacts

SEEN = Expected(
    deployment=4,
    columns={"orders": {"amount": "bigint"}, "alerts": None},
    dropped={"staging": 12},
)
WORLD = DeployedFacts(
    deployment=4,
    tables={
        "orders": TableFacts(rows=9, watermark=9, columns={"amount": "bigint"}),
        "staging": TableFacts(rows=12, watermark=12),
    },
)


def changed(**tables):
    return DeployedFacts(deployment=WORLD.deployment, tables={**WORLD.tables, **tables})


def test_nothing_has_moved_where_all_is_as_it_was():
    assert SEEN.moved(WORLD) == ()


def test_rows_that_come_move_nothing():
    assert SEEN.moved(changed(orders=TableFacts(rows=99, watermark=99, columns={"amount": "bigint"}))) == ()


def test_another_deployment_has_moved_the_world():
    assert SEEN.moved(DeployedFacts(deployment=5, tables=WORLD.tables)) == (
        "the plan is for deployment 4, and deployment 5 is active now",
    )
    assert Expected().moved(DeployedFacts(deployment=1)) == (
        "the plan is for no deployment, and deployment 1 is active now",
    )


def test_columns_that_changed_are_named():
    moved = changed(orders=TableFacts(columns={"amount": "text", "note": "text"}), alerts=TableFacts())

    assert SEEN.moved(moved) == (
        'table "alerts" is there already',
        'column "orders.amount": bigint → text',
        'column "orders.note": none → text',
    )


def test_a_table_to_be_dropped_must_hold_what_was_seen():
    assert SEEN.moved(changed(staging=TableFacts(rows=13, watermark=13))) == (
        'table "staging" was written since: position 12 → 13',
    )
    gone = DeployedFacts(deployment=4, tables={"orders": WORLD.tables["orders"]})
    assert SEEN.moved(gone) == ('table "staging" is gone',)
