"""Any bytes give a document; mistakes are named with their places; values know where they stand."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.manifest.codes import CODES
from patterns_os.manifest.document import join_pointer, parse_document, split_pointer

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab~/"\\\n', max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
noise = st.lists(
    st.sampled_from(
        [
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            '"',
            "'",
            '"a"',
            "1",
            "-",
            "NaN",
            "true",
            "nul",
            "//",
            "/*",
            "*/",
            "\n",
            "\r",
            " ",
            "\\",
            "\ufeff",
            "\xa0",
            "“",
            "é",
            "\x00",
            '"\\ud800"',
            "1e999",
            "9" * 30,
            '"a":',
            "[[[[",
            "{{",
        ]
    ),
    max_size=40,
).map("".join)


def findings(text):
    return [render_diagnostic(found) for found in parse_document("m.json", text.encode()).diagnostics]


@given(json_values, st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_the_standard_library_reads_it(value, indent):
    document = parse_document("m.json", json.dumps(value, indent=indent).encode())

    assert document.diagnostics == ()
    assert json.dumps(document.data) == json.dumps(value)


@given(noise)
@example("[" * 5000)
@example('{"a":' * 5000)
@example("?\u00a0" * 5000)
@example("/" * 5000)
@example('"\\' * 5000)
@example("9" * 5000)
def test_no_text_raises_and_every_finding_has_a_place_and_a_code(text):
    document = parse_document("m.json", text.encode())

    lines = text.encode().decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(found.code in CODES for found in document.diagnostics)
    assert all(1 <= found.where.line <= len(lines) for found in document.diagnostics)
    assert document.is_readable or document.diagnostics


@given(st.binary(max_size=60))
def test_no_bytes_raise(text):
    document = parse_document("m.json", text)

    assert document.is_readable or document.diagnostics


@given(noise)
def test_what_is_read_without_a_finding_is_json_but_for_commas_and_comments(text):
    document = parse_document("m.json", f"[{text}]".encode())

    if not document.diagnostics and not set(",/\ufeff") & set(text):
        assert json.dumps(document.data) == json.dumps(json.loads(f"[{text}]"))


@given(json_values)
def test_each_span_holds_its_value(value):
    document = parse_document("m.json", json.dumps(value).encode())

    for path, inner in walk(value):
        start, end = document.span(join_pointer(path))
        assert json.dumps(json.loads(document.content[start:end])) == json.dumps(inner)


def walk(value, path=()):
    yield path, value
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from walk(inner, (*path, key))


@given(st.lists(st.text(max_size=3), max_size=4))
def test_a_pointer_splits_into_the_parts_that_were_joined(parts):
    assert split_pointer(join_pointer(tuple(parts))) == tuple(parts)


def test_trailing_commas_comments_byte_order_mark_and_line_ends_are_accepted():
    text = '\ufeff// top\r\n{"a": [1, 2,], /* in\n between */ "b": {"c": null,},}\r\n// end'

    document = parse_document("m.json", text.encode())

    assert document.diagnostics == ()
    assert document.data == {"a": [1, 2], "b": {"c": None}}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "1:1", "the file is empty, expected an object"),
        ("// nothing", "1:1", "the file is empty, expected an object"),
        ('{"a": 1 "b": 2}', "1:8", 'a comma is missing before "b"'),
        ('{"a" 1}', "1:5", 'a colon is missing after "a"'),
        ('{"a"}', "1:2", '"a" has no value'),
        ('{"a":, "b": 1}', "1:2", '"a" has no value'),
        ("[1,,2]", "1:4", 'expected a value, found ","'),
        ("{a: 1}", "1:2", 'the name "a" needs double quotes'),
        ("{'a': 1}", "1:2", "'a' needs straight double quotes"),
        ("[one]", "1:2", '"one" needs double quotes'),
        ("[True]", "1:2", '"True" is not JSON\n  hint: did you mean true?'),
        ("[NaN]", "1:2", '"NaN" is not a JSON number'),
        ("[-Infinity]", "1:2", '"-Infinity" is not a JSON number'),
        ("[01]", "1:2", '"01" is not a JSON number'),
        ('{"a": [1, 2}', "1:7", '"[" is not closed, expected "]" before "}" on line 1'),
        ('{"a": {"b": 1}', "1:1", '"{" is not closed, expected "}"'),
        ("{} x", "1:4", 'expected the end of the file, found "x"'),
        ("[1]]", "1:4", 'expected the end of the file, found "]"'),
        ('{"a: 1,\n"b": 2}', "1:2", "the text is not closed, expected '\"' on the same line"),
        ('{"a": /* b', "1:7", 'the comment is not closed, expected "*/"'),
        ("[\u00a01]", "1:2", "U+00A0 is not a blank that JSON knows"),
        ('{"a": 1,\n "a": 2}', "2:2", '"a" is here a second time, it is first on line 1'),
        ("[" * 101 + "]" * 101, "1:101", "brackets are nested more than 100 levels deep"),
        ('["\\ud800"]', "1:2", "the text holds half of a character pair, which no database stores"),
        ('["\\u0000"]', "1:2", "the text holds the character U+0000, which no database stores"),
        ("[1e999]", "1:2", 'the number "1e999" is larger than a double can hold'),
        (
            "[9223372036854775808]",
            "1:2",
            'the number "9223372036854775808" is larger than 64 bits can hold',
        ),
        (
            '["\\q"]',
            "1:3",
            'the text holds the escape "\\q", which JSON does not know\n  hint: write a backslash as "\\\\"',
        ),
        (
            '["a\tb"]',
            "1:4",
            'the text holds the control character U+0009, expected "\\u0009"\n  hint: write "\\t" for a tab',
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text, place, message):
    assert [found.partition("] ")[2] for found in findings(text)] == [f"m.json:{place}: {message}"]


def test_all_mistakes_are_told_at_once():
    text = '{\n  "a": 1\n  "b" 2,\n  c: True,\n  "d": [1,, 2],\n}'

    assert [found.split(": ", 1)[0] for found in findings(text)] == [
        "error[syntax-error] m.json:2:9",
        "error[syntax-error] m.json:3:6",
        "error[syntax-error] m.json:4:3",
        "error[syntax-error] m.json:4:6",
        "error[syntax-error] m.json:5:11",
    ]


def test_after_a_hundred_mistakes_the_rest_is_not_read():
    found = findings("[" + "x " * 5000 + "]")

    assert len(found) == 100
    assert found[-1].endswith("more than 99 problems, the rest of the file is not read")


def test_invalid_encoding_is_told_with_its_place():
    document = parse_document("m.json", b'{"\xc3\xa9": "\xff"}')

    assert "\n".join(map(render_diagnostic, document.diagnostics)) == (
        "error[invalid-encoding] m.json:1:8: the byte 0xff is not UTF-8\n"
        "  hint: save the file with the encoding UTF-8"
    )
    assert not document.is_readable


def test_places_of_keys_and_values():
    document = parse_document("m.json", '\ufeff{"é": 1,\r\n  "a/b": [\r\n    true]}'.encode())

    assert str(document.locate("/é")) == "m.json:1:7 /é"
    assert str(document.locate_key("/é")) == "m.json:1:2 /é"
    assert str(document.locate("/a~1b/0")) == "m.json:3:5 /a~1b/0"
    assert str(document.locate_key("/a~1b/0")) == "m.json:3:5 /a~1b/0"


def test_the_place_of_what_is_missing_is_that_of_its_container():
    document = parse_document("m.json", b'{"a": {"b": [1]}}')

    assert str(document.locate("/a/c/d")) == "m.json:1:7 /a/c/d"
    assert str(document.locate("/a/b/1")) == "m.json:1:13 /a/b/1"
    assert str(document.locate_key("/a/b/1")) == "m.json:1:13 /a/b/1"


def test_a_comment_right_behind_a_word_is_a_comment() -> None:
    document = parse_document("manifest.json", b'{"a": null/* why */, "b": true// so\n}')

    assert (document.data, document.diagnostics) == ({"a": None, "b": True}, ())
