"""The control schema's numbered migrations and its protocol functions.

Migrations only go forward, each in its own transaction under one lock. The functions are laid anew whenever
their text has changed. A database of a newer release is refused; an older one is brought up.
"""

from hashlib import sha256
from importlib.resources import files

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.connect import translated
from patterns_os.errors import PermanentError

OWNER = "patterns_owner"
# Functions that launchers and services may call; the others are only called by these.
ENTRANCES = (
    "add_columns_v1", "base_of", "base32_low", "beat_v1", "claim_v1", "collect_v1", "columns_v1", "commit_v1",
    "create_table_v1", "fail_v1", "head", "ingest_v1", "ingest_v2", "ingest_v3", "log_v1", "once_done_v1", "once_v1",
    "open_stream_v1", "relation", "rescue_v1", "retry_now_v1", "stage_v1", "unique_on_v1",
)  # fmt: skip
# A fixed number, so that all releases take the same lock.
_LOCK = 7_303_014_227


def migrate(connection: psycopg.Connection[DictRow]) -> list[str]:
    """Bring the control schema to this release; give the names of the steps that were taken.

    Raises:
        PermanentError: The database was made by a newer release (`database-newer`).
    """
    with translated(), connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        _become_owner(connection)
        _bootstrap(connection)
        taken = _apply_migrations(connection)
        taken += _apply_functions(connection)
    return taken


def pending_steps(connection: psycopg.Connection[DictRow]) -> list[str]:
    """Give the names of the steps that `migrate` would take; none if the database is as this release wants it."""
    with translated():
        there = connection.execute(
            "select to_regclass('patterns_os.migrations') is not null as there"
        ).fetchone()
        rows = (
            connection.execute("select name from patterns_os.migrations") if there and there["there"] else ()
        )
        done = {row["name"] for row in rows}
    wanted = [*(name for _, name, _ in _migrations()), _functions()[0]]
    return [name for name in wanted if name not in done]


def _become_owner(connection: psycopg.Connection[DictRow]) -> None:
    """Act as a role that cannot log in, where we may make one; else the user of the URL owns everything."""
    known = connection.execute("select 1 from pg_roles where rolname = %s", (OWNER,)).fetchone()
    me = connection.execute(
        "select rolsuper, rolcreaterole from pg_roles where rolname = current_user"
    ).fetchone()
    if me is None or not (me["rolsuper"] or me["rolcreaterole"]):
        return
    database = sql.Identifier(connection.info.dbname)
    if not known:
        # Roles belong to the whole server: somebody may make it for another database at this moment.
        connection.execute(
            sql.SQL(
                "do $$ begin create role {} nologin; "
                "exception when duplicate_object or unique_violation then null; end $$"
            ).format(sql.Identifier(OWNER))
        )
    if not me["rolsuper"]:
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER)))
    connection.execute(
        sql.SQL("grant create, temporary on database {} to {}").format(database, sql.Identifier(OWNER))
    )
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))


def _bootstrap(connection: psycopg.Connection[DictRow]) -> None:
    connection.execute("create schema if not exists patterns_os")
    connection.execute(
        "create table if not exists patterns_os.migrations ("
        "number int primary key, name text not null, at timestamptz not null default clock_timestamp())"
    )


def _apply_migrations(connection: psycopg.Connection[DictRow]) -> list[str]:
    known = _migrations()
    done = {row["number"] for row in connection.execute("select number from patterns_os.migrations")}
    newer = sorted(done - {number for number, _, _ in known} - {0})
    if newer:
        raise PermanentError(
            f"The control schema has migration {newer[-1]}, this release knows {known[-1][0]}",
            code="database-newer",
            hint="install the release of patterns-os that this database was used with, or a newer one",
        )
    taken = []
    for number, name, text in known:
        if number not in done:
            connection.execute(text.encode())
            connection.execute(
                "insert into patterns_os.migrations (number, name) values (%s, %s)", (number, name)
            )
            taken.append(name)
    return taken


def _apply_functions(connection: psycopg.Connection[DictRow]) -> list[str]:
    """Lay the functions if their text has changed; the row with number 0 remembers it."""
    mark, text = _functions()
    if connection.execute(
        "select 1 from patterns_os.migrations where number = 0 and name = %s", (mark,)
    ).fetchone():
        return []
    connection.execute("set local check_function_bodies = off")
    connection.execute(text.encode())
    connection.execute("revoke execute on all functions in schema patterns_os from public")
    connection.execute(
        "insert into patterns_os.migrations (number, name) values (0, %s) "
        "on conflict (number) do update set name = excluded.name, at = clock_timestamp()",
        (mark,),
    )
    for role in connection.execute(
        "select role_name from patterns_os.apps where role_name is not null"
    ).fetchall():
        grant_entrances(connection, role["role_name"])
    return [mark]


def grant_entrances(connection: psycopg.Connection[DictRow], role: str) -> None:
    """Let a role of an app call the protocol functions, and nothing else of the control schema."""
    name = sql.Identifier(role)
    connection.execute(sql.SQL("grant usage on schema patterns_os to {}").format(name))
    signatures = connection.execute(
        "select p.oid::regprocedure::text as signature from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname = 'patterns_os' and p.proname = any(%s)",
        (list(ENTRANCES),),
    ).fetchall()
    for row in signatures:
        connection.execute(
            sql.SQL("grant execute on function {} to {}").format(sql.SQL(row["signature"]), name)
        )


def _functions() -> tuple[str, str]:
    """Give the functions' text, after the mark that tells it from others."""
    text = (files("patterns_os.adapters.postgres") / "sql" / "functions.sql").read_text("utf-8")
    return "functions " + sha256(text.encode()).hexdigest()[:16], text


def _migrations() -> list[tuple[int, str, str]]:
    folder = files("patterns_os.adapters.postgres") / "sql" / "migrations"
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name
    )
    return [(int(entry.name[:4]), entry.name[:-4], entry.read_text("utf-8")) for entry in found]
