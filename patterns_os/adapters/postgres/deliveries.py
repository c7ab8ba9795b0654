"""Deliveries over the protocol function `ingest_v2`."""

import asyncio
from collections.abc import Mapping, Sequence

import orjson
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.claims import Link
from patterns_os.errors import PatternsError
from patterns_os.ports.deliveries import Received
from patterns_os.rows.casting import held_form
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.columns import infer_column_types
from patterns_os.rows.types import ColumnType, parse_type

_COLUMN_TRIES = 3


class PostgresDeliveries:
    """Deliveries of one app; see `ports.deliveries`. Columns of tables are remembered between calls."""

    def __init__(self, conninfo: str, app: int) -> None:
        self._app = app
        self._link = Link(conninfo)
        self._columns: dict[int, dict[str, ColumnType]] = {}

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    async def store(self, webhook: str, table: int, received: Sequence[Received]) -> int:
        """Store requests with their rows in one transaction."""
        rows = [row for request in received for row in request.rows]
        columns = await self._columns_for(table, rows)
        encoded = RowCodec(columns).json_rows(rows)
        used = {key for row in encoded for key in row}
        answer = await self._link.rows(
            "select patterns_os.ingest_v2(%s, %s, %s, %s, %s, %s, %s, %s, %s) as last",
            (
                self._app,
                webhook,
                table,
                [request.body for request in received],
                [Jsonb(dict(request.headers), dumps=orjson.dumps) for request in received],
                [len(request.rows) for request in received],
                [name for name in columns if name in used],
                Jsonb(encoded, dumps=orjson.dumps),
                Jsonb(
                    [
                        {"delivery": place, **held_form(refused)}
                        for place, request in enumerate(received, start=1)
                        for refused in request.refused
                    ],
                    dumps=orjson.dumps,
                ),
            ),
        )
        return int(answer[0]["last"])

    async def reject(self, webhook: str, received: Received, reason: str) -> None:
        """Store a request that makes no rows."""
        await self._link.rows(
            "insert into patterns_os.deliveries (app, webhook, status, reason, headers, body) "
            "values (%s, %s, 'rejected', %s, %s, %s)",
            (self._app, webhook, reason, Jsonb(dict(received.headers), dumps=orjson.dumps), received.body),
        )

    async def _columns_for(self, table: int, rows: Sequence[Mapping[str, object]]) -> dict[str, ColumnType]:
        """Give the table's columns, laying those that these rows need where nobody is in the way."""
        if table not in self._columns:
            answer = await self._link.rows("select patterns_os.columns_v1(%s) as columns", (table,))
            self._remember(table, answer[0]["columns"])
        new = infer_column_types(rows, self._columns[table])
        for attempt in range(_COLUMN_TRIES if new else 0):
            try:
                answer = await self._link.rows(
                    "select patterns_os.add_columns_v1(%s, %s) as columns",
                    (table, Jsonb([[name, kind.sql] for name, kind in new.items()], dumps=orjson.dumps)),
                )
            except PatternsError:
                # Somebody reads the table for long: the values travel in patterns_more, nobody waits.
                await asyncio.sleep(0.02 * (attempt + 1))
                continue
            self._remember(table, answer[0]["columns"])
            break
        return self._columns[table]

    def _remember(self, table: int, described: Sequence[Mapping[str, str]]) -> None:
        known = ((column["name"], parse_type(column["type"])) for column in described)
        self._columns[table] = {name: kind for name, kind in known if kind is not None}
