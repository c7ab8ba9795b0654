"""What several fixes share: names that are meant without a doubt, and where the manifest has them."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final

from patterns_os.graph.rules.rule import Checked, Finding, Repair
from patterns_os.manifest.document import join_pointer

_SURE: Final = 0.75


def meant(name: str, known: Iterable[str]) -> str | None:
    """Give the only known name that is nearly the same; `None` where there are none or several."""
    folded = {candidate.casefold(): candidate for candidate in sorted(set(known))}
    found = get_close_matches(name.casefold(), folded, n=2, cutoff=_SURE)
    return folded[found[0]] if len(found) == 1 else None


def renamed_in_scripts(checked: Checked, finding: Finding, keys: Iterable[str]) -> Repair | None:
    """Give the edit that writes the name that is meant where a script's entry has the finding's subject."""
    name = meant(finding.subject, finding.known[1]) if finding.known else None
    document = checked.manifest.document
    data = document.data
    scripts = data.get("scripts") if isinstance(data, dict) else None
    for index, script in enumerate(scripts if isinstance(scripts, list) else ()):
        for key in keys if isinstance(script, dict) and name is not None else ():
            for pointer in _places(script.get(key), join_pointer(("scripts", index, key)), finding.subject):
                return Repair(file=document.file, action="set", pointer=pointer, value=name)
    return None


def _places(value: Any, pointer: str, name: str) -> Iterator[str]:  # noqa: ANN401 - plain JSON data
    if value == name:
        yield pointer
    elif isinstance(value, list | dict):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in inner:
            yield from _places(part, pointer + join_pointer((key,)), name)
