"""Names that two things of one kind share, found in the plain data: other mistakes don't hide them."""

from collections.abc import Iterator
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, quote
from patterns_os.manifest.document import Document, join_pointer
from patterns_os.manifest.scripts import component_file, default_name, file_stem
from patterns_os.manifest.webhooks import default_url_path

Named = tuple[str, str, str]
"""Kind, name, and pointer of the value that gives the name."""


def duplicate_names_in_manifest(document: Document) -> tuple[Diagnostic, ...]:
    """Find scripts and webhooks, tables, files, models, parameters and paths that share a name."""
    return _duplicates(document, _names_in_manifest(document.data))


def duplicate_names_in_configuration(document: Document) -> tuple[Diagnostic, ...]:
    """Find storages, runtimes and models that share a name."""
    kinds = {"storages": "storage", "runtimes": "runtime", "models": "model"}
    names = (
        named for key, kind in kinds.items() for named in _names_by_key(document.data, key, "name", kind)
    )
    return _duplicates(document, names)


def _names_in_manifest(data: object) -> Iterator[Named]:
    yield from _names_by_key(data, "stores", "table", "table")
    yield from _names_by_key(data, "stores", "file", "file")
    yield from _names_by_key(data, "models", "name", "model")
    yield from _names_by_key(data, "parameters", "name", "parameter")
    yield from _names_by_key(data, "webhooks", "title", "webhook title")
    yield from _node_names(data)
    for index, webhook in _entries(data, "webhooks"):
        key = "path" if isinstance(webhook.get("path"), str) else "title"
        if isinstance(webhook.get(key), str):
            path = webhook["path"] if key == "path" else default_url_path(webhook["title"])
            yield "webhook path", path, join_pointer(("webhooks", index, key))


def _node_names(data: object) -> Iterator[Named]:
    for index, script in _entries(data, "scripts"):
        key = next((key for key in ("name", "file", "uses") if isinstance(script.get(key), str)), None)
        if key is not None:
            yield "node", _node_name(key, script[key]), join_pointer(("scripts", index, key))
    for index, chart in _entries(data, "charts"):
        key = "name" if isinstance(chart.get("name"), str) else "file"
        if isinstance(chart.get(key), str):
            name = chart["name"] if key == "name" else file_stem(chart["file"])
            yield "node", name, join_pointer(("charts", index, key))
    for index, webhook in _entries(data, "webhooks"):
        if isinstance(webhook.get("name"), str):
            yield "node", webhook["name"], join_pointer(("webhooks", index, "name"))
        elif isinstance(webhook.get("title"), str):
            yield "node", webhook["title"], join_pointer(("webhooks", index, "title"))


def _node_name(key: str, value: str) -> str:
    if key == "name":
        return value
    return default_name(value if key == "file" else component_file(value))


def _names_by_key(data: object, part: str, key: str, kind: str) -> Iterator[Named]:
    for index, entry in _entries(data, part):
        if isinstance(entry.get(key), str):
            yield kind, entry[key], join_pointer((part, index, key))


def _entries(data: object, part: str) -> Iterator[tuple[int, dict[str, Any]]]:
    entries = data.get(part) if isinstance(data, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def _duplicates(document: Document, names: Iterator[Named]) -> tuple[Diagnostic, ...]:
    first: dict[tuple[str, str], tuple[str, str]] = {}
    found: dict[str, Diagnostic] = {}
    for kind, name, pointer in names:
        # Without case: files "A.csv" and "a.csv" are one on many systems, and so are they for most readers.
        known = first.setdefault((kind, name.casefold()), (name, pointer))
        if known[1] != pointer and pointer not in found:
            found[pointer] = _duplicate(document, kind, name, pointer, known)
    return tuple(found.values())


def _duplicate(document: Document, kind: str, name: str, pointer: str, first: tuple[str, str]) -> Diagnostic:
    first_name, first_pointer = first
    line = document.locate(first_pointer).line
    message = f"the {kind} {quote(name)} is here a second time, it is first on line {line}"
    if name != first_name:
        message = f"the {kind} {quote(name)} differs only by case from {quote(first_name)} on line {line}"
    hint = _HINTS.get(kind)
    return Diagnostic(code="duplicate-name", message=message, where=document.locate(pointer), hint=hint)


_HINTS: Final = {"node": 'give one of them another "name"', "webhook path": 'give one of them another "path"'}
