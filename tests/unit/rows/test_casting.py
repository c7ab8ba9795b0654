import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns.record import Record
from patterns_os.rows.casting import compile_casts, held_form
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.errors import RowError
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.tagging import from_json
from patterns_os.rows.types import ColumnType as C

AWARE = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


def caster(casting="soft", **columns):
    """Give a caster; a column is its type, or what else there is of a field."""
    fields = [
        FieldSchema(name=name, **(given if isinstance(given, dict) else {"type": given}))
        for name, given in columns.items()
    ]
    return compile_casts(TableSchema(fields=tuple(fields), casting=casting))


def refusal(casts, row):
    with pytest.raises(RowError) as caught:
        casts.cast(row)
    return caught.value.code, caught.value.message, caught.value.hint


# -- what goes in


def test_a_row_that_fits_stays_the_object_that_it_is():
    row = {"id": 1, "name": "a", "at": AWARE, "price": Decimal("1.5"), "more": [1]}
    casts = caster(id=C.BIGINT, name=C.TEXT, at=C.TIMESTAMPTZ, price=C.NUMERIC)

    assert casts.cast(row) is row
    assert casts.cast_rows([row] * 10)[9] is row


def test_soft_casting_turns_values_and_keeps_other_columns():
    casts = caster(id=C.BIGINT, at=C.TIMESTAMPTZ)

    assert casts.cast({"at": "2024-05-06T07:08:09Z", "x": 1, "id": "12"}) == {"at": AWARE, "x": 1, "id": 12}


def test_what_may_be_null_may_be_missing():
    assert caster(id=C.BIGINT, name=C.TEXT).cast({"id": None}) == {"id": None, "name": None}


def test_values_of_other_libraries_are_taken_for_what_they_are():
    class Amount(int):
        pass

    assert caster(id=C.BIGINT).cast({"id": Amount(3)}) == {"id": 3}
    assert caster("hard", id=C.BIGINT).cast({"id": Amount(3)}) == {"id": 3}


def test_a_record_that_was_read_is_a_row_like_any_other():
    row = Record(id=1, patterns_id="x")

    assert caster("hard", id=C.BIGINT).cast_rows([row] * 5) == [row] * 5


def test_system_columns_are_not_undeclared_ones():
    assert caster("hard", id=C.BIGINT).cast({"id": 1, "patterns_id": "x"}) == {"id": 1, "patterns_id": "x"}


# -- what is refused


MONEY = {"type": C.NUMERIC, "semantic": "common.Money", "rules": {"minimum": 0}}
EMAIL = {"type": C.TEXT, "semantic": "common.Email", "rules": {"pattern": "^.+@.+$"}}


@pytest.mark.parametrize(
    ("columns", "row", "message", "hint"),
    [
        (
            {"amount": MONEY},
            {"amount": "12,50"},
            'column "amount" is the text "12,50"; expected numeric (common.Money)',
            None,
        ),
        (
            {"amount": MONEY},
            {"amount": -1},
            'column "amount" is the number -1; expected at least 0 (common.Money)',
            None,
        ),
        (
            {"email": EMAIL},
            {"email": "nobody"},
            'column "email" is the text "nobody"; expected an email address (common.Email)',
            None,
        ),
        (
            {"id": {"type": C.BIGINT, "nullable": False}},
            {},
            'column "id" is missing; expected bigint',
            None,
        ),
        (
            {"id": {"type": C.BIGINT, "nullable": False}},
            {"id": None},
            'column "id" is null; expected bigint',
            None,
        ),
        ({"id": C.BIGINT}, {"id": True}, 'column "id" is true; expected bigint', None),
        ({"id": C.BIGINT}, {"id": 2**70}, f'column "id" is the number {2**70}; expected bigint', None),
        ({"id": C.BIGINT}, {"id": [1]}, 'column "id" is a list; expected bigint', None),
        ({"id": C.BIGINT}, {"id": {}}, 'column "id" is an object; expected bigint', None),
        ({"id": C.BIGINT}, {"id": b"abc"}, 'column "id" is binary, of 3 bytes; expected bigint', None),
        (
            {"id": C.BIGINT},
            {"id": Decimal("1.5")},
            'column "id" is the decimal 1.5; expected bigint',
            None,
        ),
        (
            {"id": C.BIGINT},
            {"id": "a" * 1000},
            f'column "id" is the text "{"a" * 40}…" of 1000 characters; expected bigint',
            None,
        ),
        (
            {"name": C.TEXT},
            {"name": 'a\0"\udc80'},
            'column "name" is the text "a\\u0000\\"\\udc80"; expected text',
            None,
        ),
        (
            {"on": C.DATE},
            {"on": AWARE},
            'column "on" is the moment 2024-05-06T07:08:09+00:00; expected date',
            None,
        ),
        (
            {"on": C.BOOL},
            {"on": dt.date(2024, 1, 2)},
            'column "on" is the date 2024-01-02; expected bool',
            None,
        ),
        ({"on": C.BOOL}, {"on": dt.time(1, 2)}, 'column "on" is the time 01:02:00; expected bool', None),
        (
            {"at": C.TIMESTAMPTZ},
            {"at": AWARE.replace(tzinfo=None)},
            'column "at" is the moment 2024-05-06T07:08:09 without a time zone; expected timestamptz',
            "give it a time zone: datetime.now(timezone.utc), or .replace(tzinfo=…)",
        ),
        (
            {"at": C.TIMESTAMPTZ},
            {"at": "2024-05-06"},
            'column "at" is the text "2024-05-06"; expected timestamptz',
            "write a moment with its offset: 2024-12-31T23:59:59Z",
        ),
    ],
)
def test_a_refusal_names_the_column_what_it_holds_and_what_was_expected(columns, row, message, hint):
    assert refusal(caster(**columns), row) == ("row-refused", message, hint)


def test_hard_casting_refuses_columns_that_are_not_declared():
    casts = caster("hard", amount=C.BIGINT, name=C.TEXT)

    assert refusal(casts, {"amuont": 1}) == (
        "row-refused",
        'column "amuont" is not declared; declared: "amount", "name"',
        'did you mean "amount"?',
    )
    assert refusal(casts, {"zzz": 1})[2] == 'declare it, or set "casting" to "soft"'


def test_hard_casting_turns_nothing():
    assert (
        refusal(caster("hard", id=C.BIGINT), {"id": "1"})[1] == 'column "id" is the text "1"; expected bigint'
    )


def test_one_of_several_rows_is_named_by_its_number():
    casts = caster(id=C.BIGINT)

    with pytest.raises(RowError, match=r'^error\[row-refused\] row 2: column "id" is the text "x"'):
        casts.cast_rows([{"id": 1}, {"id": "x"}])


def test_a_row_that_is_no_mapping_is_refused_as_everywhere():
    with pytest.raises(RowError, match="expected a dict with text keys"):
        caster(id=C.BIGINT).cast_rows([1])


def test_a_value_that_no_row_can_hold_is_refused_as_everywhere():
    with pytest.raises(RowError, match=r"\[row-value\] value at \"id\" has type \"set\""):
        caster(id=C.BIGINT).cast({"id": {1}})


def test_a_pattern_that_is_none_is_told_when_the_schema_is_read():
    with pytest.raises(RowError) as caught:
        caster(a={"type": C.TEXT, "rules": {"pattern": "("}})

    assert str(caught.value) == (
        'error[schema-pattern] the pattern of column "a" is none that can be matched: error: unclosed group'
    )


# -- many rows


def test_rows_are_sorted_out_in_their_order():
    fitting, refused = caster(id=C.BIGINT).sort_out([{"id": 1}, {"id": "x"}, {"id": "3"}, {"id": 0.5}])

    assert fitting == [{"id": 1}, {"id": 3}]
    assert [(one.number, one.row, one.reason) for one in refused] == [
        (2, {"id": "x"}, 'column "id" is the text "x"; expected bigint'),
        (4, {"id": 0.5}, 'column "id" is the number 0.5; expected bigint'),
    ]


def test_a_refused_row_is_held_as_it_was_with_the_reason():
    row = {"id": "x\0", "patterns_more": 1, "$float": Decimal(1), "patterns_position": 3}
    _, (refused,) = caster(id=C.BIGINT).sort_out([row])

    kept = held_form(refused)

    assert (kept["number"], from_json(kept["content"]["patterns_more"])) == (1, row)
    assert kept["error"] == {
        "family": "node",
        "code": "row-refused",
        "message": 'column "id" is the text "x\\u0000"; expected bigint',
        "hint": None,
    }


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=3),
    st.integers().map(str),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
)
FIELDS = st.builds(
    dict,
    type=st.sampled_from(list(C)),
    nullable=st.booleans(),
    rules=st.sampled_from([{}, {"minimum": 0, "maximum": 3}, {"maxLength": 1}, {"enum": [1, "a"]}]),
)
SCHEMAS = st.builds(lambda columns, casting: caster(casting, **columns), st.dictionaries(
    st.sampled_from("abc"), FIELDS, min_size=1
), st.sampled_from(["soft", "hard"]))  # fmt: skip
ROWS = st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=8)


@given(SCHEMAS, ROWS)
def test_many_rows_are_cast_as_each_of_them(casts, rows):
    fitting, refused = casts.sort_out(rows)

    alone = [casts.sort_out([row]) for row in rows]
    assert repr(fitting) == repr([row for found, _ in alone for row in found])
    assert [one.number for one in refused] == [n for n, (found, _) in enumerate(alone, 1) if not found]


@given(SCHEMAS, ROWS)
def test_a_cast_row_is_cast_to_itself_and_fits_its_columns(casts, rows):
    fitting, _ = casts.sort_out(rows)

    for row in fitting:
        assert casts.cast(row) is row or repr(dict(casts.cast(row))) == repr(dict(row))
        declared = {name: row[name] for name in casts.schema.columns}
        assert "patterns_more" not in RowCodec(casts.schema.columns).json_rows([declared])[0]
