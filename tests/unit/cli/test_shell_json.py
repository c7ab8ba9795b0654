"""A truth table: what reached us, and what it stands for."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.cli.shell_json import AmbiguousError, read_eaten_json

READINGS = [
    # one word: its quotes are gone
    (["{event:{text:hello world}}"], {"event": {"text": "hello world"}}),
    (["{a:1}"], {"a": 1}),
    (["{a:-1.5e3}"], {"a": -1500.0}),
    (["{a:007}"], {"a": "007"}),
    (["{a:+1}"], {"a": "+1"}),
    (["{a:1.}"], {"a": "1."}),
    (["{a:true,b:false,c:null}"], {"a": True, "b": False, "c": None}),
    (["{a:True}"], {"a": "True"}),
    (["{}"], {}),
    (["[]"], []),
    (["[1,two,[3]]"], [1, "two", [3]]),
    (["{a:{}}"], {"a": {}}),
    (["{a:[]}"], {"a": []}),
    (["{a: 1, b: two words }"], {"a": 1, "b": "two words"}),
    (["{first name:Ann}"], {"first name": "Ann"}),
    (["{url:https://example.com/x?y=1}"], {"url": "https://example.com/x?y=1"}),
    (["{a:it's}"], {"a": "it's"}),
    (["{a:größe}"], {"a": "größe"}),
    (["{a:b-c_d.e}"], {"a": "b-c_d.e"}),
    # quotes that are still there hold what stands in them
    (['{"a":"b:c, d"}'], {"a": "b:c, d"}),
    (['{a:"1"}'], {"a": "1"}),
    # several words: the shell has split at the commas of the outer braces
    (["a:1", "b:2"], {"a": 1, "b": 2}),
    (["a:1", "b:two words", "c:true"], {"a": 1, "b": "two words", "c": True}),
    (["a:[1", "2]"], {"a": [1, 2]}),
]

REFUSALS = [
    (["{a:b:c}"], '"b:c" has a colon in it: it may be a text, or a key with its value'),
    (["{a:12:30}"], '"12:30" has a colon in it: it may be a text, or a key with its value'),
    (["{a:hello, world}"], '"world}" does not begin with a key and a colon'),
    (["{a:}"], "a value is missing, or was an empty text"),
    (["{a:1,a:2}"], 'the key "a" comes twice'),
    (["a:1", "a:2"], 'the key "a" comes twice'),
    (["{a:1"], "expected \",\" at character 5, found 'the end'"),
    (["{a:1}}"], '"}" is left over'),
    (["{a:x{y}}"], '"x{y" has a bracket in it'),
    (["{a:b}", "{a:c}"], "the shell has split nested braces, and what belonged together is lost"),
    (["{a}"], '"a}" does not begin with a key and a colon'),
    ([""], "a value is missing, or was an empty text"),
    (["hello", "world"], '"hello,world}" does not begin with a key and a colon'),
    (['{a:"b}'], '""b}" has a quote without its partner'),
]


@pytest.mark.parametrize(("words", "value"), READINGS)
def test_words_with_one_reading_are_read(words, value):
    assert read_eaten_json(words) == value


@pytest.mark.parametrize(("words", "message"), REFUSALS)
def test_words_with_several_readings_or_none_are_refused(words, message):
    with pytest.raises(AmbiguousError) as refused:
        read_eaten_json(words)
    assert str(refused.value) == message


plain = st.text("abcdefgh", min_size=1, max_size=5).filter(lambda text: text not in {"true", "false", "null"})
scalars = st.one_of(plain, st.integers(-99, 99), st.booleans(), st.none())
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3)
)


@given(st.dictionaries(plain, values, min_size=1, max_size=4))
def test_an_object_whose_quotes_are_eaten_comes_back_if_no_text_needs_them(value):
    eaten = json.dumps(value, separators=(",", ":")).replace('"', "")
    assert read_eaten_json([eaten]) == value


@given(st.dictionaries(plain, scalars, min_size=2, max_size=4))
def test_an_object_that_bash_has_split_comes_back(value):
    assert read_eaten_json(list(split(value))) == value


def split(value: dict[str, object]) -> Iterable[str]:
    for key, item in value.items():
        yield f"{key}:{json.dumps(item)}".replace('"', "")
