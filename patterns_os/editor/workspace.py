"""The apps that an editor has open, compiled with what is typed and not saved yet."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from patterns_os.composition.authoring import find_app
from patterns_os.diagnostics import Diagnostic, Location
from patterns_os.errors import PatternsError
from patterns_os.manifest.scripts import COMPONENTS_FOLDER
from patterns_os.plan.compile import Compiled

Compile = Callable[[Mapping[str, bytes]], Compiled]
"""Compiles an app with some of its files replaced."""


@dataclass(slots=True)
class OpenApp:
    """An app with files in the editor.

    Attributes:
        folder: Its folder.
        compile_files: Compiles it.
        texts: What is typed, by path relative to the folder.
        compiled: As of the last compile; `None` before the first.
        understood: The same, with the parts of an earlier compile where the files have no shape just now.
        is_current: Whether nothing was typed since the last compile began.
        findings: Those of the last compile, by file.
    """

    folder: Path
    compile_files: Compile
    texts: dict[str, str] = field(default_factory=dict)
    compiled: Compiled | None = None
    understood: Compiled | None = None
    is_current: bool = False
    findings: dict[str, list[Diagnostic]] = field(default_factory=dict)

    def snapshot(self) -> dict[str, bytes]:
        """Give what is typed, for a compile that begins now."""
        self.is_current = True
        return {file: text.encode("utf-8", "replace") for file, text in self.texts.items()}


class OpenApps:
    """Keeps apps by folder, and finds those that a file belongs to."""

    def __init__(self, compiler_of: Callable[[Path], Compile]) -> None:
        """Keep no app yet; `compiler_of` is asked once for each folder of one."""
        self._compiler_of = compiler_of
        self._apps: dict[Path, OpenApp] = {}

    def __iter__(self) -> Iterator[OpenApp]:
        """Give all apps."""
        return iter(tuple(self._apps.values()))

    def app_of(self, path: Path) -> tuple[OpenApp, str] | None:
        """Give the app of a file and the file's path in it, `None` for a file of no app."""
        try:
            folder = find_app(path.parent)
            file = path.resolve().relative_to(folder).as_posix()
        except (PatternsError, OSError, ValueError, RuntimeError):
            return None
        if folder not in self._apps:
            self._apps[folder] = OpenApp(folder, self._compiler_of(folder))
        return self._apps[folder], file

    def type(self, path: Path, text: str | None) -> list[OpenApp]:
        """Note what a file holds now in the editor, `None` when the disk counts again; give the apps it is in.

        An app that includes another one has the files of that one too.
        """
        if self.app_of(path) is None:
            return []
        path = path.resolve()
        touched = [app for app in self._apps.values() if path.is_relative_to(app.folder)]
        for app in touched:
            file = path.relative_to(app.folder).as_posix()
            app.is_current = False
            if text is None:
                app.texts.pop(file, None)
            else:
                app.texts[file] = text
        return touched

    def note(self, app: OpenApp, compiled: Compiled) -> set[Path]:
        """Keep what a compile gave; give the files whose findings may be others now."""
        before = set(app.findings)
        app.compiled = compiled
        app.understood = _with_former(compiled, app.understood)
        app.findings = {}
        for diagnostic in compiled.diagnostics:
            app.findings.setdefault(_file_of(compiled, diagnostic.where), []).append(diagnostic)
        if compiled.manifest is None:  # the folder is no app any more
            app.findings = {}
            self._apps.pop(app.folder, None)
        return {app.folder / file for file in before | set(app.findings)}

    def findings_of(self, path: Path) -> Iterator[tuple[OpenApp, Diagnostic]]:
        """Give what all apps find in a file, once each."""
        told: set[tuple[str, str, int, int]] = set()
        for app in self:
            file = path.relative_to(app.folder).as_posix() if path.is_relative_to(app.folder) else None
            for found in app.findings.get(file, ()) if file else ():
                line, column = (found.where.line, found.where.column) if found.where else (1, 1)
                key = (found.code, found.message, line, column)
                if key not in told:
                    told.add(key)
                    yield app, found


def is_of_author(file: str) -> bool:
    """Tell whether an editor can open the file: those of components lie elsewhere."""
    return not file.startswith(COMPONENTS_FOLDER + "/")


def _file_of(compiled: Compiled, where: Location | None) -> str:
    """Give the file to show a finding in: that of its place, else the manifest."""
    if where is not None and is_of_author(where.file):
        return where.file
    return compiled.manifest.document.file if compiled.manifest else "manifest.json"


def _with_former(compiled: Compiled, former: Compiled | None) -> Compiled:
    """Give what is known of the app while its files are broken: the former graph, the former settings."""
    if former is None:
        return compiled
    if compiled.graph is None:
        return former
    is_broken = compiled.configuration is not None and compiled.configuration.spec is None
    return replace(compiled, configuration=former.configuration) if is_broken else compiled
