"""What the author says of findings: comments that ignore some, and severities in patterns.json.

    call()  # patterns: ignore[effect-without-once]        this line
    -- patterns: ignore[select-star]                       the next line that is no comment
    // patterns: ignore-file[unused-store, select-star]    the whole file, on one of its first ten lines

A finding that keeps the app from running stays, whatever is said. What is said in vain is a finding itself.
"""

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from patterns_os.diagnostics import Diagnostic, Location, Severity, did_you_mean, has_errors, quote
from patterns_os.graph.rules.registry import BY_CODE
from patterns_os.graph.rules.rule import Checked

FIRST_LINES: Final = 10
"""Where a comment about the whole file may stand."""

ABOUT_ROWS: Final = frozenset(
    {"meaning-mismatch", "missing-column", "null-column", "type-mismatch", "undeclared-column"}
)
"""Errors that no rule finds and that an app can live with: rows that do not fit are refused one by one."""


def apply_exceptions(
    found: Iterable[Diagnostic], checked: Checked, codes: AbstractSet[str]
) -> tuple[Diagnostic, ...]:
    """Give the findings that are left, with the severities that they are to have, and what was said in vain.

    Args:
        found: All findings of the app.
        checked: The app.
        codes: All codes that there are.
    """
    findings = tuple(found)
    ignores = tuple(_ignores(checked))
    used: set[tuple[_Ignore, str]] = set()
    left = [diagnostic for diagnostic in findings if not _is_ignored(diagnostic, ignores, used)]
    # Mistakes hide other findings: what would be ignored may only not be found yet.
    left += _in_vain(checked, ignores, codes, None if has_errors(left) else used)
    severities = checked.configuration.rules if checked.configuration else {}
    return (*_with_severities(left, severities), *_wrong_severities(left, checked, severities, codes))


def can_be_ignored(diagnostic: Diagnostic) -> bool:
    """Tell whether the app can run although it has this finding."""
    rule = BY_CODE.get(diagnostic.code)
    if rule is not None:
        return rule.can_be_ignored
    return diagnostic.severity is Severity.WARNING or diagnostic.code in ABOUT_ROWS


@dataclass(frozen=True, slots=True)
class _Ignore:
    """A comment. `line` is the line that it is about, `None` for the file."""

    where: Location
    line: int | None
    codes: tuple[str, ...]


def _is_ignored(diagnostic: Diagnostic, ignores: Iterable[_Ignore], used: set[tuple[_Ignore, str]]) -> bool:
    where = diagnostic.where
    if where is None or not can_be_ignored(diagnostic):
        return False
    about = [
        ignore
        for ignore in ignores
        if ignore.where.file == where.file
        and ignore.line in {None, where.line}
        and diagnostic.code in ignore.codes
    ]
    used.update((ignore, diagnostic.code) for ignore in about)
    return bool(about)


def _in_vain(
    checked: Checked,
    ignores: Iterable[_Ignore],
    codes: AbstractSet[str],
    used: AbstractSet[tuple[_Ignore, str]] | None,
) -> Iterator[Diagnostic]:
    for ignore in ignores:
        if not ignore.codes:
            yield _unused(ignore, "this comment names no code to ignore", 'write "ignore[code]"')
        for code in ignore.codes:
            if code not in codes:
                hint = did_you_mean(code, codes) or "`patterns explain` lists all codes"
                yield _unused(ignore, f"there is no code {quote(code)} to ignore", hint)
            elif used is not None and (ignore, code) not in used and _is_on(checked, code):
                place = "in this file" if ignore.line is None else "here"
                message = f"{quote(code)} is ignored {place}, where nothing of it is found"
                yield _unused(ignore, message, "remove the comment")


def _unused(ignore: _Ignore, message: str, hint: str) -> Diagnostic:
    return Diagnostic(
        code="unused-ignore",
        message=f"{message}.",
        where=ignore.where,
        hint=hint,
        severity=Severity.WARNING,
    )


def _is_on(checked: Checked, code: str) -> bool:
    rule = BY_CODE.get(code)
    asked = checked.configuration.rules if checked.configuration else {}
    return rule is None or asked.get(code, rule.severity or "off") != "off"


def _with_severities(found: Iterable[Diagnostic], severities: Mapping[str, str]) -> Iterator[Diagnostic]:
    for diagnostic in found:
        asked = severities.get(diagnostic.code)
        if asked is None or (not can_be_ignored(diagnostic) and asked != Severity.ERROR):
            yield diagnostic
        elif asked != "off":
            yield replace(diagnostic, severity=Severity(asked))


def _wrong_severities(
    found: Iterable[Diagnostic], checked: Checked, severities: Mapping[str, str], codes: AbstractSet[str]
) -> Iterator[Diagnostic]:
    needed = {rule.code for rule in BY_CODE.values() if not rule.can_be_ignored}
    needed |= {diagnostic.code for diagnostic in found if not can_be_ignored(diagnostic)}
    for code, asked in severities.items():
        where = checked.in_configuration(f"/rules/{code}")
        if code not in codes:
            yield Diagnostic(
                code="unknown-rule",
                message=f'"rules" names {quote(code)}, and there is no such code.',
                where=where,
                hint=did_you_mean(code, codes) or "`patterns explain` lists all codes",
            )
        elif code in needed and asked != Severity.ERROR:
            yield Diagnostic(
                code="needed-rule",
                message=f"{quote(code)} stays an error: an app with such a finding cannot run.",
                where=where,
                hint=f'remove it from "rules", and see `patterns explain {code}`',
            )


def _ignores(checked: Checked) -> Iterator[_Ignore]:
    for file, content in checked.sources.items():
        marker = _MARKERS.get(file.rpartition(".")[2])
        if marker is not None and _WORDS in content:
            yield from _ignores_in(file, content.decode("utf-8", errors="replace"), marker)


def _ignores_in(file: str, text: str, marker: str) -> Iterator[_Ignore]:
    lines = text.splitlines()
    for line, column, comment in _comments(lines, text, marker):
        said = _SAID.match(comment.removeprefix(marker).lstrip())
        if said is None:
            continue
        codes = tuple(dict.fromkeys(filter(None, re.split(r"[\s,]+", said["codes"] or ""))))
        where = Location(file=file, line=line, column=column)
        if said["file"]:
            yield _Ignore(where, None, codes if line <= FIRST_LINES else ())
        else:
            is_alone = not lines[line - 1][: column - 1].strip()
            yield _Ignore(where, _next_line(lines, line, marker) if is_alone else line, codes)


def _comments(lines: list[str], text: str, marker: str) -> Iterator[tuple[int, int, str]]:
    """Give line, column and text of the comments that may say something."""
    if marker == "#":
        yield from _python_comments(text)
        return
    said = re.compile(rf"{re.escape(marker)}\s*patterns:.*")
    for number, line in enumerate(lines, start=1):
        for found in said.finditer(line):
            yield number, found.start() + 1, found[0]


def _python_comments(text: str) -> Iterator[tuple[int, int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.start[1] + 1, token.string
    except (tokenize.TokenError, SyntaxError):
        # The script does not parse, which is told anyway.
        return


def _next_line(lines: list[str], line: int, marker: str) -> int:
    while line < len(lines) and lines[line].strip().startswith(marker):
        line += 1
    return line + 1


_WORDS: Final = b"patterns: ignore"
_SAID: Final = re.compile(r"patterns: ignore(?P<file>-file)?(?:\[(?P<codes>[^\]]*)\])?(?![\w-])")
_SLASHES: Final = ("js", "mjs", "ts", "mts", "json")
_MARKERS: Final = {"py": "#", "sql": "--", **dict.fromkeys(_SLASHES, "//")}
