"""The promises of the data, each as one question to the database that has no answer as long as it holds."""

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.ports.reports import CheckReport

_MOST = 5

_TILES = """
    select format('table "%s": the block that ends at %s begins after %s, the one before ends at %s',
                  name, last, last - n, before) as offending
    from (select t.name, c.last, c.n, lag(c.last, 1, 0::bigint) over (partition by c.table_id order by c.last) as before
          from patterns_os.commits c join patterns_os.tables t on t.id = c.table_id where t.app = %(app)s) blocks
    where last - n <> before order by name, last
"""
_CURSORS = """
    select format('node "%s" in table "%s": cursor %s, seen %s, watermark %s', n.name, t.name, i.cursor, i.seen, h.last)
           as offending
    from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node join patterns_os.tables t on t.id = i.table_id
    cross join lateral patterns_os.head(i.table_id) h
    where n.app = %(app)s and greatest(i.cursor, i.seen) > h.last order by 1
"""
_RUNS = """
    select format('run %s of node "%s" is running, and its lane is not its own', r.id, n.name) as offending
    from patterns_os.runs r join patterns_os.nodes n on n.id = r.node
    where r.app = %(app)s and r.state = 'running' and not exists (
        select 1 from patterns_os.lanes l where l.node = r.node and l.lane = r.lane and l.run = r.id)
    union all
    select format('the lane of node "%s" has run %s, which is not running', n.name, l.run)
    from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node
    left join patterns_os.runs r on r.id = l.run
    where n.app = %(app)s and l.run is not null and r.state is distinct from 'running' order by 1
"""
_TICKS = """
    select format('node "%s" has a cron and no next tick', n.name) as offending
    from patterns_os.apps a join patterns_os.versions v on v.id = a.active
    cross join lateral jsonb_array_elements(v.plan -> 'nodes') planned
    join patterns_os.nodes n on n.app = a.id and n.name = planned ->> 'name'
    where a.id = %(app)s and jsonb_typeof(planned -> 'cron') = 'object' and not exists (
        select 1 from patterns_os.schedules s where s.node = n.id) order by 1
"""
_LEASES = """
    select format('run %s of node "%s" is held by launcher "%s", which %s', r.id, n.name, l.launcher,
                  case when w.id is null then 'nobody knows' else 'has ended' end) as offending
    from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node join patterns_os.runs r on r.id = l.run
    left join patterns_os.launchers w on w.id = l.launcher
    where n.app = %(app)s and r.state = 'running' and (w.id is null or w.ended_at is not null) order by 1
"""
_REQUESTS = """
    select format('request %s (%s) of node "%s" is running, and no run is its own', q.id, q.kind, n.name) as offending
    from patterns_os.requests q join patterns_os.nodes n on n.id = q.node
    where q.app = %(app)s and q.state = 'running' and not exists (
        select 1 from patterns_os.lanes l join patterns_os.runs r on r.id = l.run
        where l.node = q.node and r.request = q.id and r.state = 'running') order by q.id
"""
_HELD = """
    select format('held record %s of node "%s" is at position %s of table "%s", and the cursor at %s',
                  h.id, n.name, h.position, t.name, i.cursor) as offending
    from patterns_os.held h join patterns_os.nodes n on n.id = h.node join patterns_os.tables t on t.id = h.table_id
    join patterns_os.inputs i on i.node = h.node and i.table_id = h.table_id and i.stream = h.stream
    where h.app = %(app)s and i.access = 'stream' and h.position > i.cursor order by h.id
"""
_QUESTIONS = (
    ("blocks", "The blocks of each table's commits tile (0, watermark], without gap or overlap.", _TILES),
    ("cursors", "No cursor is past the watermark of its table.", _CURSORS),
    ("lanes", "Every run that is running owns its lane.", _RUNS),
    ("leases", "Every run that is running is held by a launcher that is known and has not ended.", _LEASES),
    ("requests", "Every request that is running has its run.", _REQUESTS),
    ("held", "No record is set aside that its node has not gone past: none is delivered twice.", _HELD),
    ("ticks", "Every node with a cron has a next tick.", _TICKS),
)


def check_invariants(conninfo: str, app: int) -> list[CheckReport]:
    """Give each promise and what breaks it, seen at one moment."""
    with connect(conninfo) as connection, translated(), connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        checks = [
            _check(connection, name, sentence, question, app) for name, sentence, question in _QUESTIONS
        ]
        return [*checks, _check_rows(connection, app)]


def _check(
    connection: psycopg.Connection[DictRow], name: str, sentence: str, question: str, app: int
) -> CheckReport:
    # The parameter is put in as text: percent signs are those of `format`.
    statement = question.replace("%(app)s", str(int(app)))
    rows = connection.execute(statement.encode()).fetchall()
    return CheckReport(name=name, sentence=sentence, offending=_first([row["offending"] for row in rows]))


def _check_rows(connection: psycopg.Connection[DictRow], app: int) -> CheckReport:
    """Look at every table for rows that no block accounts for."""
    tables = connection.execute(
        "select t.name, a.schema_name || '_data' as schema, h.last from patterns_os.tables t "
        "join patterns_os.apps a on a.id = t.app cross join lateral patterns_os.head(t.id) h "
        "where t.app = %s order by t.name",
        (app,),
    ).fetchall()
    found = []
    for table in tables:
        rows = connection.execute(
            sql.SQL(
                "select patterns_position as position, patterns_id as id from {} "
                "where patterns_position <= 0 or patterns_position > {} order by 1 limit 100"
            ).format(sql.Identifier(table["schema"], table["name"]), sql.Literal(table["last"]))
        )
        found += [f'table "{table["name"]}": row {row["id"]} at position {row["position"]}' for row in rows]
    return CheckReport(
        name="rows", sentence="No row is outside the blocks of its table.", offending=_first(found)
    )


def _first(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST
    return (*lines[:_MOST], f"and {more} more") if more > 0 else tuple(lines)
