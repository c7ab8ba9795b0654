"""Ticks of a stretch of time: what became of them, and requests for their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.adapters.postgres.wakeups import notify
from patterns_os.ports.schedules import Scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSchedule:
    """The cron of a node, those before it, and its next tick."""

    node: int
    current: Scheduled
    former: tuple[Scheduled, ...]
    next_at: datetime


def node_schedule(conninfo: str, app: int, node: str) -> NodeSchedule | None:
    """Give the cron of a node and those before it, `None` if it has none now."""
    with connect(conninfo) as connection, translated():
        row = connection.execute(
            "select s.node, s.expression, s.timezone, s.since, s.next_at from patterns_os.schedules s "
            "join patterns_os.nodes n on n.id = s.node where n.app = %s and n.name = %s and n.retired_at is null",
            (app, node),
        ).fetchone()
        if row is None:
            return None
        former = connection.execute(
            "select expression, timezone, since, until from patterns_os.former_schedules "
            "where node = %s order by since",
            (row["node"],),
        ).fetchall()
    number, next_at = row.pop("node"), row.pop("next_at")
    return NodeSchedule(
        node=number,
        current=Scheduled(**row),
        former=tuple(Scheduled(**part) for part in former),
        next_at=next_at.astimezone(UTC),
    )


def tick_states(conninfo: str, node: int, first: datetime, last: datetime) -> dict[datetime, str]:
    """Give what became of the ticks from `first` to `last` that were requested."""
    with connect(conninfo) as connection, translated():
        rows = connection.execute(
            "select payload ->> 'tick' as tick, state from patterns_os.requests "
            "where node = %s and kind = 'cron' and payload ->> 'tick' between %s and %s",
            (node, first.astimezone(UTC).isoformat(), last.astimezone(UTC).isoformat()),
        ).fetchall()
    return {datetime.fromisoformat(row["tick"]): row["state"] for row in rows}


def request_ticks(
    conninfo: str, app: int, node: int, ticks: Mapping[str, datetime], states: Mapping[datetime, str]
) -> int:
    """Request the runs of ticks by their stable ids, in order; give how many were requested.

    A tick that somebody else has requested meanwhile is left to them.

    Args:
        conninfo: The database.
        app: The app's number.
        node: The node's number.
        ticks: By their ids.
        states: What became of them before, as the choice was made.
    """
    moments = [moment.astimezone(UTC).isoformat() for moment in ticks.values()]
    before: Sequence[str | None] = [states.get(moment) for moment in ticks.values()]
    with connect(conninfo) as connection, translated(), connection.transaction():
        rows = connection.execute(
            "with asked as (select * from unnest(%(keys)s::text[], %(ticks)s::text[], %(before)s::text[]) "
            "  with ordinality a(key, tick, before, place)), "
            "renewed as (update patterns_os.requests r set state = 'pending', attempts = 0, "
            "  due_at = now() from asked a where r.node = %(node)s and r.kind = 'cron' "
            "  and r.payload ->> 'tick' = a.tick and r.state = a.before returning r.id), "
            "added as (insert into patterns_os.requests (app, node, kind, key, payload, due_at) "
            "  select %(app)s, %(node)s, 'cron', a.key, jsonb_build_object('tick', a.tick), now() "
            "  from asked a where a.before is null order by a.place on conflict (node, key) do nothing "
            "  returning id) select id from renewed union all select id from added",
            {"app": app, "node": node, "keys": list(ticks), "ticks": moments, "before": before},
        ).fetchall()
    notify(conninfo, app)
    return len(rows)
