import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.rows.errors import RowError
from patterns_os.rows.identity import parse_patterns_id, patterns_id

PARTS = st.tuples(
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**60 - 1),
)


@given(PARTS)
def test_an_id_is_read_back_as_its_parts(parts):
    assert parse_patterns_id(patterns_id(*parts)) == parts
    assert parse_patterns_id(patterns_id(*parts).upper()) == parts


@given(PARTS, PARTS)
def test_ids_order_as_their_parts_do(left, right):
    assert (patterns_id(*left) < patterns_id(*right)) == (left < right)


def test_an_id_has_26_lower_case_characters():
    assert patterns_id(0, 0, 0) == "00000000000000000000000000"
    assert patterns_id(1_700_000_000_000, 5, 123_456) == "01hf7yat000005000000003rj0"
    assert patterns_id(2**48 - 1, 2**20 - 1, 2**60 - 1) == "7zzzzzzzzzzzzzzzzzzzzzzzzz"


@pytest.mark.parametrize("text", ["", "kk3di09e3p", "0" * 27, "8" + "0" * 25, "u" * 26, "é" * 26])
def test_other_text_is_refused(text):
    with pytest.raises(RowError) as caught:
        parse_patterns_id(text)

    assert caught.value.message == (
        f'"{text}" is no patterns_id; expected 26 characters of 0123456789abcdefghjkmnpqrstvwxyz, '
        'the first at most "7"'
    )


def test_a_part_that_is_too_large_is_refused():
    with pytest.raises(RowError) as caught:
        patterns_id(0, 2**20, 1)

    assert caught.value.message == "table number 1048576 does not fit a patterns_id: it has 20 bits"
