"""The folder of the server's socket: short enough for a socket, and closed to everybody else."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from patterns_os.adapters.postgres.server_identity import Identity, give
from patterns_os.adapters.postgres.server_process import is_postgres
from patterns_os.errors import PermanentError

SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_PATH = 100  # a socket's path ends at 103 bytes on macOS, at 107 on Linux


def make_socket_folder(data: Path, identity: Identity) -> Path:
    """Make and check the folder for the server of this data, and remove what a dead server left in it.

    Raises:
        PermanentError: It, or the folder above, is not the server's alone (`socket-folder`).
    """
    base = _base(identity)
    _make(base, identity)
    for name in _names(data):
        folder = base / name
        _make(folder, identity)
        if not _is_taken(folder):
            break
    for left in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (folder / left).unlink(missing_ok=True)
    return folder


def check_socket_folder(folder: Path, owner: int) -> None:
    """Refuse a folder that others could have put a socket into.

    Raises:
        PermanentError: It is a link, another user's, or open to others (`socket-folder`).
    """
    found = folder.lstat()
    wrong = (
        "is not a folder"
        if not stat.S_ISDIR(found.st_mode)
        else "belongs to another user"
        if found.st_uid != owner
        else "is open to other users"
        if found.st_mode & 0o077
        else None
    )
    if wrong is not None:
        raise PermanentError(
            f'the folder "{folder}" of the database\'s socket {wrong}',
            code="socket-folder",
            hint="see who made it, and remove it",
        )


def remove_socket_folder(folder: Path | None) -> None:
    """Tidy up after a server that has ended; what it has left there is kept."""
    if folder is not None:
        with suppress(OSError):
            folder.rmdir()


def _base(identity: Identity) -> Path:
    """Give the user's run-time folder where there is a good one, else one of ours in `/tmp`."""
    given = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    if identity.kind != "user" and _is_private(given, identity.uid):
        base = given / "patterns"
        if len(os.fsencode(base / "12345678" / SOCKET_NAME)) < LONGEST_PATH:
            return base
    return Path(f"/tmp/patterns-{identity.uid}")  # noqa: S108 - its owner and mode are checked before use


def _is_private(folder: Path, owner: int) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    return (
        folder.is_absolute()
        and stat.S_ISDIR(found.st_mode)
        and found.st_uid == owner
        and not found.st_mode & 0o077
    )


def _make(folder: Path, identity: Identity) -> None:
    try:
        folder.mkdir(mode=0o700)
        give(identity, folder)
    except FileExistsError:
        pass
    check_socket_folder(folder, identity.uid)


def _names(data: Path) -> Iterator[str]:
    for attempt in count():
        suffix = f"#{attempt}" if attempt else ""
        yield hashlib.sha256(os.fsencode(data) + suffix.encode()).hexdigest()[:8]


def _is_taken(folder: Path) -> bool:
    """Tell whether a living server uses the folder: one whose app was moved or deleted, as ours is dead.

    Its socket must stay: a server removes the file of that name when it ends, whoever has made it.
    """
    try:
        pid = int((folder / f"{SOCKET_NAME}.lock").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return False
    return is_postgres(pid)
