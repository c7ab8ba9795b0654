"""Masking: known secret values are taken out of texts before anybody stores or shows them."""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote as percent_encoded

SHORTEST = 6
"""Characters from which a value is masked. Shorter ones occur in ordinary text, and masking those would both
spoil the text and tell the value."""


class Masker:
    """Replaces secret values in texts by `***NAME***`.

    A value is found as it is, as it stands inside a JSON string, percent-encoded, and, as logs are lines,
    by each of its lines; of an object in JSON, each text inside as well. Where values overlap the longest
    goes first; a value under two names gets the first name in alphabetical order. What is cut in two by
    whoever sends the text is not found.

    Args:
        values: Secret values by name.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for name, value in sorted(values.items()):
            for spelling in _spellings(value):
                self._names.setdefault(spelling, name)
        self._longest_first = sorted(self._names, key=len, reverse=True)

    def __repr__(self) -> str:
        """Tell how many names are masked, and no value."""
        return f"Masker({len(set(self._names.values()))} names)"

    def mask(self, text: str) -> str:
        """Give the text with all known values replaced; the very same text where it has none."""
        # A search for each value runs at memory speed, a pattern of all does not: most texts have none.
        present = [value for value in self._longest_first if value in text]
        if not present:
            return text
        # One pass, so that a mask is never searched for the next value.
        return re.sub("|".join(map(re.escape, present)), self._mask_of, text)

    def _mask_of(self, found: re.Match[str]) -> str:
        return f"***{self._names[found.group()]}***"


def _inner(value: str) -> Iterator[str]:
    """Give the texts inside a secret that is an object in JSON, as connections are: each is a key of its own."""
    if not value.lstrip().startswith("{"):
        return
    try:
        pending = [json.loads(value)]
    except (ValueError, RecursionError):
        return
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict | list):
            pending += part.values() if isinstance(part, dict) else part


def _spellings(value: str) -> Iterator[str]:
    lines = (line.strip() for line in value.splitlines())
    for text in (value, *lines, *_inner(value)):
        if len(text) >= SHORTEST:
            yield text
            yield json.dumps(text)[1:-1]
            yield json.dumps(text, ensure_ascii=False)[1:-1]
            yield percent_encoded(text, safe="", errors="replace")
