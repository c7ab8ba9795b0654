"""`docs/types.md`: its tables are those of the library, its examples are told what it says."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from types_reference import PAGE, written

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import compile_app
from patterns_os.rows.types import parse_type

TEXT = PAGE.read_text("utf-8")
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOLD = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = [part for part in re.split(r"^##+ ", TEXT, flags=re.MULTILINE) if FILE.search(part)]


def test_the_tables_are_up_to_date():
    assert written(TEXT) == TEXT, "make docs"


@pytest.mark.parametrize("section", SECTIONS, ids=lambda part: part.partition("\n")[0])
def test_an_example_is_told_what_the_page_says(section):
    compiled = compile_app(Sources({name: text.encode() for name, text in FILE.findall(section)}))

    told = "".join(f"{render_diagnostic(found)}\n" for found in compiled.diagnostics)
    assert told == "".join(TOLD.findall(section))


def test_the_words_for_column_types_are_those_of_the_compiler():
    [table] = re.findall(r"^\| what is written .*?(?=\n\n)", TEXT, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`.*) \| (\w+)(?:; .*)? \|$", table, re.MULTILINE)

    assert len(rows) == 9
    for words, kind in rows:
        assert {str(parse_type(word)) for word in re.findall(r"`([^`]+)`", words)} == {kind}
