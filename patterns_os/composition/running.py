"""An app's database reached, its plan deployed, and its async parts on it."""

import asyncio
import os
import shutil
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
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import Deployment, Deployments
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
    databases = configuration_of(compiled).databases if compiled else ()
    url = os.environ.get(DATABASE_URL_VARIABLE) or (databases[0].url if databases else None)
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


def deploy(
    app: Path,
    database: Database,
    plan: Plan,
    renamed: Mapping[str, str] | None = None,
    forgotten: Collection[str] = (),
) -> Deployment:
    """Make the plan the app's active version."""
    moment = datetime.now(UTC)
    first_ticks = {
        node.name: parse_cron(node.cron.expression, node.cron.timezone).next_after(moment)
        for node in plan.nodes
        if node.cron is not None
    }
    deployments: Deployments = PostgresDeployments(database.conninfo, Credentials(state_folder(app)))
    return deployments.deploy(plan, first_ticks=first_ticks, renamed=renamed or {}, forgotten=forgotten)


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


def _is_bare_local(url: str) -> bool:
    """Tell whether the address says only "Postgres on this machine"."""
    scheme, _, rest = url.partition("://")
    return scheme in {"postgresql", "postgres"} and rest.rstrip("/") in {"localhost", "127.0.0.1", ""}


def _never() -> bool:
    return False
