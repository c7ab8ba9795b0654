"""Apps as users run them: the command line in processes of its own, on the embedded Postgres."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from patterns_os.adapters.postgres.server import EmbeddedServer

PYTHON = [sys.executable, "-m", "patterns_os"]
WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class App:
    """An app's folder and what a user does with it.

    Attributes:
        folder: Where its files lie.
        variables: Environment of the commands, beside what they need to start.
        database: Address of its database, `None` for the embedded one in its folder.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    def environment(self) -> dict[str, str]:
        kept = ("HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
        own = {name: os.environ[name] for name in kept if name in os.environ}
        own |= {"PATH": os.environ["PATH"], "PATTERNS_TEST_FSYNC": "off"}
        if self.database is not None:
            own["PATTERNS_DATABASE_URL"] = self.database
        return own | self.variables

    def write(self, **files: str) -> None:
        """Write files: `my_py="…"` is my_py.py, `my_sql__sql="…"` is my_sql.sql."""
        for name, text in files.items():
            stem, _, ending = name.partition("__")
            (self.folder / f"{stem}.{ending or 'py'}").write_text(text, "utf-8")

    def manifest(self, scripts: list[str | dict[str, Any]], **more: Any) -> None:
        """Write a manifest with these scripts and a webhook "Events" for the table `events`."""
        entries = [{"file": script} if isinstance(script, str) else script for script in scripts]
        webhooks = [{"title": "Events", "table": "events"}]
        body = {"name": "try", "scripts": entries, "webhooks": webhooks} | more
        (self.folder / "manifest.json").write_text(json.dumps(body), "utf-8")

    def patterns(self, *arguments: str, code: int | None = 0, given: str | bytes = b"") -> Result:
        """Run a command; `code` is what it must end with, `None` for anything."""
        done = subprocess.run(
            [*PYTHON, *arguments],
            cwd=self.folder, env=self.environment(), timeout=WAIT_S * 2, capture_output=True, check=False,
            input=given.encode() if isinstance(given, str) else given,
        )  # fmt: skip
        result = Result(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or result.code == code, f"{arguments}: {result}"
        return result

    def send(self, events: Any, *, code: int | None = 0) -> Result:
        """Send events to the only webhook and let the app process them."""
        return self.patterns("webhook", "test", "--data=-", given=json.dumps(events), code=code)

    def rows(self, table: str, app: str = "try") -> list[dict[str, Any]]:
        """Give all rows of a table's active version, without their ids, in the order they were written."""
        with self.connected() as connection, connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(f'select * from app_{app}."{table}" order by patterns_id'.encode())
            return [{name: row[name] for name in row if name != "patterns_id"} for row in cursor]

    def column(self, table: str, name: str) -> list[Any]:
        """Give the values of a column, in the order they were written; none before the first row."""
        try:
            found = self.sql(f'select "{name}" from app_try_data."{table}" order by patterns_position')
        except psycopg.errors.UndefinedColumn:
            return []
        return [row[0] for row in found]

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a connection with the owner's rights."""
        if self.database is not None:
            with psycopg.connect(self.database, autocommit=True) as connection:
                yield connection
            return
        server = EmbeddedServer(self.folder / ".patterns")
        conninfo = server.start()
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                yield connection
        finally:
            server.release()

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement with the owner's rights."""
        with self.connected() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def hurry(self) -> None:
        """Make what waits for a retry due now."""
        self.sql("update patterns_os.lanes set not_before = null")

    def run_to_the_end(self, most: int = 12) -> Result:
        """Run the app again and again, skipping the pauses before retries, until nothing waits."""
        result = Result(0, "", "")
        for _ in range(most):
            result = self.patterns("run", "--patience=0", code=None)
            if not self.sql("select 1 from patterns_os.lanes where not_before is not null"):
                return result
            self.hurry()
        raise AssertionError(result)

    def logs(self, node: str) -> list[str]:
        """Give the lines that a node printed."""
        lines = self.patterns("logs", node, "--json", "--lines=100000").out.splitlines()
        return [json.loads(line)["line"] for line in lines]

    @contextmanager
    def dev(self, *options: str, command: str = "dev") -> Iterator["Dev"]:
        """Run `patterns dev`, or `serve`, on a free port while the block runs."""
        port = free_port()
        process = subprocess.Popen(
            [*PYTHON, command, f"--port={port}", *options],
            cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        running = Dev(process, f"http://127.0.0.1:{port}", port)
        try:
            running.wait_for("Storages online:")
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            running.ended()


class Dev:
    """A running `patterns dev`."""

    def __init__(self, process: subprocess.Popen[str], url: str, port: int) -> None:
        self.process = process
        self.url = url
        self.port = port
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return "".join(self._lines)

    def wait_for(self, text: str, within_s: float = WAIT_S) -> None:
        """Wait until it has printed a text."""
        until(lambda: text in self.out or self.process.poll() is not None, within_s, lambda: self.out)
        assert text in self.out, self.out

    def ended(self) -> int:
        """Wait until it has ended; give its exit code."""
        try:
            code = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def post(self, path: str, body: bytes | Any, method: str = "POST", **headers: str) -> tuple[int, Any]:
        """Send a request; give status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data if method == "POST" else None, headers, method=method
        )
        try:
            with closing(urllib.request.urlopen(request, timeout=WAIT_S)) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with closing(error):
                return error.code, json.loads(error.read() or b"null")

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(iter(self.process.stdout.readline, ""))


def until(found: Callable[[], Any], within_s: float = WAIT_S, told: Callable[[], Any] = lambda: "") -> Any:
    """Ask again and again until the answer is true; give it."""
    end = time.monotonic() + within_s
    while True:
        answer = found()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {within_s} s: {told()}"
        time.sleep(0.02)


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def masked(text: str) -> str:
    """Hide what differs from run to run: ids."""
    return re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "i" * 26, text)


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Give an empty folder, to be an app with an embedded Postgres of its own."""
    folder = tmp_path / "app"
    folder.mkdir()
    return App(folder)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server that does not wait for the disk; one a worker, gone afterwards."""
    given = os.environ.get("PATTERNS_TEST_DATABASE_URL")
    if given:
        yield given
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("pg"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATTERNS_TEST_FSYNC", "off")
        conninfo = server.start()
    yield conninfo
    server.release()


@pytest.fixture(scope="module")
def make_app(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], App]]:
    """Give a function that makes empty apps with a database of their own on a server that they share."""
    made: list[str] = []

    def make() -> App:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f'create database "{name}"'.encode())
        made.append(name)
        return App(tmp_path_factory.mktemp("app"), database=make_conninfo(postgres, dbname=name))

    yield make
    if "PATTERNS_TEST_DATABASE_URL" in os.environ:  # else the whole server goes
        with psycopg.connect(postgres, autocommit=True) as connection:
            for name in made:
                connection.execute(f'drop database "{name}" with (force)'.encode())


@pytest.fixture
def shared_app(make_app: Callable[[], App]) -> App:
    """Give an empty app on the shared server."""
    return make_app()


@pytest.fixture
def tools() -> "Tools":
    """Give the helpers that test modules can't import: test folders are not packages."""
    return Tools()


class Tools:
    """Helpers without state."""

    until = staticmethod(until)
    free_port = staticmethod(free_port)
    masked = staticmethod(masked)
    python = PYTHON
