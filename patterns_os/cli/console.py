"""How the commands print: plain text, boxes and pictures, colours only on a terminal."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

_STYLES = {"good": "green", "bad": "red", "busy": "cyan", "quiet": "bright_black", "warn": "yellow"}


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a line to standard output."""
    click.echo(styled(text, style) if style else text)


def note(text: str) -> None:
    """Print a line for people to standard error: machines read standard output."""
    click.echo(styled(text, "quiet", sys.stderr), err=True)


def styled(text: str, style: str, stream: Any = None) -> str:  # noqa: ANN401 - any text stream
    """Give the text in colour if the stream is a terminal and nobody minds."""
    return click.style(text, fg=_STYLES[style]) if colours(stream or sys.stdout) else text


def colours(stream: Any) -> bool:  # noqa: ANN401 - any text stream
    """Tell whether to use colours: on a terminal, without `NO_COLOR`, or with `FORCE_COLOR`."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def width() -> int:
    """Give the columns of the terminal; 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def print_json(value: Any) -> None:  # noqa: ANN401 - any value
    """Print a value as JSON, indented on a terminal, on one line otherwise."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(value, default=json_default, ensure_ascii=False, indent=indent))


def json_default(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Give the JSON form of what JSON has none for."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def cell_text(value: Any) -> str:  # noqa: ANN401 - any value of a row
    """Give a value as one line of text: JSON for nested values, control characters escaped."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (dict, list, bool)):
        text = json.dumps(value, default=json_default, ensure_ascii=False)
    else:
        text = str(json_default(value) if isinstance(value, (datetime, date, bytes)) else value)
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def shorten(text: str, most: int) -> str:
    """Give at most so many characters, the last one an ellipsis where something is left out."""
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def box(columns: Sequence[str], rows: Sequence[Sequence[str]], *, limit: int | None = None) -> str:
    """Draw rows in a box. Wide columns are shortened, widest first, until a line fits into `limit`.

    Args:
        columns: Headings.
        rows: Cells as text, one list a row.
        limit: Characters a line; `None` for no limit.
    """
    widths = [
        max(_text_width(name), *(_text_width(row[i]) for row in rows), 1)
        if rows
        else max(_text_width(name), 1)
        for i, name in enumerate(columns)
    ]
    if limit is not None:
        _fit(widths, limit - 3 * len(widths) - 1)
    rule = "+" + "+".join("-" * (w + 2) for w in widths) + "+"
    lines = [rule, _line(columns, widths), rule, *(_line(row, widths) for row in rows), rule]
    return "\n".join(lines)


def pairs(values: Mapping[str, str]) -> str:
    """Give names and values in two aligned columns."""
    widest = max((len(name) for name in values), default=0)
    return "\n".join(f"{name:<{widest}}  {value}" for name, value in values.items())


def ago(seconds: float) -> str:
    """Give a length of time as people say it: `3 s`, `12 min`, `5 h`, `9 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004 - a tenth matters below


def _fit(widths: list[int], space: int) -> None:
    least = 8
    while sum(widths) > space and max(widths) > least:
        widest = widths.index(max(widths))
        others = sorted(widths)[-2] if len(widths) > 1 else 0
        widths[widest] = max(
            least, min(widths[widest] - 1, max(others, widths[widest] - (sum(widths) - space)))
        )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = (_padded(_shorten_width(cell, w), w) for cell, w in zip(cells, widths, strict=True))
    return "| " + " | ".join(shown) + " |"


def _padded(text: str, wanted: int) -> str:
    return text + " " * (wanted - _text_width(text))


def _text_width(text: str) -> int:
    """Give the columns that a text takes: wide characters take two."""
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415 - only texts beyond ASCII need it

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _shorten_width(text: str, most: int) -> str:
    if _text_width(text) <= most:
        return text
    while text and _text_width(text) > most - 1:
        text = text[:-1]
    return text + "…"


def _escaped(char: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return known.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")  # noqa: PLR2004 - one byte
