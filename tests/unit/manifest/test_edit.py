"""Edits change what is meant and leave the rest of the text alone."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.errors import CompileError, InternalError
from patterns_os.manifest.document import join_pointer, parse_document
from patterns_os.manifest.edit import append_item, remove_item, rename_key, set_value

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=3)
blanks = st.sampled_from(
    ["", " ", "\n", "\n    ", "\t", "\r\n  ", " // note, ]}\n", "/* a */", " /* b\n */ ", "\r\n"]
)


@st.composite
def laid_out(draw, value):
    """Write a value as JSON with random blanks, comments and trailing commas."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        parts = [
            draw(blanks)
            + ("" if key is None else json.dumps(key) + draw(blanks) + ":" + draw(blanks))
            + draw(laid_out(item))
            + draw(blanks)
            for key, item in pairs
        ]
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        return opening + ",".join(parts) + draw(st.sampled_from(["", ","])) + draw(blanks) + closing
    if value in ({}, []) and not isinstance(value, bool | int | float | str):
        opening, closing = "{}" if value == {} else "[]"
        return opening + draw(blanks) + closing
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


@st.composite
def documents(draw):
    data = draw(objects)
    text = draw(st.sampled_from(["", "\ufeff"])) + draw(blanks) + draw(laid_out(data)) + draw(blanks)
    return data, parse_document("manifest.json", text.encode())


def places(value, path=()):
    """Give the path of every value inside."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


def at(data, path):
    for part in path:
        data = data[part]
    return data


def comments(text):
    return text.count(b"// note, ]}"), text.count(b"/* a */"), text.count(b"/* b\n */")


def same(text, data):
    return json.dumps(parse_document("manifest.json", text).data) == json.dumps(data)


@given(documents(), values, st.data())
def test_an_appended_item_is_the_only_change(given_document, value, data):
    before, document = given_document
    lists = [path for path in places(before) if isinstance(at(before, path), list)]
    path = data.draw(st.sampled_from([*lists, ("new list",)]))

    text = append_item(document, join_pointer(path), value)

    meant = deepcopy(before)
    if path in lists:
        at(meant, path).append(value)
    else:
        meant["new list"] = [value]
    assert same(text, meant)
    assert all(after >= former for after, former in zip(comments(text), comments(document.text), strict=True))


@given(documents(), values, st.data())
def test_a_set_value_is_the_only_change(given_document, value, data):
    before, document = given_document
    objects_at = [path for path in places(before) if isinstance(at(before, path), dict)]
    path = (*data.draw(st.sampled_from(objects_at)), "new key", "inner")

    text = set_value(document, join_pointer(path), value)

    meant = deepcopy(before)
    at(meant, path[:-2])["new key"] = {"inner": value}
    assert same(text, meant)
    assert same(remove_item(parse_document("manifest.json", text), join_pointer(path[:-1])), before)


@given(documents(), values, st.data())
def test_a_replaced_value_is_the_only_change(given_document, value, data):
    before, document = given_document
    path = data.draw(st.sampled_from([path for path in places(before) if path] or [("new",)]))

    text = set_value(document, join_pointer(path), value)

    meant = deepcopy(before)
    at(meant, path[:-1])[path[-1]] = value
    assert same(text, meant)


@given(documents(), st.data())
def test_a_removed_item_is_the_only_change(given_document, data):
    before, document = given_document
    paths = [path for path in places(before) if path]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))

    text = remove_item(document, join_pointer(path))

    meant = deepcopy(before)
    del at(meant, path[:-1])[path[-1]]
    assert same(text, meant)


def edited(edit, text, *arguments):
    return edit(parse_document("manifest.json", text.encode()), *arguments).decode()


MULTI_LINE = """{
    // the app
    "name": "a",
    "scripts": [
        {
            "file": "x.py" // first
        }, // done
        // more to come
    ],
    "secrets": []
}
"""


def test_an_item_is_appended_in_the_layout_of_the_file():
    assert edited(append_item, MULTI_LINE, "/scripts", {"file": "y.py", "inputs": ["a", "b"]}) == (
        """{
    // the app
    "name": "a",
    "scripts": [
        {
            "file": "x.py" // first
        }, // done
        {
            "file": "y.py",
            "inputs": ["a", "b"]
        },
        // more to come
    ],
    "secrets": []
}
"""
    )


def test_a_missing_array_is_added_at_the_end():
    assert edited(append_item, MULTI_LINE, "/stores", {"table": "t"}) == MULTI_LINE.replace(
        '"secrets": []\n',
        '"secrets": [],\n    "stores": [\n        {\n            "table": "t"\n        }\n    ]\n',
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"s": []}', '{"s": ["x"]}'),
        ('{"s": [ ]}', '{"s": ["x"]}'),
        ('{"s": ["a"]}', '{"s": ["a", "x"]}'),
        ('{"s": ["a",]}', '{"s": ["a", "x",]}'),
        ('{"s": ["a" /* b */]}', '{"s": ["a", /* b */ "x"]}'),
        ('{"s": ["a" // b\n]}', '{"s": ["a", // b\n  "x"\n]}'),
        ('{"s": [\n  "a"]}', '{"s": [\n  "a",\n  "x"]}'),
        ('{"s": [\r\n\t"a"\r\n]}', '{"s": [\r\n\t"a",\r\n\t"x"\r\n]}'),
        ('{"s": [\n  // none yet\n]}', '{"s": [\n  // none yet\n  "x"\n]}'),
        ('\ufeff{"s": null}', '\ufeff{"s": ["x"]}'),
        ("{}", '{\n  "s": ["x"]\n}'),
        ('{\n  "n": 1\n}\n', '{\n  "n": 1,\n  "s": ["x"]\n}\n'),
    ],
)
def test_append_keeps_to_the_layout_around(before, after):
    assert edited(append_item, before, "/s", "x") == after


def test_an_object_is_appended_on_one_line_where_its_neighbour_is():
    before = '{\n  "stores": [\n    {"table": "a"}\n  ]\n}\n'

    assert edited(append_item, before, "/stores", {"table": "b", "unique_on": ["id"]}) == (
        '{\n  "stores": [\n    {"table": "a"},\n    {"table": "b", "unique_on": ["id"]}\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("before", "pointer", "after"),
    [
        ('{"s": ["a", "b", "c"]}', "/s/0", '{"s": ["b", "c"]}'),
        ('{"s": ["a", "b", "c"]}', "/s/1", '{"s": ["a", "c"]}'),
        ('{"s": ["a", "b", "c"]}', "/s/2", '{"s": ["a", "b"]}'),
        ('{"s": ["a"]}', "/s/0", '{"s": []}'),
        ('{\n  "s": [\n    "a", // one\n    "b"\n  ]\n}', "/s/0", '{\n  "s": [\n    "b"\n  ]\n}'),
        ('{\n  "s": [\n    "a", // one\n    "b"\n  ]\n}', "/s/1", '{\n  "s": [\n    "a" // one\n  ]\n}'),
        ('{\n  "s": [\n    "a",\n    "b",\n  ]\n}', "/s/1", '{\n  "s": [\n    "a",\n  ]\n}'),
        ('{\n  "s": [\n    "a"\n  ]\n}', "/s", "{}"),
        ('{\r\n  "n": 1,\r\n  "s": 2\r\n}', "/n", '{\r\n  "s": 2\r\n}'),
    ],
)
def test_remove_takes_the_line_or_only_the_item(before, pointer, after):
    assert edited(remove_item, before, pointer) == after


def test_setting_what_is_there_changes_nothing():
    assert edited(set_value, '{"n":   1.0e1}', "/n", 10.0) == '{"n":   1.0e1}'


def test_true_and_one_are_not_the_same():
    assert edited(set_value, '{"n": 1}', "/n", True) == '{"n": true}'


@pytest.mark.parametrize(
    ("before", "pointer", "after"),
    [
        ('{"a": 1, /* c */ "b" : [2]}', "/b", '{"a": 1, /* c */ "x" : [2]}'),
        ('{"s": [{"b": {}, "a": 1}]}', "/s/0/b", '{"s": [{"x": {}, "a": 1}]}'),
    ],
)
def test_a_renamed_key_keeps_its_value_and_its_place(before, pointer, after):
    assert edited(rename_key, before, pointer, "x") == after


def test_a_file_with_mistakes_is_not_edited():
    with pytest.raises(CompileError) as caught:
        edited(append_item, '{"s": [1 2]}', "/s", 3)

    assert str(caught.value) == 'error[syntax-error] manifest.json:1:9: a comma is missing before "2"'


@pytest.mark.parametrize(
    ("edit", "arguments", "message"),
    [
        (append_item, ("/n", 1), '"/n" is not a list'),
        (set_value, ("/n/x", 1), '"/n/x" is not inside an object'),
        (remove_item, ("/x",), '"/x" does not exist'),
        (remove_item, ("",), '"" does not exist'),
        (rename_key, ("/n", "n"), '"/n" cannot become "n"'),
        (rename_key, ("/x", "y"), '"/x" cannot become "y"'),
        (set_value, ("/n", float("nan")), "the edited file does not hold what was meant"),
        (set_value, ("/n", "\ud800"), "the edited file does not hold what was meant"),
    ],
)
def test_an_impossible_edit_says_so(edit, arguments, message):
    with pytest.raises(InternalError) as caught:
        edited(edit, '{"n": 1}', *arguments)

    assert caught.value.message == f"the file can't be edited: {message}"
