"""Writing the author's own files: whole or not at all, and never over what somebody else has just written."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """New content for a file. `before` is what it held when it was read, `None` if it wasn't there."""

    path: Path
    before: bytes | None
    after: bytes


def read_authored(path: Path) -> bytes | None:
    """Give the content of a file, `None` if there is none.

    Raises:
        PermanentError: `file-denied`, it can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _denied(path, "read", error) from error


def write_changes(changes: tuple[Change, ...]) -> None:
    """Write all of them, in order; where one fails, new files of those before it are taken back.

    Raises:
        UsageError: `file-changed`, a file is not what it was when it was read.
        PermanentError: `file-denied`, a file or folder can't be written.
    """
    made: list[Path] = []
    try:
        for change in changes:
            _write(change, made)
    except BaseException:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise


def create_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with files, the last one last; a folder that exists gets them added.

    Raises:
        UsageError: `file-changed`, one of the files is there.
        PermanentError: `file-denied`, the folder can't be written.
    """
    changes = (Change(path=folder / name, before=None, after=content) for name, content in files.items())
    write_changes(tuple(changes))


def _write(change: Change, made: list[Path]) -> None:
    # A link stays a link: what it leads to is replaced.
    path = change.path.resolve()
    try:
        _make_folders(path.parent, made)
        _require_unchanged(path, change)
        if change.before == change.after:
            return
        _replace(path, change)
    except OSError as error:
        raise _denied(change.path, "written", error) from error
    if change.before is None:
        made.append(path)


def _replace(path: Path, change: Change) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as opened:
        temporary = Path(opened.name)
        try:
            opened.write(change.after)
            opened.flush()
            os.fsync(opened.fileno())
            temporary.chmod(_mode(path))
            # A last look before the rename: an editor that saves now would be overwritten.
            _require_unchanged(path, change)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        made.append(parent)


def _mode(path: Path) -> int:
    """Give the mode that the file has, or that any new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _require_unchanged(path: Path, change: Change) -> None:
    if read_authored(path) != change.before:
        raise UsageError(
            f"{quote(change.path.name)} has changed in the meantime, so nothing is written to it",
            code="file-changed",
            hint="save it in your editor and run the command again",
        )


def _denied(path: Path, what: str, error: OSError) -> PermanentError:
    return PermanentError(
        f"{quote(str(path))} can't be {what}: {error.strerror or error}",
        code="file-denied",
        hint="check the owner and the mode of the file and its folder",
    )
