"""How an author lays out a JSON file, and values written the same way."""

import json
from typing import Any, Final

from patterns_os.manifest.syntax import Element
from patterns_os.manifest.tokens import TRIVIA, Token, TokenKind, read_tokens

_WIDTH: Final = 100
_DEFAULT_UNIT: Final = "  "


def line_end(content: str) -> str:
    """Give the line end that the text uses first; a line feed where it has one line."""
    found = content.find("\n")
    return "\r\n" if found > 0 and content[found - 1] == "\r" else "\n"


def indentation_at(content: str, offset: int) -> str:
    """Give the blanks that the line of a character starts with."""
    start = line_start(content, offset)
    line = content[start:offset].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def line_start(content: str, offset: int) -> int:
    """Give the offset of the line that a character is on."""
    return max(content.rfind("\n", 0, offset), content.rfind("\r", 0, offset)) + 1


def is_first_on_line(content: str, offset: int) -> bool:
    """Tell whether only blanks stand before a character, and a line above."""
    start = line_start(content, offset)
    return start > 0 and not content[start:offset].strip(" \t")


def indentation_unit(content: str, root: Element) -> str:
    """Give what one level adds, by the first item on a line of its own; two blanks where there is none."""
    for container, child in _pairs(root):
        if is_first_on_line(content, child):
            outer, inner = indentation_at(content, container), indentation_at(content, child)
            if inner.startswith(outer) and inner != outer:
                return inner[len(outer) :]
    return _DEFAULT_UNIT


def children(element: Element) -> list[tuple[int, int]]:
    """Give start and end of each item, or of each key with its value."""
    if element.members is not None:
        return [(member.start, member.element.end) for member in element.members.values()]
    return [(item.start, item.end) for item in element.items or ()]


def trivia_after(content: str, offset: int) -> list[Token]:
    """Give the blanks and comments from a place up to the next thing that means something."""
    found = []
    for token in read_tokens(content, offset):
        if token.kind not in TRIVIA:
            break
        found.append(token)
    return found


def comma_after(content: str, offset: int) -> int | None:
    """Give the place of the comma that follows, blanks and comments apart; `None` where none does."""
    for token in read_tokens(content, offset):
        if token.kind not in TRIVIA:
            return token.start if token.is_mark(",") else None
    return None


def end_of_line_comments(content: str, offset: int) -> int:
    """Give where the comments end that begin on the same line, right after a place."""
    end = offset
    for token in trivia_after(content, offset):
        if token.kind is TokenKind.BLANK and ("\n" in token.source or "\r" in token.source):
            break
        if token.kind is TokenKind.COMMENT:
            end = token.end
            if "\n" in token.source or "\r" in token.source:
                break
    return end


def write_value(value: Any, indentation: str, unit: str, newline: str, *, flat: bool) -> str:  # noqa: ANN401 - plain JSON data
    """Give the value as JSON.

    Args:
        value: Plain data.
        indentation: Of the line that the value starts on.
        unit: What one level adds.
        newline: Line end.
        flat: Keep it on one line, whatever it is.
    """
    line = json.dumps(value, ensure_ascii=False)
    is_short = not _has_object(value) and len(indentation) + len(line) <= _WIDTH
    if flat or not isinstance(value, dict | list) or not value or is_short:
        return line
    inner = indentation + unit
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {write_value(part, inner, unit, newline, flat=False)}"
            for key, part in value.items()
        ]
    else:
        parts = [write_value(part, inner, unit, newline, flat=False) for part in value]
    body = f",{newline}{inner}".join(parts)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{newline}{inner}{body}{newline}{indentation}{closing}"


def _has_object(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_has_object(part) for part in value))


def _pairs(element: Element) -> list[tuple[int, int]]:
    """Give each container's start with its first child's, outer ones first."""
    found: list[tuple[int, int]] = []
    waiting = [element]
    while waiting:
        container = waiting.pop(0)
        starts = children(container)
        found += [(container.start, starts[0][0])] if starts else []
        members = (container.members or {}).values()
        waiting += [*(member.element for member in members), *(container.items or ())]
    return found
