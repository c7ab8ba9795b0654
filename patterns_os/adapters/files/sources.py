"""The files of an app folder that the compiler sees; reading them is all of its input."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError
from patterns_os.manifest.scripts import MANIFEST_NAMES

_SCRIPTS = ("*.py", "*.sql", "*.js", "*.[cm]js", "*.jsx", "*.ts", "*.[cm]ts", "*.tsx")
PATTERNS = (*_SCRIPTS, "*.json", "*.yml", "*.yaml", "*.md", "requirements*.txt")
IGNORED_FOLDERS = frozenset({"venv", "node_modules", "__pycache__"})
LARGEST_BYTES = 1 << 20
LARGEST_MANIFEST_BYTES = 64 << 20
"""An app of ten thousand nodes has a manifest of more than a mebibyte."""


def load_sources(folder: Path) -> dict[str, bytes]:
    """Give the content of the app's text files by relative path with forward slashes, sorted by path.

    Left out: folders that begin with a dot (`.git`, `.venv`, `.patterns`, …), virtual environments,
    `node_modules`, files of more than 1 MiB (a manifest may have 64), links that lead out of the folder, and
    links to folders.

    Raises:
        PermanentError: `folder-missing`, `source-unreadable`.
    """
    if not folder.is_dir():
        raise PermanentError(f"{quote(str(folder))} is no folder", code="folder-missing")
    root = folder.resolve()
    start = len(str(root)) + 1
    contents = ((path[start:].replace(os.sep, "/"), path) for path in _files(str(root), root))
    found = {name: _content(path, name) for name, path in sorted(contents)}
    return {name: content for name, content in found.items() if content is not None}


def _files(folder: str, root: Path) -> Iterator[str]:
    try:
        entries = os.scandir(folder)
    except OSError as error:
        raise _unreadable(str(error.filename), error) from error
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if _is_searched(entry):
                    yield from _files(entry.path, root)
            elif is_source(entry.name) and _is_inside(entry, root):
                yield entry.path


def _is_searched(folder: os.DirEntry[str]) -> bool:
    is_ignored = folder.name.startswith(".") or folder.name in IGNORED_FOLDERS
    return not is_ignored and not Path(folder.path, "pyvenv.cfg").exists()


def is_source(name: str) -> bool:
    """Tell whether a file of that name can be a source of an app."""
    return not name.startswith(".") and any(fnmatchcase(name, pattern) for pattern in PATTERNS)


def _is_inside(entry: os.DirEntry[str], root: Path) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    try:
        target = Path(entry.path).resolve()
    except RuntimeError:  # links in a circle
        return False
    return target.is_relative_to(root) and target.is_file()


def _content(path: str, name: str) -> bytes | None:
    """Give the file's bytes, or `None` where it is too large or has just gone."""
    largest = LARGEST_MANIFEST_BYTES if name.endswith(MANIFEST_NAMES) else LARGEST_BYTES
    try:
        with open(path, "rb", buffering=0) as opened:  # noqa: PTH123 - a third of the time, for apps of thousands
            content = opened.read(largest + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(name, error) from error
    return content if content is not None and len(content) <= largest else None


def _unreadable(name: str, error: OSError) -> PermanentError:
    return PermanentError(
        f"{quote(name)} can't be read: {error.strerror}",
        code="source-unreadable",
        hint="check the owner and the mode of the file and its folders",
    )
