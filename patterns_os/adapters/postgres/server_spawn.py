"""Becomes somebody who may run Postgres, then becomes Postgres.

Run as a script by `server_identity.launch`, alone: only the standard library. It is a process of its own
because Postgres refuses to run as root, because becoming somebody else cannot be undone, and because a fork
is safe here and nowhere in a program with threads.

The one argument is JSON: `identity` (`kind` "same", "namespace" or "user", with `uid` and `gid`), `argv`,
`reach` (folders it must be able to write to) and `detach` (leave the parent before turning into the program).
"""

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

IDENTITY_REFUSED = 71
PROGRAM_UNREADABLE = 72
FOLDER_UNREACHABLE = 73

_CLONE_NEWUSER = 0x10000000
_SEEN_INSIDE = 65534  # who root is inside the namespace: anybody but root


def main(order: dict[str, Any]) -> NoReturn:
    """Do as ordered, or exit with one of the statuses above."""
    os.umask(0o077)
    refusal = _refusal(order)
    if refusal is not None:
        sys.exit(refusal)
    if order["detach"] and os.fork() != 0:
        os._exit(0)
    if not order["detach"]:
        _own_the_input()
    os.execv(order["argv"][0], order["argv"])  # noqa: S606 - no shell is wanted


def _refusal(order: dict[str, Any]) -> int | None:
    """Become who is ordered; gives the exit status where that can't be, or doesn't help."""
    try:
        _become(order["identity"])
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - this is a program, read by its parent
        return IDENTITY_REFUSED
    if not os.access(order["argv"][0], os.R_OK | os.X_OK):
        return PROGRAM_UNREADABLE
    if not all(os.access(folder, os.R_OK | os.W_OK | os.X_OK) for folder in order["reach"]):
        return FOLDER_UNREACHABLE
    return None


def _become(identity: dict[str, Any]) -> None:
    if identity["kind"] == "namespace":
        _enter_namespace()
    elif identity["kind"] == "user":
        os.setgroups([])
        os.setgid(identity["gid"])
        os.setuid(identity["uid"])


def _enter_namespace() -> None:
    """Stay who we are for the files and sockets outside, and be nobody special inside."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)
    if unshare is None or unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_SEEN_INSIDE} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{_SEEN_INSIDE} {group} 1")


def _own_the_input() -> None:
    """Put the input into a pipe made by whom we are now: that of the parent could not be opened by name."""
    text = sys.stdin.buffer.read()
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    os.dup2(reading, 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
