"""A script and the modules of the app that it imports, in any language."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.sources import Sources

Parsed = TypeVar("Parsed")


def follow_imports(
    file: str,
    source: bytes,
    sources: Sources,
    parse: Callable[[str, bytes], Parsed | Diagnostic],
    imported: Callable[[str, Parsed], Iterable[str]],
) -> tuple[dict[str, Parsed], list[Diagnostic]]:
    """Give the script and all that it imports, nearest first, each once, and what of it does not parse.

    Args:
        file: The script's path.
        source: Its content.
        sources: The files of the app.
        parse: Reads a module, or tells why it cannot.
        imported: Gives the files of the app that a module (by its path) imports.
    """
    modules: dict[str, Parsed] = {}
    diagnostics: list[Diagnostic] = []
    pending = [(file, source)]
    seen = {file}
    for name, content in pending:
        module = parse(name, content)
        if isinstance(module, Diagnostic):
            diagnostics.append(module)
            continue
        modules[name] = module
        for found in imported(name, module):
            if found not in seen:
                seen.add(found)
                pending.append((found, sources[found]))
    return modules, diagnostics
