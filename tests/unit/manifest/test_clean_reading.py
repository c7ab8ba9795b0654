import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.manifest import syntax
from patterns_os.manifest.syntax import read_elements

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def patiently(content: str):
    reader = syntax._Reader(content)
    return reader.read(), tuple(sorted(reader.problems, key=lambda problem: problem.start))


@given(value=VALUES, indent=st.sampled_from([None, 1, 4]))
def test_a_text_without_mistakes_is_read_alike_by_both_readers(value, indent):
    content = json.dumps(value, indent=indent, ensure_ascii=False)
    assert read_elements(content) == patiently(content)


@given(
    value=VALUES,
    cut=st.integers(0, 400),
    put=st.sampled_from(["", "}", "]", ",", '"', ":", "\\", "0", "x", "\n"]),
)
def test_a_text_with_a_mistake_is_read_alike_by_both_readers(value, cut, put):
    whole = json.dumps(value, indent=1)
    content = whole[:cut] + put + whole[cut + 1 :]
    assert read_elements(content) == patiently(content)


def test_trailing_commas_do_not_slow_the_reading_down():
    content = '{"a": [1, 2.5, "x\\n",], "b": {"c": null,},}'
    assert syntax._read_clean(content) == patiently(content)[0]


@pytest.mark.parametrize(
    "content", ['"' * 200_000, '"\\"' * 100_000, "[" * 200_000, '{"a":' * 50_000, "1" * 200_000]
)
def test_a_long_broken_text_takes_no_more_than_linear_time(content):
    assert syntax._read_clean(content) is None
