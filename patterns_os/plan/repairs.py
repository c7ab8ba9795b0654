"""Mending findings that can be mended without a doubt, one edit after the other.

Only `manifest.json` and `patterns.json` are edited, never code. After each edit the app is compiled again; an
edit that leaves its finding, or brings an error that was not there, is taken back.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from patterns_os.diagnostics import Diagnostic, Severity
from patterns_os.errors import PatternsError
from patterns_os.graph.rules.mending import meant
from patterns_os.graph.rules.registry import propose_repairs
from patterns_os.graph.rules.rule import Checked, Repair
from patterns_os.graph.sources import Sources
from patterns_os.manifest.document import Document, parse_document, split_pointer
from patterns_os.manifest.edit import append_item, remove_item, rename_key, set_value
from patterns_os.manifest.spelling import YAML_ENDINGS
from patterns_os.manifest.values import slug
from patterns_os.plan.compile import Compiled

Compile = Callable[[Sources], Compiled]
Wanted = Callable[[Diagnostic], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """An app after its repairs.

    Attributes:
        compiled: The app as it is now.
        files: New content of the files that changed, by name.
        mended: The findings that are gone, in the order of the edits.
    """

    compiled: Compiled
    files: Mapping[str, bytes]
    mended: tuple[Diagnostic, ...]


def mend(compiled: Compiled, compile_sources: Compile, wanted: Wanted) -> Mended:
    """Mend what can be mended, until nothing more can.

    Args:
        compiled: The app as it is.
        compile_sources: Compiles changed files the way the app was compiled.
        wanted: Which findings to mend.
    """
    before = compiled.sources
    mended: list[Diagnostic] = []
    refused: set[tuple[str, str]] = set()
    while (step := _first_step(compiled, compile_sources, wanted, refused)) is not None:
        compiled, found = step
        mended.append(found)
    files = {name: text for name, text in compiled.sources.items() if text != before.get(name)}
    return Mended(compiled=compiled, files=files, mended=tuple(mended))


def repairs_of(compiled: Compiled) -> Iterator[tuple[Diagnostic, Repair]]:
    """Give the findings that can be mended, each with its edit; those that are ignored stay as they are."""
    told = {(found.code, found.where, found.message) for found in compiled.diagnostics}
    for found in compiled.diagnostics:
        repair = _repair_of_entry(found, compiled)
        if repair is not None and _is_json(repair):
            yield found, repair
    if compiled.graph is None or compiled.manifest is None:
        return
    checked = Checked(
        graph=compiled.graph,
        sources=compiled.sources,
        manifest=compiled.manifest,
        parsed_configuration=compiled.configuration,
        lineage=compiled.lineage,
    )
    for found, repair in propose_repairs(checked):
        if (found.code, found.where, found.message) in told and _is_json(repair):
            yield found, repair


def _is_json(repair: Repair) -> bool:
    """Tell whether the file is one that can be edited in place; a graph.yml is converted first."""
    return not repair.file.endswith(YAML_ENDINGS)


def apply_repair(text: bytes, repair: Repair) -> bytes:
    """Give the file with the edit made.

    Raises:
        PatternsError: The file has mistakes, or does not have what is to be edited.
    """
    document = parse_document(repair.file, text)
    match repair.action:
        case "set":
            return set_value(document, repair.pointer, repair.value)
        case "append":
            return append_item(document, repair.pointer, repair.value)
        case "remove":
            return remove_item(document, repair.pointer)
        case "rename":
            return rename_key(document, repair.pointer, repair.value)


def _first_step(
    compiled: Compiled, compile_sources: Compile, wanted: Wanted, refused: set[tuple[str, str]]
) -> tuple[Compiled, Diagnostic] | None:
    for found, repair in repairs_of(compiled):
        key = (found.code, found.message)
        if key in refused or not wanted(found):
            continue
        # Each edit is tried once: what comes back after it would come back for ever.
        refused.add(key)
        after = _tried(compiled, compile_sources, repair)
        if after is not None and _is_better(compiled, after, found):
            return after, found
    return None


def _tried(compiled: Compiled, compile_sources: Compile, repair: Repair) -> Compiled | None:
    try:
        text = apply_repair(compiled.sources[repair.file], repair)
    except (PatternsError, KeyError):
        return None
    return compile_sources(Sources({**compiled.sources, repair.file: text}))


def _is_better(before: Compiled, after: Compiled, mended: Diagnostic) -> bool:
    """Tell whether the finding is gone; errors may come only where others hid them."""
    is_gone = (mended.code, mended.message) not in {
        (found.code, found.message) for found in after.diagnostics
    }
    known = {found.code for found in before.diagnostics}
    new = [
        found for found in after.diagnostics if found.severity is Severity.ERROR and found.code not in known
    ]
    return is_gone and (mended.severity is Severity.ERROR or not new)


def _repair_of_entry(found: Diagnostic, compiled: Compiled) -> Repair | None:
    """Give the edit for what a file says wrong by itself."""
    where = found.where
    document = _document_of(compiled, where.file) if where else None
    if where is None or document is None:
        return None
    if found.code == "unknown-key" and found.known is not None:
        key = meant(split_pointer(where.pointer)[-1], found.known[1])
        return Repair(file=where.file, action="rename", pointer=where.pointer, value=key) if key else None
    if found.code == "bad-name" and where.pointer == "/name" and where.file == "manifest.json":
        name = slug(str(document.data["name"]), "-")
        return Repair(file=where.file, action="set", pointer=where.pointer, value=name) if name else None
    return None


def _document_of(compiled: Compiled, file: str) -> Document | None:
    parts = (compiled.manifest, compiled.configuration)
    return next((part.document for part in parts if part and part.document.file == file), None)
