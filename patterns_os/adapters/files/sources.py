"""The files of an app folder that the compiler sees; reading them is all of its input."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError

PATTERNS = ("graph.yml", "*.py", "*.sql", "*.js", "*.ts", "*.json", "*.md", "requirements*.txt")
IGNORED_FOLDERS = frozenset({"venv", "node_modules", "__pycache__"})
LARGEST_BYTES = 1 << 20


def load_sources(folder: Path) -> dict[str, bytes]:
    """Give the content of the app's text files by relative path with forward slashes, sorted by path.

    Left out: folders that begin with a dot (`.git`, `.venv`, `.patterns`, …), virtual environments,
    `node_modules`, files of more than 1 MiB, links that lead out of the folder, and links to folders.

    Raises:
        PermanentError: `folder-missing`, `source-unreadable`.
    """
    if not folder.is_dir():
        raise PermanentError(f"{quote(str(folder))} is no folder", code="folder-missing")
    root = folder.resolve()
    contents = ((path.relative_to(root).as_posix(), _content(path, root)) for path in _files(root))
    return {name: content for name, content in sorted(contents) if content is not None}


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if _is_searched(Path(folder, name))]
        for name in files:
            path = Path(folder, name)
            if is_source(name) and _is_inside(path, root) and path.is_file():
                yield path


def _is_searched(folder: Path) -> bool:
    is_ignored = folder.name.startswith(".") or folder.name in IGNORED_FOLDERS
    return not is_ignored and not (folder / "pyvenv.cfg").exists()


def is_source(name: str) -> bool:
    """Tell whether a file of that name can be a source of an app."""
    return not name.startswith(".") and any(fnmatchcase(name, pattern) for pattern in PATTERNS)


def _is_inside(path: Path, root: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root)
    except RuntimeError:  # links in a circle
        return False


def _content(path: Path, root: Path) -> bytes | None:
    """Give the file's bytes, or `None` where it is too large or has just gone."""
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path.relative_to(root).as_posix(), error) from error
    return content if len(content) <= LARGEST_BYTES else None


def _raise(error: OSError) -> None:
    raise _unreadable(str(error.filename), error) from error


def _unreadable(name: str, error: OSError) -> PermanentError:
    return PermanentError(
        f"{quote(name)} can't be read: {error.strerror}",
        code="source-unreadable",
        hint="check the owner and the mode of the file and its folders",
    )
