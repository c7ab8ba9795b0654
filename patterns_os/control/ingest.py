"""Receiving webhooks: nothing is acknowledged before it is stored, and many requests share one commit.

While one commit is under way the next requests gather; a queue that grows too long answers 429 instead of
using memory. Where the webhook declares how senders are checked, that is done first; what is refused for its
signature or its content is kept as a refused or rejected delivery. What came before is answered as it was then,
and nothing is stored twice. Where the table declares a schema, rows that do not fit it are held with the reason;
the others go on.
"""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import unquote_plus

from patterns_os.control.bodies import Payload, read_body
from patterns_os.control.rates import Rate
from patterns_os.errors import PatternsError
from patterns_os.manifest.webhooks import per_second, verifying_secrets
from patterns_os.plan.spec import PlannedTable, PlannedWebhook
from patterns_os.ports.deliveries import Deliveries, Received, Stored
from patterns_os.rows.casting import Refused, RowCaster, compile_casts
from patterns_os.rows.columns import payload_to_row
from patterns_os.rows.errors import RowError
from patterns_os.rows.schema import schema_from_data
from patterns_os.triggers.repeats import dedupe_of, delivery_key
from patterns_os.triggers.signatures import credential_headers, verify_signature

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_TOGETHER = 500
# A commit takes several times the memory of its bodies.
MOST_TOGETHER_BYTES = 4 * 1024 * 1024
# Refused requests that are kept, a second and at once; more are answered and forgotten.
REFUSED_A_SECOND = 20
REFUSED_AT_ONCE = 200
_MOST_REASONS = 3
# Credentials never reach the database.
_WITHHELD = frozenset(
    {
        "api-key",
        "apikey",
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-access-token",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-gitlab-token",
    }
)
_WITHHELD_IN_QUERIES = frozenset(
    {"access_token", "api_key", "apikey", "auth", "key", "password", "secret", "sig", "signature", "token"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the sender gets.

    Attributes:
        status: Of HTTP.
        body: A text as it is, `None` for nothing, all else as JSON.
        retry_after_s: A pause to keep, in seconds.
        headers: Further headers.
        is_repeat: Whether the delivery came before: this is what it was answered then.
    """

    status: int
    body: Any = None
    retry_after_s: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeat: bool = False


@dataclass(slots=True)
class _Queue:
    """Requests of one webhook that wait for the next commit."""

    waiting: list[tuple[Received, asyncio.Future[Stored]]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Ingest:
    """Takes requests in.

    Args:
        deliveries: Where they are stored.
        stored: Called after each commit: somebody may have work now.
        disk_is_full: Tells whether the database's disk is nearly full.
        secret: Gives the value of a secret, `None` where it is not set.
        now_s: Gives the seconds since 1970, for signed times.
        clock_s: Gives seconds that only go forward, for rates.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        stored: Callable[[], None] = lambda: None,
        disk_is_full: Callable[[], bool] = lambda: False,
        secret: Callable[[str], str | None] = lambda _: None,
        *,
        now_s: Callable[[], float] = time.time,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deliveries = deliveries
        self._stored = stored
        self._disk_is_full = disk_is_full
        self._secret = secret
        self._now_s = now_s
        self._clock_s = clock_s
        self._casters: dict[str, RowCaster] = {}
        self._queues: dict[str, _Queue] = {}
        self._rates: dict[str, tuple[str, Rate]] = {}
        self._kept_refused = Rate(REFUSED_A_SECOND, REFUSED_AT_ONCE)
        self._waiting = 0
        self._waiting_bytes = 0

    def use(self, tables: Iterable[PlannedTable]) -> None:
        """Cast rows from now on as these tables declare it."""
        self._casters = {
            table.name: compile_casts(schema_from_data(table.row_schema))
            for table in tables
            if table.row_schema is not None
        }

    def admit(self, webhook: PlannedWebhook) -> Answer | None:
        """Give the refusal of a request whose body is not read yet, `None` if there is room for it."""
        if self._disk_is_full():
            return _refusal(507, "disk-full", "less than 200 MB of disk are left")
        if self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES:
            return _BUSY
        wait_s = self._wait_s(webhook)
        if wait_s > 0:
            reason = f"more than {webhook.rate} requests come"
            return _refusal(429, "rate", reason, retry_after_s=max(1, round(wait_s + 0.5)))
        return None

    async def receive(
        self,
        webhook: PlannedWebhook,
        table: int,
        body: bytes,
        headers: Mapping[str, str],
        target: str | None = None,
    ) -> Answer:
        """Check a request, store it, and give the answer to its sender.

        Args:
            webhook: Whose request it is.
            table: Number of its table.
            body: The bytes as they came.
            headers: Names in any case.
            target: Path and query that were asked for, the webhook's path unless given.
        """
        return await self.receive_parts(webhook, table, _once(body), headers, target or webhook.path)

    async def receive_parts(
        self,
        webhook: PlannedWebhook,
        table: int,
        parts: AsyncIterable[bytes],
        headers: Mapping[str, str],
        target: str,
    ) -> Answer:
        """Do as `receive` with a body that is still coming: what there is no room for is never read."""
        refused = self.admit(webhook)
        if refused is not None:
            return refused
        lower = {name.lower(): value for name, value in headers.items()}
        with self._room() as take:
            body = bytearray()
            async for part in parts:
                if not take(len(part)):
                    return _BUSY
                body += part
                if len(body) > webhook.max_body_bytes:
                    return await self._too_large(webhook, bytes(body[: webhook.max_body_bytes]), lower)
            return await self._received(webhook, table, _Request(bytes(body), lower, target))

    async def again(self, webhook: PlannedWebhook, table: int, delivery: int, before: Received) -> Answer:
        """Store the rows of a delivery that is known once more, as a delivery that repeats it.

        Its sender was checked when it came, and that it came before is the point.
        """
        received = replace(before, rows=(), refused=(), key=None, repeats=delivery)
        try:
            payload = _payload(before.body, before.headers)
        except ValueError as error:
            return await self._reject(webhook, received, 400, str(error))
        return await self._store(webhook, table, self._cast(webhook.table, received, payload.items))

    @contextmanager
    def _room(self) -> Iterator[Callable[[int], bool]]:
        """Take a place in the queue; gives a function that takes room for bytes, if there still is any."""
        taken = 0

        def take(size: int) -> bool:
            nonlocal taken
            if self._waiting_bytes >= MOST_WAITING_BYTES:
                return False
            taken += size
            self._waiting_bytes += size
            return True

        self._waiting += 1
        try:
            yield take
        finally:
            self._waiting -= 1
            self._waiting_bytes -= taken

    async def _too_large(self, webhook: PlannedWebhook, start: bytes, headers: Mapping[str, str]) -> Answer:
        """Keep the start of a body over the limit. Nobody has checked its sender."""
        reason = f"the body is larger than {webhook.max_body_bytes} bytes"
        received = Received(body=start, headers=_kept(webhook, headers), whole=False)
        return await self._reject(webhook, received, 413, reason)

    def _wait_s(self, webhook: PlannedWebhook) -> float:
        if webhook.rate is None:
            return 0.0
        known = self._rates.get(webhook.name)
        if known is None or known[0] != webhook.rate:
            known = self._rates[webhook.name] = (webhook.rate, Rate(*per_second(webhook.rate)))
        return known[1].take(self._clock_s())

    async def _received(self, webhook: PlannedWebhook, table: int, given: "_Request") -> Answer:
        request = Received(
            body=given.body,
            headers=_kept(webhook, given.headers),
            query=_masked(given.target.partition("?")[2]),
        )
        checked = self._check_sender(webhook, given)
        if isinstance(checked, _Refusal):
            refused = replace(request, verdict="refused")
            return await self._reject(webhook, refused, checked.status, checked.reason, checked.code)
        request = replace(request, verdict="unchecked" if checked is None else "verified", secret=checked)
        try:
            payload = _payload(given.body, given.headers)
        except ValueError as error:
            return await self._reject(webhook, request, 400, str(error))
        greeting = _greeting(webhook, given.headers, payload.value)
        if greeting is not None:
            return greeting
        dedupe = dedupe_of(webhook.verify, webhook.dedupe)
        key = delivery_key(dedupe, given.body, given.headers, payload.value)
        return await self._store(
            webhook, table, self._cast(webhook.table, replace(request, key=key), payload.items)
        )

    def _cast(self, table: str, request: Received, items: Sequence[Any]) -> Received:
        rows = [payload_to_row(item) for item in items]
        caster = self._casters.get(table)
        if caster is None:
            return replace(request, rows=rows)
        fitting, refused = caster.sort_out(rows)
        return replace(request, rows=fitting, refused=refused)

    def _check_sender(self, webhook: PlannedWebhook, given: "_Request") -> "_Refusal | str | None":
        """Give the name of the secret that fits, the refusal if none does, `None` if nobody is checked."""
        refusal: _Refusal | None = None
        for name in verifying_secrets(webhook.verify):
            checked = self._check_secret(webhook.verify or {}, name, given)
            if checked is None:
                return name
            # What the current secret has to say is the reason: who uses an old one is not at fault.
            refusal = refusal or checked
        return refusal

    def _check_secret(self, verify: Mapping[str, Any], name: str, given: "_Request") -> "_Refusal | None":
        what = f'the secret "{name}", which signatures are checked with,'
        try:
            value = self._secret(name)
        except PatternsError as error:
            return _Refusal(503, f"{what} can't be read: {error.message}", error.code)
        if value is None:
            return _Refusal(503, f"{what} is not set", "secret-missing")
        reason = verify_signature(
            verify, value, given.body, given.headers, self._now_s(), target=given.target
        )
        return None if reason is None else _Refusal(401, reason, "signature")

    async def _store(self, webhook: PlannedWebhook, table: int, received: Received) -> Answer:
        answer = _accepted(webhook, received)
        try:
            stored = await self._queued(webhook.name, table, replace(received, answer=_told(answer)))
        except RowError as error:
            return await self._reject(webhook, replace(received, rows=()), 422, error.message)
        except PatternsError as error:
            return _refusal(503, error.code, error.message, retry_after_s=2)
        return answer if stored.before is None else Answer(**stored.before, is_repeat=True)

    def _queued(self, name: str, table: int, received: Received) -> asyncio.Future[Stored]:
        queue = self._queues.setdefault(name, _Queue())
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        queue.waiting.append((received, future))
        if queue.task is None or queue.task.done():
            queue.task = asyncio.create_task(self._commit_all(name, table, queue))
        return future

    async def _commit_all(self, name: str, table: int, queue: _Queue) -> None:
        while queue.waiting:
            count = _together(queue.waiting)
            batch, queue.waiting = queue.waiting[:count], queue.waiting[count:]
            await self._commit(name, table, batch)

    async def _commit(
        self, name: str, table: int, batch: list[tuple[Received, asyncio.Future[Stored]]]
    ) -> None:
        """Store a batch; if one request of many can't be stored, each is stored by itself."""
        try:
            stored = await self._deliveries.store(name, table, [received for received, _ in batch])
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
            for (_, future), outcome in zip(batch, stored, strict=True):
                _settle(future, outcome)

    async def _reject(
        self, webhook: PlannedWebhook, received: Received, status: int, reason: str, code: str = "rejected"
    ) -> Answer:
        if received.is_anybodys and self._kept_refused.take(self._clock_s()) > 0:
            return _refusal(status, code, reason)
        try:
            await self._deliveries.reject(webhook.name, received, reason)
        except PatternsError as error:
            return _refusal(503, error.code, error.message, retry_after_s=2)
        return _refusal(status, code, reason)


@dataclass(frozen=True, slots=True)
class _Request:
    """What came, names of headers in lower case."""

    body: bytes
    headers: Mapping[str, str]
    target: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a sender is not who the webhook expects."""

    status: Literal[401, 503]
    reason: str
    code: str


def _together(waiting: Sequence[tuple[Received, asyncio.Future[Stored]]]) -> int:
    """Give how many of those that wait share the next commit: one at least."""
    size = 0
    for count, (received, _) in enumerate(waiting[:MOST_TOGETHER]):
        size += len(received.body)
        if size > MOST_TOGETHER_BYTES and count:
            return count
    return min(len(waiting), MOST_TOGETHER)


def _payload(body: bytes, headers: Mapping[str, str]) -> Payload:
    return read_body(body, headers.get("content-type", ""), headers.get("content-encoding", ""))


def _greeting(webhook: PlannedWebhook, headers: Mapping[str, str], payload: Any) -> Answer | None:  # noqa: ANN401 - any JSON value
    """Give the answer to what a provider sends when the address is set up with it: that makes no row."""
    preset = (webhook.verify or {}).get("preset")
    if preset == "github" and headers.get("x-github-event") == "ping":
        return Answer(status=200, body={"ok": True, "rows": 0})
    if preset != "slack" or not isinstance(payload, dict):
        return None
    challenge = payload.get("challenge")
    is_asked = payload.get("type") == "url_verification" and isinstance(challenge, str)
    return Answer(status=200, body={"challenge": challenge}) if is_asked else None


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


def _told(answer: Answer) -> dict[str, Any]:
    return {"status": answer.status, "body": answer.body, "headers": dict(answer.headers)}


def _reason(refused: Refused) -> str:
    return f"row {refused.number}: {refused.reason}"


def _refusal(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> Answer:
    return Answer(status=status, body={"error": code, "message": message}, retry_after_s=retry_after_s)


def _kept(webhook: PlannedWebhook, headers: Mapping[str, str]) -> dict[str, str]:
    """Give the headers to store: no credentials."""
    withheld = _WITHHELD | credential_headers(webhook.verify)
    return {name: value for name, value in headers.items() if name not in withheld}


def _masked(query: str) -> str:
    """Give a query as it is stored: values of credentials are left out."""
    parts = (part.partition("=") for part in query.split("&"))
    return "&".join(
        f"{name}=***" if unquote_plus(name).lower() in _WITHHELD_IN_QUERIES else f"{name}{joint}{value}"
        for name, joint, value in parts
    )


def _settle(future: asyncio.Future[Stored], result: Stored | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


_BUSY = _refusal(429, "busy", "too many requests are waiting", retry_after_s=1)
