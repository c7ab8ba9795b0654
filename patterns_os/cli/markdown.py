"""Markdown for terminals: headings, code and lists as they are written, tables and markup without their marks."""

import re
from collections.abc import Iterator
from textwrap import fill
from typing import Final

from patterns_os.cli.console import styled

_CODE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\[([^]]+)\]\([^)]+\)")


def render_markdown(text: str, width: int) -> str:
    """Give a page as text of at most that many columns; code keeps its lines."""
    return "\n".join(_lines(text, width)).strip("\n")


def _lines(text: str, width: int) -> Iterator[str]:
    paragraph: list[str] = []
    is_code = False
    for line in [*text.splitlines(), ""]:
        is_fence = line.startswith("```")
        is_plain = bool(line.strip()) and not is_fence and not line.startswith("#")
        if is_plain and not is_code:
            paragraph.append(line.strip())
            continue
        if paragraph:
            yield fill(_plain(" ".join(paragraph)), width, break_long_words=False)
            paragraph = []
        if is_fence:
            is_code = not is_code
            name = line.removeprefix("```").partition(" ")[2]
            if is_code and name:
                yield styled(f"    {name}", "quiet")
        elif is_code:
            yield f"    {line}".rstrip()
        else:
            yield _heading(line) if line.startswith("#") else ""


def _heading(line: str) -> str:
    return styled(line.lstrip("#").strip(), "busy")


def _plain(text: str) -> str:
    return _CODE.sub(r"\1", _LINK.sub(r"\1", text))
