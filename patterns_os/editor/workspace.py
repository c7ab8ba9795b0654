"""The apps that an editor has open, compiled with what is typed and not saved yet."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from patterns_os.composition.authoring import find_app
from patterns_os.diagnostics import Diagnostic, Location
from patterns_os.errors import PatternsError
from patterns_os.plan.compile import Compiled

Compile = Callable[[Path, Mapping[str, bytes]], Compiled]
"""Compiles an app's folder, with some of its files replaced."""


@dataclass(slots=True)
class OpenApp:
    """An app with files in the editor.

    Attributes:
        folder: Its folder.
        texts: What is typed, by path relative to the folder.
        compiled: As of the last compile; `None` before the first.
        shown: Files that have findings in the editor now.
    """

    folder: Path
    texts: dict[str, str] = field(default_factory=dict)
    compiled: Compiled | None = None
    shown: set[str] = field(default_factory=set)


class OpenApps:
    """Keeps apps by folder, and finds the one that a file belongs to."""

    def __init__(self, compile_files: Compile) -> None:
        self._compile = compile_files
        self._apps: dict[Path, OpenApp] = {}

    def app_of(self, path: Path) -> tuple[OpenApp, str] | None:
        """Give the app of a file and the file's path in it, `None` for a file of no app."""
        try:
            folder = find_app(path.parent)
        except PatternsError:
            return None
        app = self._apps.setdefault(folder, OpenApp(folder))
        return app, path.resolve().relative_to(folder).as_posix()

    def type(self, path: Path, text: str | None) -> OpenApp | None:
        """Note what a file holds now in the editor; `None` when it was closed and the disk counts again."""
        found = self.app_of(path)
        if found is None:
            return None
        app, file = found
        if text is None:
            app.texts.pop(file, None)
        else:
            app.texts[file] = text
        return app

    def compile(self, app: OpenApp) -> dict[str, list[Diagnostic]]:
        """Compile the app; give the findings by file, an empty list for files that have none any more.

        Findings without a place stand at the beginning of the manifest.
        """
        texts = {file: text.encode("utf-8", "replace") for file, text in app.texts.items()}
        app.compiled = self._compile(app.folder, texts)
        found: dict[str, list[Diagnostic]] = {file: [] for file in app.shown}
        for diagnostic in app.compiled.diagnostics:
            where = diagnostic.where or Location(file="manifest.json")
            found.setdefault(where.file, []).append(diagnostic)
        app.shown = {file for file, entries in found.items() if entries}
        return found


def extent(text: str, column: int) -> tuple[int, int]:
    """Give start and end (in characters from 0) of what stands in that line at a column (from 1)."""
    start = min(max(column - 1, 0), len(text))
    found = _EXTENT.match(text, start)
    return start, found.end() if found else start


_EXTENT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[\w.]+(?:\([^()]*\))?|\S")
