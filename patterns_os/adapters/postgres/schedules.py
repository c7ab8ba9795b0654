"""Schedules as rows; a tick becomes a request with a key of its own."""

from datetime import UTC, datetime
from typing import Any

from patterns_os.adapters.postgres.claims import Link
from patterns_os.ports.schedules import DueTick, FiredTicks, Scheduled

_DUE = (
    "select s.node, n.name, s.expression, s.timezone, s.next_at as tick, clock_timestamp() as now, s.since, "
    "s.catchup, s.overlap, (select jsonb_agg(jsonb_build_object('expression', f.expression, "
    "  'timezone', f.timezone, 'since', f.since, 'until', f.until) order by f.since) "
    "  from patterns_os.former_schedules f where f.node = s.node and f.until >= s.next_at) as former "
    "from patterns_os.schedules s join patterns_os.nodes n on n.id = s.node "
    "where n.app = %s and n.retired_at is null and s.next_at <= clock_timestamp() order by s.next_at, s.node"
)
_FIRE = (
    "with moved as (update patterns_os.schedules set next_at = %(following)s, missed = missed + %(missed)s, "
    "  missed_at = coalesce(%(last_missed)s, missed_at) "
    "  where node = %(node)s and next_at = %(tick)s returning node, overlap), "
    "busy as (select 1 from moved where overlap = 'skip' and ("
    "  exists (select 1 from patterns_os.lanes l where l.node = moved.node and l.run is not null) "
    "  or exists (select 1 from patterns_os.requests r where r.node = moved.node and r.kind = 'cron' "
    "             and r.state = 'pending'))), "
    "asked as (insert into patterns_os.requests (app, node, kind, key, payload, state) "
    "  select %(app)s, moved.node, 'cron', run.key, jsonb_build_object('tick', run.tick), "
    "  case when exists (select 1 from busy) then 'skipped' else 'pending' end "
    "  from moved, unnest(%(keys)s::text[], %(ticks)s::text[]) with ordinality run(key, tick, place) "
    "  order by run.place on conflict (node, key) do nothing returning state), "
    "told as (insert into patterns_os.logs (app, node, stream, line) "
    "  select %(app)s, node, 'stdout', %(line)s::text from moved where %(line)s::text is not null) "
    "select count(*) as count from asked where state = 'pending'"
)


class PostgresSchedules:
    """The schedules of one app; see `ports.schedules`."""

    def __init__(self, conninfo: str, app: int) -> None:
        self._app = app
        self._link = Link(conninfo)

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def due(self) -> list[DueTick]:
        """Give the schedules whose next tick is not in the future."""
        return [_due_tick(row) for row in await self._link.rows(_DUE, (self._app,))]

    async def fire(self, tick: DueTick, fired: FiredTicks) -> int:
        """Request the runs of ticks and move to the following one."""
        rows = await self._link.rows(
            _FIRE,
            {
                "app": self._app,
                "node": tick.node,
                "tick": tick.tick,
                "following": fired.following,
                "missed": fired.missed,
                "last_missed": fired.last_missed,
                "keys": list(fired.runs),
                "ticks": [moment.isoformat() for moment in fired.runs.values()],
                "line": fired.line,
            },
        )
        return int(rows[0]["count"])

    async def next_in(self) -> float | None:
        """Give the seconds until the next tick."""
        rows = await self._link.rows(
            "select extract(epoch from min(s.next_at) - clock_timestamp())::float8 as wait "
            "from patterns_os.schedules s join patterns_os.nodes n on n.id = s.node "
            "where n.app = %s and n.retired_at is null",
            (self._app,),
        )
        wait = rows[0]["wait"]
        return None if wait is None else max(0.0, float(wait))


def _due_tick(row: dict[str, Any]) -> DueTick:
    former = tuple(
        Scheduled(
            expression=part["expression"],
            timezone=part["timezone"],
            since=datetime.fromisoformat(part["since"]).astimezone(UTC),
            until=datetime.fromisoformat(part["until"]).astimezone(UTC),
        )
        for part in row["former"] or ()
    )
    moments = {name: row[name].astimezone(UTC) for name in ("tick", "now", "since")}
    return DueTick(**{**row, **moments, "former": former})
