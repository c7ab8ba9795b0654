"""A YAML file of the author's: plain data, and where each part of it stands.

Only the structure is read, never an object built: the parser's nodes become elements as JSON's do. Scalars mean
what YAML 1.2 says (`no` and `1:30` are texts), aliases are followed within bounds, merge keys (`<<`) are merged.
Total: any bytes give a document.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from patterns_os.diagnostics import Diagnostic, quote
from patterns_os.manifest.document import Document, decode_document, join_pointer, place_at
from patterns_os.manifest.syntax import MAX_DEPTH, Element, Member
from patterns_os.manifest.tokens import BYTE_ORDER_MARK

MOST_ELEMENTS: Final = 100_000
"""An alias of an alias of an alias … grows without end, and no author writes so much."""


def parse_yaml(file: str, text: bytes) -> Document:
    """Read a file; everything that is wrong is in its `diagnostics`."""
    content, starts, found = decode_document(file, text)
    reader = _Reader(file, content, starts)
    root = reader.read()
    return Document(
        file=file,
        text=text,
        content=content,
        root=root,
        diagnostics=(*found, *reader.diagnostics),
        is_readable=root is not None and reader.is_readable and not found,
        line_starts=starts,
    )


class _TooLargeError(Exception):
    """There is more in the file than anybody writes."""


@dataclass(slots=True)
class _Reader:
    file: str
    content: str
    starts: tuple[int, ...]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_readable: bool = True
    elements: int = 0
    above: list[int] = field(default_factory=list)

    def read(self) -> Element | None:
        try:
            node = _compose(self.content)
            if node is None:
                self._refuse("empty-document", "the file is empty, expected an object", 0)
                return None
            return self._element(node, ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._refuse("syntax-error", _sentence(error), mark.index if mark else 0, _hint(error))
        except yaml.reader.ReaderError as error:
            message = f"the character U+{_code_point(error.character):04X} is not allowed in YAML"
            self._refuse("syntax-error", message, error.position)
        except RecursionError:
            self._refuse("too-deep", f"values are nested more than {MAX_DEPTH} levels deep", 0)
        except _TooLargeError:
            message = f"the file has more than {MOST_ELEMENTS} values once its aliases are followed"
            self._refuse("too-deep", message, 0)
        except (ValueError, yaml.YAMLError) as error:
            self._refuse("syntax-error", f"the file cannot be read: {error}", 0)
        return None

    def _element(self, node: yaml.Node, path: tuple[str | int, ...]) -> Element:
        self.elements += 1
        if self.elements > MOST_ELEMENTS:
            raise _TooLargeError
        start, end = node.start_mark.index, node.end_mark.index
        pointer = join_pointer(path)
        if isinstance(node, yaml.ScalarNode):
            return Element(start=start, end=end, value=self._scalar(node), pointer=pointer)
        if id(node) in self.above or len(path) >= MAX_DEPTH:
            is_circle = id(node) in self.above
            message = (
                "the value contains itself"
                if is_circle
                else f"values are nested more than {MAX_DEPTH} levels deep"
            )
            self._refuse("too-deep", message, start)
            return Element(start=start, end=end, value=None, pointer=pointer)
        self.above.append(id(node))
        try:
            read = self._sequence if isinstance(node, yaml.SequenceNode) else self._mapping
            return read(node, path)
        finally:
            self.above.pop()

    def _sequence(self, node: yaml.Node, path: tuple[str | int, ...]) -> Element:
        self._check_tag(node, "seq")
        items = tuple(self._element(item, (*path, index)) for index, item in enumerate(node.value))
        return Element(
            start=node.start_mark.index,
            end=node.end_mark.index,
            value=[item.value for item in items],
            items=items,
            pointer=join_pointer(path),
        )

    def _mapping(self, node: yaml.Node, path: tuple[str | int, ...]) -> Element:
        self._check_tag(node, "map")
        members: dict[str, Member] = {}
        merged: dict[str, Member] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == "<<" and not key.style:
                self._merge(value, path, merged)
            else:
                self._member(key, value, path, members)
        members |= {name: member for name, member in merged.items() if name not in members}
        return Element(
            start=node.start_mark.index,
            end=node.end_mark.index,
            value={name: member.element.value for name, member in members.items()},
            members=members,
            pointer=join_pointer(path),
        )

    def _member(
        self, key: yaml.Node, value: yaml.Node, path: tuple[str | int, ...], members: dict[str, Member]
    ) -> None:
        start, end = key.start_mark.index, key.end_mark.index
        if not isinstance(key, yaml.ScalarNode):
            self._report("syntax-error", "a key is a list or an object, expected a text", start)
            return
        name = str(key.value)
        if name in members:
            line = place_at(self.file, self.content, self.starts, members[name].start).line
            message = f"{quote(name)} is here a second time, it is first on line {line}"
            self._report("duplicate-key", message, start)
            return
        members[name] = Member(start=start, end=end, element=self._element(value, (*path, name)))

    def _merge(self, value: yaml.Node, path: tuple[str | int, ...], merged: dict[str, Member]) -> None:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                message = 'what "<<" merges is no object'
                self._report("syntax-error", message, source.start_mark.index)
                continue
            for name, member in (self._element(source, path).members or {}).items():
                merged.setdefault(name, member)

    def _scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - plain data
        text = str(node.value)
        start = node.start_mark.index
        if "\0" in text or _HALF.search(text):
            self._report("invalid-text", "the text holds a character that no database stores", start)
            return _HALF.sub("\ufffd", text).replace("\0", "\ufffd")
        given = self.content[start : start + 2]
        if node.style or node.tag == _PREFIX + "str":
            # What PyYAML takes for a text may still be a number of YAML 1.2, and the other way round.
            is_plain = not node.style and not given.startswith("!")
            return self._plain(text, start) if is_plain else self._tagged(node, text)
        return self._plain(text, start) if not given.startswith("!") else self._tagged(node, text)

    def _tagged(self, node: yaml.ScalarNode, text: str) -> Any:  # noqa: ANN401 - plain data
        tag = node.tag.removeprefix(_PREFIX)
        if tag == "str":
            return text
        if tag in _PLAIN_TAGS:
            return self._plain(text, node.start_mark.index)
        self._report(
            "syntax-error",
            f"the tag {quote(node.tag)} is not known, the value is taken as a text",
            node.start_mark.index,
            "leave the tag out",
        )
        return text

    def _plain(self, text: str, start: int) -> Any:  # noqa: ANN401 - plain data
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            return self._whole(text, start)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if abs(number) != float("inf"):
                return number
        elif not _NO_NUMBER.fullmatch(text):
            return text
        message = f"the number {quote(text[:40])} is not one that JSON can hold"
        self._report("number-out-of-range", message, start)
        return 0

    def _whole(self, text: str, start: int) -> int:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # The length is compared first: Python refuses to read whole numbers of thousands of digits.
        number = int(text, base) if len(text) <= _WHOLE_DIGITS else 1 << 64
        if -(2**63) <= number < 2**63:
            return number
        message = f"the number {quote(text[:40])} is larger than 64 bits can hold"
        self._report("number-out-of-range", message, start)
        return 0

    def _check_tag(self, node: yaml.Node, expected: str) -> None:
        if node.tag != _PREFIX + expected:
            message = f"the tag {quote(node.tag)} is not known"
            self._report("syntax-error", message, node.start_mark.index, "leave the tag out")

    def _refuse(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        self.is_readable = False
        self._report(code, message, offset, hint)

    def _report(self, code: str, message: str, offset: int, hint: str | None = None) -> None:
        where = place_at(self.file, self.content, self.starts, min(offset, len(self.content)))
        self.diagnostics.append(Diagnostic(code=code, message=message, where=where, hint=hint))


def _compose(content: str) -> yaml.Node | None:
    """Give the parser's tree; with the parser in C, eight times as fast, where it is there and the file is plain.

    What it refuses is read by the one in Python, whose messages do not depend on how YAML was installed.
    """
    if yaml.__with_libyaml__ and not content.startswith(BYTE_ORDER_MARK):
        with suppress(yaml.YAMLError):
            if _is_shallow(content):
                return yaml.compose(content, Loader=yaml.CSafeLoader)
    return yaml.compose(content, Loader=yaml.SafeLoader)


def _is_shallow(content: str) -> bool:
    """Tell whether nothing is nested deeply: building the tree in C overflows the stack, listing events does not."""
    depth = 0
    for event in yaml.parse(content, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return False
    return True


def _code_point(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = (error.problem or "the file cannot be read").replace("'", '"')
    if not error.context:
        return f"this is not YAML: {problem}"
    line = f" on line {error.context_mark.line + 1}" if error.context_mark else ""
    return f"this is not YAML: {problem}, {error.context}{line}".replace("'", '"')


def _hint(error: yaml.MarkedYAMLError) -> str | None:
    problem = error.problem or ""
    if "\\t" in problem:
        return "indent with blanks, not with tabs"
    if "mapping values are not allowed" in problem:
        return "put a text that holds a colon into quotes"
    if "but found another document" in problem:
        return "leave one document in the file"
    return None


_PREFIX: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset({"int", "float", "bool", "null", "timestamp", "value"})
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE_DIGITS: Final = 24
_WHOLE: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_HALF: Final = re.compile(r"[\ud800-\udfff]")
