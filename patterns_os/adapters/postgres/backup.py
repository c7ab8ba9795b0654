"""A database as one file, and back: the way over to another major version of Postgres, or to another machine.

The file is Postgres's own custom format, which any `pg_restore` of the same or a later version reads.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from patterns_os.adapters.postgres.server_binaries import find_client
from patterns_os.adapters.postgres.server_errors import program_error, translated_folder_errors
from patterns_os.errors import InternalError, PatternsError, PermanentError, TemporaryError

_CHUNK_BYTES = 1 << 20
_LOCK_TIMEOUT = "5s"
_QUIET_PSQL = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password", "--file=-")
_RULE = re.compile(r"(?:ALTER|GRANT|REVOKE)\b.*;$")
_ROLE = re.compile(r"\b(?:OWNER TO|TO|FROM|FOR ROLE) (\"(?:[^\"]|\"\")+\"|\w+)")
_NO_ROLES = {"PUBLIC", "CURRENT_USER", "SESSION_USER"}
_EMPTY_DATABASE = b"""
do $$ declare _schema name; begin
    for _schema in
        select nspname from pg_namespace where nspname <> 'information_schema' and nspname !~ '^pg_'
    loop
        execute format('drop schema %I cascade', _schema);
    end loop;
end $$;
create schema public;
grant usage on schema public to public;
"""


def dump(conninfo: str, file: Path) -> None:
    """Write the whole database into the file; there is a file only when it is whole.

    Raises:
        PermanentError: There is no `pg_dump`, it is older than the server, or the file can't be written.
        TemporaryError: The server can't be reached.
    """
    making = file.with_name(f".{file.name}.new")
    with translated_folder_errors(file.parent):
        try:
            os.close(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
            _run("pg_dump", ["--format=custom", f"--file={making}", "--no-password"], conninfo, file)
            making.rename(file)
        finally:
            making.unlink(missing_ok=True)


def restore(conninfo: str, file: Path) -> None:
    """Make the database what the file holds: all or nothing, and what else it held is gone.

    Roles that own or may use something, and are missing, are made; without a password they can't log in.

    Raises:
        PermanentError: The file is no backup (`backup-unreadable`), or a program is missing.
        TemporaryError: The server can't be reached, or others use the database (`database-busy`).
    """
    if not file.is_file():
        raise PermanentError(f'the backup "{file}" does not exist', code="backup-missing")
    _make_roles(conninfo, _roles_in(file))
    _pour(conninfo, file)


def _roles_in(file: Path) -> set[str]:
    done = subprocess.run(  # noqa: S603 - a program that find_client found
        [find_client("pg_restore"), "--schema-only", "--file=-", file],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise _unreadable(file, done.stderr)
    rules = (line for line in done.stdout.splitlines() if _RULE.match(line))
    return {_unquoted(name) for rule in rules for name in _ROLE.findall(rule)} - _NO_ROLES


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _make_roles(conninfo: str, wanted: set[str]) -> None:
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            known = {row[0] for row in connection.execute("select rolname from pg_roles")}
            for role in sorted(wanted - known):
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    except psycopg.OperationalError as error:
        raise _unreachable(str(error)) from error
    except psycopg.Error as error:
        raise PermanentError(
            f"the roles of the backup can't be made: {error}", code="backup-roles"
        ) from error


def _pour(conninfo: str, file: Path) -> None:
    """Let `pg_restore` write SQL and `psql` run it in one transaction.

    The commit is said when all of the file was read; whoever of us dies before, nothing has happened.
    """
    with (
        TemporaryFile() as reader_says,
        TemporaryFile() as writer_says,
        subprocess.Popen(  # noqa: S603 - a program that find_client found
            [find_client("pg_restore"), "--file=-", file], stdout=subprocess.PIPE, stderr=reader_says
        ) as reader,
        subprocess.Popen(  # noqa: S603 - the same
            [find_client("psql"), *_QUIET_PSQL, _address(conninfo)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=writer_says,
            env=_environment(conninfo),
        ) as writer,
    ):
        is_read = _copy(reader, writer)
        writer.wait()
        if not is_read:
            raise _unreadable(file, _text(reader_says))
        if writer.returncode != 0:
            raise _error(_text(writer_says), "the backup can't be restored", file)


def _copy(reader: "subprocess.Popen[bytes]", writer: "subprocess.Popen[bytes]") -> bool:
    """Give all that the reader writes to the writer, and the commit only if the reader was content."""
    if reader.stdout is None or writer.stdin is None:
        raise InternalError("a program was started without pipes", code="no-pipe")
    try:
        with writer.stdin as sink:
            sink.write(b"begin;\n" + _EMPTY_DATABASE)
            shutil.copyfileobj(reader.stdout, sink, _CHUNK_BYTES)
            is_read = reader.wait() == 0
            if is_read:
                sink.write(b"\ncommit;\n")
    except BrokenPipeError:  # the writer has ended, and says why
        return True
    finally:
        reader.stdout.close()
    return is_read


def _run(name: str, arguments: Sequence[str], conninfo: str, file: Path) -> None:
    done = subprocess.run(  # noqa: S603 - a program that find_client found
        [find_client(name), *arguments, f"--dbname={_address(conninfo)}"],
        capture_output=True,
        text=True,
        env=_environment(conninfo),
        check=False,
    )
    if done.returncode != 0:
        raise _error(done.stderr, "the backup can't be made", file)


def _error(printed: str, what: str, file: Path) -> PatternsError:
    if "server version mismatch" in printed:
        return PermanentError(
            f"{what}: the server is of a later version than the programs found",
            code="backup-version",
            hint="install the client programs of the server's version of Postgres",
        )
    if "lock timeout" in printed:
        return TemporaryError(
            f"{what}: others are using the database",
            code="database-busy",
            hint="stop `patterns dev` and all launchers, and try again",
        )
    if "connection to server" in printed or "could not translate host name" in printed:
        return _unreachable(printed)
    return program_error(printed, what, file.parent, code="backup-failed")


def _unreachable(printed: str) -> TemporaryError:
    lines = printed.strip().splitlines()
    reason = lines[-1].strip() if lines else "it does not answer"
    return TemporaryError(f"the database can't be reached: {reason}", code="storage-unreachable")


def _unreadable(file: Path, printed: str) -> PermanentError:
    reason = printed.strip().rpartition("error: ")[2] or "it is damaged"
    return PermanentError(
        f'the file "{file}" can\'t be restored: {reason}',
        code="backup-unreadable",
        hint="give a file that `patterns db backup` has written",
    )


def _address(conninfo: str) -> str:
    """Give the address without the password: arguments can be seen by others."""
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if name != "password"}
    return make_conninfo("", **parts)


def _environment(conninfo: str) -> Mapping[str, str]:
    password = conninfo_to_dict(conninfo).get("password")
    options = f"-c lock_timeout={_LOCK_TIMEOUT} -c client_min_messages=warning"
    given = {"LC_ALL": "C", "PGOPTIONS": options}
    return {**os.environ, **given, **({"PGPASSWORD": str(password)} if password else {})}


def _text(printed: IO[bytes]) -> str:
    printed.seek(0)
    return printed.read().decode(errors="replace")
