"""Schedules as rows; a tick becomes a request with a key of its own."""

from datetime import UTC, datetime

from patterns_os.adapters.postgres.claims import Link
from patterns_os.ports.schedules import DueTick


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
        rows = await self._link.rows(
            "select s.node, n.name, s.expression, s.timezone, s.next_at as tick, clock_timestamp() as now "
            "from patterns_os.schedules s join patterns_os.nodes n on n.id = s.node "
            "where n.app = %s and n.retired_at is null and s.next_at <= clock_timestamp() order by s.next_at",
            (self._app,),
        )
        return [
            DueTick(**{**row, "tick": row["tick"].astimezone(UTC), "now": row["now"].astimezone(UTC)})
            for row in rows
        ]

    async def fire(self, tick: DueTick, key: str, following: datetime) -> bool:
        """Request the tick's run and move to the following tick."""
        rows = await self._link.rows(
            "with moved as (update patterns_os.schedules set next_at = %s "
            "  where node = %s and next_at = %s returning node), "
            "asked as (insert into patterns_os.requests (app, node, kind, key, payload) "
            "  select %s, node, 'cron', %s, jsonb_build_object('tick', %s::text) from moved "
            "  on conflict (node, key) do nothing returning id) "
            "select exists (select 1 from asked) as first",
            (following, tick.node, tick.tick, self._app, key, tick.tick.isoformat()),
        )
        return bool(rows[0]["first"])

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
