"""What a Python script touches, read from its text: never imported, never executed."""

import ast

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.imports import follow_imports
from patterns_os.graph.python_engine import ExhaustedError
from patterns_os.graph.python_interpreter import Interpreter
from patterns_os.graph.python_modules import Import, imported_files, parse_module, too_deep
from patterns_os.graph.python_values import TOO_MANY, Frame, Region
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import Analysis


def analyse_python(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    """Give what the script and the app's modules that it imports touch.

    Uses are in source order: the script's own first, then those of its imports. A script that does not parse
    has an empty analysis and one diagnostic; a broken import has one too, and the rest is still analysed.
    The value of a parameter is known only when the app is deployed, its default included: a store that is named
    by one is unknown.
    """
    try:
        return _analyse(file, source, sources)
    except (RecursionError, MemoryError):
        return Analysis(), [too_deep(file)]


def _analyse(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    modules, diagnostics = follow_imports(
        file, source, sources, parse_module, lambda _, module: imported_files(module, sources)
    )
    if file not in modules:
        return Analysis(), diagnostics
    script = modules[file]
    interpreter = Interpreter(modules, sources, Frame(script, Region()))
    findings = interpreter.findings
    for module in modules.values():
        for node in module.imports:
            if _imports_openai(node):
                findings.use((module, node), "model", "", {"import": "openai"})
    try:
        interpreter.follow()
    except ExhaustedError:
        findings.give_up((script, script.tree), TOO_MANY)
    ranks = {name: rank for rank, name in enumerate(modules)}
    return findings.analysis(ranks), [*diagnostics, *findings.diagnostics]


def _imports_openai(node: Import) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").partition(".")[0] == "openai"
    return any(alias.name.partition(".")[0] == "openai" for alias in node.names)
