"""What the documents say exists: files, commands, tests, keys."""

import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

from patterns_os.manifest.parse import parse_configuration, parse_manifest

sys.path.insert(0, str(Path(__file__).parent))

from cli_reference import command_names, reference

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARKED = re.compile(r"^<!-- (manifest|patterns)\.json -->\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(patterns [^`]+)`")
# What the promises write for files of tests that prove many of them.
LETTERS = {
    "P": "integration/postgres/test_protocol.py",
    "C": "integration/postgres/test_circles.py",
    "K": "integration/postgres/test_crons.py",
}


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def typed_commands(text: str) -> list[str]:
    """Give the `patterns …` commands that a document shows, in blocks for the shell and within lines."""
    blocks = "".join(body for language, body in FENCE.findall(text) if language == "sh")
    lines = [part.strip() for line in blocks.splitlines() for part in line.split("#")[0].split("&&")]
    return [line for line in [*lines, *INLINE.findall(FENCE.sub("", text))] if line.startswith("patterns ")]


def is_known(command: str) -> bool:
    """Tell whether the first words are a command; `list\\|show` stands for each of the two."""
    words = [word for word in command.split()[1:] if not word.startswith("-")]
    known = command_names()
    tops = {name.split()[0] for name in known}
    if not words:
        return True
    if words[0] in tops and (len(words) == 1 or words[0] in known):
        return True
    choices = re.split(r"\\?\|", words[1]) if len(words) > 1 else []
    return bool(choices) and all(f"{words[0]} {choice}" in known for choice in choices)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    targets = [link.split("#")[0] for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]

    assert [target for target in targets if target and not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document):
    text = document.read_text("utf-8").replace("patterns --folder FOLDER COMMAND", "")
    commands = [command for command in typed_commands(text) if "COMMAND" not in command]

    assert [command for command in commands if not is_known(command)] == []


def test_options_in_the_quick_start_exist():
    [block] = re.findall(r"<!-- quick-start -->\n```sh\n(.*?)```", read("README.md"), re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]

    assert len(lines) == 7
    assert all(line[0] == "patterns" for line in lines)


def test_the_table_of_commands_is_whole():
    [table] = re.findall(r"^## Commands\n\n(.*?)\n\n", read("README.md"), re.MULTILINE | re.DOTALL)
    shown = {command.split()[1] for command in INLINE.findall(table)}

    assert {name.split()[0] for name in command_names()} - shown == {"completion"}


def test_the_reference_of_commands_is_up_to_date():
    assert read("docs/cli.md") == reference(), "make docs"


@pytest.mark.parametrize(("file", "text"), MARKED.findall(read("docs/manifest.md")))
def test_examples_of_both_files_are_right(file, text):
    parse = {"manifest": parse_manifest, "patterns": parse_configuration}[file]

    assert parse(text.encode()).diagnostics == ()


@pytest.mark.parametrize("page", ["docs/semantics.md", "docs/acceptance.md"])
def test_every_proof_of_a_promise_exists(page):
    named = re.findall(r"`((?:[A-Z]|[a-z_/]+\.py)(?:::\w+)+)`", read(page))

    assert len(named) > 30
    assert [name for name in named if not exists(LETTERS.get(name[0], name[0]) + name[1:])] == []


def exists(name: str) -> bool:
    path, *parts = name.split("::")
    scope = ast.parse(read(f"tests/{path}")).body
    for part in parts:
        found = [item for item in scope if getattr(item, "name", None) == part]
        if not found:
            return False
        scope = getattr(found[0], "body", [])
    return True


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_next_changes_have_a_place():
    assert "\n## Unreleased\n" in read("CHANGELOG.md")
