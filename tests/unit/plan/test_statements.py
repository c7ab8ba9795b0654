import pytest

from patterns_os.plan.statements import added_columns

BEFORE = "select region, sum(amount) as total from orders group by 1"


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        (BEFORE, "select region, sum(amount) as total, max(at) as last from orders group by 1", ("last",)),
        ("select a from t", "select a, b, a + 1 as c from t", ("b", "c")),
        ("select a from t", "select b, a from t", ()),
        ("select a from t", "select a, b from t where a > 1", ()),
        ("select a from t", "select distinct a, b from t", ()),
        ("select a from t", "select a, sum(b) as s from t", ()),
        ("select a from t", "select a, generate_series(1, 3) as n from t", ()),
        ("select a from t", "select a, unnest(b) as n from t", ()),
        ("select a from t", "select a, 1 + 1 from t", ()),
        ("select a from t", "select a, * from t", ()),
        ("select a from t", "select a from t", ()),
        ("select a from t", "select a, from from", ()),
        ("select a from t union select 1", "select a from t union select 2", ()),
    ],
)
def test_only_columns_that_come_last_and_make_no_rows_are_additions(before, after, added):
    assert added_columns((before,), (after,)) == added
