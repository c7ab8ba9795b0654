"""What is due, and why a node does or does not run: decided from facts, without looking anywhere.

`is_due` says the same as the claim in the database (`claim_v1` and `is_due` in `sql/functions.sql`); a
property test compares the two. `explain` puts that decision into words: nothing is told that is not done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

State = Literal[
    "not-deployed", "retired", "receiving", "running", "paused", "backoff", "failing", "due", "waiting",
    "cron", "manual",
]  # fmt: skip
_Cause = tuple[State, str, str | None]

_RESTING = frozenset({"paused", "stopped"})
_TICK_STATES = {
    "pending": "waits for its run",
    "running": "runs now",
    "done": "has run",
    "failed": "has failed",
    "skipped": "left out, another one was running or waiting",
}
# In these nothing else is wrong: what is set aside is the thing to say.
_QUIET = frozenset({"waiting", "cron", "manual"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """A table that a node reads, and how far it has got.

    Attributes:
        watermark: The table's last position.
        moved: Whether the last successful run moved the cursor.
        active: Whether the deployed version still reads it.
        writers: Names of the nodes that write the table.
    """

    table: str
    access: Literal["stream", "read"]
    triggering: bool = True
    active: bool = True
    cursor: int = 0
    seen: int = 0
    moved: bool = False
    watermark: int = 0
    writers: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether it has rows that the node has not seen or not finished."""
        return self.watermark > self.seen or (
            self.access == "stream" and self.watermark > self.cursor and self.moved
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """A request that waits for its run."""

    kind: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """The lane of a node: what runs one at a time.

    Attributes:
        run: The run that owns it now.
        not_before: Nothing is claimed earlier.
        narrow: The narrowed range that is tried next, `None` for all.
        error: The last failure, until the next success.
    """

    state: str = "idle"
    run: int | None = None
    launcher: str | None = None
    claimed_at: datetime | None = None
    not_before: datetime | None = None
    attempts: int = 0
    narrow: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFacts:
    """What a webhook has received."""

    title: str
    accepted: int = 0
    rejected: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """All that decides whether a node is due.

    Attributes:
        now: The database's clock when the facts were read.
        when: Whether any or all triggering inputs must be new.
        requests: The pending ones.
        next_tick: Of its cron, `None` without one.
        timezone: IANA name of the zone that its cron is read in.
        catchup: What its cron says of missed ticks.
        last_tick: The newest one that was requested or left out, and what became of it: `done`, `skipped`, …
        missed: How many ticks of its cron nothing ran for.
        missed_at: The newest of them.
        served_by: The command that runs the app now, `None` if nothing does.
        held: How many records of it are set aside.
        webhook: What it has received, for webhooks.
        silent_webhooks: Titles of webhooks without a delivery that write into the node's inputs.
        failing_upstream: Names of nodes that write into its inputs and are failing or backing off.
    """

    node: str
    now: datetime
    kind: str = "python"
    deployed: bool = True
    retired: bool = False
    when: Literal["any", "all"] = "any"
    lane: LaneState = LaneState()
    inputs: tuple[InputFacts, ...] = ()
    requests: tuple[RequestFacts, ...] = ()
    next_tick: datetime | None = None
    cron: str | None = None
    timezone: str = "UTC"
    catchup: str = "last"
    last_tick: tuple[datetime, str] | None = None
    missed: int = 0
    missed_at: datetime | None = None
    served_by: str | None = None
    held: int = 0
    webhook: WebhookFacts | None = None
    silent_webhooks: tuple[str, ...] = ()
    failing_upstream: tuple[str, ...] = ()

    @classmethod
    def undeployed(cls, node: str) -> "NodeFacts":
        """Give what is known of a node whose app was never deployed: nothing."""
        return cls(node=node, now=datetime.min.replace(tzinfo=UTC), deployed=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a node does what it does.

    Attributes:
        cause: One line.
        details: What else helps, a line each.
        hint: One thing to do, or `None`.
    """

    node: str
    state: State
    due: bool
    cause: str
    details: tuple[str, ...] = ()
    hint: str | None = None


def is_due(facts: NodeFacts) -> bool:
    """Tell whether a launcher that asks now gets a run of the node."""
    lane = facts.lane
    return (
        facts.deployed
        and not facts.retired
        and facts.kind != "webhook"
        and lane.run is None
        and lane.state not in _RESTING
        and (lane.not_before is None or lane.not_before <= facts.now)
        and (lane.narrow is not None or _has_work(facts))
    )


def explain(facts: NodeFacts) -> Explanation:
    """Say in one line why the node runs, waits or fails, with a few lines more."""
    state, cause, hint = _cause(facts)
    if facts.held and state in _QUIET:
        cause = f"{cause}; {_count(facts.held, 'record')} set aside"
        hint = hint or "patterns held list"
    return Explanation(
        node=facts.node,
        state=state,
        due=is_due(facts),
        cause=cause,
        details=tuple(_details(facts, state)),
        hint=hint,
    )


def length(seconds: float) -> str:
    """Give a length of time in words: `0.4 s`, `12 s`, `3 min`, `5 h`, `9 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def _has_work(facts: NodeFacts) -> bool:
    return _due_request(facts) is not None or _has_new_inputs(facts)


def _due_request(facts: NodeFacts) -> RequestFacts | None:
    ready = [request for request in facts.requests if request.due_at <= facts.now]
    return min(ready, key=lambda request: request.due_at, default=None)


def _has_new_inputs(facts: NodeFacts) -> bool:
    new = [given.is_new for given in _triggering(facts)]
    return bool(new) and (all(new) if facts.when == "all" else any(new))


def _triggering(facts: NodeFacts) -> list[InputFacts]:
    return [given for given in facts.inputs if given.active and given.triggering]


def _cause(facts: NodeFacts) -> _Cause:
    """Give state, line and hint: the first of these that says anything."""
    found = _gone(facts) or _receiving(facts) or _occupied(facts) or _resting(facts)
    return found or (_due(facts) if is_due(facts) else _waiting(facts))


def _gone(facts: NodeFacts) -> _Cause | None:
    if not facts.deployed:
        return "not-deployed", "not deployed yet: no version of the app with it has run", "patterns dev"
    if facts.retired:
        return "retired", "retired: the deployed version has no such node; its place is kept", None
    return None


def _occupied(facts: NodeFacts) -> _Cause | None:
    if facts.lane.run is None:
        return None
    began = facts.lane.claimed_at
    since = "" if began is None else f" since {length(_seconds(facts, began))}"
    holder = ""
    if facts.lane.launcher is not None:
        alone = "" if facts.served_by else "; nothing runs the app here now"
        holder = f", held by launcher {facts.lane.launcher}{alone}"
    cause = f"running{since}: run {facts.lane.run}{holder}"
    return "running", cause, f"patterns logs {_word(facts.node)} -f"


def _resting(facts: NodeFacts) -> _Cause | None:
    lane = facts.lane
    if lane.state in _RESTING:
        return "paused", f"{lane.state}: nothing is claimed until it is resumed", None
    if lane.not_before is not None and lane.not_before > facts.now:
        return _backing_off(facts, lane.not_before)
    return None


def _receiving(facts: NodeFacts) -> _Cause | None:
    if facts.kind != "webhook":
        return None
    webhook = facts.webhook or WebhookFacts(title=facts.node)
    if webhook.accepted == 0:
        return (
            "receiving",
            "waits for its first delivery" + ("" if facts.served_by else "; nothing listens now"),
            f"patterns webhook test --title {_word(webhook.title)} --data '{{…}}'",
        )
    ago = "" if webhook.last_at is None else f", the last {length(_seconds(facts, webhook.last_at))} ago"
    listens = "" if facts.served_by else "; nothing listens now"
    return "receiving", f"has had {_count(webhook.accepted, 'delivery', 'deliveries')}{ago}{listens}", None


def _backing_off(facts: NodeFacts, until: datetime) -> _Cause:
    again = f"again in {length(-_seconds(facts, until))}"
    error = facts.lane.error
    if error is None:
        return "backoff", f"waits between two runs, {again}", None
    state: State = "failing" if facts.lane.state == "failing" else "backoff"
    verb = "is failing" if state == "failing" else "fails"
    hint = str(error.get("hint") or f"patterns logs {_word(facts.node)}")
    return state, f"{verb} with {_message(error)}, {again}", hint


def _due(facts: NodeFacts) -> _Cause:
    request = _due_request(facts)
    if facts.lane.narrow is not None:
        error = facts.lane.error
        why = f"tries again after {_message(error)}" if error else "tries a smaller range after a failure"
    elif request is not None:
        why = f"a {request.kind} request waits since {length(_seconds(facts, request.due_at))}"
    else:
        why = "; ".join(_progress(given) for given in _triggering(facts) if given.is_new)
    if facts.served_by is None:
        return "due", f"due, and nothing runs the app: {why}", "patterns run, or patterns dev"
    return "due", f"due: {why}", None


def _waiting(facts: NodeFacts) -> _Cause:
    later = min((request.due_at for request in facts.requests), default=None)
    if later is not None:
        return "waiting", f"waits for a request that is due in {length(-_seconds(facts, later))}", None
    if facts.next_tick is not None:
        return _ticking(facts, facts.next_tick)
    triggering = _triggering(facts)
    if not triggering:
        return (
            "manual",
            "runs only when asked: it has no input that triggers it, and no cron",
            (f"patterns trigger {_word(facts.node)}"),
        )
    return "waiting", _missing_rows(facts, triggering), None


def _ticking(facts: NodeFacts, tick: datetime) -> _Cause:
    ahead = -_seconds(facts, tick)
    moment = tick.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if ahead < 0:
        late = f"its tick of {moment} is late by {length(-ahead)}"
        if facts.served_by is None:
            return "cron", f"{late}, and nothing runs the app", "patterns run, or patterns dev"
        return "cron", late, None
    idle = "" if facts.served_by else "; nothing runs the app now"
    return "cron", f"waits for its next tick, in {length(ahead)} ({moment}){idle}", None


def _missing_rows(facts: NodeFacts, triggering: list[InputFacts]) -> str:
    missing = [given for given in triggering if not given.is_new]
    text = "waits for new rows: " + "; ".join(_progress(given) for given in missing)
    if facts.failing_upstream:
        return f"{text}; upstream {_names(facts.failing_upstream)} is failing"
    if facts.silent_webhooks and all(given.watermark == 0 for given in missing):
        return f"{text}; upstream webhook {_names(facts.silent_webhooks)} has had no delivery"
    return text


def _details(facts: NodeFacts, state: State) -> Iterator[str]:
    if state in {"not-deployed", "retired"}:
        return
    yield from (_input_detail(given) for given in facts.inputs if given.active)
    if facts.cron is not None:
        yield f"cron {facts.cron}"
        yield from _tick_details(facts)
    yield from _lane_details(facts.lane, state)
    if facts.requests:
        kinds = ", ".join(request.kind for request in facts.requests[:5])
        yield f"{_count(len(facts.requests), 'request')} pending: {kinds}"
    if facts.held:
        yield f"{_count(facts.held, 'record')} set aside: patterns held list"
    if facts.webhook is not None and facts.webhook.rejected:
        yield f"{_count(facts.webhook.rejected, 'delivery', 'deliveries')} rejected"


def _tick_details(facts: NodeFacts) -> Iterator[str]:
    if facts.next_tick is not None:
        yield f"next tick {_moment(facts, facts.next_tick)}"
    if facts.last_tick is not None:
        tick, state = facts.last_tick
        yield f"last tick {_moment(facts, tick)}: {_TICK_STATES.get(state, state)}"
    if facts.missed:
        last = "" if facts.missed_at is None else f", the last {_moment(facts, facts.missed_at)}"
        yield f'{_count(facts.missed, "tick")} missed{last} (catchup "{facts.catchup}")'


def _moment(facts: NodeFacts, moment: datetime) -> str:
    """Give a tick as the clocks of its zone show it, and in UTC."""
    shown = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if facts.timezone == "UTC":
        return shown
    return f"{moment.astimezone(ZoneInfo(facts.timezone)):%Y-%m-%d %H:%M} {facts.timezone} ({shown})"


def _input_detail(given: InputFacts) -> str:
    kind = given.access if given.triggering else f"{given.access}, does not trigger"
    writers = f", written by {_names(given.writers)}" if given.writers else ""
    return f"input {_progress(given)} ({kind}){writers}"


def _lane_details(lane: LaneState, state: State) -> Iterator[str]:
    if lane.launcher is not None and state == "running":
        yield f"launcher {lane.launcher}"
    if lane.narrow is not None:
        yield _narrow_detail(lane.narrow)
    if lane.error is not None and state not in {"backoff", "failing"}:
        yield f"last failure: {_message(lane.error)}"
    if lane.attempts:
        yield f"{_count(lane.attempts, 'failure')} in a row"


def _narrow_detail(narrow: Mapping[str, Any]) -> str:
    if "alone" in narrow:
        return f"the record at position {narrow['alone']} is tried alone"
    return f"the records before position {narrow.get('before')} go first"


def _progress(given: InputFacts) -> str:
    if given.access == "stream":
        return f'"{given.table}": cursor {given.cursor} of watermark {given.watermark}'
    return f'"{given.table}": seen {given.seen} of watermark {given.watermark}'


def _message(error: Mapping[str, Any]) -> str:
    text = str(error.get("message") or error.get("code") or "an error").split("\n")[0]
    return f"{text} ({error['where']})" if error.get("where") else text


def _seconds(facts: NodeFacts, moment: datetime) -> float:
    """Give how long ago the moment was; less than zero if it is still to come."""
    return (facts.now - moment).total_seconds()


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _word(name: str) -> str:
    return f'"{name}"' if " " in name else name
