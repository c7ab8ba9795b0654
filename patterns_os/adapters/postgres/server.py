"""The embedded Postgres: one server for one app folder, with nothing installed but Python.

Data lie in `.patterns/pg`, reached over a socket only. Whoever needs the server starts or adopts it; the last
who lets go stops it; none of them has to end well:

- `pg.lock` is held while somebody starts or stops the server: two starters make one database.
- `pg.server` is inherited by the server and all its processes. Held, some of them lives; free, none does. A
  pid is not trusted for that, so a zombie, a number in use again and a container of its own change nothing.
- `pg.users` is held, shared, by each user. Who can get it alone is the last.

All three end with their processes.
"""

import os
import shutil
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from patterns_os.adapters.postgres.server_binaries import find_binaries, major_version
from patterns_os.adapters.postgres.server_data import ADMIN, DataFolder, fsync
from patterns_os.adapters.postgres.server_errors import program_error, translated_folder_errors
from patterns_os.adapters.postgres.server_identity import (
    Identity,
    IdentityRefusedError,
    give,
    identities,
    launch,
    prepare_folder,
    unreachable,
)
from patterns_os.adapters.postgres.server_lock import FileLock, alone, is_held
from patterns_os.adapters.postgres.server_process import PidFile, postmaster, read_pid_file
from patterns_os.adapters.postgres.server_socket import (
    SOCKET_NAME,
    check_socket_folder,
    make_socket_folder,
    remove_socket_folder,
)
from patterns_os.errors import InternalError, PermanentError, TemporaryError

__all__ = ["ADMIN", "DATABASE", "EmbeddedServer", "find_binaries"]

DATABASE = "patterns"

_START_LIMIT_S = 120.0  # recovery after a crash reads up to a gigabyte of log
_STOP_LIMIT_S = 60.0
_POLL_S = 0.005
_ATTEMPTS = 3
_LONGEST_DATA_PATH = 900  # Postgres keeps paths in 1024 bytes, and adds names to this one
_LOG_LIMIT_BYTES = 10_000_000
_IO_METHODS_SINCE = 18
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "cluster_name": "patterns",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "min_wal_size": "80MB",
    "max_wal_size": "1GB",
    "max_logical_replication_workers": "0",  # a process less: nothing here replicates
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # details quote values of rows
    "log_min_error_statement": "panic",  # so do statements
}


class EmbeddedServer:
    """One Postgres for one app folder, in `<folder>/.patterns/pg`.

    An object is one user of the server. A process that forks while it is one has children who are users too,
    until they end or execute another program.

    Args:
        state_folder: The app's `.patterns` folder.
    """

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder.absolute()
        self._data = DataFolder(self._folder)
        self._log = self._folder / "pg.log"
        self._users = FileLock(self._folder / "pg.users")

    def start(self) -> str:
        """Start the server, or adopt the one that runs, and be one of its users until `release`.

        May be repeated: it starts a server that has died in between.

        Returns:
            The address of the database for its superuser.

        Raises:
            PermanentError: There is no Postgres (`database-missing`), the data are of another major version
                (`database-version`), or the folder or the disk does not allow it.
            TemporaryError: It does not get ready in time (`database-starting`, `database-busy`).
        """
        with translated_folder_errors(self._folder):
            _check_path(self._data.path)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._alone():
                self.rotate_log()
                self._ensure_running()
                self._users.take(shared=True)
                return self.conninfo(ADMIN, self._data.password())

    def release(self) -> None:
        """Let go; whoever is last stops the server. May be repeated."""
        if not self._users.is_open:
            return
        try:
            if self._folder.exists():  # else it was deleted, and the server ends when it sees that
                with translated_folder_errors(self._folder), self._alone():
                    if self._users.take():
                        self._end()
        finally:
            self._users.close()

    def stop(self) -> None:
        """Stop the server, whoever uses it; open transactions are rolled back. May be repeated."""
        self._users.close()
        if self._folder.exists():
            with translated_folder_errors(self._folder), self._alone():
                self._end()

    @property
    def is_running(self) -> bool:
        """Whether a server, or what a dead one has left running, works on the data."""
        return is_held(self._data.lock) or postmaster(self._data.path) is not None

    def conninfo(self, user: str, password: str) -> str:
        """Give the address of the database of the running server for a role.

        Raises:
            InternalError: The server does not run.
        """
        folder = self._pid_file().socket_folder
        if folder is None:
            raise InternalError("the address of a stopped database is asked for", code="database-stopped")
        return make_conninfo(host=str(folder), port=5432, user=user, password=password, dbname=DATABASE)

    def rotate_log(self) -> None:
        """Keep the log below a size: move its lines to `pg.log.1`, in place of older ones.

        The server has the file open and appends to it, so it is emptied, not replaced.
        """
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT_BYTES:
            shutil.copy(self._log, self._folder / "pg.log.1")
            os.truncate(self._log, 0)

    def _ensure_running(self) -> None:
        """Start until it answers; somebody may kill it meanwhile, so that one failure says little."""
        mark = 0
        for _ in range(_ATTEMPTS):
            if self._await_answer():
                return
            mark = self._log.stat().st_size if self._log.exists() else 0
            self._begin()
        if not self._await_answer():
            printed = self._log.read_bytes()[mark:].decode(errors="replace")
            what, hint = "the embedded database does not start", f'read "{self._log}"'
            raise program_error(printed, what, self._folder, code="database-failed", hint=hint)

    def _await_answer(self) -> bool:
        """Wait until the server answers; gives `False` as soon as there is none."""
        give_up = time.monotonic() + _START_LIMIT_S
        while self.is_running:
            if self._answers():
                return True
            if time.monotonic() > give_up:
                raise TemporaryError(
                    f"the embedded database is not ready after {_START_LIMIT_S:.0f} s",
                    code="database-starting",
                    hint=f'read "{self._log}", and try again',
                )
            time.sleep(_POLL_S)
        return False

    def _answers(self) -> bool:
        pid_file = self._pid_file()
        if pid_file.socket_folder is None or not pid_file.is_ready:
            return False
        if not (
            pid_file.socket_folder / SOCKET_NAME
        ).exists():  # somebody has cleaned up: nobody can reach it
            self._end()
            return False
        check_socket_folder(pid_file.socket_folder, self._data.path.stat().st_uid)
        try:
            psycopg.connect(self.conninfo(ADMIN, self._data.password()), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            return self._is_usable_after(str(error))
        return True

    def _is_usable_after(self, refusal: str) -> bool:
        """Tell whether the server works though it refused us; the database is made here if it is missing."""
        if f'database "{DATABASE}" does not exist' in refusal:
            self._make_database()
            return True
        if "password authentication failed" in refusal:
            raise self._data.password_error()
        return "too many clients" in refusal or "remaining connection slots" in refusal

    def _make_database(self) -> None:
        """Rename the empty database that every new server has: to make one more takes ten times as long."""
        address = make_conninfo(self.conninfo(ADMIN, self._data.password()), dbname="template1")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("alter database postgres rename to patterns")

    def _begin(self) -> None:
        binaries = find_binaries()
        for identity in identities(self._folder, self._data.path):
            try:
                prepare_folder(identity, self._folder)
                self._data.create(binaries, identity)
                self._data.check_version(binaries)
                self._launch(binaries, identity)
            except IdentityRefusedError:
                continue
            return
        raise unreachable(self._folder)

    def _launch(self, binaries: Path, identity: Identity) -> None:
        data = self._data.path
        give(identity, data)
        data.chmod(0o700)  # a copied folder may have got another mode, which Postgres refuses
        sockets = make_socket_folder(data, identity)
        (data / "postmaster.pid").unlink(missing_ok=True)  # nobody works on the data: it was left by the dead
        arguments = _arguments(data, sockets, major_version(binaries))
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            with alone(self._data.lock, wait_s=_STOP_LIMIT_S, doing="looking at the database") as lock:
                launch(
                    identity,
                    binaries / "postgres",
                    arguments,
                    reach=[data, sockets],
                    keep=lock,
                    detached_output=log,
                )
        finally:
            os.close(log)

    def _end(self) -> None:
        """Shut the server down: at once but in order, else at once."""
        sockets = self._pid_file().socket_folder
        for kind in (signal.SIGINT, signal.SIGQUIT):
            pid = postmaster(self._data.path)
            if pid is not None:
                os.kill(pid, kind)
            if self._has_ended():
                remove_socket_folder(sockets)
                return
        raise TemporaryError(
            "the embedded database does not stop",
            code="database-stopping",
            hint=f'read "{self._log}", and try again',
        )

    def _has_ended(self) -> bool:
        give_up = time.monotonic() + _STOP_LIMIT_S
        while self.is_running and time.monotonic() < give_up:
            time.sleep(_POLL_S)
        return not self.is_running

    def _pid_file(self) -> PidFile:
        return read_pid_file(self._data.path)

    def _alone(self) -> AbstractContextManager[int]:
        wait_s = _START_LIMIT_S + 2 * _STOP_LIMIT_S
        return alone(self._folder / "pg.lock", wait_s=wait_s, doing="starting or stopping the database")


def _check_path(data: Path) -> None:
    path = os.fsencode(data)
    if len(path) > _LONGEST_DATA_PATH or any(byte < ord(" ") for byte in path):
        raise PermanentError(
            f'the path "{data}" is too long for Postgres, or has control characters',
            code="database-folder",
            hint="move the app to another folder, or set PATTERNS_DATABASE_URL to a server you have",
        )


def _arguments(data: Path, sockets: Path, major: int) -> list[str]:
    """Give the settings as arguments, so that a database made long ago runs with those of today."""
    settings = {**_SETTINGS, "unix_socket_directories": f'"{sockets}"', "fsync": fsync()}
    if major >= _IO_METHODS_SINCE:
        settings["io_method"] = "sync"  # three processes less; what a laptop reads is in memory
    return ["-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
