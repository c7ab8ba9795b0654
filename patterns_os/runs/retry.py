"""What happens after a failed run: wait, retry smaller, set a record aside, or stop.

The rules, first match wins (DESIGN 3.5, 3.6):

    the machinery died                 → again soon, costs the author nothing; the sixth death in a row at one
                                         record counts as the record's failure
    the world or the configuration     → the lane waits, longer each time; nothing is set aside
    outside any record                 → the lane waits; nothing is set aside
    after the loop, many records       → the first half of them alone
    at a record that has others before → the others first, then that record alone
    at a record alone                  → again after 1 s, 10 s, 60 s; then set aside, and on with the rest
    the same, a row was refused        → set aside at once: the row would be refused again
    three set aside in a row           → the lane is failing: nothing more is set aside, one record is tried
                                         again and again, ever more slowly
"""

from dataclasses import dataclass
from typing import Any, Literal

RETRY_DELAYS_S = (1.0, 10.0, 60.0)
LONGEST_DELAY_S = 300.0
DEATHS_FORGIVEN = 5
DEAD_IN_A_ROW = 3
_INFRASTRUCTURE_DELAYS_S = (0.0, 0.2, 1.0, 2.0, 5.0)

Family = Literal["node", "temporary", "permanent", "internal", "infrastructure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How and where a run failed.

    Attributes:
        family: Whose turn it is.
        table: Number of the streamed table whose record was open, `None` outside any record.
        stream: Name of the stream.
        position: The open record's position; after a loop, the last record's.
        first: The run's first position of that stream, minus one.
        yielded: How many records the run had been given.
        after_loop: The streams were used up when it failed.
        retry_after_s: The world asked us to wait so long.
        refused: A row did not fit the schema of its table, as it would not if it were tried again.
    """

    family: Family
    table: int | None = None
    stream: str = ""
    position: int | None = None
    first: int = 0
    yielded: int = 0
    after_loop: bool = False
    retry_after_s: float | None = None
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """What the lane has been through.

    Attributes:
        attempts: Failures in a row of what is tried now, before this one.
        deaths: Deaths of the machinery in a row.
        dead_in_row: Records set aside in a row.
        narrow: The narrowed range that this run had, or `None`.
        request_attempts: Failures of the request that this run served, `None` without a request.
    """

    attempts: int = 0
    deaths: int = 0
    dead_in_row: int = 0
    narrow: dict[str, Any] | None = None
    request_attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record to be set aside."""

    table: int
    stream: str
    position: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The lane after the failure.

    Attributes:
        state: `idle`, `backoff` or `failing`.
        delay_s: Seconds until the next claim.
        narrow: The range of the next claim, `None` for all.
        held: A record to be set aside with its content, and gone past.
        request: `pending` to try the request again, `failed` to give it up, `None` without one.
        reason: Why, for people.
    """

    state: Literal["idle", "backoff", "failing"]
    delay_s: float
    attempts: int
    deaths: int
    dead_in_row: int
    narrow: dict[str, Any] | None
    held: Held | None = None
    request: Literal["pending", "failed"] | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give what the protocol function `fail_v1` takes."""
        held = self.held
        return {
            "lane": {
                "state": self.state,
                "delay_s": self.delay_s,
                "attempts": self.attempts,
                "deaths": self.deaths,
                "dead_in_row": self.dead_in_row,
                "narrow": self.narrow,
            },
            "held": None
            if held is None
            else {
                "table": held.table,
                "stream": held.stream,
                "position": held.position,
                "attempts": held.attempts,
            },
            "request": self.request,
        }


def decide_retry(
    failure: Failure, lane: LaneFacts, *, retries: int, on_error: Literal["hold", "stop"], jitter: float = 0.0
) -> Decision:
    """Decide what happens after a failed run.

    Args:
        failure: What went wrong.
        lane: The lane before it.
        retries: How often a record is tried again.
        on_error: `hold` sets a dead record aside, `stop` waits at it.
        jitter: In [0, 1): spreads delays by up to 10 %.
    """
    if failure.family == "infrastructure":
        if lane.deaths < DEATHS_FORGIVEN or failure.position is None:
            return _after_death(lane, jitter)
    elif failure.family != "node" or failure.position is None or failure.table is None:
        return _outside(failure, lane, retries, jitter)
    if failure.after_loop and failure.yielded > 1:
        return _half(failure, lane)
    if not failure.after_loop and failure.yielded > 1:
        return _others_first(failure, lane)
    return _at_record(failure, lane, retries, on_error, jitter)


def delay_after(attempts: int, jitter: float = 0.0) -> float:
    """Give the seconds to wait after so many failures in a row (1 or more)."""
    if attempts <= len(RETRY_DELAYS_S):
        delay = RETRY_DELAYS_S[attempts - 1]
    else:
        delay = RETRY_DELAYS_S[-1] * 2.0 ** (attempts - len(RETRY_DELAYS_S))
    return min(delay, LONGEST_DELAY_S) * (1.0 + 0.1 * jitter)


def _after_death(lane: LaneFacts, jitter: float) -> Decision:
    step = min(lane.deaths, len(_INFRASTRUCTURE_DELAYS_S) - 1)
    return Decision(
        state="idle",
        delay_s=_INFRASTRUCTURE_DELAYS_S[step] * (1.0 + 0.1 * jitter),
        attempts=lane.attempts,
        deaths=lane.deaths + 1,
        dead_in_row=lane.dead_in_row,
        narrow=lane.narrow,
        request=None if lane.request_attempts is None else "pending",
        reason="the machinery died; the author's retries are not used up",
    )


def _outside(failure: Failure, lane: LaneFacts, retries: int, jitter: float) -> Decision:
    """The lane waits. A request that keeps failing in the author's code is given up."""
    attempts = lane.attempts + 1
    delay = failure.retry_after_s or delay_after(attempts, jitter)
    if lane.request_attempts is not None:
        attempts = lane.request_attempts + 1
        delay = failure.retry_after_s or delay_after(attempts, jitter)
        if attempts > retries:
            return Decision(
                state="idle",
                delay_s=0.0,
                attempts=0,
                deaths=0,
                dead_in_row=lane.dead_in_row,
                narrow=lane.narrow,
                request="failed",
                reason=f"the request failed {attempts} times",
            )
    return Decision(
        state="backoff",
        delay_s=delay,
        attempts=attempts,
        deaths=0,
        dead_in_row=lane.dead_in_row,
        narrow=lane.narrow,
        request=None if lane.request_attempts is None else "pending",
        reason="outside any record: nothing is set aside",
    )


def _half(failure: Failure, lane: LaneFacts) -> Decision:
    assert failure.position is not None  # noqa: S101 - the caller has looked
    middle = failure.first + (failure.position - failure.first) // 2 + 1
    return Decision(
        state="idle",
        delay_s=0.0,
        attempts=0,
        deaths=0,
        dead_in_row=lane.dead_in_row,
        narrow={"table": failure.table, "stream": failure.stream, "before": middle},
        request=None if lane.request_attempts is None else "pending",
        reason="failed after the loop: the first half alone",
    )


def _others_first(failure: Failure, lane: LaneFacts) -> Decision:
    return Decision(
        state="idle",
        delay_s=0.0,
        attempts=1,
        deaths=0,
        dead_in_row=lane.dead_in_row,
        narrow={"table": failure.table, "stream": failure.stream, "before": failure.position},
        request=None if lane.request_attempts is None else "pending",
        reason="what came before the bad record first",
    )


def _at_record(
    failure: Failure, lane: LaneFacts, retries: int, on_error: Literal["hold", "stop"], jitter: float
) -> Decision:
    assert failure.position is not None  # noqa: S101 - the caller has looked
    assert failure.table is not None  # noqa: S101 - the caller has looked
    attempts = lane.attempts + 1
    request: Literal["pending", "failed"] | None = None if lane.request_attempts is None else "pending"
    # After a loop the record is only the likely cause: one is set aside on that suspicion, not three.
    failing = lane.dead_in_row >= (1 if failure.after_loop else DEAD_IN_A_ROW)
    is_used_up = attempts > retries or failure.refused
    if is_used_up and on_error == "hold" and not failing:
        return Decision(
            state="idle",
            delay_s=0.0,
            attempts=0,
            deaths=0,
            dead_in_row=lane.dead_in_row + 1,
            narrow=None,
            held=Held(
                table=failure.table, stream=failure.stream, position=failure.position, attempts=attempts
            ),
            request=request,
            reason=_set_aside(failure, attempts),
        )
    return Decision(
        state="failing" if is_used_up else "backoff",
        delay_s=failure.retry_after_s or delay_after(attempts, jitter),
        attempts=attempts,
        deaths=0,
        dead_in_row=lane.dead_in_row,
        narrow={"table": failure.table, "stream": failure.stream, "alone": failure.position},
        request=request,
        reason="the record alone, later",
    )


def _set_aside(failure: Failure, attempts: int) -> str:
    if failure.refused:
        return "a row of the record was refused, and the record is set aside"
    return f"the record failed {attempts} times and is set aside"
