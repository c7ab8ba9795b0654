"""What can be told about deliveries: values that commands print. All read only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """A delivery.

    Attributes:
        status: `accepted`, `rejected` for what it says, or `refused` for who sent it.
        reason: Why it was not accepted, or which rows of it are held.
        verdict: Whether its sender was checked: `unchecked`, `verified` or `refused`.
        secret: Name of the secret that fitted.
        came_again: How often it came once more, and was answered as the first time.
        repeats: Number of the delivery that this one is a replay of.
        table: The table that its rows went to, `None` if it made none.
        first: Position of its first row there; `rows` follow each other.
        size: Bytes of the body that are kept.
        whole: Whether that is all that came.
    """

    number: int
    webhook: str
    status: str
    reason: str | None
    verdict: str
    secret: str | None
    at: datetime
    came_again: int
    repeats: int | None
    table: str | None
    first: int | None
    rows: int
    size: int
    whole: bool
    query: str
    headers: Mapping[str, str] = field(repr=False)
