"""Files in a local folder.

A name is resolved once; then each folder on the way is opened below the one before, without following links,
so that a link put in later leads nowhere.
"""

import io
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from patterns_os.adapters.files.pending import Pending, PendingBytes, PendingText, pending_file
from patterns_os.diagnostics import quote
from patterns_os.errors import PatternsError, PermanentError, TemporaryError
from patterns_os.ports.files import missing_file

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_HERE = os.O_NOFOLLOW | os.O_CLOEXEC

# Names of users have no part that begins with a dot.
_TEMPORARY = ".patterns-"
ABANDONED_S = 24 * 3600.0
"""Age from which a temporary file is taken for one that a killed process left."""


class LocalFiles:
    """Files below a folder; names and modes come checked.

    Args:
        root: The folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __repr__(self) -> str:
        """Show the folder."""
        return str(self._root)

    def open(self, name: str, mode: str = "r") -> IO[Any]:
        """Open a file."""
        with _translated(name):
            return self._reading(name, mode) if mode.startswith("r") else self._writing(name, mode)

    def exists(self, name: str) -> bool:
        """Tell whether there is a regular file of that name."""
        with _translated(name):
            return self._resolved(name).is_file()

    def delete(self, name: str) -> bool:
        """Delete the file; a link is deleted, not what it leads to."""
        with _translated(name):
            self._resolved(name)
            parent, _, last = name.rpartition("/")
            try:
                with self._folder(self._resolved(parent), make=False) as folder:
                    os.unlink(last, dir_fd=folder)
            except FileNotFoundError:
                return False
        return True

    def list(self) -> tuple[str, ...]:
        """Give the names of all regular files, sorted; links to folders are not followed."""
        with _translated(""):
            return tuple(sorted(self._names()))

    def _names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(folder, name)
                if not name.startswith(".") and path.is_file() and self._is_inside(path.resolve()):
                    yield path.relative_to(self._root).as_posix()

    def _reading(self, name: str, mode: str) -> IO[Any]:
        path = self._resolved(name)
        with self._folder(path.parent, make=False) as folder:
            # Not waiting: a named pipe that nobody writes would be waited for until the run's timeout.
            number = os.open(path.name, os.O_RDONLY | os.O_NONBLOCK | _HERE, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise _no_file(name)
        if "b" in mode:
            return os.fdopen(number, "rb")
        return os.fdopen(number, "r", encoding="utf-8", newline="")

    def _writing(self, name: str, mode: str) -> IO[Any]:
        path = self._resolved(name)
        if path.exists() and not path.is_file():
            raise _no_file(name)
        with self._folder(path.parent, make=True) as folder:
            _sweep(folder)
            old_mode = _old_mode(folder, path.name)
            opened = _pending_in(folder, path.name, name, mode)
            try:
                if old_mode is not None:
                    os.fchmod(opened.fileno(), old_mode)
                if mode.startswith("a") and old_mode is not None:
                    _copy(folder, path.name, opened.fileno())
                opened.seek(0, io.SEEK_END)
            except BaseException:
                opened.abandon()
                raise
        return opened

    def _resolved(self, name: str) -> Path:
        with suppress(RuntimeError):  # links in a circle, which lead nowhere
            path = (self._root / name).resolve()
            if self._is_inside(path):
                return path
        raise PermanentError(
            f"file {quote(name)} leads out of its storage by a link",
            code="file-outside",
            hint="put the file itself there",
        )

    def _is_inside(self, path: Path) -> bool:
        return path.is_relative_to(self._root.resolve())

    @contextmanager
    def _folder(self, path: Path, *, make: bool) -> Iterator[int]:
        """Give the opened folder of a resolved path inside the root."""
        root = self._root.resolve()
        if make:
            root.mkdir(parents=True, exist_ok=True)
        number = os.open(root, _FOLDER)
        try:
            for part in path.relative_to(root).parts:
                number = _step(number, part, make=make)
            yield number
        finally:
            os.close(number)


def _step(folder: int, part: str, *, make: bool) -> int:
    """Give the opened folder `part` of a folder, in exchange for that."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=folder)
    below = os.open(part, _FOLDER | _HERE, dir_fd=folder)
    os.close(folder)
    return below


def _pending_in(folder: int, last: str, name: str, mode: str) -> PendingBytes | PendingText:
    """Give a new file that takes its place in `folder` on close."""
    temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"

    def commit(number: int) -> None:
        with _translated(name):
            os.fsync(number)
            os.replace(temporary, last, src_dir_fd=kept, dst_dir_fd=kept)
            os.fsync(kept)
            os.close(kept)

    def discard() -> None:
        with suppress(OSError):  # it is swept later
            os.unlink(temporary, dir_fd=kept)
        os.close(kept)

    number = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _HERE, 0o666, dir_fd=folder)
    kept = os.dup(folder)
    return pending_file(number, mode, Pending(commit, discard))


def _old_mode(folder: int, last: str) -> int | None:
    """Give the permissions of the file to be replaced, which the new one keeps; `None` if there is none."""
    try:
        return stat.S_IMODE(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def _copy(folder: int, last: str, number: int) -> None:
    source = os.open(last, os.O_RDONLY | os.O_NONBLOCK | _HERE, dir_fd=folder)
    with open(source, "rb") as old, open(number, "wb", closefd=False) as new:  # noqa: PTH123 - numbers have no path
        while block := old.read(1 << 20):
            new.write(block)


def _sweep(folder: int) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    for left in os.listdir(folder):
        if left.startswith(_TEMPORARY):
            try:
                if os.stat(left, dir_fd=folder).st_mtime < time.time() - ABANDONED_S:
                    os.unlink(left, dir_fd=folder)
            except FileNotFoundError:
                pass  # its writer, or another sweep, was faster


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn errors of the operating system into ours."""
    try:
        yield
    except PatternsError:
        raise
    except FileNotFoundError as error:
        raise missing_file(name) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise _no_file(name) from error
    except PermissionError as error:
        raise PermanentError(
            f"file {quote(name)} is denied: {error.strerror}",
            code="file-denied",
            hint="check the owner and the mode of the file and its folders",
        ) from error
    except OSError as error:
        raise TemporaryError(f"file {quote(name)} fails: {error.strerror}", code="file-storage") from error


def _no_file(name: str) -> PermanentError:
    return PermanentError(f"{quote(name)} is no regular file, or a folder of it is a file", code="file-kind")
