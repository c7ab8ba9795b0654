"""What the system says of a process: whether it lives, is a Postgres, and which data it serves.

A number in a pid file proves nothing: it may be that of a dead child nobody has waited for, or in use again.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from patterns_os.errors import InternalError

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `postmaster.pid` claims; all `None` where there is no such file."""

    pid: int | None = None
    socket_folder: Path | None = None
    is_ready: bool = False


def read_pid_file(data: Path) -> PidFile:
    """Read the pid file of the data, which may be unfinished, or left by the dead."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="surrogateescape").split("\n")
    except OSError:
        return PidFile()
    pid, _, _, _, socket_folder, _, _, status = (lines + [""] * 8)[:8]
    return PidFile(
        pid=int(pid) if pid.isdecimal() else None,
        socket_folder=Path(socket_folder) if socket_folder else None,
        is_ready=status.strip() == "ready",
    )


def postmaster(data: Path) -> int | None:
    """Give the process that serves the data as its pid file says, if that is true."""
    pid = read_pid_file(data).pid
    return pid if pid and is_postgres(pid) and _serves(pid, data) else None


def is_postgres(pid: int) -> bool:
    """Tell whether the process lives (a zombie does not) and is a Postgres."""
    if _has_proc():
        try:
            name, state = (_PROC / str(pid) / "stat").read_text(errors="replace").rsplit(")", 1)
        except OSError:
            return False
        return name.partition("(")[2].startswith("postgres") and state.split()[0] not in ("Z", "X")
    state, command = (*_ask(pid, "stat=,command=").split(None, 1), "", "")[:2]
    return "postgres" in command and not state.startswith("Z")


def _serves(pid: int, data: Path) -> bool:
    try:
        return (_PROC / str(pid) / "cwd").samefile(data)
    except OSError:  # there is no `/proc`, or it does not tell us
        return str(data) in _arguments(pid)


def _arguments(pid: int) -> str:
    if _has_proc():
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return ""
    return _ask(pid, "command=")


def _has_proc() -> bool:
    return sys.platform == "linux"


def _ask(pid: int, columns: str) -> str:
    """Ask `ps`, where there is no `/proc`."""
    try:
        return subprocess.run(  # noqa: S603 - two numbers and a fixed word
            ["/bin/ps", "-ww", "-o", columns, "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError as error:
        raise InternalError("the program ps is not found", code="no-ps") from error
