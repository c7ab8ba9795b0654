"""The supervisor of a launcher: claims runs, has them executed, watches them, and tells how they ended.

One supervisor serves all nodes of an app locally; in a cluster the same code is given one. It owns nothing by
the clock: it raises a beat while it lives, and a run's token decides what counts.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
import uuid
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from psycopg.pq import TransactionStatus

from patterns_os.errors import NodeError, PatternsError, TemporaryError
from patterns_os.launcher.pool import MOST_PROCESSES, ProcessPool
from patterns_os.launcher.sql import run_sql
from patterns_os.ports.claims import Claim, Claims, LogLine, OwnedLane
from patterns_os.rows.casting import RowCaster, compile_casts
from patterns_os.rows.errors import REFUSED
from patterns_os.rows.schema import schema_from_data
from patterns_os.runs.masking import Masker
from patterns_os.runs.retry import Failure, LaneFacts, decide_retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from patterns_os.launcher.process import NodeProcessHandle
    from patterns_os.launcher.progress import Snapshot
    from patterns_os.plan.spec import PlannedNode
    from patterns_os.ports.deployments import Deployment

BEAT_S = 3.0
SILENCE_S = 10.0
GRACE_S = 5.0
POLL_S = 1.0
LOG_EVERY_S = 0.15
_WATCH_S = 0.5
_MISSED_BEATS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """Something that happened to a run: `started`, `done`, `failed` or `held`."""

    kind: str
    node: str
    run: int
    reason: str
    attempt: int
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    error: Mapping[str, Any] | None = None
    retry_in_s: float | None = None
    tables: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class LiveRun:
    """A run that is being executed now; `missed` counts the beats in a row that did not name it as ours."""

    claim: Claim
    started: float
    handle: NodeProcessHandle | None = None
    killed: str | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What scripts find around them.

    Attributes:
        folder: The app's folder, resolved.
        environment: Their environment, whole.
        secrets: All secrets by name; a node is given only those it declares and its models need.
        scripts: The source files of the version by path: what is edited meanwhile belongs to the next one.
        is_bare: Whether the environment is made from nothing: then each node's own secrets are added to it.
    """

    folder: Path
    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    scripts: Mapping[str, bytes] = field(repr=False)
    is_bare: bool = False


class Supervisor:
    """Executes the due runs of one deployment.

    Args:
        claims: Where work comes from.
        deployment: What is deployed; `redeploy` changes it.
        workplace: What scripts find around them.
        observe: Called with every event, in order, from the event loop.
        revive: Called in a thread when the database does not answer: starts it again where it is ours.
        pool: Node processes that were started early, closed at the end of `serve`; none by default.
    """

    def __init__(
        self,
        claims: Claims,
        deployment: Deployment,
        workplace: Workplace,
        observe: Callable[[RunEvent], None] = lambda _: None,
        *,
        revive: Callable[[], object] = lambda: None,
        pool: ProcessPool | None = None,
    ) -> None:
        self.name = f"local-{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self.live: dict[int, LiveRun] = {}
        self.trouble: PatternsError | None = None
        self._claims = claims
        self._deployment = deployment
        self._workplace = workplace
        self._observe = observe
        self._revive = revive
        self._mask = Masker(workplace.secrets)
        self._pool = pool or ProcessPool()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: list[LogLine] = []
        self._stopping = False
        self._last_beat = time.monotonic()
        self._sql: list[psycopg.AsyncConnection[Any]] = []
        self._known_keys: dict[str, str] = {}
        self._casters: dict[str, RowCaster | None] = {}

    # -- what others call

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._wake.set()

    def redeploy(self, deployment: Deployment, workplace: Workplace) -> None:
        """Go on with another version; what runs now ends at its next record boundary."""
        self._deployment = deployment
        self._workplace = workplace
        self._mask = Masker(workplace.secrets)
        self._known_keys.clear()
        self._casters.clear()
        for live in self.live.values():
            if live.handle is not None:
                live.handle.progress.ask_to_stop()
        self._pool.trim(self._keys())
        self.wake()

    def stop(self) -> None:
        """End at the next record boundaries; what has not reached one after five seconds is killed.

        So is everything when asked a second time. Nothing is lost: what was not committed runs again.
        """
        if self._stopping:
            self._kill_all("stopped by hand")
            return
        self._stopping = True
        asyncio.get_running_loop().call_later(GRACE_S, self._kill_all, "stopped by hand")
        for live in self.live.values():
            if live.handle is not None:
                live.handle.progress.ask_to_stop()
        self.wake()

    async def prepare(self) -> None:
        """Make ourselves known, and take over what former local launchers of this folder held.

        The caller holds the folder's lock, so none of those can be alive.
        """
        self._pool.prepare()
        await self._claims.register(self.name, "local", socket.gethostname(), os.getpid())
        orphans = orphans_of(await self._claims.owned_lanes(), self.name)
        if orphans:
            await self._claims.rescue(orphans)
        await self._claims.retry_now()

    async def serve(self, *, until_quiet: bool = False, patience_s: float = 0.0) -> None:
        """Execute what is due, until `stop` or, if asked for, until nothing is due.

        Args:
            until_quiet: Return when nothing is due and nothing runs.
            patience_s: Then also wait for retries that are due within so many seconds.
        """
        background = [asyncio.create_task(self._beat()), asyncio.create_task(self._flush_regularly())]
        try:
            while not self._stopping:
                self._wake.clear()
                claimed = await self._claim()
                if not claimed and until_quiet and await self._is_quiet(patience_s):
                    break
                if not claimed:
                    await self._sleep(until_quiet=until_quiet)
        finally:
            await self._drain(background)

    # -- claiming

    async def _claim(self) -> int:
        free = MOST_PROCESSES - len(self.live)
        if free <= 0:
            return 0
        try:
            claims = await self._claims.claim(self._deployment.version, self.name, free)
        except TemporaryError as error:
            await self._recover(error)
            return 0
        self.trouble = None
        for claim in claims:
            self.live[claim.run] = LiveRun(claim, time.monotonic())
            task = asyncio.create_task(self._execute(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(claims)

    async def _recover(self, error: PatternsError) -> None:
        """The database is gone: have it started again where it is ours, and wait a moment."""
        self.trouble = error
        with suppress(PatternsError):
            await asyncio.to_thread(self._revive)
        await asyncio.sleep(0.2)

    async def _is_quiet(self, patience_s: float) -> bool:
        """Tell whether nothing runs, and nothing that waits is due soon. Without an answer nobody knows."""
        if self.live or self.trouble is not None:
            return False
        try:
            wait = await self._claims.next_wait()
        except TemporaryError as error:
            await self._recover(error)
            return False
        return wait is None or wait > patience_s

    async def _sleep(self, *, until_quiet: bool) -> None:
        timeout = 0.05 if until_quiet and not self.live else POLL_S
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        self._pool.trim(self._keys())

    # -- executing

    async def _execute(self, claim: Claim) -> None:
        """Execute one claim to its end, whatever happens."""
        began = time.monotonic()
        self._tell(
            RunEvent(
                kind="started", node=claim.node, run=claim.run, reason=claim.reason, attempt=claim.attempt
            )
        )
        node = self._deployment.plan.node(claim.node)
        try:
            if node is None:
                answer = _failed("internal", "node-missing", f'node "{claim.node}" is not in the plan')
            elif node.kind == "sql":
                answer = await self._run_sql(claim, node)
            else:
                answer = await self._run_python(claim, node)
        except Exception as error:  # noqa: BLE001 - a run that we broke must end too, or its lane is stuck
            answer = _failed("internal", "internal", f"{type(error).__name__}: {error}")
        try:
            if answer["type"] == "done":
                self._done(claim, answer, time.monotonic() - began)
            else:
                await self._fail(claim, node, answer, time.monotonic() - began)
        finally:
            self.live.pop(claim.run, None)
            self.wake()

    async def _run_python(self, claim: Claim, node: PlannedNode) -> dict[str, Any]:
        handle = await self._pool.take(self._key(node), self._assignment(node))
        live = self.live[claim.run]
        live.handle = handle
        if self._stopping:
            handle.progress.ask_to_stop()
        watch = asyncio.create_task(self._watch(live, node.timeout_s))

        def log(run: int | None, stream: str, line: str) -> None:
            self._keep(claim.node, run if run is not None else claim.run, stream, line)

        try:
            answer = await handle.run(claim.run, asdict(claim), log)
        finally:
            watch.cancel()
        seen = handle.progress.snapshot()
        if answer is None:
            answer = self._death(live, await handle.ended(), node)
        self._pool.give_back(handle, retire=bool(answer.get("retire")) or not handle.alive)
        return {**answer, "seen": seen}

    async def _watch(self, live: LiveRun, timeout_s: float) -> None:
        """Kill the process when no record boundary was reached for so long."""
        handle = live.handle
        assert handle is not None  # noqa: S101 - set by the caller
        last, since = -1, time.monotonic()
        while True:
            await asyncio.sleep(min(_WATCH_S, timeout_s / 4))
            boundaries = handle.progress.snapshot().boundaries
            if boundaries != last:
                last, since = boundaries, time.monotonic()
            elif time.monotonic() - since >= timeout_s:
                live.killed = "timeout"
                handle.kill()
                return

    def _death(self, live: LiveRun, code: int, node: PlannedNode) -> dict[str, Any]:
        """Say why the process died. An exit code is the script's doing, a signal is the machinery's."""
        if live.killed == "timeout":
            return _failed(
                "node",
                "timeout",
                f'node "{node.name}" did not reach a record boundary for {node.timeout_s:g} s and was killed',
                hint='raise "timeout" of the script, or do less for each record',
            )
        if live.killed is not None:
            return _failed("infrastructure", "launcher-silent", live.killed)
        if code >= 0:
            return _failed("node", "process-exited", f"the script ended its process with exit code {code}")
        return _failed("infrastructure", "process-died", f"the node process died of signal {-code}")

    async def _run_sql(self, claim: Claim, node: PlannedNode) -> dict[str, Any]:
        try:
            caster = self._caster(node.outputs[0].table)
            async with self._lent_sql() as connection:
                done = await run_sql(connection, claim, node, timeout_s=node.timeout_s, caster=caster)
        except NodeError as error:
            self._keep(claim.node, claim.run, "stderr", error.message)
            return _failed("node", error.code, error.message, hint=error.hint)
        except PatternsError as error:
            return _failed("infrastructure", error.code, error.message)
        except psycopg.Error as error:
            if error.sqlstate == "PT001":
                return _failed("stale", "stale-token", str(error))
            if isinstance(error, psycopg.OperationalError):
                return _failed("infrastructure", "storage-unreachable", str(error).strip())
            return _failed("internal", "database", str(error).strip())
        return {"type": "done", **done}

    def _caster(self, table: str) -> RowCaster | None:
        """Give what casts the rows of a table, made once a version; `None` where nothing is declared."""
        if table not in self._casters:
            planned = next((found for found in self._deployment.plan.tables if found.name == table), None)
            schema = planned.row_schema if planned else None
            self._casters[table] = compile_casts(schema_from_data(schema)) if schema is not None else None
        return self._casters[table]

    @asynccontextmanager
    async def _lent_sql(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Lend a connection, kept for the next node unless it is broken."""
        connection = self._sql.pop() if self._sql else await self._connect_sql()
        try:
            yield connection
        finally:
            if connection.closed or connection.info.transaction_status is not TransactionStatus.IDLE:
                await connection.close()
            else:
                self._sql.append(connection)

    async def _connect_sql(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._deployment.conninfo,
            autocommit=True,
            connect_timeout=10,
            options=f'-c search_path="{self._deployment.schema}" -c timezone=UTC',
        )

    # -- endings

    def _done(self, claim: Claim, answer: Mapping[str, Any], seconds: float) -> None:
        self._tell(
            RunEvent(
                kind="done",
                node=claim.node,
                run=claim.run,
                reason=claim.reason,
                attempt=claim.attempt,
                rows_in=answer["rows_in"],
                rows_out=answer["rows_out"],
                seconds=seconds,
                tables=answer["tables"],
            )
        )

    async def _fail(
        self, claim: Claim, node: PlannedNode | None, answer: Mapping[str, Any], seconds: float
    ) -> None:
        """Decide what happens next and write it down, however long the database takes to come back."""
        if answer["family"] == "stale":
            return
        error = {
            key: self._mask.mask(str(answer[key])) if isinstance(answer.get(key), str) else answer.get(key)
            for key in ("family", "code", "message", "hint", "where")
        }
        decision = decide_retry(
            _failure(answer),
            LaneFacts(
                attempts=claim.attempts,
                deaths=claim.deaths,
                dead_in_row=claim.dead_in_row,
                narrow=claim.narrow,
                request_attempts=claim.attempt - 1 if claim.request else None,
            ),
            retries=node.retries if node else 0,
            on_error=node.on_error if node else "hold",
            jitter=random.random(),  # noqa: S311 - spreads retries, keeps no secret
        )
        await self._insist(lambda: self._claims.fail(claim.run, claim.token, decision, error))
        self._tell(
            RunEvent(
                kind="held" if decision.held else "failed",
                node=claim.node,
                run=claim.run,
                reason=claim.reason,
                attempt=claim.attempt,
                seconds=seconds,
                error=error,
                retry_in_s=decision.delay_s if decision.state != "idle" else None,
            )
        )

    async def _insist(self, call: Callable[[], Any]) -> None:
        """Repeat a call until the database answers; a stale token is an answer too."""
        while True:
            try:
                await call()
            except PatternsError as error:
                if error.code == "stale-token":
                    return
                self.trouble = error
                await asyncio.sleep(0.5)
            else:
                return

    def _tell(self, event: RunEvent) -> None:
        self._observe(event)

    # -- in the background

    async def _beat(self) -> None:
        """Raise the beat; without a confirmed one for ten seconds, kill what runs: it may have a new owner."""
        self._last_beat = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                own = await asyncio.wait_for(self._claims.beat(self.name), SILENCE_S)
            except (PatternsError, TimeoutError):
                if time.monotonic() - self._last_beat > SILENCE_S:
                    self._kill_all("no beat was confirmed for ten seconds")
                continue
            self._last_beat = time.monotonic()
            self._let_go(own)

    def _let_go(self, own: set[int]) -> None:
        """Kill what is not ours any more: runs that two beats in a row did not name.

        One is not enough: a beat that waited for a run's last commit finds no run, and the process is about to
        say that it is done.
        """
        for run, live in list(self.live.items()):
            live.missed = 0 if run in own else live.missed + 1
            if live.missed >= _MISSED_BEATS and live.handle is not None:
                live.killed = "another launcher has taken the run"
                live.handle.kill()

    def _kill_all(self, why: str) -> None:
        for live in self.live.values():
            if live.handle is not None:
                live.killed = why
                live.handle.kill()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOG_EVERY_S)
            await self._flush()

    async def _flush(self) -> None:
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            await self._claims.log(lines)
        except TemporaryError:
            self._lines = lines + self._lines

    def _keep(self, node: str, run: int | None, stream: str, line: str) -> None:
        self._lines.append(
            LogLine(node=node, run=run, stream=stream, line=self._mask.mask(line), at=datetime.now(UTC))
        )

    async def _drain(self, background: list[asyncio.Task[None]]) -> None:
        """Wait for what runs, then give everything back."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        with suppress(PatternsError):
            await self._flush()
        await self._pool.close()
        for connection in self._sql:
            await connection.close()
        self._sql.clear()

    # -- what a process is told

    def _key(self, node: PlannedNode) -> str:
        """Name everything that decides what a process of the node is: with another key it is another process."""
        if node.name not in self._known_keys:
            told = sha256(orjson.dumps(self._assignment(node), option=orjson.OPT_SORT_KEYS)).hexdigest()
            self._known_keys[node.name] = f"{node.name}:{told}"
        return self._known_keys[node.name]

    def _keys(self) -> set[str]:
        return {self._key(node) for node in self._deployment.plan.nodes}

    def _assignment(self, node: PlannedNode) -> dict[str, Any]:
        models = self._deployment.plan.models
        written = {given.table for given in node.outputs}
        needed = {*node.secrets, *(model.secret for model in models if model.secret)}
        return {
            "node": node.model_dump(mode="json"),
            "script": self._workplace.scripts[node.file].decode("latin-1"),
            "modules": {
                source.path: self._workplace.scripts[source.path].decode("latin-1")
                for source in node.sources
                if source.path != node.file
            },
            "folder": str(self._workplace.folder),
            "conninfo": self._deployment.conninfo,
            "schema": self._deployment.schema,
            "environment": self._environment(node),
            "models": [model.model_dump(mode="json") for model in models],
            "schemas": {
                table.name: table.row_schema
                for table in self._deployment.plan.tables
                if table.row_schema is not None and table.name in written
            },
            "secrets": {name: value for name, value in self._workplace.secrets.items() if name in needed},
        }

    def _environment(self, node: PlannedNode) -> dict[str, str]:
        """Give the node's environment: away from a laptop with the secrets that it declares, and no others."""
        own = node.secrets if self._workplace.is_bare else ()
        secrets = self._workplace.secrets
        return {**self._workplace.environment, **{name: secrets[name] for name in own if name in secrets}}


def orphans_of(lanes: list[OwnedLane], launcher: str) -> list[OwnedLane]:
    """Give the lanes that another local launcher owns."""
    return [lane for lane in lanes if lane.launcher_kind == "local" and lane.launcher != launcher]


def _failed(family: str, code: str, message: str, hint: str | None = None) -> dict[str, Any]:
    return {"type": "failed", "family": family, "code": code, "message": message, "hint": hint}


def _failure(answer: Mapping[str, Any]) -> Failure:
    seen: Snapshot | None = answer.get("seen")
    # A database that does not answer is no record's fault, however often it happens at one.
    if seen is None or not seen.position or answer["code"] == "storage-unreachable":
        return Failure(family=answer["family"], retry_after_s=answer.get("retry_after_s"))
    return Failure(
        family=answer["family"],
        table=seen.table,
        stream=seen.stream,
        position=seen.position,
        first=seen.first,
        yielded=seen.yielded,
        after_loop=seen.after_loop,
        retry_after_s=answer.get("retry_after_s"),
        refused=answer["code"] == REFUSED,
    )
