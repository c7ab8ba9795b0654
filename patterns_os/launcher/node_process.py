"""A node process: executes the runs of one node, one at a time, in a fresh `__main__` each.

Started as `python -m patterns_os.launcher.node_process SOCKET PAGE`. Third-party imports stay between runs; the
app's own modules, the environment, working folder, arguments, streams, signal handlers and logging are put back.
The process dies with its supervisor.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import select
import signal
import socket
import sys
import sysconfig
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from patterns_os.launcher.assignment import AssignedNode
from patterns_os.launcher.modules import VersionedModules
from patterns_os.launcher.progress import Progress
from patterns_os.launcher.script import Lines, described, execute, prepare
from patterns_os.launcher.services import Services
from patterns_os.launcher.session import Session
from patterns_os.launcher.wire import frame, receive
from patterns_os.ports.claims import Claim, ClaimedInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType

    from patterns_os.launcher.javascript_script import JavaScriptCode
    from patterns_os.rows.casting import RowCaster

_RUNS_PER_PROCESS = 10_000
_GROWTH_BYTES = 512 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


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
        self._node = AssignedNode.read(message["node"])
        self._folder = Path(message["folder"])
        self._services = Services(self._folder, message["models"], message["secrets"])
        os.environ.clear()
        os.environ.update(message["environment"])
        os.chdir(self._folder)
        sys.path.insert(_after_standard_library(), str((self._folder / self._node.file).parent))
        modules = {path: text.encode("latin-1") for path, text in message.get("modules", {}).items()}
        VersionedModules(self._folder, modules).install()
        self._modules = modules
        self._code: CodeType | JavaScriptCode | None = None
        self._casters: dict[str, RowCaster] | None = None

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        """Execute one run; the answer says `done` or `failed`, and whether this process is used up."""
        claim = Claim(**{**given, "inputs": tuple(ClaimedInput(**part) for part in given["inputs"])})
        self._progress.begin()
        self._runs += 1
        threads = set(threading.enumerate())
        answer: dict[str, Any]
        session: Session | None = None
        lines = Lines(self.send, claim.run)
        try:
            session = Session(
                claim,
                self._node,
                connection=self._connected(),
                progress=self._progress,
                relations=self._relations,
                services=self._services,
                schema=self._assigned["schema"],
                casters=self._casters_of_tables(),
            )
            if self._code is None:
                source = self._assigned["script"].encode("latin-1")
                self._code = prepare(self._folder, self._node.file, source, self._modules)
            execute(self._code, self._folder, session, self._services, lines)
            done = session.finish()
            answer = {
                "type": "done",
                "tables": done["tables"],
                "rows_in": session.rows_in,
                "rows_out": session.rows_out,
            }
        except BaseException as error:  # noqa: BLE001 - whatever a script raises is reported, never fatal here
            answer = {"type": "failed", **described(error, self._folder, lines.write)}
            self._disconnect_if_broken()
        finally:
            if session is not None:
                session.abandon()
        lines.close()
        return {**answer, "run": claim.run, "retire": self._leftovers(threads)}

    def _casters_of_tables(self) -> dict[str, RowCaster]:
        """Give what casts the rows of the node's tables, made once."""
        if self._casters is None:
            self._casters = compiled_casters(self._assigned["schemas"])
        return self._casters

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

    def _disconnect_if_broken(self) -> None:
        """Let go of a connection that is closed or stands inside a transaction."""
        database = self._database
        if database is not None and (database.closed or database.info.transaction_status != 0):
            with suppress(psycopg.Error):
                database.close()
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


def compiled_casters(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, RowCaster]:
    """Give what casts rows, by table, from the schemas of the plan."""
    if not schemas:
        return {}
    from patterns_os.rows.casting import compile_casts  # noqa: PLC0415 - only for tables with a schema
    from patterns_os.rows.schema import schema_from_data  # noqa: PLC0415 - the same

    return {table: compile_casts(schema_from_data(schema)) for table, schema in schemas.items()}


def _after_standard_library() -> int:
    """Give the place in `sys.path` for an app's folder: its `copy.py` is no substitute for Python's own."""
    own = sysconfig.get_path("stdlib")
    places = [i for i, path in enumerate(sys.path) if path.startswith(own) and "site-packages" not in path]
    return max(places, default=-1) + 1


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
    # Rows are many small dicts that live for a moment: looking through them for cycles at every 700th costs a
    # quarter of a fast node's time. What was imported so far is never looked at again.
    gc.set_threshold(50_000, 10, 10)
    gc.freeze()
    NodeProcess(connection, progress).serve()


if __name__ == "__main__":
    main()
