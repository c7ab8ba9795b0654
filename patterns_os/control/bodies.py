"""What the body of a request says: JSON, JSON lines, forms, and forms with files.

The content type decides; whatever names none of the others is read as JSON, as senders are careless with it.
Nothing is guessed beyond that: what can't be read is refused with the reason, and kept.
"""

import base64
import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl

import orjson

DEEPEST = 100
MOST_ROWS = 50_000
MOST_FIELDS = 1_000
_LONG_NUMBER = re.compile(rb"\d{19}")
# Most requests: their headers need no parsing.
_PLAIN_JSON = frozenset(
    {
        "",
        "application/json",
        *(f"application/json;{blank}charset={name}" for blank in ("", " ") for name in ("utf-8", "UTF-8")),
    }
)
_BRACKETS = frozenset({b"{", b"["})
_UNICODE = frozenset({"utf-8", "ascii"})


@dataclass(frozen=True, slots=True)
class Payload:
    """The value of a body.

    Attributes:
        value: What it says; a list has a row for each item.
    """

    value: Any

    @property
    def items(self) -> list[Any]:
        """The records of the body."""
        return self.value if isinstance(self.value, list) else [self.value]


def read_body(body: bytes, content_type: str = "", content_encoding: str = "") -> Payload:
    """Give what a body says.

    Args:
        body: The bytes as they came.
        content_type: The header, with its parameters.
        content_encoding: The header; compressed bodies are not read.

    Raises:
        ValueError: It can't be read, or says more than one request may.
    """
    if content_type in _PLAIN_JSON and not content_encoding:
        return _bounded(parse_payload(body.removeprefix(codecs.BOM_UTF8)))
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise ValueError(f'the body is encoded with "{content_encoding}", expected it plain')
    header = _parameters(content_type)
    read = _READERS.get(header.get_content_type() if content_type else "", _read_json)
    if not body.strip():
        raise ValueError(f"the body is empty, expected {_EXPECTED.get(read, 'JSON')}")
    return _bounded(read(body, header))


def parse_payload(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Give the JSON value of a body in UTF-8, numbers exact.

    Raises:
        ValueError: It is no JSON, or nested deeper than 100.
    """
    if not body.strip():
        raise ValueError("the body is empty, expected JSON")
    return _parse(body, "the body")


def _bounded(value: Any) -> Payload:  # noqa: ANN401 - any JSON value
    if isinstance(value, list) and len(value) > MOST_ROWS:
        raise ValueError(f"the body has {len(value)} records, expected {MOST_ROWS} at most")
    return Payload(value)


def _parse(text: bytes, what: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        if _LONG_NUMBER.search(text):
            # orjson gives integers beyond 64 bits as floats
            value = json.loads(text.decode(), parse_constant=_no_constant, parse_float=_finite)
        else:
            value = orjson.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not JSON: {str(error) or 'it is nested too deeply'}") from error
    if text.count(b"[") + text.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"{what} is nested deeper than {DEEPEST}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _depth(value: Any) -> int:  # noqa: ANN401 - any JSON value
    deepest, level = 0, [value]
    while level and deepest <= DEEPEST:
        deepest += 1
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return deepest


def _read_json(body: bytes, header: Message) -> Any:  # noqa: ANN401 - any JSON value
    return _parse(_utf8(body, header), "the body")


def _read_lines(body: bytes, header: Message) -> list[Any]:
    """Give a record for each line that is not blank."""
    lines = enumerate(_utf8(body, header).split(b"\n"), start=1)
    return [_parse(line, f"line {number} of the body") for number, line in lines if line.strip()]


def _read_form(body: bytes, header: Message) -> Any:  # noqa: ANN401 - any JSON value
    if body.lstrip()[:1] in _BRACKETS:
        # Clients such as curl call everything a form; a true one has brackets escaped.
        return _read_json(body, header)
    charset = _charset(header)
    try:
        # The fields are escaped bytes: only those within say what the charset is for.
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            encoding=charset,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"the form is not {charset}: {error.reason}") from error
    except ValueError as error:
        raise ValueError(f"the form has more than {MOST_FIELDS} fields") from error
    return _gathered(pairs)


def _read_parts(body: bytes, header: Message) -> dict[str, Any]:
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise ValueError('the content type has no "boundary"')
    return _gathered(_parts(body, boundary.encode("utf-8", "surrogateescape"), _charset(header)))


def _parts(body: bytes, boundary: bytes, charset: str) -> Iterator[tuple[str, Any]]:
    """Give name and value of each part (RFC 7578)."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, MOST_FIELDS + 1)
    if len(pieces) > MOST_FIELDS + 1:
        raise ValueError(f"the form has more than {MOST_FIELDS} fields")
    if len(pieces) == 1 or not pieces[-1].startswith(b"--"):
        raise ValueError("the form does not end with its boundary: a part of it is missing")
    for piece in pieces[1:-1]:
        head, blank, content = piece.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not blank:
            raise ValueError("a part of the form has no blank line after its headers")
        yield _part(head, content, charset)


def _part(head: bytes, content: bytes, charset: str) -> tuple[str, Any]:
    header = _parameters("text/plain")
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in {"content-disposition", "content-type"}:
            del header[name.strip()]
            header[name.strip()] = value.strip()
    field = header.get_param("name", header="content-disposition")
    if not isinstance(field, str):
        raise ValueError('a part of the form has no "name"')  # noqa: TRY004 - the body is wrong, not a type
    filename = header.get_filename()
    if filename is None:
        return field, _text(content, _charset(header) if header.get_content_charset() else charset)
    file = {
        "filename": filename,
        "content_type": header.get_content_type(),
        "size": len(content),
        "base64": base64.b64encode(content).decode(),
    }
    return field, file


def _gathered(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Give a row; a name that comes more than once has a list."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _utf8(body: bytes, header: Message) -> bytes:
    """Give the body as UTF-8, without a mark before it."""
    charset = _charset(header)
    plain = body if charset in _UNICODE else _text(body, charset).encode("utf-8", "surrogatepass")
    return plain.removeprefix(codecs.BOM_UTF8)


def _text(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text is not {charset}: {error.reason}") from error


def _charset(header: Message) -> str:
    """Give the name of the charset as Python has it; UTF-8 where none is given."""
    named = header.get_content_charset() or "utf-8"
    try:
        codec = codecs.lookup(named)
    except (LookupError, ValueError):
        codec = None
    # Some codecs of Python do not make text of bytes.
    if codec is None or not getattr(codec, "_is_text_encoding", True):
        raise ValueError(f'the charset "{named}" is not known')
    return codec.name


def _parameters(content_type: str) -> Message:
    header = Message()
    header["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    return header


_Reader = Callable[[bytes, Message], Any]
_READERS: dict[str, _Reader] = {
    "application/x-www-form-urlencoded": _read_form,
    "multipart/form-data": _read_parts,
    "application/x-ndjson": _read_lines,
    "application/ndjson": _read_lines,
    "application/jsonl": _read_lines,
    "application/x-jsonlines": _read_lines,
    "application/jsonlines": _read_lines,
}
_EXPECTED: dict[_Reader, str] = {
    _read_lines: "a JSON value a line",
    _read_form: "a form",
    _read_parts: "a form",
}
