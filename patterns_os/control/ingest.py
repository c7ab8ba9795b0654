"""Receiving webhooks: nothing is acknowledged before it is stored, and many requests share one commit.

While one commit is under way the next requests gather; a queue that grows too long answers 429 instead of
using memory. Where the webhook declares how senders are checked, that is done first; what is refused for its
signature or its content is kept as a rejected delivery. Where the table declares a schema, rows that do not fit it
are held with the reason; the others go on.
"""

import asyncio
import json
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from patterns_os.errors import PatternsError
from patterns_os.plan.spec import PlannedTable, PlannedWebhook
from patterns_os.ports.deliveries import Deliveries, Received
from patterns_os.rows.casting import Refused, RowCaster, compile_casts
from patterns_os.rows.columns import payload_to_row
from patterns_os.rows.errors import RowError
from patterns_os.rows.schema import schema_from_data
from patterns_os.triggers.signatures import credential_headers, verify_signature

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_TOGETHER = 500
DEEPEST = 100
_MOST_REASONS = 3
# Credentials never reach the database.
_WITHHELD = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_LONG_NUMBER = re.compile(rb"\d{19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender gets.

    Attributes:
        status: Of HTTP.
        body: A text as it is, `None` for nothing, all else as JSON.
        retry_after_s: A pause to keep, in seconds.
        headers: Further headers.
    """

    status: int
    body: Any = None
    retry_after_s: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Queue:
    """Requests of one webhook that wait for the next commit."""

    waiting: list[tuple[Received, asyncio.Future[int]]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Ingest:
    """Takes requests in.

    Args:
        deliveries: Where they are stored.
        stored: Called after each commit: somebody may have work now.
        disk_is_full: Tells whether the database's disk is nearly full.
        secret: Gives the value of a secret, `None` where it is not set.
        now_s: Gives the seconds since 1970, for signed times.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        stored: Callable[[], None] = lambda: None,
        disk_is_full: Callable[[], bool] = lambda: False,
        secret: Callable[[str], str | None] = lambda _: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._deliveries = deliveries
        self._stored = stored
        self._disk_is_full = disk_is_full
        self._secret = secret
        self._now_s = now_s
        self._casters: dict[str, RowCaster] = {}
        self._queues: dict[str, _Queue] = {}
        self._waiting = 0
        self._waiting_bytes = 0

    def use(self, tables: Iterable[PlannedTable]) -> None:
        """Cast rows from now on as these tables declare it."""
        self._casters = {
            table.name: compile_casts(schema_from_data(table.row_schema))
            for table in tables
            if table.row_schema is not None
        }

    async def receive(
        self, webhook: PlannedWebhook, table: int, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Check a request, store it, and give the answer to its sender."""
        return await self._counted(len(body), lambda: self._received(webhook, table, body, headers))

    async def too_large(self, webhook: PlannedWebhook, start: bytes, headers: Mapping[str, str]) -> Answer:
        """Keep the start of a body over the limit as a rejected request."""
        reason = f"the body is larger than {webhook.max_body_bytes} bytes"
        received = Received(body=start, headers=_kept(webhook, headers))
        return await self._counted(len(start), lambda: self._reject(webhook, received, 413, reason))

    async def _counted(self, size: int, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do the work if there is room for it, on disk and in memory."""
        if self._disk_is_full():
            return _refusal(507, "disk-full", "less than 200 MB of disk are left")
        if self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES:
            return _refusal(429, "busy", "too many requests are waiting", retry_after_s=1)
        self._waiting += 1
        self._waiting_bytes += size
        try:
            return await work()
        finally:
            self._waiting -= 1
            self._waiting_bytes -= size

    async def _received(
        self, webhook: PlannedWebhook, table: int, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        request = Received(body=body, headers=_kept(webhook, headers))
        refused = self._check_sender(webhook, body, headers)
        if refused is not None:
            return await self._reject(webhook, request, *refused)
        try:
            payload = parse_payload(body)
        except ValueError as error:
            return await self._reject(webhook, request, 400, str(error))
        challenge = _challenge(webhook, payload)
        if challenge is not None:
            return Answer(status=200, body={"challenge": challenge})
        items = payload if isinstance(payload, list) else [payload]
        return await self._store(webhook, table, self._cast(webhook.table, request, items))

    def _cast(self, table: str, request: Received, items: Sequence[Any]) -> Received:
        rows = [payload_to_row(item) for item in items]
        caster = self._casters.get(table)
        if caster is None:
            return replace(request, rows=rows)
        fitting, refused = caster.sort_out(rows)
        return replace(request, rows=fitting, refused=refused)

    def _check_sender(
        self, webhook: PlannedWebhook, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, str] | None:
        """Give status, reason and code of the refusal, `None` if the sender is who the webhook expects."""
        if webhook.verify is None:
            return None
        name = str(webhook.verify["secret"])
        what = f'the secret "{name}", which signatures are checked with,'
        try:
            value = self._secret(name)
        except PatternsError as error:
            return 503, f"{what} can't be read: {error.message}", error.code
        if value is None:
            return 503, f"{what} is not set", "secret-missing"
        reason = verify_signature(webhook.verify, value, body, headers, self._now_s())
        return None if reason is None else (401, reason, "signature")

    async def _store(self, webhook: PlannedWebhook, table: int, received: Received) -> Answer:
        try:
            await self._queued(webhook.name, table, received)
        except RowError as error:
            return await self._reject(webhook, replace(received, rows=()), 422, error.message)
        except PatternsError as error:
            return _refusal(503, error.code, error.message, retry_after_s=2)
        return _accepted(webhook, received)

    def _queued(self, name: str, table: int, received: Received) -> asyncio.Future[int]:
        queue = self._queues.setdefault(name, _Queue())
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        queue.waiting.append((received, future))
        if queue.task is None or queue.task.done():
            queue.task = asyncio.create_task(self._commit_all(name, table, queue))
        return future

    async def _commit_all(self, name: str, table: int, queue: _Queue) -> None:
        while queue.waiting:
            batch, queue.waiting = queue.waiting[:MOST_TOGETHER], queue.waiting[MOST_TOGETHER:]
            await self._commit(name, table, batch)

    async def _commit(self, name: str, table: int, batch: list[tuple[Received, asyncio.Future[int]]]) -> None:
        """Store a batch; if one request of many can't be stored, each is stored by itself."""
        try:
            last = await self._deliveries.store(name, table, [received for received, _ in batch])
        except RowError as error:
            if len(batch) == 1:
                _settle(batch[0][1], error)
                return
            for one in batch:
                await self._commit(name, table, [one])
        except Exception as error:  # noqa: BLE001 - every waiting sender must get an answer
            for _, future in batch:
                _settle(future, error)
        else:
            # Whoever has work now begins before the senders are answered: the row is stored either way.
            self._stored()
            for _, future in batch:
                _settle(future, last)

    async def _reject(
        self, webhook: PlannedWebhook, received: Received, status: int, reason: str, code: str = "rejected"
    ) -> Answer:
        try:
            await self._deliveries.reject(webhook.name, received, reason)
        except PatternsError as error:
            return _refusal(503, error.code, error.message, retry_after_s=2)
        return _refusal(status, code, reason)


def parse_payload(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Give the JSON value of a body, numbers exact.

    Raises:
        ValueError: It is no JSON, or nested deeper than 100.
    """
    if not body.strip():
        raise ValueError("the body is empty, expected JSON")
    try:
        if _LONG_NUMBER.search(body):
            # orjson gives integers beyond 64 bits as floats
            value = json.loads(body.decode(), parse_constant=_no_constant, parse_float=_finite)
        else:
            value = orjson.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {str(error) or 'it is nested too deeply'}") from error
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"the body is nested deeper than {DEEPEST}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _depth(value: Any) -> int:  # noqa: ANN401 - any JSON value
    deepest, level = 0, [value]
    while level and deepest <= DEEPEST:
        deepest += 1
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return deepest


def _challenge(webhook: PlannedWebhook, payload: Any) -> str | None:  # noqa: ANN401 - any JSON value
    """Give what Slack wants back when the address of a webhook is set up with it."""
    if (webhook.verify or {}).get("preset") != "slack" or not isinstance(payload, dict):
        return None
    challenge = payload.get("challenge")
    return challenge if payload.get("type") == "url_verification" and isinstance(challenge, str) else None


def _accepted(webhook: PlannedWebhook, received: Received) -> Answer:
    """Give the answer of a stored request: what the webhook declares, else how many rows it made.

    Held rows are safe, so the sender must not send them again: that is no refusal.
    """
    if webhook.respond is None:
        body: dict[str, Any] = {"ok": True, "rows": len(received.rows)}
        if received.refused:
            reasons = [_reason(refused) for refused in received.refused[:_MOST_REASONS]]
            body |= {"held": len(received.refused), "reasons": reasons}
        return Answer(status=200, body=body)
    respond = webhook.respond
    return Answer(
        status=respond.get("status", 200), body=respond.get("body"), headers=respond.get("headers") or {}
    )


def _reason(refused: Refused) -> str:
    return f"row {refused.number}: {refused.reason}"


def _refusal(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> Answer:
    return Answer(status=status, body={"error": code, "message": message}, retry_after_s=retry_after_s)


def _kept(webhook: PlannedWebhook, headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers to store: names in lower case, no credentials."""
    withheld = _WITHHELD | credential_headers(webhook.verify)
    lower = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in lower if name not in withheld}


def _settle(future: asyncio.Future[int], result: int | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
