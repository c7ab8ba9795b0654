"""Values of rows in boxes, CSV and JSON."""

import json
from datetime import date
from typing import Any

import pytest

from patterns_os.cli.cells import csv_cell, elided, json_ready, short_cell

SHORT = {
    "a nested value that fits": ({"text": "hello world"}, '{"text": "hello world"}'),
    "long texts inside give way": (
        {"text": "hello world, this is a long message"},
        '{"text": "hello world, this is a …"}',
    ),
    "many of them give way more": (
        {"text": "hello world", "user": "somebody"},
        '{"text": "hello w…", "user": "somebody"}',
    ),
    "what still does not fit is cut": (
        {"numbers": list(range(20))},
        '{"numbers": [0, 1, 2, 3, 4, 5, 6, 7, 8,…',
    ),
    "text is left to the box": ("x" * 100, "x" * 100),
}


@pytest.mark.parametrize(("value", "text"), SHORT.values(), ids=SHORT)
def test_cells_for_a_box(value: Any, text: str) -> None:
    assert short_cell(value) == text


def test_a_huge_text_is_not_looked_at_whole() -> None:
    assert len(short_cell("x" * 10_000_000)) == 1000


def test_a_record_by_its_keys() -> None:
    assert elided({"event": {"a": 1}, "gpt3_completion": "b"}) == '{"event": ..., "gpt3_completion": ...}'


CSV = {
    "nothing": (None, ""),
    "text": ("a\nb", "a\nb"),
    "nested": ({"a": [True]}, '{"a": [true]}'),
    "truth": (False, "false"),
    "a date": (date(2026, 1, 2), "2026-01-02"),
    "a number": (float("nan"), "nan"),
}


@pytest.mark.parametrize(("value", "text"), CSV.values(), ids=CSV)
def test_cells_for_csv_are_whole(value: Any, text: str) -> None:
    assert csv_cell(value) == text


def test_json_that_everybody_can_read() -> None:
    ready = json_ready({"a": [float("inf"), {"b\ud800": "\udc00"}], "c": 1})

    assert json.dumps(ready, allow_nan=False, ensure_ascii=False).encode() == (
        rb'{"a": ["inf", {"b\\ud800": "\\udc00"}], "c": 1}'
    )
