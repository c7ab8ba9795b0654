"""JSON with comments and trailing commas, read into elements that know their place.

A hand-written reader: tree-sitter's recovery marks a trailing comma, a comment and a real mistake alike as
an error node, whose edges say little about what the author forgot. This one knows the mistakes that people
make, names each with its place, mends it and reads on. It is total: any text gives elements and problems.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from patterns_os.diagnostics import quote
from patterns_os.manifest.tokens import TRIVIA, Token, TokenKind, read_tokens

MAX_DEPTH: Final = 100
MAX_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that JSON does not allow.

    Attributes:
        start: Offset in characters.
        mended: Whether what was read is most likely what the author meant all the same.
    """

    code: str
    message: str
    start: int
    hint: str | None = None
    mended: bool = True


class Element(NamedTuple):
    """A value and where it stands: `content[start:end]`. A large manifest has tens of thousands of them.

    Attributes:
        value: Plain data.
        members: For an object its elements by key, in source order; `None` for all others.
        items: For an array its elements; `None` for all others.
        pointer: Its JSON pointer in the file, where the document has another shape than the file; else `None`.
    """

    start: int
    end: int
    value: Any
    members: Mapping[str, "Member"] | None = None
    items: tuple["Element", ...] | None = None
    pointer: str | None = None


class Member(NamedTuple):
    """One key of an object (`content[start:end]` with its quotes) and its value."""

    start: int
    end: int
    element: Element


def read_elements(content: str) -> tuple[Element | None, tuple[Problem, ...]]:
    """Give the value of the text (`None` where there is none) and all that is wrong, in source order."""
    clean = _read_clean(content)
    if clean is not None:
        return clean, ()
    reader = _Reader(content)
    element = reader.read()
    return element, tuple(sorted(reader.problems, key=lambda problem: problem.start))


def _read_clean(content: str) -> Element | None:
    """Give the value of a text without any mistake, `None` for all others: most texts, and ten times as fast."""
    parts: list[re.Match[str]] = []
    for part in _CLEAN.finditer(content):
        if part.lastgroup == "other":
            return None
        if part.lastgroup != "blank":
            parts.append(part)
    try:
        element, end = _clean_value(parts, 0, 0)
    except (_NotCleanError, IndexError):
        return None
    return element if end == len(parts) else None


class _NotCleanError(Exception):
    """Something here needs the patient reader."""


def _clean_value(parts: list[re.Match[str]], index: int, depth: int) -> tuple[Element, int]:
    part = parts[index]
    if part.lastgroup == "text":
        return Element(part.start(), part.end(), _clean_text(part[0])), index + 1
    if part.lastgroup == "word":
        return Element(part.start(), part.end(), _clean_word(part[0])), index + 1
    if depth >= MAX_DEPTH:
        raise _NotCleanError
    if part[0] == "{":
        return _clean_object(parts, index, depth + 1)
    if part[0] == "[":
        return _clean_array(parts, index, depth + 1)
    raise _NotCleanError


def _clean_object(parts: list[re.Match[str]], index: int, depth: int) -> tuple[Element, int]:
    start = parts[index].start()
    members: dict[str, Member] = {}
    values: dict[str, Any] = {}
    index += 1
    while parts[index][0] != "}":
        key = parts[index]
        if key.lastgroup != "text" or parts[index + 1][0] != ":":
            raise _NotCleanError
        name = _clean_text(key[0])
        element, index = _clean_value(parts, index + 2, depth)
        if name in members:
            raise _NotCleanError
        members[name] = Member(key.start(), key.end(), element)
        values[name] = element.value
        index = _after_item(parts, index, "}")
    return Element(start, parts[index].end(), values, members), index + 1


def _clean_array(parts: list[re.Match[str]], index: int, depth: int) -> tuple[Element, int]:
    start = parts[index].start()
    items: list[Element] = []
    index += 1
    while parts[index][0] != "]":
        element, index = _clean_value(parts, index, depth)
        items.append(element)
        index = _after_item(parts, index, "]")
    end = parts[index].end()
    return Element(start, end, [item.value for item in items], None, tuple(items)), index + 1


def _after_item(parts: list[re.Match[str]], index: int, closing: str) -> int:
    sign = parts[index][0]
    # A comma before the bracket is a mistake that everybody makes and nobody is told of.
    if sign == ",":
        return index + 1
    if sign != closing:
        raise _NotCleanError
    return index


def _clean_text(source: str) -> str:
    return str(json.loads(source)) if "\\" in source else source[1:-1]


def _clean_word(word: str) -> object:
    if word[-1] not in _DIGITS:
        return _WORDS[word]
    return float(word) if "." in word else int(word)


@dataclass(slots=True)
class _Reader:
    """Walks over the tokens once; `opened` are the brackets that are open at this place."""

    content: str
    problems: list[Problem] = field(default_factory=list)
    opened: list[Token] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    index: int = 0
    broken: list[range] = field(default_factory=list)

    def __post_init__(self) -> None:
        for token in read_tokens(self.content):
            self._sort_out(token)
        end = len(self.content)
        self.tokens.append(Token(TokenKind.END, end, end, ""))

    def read(self) -> Element | None:
        while self._peek().is_mark("}", "]", ",", ":") and not self._full():
            self._refuse(self._take())
        if self._peek().kind is TokenKind.END:
            if not self.problems:
                self._report("empty-document", "the file is empty, expected an object", 0, mended=False)
            return None
        element = self._value()
        rest = self._peek()
        if rest.kind is not TokenKind.END:
            self._syntax(f"expected the end of the file, found {_shown(rest)}", rest.start, mended=False)
        return element

    def _sort_out(self, token: Token) -> None:
        match token.kind:
            case TokenKind.OPEN_COMMENT:
                self._syntax('the comment is not closed, expected "*/"', token.start, mended=False)
                self.broken.append(range(token.start, token.end + 1))
            case TokenKind.OPEN_TEXT:
                self._open_text(token)
            case TokenKind.STRANGE:
                self._syntax(_strange(token), token.start)
            case kind if kind not in TRIVIA:
                self.tokens.append(token)

    def _open_text(self, token: Token) -> None:
        self._syntax("the text is not closed, expected '\"' on the same line", token.start, mended=False)
        self.tokens.append(token)
        # Where quotes don't pair up, all else that seems wrong on that line follows from it.
        line_start = (
            max(self.content.rfind("\n", 0, token.start), self.content.rfind("\r", 0, token.start)) + 1
        )
        self.broken.append(range(line_start, token.end + 1))

    def _value(self) -> Element:
        token = self._take()
        if token.is_mark("{", "["):
            if len(self.opened) >= MAX_DEPTH:
                return self._too_deep(token)
            self.opened.append(token)
            element = self._object(token) if token.source == "{" else self._array(token)
            self.opened.pop()
            return element
        return Element(start=token.start, end=token.end, value=self._scalar(token))

    def _object(self, opening: Token) -> Element:
        members: dict[str, Member] = {}
        while self._goes_on("}"):
            if self._peek().is_mark("{", "["):
                self._syntax(
                    f"expected a name in double quotes, found {_shown(self._peek())}", self._peek().start
                )
                self._value()
            else:
                self._member(members)
            self._separator("}")
        end = self._close(opening, "}")
        values = {name: member.element.value for name, member in members.items()}
        return Element(start=opening.start, end=end, value=values, members=members)

    def _member(self, members: dict[str, Member]) -> None:
        key = self._take()
        name = self._name(key)
        self._colon(key, name)
        if self._lacks_value():
            if not self._is_broken(self._peek().start):
                self._syntax(f"{quote(name)} has no value", key.start, mended=False)
            element = Element(start=key.end, end=key.end, value=None)
        else:
            element = self._value()
        if name in members:
            first = self._line(members[name].start)
            self._report(
                "duplicate-key",
                f"{quote(name)} is here a second time, it is first on line {first}",
                key.start,
            )
            return
        members[name] = Member(start=key.start, end=key.end, element=element)

    def _colon(self, key: Token, name: str) -> None:
        if self._peek().is_mark(":"):
            self._take()
        elif not self._lacks_value():
            self._syntax(f"a colon is missing after {quote(name)}", key.end)

    def _lacks_value(self) -> bool:
        following, after = self._peek(), self._peek(1)
        if following.is_mark(":", ",", "}", "]") or following.kind is TokenKind.END:
            return True
        # `"a" "b": 1`: the second text is the next name, not the value of the first.
        return self.tokens[self.index - 1].source != ":" and after.is_mark(":")

    def _array(self, opening: Token) -> Element:
        items: list[Element] = []
        while self._goes_on("]"):
            items.append(self._value())
            if self._peek().is_mark(":"):
                self._syntax('expected a comma, found ":"', self._take().start, mended=False)
                continue
            self._separator("]")
        end = self._close(opening, "]")
        return Element(start=opening.start, end=end, value=[item.value for item in items], items=tuple(items))

    def _goes_on(self, closing: str) -> bool:
        """Pass by signs that can't start an item; tell whether an item follows."""
        while not self._full():
            token = self._peek()
            if token.is_mark(closing) or token.kind is TokenKind.END:
                return False
            if token.is_mark("}", "]") and self._is_open(token):
                return False
            if not token.is_mark("}", "]", ",", ":"):
                return True
            self._refuse(self._take())
        return False

    def _separator(self, closing: str) -> None:
        following = self._peek()
        if following.is_mark(","):
            self._take()
        elif not following.is_mark("}", "]", ":") and following.kind is not TokenKind.END:
            self._syntax(f"a comma is missing before {_shown(following)}", self.tokens[self.index - 1].end)
        elif following.is_mark("}", "]") and not following.is_mark(closing) and not self._is_open(following):
            self._refuse(self._take())

    def _close(self, opening: Token, closing: str) -> int:
        if self._peek().is_mark(closing):
            return self._take().end
        if not self._full() and not self._is_broken(self._peek().start):
            message = f"{quote(opening.source)} is not closed, expected {quote(closing)}"
            found = self._peek()
            if found.kind is not TokenKind.END:
                message += f" before {quote(found.source)} on line {self._line(found.start)}"
            self._syntax(message, opening.start, mended=False)
        return self.tokens[self.index - 1].end

    def _too_deep(self, opening: Token) -> Element:
        self._report(
            "too-deep", f"brackets are nested more than {MAX_DEPTH} levels deep", opening.start, mended=False
        )
        level = 1
        while level and self._peek().kind is not TokenKind.END:
            token = self._take()
            level += token.is_mark("{", "[") - token.is_mark("}", "]")
        return Element(start=opening.start, end=self.tokens[self.index - 1].end, value=None)

    def _name(self, token: Token) -> str:
        if token.kind is not TokenKind.WORD:
            return str(self._scalar(token))
        self._syntax(f"the name {quote(_shortened(token.source))} needs double quotes", token.start)
        return token.source

    def _scalar(self, token: Token) -> object:
        match token.kind:
            case TokenKind.TEXT:
                return self._text(token)
            case TokenKind.OPEN_TEXT:
                return token.source[1:]
            case TokenKind.QUOTED:
                self._syntax(f"{_shortened(token.source)} needs straight double quotes", token.start)
                return token.source[1:-1]
            case _:
                return self._word(token)

    def _text(self, token: Token) -> str:
        for found in _TEXT_PART.finditer(token.source, 1, len(token.source) - 1):
            if found.lastgroup is not None:
                return self._bad_text(token, found)
        text: str = json.loads(token.source)
        half = _HALF_CHARACTER.search(text)
        if half or "\0" in text:
            what = "half of a character pair" if half else "the character U+0000"
            self._report("invalid-text", f"the text holds {what}, which no database stores", token.start)
            return _HALF_CHARACTER.sub("\ufffd", text).replace("\0", "\ufffd")
        return text

    def _bad_text(self, token: Token, found: re.Match[str]) -> str:
        bad = found.group()
        if found.lastgroup == "control":
            message = f'the text holds the control character U+{ord(bad):04X}, expected "\\u{ord(bad):04x}"'
            hint = 'write "\\t" for a tab' if bad == "\t" else None
        else:
            message = f'the text holds the escape "{bad}", which JSON does not know'
            hint = 'write a backslash as "\\\\"'
        self._report("invalid-text", message, token.start + found.start(), hint=hint)
        return token.source[1:-1]

    def _word(self, token: Token) -> object:
        word = token.source
        if word in _WORDS:
            return _WORDS[word]
        if _NUMBER.fullmatch(word):
            return self._number(token)
        shown = quote(_shortened(word))
        if word.lower() in _SPELLINGS:
            right = _SPELLINGS[word.lower()]
            self._syntax(f"{shown} is not JSON", token.start, hint=f"did you mean {right}?")
            return _WORDS[right]
        if _NUMBER_LIKE.match(word):
            self._syntax(f"{shown} is not a JSON number", token.start)
            return 0
        self._syntax(f"{shown} needs double quotes", token.start)
        return word

    def _number(self, token: Token) -> int | float:
        word = token.source
        is_whole = not set(word) & set(".eE")
        # The length is compared first: Python refuses to read whole numbers of thousands of digits.
        if is_whole and len(word) <= _WHOLE_DIGITS and -(2**63) <= int(word) < 2**63:
            return int(word)
        if is_whole or abs(float(word)) == float("inf"):
            limit = "64 bits" if is_whole else "a double"
            message = f"the number {quote(_shortened(word))} is larger than {limit} can hold"
            self._report("number-out-of-range", message, token.start)
            return 0
        return float(word)

    def _refuse(self, token: Token) -> None:
        message = f"expected a value, found {quote(token.source)}"
        self._syntax(message, token.start, mended=token.source == ",")

    def _syntax(self, message: str, start: int, *, hint: str | None = None, mended: bool = True) -> None:
        if not self._is_broken(start):
            self._report("syntax-error", message, start, hint=hint, mended=mended)

    def _report(
        self, code: str, message: str, start: int, *, hint: str | None = None, mended: bool = True
    ) -> None:
        if self._full():
            return
        self.problems.append(Problem(code=code, message=message, start=start, hint=hint, mended=mended))
        if self._full():
            last = f"more than {MAX_PROBLEMS - 1} problems, the rest of the file is not read"
            self.problems[-1] = Problem(code="syntax-error", message=last, start=start, mended=False)
            self.tokens = [*self.tokens[: self.index], Token(TokenKind.END, start, start, "")]

    def _full(self) -> bool:
        return len(self.problems) >= MAX_PROBLEMS

    def _is_broken(self, offset: int) -> bool:
        return any(offset in part for part in self.broken)

    def _is_open(self, closing: Token) -> bool:
        return any(token.source == _PAIRS[closing.source] for token in self.opened)

    def _line(self, offset: int) -> int:
        return len(_LINE_END.findall(self.content, 0, offset)) + 1

    def _peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self.index = min(self.index + 1, len(self.tokens) - 1)
        return token


def _strange(token: Token) -> str:
    if token.source in "'\u201c\u201d\u201e\u201f":
        return f"expected a value, found a lone {token.source}"
    return f"U+{ord(token.source):04X} is not a blank that JSON knows"


def _shown(token: Token) -> str:
    shown = _shortened(token.source)
    return shown if token.kind is TokenKind.TEXT else quote(shown)


def _shortened(source: str) -> str:
    shown = "".join(character if character.isprintable() else "\ufffd" for character in source[:_SHOWN])
    return shown if len(source) <= _SHOWN else f"{shown}…"


_SHOWN: Final = 40
_WHOLE_DIGITS: Final = 20
_PAIRS: Final = {"}": "{", "]": "["}
_CLEAN: Final = re.compile(
    r"""
      (?P<blank>[ \t\r\n]+)
    | (?P<text>"[^"\\\x00-\x1f\ud800-\udfff]*(?:\\["\\/bfnrt][^"\\\x00-\x1f\ud800-\udfff]*)*")
    | (?P<mark>[{}\[\]:,])
    | (?P<word>(?:true|false|null|-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?)(?![^ \t\r\n,\]}]))
    | (?P<other>[\s\S])
    """,
    re.VERBOSE,
)
_DIGITS: Final = frozenset("0123456789")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_SPELLINGS: Final = {
    "true": "true",
    "false": "false",
    "null": "null",
    "none": "null",
    "nil": "null",
    "undefined": "null",
}
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_LIKE: Final = re.compile(r"[+-]?(?:\.?[0-9]|NaN\Z|nan\Z|Infinity\Z|inf\Z)")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_TEXT_PART: Final = re.compile(
    r"""\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|(?P<control>[\x00-\x1f])|(?P<escape>\\u?.?)""", re.DOTALL
)
