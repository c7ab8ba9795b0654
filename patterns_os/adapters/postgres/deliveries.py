"""Deliveries over the protocol function `ingest_v3`."""

import asyncio
from collections.abc import Mapping, Sequence

import orjson
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.claims import Link
from patterns_os.errors import PatternsError
from patterns_os.ports.deliveries import Received, Stored
from patterns_os.rows.casting import held_form
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.columns import infer_column_types
from patterns_os.rows.types import ColumnType, parse_type

# Anybody can send what is refused: of each webhook the newest are kept, and the beginning of their bodies.
MOST_REFUSED = 1_000
MOST_REFUSED_BYTES = 65_536
_REFUSED_BETWEEN = 64
_COLUMN_TRIES = 3
_FORGET_REFUSED = (
    "delete from patterns_os.deliveries where id in (select id from patterns_os.deliveries "
    "where app = %s and webhook = %s and status <> 'accepted' and (verdict = 'refused' or not whole) "
    "order by id desc offset %s)"
)


class PostgresDeliveries:
    """Deliveries of one app; see `ports.deliveries`. Columns of tables are remembered between calls."""

    def __init__(self, conninfo: str, app: int) -> None:
        self._app = app
        self._link = Link(conninfo)
        # What is rejected never makes those wait whose rows are stored.
        self._aside = Link(conninfo)
        self._columns: dict[int, dict[str, ColumnType]] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()
        await self._aside.close()

    async def store(self, webhook: str, table: int, received: Sequence[Received]) -> list[Stored]:
        """Store requests with their rows in one transaction, those that came before excepted."""
        rows = [row for request in received for row in request.rows]
        columns = await self._columns_for(table, rows)
        encoded = RowCodec(columns).json_rows(rows)
        used = {key for row in encoded for key in row}
        answer = await self._link.rows(
            "select patterns_os.ingest_v3(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) as stored",
            (
                self._app,
                webhook,
                table,
                [request.body for request in received],
                [_json(_about(request)) for request in received],
                [request.key for request in received],
                [len(request.rows) for request in received],
                [name for name in columns if name in used],
                _json(encoded),
                _json(
                    [
                        {"delivery": place, **held_form(refused)}
                        for place, request in enumerate(received, start=1)
                        for refused in request.refused
                    ]
                ),
            ),
        )
        return [Stored(delivery=one["delivery"], before=one["answer"]) for one in answer[0]["stored"]]

    async def reject(self, webhook: str, received: Received, reason: str) -> None:
        """Store a request that makes no rows."""
        body = received.body[:MOST_REFUSED_BYTES] if received.is_anybodys else received.body
        stored = await self._aside.rows(
            "insert into patterns_os.deliveries "
            "(app, webhook, status, reason, headers, query, verdict, secret, whole, repeats, body) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id",
            (
                self._app,
                webhook,
                "refused" if received.verdict == "refused" else "rejected",
                reason,
                _json(dict(received.headers)),
                received.query,
                received.verdict,
                received.secret,
                received.whole and len(body) == len(received.body),
                received.repeats,
                body,
            ),
        )
        if received.is_anybodys and stored[0]["id"] % _REFUSED_BETWEEN == 0:
            await self._aside.rows(_FORGET_REFUSED, (self._app, webhook, MOST_REFUSED))

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


def _about(request: Received) -> dict[str, object]:
    about: dict[str, object] = {"headers": dict(request.headers), "verdict": request.verdict}
    if request.query:
        about["query"] = request.query
    if request.secret is not None:
        about["secret"] = request.secret
    if request.repeats is not None:
        about["repeats"] = request.repeats
    if request.key is not None:
        about["answer"] = dict(request.answer)
    return about


def _json(value: object) -> Jsonb:
    return Jsonb(value, dumps=orjson.dumps)
