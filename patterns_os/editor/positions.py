"""Places in a text: as the compiler counts them, in characters from 1, and as editors do, in units from 0.

Lines end where JSON, Python and the protocol say so: at a line feed, a carriage return, or both. Python's own
`splitlines` knows further ends, which would put everything after a form feed on a wrong line.
"""

import re
from typing import Final

from lsprotocol import types
from pygls.workspace import PositionCodec

from patterns_os.diagnostics import Location
from patterns_os.manifest.tokens import BYTE_ORDER_MARK


def offset_of(text: str, position: types.Position, codec: PositionCodec) -> int:
    """Give the characters before a position; one beyond the end of a line or text counts as its end."""
    start = 0
    for number, found in enumerate(_LINE.finditer(text)):
        start = found.start()
        if number == position.line:
            return start + _characters(found["line"], position.character, codec)
    return len(text)


def range_of(text: str, where: Location, codec: PositionCodec) -> types.Range:
    """Give what stands at a place of a text, as far as a name or a call goes."""
    lines = [found["line"] for found in _LINE.finditer(text)]
    number = min(max(where.line - 1, 0), len(lines) - 1)
    line = lines[number]
    mark = number == 0 and line.startswith(BYTE_ORDER_MARK)
    start, end = _extent(line, where.column + mark)
    return types.Range(
        start=types.Position(number, codec.client_num_units(line[:start])),
        end=types.Position(number, codec.client_num_units(line[:end])),
    )


def span_of(text: str, span: tuple[int, int], codec: PositionCodec) -> types.Range:
    """Give the range of some characters of a text."""
    return types.Range(start=_position(text, span[0], codec), end=_position(text, span[1], codec))


def span_at(text: str, where: Location) -> tuple[int, int]:
    """Give the characters that `range_of` gives the range of."""
    lines = list(_LINE.finditer(text))
    found = lines[min(max(where.line - 1, 0), len(lines) - 1)]
    mark = found.start() == 0 and text.startswith(BYTE_ORDER_MARK)
    start, end = _extent(found["line"], where.column + mark)
    return found.start() + start, found.start() + end


def _position(text: str, offset: int, codec: PositionCodec) -> types.Position:
    number, start = 0, 0
    for number, found in enumerate(_LINE.finditer(text)):  # noqa: B007 - the last one counts
        start = found.start()
        if offset <= found.end("line"):
            break
    return types.Position(number, codec.client_num_units(text[start:offset]))


def _characters(line: str, units: int, codec: PositionCodec) -> int:
    if codec.client_num_units(line) == len(line):
        return min(units, len(line))
    passed = 0
    for count, character in enumerate(line):
        if passed >= units:
            return count
        passed += codec.client_num_units(character)
    return len(line)


def _extent(line: str, column: int) -> tuple[int, int]:
    start = min(max(column - 1, 0), len(line))
    found = _EXTENT.match(line, start)
    return start, found.end() if found else start


_LINE: Final = re.compile(r"(?P<line>[^\r\n]*)(?:\r\n|\r|\n|$)")
_EXTENT: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[\w.]+(?:\([^()]*\))?|\S")
