"""Deleting an app's data: its tables and all that the control schema knows of it."""

from psycopg import sql

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.errors import TemporaryError

# In this order nothing refers to what is gone. `{app}` stands for the app's number.
_ROWS = (
    "delete from patterns_os.logs where app = {app}",
    "delete from patterns_os.deliveries where app = {app}",
    "delete from patterns_os.delivery_keys where app = {app}",
    "delete from patterns_os.once where node in (select id from patterns_os.nodes where app = {app})",
    "delete from patterns_os.states where node in (select id from patterns_os.nodes where app = {app})",
    "delete from patterns_os.held where app = {app}",
    "delete from patterns_os.schedules where node in (select id from patterns_os.nodes where app = {app})",
    "delete from patterns_os.requests where app = {app}",
    "delete from patterns_os.runs where app = {app}",
    "delete from patterns_os.launchers where app = {app}",
    "delete from patterns_os.lanes where node in (select id from patterns_os.nodes where app = {app})",
    "delete from patterns_os.inputs where node in (select id from patterns_os.nodes where app = {app})",
    "delete from patterns_os.nodes where app = {app}",
    "delete from patterns_os.commits where table_id in (select id from patterns_os.tables where app = {app})",
    "delete from patterns_os.table_options o using patterns_os.tables t where t.id = o.table_id and t.app = {app}",
    "delete from patterns_os.tables where app = {app}",
    "delete from patterns_os.versions where app = {app}",
    "delete from patterns_os.sources where app = {app}",
    "delete from patterns_os.apps where id = {app}",
)


def delete_app(conninfo: str, app: int) -> None:
    """Delete the app's schemas and rows, all or nothing. The caller makes sure that nothing runs it here.

    Raises:
        TemporaryError: A launcher elsewhere is at work for it (`app-busy`).
    """
    with connect(conninfo) as connection, translated(), connection.transaction():
        row = connection.execute(
            "select schema_name from patterns_os.apps where id = %s for update", (app,)
        ).fetchone()
        if row is None:
            return
        busy = connection.execute(
            "select n.name from patterns_os.lanes l join patterns_os.nodes n on n.id = l.node "
            "where n.app = %s and l.run is not null and l.claimed_at > clock_timestamp() - interval '1 minute'",
            (app,),
        ).fetchone()
        if busy is not None:
            raise TemporaryError(
                f'Node "{busy["name"]}" is running', code="app-busy", hint="stop what runs the app"
            )
        for schema in (row["schema_name"], f"{row['schema_name']}_data"):
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
        for statement in _ROWS:
            connection.execute(statement.format(app=int(app)).encode())
