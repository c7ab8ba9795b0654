"""Claims over the protocol functions, on connections that come back by themselves."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.connect import connect_async, translated
from patterns_os.ports.claims import Claim, ClaimedInput, LogLine, OwnedLane
from patterns_os.runs.retry import Decision


class Link:
    """One connection, opened on use, closed on trouble, opened again on the next use. One call at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[DictRow] | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        """Lend the connection; errors leave as errors of ours."""
        async with self._turn:
            if self._connection is None or self._connection.closed:
                self._connection = await connect_async(self._conninfo)
            try:
                with translated():
                    yield self._connection
            except BaseException:
                if self._connection.closed or self._connection.info.transaction_status != 0:
                    await self.close()
                raise

    async def rows(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[DictRow]:
        """Run one statement of ours and give its rows."""
        async with self.use() as connection:
            cursor = await connection.execute(statement.encode(), parameters)
            return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


class PostgresClaims:
    """The claims of one app; see `ports.claims`. Claiming, and telling, go over two connections."""

    def __init__(self, conninfo: str, app: int) -> None:
        self._app = app
        self._work = Link(conninfo)
        self._tell = Link(conninfo)

    async def close(self) -> None:
        """Close both connections."""
        await self._work.close()
        await self._tell.close()

    async def register(self, launcher: str, kind: str, host: str, pid: int) -> None:
        """Make the launcher known."""
        await self._tell.rows(
            "insert into patterns_os.launchers (id, app, kind, host, pid) values (%s, %s, %s, %s, %s) "
            "on conflict (id) do nothing",
            (launcher, self._app, kind, host, pid),
        )

    async def claim(self, version: int, launcher: str, most: int) -> list[Claim]:
        """Take up to `most` runs that are due."""
        rows = await self._work.rows(
            "select * from patterns_os.claim_v1(%s, %s, %s, %s)", (self._app, version, launcher, most)
        )
        return [_claim(row) for row in rows]

    async def fail(self, run: int, token: int, decision: Decision, error: Mapping[str, Any]) -> None:
        """End a run that failed, as decided."""
        body = {**decision.to_json(), "error": dict(error)}
        await self._work.rows("select patterns_os.fail_v1(%s, %s, %s)", (run, token, _json(body)))

    async def beat(self, launcher: str) -> set[int]:
        """Show that the launcher lives."""
        rows = await self._tell.rows("select patterns_os.beat_v1(%s, %s) as runs", (self._app, launcher))
        return set(rows[0]["runs"])

    async def log(self, lines: Sequence[LogLine]) -> None:
        """Keep lines that nodes printed. NUL and lone surrogates are shown escaped."""
        body = [
            {
                "node": line.node,
                "run": line.run,
                "stream": line.stream,
                "line": line.line.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode(),
                "at": line.at.isoformat(),
            }
            for line in lines
        ]
        await self._tell.rows("select patterns_os.log_v1(%s, %s)", (self._app, _json(body)))

    async def owned_lanes(self) -> list[OwnedLane]:
        """Give all lanes that are owned."""
        rows = await self._tell.rows(
            "select l.node, l.lane, l.token, l.beat, l.launcher, coalesce(w.kind, '') as launcher_kind "
            "from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node "
            "left join patterns_os.launchers w on w.id = l.launcher "
            "where n.app = %s and l.run is not null",
            (self._app,),
        )
        return [OwnedLane(**row) for row in rows]

    async def rescue(self, lanes: Sequence[OwnedLane]) -> int:
        """Take lanes away from launchers that are gone."""
        wanted = [{"node": lane.node, "lane": lane.lane, "token": lane.token} for lane in lanes]
        rows = await self._tell.rows(
            "select patterns_os.rescue_v1(%s, %s) as taken", (self._app, _json(wanted))
        )
        return int(rows[0]["taken"])

    async def retry_now(self) -> None:
        """Let lanes that wait for the world or the configuration try at once."""
        await self._tell.rows("select patterns_os.retry_now_v1(%s)", (self._app,))

    async def collect(self, most: int) -> int:
        """Take away what nobody needs any more."""
        rows = await self._tell.rows("select patterns_os.collect_v1(%s, %s) as gone", (self._app, most))
        return int(rows[0]["gone"])

    async def next_wait(self) -> float | None:
        """Give the seconds until a lane or request that waits is due."""
        rows = await self._tell.rows(
            "select extract(epoch from min(due) - clock_timestamp())::float8 as wait from ("
            "  select l.not_before as due from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node "
            "  where n.app = %s and n.retired_at is null and l.run is null and l.not_before is not null "
            "    and l.state not in ('paused', 'stopped') "
            "  union all select r.due_at from patterns_os.requests r join patterns_os.nodes n on n.id = r.node "
            "  where n.app = %s and n.retired_at is null and r.state = 'pending') waiting",
            (self._app, self._app),
        )
        wait = rows[0]["wait"]
        return None if wait is None else max(0.0, float(wait))

    async def busy(self) -> int:
        """Give how many lanes are owned now."""
        rows = await self._tell.rows(
            "select count(*)::int as n from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node "
            "where n.app = %s and l.run is not null",
            (self._app,),
        )
        return int(rows[0]["n"])


def _claim(row: DictRow) -> Claim:
    inputs = tuple(
        ClaimedInput(start=given.pop("from"), **given)
        for given in (dict(given) for given in row.pop("inputs"))
    )
    return Claim(inputs=inputs, **row)


def _json(body: Any) -> Jsonb:  # noqa: ANN401 - any JSON value
    return Jsonb(body, dumps=orjson.dumps)
