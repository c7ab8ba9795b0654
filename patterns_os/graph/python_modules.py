"""A Python file of the app: its text, its syntax tree and what it imports. Nothing is executed."""

import ast
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from patterns_os.diagnostics import Diagnostic, Location

SDK = "patterns"
Import = ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """One parsed file.

    Attributes:
        imports: Its import statements, wherever they stand, in source order.
    """

    file: str
    lines: tuple[str, ...]
    tree: ast.Module
    imports: tuple[Import, ...]

    def locate(self, node: ast.AST) -> Location:
        """Give the place of the node, its column counted in characters."""
        line = getattr(node, "lineno", 1)
        offset = getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if not text.isascii():
            offset = len(text.encode()[:offset].decode(errors="ignore"))
        return Location(file=self.file, line=line, column=offset + 1)


@dataclass(frozen=True, slots=True)
class Imported:
    """A module that an import statement names; `level` counts the dots before it."""

    module: str
    level: int


def parse_module(file: str, source: bytes) -> Module | Diagnostic:
    """Give the parsed file, or why it is no Python file."""
    text = decode_source(file, source)
    if isinstance(text, Diagnostic):
        return text
    try:
        with warnings.catch_warnings():
            # Python warns about odd escapes in the author's file; that is no concern of a compile.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return _syntax_diagnostic(file, error)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return too_deep(file)
    imports = sorted(_imports(tree), key=lambda node: (node.lineno, node.col_offset))
    return Module(file=file, lines=tuple(_lines(text)), tree=tree, imports=tuple(imports))


def decode_source(file: str, source: bytes) -> str | Diagnostic:
    """Give the text of a script, or a diagnostic if it is not UTF-8 or holds a NUL."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        byte = source[error.start]
        return Diagnostic(
            code="script-encoding",
            message=f'"{file}" is not UTF-8: byte 0x{byte:02x} at offset {error.start} cannot be read.',
            where=Location(file=file, line=line),
            hint="save the file as UTF-8",
        )
    if "\x00" in text:
        offset = text.index("\x00")
        return Diagnostic(
            code="script-encoding",
            message=f'"{file}" holds a NUL character, which no script may hold.',
            where=Location(file=file, line=text.count("\n", 0, offset) + 1),
        )
    return text


def too_deep(file: str) -> Diagnostic:
    """Give the diagnostic for a script that is nested deeper than can be followed."""
    return Diagnostic(
        code="script-too-deep",
        message=f'"{file}" is nested too deeply to be analysed.',
        where=Location(file=file),
        hint="split the deepest expression into steps",
    )


def find_import(file: str, imported: Imported, files: Mapping[str, bytes]) -> str | None:
    """Give the file of the app that an import in `file` names, or `None` if it is not the app's."""
    root = imported.module.partition(".")[0]
    if not imported.level and (root in sys.stdlib_module_names or root == SDK):
        # The standard library wins at run time too: an app's `copy.py` does not stand in for Python's own.
        return None
    folder = file.rpartition("/")[0]
    path = "/".join(part for part in imported.module.split(".") if part)
    for _ in range(imported.level - 1):
        folder = folder.rpartition("/")[0]
    found = _existing(f"{folder}/{path}" if folder and path else folder or path, files, is_folder=not path)
    return found if found or imported.level or not folder else _existing(path, files, is_folder=not path)


def imported_files(module: Module, files: Mapping[str, bytes]) -> Iterator[str]:
    """Give the files of the app that the module imports, the packages around them included."""
    for node in module.imports:
        if isinstance(node, ast.Import):
            wanted = [(alias.name, 0) for alias in node.names]
        else:
            base = node.module or ""
            inner = [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
            wanted = [(name, node.level) for name in [base, *inner]]
        for name, level in wanted:
            yield from _with_packages(module.file, name, level, files)


def _with_packages(file: str, name: str, level: int, files: Mapping[str, bytes]) -> Iterator[str]:
    # Python runs the packages on the way to a module, too.
    end = name.find(".")
    while end >= 0:
        found = find_import(file, Imported(name[:end], level), files)
        if found is not None:
            yield found
        end = name.find(".", end + 1)
    found = find_import(file, Imported(name, level), files)
    if found is not None:
        yield found


def _existing(path: str, files: Mapping[str, bytes], *, is_folder: bool) -> str | None:
    module, package = f"{path}.py", f"{path}/__init__.py" if path else "__init__.py"
    if not is_folder and module in files:
        return module
    return package if package in files else None


def _imports(tree: ast.Module) -> Iterator[Import]:
    # Imports are statements: expressions, the larger part of a tree, need no visit.
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
            continue
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                pending += inner


def _lines(text: str) -> list[str]:
    # Python counts lines by line feeds; other separators (form feeds, U+2028) do not end one.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _syntax_diagnostic(file: str, error: SyntaxError) -> Diagnostic:
    return Diagnostic(
        code="script-syntax",
        message=f'"{file}" is not valid Python: {error.msg}.',
        where=Location(file=file, line=max(error.lineno or 1, 1), column=max(error.offset or 1, 1)),
    )
