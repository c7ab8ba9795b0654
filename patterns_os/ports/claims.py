"""How launchers get work and report on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from patterns_os.runs.retry import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedInput:
    """A table of a claim: rows with positions in (`start`, `to`] are the run's.

    Attributes:
        table: The table's number.
        name: The table's name.
        access: `stream` or `read`.
        last: The watermark when the run was claimed.
        base: Positions up to here belong to versions before the active one.
    """

    table: int
    name: str
    stream: str
    access: str
    last: int
    base: int
    start: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that this launcher owns until it ends it, or somebody takes it away.

    Attributes:
        reason: `rows`, `retry`, `cron`, `manual`, `again` or `resume`.
        attempt: From 1.
        tables: The app's tables, name → number.
        request: `{"id", "kind", "payload"}`, or `None`.
        held: The record set aside that is delivered again, or `None`.
        state: The node's State.
    """

    run: int
    token: int
    node: str
    lane: int
    reason: str
    attempt: int
    narrow: dict[str, Any] | None
    inputs: tuple[ClaimedInput, ...]
    tables: Mapping[str, int]
    request: dict[str, Any] | None = None
    held: dict[str, Any] | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    deaths: int = 0
    dead_in_row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedLane:
    """A lane that some launcher owns now."""

    node: int
    lane: int
    token: int
    beat: int
    launcher: str
    launcher_kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a node printed."""

    node: str
    run: int | None
    stream: str
    line: str
    at: datetime


class Claims(Protocol):
    """The claims of one app. Every method may be repeated; a call whose answer was lost does no harm.

    Raises:
        TemporaryError: The database does not answer now.
        StaleTokenError: (`fail`) somebody else has taken the run; nothing was written.
    """

    async def register(self, launcher: str, kind: str, host: str, pid: int) -> None:
        """Make the launcher known."""
        ...

    async def claim(self, version: int, launcher: str, most: int) -> list[Claim]:
        """Take up to `most` runs that are due; none if `version` is not the active one."""
        ...

    async def fail(self, run: int, token: int, decision: Decision, error: Mapping[str, Any]) -> None:
        """End a run that failed, as decided."""
        ...

    async def beat(self, launcher: str) -> set[int]:
        """Show that the launcher lives; give the runs that are still its own."""
        ...

    async def log(self, lines: Sequence[LogLine]) -> None:
        """Keep lines that nodes printed."""
        ...

    async def owned_lanes(self) -> list[OwnedLane]:
        """Give all lanes that are owned, by anybody."""
        ...

    async def rescue(self, lanes: Sequence[OwnedLane]) -> int:
        """Take lanes away from launchers that are gone, if token and owner are still these; give how many."""
        ...

    async def retry_now(self) -> None:
        """Let lanes that wait for the world or the configuration try at once."""
        ...

    async def collect(self, most: int) -> int:
        """Take away what nobody needs any more, at most so many rows of each kind; give how many went."""
        ...

    async def next_wait(self) -> float | None:
        """Give the seconds until a lane or request that waits is due, `None` if none waits."""
        ...

    async def busy(self) -> int:
        """Give how many lanes are owned now."""
        ...
