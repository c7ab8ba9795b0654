"""What is deployed and what was, read in transactions that can't write, from databases of any release."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.claims import Link
from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.plan.facts import ConsumerFacts, DeployedFacts, Expected, NodeFacts, TableFacts
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import DeployedVersion, Origin, Version
from patterns_os.rows.types import parse_type
from patterns_os.triggers.due import InputFacts

PLAN_OF_APP = (
    "select v.id, v.plan from patterns_os.apps a "
    "left join patterns_os.versions v on v.id = a.active where a.name = %s"
)


class PostgresVersions:
    """The versions in one database; see `ports.deployments.Versions`.

    Args:
        conninfo: Address with the rights of the database's owner.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def facts(self, app: str) -> DeployedFacts:
        """Give the deployed world of an app."""
        with self._reading() as connection:
            row = _app(connection, app)
            if row is None:
                return DeployedFacts()
            tables = connection.execute(_TABLES, (row["id"],)).fetchall()
            return DeployedFacts(
                deployment=row["active"],
                tables={table["name"]: _table(connection, row["schema_name"], table) for table in tables},
                nodes={node.pop("name"): NodeFacts(**node) for node in _nodes(connection, row["id"])},
                consumers=_consumers(connection, row["id"], row["schema_name"]),
            )

    def active(self, app: str) -> DeployedVersion | None:
        """Give the active version."""
        with self._reading() as connection:
            row = _app(connection, app)
            found = connection.execute(PLAN_OF_APP, (app,)).fetchone() if row is not None else None
            if row is None or found is None or found["plan"] is None:
                return None
            return _version(connection, row["id"], found)

    def find(self, app: str, wanted: str) -> DeployedVersion:
        """Give a version by its number or the first digits of its hash."""
        with self._reading() as connection:
            row = _app(connection, app)
            rows = connection.execute(_FIND, _find(row["id"], wanted)).fetchall() if row is not None else []
            if row is None or len({found["hash"] for found in rows}) != 1:
                raise _unknown(wanted, rows)
            return _version(connection, row["id"], rows[0])

    def history(self, app: str, limit: int) -> list[Version]:
        """Give the newest deployments, the newest first."""
        with self._reading() as connection:
            row = _app(connection, app)
            rows = connection.execute(_HISTORY, (row["id"], limit)).fetchall() if row is not None else []
        return [
            Version(
                number=found["id"],
                hash=found["hash"],
                at=found["at"],
                parent=found["parent"],
                origin=Origin(deployed_by=found["deployed_by"] or "", how=found["how"] or ""),
                active=found["active"],
            )
            for found in rows
        ]

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Connection[DictRow]]:
        """Be in one transaction that can't write and sees one moment."""
        with connect(self._conninfo) as connection, translated(), connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            yield connection


class ActiveDeployment:
    """Tells which deployment of an app is active, over one connection that comes back by itself."""

    def __init__(self, conninfo: str, app: int) -> None:
        self._link = Link(conninfo)
        self._app = app

    async def number(self) -> int | None:
        """Give its number, `None` if the app is gone."""
        rows = await self._link.rows("select active from patterns_os.apps where id = %s", (self._app,))
        return rows[0]["active"] if rows else None

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()


def read_watched(connection: psycopg.Connection[DictRow], app: int, expected: Expected) -> DeployedFacts:
    """Give the part of the facts that somebody relies on, as they are now."""
    names = sorted(expected.columns.keys() | expected.dropped.keys())
    row = connection.execute("select active from patterns_os.apps where id = %s", (app,)).fetchone()
    tables = connection.execute(f"{_TABLES} and t.name = any(%s)", (app, names)).fetchall()
    return DeployedFacts(
        deployment=row["active"] if row else None,
        tables={
            table["name"]: TableFacts(watermark=table["last"], columns=_columns(table)) for table in tables
        },
    )


_TABLES = (
    "select t.id, t.name, h.last, patterns_os.columns_v1(t.id) as columns "
    "from patterns_os.tables t cross join lateral patterns_os.head(t.id) h where t.app = %s"
)
_NODES = (
    "select n.name, n.retired_at is not null as retired, l.run is not null as running, "
    "l.run is null and l.error is not null and l.state in ('backoff', 'failing') as failing, "
    "(select count(*) from patterns_os.states s where s.node = n.id) as state_keys, "
    "(select count(*) from patterns_os.held h where h.node = n.id) as held, "
    "(select count(*) from patterns_os.requests r where r.node = n.id and r.state = 'pending' "
    " and r.due_at <= clock_timestamp()) as requests "
    "from patterns_os.nodes n left join patterns_os.lanes l on l.node = n.id and l.lane = 0 where n.app = %s"
)
_CONSUMERS = (
    "select n.name as node, t.name as table, i.access, i.triggering, i.active and n.retired_at is null as active, "
    "i.cursor, i.seen, i.moved, h.last as watermark, h.base "
    "from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node "
    "join patterns_os.tables t on t.id = i.table_id cross join lateral patterns_os.head(i.table_id) h "
    "where n.app = %s"
)
# A database of the release before has no such columns: they are asked for in a way that gives null then.
_HISTORY = (
    "select v.id, v.hash, v.at, v.parent, to_jsonb(v) ->> 'deployed_by' as deployed_by, "
    "to_jsonb(v) ->> 'how' as how, v.id = a.active as active "
    "from patterns_os.versions v join patterns_os.apps a on a.id = v.app where v.app = %s "
    "order by v.id desc limit %s"
)
_FIND = (
    "select v.id, v.hash, v.plan from patterns_os.versions v "
    "where v.app = %(app)s and (v.id = %(number)s or v.hash like %(digits)s) "
    "order by v.id = %(number)s desc, v.id desc"
)


def _find(app: int, wanted: str) -> dict[str, Any]:
    number = int(wanted) if wanted.isdecimal() and len(wanted) < _HASH_LENGTH else None
    digits = f"{wanted}%" if wanted.isalnum() and number is None else None
    return {"app": app, "number": number, "digits": digits}


_HASH_LENGTH = 16


def _unknown(wanted: str, rows: Iterable[DictRow]) -> UsageError:
    found = list(dict.fromkeys(row["hash"] for row in rows))
    what = f"fits several versions: {', '.join(found)}" if found else "is none of this app's"
    return UsageError(
        f"Deployment {quote(wanted)} {what}",
        code="unknown-deployment",
        hint="`patterns deployments` lists them with number and hash",
    )


def _app(connection: psycopg.Connection[DictRow], name: str) -> DictRow | None:
    there = connection.execute("select to_regclass('patterns_os.apps') is not null as there").fetchone()
    if there is None or not there["there"]:
        return None
    return connection.execute(
        "select id, schema_name, active from patterns_os.apps where name = %s", (name,)
    ).fetchone()


def _version(connection: psycopg.Connection[DictRow], app: int, row: DictRow) -> DeployedVersion:
    plan = Plan.model_validate(row["plan"])
    hashes = sorted({source.content for node in plan.nodes for source in node.sources})
    there = connection.execute("select to_regclass('patterns_os.sources') is not null as there").fetchone()
    rows: list[DictRow] = []
    if there is not None and there["there"]:
        statement = "select hash, bytes from patterns_os.sources where app = %s and hash = any(%s)"
        rows = connection.execute(statement, (app, hashes)).fetchall()
    return DeployedVersion(
        number=row["id"], plan=plan, sources={found["hash"]: bytes(found["bytes"]) for found in rows}
    )


def _table(connection: psycopg.Connection[DictRow], schema: str, table: DictRow) -> TableFacts:
    rows = 0
    if table["last"]:
        rows = _count(connection, sql.SQL("{}").format(sql.Identifier(schema, table["name"])))
    return TableFacts(rows=rows, watermark=table["last"], columns=_columns(table))


def _columns(table: Mapping[str, Any]) -> dict[str, str]:
    """Give name → column type, by our name for it."""
    return {column["name"]: str(parse_type(column["type"]) or column["type"]) for column in table["columns"]}


def _nodes(connection: psycopg.Connection[DictRow], app: int) -> list[DictRow]:
    return connection.execute(_NODES, (app,)).fetchall()


def _consumers(
    connection: psycopg.Connection[DictRow], app: int, schema: str
) -> dict[tuple[str, str], ConsumerFacts]:
    """Give the place of each node in each table; several streams of one table count as the one that lags most."""
    found: dict[tuple[str, str], ConsumerFacts] = {}
    for row in connection.execute(_CONSUMERS, (app,)).fetchall():
        key = row.pop("node"), row["table"]
        base, active = row.pop("base"), row["active"]
        waiting = 0
        if row["access"] == "stream" and row["watermark"] > row["cursor"]:
            beyond = sql.SQL("{} where patterns_position > {}").format(
                sql.Identifier(f"{schema}_data", row["table"]), sql.Literal(max(row["cursor"], base))
            )
            waiting = _count(connection, beyond)
        known = found.get(key, ConsumerFacts(active=False))
        found[key] = ConsumerFacts(
            active=active or known.active,
            waiting=max(waiting, known.waiting),
            is_new=InputFacts(**row).is_new or known.is_new,
        )
    return found


def _count(connection: psycopg.Connection[DictRow], source: sql.Composed) -> int:
    row = connection.execute(sql.SQL("select count(*) as n from {}").format(source)).fetchone()
    return int(row["n"]) if row else 0
