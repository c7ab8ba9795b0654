"""Webhook requests as they were received, and the rows made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from patterns_os.rows.casting import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, before it is stored.

    Attributes:
        body: The bytes as they came.
        headers: Lower-case names; credentials are left out already.
        rows: What the body says, one dict a row; empty for a rejected request.
        refused: Rows of the body that do not fit the table: they are held, with the reason.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    refused: Sequence[Refused] = ()


class Deliveries(Protocol):
    """The durable record of all requests. A call whose answer was lost may have stored its requests.

    Raises:
        TemporaryError: The database does not answer now; nothing was acknowledged.
        RowError: (`store`) a row can't be made; nothing was stored.
    """

    async def store(self, webhook: str, table: int, received: Sequence[Received]) -> int:
        """Store requests with their rows in one transaction; give the table's watermark."""
        ...

    async def reject(self, webhook: str, received: Received, reason: str) -> None:
        """Store a request that makes no rows, with the reason."""
        ...
