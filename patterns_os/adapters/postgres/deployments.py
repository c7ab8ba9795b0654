"""Deploying: an app's identity, versions, nodes, inputs, lanes, tables and schedules as rows."""

import re
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.adapters.postgres.migrate import OWNER, grant_entrances, migrate
from patterns_os.diagnostics import did_you_mean
from patterns_os.errors import PermanentError
from patterns_os.plan.diff import likely_renames
from patterns_os.plan.spec import Plan, PlannedNode
from patterns_os.ports.deployments import Deployment
from patterns_os.rows.types import ColumnType


class PostgresDeployments:
    """Deployments in one database.

    Args:
        conninfo: Address with the rights of the database's owner.
        passwords: Gives (and keeps) the password of a role by name: called with the role's name and a
            fresh password, it returns the one to use.
    """

    def __init__(self, conninfo: str, passwords: Callable[[str, str], str]) -> None:
        self.conninfo = conninfo
        self._passwords = passwords

    def deploy(
        self,
        plan: Plan,
        *,
        first_ticks: Mapping[str, datetime],
        renamed: Mapping[str, str] | None = None,
        forgotten: Collection[str] = (),
    ) -> Deployment:
        """Make the plan the active version. See `ports.deployments`."""
        with connect(self.conninfo) as connection, translated():
            migrate(connection)
            with connection.transaction():
                return self._deploy(connection, plan, first_ticks, renamed or {}, forgotten)

    def _deploy(
        self,
        connection: psycopg.Connection[DictRow],
        plan: Plan,
        first_ticks: Mapping[str, datetime],
        renamed: Mapping[str, str],
        forgotten: Collection[str],
    ) -> Deployment:
        owner = _act_as_owner(connection)
        app = _app_row(connection, plan.app)
        role, password = self._role(connection, app, owner=owner)
        before = _active_plan(connection, plan.app)
        _rename_nodes(connection, app["id"], renamed)
        if before is not None:
            _refuse_renames(before, plan, renamed, forgotten)
        tables = _lay_tables(connection, app["id"], plan)
        nodes = _lay_nodes(connection, app["id"], plan)
        _try_configuration_again(connection, app["id"])
        _lay_inputs(connection, plan, nodes, tables)
        _lay_schedules(connection, app["id"], plan, nodes, first_ticks)
        version, changed = _activate(connection, app["id"], plan)
        launcher = make_conninfo(self.conninfo, user=role, password=password) if role else self.conninfo
        return Deployment(
            app=app["id"],
            version=version,
            changed=changed,
            plan=plan,
            nodes=nodes,
            tables=tables,
            conninfo=launcher,
            schema=app["schema_name"],
        )

    def _role(
        self, connection: psycopg.Connection[DictRow], app: DictRow, *, owner: bool
    ) -> tuple[str | None, str | None]:
        """Make the role of the app's launchers, where we may; they share ours otherwise."""
        if not owner:
            return None, None
        role = app["role_name"]
        password = self._passwords(role, secrets.token_urlsafe(24))
        connection.execute("reset role")
        known = connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
        verb = "alter" if known else "create"
        connection.execute(
            sql.SQL("{} role {} login nosuperuser nocreatedb nocreaterole password {}").format(
                sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
            )
        )
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
        schema = app["schema_name"]
        for name in (schema, f"{schema}_data"):
            connection.execute(
                sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(name), sql.Identifier(role))
            )
        grant_entrances(connection, role)
        return role, password


def _act_as_owner(connection: psycopg.Connection[DictRow]) -> bool:
    found = connection.execute(
        "select pg_has_role(current_user, nspowner, 'member') and nspowner <> current_user::regrole as other "
        "from pg_namespace where nspname = 'patterns_os'"
    ).fetchone()
    if found and found["other"]:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
        return True
    return False


def _app_row(connection: psycopg.Connection[DictRow], name: str) -> DictRow:
    """Give the app's row, locked: two deploys of one app go one after the other."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "app"
    connection.execute(
        "insert into patterns_os.apps (name, schema_name, role_name) "
        "select %(name)s, s.name, 'patterns_app_' || substr(md5(current_database() || s.name), 1, 12) "
        "from (select case when exists (select 1 from patterns_os.apps where schema_name = %(schema)s) "
        "             then %(schema)s || '_' || substr(md5(%(name)s), 1, 6) else %(schema)s end as name) s "
        "where not exists (select 1 from patterns_os.apps where name = %(name)s) "
        "on conflict (name) do nothing",
        {"name": name, "schema": f"app_{slug}"},
    )
    row = connection.execute(
        "select id, schema_name, role_name, active from patterns_os.apps where name = %s for update", (name,)
    ).fetchone()
    assert row is not None  # noqa: S101 - inserted above
    for schema in (row["schema_name"], f"{row['schema_name']}_data"):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    return row


def _active_plan(connection: psycopg.Connection[DictRow], app: str) -> Plan | None:
    row = connection.execute(
        "select v.plan from patterns_os.apps a join patterns_os.versions v on v.id = a.active where a.name = %s",
        (app,),
    ).fetchone()
    return Plan.model_validate(row["plan"]) if row else None


def _rename_nodes(connection: psycopg.Connection[DictRow], app: int, renamed: Mapping[str, str]) -> None:
    for old, new in renamed.items():
        taken = connection.execute(
            "select 1 from patterns_os.nodes where app = %s and name = %s", (app, new)
        ).fetchone()
        if taken:
            raise PermanentError(f'Node "{new}" exists already', code="node-exists")
        done = connection.execute(
            "update patterns_os.nodes set name = %s where app = %s and name = %s returning id",
            (new, app, old),
        ).fetchone()
        if done is None:
            known = connection.execute(
                "select name from patterns_os.nodes where app = %s order by name", (app,)
            ).fetchall()
            raise PermanentError(
                f'No node "{old}" is deployed',
                code="unknown-node",
                hint=did_you_mean(old, [row["name"] for row in known]),
            )


def _refuse_renames(before: Plan, plan: Plan, renamed: Mapping[str, str], forgotten: Collection[str]) -> None:
    for old in forgotten:
        if before.node(old) is None:
            hint = did_you_mean(old, [node.name for node in before.nodes])
            raise PermanentError(f'No node "{old}" is deployed', code="unknown-node", hint=hint)
    for old, new in likely_renames(before, plan).items():
        if renamed.get(old) == new or old in forgotten:
            continue
        raise PermanentError(
            f'Node "{old}" is gone and node "{new}" is new with the same work: it would start at the '
            "beginning of its tables",
            code="node-renamed",
            hint=f"patterns rename {old} {new} (keeps its place), or patterns rename --forget {old} (it is new)",
        )


def _lay_tables(connection: psycopg.Connection[DictRow], app: int, plan: Plan) -> dict[str, int]:
    tables = {}
    for table in plan.tables:
        row = connection.execute(
            "select patterns_os.create_table_v1(%s, %s) as id", (app, table.name)
        ).fetchone()
        tables[table.name] = int(row["id"]) if row else 0
        if table.columns:
            declared = [[name, ColumnType(kind).sql] for name, kind in table.columns.items()]
            connection.execute(
                "select patterns_os.add_columns_v1(%s, %s)", (tables[table.name], Jsonb(declared))
            )
        if table.unique_on:
            set_unique_on(connection, tables[table.name], list(table.unique_on))
    return tables


def set_unique_on(connection: psycopg.Connection[DictRow], table: int, columns: list[str]) -> None:
    """Declare the key columns of a table that upsert uses."""
    connection.execute(
        "update patterns_os.table_options set unique_on = %s where table_id = %s", (columns, table)
    )


def _lay_nodes(connection: psycopg.Connection[DictRow], app: int, plan: Plan) -> dict[str, int]:
    wanted: list[tuple[str, str, str, str]] = [
        *((node.name, node.kind, node.content, node.when) for node in plan.nodes),
        *((webhook.name, "webhook", "", "any") for webhook in plan.webhooks),
    ]
    nodes = {}
    for name, kind, content, when in wanted:
        row = connection.execute(
            "with was as (select content from patterns_os.nodes where app = %(app)s and name = %(name)s) "
            "insert into patterns_os.nodes (app, name, kind, content, trigger_when) "
            "values (%(app)s, %(name)s, %(kind)s, %(content)s, %(when)s) "
            "on conflict (app, name) do update set kind = excluded.kind, content = excluded.content, "
            "trigger_when = excluded.trigger_when, retired_at = null "
            "returning id, (select content from was) is distinct from %(content)s as changed",
            {"app": app, "name": name, "kind": kind, "content": content, "when": when},
        ).fetchone()
        assert row is not None  # noqa: S101 - the statement always returns a row
        nodes[name] = int(row["id"])
        connection.execute(
            "insert into patterns_os.lanes (node) values (%s) on conflict do nothing", (row["id"],)
        )
        if row["changed"]:
            # New code gets a new chance at once; a lane that runs now ends by itself.
            connection.execute(
                "update patterns_os.lanes set not_before = null, attempts = 0, deaths = 0, dead_in_row = 0, "
                "narrow = null, state = case when run is null and state <> 'paused' then 'idle' else state end "
                "where node = %s",
                (row["id"],),
            )
    connection.execute(
        "update patterns_os.nodes set retired_at = clock_timestamp() "
        "where app = %s and retired_at is null and not (name = any(%s))",
        (app, list(nodes)),
    )
    return nodes


def _try_configuration_again(connection: psycopg.Connection[DictRow], app: int) -> None:
    """End the waits of lanes that failed for their configuration: somebody has probably mended it."""
    connection.execute(
        "with mended as ("
        "  update patterns_os.lanes l set not_before = null from patterns_os.nodes n "
        "  where n.id = l.node and n.app = %s and l.run is null and l.error ->> 'family' = 'permanent' "
        "  returning l.node) "
        "update patterns_os.requests r set due_at = clock_timestamp() from mended "
        "where r.node = mended.node and r.state = 'pending' and r.attempts > 0 and r.due_at > clock_timestamp()",
        (app,),
    )


def _lay_inputs(
    connection: psycopg.Connection[DictRow], plan: Plan, nodes: Mapping[str, int], tables: Mapping[str, int]
) -> None:
    for node in plan.nodes:
        current = [
            {"table": tables[i.table], "access": i.access, "triggering": i.triggering} for i in _joined(node)
        ]
        connection.execute(
            "insert into patterns_os.inputs (node, table_id, access, triggering, cursor, seen) "
            "select %(node)s, (i.value ->> 'table')::int, i.value ->> 'access', (i.value ->> 'triggering')::boolean, "
            "       case when %(now)s then h.last else 0 end, case when %(now)s then h.last else 0 end "
            "from jsonb_array_elements(%(inputs)s) i "
            "cross join lateral patterns_os.head((i.value ->> 'table')::int) h "
            "on conflict (node, table_id, stream) do update set access = excluded.access, "
            "triggering = excluded.triggering, active = true",
            {"node": nodes[node.name], "inputs": Jsonb(current), "now": node.start == "now"},
        )
        connection.execute(
            "update patterns_os.inputs set active = false where node = %s and not (table_id = any(%s))",
            (nodes[node.name], [i["table"] for i in current]),
        )


def _joined(node: PlannedNode) -> list[Any]:
    """Give one input a table: a table that is streamed under one name and read under another is a stream."""
    best: dict[str, Any] = {}
    for given in node.inputs:
        known = best.get(given.table)
        if (
            known is None
            or (given.access == "stream" and known.access == "read")
            or (given.triggering and not known.triggering and given.access == known.access)
        ):
            best[given.table] = given
    return list(best.values())


def _lay_schedules(
    connection: psycopg.Connection[DictRow],
    app: int,
    plan: Plan,
    nodes: Mapping[str, int],
    first_ticks: Mapping[str, datetime],
) -> None:
    scheduled = []
    for node in plan.nodes:
        if node.cron is None:
            continue
        scheduled.append(nodes[node.name])
        connection.execute(
            "insert into patterns_os.schedules (node, expression, timezone, next_at) values (%s, %s, %s, %s) "
            "on conflict (node) do update set expression = excluded.expression, timezone = excluded.timezone, "
            "next_at = excluded.next_at "
            "where (schedules.expression, schedules.timezone) <> (excluded.expression, excluded.timezone)",
            (nodes[node.name], node.cron.expression, node.cron.timezone, first_ticks[node.name]),
        )
    connection.execute(
        "delete from patterns_os.schedules s using patterns_os.nodes n "
        "where n.id = s.node and n.app = %s and not (n.id = any(%s))",
        (app, scheduled),
    )


def _activate(connection: psycopg.Connection[DictRow], app: int, plan: Plan) -> tuple[int, bool]:
    active = connection.execute(
        "select v.id, v.hash from patterns_os.apps a "
        "left join patterns_os.versions v on v.id = a.active where a.id = %s",
        (app,),
    ).fetchone()
    if active and active["hash"] == plan.version_hash:
        return int(active["id"]), False
    row = connection.execute(
        "insert into patterns_os.versions (app, hash, plan, parent) values (%s, %s, %s, %s) returning id",
        (app, plan.version_hash, Jsonb(plan.model_dump(mode="json")), active["id"] if active else None),
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns a row
    connection.execute("update patterns_os.apps set active = %s where id = %s", (row["id"], app))
    connection.execute("select patterns_os.retry_now_v1(%s)", (app,))
    return int(row["id"]), True
