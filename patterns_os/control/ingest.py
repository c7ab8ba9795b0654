"""Receiving webhooks: nothing is acknowledged before it is stored, and many requests share one commit.

While one commit is under way the next requests gather; a queue that grows too long answers 429 instead of
using memory.
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from patterns_os.errors import PatternsError
from patterns_os.plan.spec import PlannedWebhook
from patterns_os.ports.deliveries import Deliveries, Received
from patterns_os.rows.columns import payload_to_row
from patterns_os.rows.errors import RowError

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_TOGETHER = 500
DEEPEST = 100
# Credentials never reach the database.
_WITHHELD = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_LONG_NUMBER = re.compile(rb"\d{19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender gets: an HTTP status, a JSON body, and perhaps a pause in seconds to keep."""

    status: int
    body: dict[str, Any]
    retry_after_s: int | None = None


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
    """

    def __init__(
        self,
        deliveries: Deliveries,
        stored: Callable[[], None] = lambda: None,
        disk_is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._deliveries = deliveries
        self._stored = stored
        self._disk_is_full = disk_is_full
        self._queues: dict[str, _Queue] = {}
        self._waiting = 0
        self._waiting_bytes = 0

    async def receive(
        self, webhook: PlannedWebhook, table: int, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Store a request and give the answer to its sender."""
        if self._disk_is_full():
            return Answer(status=507, body={"error": "disk-full", "message": "less than 200 MB of disk are left"})
        if self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES:
            return Answer(
                status=429, body={"error": "busy", "message": "too many requests are waiting"}, retry_after_s=1
            )
        kept = {name: value for name, value in headers.items() if name not in _WITHHELD}
        try:
            payload = parse_payload(body)
        except ValueError as error:
            return await self._reject(webhook, Received(body=body, headers=kept), 400, str(error))
        challenge = _challenge(webhook, payload)
        if challenge is not None:
            return Answer(status=200, body={"challenge": challenge})
        items = payload if isinstance(payload, list) else [payload]
        received = Received(body=body, headers=kept, rows=[payload_to_row(item) for item in items])
        return await self._store(webhook, table, received)

    async def too_large(self, webhook: PlannedWebhook, start: bytes, headers: Mapping[str, str]) -> Answer:
        """Keep the start of a body over the limit as a rejected request."""
        kept = {name: value for name, value in headers.items() if name not in _WITHHELD}
        reason = f"the body is larger than {webhook.max_body_bytes} bytes"
        return await self._reject(webhook, Received(body=start, headers=kept), 413, reason)

    async def _store(self, webhook: PlannedWebhook, table: int, received: Received) -> Answer:
        size = len(received.body)
        self._waiting += 1
        self._waiting_bytes += size
        try:
            await self._queued(webhook.name, table, received)
        except RowError as error:
            return await self._reject(webhook, received, 422, str(error))
        except PatternsError as error:
            return Answer(status=503, body={"error": error.code, "message": error.message}, retry_after_s=2)
        finally:
            self._waiting -= 1
            self._waiting_bytes -= size
        return Answer(status=200, body={"ok": True, "rows": len(received.rows)})

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
            for _, future in batch:
                _settle(future, last)
            self._stored()

    async def _reject(self, webhook: PlannedWebhook, received: Received, status: int, reason: str) -> Answer:
        try:
            await self._deliveries.reject(webhook.name, received, reason)
        except PatternsError as error:
            return Answer(status=503, body={"error": error.code, "message": error.message}, retry_after_s=2)
        return Answer(status=status, body={"error": "rejected", "message": reason})


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
            value = json.loads(body, parse_constant=_no_constant)
        else:
            value = orjson.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {str(error) or 'it is nested too deeply'}") from error
    if body.count(b"[") + body.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"the body is nested deeper than {DEEPEST}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


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
    if not isinstance(payload, dict) or payload.get("type") != "url_verification":
        return None
    if (webhook.verify or {}).get("preset") != "slack" and "challenge" not in (webhook.respond or {}):
        return None
    challenge = payload.get("challenge")
    return challenge if isinstance(challenge, str) else None


def _settle(future: asyncio.Future[int], result: int | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
