"""An app's database reached, its plan deployed, and its async parts on it."""

import asyncio
import getpass
import os
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from patterns_os.adapters.local.credentials import Credentials
from patterns_os.adapters.local.folder import make_state_folder
from patterns_os.adapters.postgres.claims import PostgresClaims
from patterns_os.adapters.postgres.connect import connect, without_password
from patterns_os.adapters.postgres.deliveries import PostgresDeliveries
from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.adapters.postgres.schedules import PostgresSchedules
from patterns_os.adapters.postgres.server import EmbeddedServer
from patterns_os.composition.authoring import configuration_of, secret_lookup
from patterns_os.control.ingest import Ingest
from patterns_os.control.scheduler import Scheduler
from patterns_os.errors import TemporaryError
from patterns_os.plan.compile import Compiled
from patterns_os.plan.facts import Expected
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import Deployment, Deployments, Origin
from patterns_os.settings import DATABASE_URL_VARIABLE, LEAST_FREE_BYTES, state_folder
from patterns_os.triggers.cron import parse_cron

_EMBEDDED_MARK = "embedded-serves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The default storage, reachable.

    Attributes:
        conninfo: Address with the owner's rights.
        shown: What people are told, without secrets.
        embedded: Whether the server is ours.
        notice: Something to tell once, or `None`.
        revive: Starts the server again if it has died; for a server that is not ours it does nothing.
    """

    conninfo: str = field(repr=False)
    shown: str
    embedded: bool
    notice: str | None = None
    revive: Callable[[], object] = lambda: None


@contextmanager
def open_database(app: Path, compiled: Compiled | None = None) -> Iterator[Database]:
    """Reach the app's default storage, starting the embedded Postgres where none is given.

    The order: `PATTERNS_DATABASE_URL`, the first database of patterns.json, the embedded one. An address that
    says no more than "Postgres on this machine" (`postgresql://localhost`) is served by the embedded one too if
    nothing answers there, and stays with it.

    Raises:
        TemporaryError: A given address does not answer (`storage-unreachable`).
        PermanentError: It refuses, or the folder can't be written.
    """
    state = make_state_folder(app)
    url = _given_url(compiled)
    notice = None
    if url is not None and not _is_bare_local(url):
        connect(url).close()
        yield Database(conninfo=url, shown=without_password(url), embedded=False)
        return
    if url is not None and not (state / _EMBEDDED_MARK).exists():
        with suppress(TemporaryError):
            connect(url).close()
            yield Database(conninfo=url, shown=without_password(url), embedded=False)
            return
        (state / _EMBEDDED_MARK).touch()
        notice = f"nothing answers at {url}: the embedded Postgres serves this app"
    server = EmbeddedServer(state)
    conninfo = server.start()
    try:
        yield Database(
            conninfo=conninfo,
            shown="postgres (embedded, .patterns/pg)",
            embedded=True,
            notice=notice,
            revive=server.start,
        )
    finally:
        server.release()


@contextmanager
def peek_database(app: Path, compiled: Compiled | None = None) -> Iterator[Database | None]:
    """Reach the app's default storage if there is one already, and make nothing; `None` if there is none yet.

    Raises:
        TemporaryError: A given address does not answer (`storage-unreachable`).
    """
    url = _given_url(compiled)
    state = state_folder(app)
    is_embedded = url is None or (_is_bare_local(url) and (state / _EMBEDDED_MARK).exists())
    if is_embedded and not (state / "pg").is_dir():
        yield None
        return
    if url is not None and _is_bare_local(url) and not is_embedded:
        try:
            connect(url).close()
        except TemporaryError:
            yield None
            return
    with open_database(app, compiled) as database:
        yield database


def deploy(
    app: Path,
    database: Database,
    plan: Plan,
    renamed: Mapping[str, str] | None = None,
    forgotten: Collection[str] = (),
    *,
    sources: Mapping[str, bytes] | None = None,
    expected: Expected | None = None,
    drop: Collection[str] = (),
    how: str = "",
) -> Deployment:
    """Make the plan the app's active version. See `ports.deployments` for what may be given.

    Args:
        app: The app's folder.
        database: Where it is deployed.
        plan: What shall run.
        renamed: Old node name → new one.
        forgotten: Nodes that are gone for good.
        sources: Bytes of the plan's source files by their hash, from `source_contents`.
        expected: What must still be so.
        drop: Tables to delete.
        how: The command, for the list of deployments.
    """
    return deployments_of(app, database).deploy(
        plan,
        first_ticks=_first_ticks(plan),
        renamed=renamed or {},
        forgotten=forgotten,
        sources=sources,
        expected=expected,
        drop=drop,
        origin=Origin(deployed_by=_who(), how=how),
    )


def deployments_of(app: Path, database: Database) -> Deployments:
    """Give the deployments in a database; passwords of roles are kept in the app's state folder."""
    return PostgresDeployments(database.conninfo, Credentials(state_folder(app)))


def source_contents(plan: Plan, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the bytes of the plan's source files by their hash, from the files of the app by path."""
    named = {source.path: source.content for node in plan.nodes for source in node.sources}
    named |= {chart.file: chart.content for chart in plan.charts}
    return {content: sources[path] for path, content in named.items() if path in sources}


def _first_ticks(plan: Plan) -> dict[str, datetime]:
    moment = datetime.now(UTC)
    return {
        node.name: parse_cron(node.cron.expression, node.cron.timezone).next_after(moment)
        for node in plan.nodes
        if node.cron is not None
    }


def _who() -> str:
    """Give who is at work here, as people write it."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # Containers run as users that have no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


class Parts:
    """The async parts of one app on one database; close them when done."""

    def __init__(
        self, app: Path, database: Database, deployment: Deployment, wake: Callable[[], None]
    ) -> None:
        self.claims = PostgresClaims(database.conninfo, deployment.app)
        self.deliveries = PostgresDeliveries(database.conninfo, deployment.app)
        self.schedules = PostgresSchedules(database.conninfo, deployment.app)
        self.scheduler = Scheduler(self.schedules, wake)
        self.ingest = Ingest(
            self.deliveries,
            wake,
            disk_check(state_folder(app)) if database.embedded else _never,
            secret_lookup(app),
        )
        self.ingest.use(deployment.plan.tables)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(self.claims.close(), self.deliveries.close(), self.schedules.close())


def disk_check(folder: Path) -> Callable[[], bool]:
    """Give a question that tells whether the folder's disk is nearly full; asked once a second at most."""
    last = {"at": -1.0, "full": 0.0}

    def is_full() -> bool:
        now = asyncio.get_running_loop().time()
        if now - last["at"] > 1.0:
            last["at"] = now
            last["full"] = float(shutil.disk_usage(folder).free < LEAST_FREE_BYTES)
        return bool(last["full"])

    return is_full


def _given_url(compiled: Compiled | None) -> str | None:
    databases = configuration_of(compiled).databases if compiled else ()
    return os.environ.get(DATABASE_URL_VARIABLE) or (databases[0].url if databases else None)


def _is_bare_local(url: str) -> bool:
    """Tell whether the address says only "Postgres on this machine"."""
    scheme, _, rest = url.partition("://")
    return scheme in {"postgresql", "postgres"} and rest.rstrip("/") in {"localhost", "127.0.0.1", ""}


def _never() -> bool:
    return False
