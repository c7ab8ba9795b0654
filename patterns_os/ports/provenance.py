"""Where a row comes from and who has taken it: values that commands print. All read only.

A tree upwards: a row was written by a commit of a run, the run took ranges of its inputs, the rows there were written
by commits, up to the deliveries of webhooks. It ends after so many steps: what is left out is counted, never dropped
silently.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RowState = Literal["there", "replaced", "gone"]
TakenState = Literal[
    "taken", "read", "running", "waiting", "held", "given-up", "replaced", "passed", "forgotten", "retired"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReference:
    """A run, by what tells it apart.

    Attributes:
        version: Hash of the app's version that it ran.
        reason: `rows`, `retry`, `cron`, `manual`, `again` or `resume`.
        state: `running`, `done`, `failed` or `lost`.
    """

    run: int
    node: str
    version: str
    reason: str
    state: str
    attempt: int
    launcher: str
    claimed_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReference:
    """A delivery of a webhook; `repeats` is the one that it replays, if any."""

    delivery: int
    webhook: str
    at: datetime
    verdict: str
    repeats: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """A commit: who wrote a block of rows.

    Attributes:
        table: Where.
        first: Its first position.
        last: Its last position.
        kind: `append`, `upsert`, `replace` or `reset`.
        version: Number of the table's version that the rows belong to.
        run_number: The run's number, `None` where no run wrote.
        run: The run, `None` where no run wrote or its record is not kept any more.
        delivery: Of a webhook, `None` where none wrote or it is not kept any more.
        inputs: What the run took.
        left_out: How many inputs are not followed: the tree ends here.
    """

    table: str
    first: int
    last: int
    kind: str
    version: int
    at: datetime
    run_number: int | None
    run: RunReference | None
    delivery: DeliveryReference | None
    inputs: tuple["RangeReport", ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeReport:
    """Rows that a run took of a table.

    Attributes:
        access: `stream`: it took these rows; `read`: it saw the table as it was up to `upto`; `held`: it took the
            one record that had been set aside.
        after: The rows after this position,
        upto: up to this one.
        rows: How many of them are still there; `None`: more than are counted.
        exact: Whether the commit took these and no others. Else it is the range that its run began with: a run
            that was stopped early has taken the beginning of it.
        patterns_id: Of the row, if it is one.
        writes: Who wrote them.
        more: How many further commits wrote them, at least.
    """

    table: str
    access: Literal["stream", "read", "held"]
    after: int
    upto: int
    rows: int | None
    exact: bool
    patterns_id: str | None = None
    writes: tuple[WriteReport, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenReport:
    """What a node that reads the table has done with the row.

    Attributes:
        state: `taken` by `run`; `read`: `run` is the first that saw it in the whole table; `running`: `run` has it
            now; `waiting`: not yet, the cursor is before it; `held`: set aside; `given-up`: `run` failed at it and
            the node went past it; `replaced` before it was taken; `passed` by no run, as it had come round too often;
            `forgotten`: by a run whose record is not kept any more; `retired`: not taken, and the node is gone.
        stream: Name of the further stream, empty for the first.
        run: See `state`.
        cursor: How far the node has got; for tables that it reads, the watermark that it saw.
        held: Number of the held record.
        again: The run that took the row when it was delivered again.
    """

    node: str
    stream: str
    access: str
    state: TakenState
    cursor: int
    is_retired: bool
    run: RunReference | None = None
    held: int | None = None
    again: RunReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProvenance:
    """A row: who wrote it from what, and who has taken it.

    Attributes:
        state: `there`; `replaced`: in an older version of the table; `gone`: deleted, or a newer row with its key
            has taken its place.
        active_version: Number of the table's active version, and
        active_since: when its first commit was made.
    """

    table: str
    patterns_id: str
    position: int
    watermark: int
    state: RowState
    active_version: int
    active_since: datetime
    written: WriteReport
    taken: tuple[TakenReport, ...]

    def deliveries(self) -> list[DeliveryReference]:
        """Give the deliveries that began it, as far as the tree goes back, each once, the oldest first."""
        found = {one.delivery: one for one in _deliveries(self.written)}
        return [found[number] for number in sorted(found)]


def _deliveries(write: WriteReport) -> Iterator[DeliveryReference]:
    if write.delivery is not None:
        yield write.delivery
    for given in write.inputs:
        for before in given.writes:
            yield from _deliveries(before)
