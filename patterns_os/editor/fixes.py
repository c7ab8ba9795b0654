"""Edits that mend a finding, offered where it stands."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from patterns_os.diagnostics import Diagnostic, quote
from patterns_os.editor.positions import span_at
from patterns_os.errors import PatternsError
from patterns_os.graph.rules.rule import Repair
from patterns_os.plan.compile import Compiled
from patterns_os.plan.repairs import apply_repair, repairs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one file that mends a finding.

    Attributes:
        span: First and last character of what is replaced.
    """

    title: str
    file: str
    span: tuple[int, int]
    text: str


def edits_for(compiled: Compiled, wanted: list[Diagnostic]) -> Iterator[tuple[Diagnostic, Edit]]:
    """Give the edits that mend findings of the app: the name that is meant, and what `lint --fix` does."""
    mended: set[tuple[Diagnostic, str]] = set()
    for found in wanted:
        edit = _meant(compiled, found)
        if edit is not None:
            mended.add((found, edit.file))
            yield found, edit
    # What rules propose is worked out for the app as a whole: not for cursors that stand beside any finding.
    for found, repair in repairs_of(compiled) if wanted else ():
        if _is_among(found, wanted) and (found, repair.file) not in mended:
            edit = _repaired(compiled, repair)
            if edit is not None:
                yield found, edit


def _meant(compiled: Compiled, found: Diagnostic) -> Edit | None:
    """Give the edit for the hint `did you mean "x"?`: the wrong name is one of those in the message."""
    hint = _MEANT.fullmatch(found.hint or "")
    where = found.where
    if hint is None or where is None or where.file not in compiled.sources:
        return None
    text = compiled.sources[where.file].decode("utf-8", "replace")
    start, end = span_at(text, where)
    for wrong in _QUOTED.findall(found.message):
        at = re.search(rf"(?<!\w){re.escape(wrong)}(?!\w)", text[start:end])
        if at is not None and wrong != hint[1]:
            span = (start + at.start(), start + at.end())
            title = f"Write {quote(hint[1])} instead of {quote(wrong)}"
            return Edit(title=title, file=where.file, span=span, text=hint[1])
    return None


def _repaired(compiled: Compiled, repair: Repair) -> Edit | None:
    try:
        before = compiled.sources[repair.file]
        after = apply_repair(before, repair)
    except (PatternsError, KeyError):
        return None
    span, text = _difference(before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))
    return Edit(title=_title(repair), file=repair.file, span=span, text=text)


def _title(repair: Repair) -> str:
    value = json.dumps(repair.value, ensure_ascii=False)
    match repair.action:
        case "set":
            return f"Write {value} in {repair.file}"
        case "append":
            return f"Add {value} to {repair.file}"
        case "rename":
            return f"Rename the key to {value} in {repair.file}"
        case "remove":
            return f"Remove it from {repair.file}"


def _difference(before: str, after: str) -> tuple[tuple[int, int], str]:
    """Give the only place where two texts differ: what it spans in the first, and what the second has there."""
    shorter = min(len(before), len(after))
    start = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    rest = shorter - start
    tail = next((index for index in range(rest) if before[-1 - index] != after[-1 - index]), rest)
    return (start, len(before) - tail), after[start : len(after) - tail]


def _is_among(found: Diagnostic, wanted: list[Diagnostic]) -> bool:
    return any((found.code, found.message, found.where) == (w.code, w.message, w.where) for w in wanted)


_MEANT: Final = re.compile(r"did you mean \"([^\"\n]+)\"\?")
_QUOTED: Final = re.compile(r"\"([^\"\n]+)\"")
