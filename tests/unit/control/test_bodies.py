import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.control import bodies
from patterns_os.control.bodies import read_body

FORM = "application/x-www-form-urlencoded"
LINES = "application/x-ndjson"
PARTS = "multipart/form-data; boundary=X"


def part(head, content):
    return b"--X\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def text_part(name, content):
    return part(b'Content-Disposition: form-data; name="%s"' % name, content)


def reason(*request):
    with pytest.raises(ValueError, match=r".+") as caught:
        read_body(*request)
    return str(caught.value)


# -- what is read


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "text/plain",
        "nonsense",
        ";",
    ],
)
def test_what_names_no_other_form_is_json(content_type):
    assert read_body(b'{"a": 1}', content_type).items == [{"a": 1}]
    assert read_body(b'[{"a": 1}, 2]', content_type).items == [{"a": 1}, 2]


@pytest.mark.parametrize("content_type", [LINES, "application/ndjson", "Application/JSONL; charset=UTF-8"])
def test_lines_are_records(content_type):
    assert read_body(b'{"a": 1}\r\n\n [2]\n12345678901234567890', content_type).items == [
        {"a": 1},
        [2],
        12345678901234567890,
    ]


def test_a_form_is_one_record_of_texts():
    assert read_body(b"a=1&b=x+y%21&b=&c=h%C3%A4&d=%00", FORM).items == [
        {"a": "1", "b": ["x y!", ""], "c": "hä", "d": "\0"}
    ]


def test_json_that_is_called_a_form_is_json():
    assert read_body(b' {"a": "b=c"}', FORM).items == [{"a": "b=c"}]
    assert read_body(b"[1, 2]", FORM).items == [1, 2]
    assert reason(b'{"a": ', FORM).startswith("the body is not JSON: ")


def test_a_form_with_files_is_one_record():
    body = (
        text_part(b"a", b"1\r\n2")
        + text_part(b"b", b"")
        + part(
            b'content-disposition: form-data; name="f"; filename="a b.png"\r\ncontent-type: image/png',
            b"\x00\r\n--Y\xff",
        )
        + b"--X--\r\n"
    )

    file = {
        "filename": "a b.png",
        "content_type": "image/png",
        "size": 7,
        "base64": base64.b64encode(b"\x00\r\n--Y\xff").decode(),
    }
    assert read_body(body, PARTS).items == [{"a": "1\r\n2", "b": "", "f": file}]


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.binary(max_size=60)), max_size=5))
def test_files_come_back_byte_for_byte(files):
    boundary = b"a-boundary-that-no-file-has"
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="x"\r\n\r\n%s\r\n'
        % (boundary, name.encode(), content)
        for name, content in files
    )
    (row,) = read_body(
        body + b"--" + boundary + b"--", f"multipart/form-data; boundary={boundary.decode()}"
    ).items
    for name in ("a", "b"):
        sent = [content for key, content in files if key == name]
        found = row.get(name, [])
        values = found if isinstance(found, list) else [found]

        assert [base64.b64decode(value["base64"]) for value in values] == sent


def test_charsets_are_heeded():
    assert read_body('{"a": "ä"}'.encode("latin-1"), "application/json; charset=iso-8859-1").items == [
        {"a": "ä"}
    ]
    assert read_body('{"a": "ä"}'.encode("utf-16"), "application/json; charset=utf-16").items == [{"a": "ä"}]
    assert read_body(b"a=%E4", f"{FORM}; charset=latin-1").items == [{"a": "ä"}]
    latin = part(
        b'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=latin-1', b"\xe4"
    )
    assert read_body(latin + b"--X--", PARTS).items == [{"a": "ä"}]


def test_a_mark_before_the_text_is_left_out():
    assert read_body(b"\xef\xbb\xbf{}").items == [{}]
    assert read_body(b"\xef\xbb\xbf{}", "text/json").items == [{}]


# -- what is refused


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "application/json", "the body is empty, expected JSON"),
        (b" \n", LINES, "the body is empty, expected a JSON value a line"),
        (b"", FORM, "the body is empty, expected a form"),
        (b"", PARTS, "the body is empty, expected a form"),
        (
            b'{"a": 1}\n{"a"',
            LINES,
            "line 2 of the body is not JSON: unexpected end of data: line 1 column 5 (char 4)",
        ),
        (b"1\n" + b"[" * 101 + b"]" * 101, LINES, "line 2 of the body is nested deeper than 100"),
        (b"a=%ff", FORM, "the form is not utf-8: invalid start byte"),
        (b"a=\xff", FORM, "the form is not utf-8: ordinal not in range(128)"),
        (b"&".join([b"a=1"] * 1001), FORM, "the form has more than 1000 fields"),
        (b"x", "multipart/form-data", 'the content type has no "boundary"'),
        (b"x", PARTS, "the form does not end with its boundary: a part of it is missing"),
        (text_part(b"a", b"1"), PARTS, "the form does not end with its boundary: a part of it is missing"),
        (b"--X\r\nx\r\n--X--", PARTS, "a part of the form has no blank line after its headers"),
        (part(b"x: y", b"") + b"--X--", PARTS, 'a part of the form has no "name"'),
        (text_part(b"a", b"\xff") + b"--X--", PARTS, "the text is not utf-8: invalid start byte"),
        (text_part(b"a", b"") * 1001 + b"--X--", PARTS, "the form has more than 1000 fields"),
        (b"{}", "application/json; charset=klingon", 'the charset "klingon" is not known'),
        (b"{}", "application/json; charset=zlib", 'the charset "zlib" is not known'),
        (b"\xff", "application/json; charset=ascii", "the body is not JSON: "),
        (b"a=1", "application/json", "the body is not JSON: "),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_reason(body, content_type, expected):
    assert reason(body, content_type).startswith(expected)


def test_a_compressed_body_is_refused():
    assert (
        reason(b"\x1f\x8b", "application/json", "gzip")
        == 'the body is encoded with "gzip", expected it plain'
    )
    assert read_body(b"{}", "", "identity").items == [{}]


def test_a_body_of_too_many_records_is_refused(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_ROWS", 2)

    assert read_body(b"[1, 2]").items == [1, 2]
    assert reason(b"[1, 2, 3]") == "the body has 3 records, expected 2 at most"
    assert reason(b"1\n2\n3", LINES) == "the body has 3 records, expected 2 at most"


@given(st.binary(max_size=80), st.sampled_from(["", LINES, FORM, PARTS, "application/json; charset=utf-7"]))
def test_nothing_but_a_reason_is_raised_whatever_the_bytes(body, content_type):
    with contextlib.suppress(ValueError):
        read_body(body, content_type)


@given(st.text(max_size=60))
def test_nothing_but_a_reason_is_raised_whatever_the_content_type(content_type):
    with contextlib.suppress(ValueError):
        read_body(b"a=1", content_type)
