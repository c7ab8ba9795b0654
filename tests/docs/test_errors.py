"""`docs/errors.md` has every code, and none that is gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from patterns_os.graph.codes import CODES as GRAPH_CODES
from patterns_os.manifest.codes import CODES as MANIFEST_CODES
from patterns_os.plan.codes import CODES as PLAN_CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE))
SOURCES = [
    path.read_text("utf-8")
    for package in ("patterns", "patterns_os")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "templates" not in path.parts
]


def used_codes(source: str) -> Iterator[str]:
    """Give the codes that a module writes out: `code="…"`, `{"code": "…"}`, `_failed(family, "…")`."""
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.keyword) and part.arg == "code":
            yield from constant(part.value)
        elif isinstance(part, ast.Dict):
            for key, value in zip(part.keys, part.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "code":
                    yield from constant(value)
        elif isinstance(part, ast.Call) and getattr(part.func, "id", "") == "_failed" and len(part.args) > 1:
            yield from constant(part.args[1])


def constant(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def test_findings_are_explained_with_the_sentences_of_the_compiler():
    told = {**PLAN_CODES, **GRAPH_CODES, **MANIFEST_CODES}

    assert {code: ROWS.get(code) for code in told} == told


def test_every_code_that_is_used_is_explained():
    used = {code for source in SOURCES for code in used_codes(source)}

    assert used - set(ROWS) == set()


def test_no_code_is_explained_that_nothing_uses():
    text = "\n".join(SOURCES)

    assert {code for code in ROWS if f'"{code}"' not in text} == set()


def test_every_explanation_is_a_sentence():
    assert {code for code, text in ROWS.items() if not text.endswith((".", "answers.", "is."))} == set()
