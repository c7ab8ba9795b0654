"""Webhook requests as they were received, and the rows made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from patterns_os.rows.casting import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, before it is stored.

    Attributes:
        body: The bytes as they came.
        headers: Lower-case names; credentials are left out already.
        query: Of its address; credentials are masked already.
        verdict: Whether its sender was checked: `unchecked`, `verified` or `refused`.
        secret: Name of the secret that fitted.
        whole: Whether `body` is all that came.
        rows: What the body says, one dict a row; empty for a rejected request.
        refused: Rows of the body that do not fit the table: they are held, with the reason.
        key: The same 32 bytes for deliveries that are the same, `None` where nothing tells.
        answer: What the sender is answered: `status`, `body`, `headers`.
        repeats: Number of the delivery that this one is a replay of.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    verdict: Literal["unchecked", "verified", "refused"] = "unchecked"
    secret: str | None = None
    whole: bool = True
    rows: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Refused] = ()
    key: bytes | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None

    @property
    def is_anybodys(self) -> bool:
        """Whether it may come from anybody: of such ones only the newest are kept when they are rejected."""
        return self.verdict == "refused" or not self.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a request.

    Attributes:
        delivery: Its number; of the first one where it came before.
        before: What the first one was answered, where it came before: nothing was stored. `None` if it is new.
    """

    delivery: int
    before: Mapping[str, Any] | None = None


class Deliveries(Protocol):
    """The durable record of all requests. A call whose answer was lost may have stored its requests.

    Raises:
        TemporaryError: The database does not answer now; nothing was acknowledged.
        RowError: (`store`) a row can't be made; nothing was stored.
    """

    async def store(self, webhook: str, table: int, received: Sequence[Received]) -> Sequence[Stored]:
        """Store requests with their rows in one transaction, those that came before excepted."""
        ...

    async def reject(self, webhook: str, received: Received, reason: str) -> None:
        """Store a request that makes no rows, with the reason. Of what is anybody's only the newest are kept."""
        ...
