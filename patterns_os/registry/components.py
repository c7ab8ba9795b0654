"""Which components the manifests of an app include by name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_REFERENCE: Final = re.compile(rb"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*@v[0-9]+")
_MANIFESTS: Final = (".json", ".yml", ".yaml")


def mentioned_components(files: Mapping[str, bytes], known: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Give the known components that files mention, sorted, and whether they mention any at all.

    Which of the mentions count is known once the manifests are understood: this only tells what to load.
    """
    mentioned = set(_mentioned(files))
    return tuple(sorted(mentioned & set(known))), bool(mentioned)


def _mentioned(files: Mapping[str, bytes]) -> Iterator[str]:
    for path, text in files.items():
        if path.endswith(_MANIFESTS) and b"uses" in text:
            yield from (found.decode() for found in _REFERENCE.findall(text))
