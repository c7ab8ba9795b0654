"""Who the embedded Postgres runs as: the caller, or, for root, somebody whom Postgres accepts.

Root runs it in a user namespace, where it is nobody special inside and still root for the files outside:
nothing changes its owner, no folder is opened. Where namespaces are forbidden, or the app lies in a folder
closed to a root without powers, another user runs it: the owner of the app folder, else `postgres`, else
`nobody`. A data folder that already belongs to somebody is served by its owner.
"""

import errno
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from patterns_os.adapters.postgres import server_spawn
from patterns_os.adapters.postgres.server_binaries import COPIES, readable_copy
from patterns_os.errors import PermanentError

_SPARE_USERS = ("postgres", "nobody")
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who can run the server; `uid` owns its files as seen from outside."""

    kind: Literal["same", "namespace", "user"]
    uid: int
    gid: int


class IdentityRefusedError(Exception):
    """This identity cannot be taken here, or cannot reach the folder: try the next."""


def identities(state_folder: Path, data: Path) -> Iterator[Identity]:
    """Give who may run the server on this data, the best first.

    Raises:
        PermanentError: The data belongs to another user, and we are not root (`database-owner`).
    """
    me, owner = os.geteuid(), data.stat().st_uid if data.exists() else os.geteuid()
    if me not in {0, owner}:
        raise PermanentError(
            f'the database in "{data}" belongs to the user "{_name(owner)}"',
            code="database-owner",
            hint=f"run patterns as {_name(owner)}",
        )
    if me != 0:
        yield Identity("same", me, os.getegid())
    elif owner != 0:
        yield _user(owner)
    else:
        yield Identity("namespace", 0, os.getegid())
        yield from _spare_users(state_folder)


def launch(
    identity: Identity,
    program: Path,
    arguments: Sequence[str],
    *,
    reach: Sequence[Path],
    keep: int,
    text: str = "",
    detached_output: int | None = None,
) -> str:
    """Run the program as this identity, in a session of its own, so that Ctrl-C in the terminal ends nothing.

    Args:
        identity: Who runs it.
        program: The program's file.
        arguments: Its arguments.
        reach: Folders that it must be able to write to.
        keep: A file descriptor that the program and its children hold open.
        text: What it reads on its standard input.
        detached_output: A file descriptor for what it prints; where given, the program goes on alone.

    Returns:
        What it printed; nothing where it was detached.

    Raises:
        IdentityRefusedError: This identity can't do it.
        ProgramFailedError: The program ended with an error.
    """
    order = {
        "identity": asdict(identity),
        "argv": [str(program), *arguments],
        "reach": [str(folder) for folder in reach],
        "detach": detached_output is not None,
    }
    done = subprocess.run(  # noqa: S603 - our own script and the program that was found
        [sys.executable, "-I", "-S", server_spawn.__file__, json.dumps(order)],
        input=text.encode(),
        stdout=subprocess.PIPE if detached_output is None else detached_output,
        stderr=subprocess.STDOUT,
        env=_environment(),
        pass_fds=(keep,),
        start_new_session=True,
        check=False,
    )
    if done.returncode == server_spawn.PROGRAM_UNREADABLE and os.geteuid() == 0:
        return launch(
            identity,
            _readable(program),
            arguments,
            reach=reach,
            keep=keep,
            text=text,
            detached_output=detached_output,
        )
    printed = (done.stdout or b"").decode(errors="replace")
    if done.returncode in (server_spawn.IDENTITY_REFUSED, server_spawn.FOLDER_UNREACHABLE):
        raise IdentityRefusedError(printed)
    if done.returncode != 0:
        raise ProgramFailedError(printed)
    return printed


class ProgramFailedError(Exception):
    """A program of Postgres ended with an error; the text is what it printed."""


def prepare_folder(identity: Identity, state_folder: Path) -> None:
    """Let another user pass through our own folder, not look into it."""
    if identity.uid != state_folder.stat().st_uid:
        state_folder.chmod(state_folder.stat().st_mode | 0o011)


def give(identity: Identity, *paths: Path) -> None:
    """Make the paths, with all that is in them, files of this identity."""
    if identity.uid == os.geteuid():
        return
    for path in paths:
        os.chown(path, identity.uid, identity.gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(Path(folder, name), identity.uid, identity.gid, follow_symlinks=False)


def unreachable(folder: Path) -> OSError:
    """Give the error for a folder that none of the identities can write to."""
    return OSError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _readable(program: Path) -> Path:
    if program.is_relative_to(COPIES):
        raise IdentityRefusedError(str(program))
    return readable_copy(program.parent) / program.name


def _spare_users(state_folder: Path) -> Iterator[Identity]:
    owner = state_folder.parent.stat().st_uid
    if owner != 0:
        yield _user(owner)
    for name in _SPARE_USERS:
        try:
            yield _user(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue


def _user(uid: int) -> Identity:
    try:
        return Identity("user", uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return Identity("user", uid, uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _environment() -> dict[str, str]:
    """Give an environment without the variables that would change what Postgres does."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C"}
