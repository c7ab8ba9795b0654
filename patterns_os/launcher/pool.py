"""Node processes kept warm: a few that know no app yet, and those that have served a node."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from patterns_os.launcher.process import NodeProcessHandle

SPARES = 1
WARM_SECONDS = 60.0
MOST_PROCESSES = max(16, 4 * (os.cpu_count() or 1))


class ProcessPool:
    """Lends node processes. `key` names a node of a version: a process never serves two keys."""

    def __init__(self, most_warm: int = MOST_PROCESSES) -> None:
        self._most_warm = most_warm
        self._idle: list[NodeProcessHandle] = []
        self._spares: list[asyncio.Task[NodeProcessHandle]] = []
        self._closing: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Start spare processes in the background."""
        while len(self._spares) < SPARES:
            self._spares.append(asyncio.create_task(NodeProcessHandle.start()))

    async def start_spare(self) -> None:
        """Start spare processes now: they import while the caller does something else."""
        self.prepare()
        await asyncio.gather(*self._spares)

    async def take(self, key: str, assignment: Mapping[str, Any]) -> NodeProcessHandle:
        """Give a process bound to `key`, the one that was used last if there is one."""
        for handle in reversed(self._idle):
            if handle.assigned == key and handle.alive:
                self._idle.remove(handle)
                return handle
        handle = await (self._spares.pop(0) if self._spares else NodeProcessHandle.start())
        if not handle.alive:
            self._discard(handle)
            handle = await NodeProcessHandle.start()
        await handle.assign(key, assignment)
        self.prepare()
        return handle

    def give_back(self, handle: NodeProcessHandle, *, retire: bool) -> None:
        """Take a process back after a run."""
        if retire or not handle.alive:
            self._discard(handle)
            return
        self._idle.append(handle)
        while len(self._idle) > self._most_warm:
            self._discard(self._idle.pop(0))

    def trim(self, keys: set[str]) -> None:
        """Let go of processes that were idle for long, or whose key is not in use any more."""
        now = time.monotonic()
        for handle in list(self._idle):
            if handle.assigned not in keys or now - handle.idle_since > WARM_SECONDS or not handle.alive:
                self._idle.remove(handle)
                self._discard(handle)

    async def close(self) -> None:
        """Kill all idle processes."""
        for spare in self._spares:
            self._discard(await spare)
        self._spares.clear()
        while self._idle:
            self._discard(self._idle.pop())
        while self._closing:
            await asyncio.gather(*self._closing)

    def _discard(self, handle: NodeProcessHandle) -> None:
        task = asyncio.create_task(handle.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
