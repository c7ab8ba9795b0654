"""Questions about an app to its database. Every answer is read in a transaction that can't write."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.conditions import check_condition
from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan
from patterns_os.ports.reports import (
    ColumnReport,
    HeldReport,
    LogReport,
    PositionReport,
    RowReport,
    RowsReport,
    RunReport,
    TableReport,
)
from patterns_os.rows.tagging import from_json
from patterns_os.triggers.due import InputFacts, LaneState, NodeFacts, RequestFacts, WebhookFacts

_TIMEOUT_S = 30
_JSONB = 3802
_TROUBLED = ("backoff", "failing")


class PostgresReports:
    """What can be told about one app.

    Args:
        connection: One that gives rows as dicts, with the owner's rights.
        app: The app's number.
        schema: Schema of its tables.
        role: Role of its launchers, `None` if they share the owner's.
        plan: The active version, `None` before the first.
    """

    def __init__(
        self,
        connection: psycopg.Connection[DictRow],
        *,
        app: int,
        schema: str,
        role: str | None,
        plan: Plan | None,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._role = role
        self.app = app
        self.plan = plan

    # -- tables

    def table_names(self) -> list[str]:
        """Give the names of all tables, sorted."""
        return [table.name for table in self._found_tables()]

    def tables(self) -> list[TableReport]:
        """Give all tables, sorted by name."""
        return self._found_tables(counted=True)

    def table(self, name: str) -> TableReport:
        """Give one table.

        Raises:
            UsageError: There is none of that name (`unknown-table`).
        """
        found = self._found_tables(name, counted=True)
        if found:
            return found[0]
        known = self.table_names()
        shown = ", ".join(map(quote, known)) or "none"
        raise UsageError(
            f"No table has the name {quote(name)}; known tables: {shown}",
            code="unknown-table",
            hint=did_you_mean(name, known),
        )

    def uncolumned(self, table: TableReport) -> dict[str, int]:
        """Give the keys whose values live beside the columns, with how many rows have them."""
        rows = self._rows(
            sql.SQL(
                "select k.key, count(*) as n from {} r cross join lateral ("
                "  select jsonb_object_keys(r.patterns_more) as key where not {tagged}"
                "  union all select e.value ->> 0 from jsonb_array_elements("
                "    case when {tagged} then r.patterns_more -> '$dict' end) e) k "
                "where r.patterns_position > {base} group by 1 order by 1"
            ).format(
                self._relation(table),
                tagged=sql.SQL("coalesce(jsonb_typeof(r.patterns_more -> '$dict') = 'array', false)"),
                base=_base(table),
            )
        )
        return {row["key"]: row["n"] for row in rows}

    def rows(self, table: TableReport, *, limit: int, where: str | None = None) -> RowsReport:
        """Give the newest rows of a table's active version, the newest last.

        Args:
            table: From `table`.
            limit: Rows at most; the total is of all that match.
            where: An SQL expression over the table's columns, `patterns_id` and `patterns_more`. It runs with
                the rights of the app's own role, for half a minute at most.

        Raises:
            UsageError: The expression is none, or Postgres refuses it (`where`).
        """
        condition = sql.SQL("true") if where is None else sql.SQL(check_condition(where))
        source = sql.SQL("from (select * from {} where patterns_position > {}) as {} where (\n{}\n)").format(
            self._relation(table), _base(table), sql.Identifier(table.name), condition
        )
        newest = sql.SQL("select * {} order by patterns_position desc limit {}").format(
            source, sql.Literal(limit)
        )
        with _explained(where, table), self._as_app():
            total = table.rows if where is None else self._count(source)
            cursor = self._connection.execute(newest)
            rows = [_row(cursor, row) for row in reversed(cursor.fetchall())]
        return RowsReport(columns=_shown_columns(table, rows), rows=tuple(rows), total=total)

    # -- runs, logs, held records, positions

    def run(self, number: int) -> RunReport:
        """Give one run.

        Raises:
            UsageError: There is none, or it is not kept any more (`unknown-run`).
        """
        rows = self._rows(_RUNS + sql.SQL("where r.app = %s and r.id = %s"), (self.app, number))
        if not rows:
            raise UsageError(
                f"No run has the number {number}, or its record is not kept any more: that is seven days",
                code="unknown-run",
                hint="patterns runs",
            )
        return RunReport(**rows[0])

    def runs(self, *, node: str | None = None, state: str | None = None, limit: int = 20) -> list[RunReport]:
        """Give the newest runs, the newest last."""
        rows = self._rows(
            _RUNS
            + sql.SQL(
                "where r.app = %s and (%s::text is null or n.name = %s) "
                "and (%s::text is null or r.state = %s) order by r.id desc limit %s"
            ),
            (self.app, node, node, state, state, limit),
        )
        return [RunReport(**row) for row in reversed(rows)]

    def logs(
        self, node: str, *, run: int | None = None, after: int | None = None, limit: int = 50
    ) -> list[LogReport]:
        """Give lines that a node printed, the newest last.

        Args:
            node: Its name.
            run: Only lines of this run.
            after: Only lines with a greater number, from there on; without it the newest ones.
            limit: Lines at most.
        """
        order = sql.SQL("asc" if after is not None else "desc")
        rows = self._rows(
            sql.SQL(
                "select l.id as number, l.run, l.stream, l.line, l.at from patterns_os.logs l "
                "join patterns_os.nodes n on n.id = l.node where n.app = %s and n.name = %s "
                "and (%s::bigint is null or l.run = %s) and l.id > %s order by l.id {} limit %s"
            ).format(order),
            (self.app, node, run, run, after or 0, limit),
        )
        lines = [LogReport(**row) for row in rows]
        return lines if after is not None else lines[::-1]

    def last_log(self) -> int:
        """Give the number of the newest line that any node printed, 0 if none did."""
        rows = self._rows(sql.SQL("select coalesce(max(id), 0) as last from patterns_os.logs"))
        return int(rows[0]["last"])

    def held(self, number: int | None = None) -> list[HeldReport]:
        """Give the records that are set aside, the oldest first; only that number if it is given."""
        rows = self._rows(
            sql.SQL(
                "select h.id as number, n.name as node, t.name as table, h.position, h.why, h.attempts, "
                "h.at, h.run, h.error, h.content as record, q.state as retry, "
                "case h.why when 'refused' then h.stream else '' end as source "
                "from patterns_os.held h join patterns_os.nodes n on n.id = h.node "
                "join patterns_os.tables t on t.id = h.table_id left join lateral ("
                "  select q.state from patterns_os.requests q where q.node = h.node and q.kind = 'resume' "
                "  and q.payload -> 'held' = to_jsonb(h.id) order by q.id desc limit 1) q on true "
                "where h.app = %s and (%s::bigint is null or h.id = %s) order by h.id"
            ),
            (self.app, number, number),
        )
        return [HeldReport(**{**row, "record": _content(row["record"])}) for row in rows]

    def positions(self, node: str | None = None) -> list[PositionReport]:
        """Give how far nodes have got in the tables that they read, sorted by node and table."""
        rows = self._rows(
            sql.SQL(
                "select n.name as node, t.name as table, i.access, i.cursor, i.seen, h.last as watermark "
                "from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node "
                "join patterns_os.tables t on t.id = i.table_id "
                "cross join lateral patterns_os.head(i.table_id) h "
                "where n.app = %s and i.active and n.retired_at is null "
                "and (%s::text is null or n.name = %s) order by 1, 2"
            ),
            (self.app, node, node),
        )
        return [PositionReport(**row) for row in rows]

    # -- what decides

    def node_names(self) -> list[str]:
        """Give the names of all nodes, retired ones too, sorted."""
        rows = self._rows(
            sql.SQL("select name from patterns_os.nodes where app = %s order by 1"), (self.app,)
        )
        return [row["name"] for row in rows]

    def node_facts(self, node: str, *, served_by: str | None = None) -> NodeFacts:
        """Give all that decides whether a node is due. One that was never deployed is not.

        Args:
            node: Its name.
            served_by: The command that runs the app now, if any.
        """
        with self._reading():
            row = self._connection.execute(_NODE, (self.app, node)).fetchone()
            if row is None:
                return NodeFacts.undeployed(node)
            number = row["id"]
            requests = self._connection.execute(_REQUESTS, (number,)).fetchall()
            inputs = self._inputs(number)
            upstream = self._upstream(inputs)
            webhook = self._webhook(node) if row["kind"] == "webhook" else None
            last_tick = self._connection.execute(_LAST_TICK, (number,)).fetchone()
        return NodeFacts(
            node=node,
            now=row["now"],
            kind=row["kind"],
            retired=row["retired"],
            when=row["trigger_when"],
            lane=_lane(row),
            inputs=inputs,
            requests=tuple(RequestFacts(**request) for request in requests),
            next_tick=row["next_at"],
            cron=None if row["expression"] is None else f"{row['expression']} ({row['timezone']})",
            timezone=row["timezone"] or "UTC",
            catchup=row["catchup"] or "last",
            last_tick=None if last_tick is None else (last_tick["tick"], last_tick["state"]),
            missed=row["missed"],
            missed_at=row["missed_at"],
            served_by=served_by,
            held=row["held"],
            webhook=webhook,
            silent_webhooks=tuple(found["name"] for found in upstream if found["silent"]),
            failing_upstream=tuple(found["name"] for found in upstream if found["state"] in _TROUBLED),
        )

    def _inputs(self, node: int) -> tuple[InputFacts, ...]:
        rows = self._connection.execute(_INPUTS, (node,)).fetchall()
        return tuple(InputFacts(**row, writers=self.writers(row["table"])) for row in rows)

    def writers(self, table: str) -> tuple[str, ...]:
        """Give the names of the nodes and webhooks of the active version that write the table."""
        if self.plan is None:
            return ()
        nodes = [node.name for node in self.plan.nodes if any(out.table == table for out in node.outputs)]
        return tuple(sorted({*nodes, *(hook.name for hook in self.plan.webhooks if hook.table == table)}))

    def readers(self, table: str) -> tuple[str, ...]:
        """Give the names of the nodes of the active version that read the table."""
        nodes = self.plan.nodes if self.plan else ()
        return tuple(node.name for node in nodes if any(given.table == table for given in node.inputs))

    def _upstream(self, inputs: Sequence[InputFacts]) -> list[DictRow]:
        """Give the writers of triggering inputs: the state of their lanes, and which webhooks are silent."""
        names = sorted({name for given in inputs if given.triggering for name in given.writers})
        return self._connection.execute(_UPSTREAM, (self.app, names)).fetchall()

    def _webhook(self, name: str) -> WebhookFacts:
        row = self._connection.execute(_DELIVERIES, (self.app, name)).fetchone() or {}
        planned = (
            next((hook for hook in self.plan.webhooks if hook.name == name), None) if self.plan else None
        )
        return WebhookFacts(title=planned.title if planned else name, **row)

    # -- how

    def _found_tables(self, name: str | None = None, *, counted: bool = False) -> list[TableReport]:
        with self._reading():
            rows = self._connection.execute(_TABLES, (self.app, name, name)).fetchall()
            return [self._table(row, counted=counted) for row in rows]

    def _table(self, row: DictRow, *, counted: bool) -> TableReport:
        columns = tuple(ColumnReport(**column) for column in row.pop("columns"))
        unique_on = tuple(row.pop("unique_on") or ())
        view = sql.SQL("from {}").format(sql.Identifier(self._schema, row["name"]))
        rows = self._count(view) if counted and row["watermark"] else 0
        return TableReport(**row, rows=rows, columns=columns, unique_on=unique_on)

    def _count(self, source: sql.Composed) -> int:
        row = self._connection.execute(sql.SQL("select count(*) as n {}").format(source)).fetchone()
        return int(row["n"]) if row else 0

    def _relation(self, table: TableReport) -> sql.Identifier:
        return sql.Identifier(f"{self._schema}_data", table.name)

    def _rows(
        self, statement: sql.SQL | sql.Composed, parameters: Sequence[Any] | None = None
    ) -> list[DictRow]:
        with self._reading():
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Be in one transaction that can't write and sees one moment."""
        with translated(), self._connection.transaction():
            self._connection.execute("set transaction isolation level repeatable read, read only")
            yield

    @contextmanager
    def _as_app(self) -> Iterator[None]:
        """Read as the app's own role, where we may become it: it sees the app's tables and nothing else."""
        with self._reading():
            self._connection.execute(
                sql.SQL("set local statement_timeout = '{}s'").format(sql.SQL(str(_TIMEOUT_S)))
            )
            self._connection.execute(
                sql.SQL("set local search_path = {}, pg_catalog").format(sql.Identifier(self._schema))
            )
            if self._role is not None and self._may_become(self._role):
                self._connection.execute(sql.SQL("set local role {}").format(sql.Identifier(self._role)))
            yield

    def _may_become(self, role: str) -> bool:
        # Since Postgres 16 being a member does not include acting as the role.
        right = "SET" if self._connection.info.server_version >= 160_000 else "MEMBER"  # noqa: PLR2004 - see above
        row = self._connection.execute(
            "select coalesce((select pg_has_role(oid, %s) from pg_roles where rolname = %s), false) as may",
            (right, role),
        ).fetchone()
        return bool(row and row["may"])


@contextmanager
def open_reports(conninfo: str, app: str) -> Iterator[PostgresReports | None]:
    """Give what can be told about the app, or `None` if it was never deployed on this database."""
    with connect(conninfo) as connection:
        with translated():
            there = connection.execute(
                "select to_regclass('patterns_os.apps') is not null as there"
            ).fetchone()
            row = connection.execute(_APP, (app,)).fetchone() if there and there["there"] else None
        if row is None:
            yield None
            return
        plan = Plan.model_validate(row["plan"]) if row["plan"] is not None else None
        yield PostgresReports(
            connection, app=row["id"], schema=row["schema_name"], role=row["role_name"], plan=plan
        )


_APP = (
    "select a.id, a.schema_name, a.role_name, v.plan from patterns_os.apps a "
    "left join patterns_os.versions v on v.id = a.active where a.name = %s"
)
_RUNS = sql.SQL(
    "select r.id as run, n.name as node, r.reason, r.state, r.attempt, r.rows_in, r.rows_out, "
    "r.claimed_at, r.ended_at, r.launcher, v.hash as version, r.error, extract(epoch from "
    "coalesce(r.ended_at, clock_timestamp()) - r.claimed_at)::float8 as seconds "
    "from patterns_os.runs r join patterns_os.nodes n on n.id = r.node "
    "join patterns_os.versions v on v.id = r.version "
)
_TABLES = (
    "select t.id as number, t.name, h.last as watermark, h.version, nullif(h.at, '-infinity') as written_at, "
    "o.unique_on, patterns_os.columns_v1(t.id) as columns "
    "from patterns_os.tables t left join patterns_os.table_options o on o.table_id = t.id "
    "cross join lateral patterns_os.head(t.id) h "
    "where t.app = %s and (%s::text is null or t.name = %s) order by t.name"
)
_NODE = (
    "select n.id, n.kind, n.retired_at is not null as retired, n.trigger_when, clock_timestamp() as now, "
    "l.state, l.run, l.launcher, l.claimed_at, l.not_before, l.attempts, l.narrow, l.error, "
    "s.expression, s.timezone, s.next_at, s.catchup, coalesce(s.missed, 0) as missed, s.missed_at, "
    "(select count(*) from patterns_os.held h where h.node = n.id) as held "
    "from patterns_os.nodes n left join patterns_os.lanes l on l.node = n.id and l.lane = 0 "
    "left join patterns_os.schedules s on s.node = n.id where n.app = %s and n.name = %s"
)
_REQUESTS = (
    "select r.kind, r.due_at from patterns_os.requests r where r.node = %s and r.state = 'pending' "
    "order by r.due_at, r.id"
)
_LAST_TICK = (
    "select (r.payload ->> 'tick')::timestamptz as tick, r.state from patterns_os.requests r "
    "where r.node = %s and r.kind = 'cron' order by r.payload ->> 'tick' desc limit 1"
)
_INPUTS = (
    "select t.name as table, i.access, i.triggering, i.active, i.cursor, i.seen, i.moved, "
    "h.last as watermark "
    "from patterns_os.inputs i join patterns_os.tables t on t.id = i.table_id "
    "cross join lateral patterns_os.head(i.table_id) h where i.node = %s order by t.name, i.stream"
)
_UPSTREAM = (
    "select n.name, l.state, n.kind = 'webhook' and not exists (select 1 from patterns_os.deliveries d "
    "  where d.app = n.app and d.webhook = n.name and d.status = 'accepted') as silent "
    "from patterns_os.nodes n left join patterns_os.lanes l on l.node = n.id and l.lane = 0 "
    "where n.app = %s and n.name = any(%s) and n.retired_at is null order by n.name"
)
_DELIVERIES = (
    "select count(*) filter (where status = 'accepted') as accepted, "
    "count(*) filter (where status <> 'accepted') as rejected, "
    "max(at) filter (where status = 'accepted') as last_at "
    "from patterns_os.deliveries where app = %s and webhook = %s"
)


@contextmanager
def _explained(where: str | None, table: TableReport) -> Iterator[None]:
    """Tell what Postgres has against a condition that somebody typed."""
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else None
        if where is None or cause is None:
            raise
        raise _where_error(where, table, cause) from cause


def _where_error(where: str, table: TableReport, cause: psycopg.Error) -> UsageError:
    text = (cause.diag.message_primary or str(cause)).strip()
    hint: str | None = cause.diag.message_hint
    if isinstance(cause, pg.UndefinedColumn):
        known = [column.name for column in table.columns]
        hint = f"columns: {', '.join(known)}; a key without a column: patterns_more ->> 'key'"
    elif isinstance(cause, pg.QueryCanceled):
        text, hint = f"it takes more than {_TIMEOUT_S} s", None
    elif isinstance(cause, pg.ReadOnlySqlTransaction):
        text, hint = "it would write", "a condition only chooses rows"
    return UsageError(
        f'The condition "{where}" does not work on table "{table.name}": {text}', code="where", hint=hint
    )


def _base(table: TableReport) -> sql.Composed:
    """The position before the active version; the subquery is evaluated once a statement."""
    return sql.SQL("(select patterns_os.base_of({}))").format(sql.Literal(table.number))


def _row(cursor: psycopg.Cursor[DictRow], row: DictRow) -> RowReport:
    position, patterns_id = row.pop("patterns_position"), row.pop("patterns_id")
    more = row.pop("patterns_more")
    nested = {column.name for column in cursor.description or () if column.type_code == _JSONB}
    record = {name: from_json(value) if name in nested else value for name, value in row.items()}
    record.update(from_json(more) or {})
    return RowReport(patterns_id=patterns_id, position=position, record=record)


def _shown_columns(table: TableReport, rows: Sequence[RowReport]) -> tuple[str, ...]:
    names = dict.fromkeys(column.name for column in table.columns)
    for row in rows:
        names.update(dict.fromkeys(row.record))
    return tuple(names)


def _content(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give the record of a row that was kept as JSON."""
    row = {name: value for name, value in content.items() if name != "patterns_position"}
    more = row.pop("patterns_more", None) or {}
    return {**{name: from_json(value) for name, value in row.items()}, **from_json(more)}


def _lane(row: DictRow) -> LaneState:
    names = ("run", "launcher", "claimed_at", "not_before", "narrow", "error")
    return LaneState(
        state=row["state"] or "idle", attempts=row["attempts"] or 0, **{name: row[name] for name in names}
    )
