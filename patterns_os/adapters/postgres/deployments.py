"""Deploying: an app's identity, versions, nodes, inputs, lanes, tables and schedules as rows.

A deploy is one transaction that begins with locking the app's row: of two at once, the second sees what the
first has done, and is refused if it relied on something else.
"""

import re
import secrets
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.adapters.postgres.migrate import OWNER, grant_entrances, migrate
from patterns_os.adapters.postgres.versions import PLAN_OF_APP, read_watched
from patterns_os.diagnostics import did_you_mean
from patterns_os.errors import PermanentError, TemporaryError, UsageError
from patterns_os.plan.circles import bounds_of_circles
from patterns_os.plan.diff import likely_renames, refused_rename
from patterns_os.plan.effects import joined
from patterns_os.plan.facts import Expected
from patterns_os.plan.spec import Plan, PlannedCron
from patterns_os.ports.deployments import NOBODY, Deployment, Origin
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
        sources: Mapping[str, bytes] | None = None,
        expected: Expected | None = None,
        drop: Collection[str] = (),
        origin: Origin = NOBODY,
    ) -> Deployment:
        """Make the plan the active version. See `ports.deployments`."""
        with connect(self.conninfo) as connection, translated():
            migrate(connection)
            with connection.transaction():
                owner = _act_as_owner(connection)
                app = _app_row(connection, plan.app)
                if expected is not None:
                    _refuse_moved(connection, app["id"], expected)
                role, password = self._role(connection, app, owner=owner)
                before = _active_plan(connection, plan.app)
                known = _numbers(connection, "nodes", app["id"])
                _rename_nodes(connection, app["id"], renamed or {})
                if before is not None:
                    _refuse_renames(before, plan, renamed or {}, forgotten, known)
                nodes, tables = _lay(connection, app["id"], plan, first_ticks)
                for table in drop:
                    _drop_table(connection, app, table)
                _keep_sources(connection, app["id"], sources or {})
                version, changed = _activate(connection, app["id"], plan, origin)
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

    def active(self, name: str) -> Deployment | None:
        """Give the app as it is deployed. See `ports.deployments`."""
        with connect(self.conninfo) as connection, translated():
            migrate(connection)
            with connection.transaction():
                owner = _act_as_owner(connection)
                app = connection.execute(_APP, (name,)).fetchone()
                plan = _active_plan(connection, name) if app is not None else None
                if app is None or plan is None:
                    return None
                role, password = self._role(connection, app, owner=owner)
                nodes, tables = (_numbers(connection, kind, app["id"]) for kind in ("nodes", "tables"))
            launcher = make_conninfo(self.conninfo, user=role, password=password) if role else self.conninfo
        return Deployment(
            app=app["id"],
            version=app["active"],
            changed=False,
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
    row = connection.execute(_APP + " for update", (name,)).fetchone()
    assert row is not None  # noqa: S101 - inserted above
    for schema in (row["schema_name"], f"{row['schema_name']}_data"):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
    return row


_APP = "select id, schema_name, role_name, active from patterns_os.apps where name = %s"


def _numbers(connection: psycopg.Connection[DictRow], kind: str, app: int) -> dict[str, int]:
    rows = connection.execute(
        sql.SQL("select id, name from {} where app = %s").format(sql.Identifier("patterns_os", kind)), (app,)
    ).fetchall()
    return {row["name"]: row["id"] for row in rows}


def _active_plan(connection: psycopg.Connection[DictRow], app: str) -> Plan | None:
    row = connection.execute(PLAN_OF_APP, (app,)).fetchone()
    return Plan.model_validate(row["plan"]) if row and row["plan"] is not None else None


def _refuse_moved(connection: psycopg.Connection[DictRow], app: int, expected: Expected) -> None:
    moved = expected.moved(read_watched(connection, app, expected))
    if moved:
        raise TemporaryError(
            f"The world moved since the plan was made: {'; '.join(moved)}",
            code="world-moved",
            hint="nothing is changed: look at `patterns plan` again, then deploy",
        )


def _lay(
    connection: psycopg.Connection[DictRow], app: int, plan: Plan, first_ticks: Mapping[str, datetime]
) -> tuple[dict[str, int], dict[str, int]]:
    tables = _lay_tables(connection, app, plan)
    nodes = _lay_nodes(connection, app, plan)
    _try_configuration_again(connection, app)
    _lay_inputs(connection, plan, nodes, tables)
    _lay_circles(connection, app, plan, nodes)
    _lay_schedules(connection, app, plan, nodes, first_ticks)
    return nodes, tables


def _drop_table(connection: psycopg.Connection[DictRow], app: DictRow, name: str) -> None:
    """Delete a table with its rows, its log, and the places that retired nodes have in it."""
    table = connection.execute(
        "select id from patterns_os.tables where app = %s and name = %s for update", (app["id"], name)
    ).fetchone()
    if table is None:
        raise UsageError(f'There is no table "{name}" to drop', code="unknown-table")
    used = connection.execute(
        "select n.name from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node "
        "where i.table_id = %s and i.active and n.retired_at is null",
        (table["id"],),
    ).fetchone()
    if used is not None:
        raise UsageError(f'Table "{name}" is read by node "{used["name"]}"', code="table-in-use")
    schema = app["schema_name"]
    for kind, relation in (("view", (schema, name)), ("table", (f"{schema}_data", name))):
        connection.execute(sql.SQL("drop {} if exists {}").format(sql.SQL(kind), sql.Identifier(*relation)))
    for statement in _ROWS_OF_TABLE:
        connection.execute(statement, (table["id"],))


_ROWS_OF_TABLE = (
    "delete from patterns_os.held where table_id = %s",
    "delete from patterns_os.inputs where table_id = %s",
    "delete from patterns_os.commits where table_id = %s",
    "delete from patterns_os.table_options where table_id = %s",
    "delete from patterns_os.tables where id = %s",
)


def _keep_sources(connection: psycopg.Connection[DictRow], app: int, sources: Mapping[str, bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into patterns_os.sources (app, hash, bytes) values (%s, %s, %s) on conflict do nothing",
            [(app, name, content) for name, content in sorted(sources.items())],
        )


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


def _refuse_renames(
    before: Plan,
    plan: Plan,
    renamed: Mapping[str, str],
    forgotten: Collection[str],
    known: Collection[str],
) -> None:
    for old in forgotten:
        if before.node(old) is None:
            hint = did_you_mean(old, [node.name for node in before.nodes])
            raise PermanentError(f'No node "{old}" is deployed', code="unknown-node", hint=hint)
    for old, new in likely_renames(before, plan).items():
        if renamed.get(old) == new or old in forgotten:
            continue
        raise refused_rename(old, new, is_back=new in known)


def _lay_tables(connection: psycopg.Connection[DictRow], app: int, plan: Plan) -> dict[str, int]:
    tables = {}
    for table in plan.tables:
        row = connection.execute(
            "select patterns_os.create_table_v1(%s, %s) as id", (app, table.name)
        ).fetchone()
        tables[table.name] = int(row["id"]) if row else 0
        if table.columns:
            declared = [[name, ColumnType(kind).sql] for name, kind in table.ordered_columns.items()]
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
            {"table": tables[i.table], "access": i.access, "triggering": i.triggering} for i in joined(node)
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


def _lay_circles(
    connection: psycopg.Connection[DictRow], app: int, plan: Plan, nodes: Mapping[str, int]
) -> None:
    limits = {node.name: node.max_hops for node in plan.nodes}
    circles = [
        {"node": nodes[name], "circle": [str(nodes[bound]) for bound in bounds], "max_hops": limits[name]}
        for name, bounds in bounds_of_circles(plan).items()
    ]
    connection.execute(
        "update patterns_os.nodes n set circle = w.circle, max_hops = w.max_hops from ("
        "  select k.id, c.circle, c.max_hops from patterns_os.nodes k "
        "  left join jsonb_to_recordset(%s) c(node int, circle text[], max_hops int) on c.node = k.id "
        "  where k.app = %s) w "
        "where n.id = w.id and (n.circle, n.max_hops) is distinct from (w.circle, w.max_hops)",
        (Jsonb(circles), app),
    )


def _lay_schedules(
    connection: psycopg.Connection[DictRow],
    app: int,
    plan: Plan,
    nodes: Mapping[str, int],
    first_ticks: Mapping[str, datetime],
) -> None:
    crons = {node.name: node.cron for node in plan.nodes if node.cron is not None}
    _keep_former_schedules(connection, app, {nodes[name]: cron for name, cron in crons.items()})
    for name, cron in crons.items():
        given = {**cron.model_dump(), "node": nodes[name], "next_at": first_ticks[name]}
        connection.execute(
            "insert into patterns_os.schedules (node, expression, timezone, catchup, overlap, next_at, since) "
            "values (%(node)s, %(expression)s, %(timezone)s, %(catchup)s, %(overlap)s, %(next_at)s, now()) "
            "on conflict (node) do update set (catchup, overlap) = (excluded.catchup, excluded.overlap)",
            given,
        )
        # A tick that has come under the former cron and was not requested yet stays: it is fired next.
        connection.execute(
            "update patterns_os.schedules set expression = %(expression)s, timezone = %(timezone)s, "
            "since = now(), missed = 0, missed_at = null, "
            "next_at = case when next_at <= clock_timestamp() then next_at else %(next_at)s end "
            "where node = %(node)s and (expression, timezone) <> (%(expression)s, %(timezone)s)",
            given,
        )
    connection.execute(
        "delete from patterns_os.schedules s using patterns_os.nodes n "
        "where n.id = s.node and n.app = %s and not (n.id = any(%s))",
        (app, [nodes[name] for name in crons]),
    )


def _keep_former_schedules(
    connection: psycopg.Connection[DictRow], app: int, crons: Mapping[int, PlannedCron]
) -> None:
    """Remember crons that are changed or removed: until now they were in force."""
    wanted = [[number, cron.expression, cron.timezone] for number, cron in crons.items()]
    connection.execute(
        "insert into patterns_os.former_schedules (node, since, until, expression, timezone) "
        "select s.node, s.since, now(), s.expression, s.timezone "
        "from patterns_os.schedules s join patterns_os.nodes n on n.id = s.node where n.app = %s and not exists ("
        "  select 1 from jsonb_array_elements(%s) w where (w ->> 0)::int = s.node "
        "  and w ->> 1 = s.expression and w ->> 2 = s.timezone) on conflict do nothing",
        (app, Jsonb(wanted)),
    )


def _activate(
    connection: psycopg.Connection[DictRow], app: int, plan: Plan, origin: Origin
) -> tuple[int, bool]:
    active = connection.execute(
        "select v.id, v.hash from patterns_os.apps a "
        "left join patterns_os.versions v on v.id = a.active where a.id = %s",
        (app,),
    ).fetchone()
    if active and active["hash"] == plan.version_hash:
        return int(active["id"]), False
    row = connection.execute(
        "insert into patterns_os.versions (app, hash, plan, parent, deployed_by, how) "
        "values (%s, %s, %s, %s, %s, %s) returning id",
        (
            app,
            plan.version_hash,
            Jsonb(plan.model_dump(mode="json")),
            active["id"] if active else None,
            origin.deployed_by,
            origin.how,
        ),
    ).fetchone()
    assert row is not None  # noqa: S101 - the statement always returns a row
    connection.execute("update patterns_os.apps set active = %s where id = %s", (row["id"], app))
    connection.execute("select patterns_os.retry_now_v1(%s)", (app,))
    return int(row["id"]), True
