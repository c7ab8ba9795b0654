"""A node process: executes the runs of one node, one at a time, in a fresh `__main__` each.

Started as `python -m patterns_os.launcher.node_process SOCKET PAGE`. Third-party imports stay between runs; the
app's own modules, the environment, working folder, arguments, streams, signal handlers and logging are put back.
The process dies with its supervisor.
"""

from __future__ import annotations

import ctypes
import gc
import io
import logging
import os
import resource
import select
import signal
import socket
import sys
import threading
import traceback
import types
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from patterns import host
from patterns_os.launcher.progress import Progress
from patterns_os.launcher.services import Services
from patterns_os.launcher.session import Session
from patterns_os.launcher.wire import frame, receive
from patterns_os.plan.spec import PlannedModel, PlannedNode
from patterns_os.ports.claims import Claim, ClaimedInput

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS_PER_PROCESS = 10_000
_GROWTH_BYTES = 512 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LONGEST_LINE = 16_384


class NodeProcess:
    """The process's side of the conversation with its supervisor."""

    def __init__(self, connection: socket.socket, progress: Progress) -> None:
        self._socket = connection
        self._progress = progress
        self._sending = threading.Lock()
        self._database: psycopg.Connection[Any] | None = None
        self._relations: dict[int, str] = {}
        self._runs = 0
        self._memory = _memory_bytes()
        self._assigned: dict[str, Any] = {}

    def serve(self) -> None:
        """Answer the supervisor until it goes."""
        _die_with(self._socket)
        while (message := receive(self._socket)) is not None:
            if message["type"] == "assign":
                self._assign(message)
            elif message["type"] == "run":
                self.send(self._run(message["claim"]))

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; lines that are printed come from several threads."""
        with self._sending:
            self._socket.sendall(frame(message))

    def _assign(self, message: dict[str, Any]) -> None:
        self._assigned = message
        self._node = PlannedNode.model_validate(message["node"])
        self._folder = Path(message["folder"])
        self._services = Services(
            self._folder, [PlannedModel.model_validate(model) for model in message["models"]], message["secrets"]
        )
        os.environ.clear()
        os.environ.update(message["environment"])
        os.chdir(self._folder)
        sys.path.insert(0, str((self._folder / self._node.file).parent))
        self._code: types.CodeType | None = None

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        """Execute one run; the answer says `done` or `failed`, and whether this process is used up."""
        claim = Claim(**{**given, "inputs": tuple(ClaimedInput(**part) for part in given["inputs"])})
        self._progress.begin()
        self._runs += 1
        threads = set(threading.enumerate())
        answer: dict[str, Any]
        session: Session | None = None
        lines = _Lines(self.send, claim.run)
        try:
            session = Session(
                claim, self._node, self._connected(), self._progress, self._relations, self._services,
                self._assigned["schema"],
            )  # fmt: skip
            self._execute(session, lines)
            done = session.finish()
            answer = {"type": "done", "tables": done["tables"], "rows_in": session.rows_in, "rows_out": session.rows_out}
        except BaseException as error:  # noqa: BLE001 - whatever a script raises is reported, never fatal here
            answer = {"type": "failed", **_described(error, self._folder, lines.write)}
            if isinstance(error, psycopg.Error):
                self._disconnect()
        finally:
            if session is not None:
                session.abandon()
        lines.close()
        return {**answer, "run": claim.run, "retire": self._leftovers(threads)}

    def _execute(self, session: Session, lines: _Lines) -> None:
        """Run the script as `__main__`, then put everything back."""
        before = _Surroundings.remember()
        if self._code is None:
            path = self._folder / self._node.file
            self._code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        main = types.ModuleType("__main__")
        main.__file__ = str(self._folder / self._node.file)
        main.__builtins__ = __builtins__  # type: ignore[attr-defined] # what the interpreter does for scripts
        sys.modules["__main__"] = main
        sys.argv = [main.__file__]
        sys.stdout, sys.stderr = lines.stream("stdout"), lines.stream("stderr")
        with ExitStack() as put_back:
            put_back.callback(before.restore, self._folder)
            put_back.enter_context(host.use(session))
            self._services.install(session)
            try:
                exec(self._code, main.__dict__)  # noqa: S102 - running the author's script is the purpose
            except SystemExit as end:
                if end.code not in (None, 0):
                    raise

    def _connected(self) -> psycopg.Connection[Any]:
        if self._database is None or self._database.closed:
            set_json_loads(orjson.loads)
            set_json_dumps(orjson.dumps)
            self._database = psycopg.connect(
                self._assigned["conninfo"],
                autocommit=True,
                connect_timeout=10,
                application_name=f"patterns {self._node.name}"[:60],
                options=f'-c search_path="{self._assigned["schema"]}" -c timezone=UTC -c jit=off',
            )
        return self._database

    def _disconnect(self) -> None:
        if self._database is not None:
            with suppress(psycopg.Error):
                self._database.close()
            self._database = None

    def _leftovers(self, threads: set[threading.Thread]) -> str | None:
        """Say why this process must not serve another run, or `None`."""
        left = [thread for thread in threading.enumerate() if thread not in threads and thread.is_alive()]
        if left:
            return f"thread {left[0].name} is still running"
        if self._runs >= _RUNS_PER_PROCESS:
            return "it has served its number of runs"
        grown = _memory_bytes() - self._memory
        if grown > _GROWTH_BYTES:
            return f"it grew by {grown // 1_048_576} MB"
        return "isolation is per run" if self._node.isolation == "run" else None


class _Lines:
    """What a script prints, as lines with their run, sent in the order they were printed.

    Threads print too: the process sends one message at a time.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], run: int) -> None:
        self._send = send
        self._run = run
        self._streams: list[_Stream] = []

    def stream(self, name: str) -> io.TextIOBase:
        """Give a text stream for `sys.stdout` or `sys.stderr`."""
        made = _Stream(lambda line: self.write(name, line))
        self._streams.append(made)
        return made

    def write(self, stream: str, line: str) -> None:
        """Send one line."""
        with suppress(OSError):
            self._send({"type": "log", "run": self._run, "stream": stream, "line": line[:_LONGEST_LINE]})

    def close(self) -> None:
        """Send what has no line end."""
        for stream in self._streams:
            stream.end()


class _Stream(io.TextIOBase):
    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = ""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, *more = (self._rest + text).split("\n")
        while more:
            self._line(whole)
            whole, *more = more
        self._rest = whole
        return len(text)

    def end(self) -> None:
        if self._rest:
            self._line(self._rest)
            self._rest = ""


class _Surroundings:
    """What a script may change and the next run must not see."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = str(Path.cwd())
        self._path = list(sys.path)
        self._arguments = list(sys.argv)
        self._main = sys.modules["__main__"]
        self._streams = (sys.stdout, sys.stderr, sys.stdin)
        self._hooks = (sys.excepthook, sys.displayhook, threading.excepthook)
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        root = logging.getLogger()
        self._logging = (list(root.handlers), root.level)

    @classmethod
    def remember(cls) -> _Surroundings:
        return cls()

    def restore(self, app: Path) -> None:
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(self._folder)
        sys.path[:] = self._path
        sys.argv = self._arguments
        sys.modules["__main__"] = self._main
        sys.stdout, sys.stderr, sys.stdin = self._streams
        sys.excepthook, sys.displayhook, threading.excepthook = self._hooks
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        root = logging.getLogger()
        root.handlers[:], root.level = self._logging
        for name in [name for name, module in sys.modules.items() if _belongs_to(module, app)]:
            del sys.modules[name]


def _belongs_to(module: Any, app: Path) -> bool:  # noqa: ANN401 - sys.modules holds anything
    """Tell whether a module is the app's own: those are imported anew in each run."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.startswith(str(app) + os.sep):
        return False
    parts = Path(path).relative_to(app).parts
    return "site-packages" not in parts and not parts[0].startswith(".")


def _described(error: BaseException, app: Path, log: Callable[[str, str], None]) -> dict[str, Any]:
    """Give an error as data, its trace-back (from the author's first frame on) to the log."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(app))]
    shown = frames[frames.index(own[0]) :] if own else []
    # frames of ours below the author's are noise
    while shown and "patterns_os" in Path(shown[-1].filename).parts:
        shown.pop()
    if not isinstance(error, psycopg.Error):
        text = "".join(
            ["Traceback (most recent call last):\n", *traceback.format_list(shown)] if shown else []
        ) + "".join(traceback.format_exception_only(error))
        for line in text.rstrip().split("\n"):
            log("stderr", line)
    place = own[-1] if own else None
    family, code = _family(error)
    return {
        "family": family,
        "code": code,
        "message": _message(error),
        "hint": getattr(error, "hint", None),
        "retry_after_s": getattr(error, "retry_after_s", None),
        "where": f"{Path(place.filename).relative_to(app)}:{place.lineno}" if place else None,
    }


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the script called sys.exit({error.code!r})"
    text = getattr(error, "message", None) if hasattr(error, "family") else None
    return str(text) if text else f"{type(error).__name__}: {error}".rstrip(": ")


def _family(error: BaseException) -> tuple[str, str]:
    """Say whose turn it is."""
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "")[:2] in {"", "08", "53", "57"}:
        return "infrastructure", "storage-unreachable"
    if isinstance(error, psycopg.Error):
        return ("stale", "stale-token") if error.sqlstate == "PT001" else ("node", "database")
    family = getattr(error, "family", None)
    if family in {"node", "temporary", "permanent"}:
        return family, getattr(error, "code", "node")
    return "node", "script-failed"


def _memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _die_with(connection: socket.socket) -> None:
    """End this process when its supervisor is gone, whatever the script does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        poller = select.poll()
        poller.register(connection, select.POLLHUP | select.POLLERR)
        while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poller.poll()):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="patterns-watch", daemon=True).start()


def main() -> None:
    """Serve the supervisor at the other end of the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    progress = Progress(int(sys.argv[2]))
    gc.freeze()
    NodeProcess(connection, progress).serve()


if __name__ == "__main__":
    main()
