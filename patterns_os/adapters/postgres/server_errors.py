"""What goes wrong with the embedded server's folder and programs, in our words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patterns_os.errors import PermanentError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL_TEXTS = ("No space left on device", "Check free disk space", "Disk quota exceeded")
_CLOSED_TEXTS = ("Permission denied", "Read-only file system", "Operation not permitted")

_END_MARKS = ("PANIC:", "FATAL:", "error:")
_TO_A_CLIENT = "terminating connection"


@contextmanager
def translated_folder_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the file system raised inside into errors of ours, the original as cause."""
    try:
        yield
    except OSError as error:
        raise _folder_error(error, folder) from error


def program_error(
    printed: str, what: str, folder: Path, *, code: str, hint: str | None = None
) -> PermanentError:
    """Give the error for a program of Postgres that ended: the folder's if it says so, else the named one."""
    if any(text in printed for text in _FULL_TEXTS):
        return _full(folder)
    if any(text in printed for text in _CLOSED_TEXTS):
        return _closed(folder)
    return PermanentError(f"{what}: {_reason(printed)}", code=code, hint=hint)


def _folder_error(error: OSError, folder: Path) -> PermanentError:
    if error.errno in _FULL:
        return _full(folder)
    if error.errno in _CLOSED:
        return _closed(folder)
    return PermanentError(f'can\'t use the folder "{folder}": {error.strerror}', code="database-folder")


def _full(folder: Path) -> PermanentError:
    return PermanentError(
        f'the disk of "{folder}" is full',
        code="disk-full",
        hint="free some space; nothing that was committed is lost",
    )


def _closed(folder: Path) -> PermanentError:
    return PermanentError(
        f'can\'t write to the folder "{folder}"',
        code="folder-read-only",
        hint="make it and all in it writable",
    )


def _reason(printed: str) -> str:
    """Give what the first line says that a program of Postgres marks as its end, else the last line."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    for line in lines:
        for mark in _END_MARKS:
            if mark in line and _TO_A_CLIENT not in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else "it says nothing"
