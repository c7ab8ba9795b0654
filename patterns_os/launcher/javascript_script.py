"""Running one JavaScript or TypeScript script: in a Node.js process of its own, which asks us as lines of JSON.

The host of the run (`patterns.host.Host`) answers, so that a script in JavaScript has the same calls, and what it
writes the same commits, as one in Python. `docs/protocol.md` is the reference of the lines.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from patterns.errors import PatternsError
from patterns_os.launcher.node_js import HINT, find_node, is_new_enough, node_version
from patterns_os.rows.tagging import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from patterns.host import Host, StreamHost

_MAIN = Path(__file__).parent / "javascript" / "main.mjs"
_LEAVE_S = 5.0
_EXACT = 2**53 - 1


class JavaScriptCode:
    """A script that is ready to run: a process that waits for it, made ahead of each run.

    Args:
        folder: The app's folder.
        file: The script, relative to it.
        sources: The text of the script and of the app's modules that it imports, by path.
    """

    def __init__(self, folder: Path, file: str, sources: Mapping[str, str]) -> None:
        self._folder = folder
        self._file = file
        self._sources = sources
        self._next: _Process | None = None

    def execute(self, host: Host) -> None:
        """Run the script to its end; whatever it fails with is raised."""
        process = self._next or _Process()
        self._next = None
        try:
            _Conversation(process, host).serve(
                {"folder": str(self._folder), "script": self._file, "sources": self._sources}
            )
        finally:
            process.close()
        # The next run finds a process that has started already.
        self._next = _Process()


class ScriptFailedError(PatternsError):
    """An error of a script in JavaScript.

    Attributes:
        trace: What to print.
        where: `file:line` of the author's, or `None`.
    """

    def __init__(self, failed: Mapping[str, Any]) -> None:
        super().__init__(
            failed["message"],
            code=failed["code"],
            hint=failed.get("hint"),
            family=failed.get("family") or "node",
        )
        self.trace = failed["trace"]
        self.where = failed["where"]


class _Process:
    """A Node.js process that has started and waits to be told its script."""

    def __init__(self) -> None:
        program = find_node()
        if program is None:
            raise _not_able("Node.js is not installed, and scripts in JavaScript and TypeScript run in it")
        self.program = program
        self.socket, theirs = socket.socketpair()
        self._life, their_life = socket.socketpair()
        self.lines = cast("IO[bytes]", self.socket.makefile("rb"))
        descriptors = (theirs.fileno(), their_life.fileno())
        command = [program, "--disable-warning=ExperimentalWarning", str(_MAIN), *map(str, descriptors)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - running the author's script is the purpose
                command, pass_fds=descriptors, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise _not_able(f"Node.js cannot be started: {error}") from error
        finally:
            theirs.close()
            their_life.close()

    def close(self) -> int:
        """Let the process end, or end it; give its exit code."""
        try:
            code = self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self.lines.close()
        self.socket.close()
        self._life.close()
        return code


class _Conversation:
    """Answers the questions of one script, one after the other."""

    def __init__(self, process: _Process, host: Host) -> None:
        self._process = process
        self._host = host
        self._streams: list[tuple[StreamHost, Iterator[dict[str, Any]]]] = []
        self._readings: list[Iterator[list[dict[str, Any]]]] = []
        self._errors: list[Exception] = []

    def serve(self, run: Mapping[str, Any]) -> None:
        """Tell the process what to run, and answer until the script has ended."""
        try:
            self._greet(self._receive())
            self._send(dict(run))
            self._answer_until(set())
        except _Over as over:
            if over.error is not None:
                raise over.error from None

    def _greet(self, hello: Mapping[str, Any]) -> None:
        if not hello["able"] or not is_new_enough(hello["version"].removeprefix("v")):
            version, program = hello["version"].removeprefix("v"), self._process.program
            raise _not_able(f"Node.js 22.18 or newer is needed, {program} is {version}")

    def _answer_until(self, ends: set[str]) -> dict[str, Any]:
        """Answer until one of these calls comes, and give it."""
        while True:
            message = self._receive()
            call = message["call"]
            if call in {"end", "failed"}:
                raise _Over(self._failed(message) if call == "failed" else None)
            if call in ends:
                return message
            try:
                value = getattr(self, f"_on_{call}")(message)
                answer = orjson.dumps({"value": to_json(value)}, option=orjson.OPT_STRICT_INTEGER)
            except orjson.JSONEncodeError:
                # Whole numbers beyond 53 bits: JavaScript reads them only by their tag.
                answer = orjson.dumps({"value": _exactly(to_json(value))})
            except Exception as error:  # noqa: BLE001 - whatever the host raises is raised in the script
                answer = orjson.dumps({"error": self._told(error)}, default=str)
            self._write(answer)

    # -- calls, as `Host` has them

    def _on_table_opened(self, given: dict[str, Any]) -> None:
        self._host.table_opened(
            given["table"], given["mode"], schema=given["schema"], required=given["required"]
        )

    def _on_is_connected(self, given: dict[str, Any]) -> bool:
        return self._host.is_connected(given["table"])

    def _on_sql_name(self, given: dict[str, Any]) -> str:
        return self._host.sql_name(given["table"])

    def _on_columns(self, given: dict[str, Any]) -> dict[str, str]:
        return self._host.columns(given["table"])

    def _on_count(self, given: dict[str, Any]) -> int:
        return self._host.count(given["table"])

    def _on_read(self, given: dict[str, Any]) -> int:
        self._readings.append(iter(self._host.read(given["table"], None)))
        return len(self._readings) - 1

    def _on_rows(self, given: dict[str, Any]) -> list[dict[str, Any]] | None:
        rows = next(self._readings[given["reading"]], None)
        return None if rows is None else [dict(row) for row in rows]

    def _on_read_sql(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        parts = self._host.read_sql(given["statement"], from_json(given["parameters"]) or None, None)
        return [dict(row) for part in parts for row in part]

    def _on_stream(self, given: dict[str, Any]) -> int:
        starting = from_json(given["starting_value"])
        place = self._host.stream(given["table"], given["stream"], given["order_by"], starting)
        self._streams.append((place, iter(place)))
        return len(self._streams) - 1

    def _on_next(self, given: dict[str, Any]) -> dict[str, Any] | None:
        number = given["stream"]
        place, records = self._streams[number]
        row = next(records, None)
        if row is None:
            # After a rewind there may be more: the next loop begins anew.
            self._streams[number] = (place, iter(place))
            return None
        return dict(row)

    def _on_batch(self, given: dict[str, Any]) -> list[dict[str, Any]] | None:
        place, _ = self._streams[given["stream"]]
        rows = next(place.batches(given["size"]), None)
        return None if rows is None else [dict(row) for row in rows]

    def _on_checkpoint(self, given: dict[str, Any]) -> None:
        self._streams[given["stream"]][0].checkpoint()

    def _on_rollback(self, given: dict[str, Any]) -> None:
        self._streams[given["stream"]][0].rollback()

    def _on_rewind(self, given: dict[str, Any]) -> None:
        self._streams[given["stream"]][0].rewind()

    def _on_seek(self, given: dict[str, Any]) -> None:
        self._streams[given["stream"]][0].seek(from_json(given["value"]))

    def _on_write(self, given: dict[str, Any]) -> None:
        rows = [{key: from_json(value) for key, value in row.items()} for row in given["rows"]]
        self._host.write(given["table"], given["kind"], rows)

    def _on_empty(self, given: dict[str, Any]) -> None:
        self._host.empty(given["table"], drop=given["drop"])

    def _on_flush(self, given: dict[str, Any]) -> None:
        self._host.flush(given["table"])

    def _on_init(self, given: dict[str, Any]) -> None:
        self._host.init(given["table"], given["schema"] or {}, given["unique_on"])

    def _on_state(self, _: dict[str, Any]) -> dict[str, Any]:
        return dict(self._host.state())

    def _on_set_state(self, given: dict[str, Any]) -> None:
        self._host.set_state(given["key"], from_json(given["value"]))

    def _on_reset_state(self, _: dict[str, Any]) -> None:
        self._host.reset_state()

    def _on_should_continue(self, _: dict[str, Any]) -> bool:
        return self._host.should_continue()

    def _on_request_new_run(self, given: dict[str, Any]) -> None:
        self._host.request_new_run(given["delay_s"])

    def _on_parameter(self, given: dict[str, Any]) -> list[Any]:
        return list(self._host.parameter(given["name"]))

    def _on_secret(self, given: dict[str, Any]) -> str | None:
        return self._host.secret(given["name"])

    def _on_complete(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._host.complete(given["model"], given["request"])

    def _on_read_file(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - text or bytes, by mode
        with self._host.open_file(given["file"], given["mode"]) as opened:
            return opened.read()

    def _on_write_file(self, given: dict[str, Any]) -> None:
        with self._host.open_file(given["file"], given["mode"]) as opened:
            opened.write(from_json(given["data"]))

    def _on_file_exists(self, given: dict[str, Any]) -> bool:
        return self._host.file_exists(given["file"])

    def _on_delete_file(self, given: dict[str, Any]) -> None:
        self._host.delete_file(given["file"])

    def _on_once(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """Let the script perform the effect: what it asks meanwhile is answered from here."""
        performed = False

        def perform() -> Any:  # noqa: ANN401 - any JSON value
            nonlocal performed
            performed = True
            self._send({"value": {"done": False}})
            answer = self._answer_until({"once_done", "once_failed"})
            if answer["call"] == "once_failed":
                raise _EffectFailedError
            return from_json(answer["result"])

        try:
            result = self._host.once(given["key"], perform)
        except _EffectFailedError:
            return None
        return None if performed else {"done": True, "result": result}

    # -- errors

    def _told(self, error: Exception) -> dict[str, Any]:
        self._errors.append(error)
        kind = type(error).__name__
        ours = error if isinstance(error, PatternsError) else PatternsError(f"{kind}: {error}")
        return {
            "number": len(self._errors) - 1,
            "kind": kind,
            "message": ours.message,
            "code": ours.code,
            "hint": ours.hint,
            "family": ours.family,
        }

    def _failed(self, message: Mapping[str, Any]) -> Exception:
        """Give what the script failed with: the host's own error where the script let it pass."""
        number = message["number"]
        if number is None:
            return ScriptFailedError(message)
        error: Exception = self._errors[number]
        # For people: where the script asked.
        vars(error).update(trace=message["trace"], where=message["where"])
        return error

    # -- lines

    def _send(self, message: dict[str, Any]) -> None:
        self._write(orjson.dumps(message))

    def _write(self, line: bytes) -> None:
        # A process that is gone is noticed where its next question would be.
        with suppress(OSError):
            self._process.socket.sendall(line + b"\n")

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._process.lines.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise _Over(self._death())
        message: dict[str, Any] = orjson.loads(line)
        return message

    def _death(self) -> Exception:
        code = self._process.close()
        if code < 0:
            # A signal is the machinery's doing: whoever watches this process tells it from the author's.
            os.kill(os.getpid(), signal.SIGKILL)
        version = node_version(self._process.program)
        if version is None or not is_new_enough(version):
            found = f"{self._process.program} is {version}" if version else "what was found is none"
            return _not_able(f"Node.js 22.18 or newer is needed, {found}")
        message = f"the script ended its process with exit code {code}"
        return ScriptFailedError(
            {"message": message, "code": "process-exited", "trace": [message], "where": None}
        )


class _Over(BaseException):
    """The script has ended, whatever it was in the middle of."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.error = error


class _EffectFailedError(Exception):
    """The effect of a `once` failed in the script, which knows its error."""


def _exactly(value: Any) -> Any:  # noqa: ANN401 - tagged JSON data
    if type(value) is int and abs(value) > _EXACT:
        return {"$int": str(value)}
    if type(value) is dict:
        return {key: _exactly(item) for key, item in value.items()}
    return [_exactly(item) for item in value] if type(value) is list else value


def _not_able(message: str) -> PatternsError:
    error = PatternsError(message, code="node-js-missing", hint=HINT, family="permanent")
    # Nothing of the author's is on the way to it.
    vars(error).update(trace=[])
    return error
