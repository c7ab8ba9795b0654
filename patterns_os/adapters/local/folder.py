"""One owner a folder: a lock that dies with its holder, and a note that says who it is and where it listens."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patterns_os.errors import PermanentError, UsageError
from patterns_os.settings import state_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who runs the app now. `url` is where it listens, `None` if it does not."""

    pid: int
    command: str
    url: str | None = None


def make_state_folder(app: Path) -> Path:
    """Make the folder's `.patterns`, readable by its owner only, and give it.

    Raises:
        PermanentError: The folder can't be written (`folder-read-only`).
    """
    folder = state_folder(app)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise PermanentError(
            f'The folder "{app}" can\'t be written: {error.strerror or error}',
            code="folder-read-only",
            hint="run the app from a folder that you own, or change its permissions",
        ) from error
    return folder


@contextmanager
def own_folder(app: Path, command: str) -> Iterator[Path]:
    """Be the only one who runs the app; gives the file for the note.

    Raises:
        UsageError: Somebody else runs it (`already-running`).
    """
    folder = make_state_folder(app)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    note = folder / "holder.json"
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(holder(app)) from error
        write_note(app, Holder(pid=os.getpid(), command=command))
        yield note
    finally:
        os.close(descriptor)


def write_note(app: Path, holder_now: Holder) -> None:
    """Say who runs the app and where it listens."""
    note = state_folder(app) / "holder.json"
    draft = note.with_suffix(".tmp")
    draft.write_text(
        json.dumps({"pid": holder_now.pid, "command": holder_now.command, "url": holder_now.url}), "utf-8"
    )
    draft.replace(note)


def holder(app: Path) -> Holder | None:
    """Give who runs the app now, or `None`: a note that nobody holds the lock of is old."""
    folder = state_folder(app)
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return Holder(**json.loads((folder / "holder.json").read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Holder(pid=0, command="patterns")
    else:
        return None
    finally:
        os.close(descriptor)


def _taken(by: Holder | None) -> UsageError:
    who = f"`{by.command}` (process {by.pid})" if by else "Another command"
    where = f", it listens at {by.url}" if by and by.url else ""
    return UsageError(
        f"{who} runs this app already{where}",
        code="already-running",
        hint=f"stop it first: kill {by.pid}" if by and by.pid else None,
    )
