"""The data folder of the embedded Postgres: its making, its password, its version."""

import os
import secrets
import shutil
from pathlib import Path

from patterns_os.adapters.postgres.server_binaries import major_version
from patterns_os.adapters.postgres.server_errors import program_error
from patterns_os.adapters.postgres.server_identity import Identity, ProgramFailedError, give, launch
from patterns_os.adapters.postgres.server_lock import alone
from patterns_os.errors import PermanentError

ADMIN = "patterns"
TEST_FSYNC_VARIABLE = "PATTERNS_TEST_FSYNC"
"""Set to `off` by tests only: a crash of the machine then loses data."""

_BUILTIN_LOCALES_SINCE = 17
_INHERIT_LIMIT_S = 10.0


class DataFolder:
    """`.patterns/pg` with `pg.password` beside it, and `pg.server`, the lock of all who work on it."""

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder
        self.path = state_folder / "pg"
        self.lock = state_folder / "pg.server"
        self._password_file = state_folder / "pg.password"

    def create(self, binaries: Path, identity: Identity) -> None:
        """Make the database where there is none.

        It is made in a folder beside and renamed when it is whole and on disk: a part of one is never used.

        Raises:
            PermanentError: It can't be made.
        """
        if self.path.exists() and any(self.path.iterdir()):
            return
        making = self._folder / "pg.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        give(identity, making)
        try:
            self._initialise(binaries, identity, making)
        except ProgramFailedError as error:
            shutil.rmtree(making, ignore_errors=True)
            what = "the embedded database can't be made"
            raise program_error(str(error), what, self._folder, code="database-failed") from error
        making.rename(self.path)
        _sync(self._folder)

    def check_version(self, binaries: Path) -> None:
        """Refuse data that this Postgres can't read.

        Raises:
            PermanentError: Another major version made them (`database-version`), or they are no database
                (`database-damaged`).
        """
        made_by, found = self._version(), str(major_version(binaries))
        if made_by != found:
            raise PermanentError(
                f'the database in "{self.path}" is made by Postgres {made_by}, and the one found is {found}',
                code="database-version",
                hint=f"run `patterns db backup` with Postgres {made_by}, move the folder away, "
                "then run `patterns db restore` with this one",
            )

    def password(self) -> str:
        """Give the superuser's password.

        Raises:
            PermanentError: Its file is missing (`database-password`).
        """
        try:
            return self._password_file.read_text()
        except FileNotFoundError as error:
            raise self.password_error() from error

    def password_error(self) -> PermanentError:
        """Give the error for a password that is missing or refused."""
        return PermanentError(
            f'the password in "{self._password_file}" is not that of the database',
            code="database-password",
            hint="put the file back from a copy of the folder",
        )

    def _initialise(self, binaries: Path, identity: Identity, making: Path) -> None:
        options = [f"--pgdata={making}", f"--username={ADMIN}", "--pwfile=/dev/stdin"]
        options += ["--auth=scram-sha-256", "--encoding=UTF8", *_locale(binaries), "--no-instructions"]
        if fsync() == "off":
            options.append("--no-sync")
        text = self._make_password() + "\n"
        with alone(self.lock, wait_s=_INHERIT_LIMIT_S, doing="making the database") as lock:
            launch(identity, binaries / "initdb", options, reach=[making], keep=lock, text=text)

    def _make_password(self) -> str:
        if not self._password_file.exists():
            _write_private(self._password_file, secrets.token_urlsafe(24))
        return self.password()

    def _version(self) -> str:
        try:
            return (self.path / "PG_VERSION").read_text().strip()
        except FileNotFoundError as error:
            raise PermanentError(
                f'the folder "{self.path}" is not a Postgres database, or a damaged one',
                code="database-damaged",
                hint="put it back from a copy, or move it away to begin anew",
            ) from error


def fsync() -> str:
    """Give whether the server waits for the disk; it does, but in tests that ask it not to."""
    return "off" if os.environ.get(TEST_FSYNC_VARIABLE) == "off" else "on"


def _locale(binaries: Path) -> list[str]:
    """Order text by code point, the same on every system; upper and lower case as Unicode has them."""
    if major_version(binaries) >= _BUILTIN_LOCALES_SINCE:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]


def _write_private(file: Path, text: str) -> None:
    making = file.with_name(f"{file.name}.new")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    making.rename(file)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
