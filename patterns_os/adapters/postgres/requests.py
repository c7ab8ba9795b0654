"""What people ask for: run a node now, deliver a held record again, or drop it."""

import psycopg
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.adapters.postgres.wakeups import notify
from patterns_os.errors import UsageError


def request_run(conninfo: str, app: int, node: str) -> int:
    """Ask for one run of a node, whatever triggers it otherwise; give the request's number."""
    with connect(conninfo) as connection, translated():
        row = connection.execute(
            "insert into patterns_os.requests (app, node, kind, key) "
            "select app, id, 'manual', 'manual:' || gen_random_uuid() from patterns_os.nodes "
            "where app = %s and name = %s and retired_at is null and kind <> 'webhook' returning id",
            (app, node),
        ).fetchone()
    if row is None:
        raise UsageError(f'Node "{node}" can\'t be run: it is retired, or a webhook', code="not-runnable")
    notify(conninfo, app)
    return int(row["id"])


def request_resume(conninfo: str, app: int, held: int) -> str:
    """Ask to deliver a held record again, if nobody has yet; give its node.

    Raises:
        UsageError: There is no such record (`unknown-held`).
    """
    with connect(conninfo) as connection, translated(), connection.transaction():
        node = _lock_held(connection, app, held)
        connection.execute(
            "insert into patterns_os.requests (app, node, kind, key, payload) "
            "select h.app, h.node, 'resume', 'resume:' || gen_random_uuid(), "
            # The record itself is gone once it is done: where it came from is kept with the request.
            "jsonb_build_object('held', h.id, 'table', h.table_id, 'stream', h.stream, 'position', h.position) "
            "from patterns_os.held h where h.id = %(held)s and not exists ("
            "  select 1 from patterns_os.requests q where q.node = h.node and q.kind = 'resume' "
            "  and q.state in ('pending', 'running') and q.payload -> 'held' = to_jsonb(h.id))",
            {"held": held},
        )
    notify(conninfo, app)
    return node


def drop_held(conninfo: str, app: int, held: int) -> str:
    """Forget a held record: it is never delivered again. Give its node.

    Raises:
        UsageError: There is no such record (`unknown-held`).
    """
    with connect(conninfo) as connection, translated(), connection.transaction():
        node = _lock_held(connection, app, held)
        connection.execute("delete from patterns_os.held where id = %s", (held,))
    return node


def _lock_held(connection: psycopg.Connection[DictRow], app: int, held: int) -> str:
    row = connection.execute(
        "select n.name from patterns_os.held h join patterns_os.nodes n on n.id = h.node "
        "where h.id = %s and h.app = %s for update of h",
        (held, app),
    ).fetchone()
    if row is None:
        raise UsageError(
            f"No held record has the number {held}", code="unknown-held", hint="patterns held list"
        )
    return str(row["name"])
