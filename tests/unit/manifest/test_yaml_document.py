"""YAML becomes plain data with places, whatever bytes come in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.manifest.yaml_document import parse_yaml


def read(text):
    return parse_yaml("graph.yml", text if isinstance(text, bytes) else text.encode())


def told(text):
    return [render_diagnostic(found) for found in read(text).diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2023-01-01", "2023-01-01"),
        ("true", True),
        ("~", None),
        ("0x10", 16),
        ("0o17", 15),
        ("010", 10),
        ("-1.5e3", -1500.0),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    assert read(f"a: {text}").data == {"a": value}


def test_places_are_those_of_the_file():
    document = read("a:\n  - b: x\n    c: y\n")

    assert str(document.locate("/a/0/c")) == "graph.yml:3:8 /a/0/c"
    assert str(document.locate_key("/a/0/c")) == "graph.yml:3:5 /a/0/c"


def test_aliases_and_merge_keys_are_followed():
    text = "a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  k: 3\n"

    assert read(text).data == {"a": {"k": 1, "l": 2}, "b": {"k": 1, "l": 2}, "c": {"k": 3, "l": 2}}


def test_a_file_that_grows_without_end_is_refused_in_bounded_time():
    lines = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(12)]

    assert told("\n".join(lines)) == [
        "error[too-deep] graph.yml:1:1: the file has more than 100000 values once its aliases are followed"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &a [*a]", ["error[too-deep] graph.yml:1:4: the value contains itself"]),
        (
            "a: 1\na: 2",
            ['error[duplicate-key] graph.yml:2:1: "a" is here a second time, it is first on line 1'],
        ),
        (
            "a: [1",
            [
                (
                    'error[syntax-error] graph.yml:1:6: this is not YAML: expected "," or "]", but got '
                    '"<stream end>", while parsing a flow sequence on line 1'
                )
            ],
        ),
        (
            "a: b: c",
            [
                (
                    "error[syntax-error] graph.yml:1:5: this is not YAML: mapping values are not allowed here\n"
                    "  hint: put a text that holds a colon into quotes"
                )
            ],
        ),
        ("", ["error[empty-document] graph.yml:1:1: the file is empty, expected an object"]),
        ("a: \x01", ["error[syntax-error] graph.yml:1:4: the character U+0001 is not allowed in YAML"]),
        (
            "a: .inf",
            ['error[number-out-of-range] graph.yml:1:4: the number ".inf" is not one that JSON can hold'],
        ),
        (
            "a: " + "9" * 30,
            [
                (
                    f'error[number-out-of-range] graph.yml:1:4: the number "{"9" * 30}" is larger than 64 bits '
                    "can hold"
                )
            ],
        ),
        (
            "a: !!python/object:os.system {}",
            [
                (
                    'error[syntax-error] graph.yml:1:4: the tag "tag:yaml.org,2002:python/object:os.system" is '
                    "not known\n  hint: leave the tag out"
                )
            ],
        ),
        (
            b"a: \xff",
            [
                (
                    "error[invalid-encoding] graph.yml:1:4: the byte 0xff is not UTF-8\n"
                    "  hint: save the file with the encoding UTF-8"
                )
            ],
        ),
        ("[" * 5000, ["error[too-deep] graph.yml:1:1: values are nested more than 100 levels deep"]),
    ],
)
def test_a_mistake_is_explained(text, expected):
    assert told(text) == expected


@pytest.mark.parametrize("part", ["[", "- ", '["}",', "{a: ", "? "])
def test_deep_nesting_is_refused_and_overflows_nothing(part):
    assert [found.code for found in read(part * 100_000).diagnostics] == ["too-deep"]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.text("ab:-[]{}&*!<>|'\"#\n 1.~?%@`,", max_size=60).map(str.encode))
)
def test_any_bytes_give_a_document(text):
    document = read(text)

    assert document.is_readable or document.diagnostics
