"""JSON whose quotes a shell has eaten, read back where only one reading is possible.

`--data={"event":{"text":"hello world"}}` reaches a program as `{event:{text:hello world}}`; with several keys
bash even makes several words of it (`a:1`, `b:2`). Keys are words, texts lose their quotes, numbers, `true`,
`false` and `null` are what they look like. A text with a comma or a colon in it could be several things: refused.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_CONSTANTS = {"true": True, "false": False, "null": None}
_KEY = re.compile(r"[^\s:,{}\[\]\"']+( [^\s:,{}\[\]\"']+)*")


class AmbiguousError(ValueError):
    """The words could mean several things, or nothing; the text says where."""


def read_eaten_json(words: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Give the value that the words stand for.

    Args:
        words: The values of all `--data` options in order, as they reached us.

    Raises:
        AmbiguousError: There is not exactly one reading.
    """
    text = words[0] if len(words) == 1 else "{" + ",".join(words) + "}"
    if len(words) > 1 and all(word.startswith("{") for word in words):
        raise AmbiguousError("the shell has split nested braces, and what belonged together is lost")
    reader = _Reader(text)
    value = reader.value()
    reader.end()
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def value(self) -> Any:  # noqa: ANN401 - any JSON value
        self._skip()
        if self._peek() == "{":
            return self._object()
        if self._peek() == "[":
            return self._array()
        return self._scalar()

    def end(self) -> None:
        self._skip()
        if self._at < len(self._text):
            raise AmbiguousError(f'"{self._text[self._at :]}" is left over')

    def _object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._take("{")
        if self._closed("}"):
            return found
        while True:
            key = self._key()
            if key in found:
                raise AmbiguousError(f'the key "{key}" comes twice')
            found[key] = self.value()
            if self._closed("}"):
                return found
            self._take(",")

    def _array(self) -> list[Any]:
        found: list[Any] = []
        self._take("[")
        if self._closed("]"):
            return found
        while True:
            found.append(self.value())
            if self._closed("]"):
                return found
            self._take(",")

    def _key(self) -> str:
        self._skip()
        if self._peek() == '"':
            return str(self._quoted())
        match = _KEY.match(self._text, self._at)
        if match is None or self._text[match.end() : match.end() + 1] != ":":
            rest = self._text[self._at :]
            raise AmbiguousError(f'"{rest}" does not begin with a key and a colon')
        self._at = match.end() + 1
        return match.group()

    def _scalar(self) -> Any:  # noqa: ANN401 - any JSON scalar
        if self._peek() == '"':
            return self._quoted()
        start = self._at
        while self._peek() not in {",", "}", "]", ""}:
            self._at += 1
        text = self._text[start : self._at].strip()
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _NUMBER.fullmatch(text):
            return json.loads(text)
        if not text:
            raise AmbiguousError("a value is missing, or was an empty text")
        if any(char in text for char in "{["):
            raise AmbiguousError(f'"{text}" has a bracket in it')
        if ":" in text.replace("://", ""):
            raise AmbiguousError(f'"{text}" has a colon in it: it may be a text, or a key with its value')
        return text

    def _quoted(self) -> Any:  # noqa: ANN401 - a text
        try:
            value, end = json.JSONDecoder().raw_decode(self._text, self._at)
        except ValueError as error:
            raise AmbiguousError(f'"{self._text[self._at :]}" has a quote without its partner') from error
        self._at = end
        self._skip()
        if self._peek() == ":":
            self._at += 1
        return value

    def _take(self, wanted: str) -> None:
        self._skip()
        if self._peek() != wanted:
            found = self._peek() or "the end"
            raise AmbiguousError(f'expected "{wanted}" at character {self._at + 1}, found {found!r}')
        self._at += 1

    def _closed(self, bracket: str) -> bool:
        self._skip()
        if self._peek() != bracket:
            return False
        self._at += 1
        return True

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        while self._peek().isspace():
            self._at += 1
