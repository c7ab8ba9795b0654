"""The pages that `patterns explain` prints: each example is compiled, the wrong one and the right one."""

import re
from pathlib import Path

import pytest

from patterns_os.adapters.files.explanations import known_errors, load_explanation
from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.rules.registry import RULES
from patterns_os.graph.sources import Sources
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.compile import compile_app
from patterns_os.triggers.cron import parse_cron

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path.read_text("utf-8") for path in (ROOT / "patterns_os/explanations").glob("*.md")}
EXAMPLES = sorted(code for code, page in PAGES.items() if "\n## Wrong\n" in page)
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOLD = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"^Found in `(\S+)` on line (\d+)\.$", re.MULTILINE)


def parts(page):
    """Give what the page says before its examples, the wrong one and the right one."""
    return re.split(r"^## (?:Wrong|Right)\n", page, flags=re.MULTILINE)


def found(example):
    files = {name: text.encode() for name, text in FILE.findall(example)}
    compiled = compile_app(Sources(files), parse_cron=parse_cron, lookup=lambda _: None)
    return compiled.diagnostics


@pytest.mark.parametrize("code", sorted(PAGES))
def test_a_page_begins_with_its_code_and_the_sentence_of_the_compiler(code):
    assert PAGES[code].startswith(f"# {code}\n\n{ALL_CODES[code]}\n\n")


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_wrong_example_has_this_mistake_at_that_line_and_no_other(code):
    _, wrong, _ = parts(PAGES[code])
    [(file, line)] = PLACE.findall(wrong)

    places = [(one.code, one.where.file, one.where.line) for one in found(wrong)]
    assert places == [(code, file, int(line))]


@pytest.mark.parametrize("code", sorted(rule.code for rule in RULES))
def test_a_page_shows_what_is_told_word_by_word(code):
    _, wrong, _ = parts(PAGES[code])
    [told] = TOLD.findall(wrong)

    assert "".join(f"{render_diagnostic(one)}\n" for one in found(wrong)) == told


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_right_example_has_no_mistake(code):
    _, _, right = parts(PAGES[code])

    assert found(right) == ()


def test_every_rule_has_a_page_with_examples():
    assert {rule.code for rule in RULES} - set(EXAMPLES) == set()


def test_the_list_of_rules_is_whole_and_up_to_date():
    text = (ROOT / "docs/rules.md").read_text("utf-8")
    rows = re.findall(
        r"^\| \[`([a-z-]+)`\]\(\S+\) \| (\w+)(, always)? \| (yes)? ?\| (.+) \|$", text, re.MULTILINE
    )

    assert rows == [
        (
            rule.code,
            str(rule.severity or "off"),
            "" if rule.can_be_ignored else ", always",
            "yes" if rule.fix else "",
            rule.summary,
        )
        for rule in RULES
    ]


def test_pages_are_found_by_their_code():
    assert load_explanation("self-trigger") == PAGES["self-trigger"]
    assert load_explanation("no-such-code") is None


def test_codes_of_all_commands_are_known():
    assert known_errors()["webhook-refused"] == "The running app did not accept the event."
