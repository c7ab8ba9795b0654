"""A JSON file of the author's: plain data, and where each part of it stands.

Trailing commas, `//` and `/* */` comments, a byte order mark and any line ends are accepted. Parts are named
by JSON pointers (`/scripts/0/file`, with `~1` for a slash and `~0` for a tilde in a key).
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location
from patterns_os.manifest.syntax import Element, Member, Problem, read_elements
from patterns_os.manifest.tokens import BYTE_ORDER_MARK

Part = str | int
"""One step of a path into a document: a key, or an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file.

    Attributes:
        file: Path relative to the app folder.
        text: The file as it was read.
        content: The text decoded, byte order mark included; all offsets count its characters.
        root: The outermost value with its places, `None` where there is none.
        diagnostics: What is wrong with the JSON, in source order.
        is_readable: Whether `data` is most likely what the author meant; false after a bracket or a text that
            is not closed, where later complaints would only be consequences.
        line_starts: Offset of each line.
    """

    file: str
    text: bytes
    content: str
    root: Element | None
    diagnostics: tuple[Diagnostic, ...]
    is_readable: bool
    line_starts: tuple[int, ...]

    @property
    def data(self) -> Any:  # noqa: ANN401 - plain JSON data
        """The plain data; of a key given twice the first value, `None` for an empty file."""
        return self.root.value if self.root else None

    def span(self, pointer: str) -> tuple[int, int]:
        """Give start and end of the value in `content`; of the nearest container where nothing is there."""
        element = _nearest(self.root, pointer)[0]
        return (element.start, element.end) if element else (0, 0)

    def locate(self, pointer: str) -> Location:
        """Give the place where the value starts; where nothing is there, that of its nearest container."""
        element = _nearest(self.root, pointer)[0]
        return self.location_at(element.start if element else 0, _own_pointer(element, pointer))

    def locate_key(self, pointer: str) -> Location:
        """Give the place of the key that holds the value; as `locate` for array items and the whole."""
        member = _nearest(self.root, pointer)[1]
        if member is None:
            return self.locate(pointer)
        return self.location_at(member.start, _own_pointer(member.element, pointer))

    def location_at(self, offset: int, pointer: str = "") -> Location:
        """Give the place of a character."""
        return place_at(self.file, self.content, self.line_starts, offset, pointer)

    def element(self, pointer: str) -> Element | None:
        """Give what stands exactly there, or `None`."""
        element, _, is_exact = _nearest(self.root, pointer)
        return element if is_exact else None


def parse_document(file: str, text: bytes) -> Document:
    """Read a file; any bytes give a document, with everything wrong in its `diagnostics`."""
    content, line_starts, undecoded = decode_document(file, text)
    root, problems = read_elements(content)
    return Document(
        file=file,
        text=text,
        content=content,
        root=root,
        diagnostics=(
            *undecoded,
            *(
                Diagnostic(
                    code=found.code,
                    message=found.message,
                    where=place_at(file, content, line_starts, found.start),
                    hint=found.hint,
                )
                for found in problems
            ),
        ),
        is_readable=root is not None and not undecoded and all(found.mended for found in problems),
        line_starts=line_starts,
    )


def decode_document(file: str, text: bytes) -> tuple[str, tuple[int, ...], tuple[Diagnostic, ...]]:
    """Give the text of a file, the offset of each of its lines, and a finding if it is not UTF-8."""
    content, problem = _decode(text)
    line_starts = (0, *(found.end() for found in _LINE_END.finditer(content)))
    if problem is None:
        return content, line_starts, ()
    where = place_at(file, content, line_starts, problem.start)
    found = Diagnostic(code=problem.code, message=problem.message, where=where, hint=problem.hint)
    return content, line_starts, (found,)


def join_pointer(parts: tuple[Part, ...]) -> str:
    """Give the JSON pointer of a path; the empty path is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def split_pointer(pointer: str) -> tuple[str, ...]:
    """Give the parts of a JSON pointer, indexes as text."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _nearest(root: Element | None, pointer: str) -> tuple[Element | None, Member | None, bool]:
    """Walk down as far as there is something; tell whether that was the whole way."""
    element, member = root, None
    for part in split_pointer(pointer):
        if element is None:
            break
        inner = element.members.get(part) if element.members is not None else None
        item = _item(element, part)
        if inner is None and item is None:
            return element, None, False
        element, member = (inner.element, inner) if inner else (item, None)
    return element, member, element is not None


def _own_pointer(element: Element | None, pointer: str) -> str:
    return pointer if element is None or element.pointer is None else element.pointer


def _item(element: Element, part: str) -> Element | None:
    items = element.items or ()
    is_index = _INDEX.fullmatch(part) is not None and int(part) < len(items)
    return items[int(part)] if is_index else None


def _decode(text: bytes) -> tuple[str, Problem | None]:
    try:
        return text.decode("utf-8"), None
    except UnicodeDecodeError as error:
        start = len(text[: error.start].decode("utf-8"))
        message = f"the byte 0x{text[error.start]:02x} is not UTF-8"
        problem = Problem(
            code="invalid-encoding",
            message=message,
            start=start,
            hint="save the file with the encoding UTF-8",
            mended=False,
        )
        return text.decode("utf-8", errors="replace"), problem


def place_at(
    file: str, content: str, line_starts: tuple[int, ...], offset: int, pointer: str = ""
) -> Location:
    """Give the place of a character of a file."""
    line = bisect_right(line_starts, offset)
    start = line_starts[line - 1]
    if line == 1 and content.startswith(BYTE_ORDER_MARK):
        start = 1
    return Location(file=file, line=line, column=max(offset - start, 0) + 1, pointer=pointer)


_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
