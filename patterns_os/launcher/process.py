"""A node process as its supervisor sees it: started, given runs, watched, killed."""

import asyncio
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from patterns_os.launcher.progress import Progress
from patterns_os.launcher.wire import frame, length_of

Log = Callable[[int | None, str, str], None]

_LAST_WORDS_S = 0.2


class NodeProcessHandle:
    """One node process. Made by `start`; `assign` binds it to a node for good."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        progress: Progress,
    ) -> None:
        self.progress = progress
        self.idle_since = time.monotonic()
        self.assigned: str | None = None
        self._process = process
        self._reader = reader
        self._writer = writer
        self._run: int | None = None
        self._log: Log | None = None
        self._raw = [
            asyncio.create_task(self._read_raw(stream, name))
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"))
            if stream is not None
        ]

    @classmethod
    async def start(cls, module: str = "patterns_os.launcher.node_process") -> "NodeProcessHandle":
        """Start a process that has imported the SDK and knows no app yet; `module` is what it runs."""
        ours, theirs = socket.socketpair()
        progress = Progress.create()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            module,
            str(theirs.fileno()),
            str(progress.descriptor),
            pass_fds=(theirs.fileno(), progress.descriptor),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            cwd=Path(sys.prefix),
        )
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer, progress)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def assign(self, key: str, assignment: Mapping[str, Any]) -> None:
        """Bind the process to a node; `key` names node and version."""
        self.assigned = key
        self._writer.write(frame({"type": "assign", **assignment}))

    async def run(self, run: int, claim: Mapping[str, Any], log: Log) -> dict[str, Any] | None:
        """Execute one run; give its answer, or `None` if the process died."""
        self._run, self._log = run, log
        try:
            self._writer.write(frame({"type": "run", "claim": claim}))
            while (message := await self._receive()) is not None:
                if message["type"] == "log":
                    log(message["run"], message["stream"], message["line"])
                else:
                    return message
        finally:
            self._run = None
            self.idle_since = time.monotonic()
        return None

    async def ended(self) -> int:
        """Wait for the process's end; give its exit code, negative for a signal."""
        return await self._process.wait()

    def kill(self) -> None:
        """Kill the process at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """Kill the process and give everything back."""
        self.kill()
        await self._process.wait()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        if self._raw:
            # What was printed last is still in the pipes; a child process that lives on may keep them open.
            await asyncio.wait(self._raw, timeout=_LAST_WORDS_S)
        for task in self._raw:
            task.cancel()
        await asyncio.gather(*self._raw, return_exceptions=True)
        self.progress.close()

    async def _receive(self) -> dict[str, Any] | None:
        try:
            head = await self._reader.readexactly(4)
            body = await self._reader.readexactly(length_of(head))
        except (asyncio.IncompleteReadError, OSError):
            return None
        message: dict[str, Any] = orjson.loads(body)
        return message

    async def _read_raw(self, stream: asyncio.StreamReader, name: str) -> None:
        """Pass on what is printed past Python: by libraries in C, by child processes."""
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue
            if not line:
                return
            if self._log is not None:
                self._log(self._run, name, line.decode("utf-8", "replace").rstrip("\n"))
