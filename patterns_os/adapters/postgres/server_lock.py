"""Locks on files of the state folder that end with the process that holds them, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patterns_os.errors import TemporaryError

_POLL_S = 0.005


class FileLock:
    """A lock on one file; a child that inherits the open file holds it too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, for a child to keep."""
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file

    @property
    def is_open(self) -> bool:
        """Whether this object has the file open, and so may hold the lock."""
        return self._file is not None

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock, or change its kind; gives `False` at once where another holds it."""
        try:
            fcntl.flock(self.descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go; a child that inherited the file still holds the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_held(path: Path) -> bool:
    """Tell whether anybody holds the lock alone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def alone(path: Path, *, wait_s: float, doing: str) -> Iterator[int]:
    """Hold the lock inside; wait for others, but not for ever.

    Args:
        path: The file.
        wait_s: How long to wait.
        doing: What the other one does meanwhile, for the error.

    Yields:
        The open file: a child that keeps it goes on holding the lock.

    Raises:
        TemporaryError: Another process held it all the time (`database-busy`).
    """
    lock = FileLock(path)
    give_up = time.monotonic() + wait_s
    try:
        while not lock.take():
            if time.monotonic() > give_up:
                raise TemporaryError(
                    f"another patterns process has been {doing} for more than {wait_s:.0f} s",
                    code="database-busy",
                    hint="look for a stopped patterns process, and end it",
                )
            time.sleep(_POLL_S)
        yield lock.descriptor
    finally:
        lock.close()
