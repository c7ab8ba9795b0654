"""Trying a node on given rows, in a process of its own, without a database.

The process is started as `python -m patterns_os.launcher.rehearsal SOCKET PAGE`, as node processes are, and
serves one run.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patterns_os.adapters.files.store import FileStore
from patterns_os.launcher.node_process import NodeProcess
from patterns_os.launcher.process import NodeProcessHandle
from patterns_os.launcher.progress import Progress
from patterns_os.launcher.rehearsal_host import RehearsalHost, RehearsalTable
from patterns_os.launcher.script import Lines, described, execute, prepare
from patterns_os.launcher.services import Services
from patterns_os.plan.spec import Plan, PlannedNode, PlannedTable
from patterns_os.rows.tagging import from_json, to_json
from patterns_os.runs.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WATCH_S = 0.25
_RUN = 1

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How it went.

    Attributes:
        error: What failed (`code`, `message`, `hint`, `where`, `record`), `None` if nothing did.
        rows_in: How many records the streams gave.
        outputs: Rows by table that count; after a failure those up to the last checkpoint.
        writes: How they were written, by table: `append`, `upsert`, `replace`, `reset`.
        state: The State at the end.
        files: Bytes of the files that were written, by name.
        again_s: After how many seconds the script asks for another run, `None` if it does not.
    """

    error: Mapping[str, Any] | None = None
    rows_in: int = 0
    outputs: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    writes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    again_s: float | None = None


async def rehearse(
    plan: Plan,
    node: PlannedNode,
    rows: Mapping[str, Sequence[Row]],
    *,
    folder: Path,
    environment: Mapping[str, str],
    secrets: Mapping[str, str],
    printed: Callable[[str, str], None],
) -> Rehearsal:
    """Run a Python node on rows; its tables, State and files stay as they are. Models are really asked.

    Args:
        plan: The app.
        node: What to run, with the parameters to use.
        rows: Rows by table; a table that is left out is empty.
        folder: The app's folder.
        environment: The script's environment, whole.
        secrets: Values by name; the script gets those that it declares.
        printed: Called for each printed line with `stdout` or `stderr`; secrets are masked.
    """
    mask = Masker(secrets)
    handle = await NodeProcessHandle.start("patterns_os.launcher.rehearsal")
    with tempfile.TemporaryDirectory(prefix="patterns-rehearsal-") as scratch:
        watch = asyncio.create_task(_kill_when_stuck(handle, node.timeout_s))
        try:
            await handle.assign(node.name, _assignment(plan, node, folder, environment, secrets))
            request = {"rows": to_json(dict(rows)), "tables": _tables(plan, node), "scratch": scratch}
            answer = await handle.run(_RUN, request, lambda _, stream, line: printed(stream, mask.mask(line)))
            if answer is None:
                answer = _death(await handle.ended(), node, is_stuck=watch.done())
        finally:
            watch.cancel()
            await handle.close()
        return _rehearsal(answer, mask, _sizes(Path(scratch)))


class RehearsalProcess(NodeProcess):
    """A node process whose run has a `RehearsalHost`."""

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        rows = from_json(given["rows"])
        lines = Lines(self.send, _RUN)
        self._progress.begin()
        tables: dict[str, RehearsalTable] = {}
        try:
            for number, (name, planned) in enumerate(sorted(given["tables"].items()), start=1):
                spec = PlannedTable.model_validate(planned)
                tables[name] = RehearsalTable(number, name, spec, rows.get(name, []))
        except Exception as error:  # noqa: BLE001 - the given rows are at fault; reported, never fatal here
            return {"type": "failed", **described(error, self._folder, lambda *_: None)}
        scratch = Services(Path(given["scratch"]), [], {})
        session = RehearsalHost(self._node, tables, self._services, scratch, self._progress)
        try:
            source = (self._folder / self._node.file).read_bytes()
            code = prepare(self._folder, self._node.file, source, {})
            execute(code, self._folder, session, self._services, lines)
            session.finish()
            answer: dict[str, Any] = {"type": "done"}
        except BaseException as error:  # noqa: BLE001 - whatever a script raises is reported, never fatal here
            answer = {
                "type": "failed",
                **described(error, self._folder, lines.write),
                "record": self._record(tables),
            }
        finally:
            session.abandon()
        lines.close()
        return {**answer, **_told(session)}

    def _record(self, tables: Mapping[str, RehearsalTable]) -> str | None:
        """Say which record is being worked on."""
        seen = self._progress.snapshot()
        name = next((name for name, table in tables.items() if table.number == seen.table), None)
        is_open = name is not None and seen.position and not seen.after_loop
        return f'row {seen.position} of table "{name}"' if is_open else None


def _told(session: RehearsalHost) -> dict[str, Any]:
    outputs = session.outputs()
    return {
        "rows_in": session.rows_in,
        "outputs": {table: [to_json(row) for row in writes.rows] for table, writes in outputs.items()},
        "writes": {table: writes.kinds for table, writes in outputs.items()},
        "state": to_json(session.kept_state()),
        "again": session.again,
    }


def _assignment(
    plan: Plan, node: PlannedNode, folder: Path, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> dict[str, Any]:
    needed = {*node.secrets, *(model.secret for model in plan.models if model.secret)}
    return {
        "node": node.model_dump(mode="json"),
        "folder": str(folder),
        "environment": dict(environment),
        "models": [model.model_dump(mode="json") for model in plan.models],
        "secrets": {name: value for name, value in secrets.items() if name in needed},
    }


def _tables(plan: Plan, node: PlannedNode) -> dict[str, Any]:
    used = {given.table for given in node.inputs} | {given.table for given in node.outputs}
    planned = {table.name: table for table in plan.tables}
    return {name: planned.get(name, PlannedTable(name=name)).model_dump(mode="json") for name in used}


async def _kill_when_stuck(handle: NodeProcessHandle, timeout_s: float) -> None:
    """Kill the process when no record boundary was reached for so long, then return."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < timeout_s:
        await asyncio.sleep(min(_WATCH_S, timeout_s / 4))
        boundaries = handle.progress.snapshot().boundaries
        # None is reached before the run has begun: a machine may be slow to start a process.
        if boundaries != last or not boundaries:
            last, since = boundaries, time.monotonic()
    handle.kill()


def _death(code: int, node: PlannedNode, *, is_stuck: bool) -> dict[str, Any]:
    if is_stuck:
        return {
            "code": "timeout",
            "message": f'node "{node.name}" did not reach a record boundary for {node.timeout_s:g} s '
            "and was killed",
            "hint": 'raise "timeout" of the script, or do less for each record',
        }
    if code >= 0:
        message = f"the script ended its process with exit code {code}"
        return {"code": "process-exited", "message": message}
    return {"code": "process-died", "message": f"the script's process died of {_signal(-code)}"}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _rehearsal(answer: Mapping[str, Any], mask: Masker, files: Mapping[str, int]) -> Rehearsal:
    error = None
    if answer.get("type") != "done":
        told = {key: answer.get(key) for key in ("code", "message", "hint", "where", "record")}
        error = {**told, "message": mask.mask(str(told["message"]))}
    return Rehearsal(
        error=error,
        rows_in=answer.get("rows_in", 0),
        outputs={
            table: [from_json(row) for row in rows] for table, rows in answer.get("outputs", {}).items()
        },
        writes=answer.get("writes", {}),
        state=from_json(answer.get("state", {})),
        files=files,
        again_s=answer.get("again"),
    )


def _sizes(scratch: Path) -> dict[str, int]:
    store = FileStore(scratch / ".patterns" / "files")
    return {name: len(store.read(name)) for name in store.list()}


def main() -> None:
    """Serve the command at the other end of the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    RehearsalProcess(socket.socket(fileno=int(sys.argv[1])), Progress(int(sys.argv[2]))).serve()


if __name__ == "__main__":
    main()
