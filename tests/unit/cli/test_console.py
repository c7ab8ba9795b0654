"""What the commands print: boxes that fit, one-line cells, lengths of time."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.cli.console import ago, box, cell_text, pairs, shorten


def test_a_box_is_as_wide_as_its_widest_cells() -> None:
    drawn = box(["patterns_id", "event"], [["kk3di09e3p", '{"event": ...}'], ["kk3di09e3q", "x"]])

    assert drawn == (
        "+-------------+----------------+\n"
        "| patterns_id | event          |\n"
        "+-------------+----------------+\n"
        '| kk3di09e3p  | {"event": ...} |\n'
        "| kk3di09e3q  | x              |\n"
        "+-------------+----------------+"
    )


def test_a_box_without_rows_is_its_heading() -> None:
    assert box(["a", "bc"], []) == "+---+----+\n| a | bc |\n+---+----+\n+---+----+"


def test_the_widest_column_gives_way_first() -> None:
    drawn = box(["id", "text"], [["123456789012", "a" * 50]], limit=40)

    assert {len(line) for line in drawn.split("\n")} == {40}
    assert drawn.split("\n")[3] == "| 123456789012 | " + "a" * 20 + "… |"


def test_wide_characters_take_two_columns() -> None:
    drawn = box(["word"], [["日本語"], ["abc"], ["e\u0301"]])

    assert drawn.split("\n")[3:6] == ["| 日本語 |", "| abc    |", "| e\u0301      |"]


def test_wide_characters_are_not_cut_in_half() -> None:
    drawn = box(["word"], [["日本語日本語"]], limit=12)

    assert drawn.split("\n")[3] == "| 日本語…  |"


@given(
    st.lists(st.lists(st.text(max_size=30).map(cell_text), min_size=3, max_size=3), max_size=4),
    st.integers(40, 100),
)
def test_no_line_of_ascii_is_wider_than_the_limit(rows: list[list[str]], limit: int) -> None:
    lines = box(["a", "b", "c"], [["x" * len(cell) for cell in row] for row in rows], limit=limit).split("\n")

    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= limit


CELLS = {
    "nothing": (None, ""),
    "text": ("hello", "hello"),
    "text with line ends": ("a\nb\tc", "a\\nb\\tc"),
    "control characters": ("\x1b[31m\x00", "\\x1b[31m\\x00"),
    "a lone surrogate": ("\ud800", "\\ud800"),
    "truth": (True, "true"),
    "a number": (1.5, "1.5"),
    "a decimal": (Decimal("1.50"), "1.50"),
    "a date": (date(2026, 1, 2), "2026-01-02"),
    "a moment": (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
    "bytes": (b"\x01\xff", "01ff"),
    "a nested value": ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
    "a nested moment": ({"at": date(2026, 1, 2)}, '{"at": "2026-01-02"}'),
}


@pytest.mark.parametrize(("value", "text"), CELLS.values(), ids=CELLS)
def test_a_cell_is_one_line_of_text(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("text", "most", "short"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 0, ""), ("abc", 1, "…")]
)
def test_shortened_text_ends_in_an_ellipsis(text: str, most: int, short: str) -> None:
    assert shorten(text, most) == short


def test_pairs_are_aligned() -> None:
    assert pairs({"a": "1", "long": "2"}) == "a     1\nlong  2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (12, "12 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h"), (864_000, "10 d")],
)
def test_lengths_of_time_as_people_say_them(seconds: float, text: str) -> None:
    assert ago(seconds) == text
