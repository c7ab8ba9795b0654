"""What the running commands share: an app opened, its database reached, its version deployed."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from patterns_os.adapters.local.folder import own_folder
from patterns_os.cli.console import note
from patterns_os.composition.authoring import find_app, load_plan, node_environment, node_secrets
from patterns_os.composition.running import Database, Parts, deploy, open_database, source_contents
from patterns_os.diagnostics import render_diagnostic
from patterns_os.launcher.pool import ProcessPool
from patterns_os.launcher.supervisor import RunEvent, Supervisor, Workplace
from patterns_os.plan.compile import Compiled
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An app whose folder we own, deployed on its database."""

    app: Path
    compiled: Compiled
    plan: Plan
    database: Database
    deployment: Deployment


@contextmanager
def opened(
    command: str, renamed: Mapping[str, str] | None = None, forgotten: Collection[str] = ()
) -> Iterator[Opened]:
    """Compile the app here, own its folder, reach its database and deploy it."""
    app = find_app(Path.cwd())
    compiled, plan = load_plan(app)
    for found in compiled.diagnostics:
        note(render_diagnostic(found))
    with own_folder(app, command), open_database(app, compiled) as database:
        if database.notice:
            note(database.notice)
        deployment = deploy(
            app,
            database,
            plan,
            renamed,
            forgotten,
            sources=source_contents(plan, compiled.sources),
            how=command.removeprefix("patterns "),
        )
        yield Opened(app=app, compiled=compiled, plan=plan, database=database, deployment=deployment)


def workplace(app: Path, compiled: Compiled, plan: Plan) -> Workplace:
    """Give what scripts find around them on a laptop."""
    return Workplace(
        folder=app,
        environment=node_environment(app),
        secrets=node_secrets(app, plan),
        scripts={
            path: compiled.sources[path]
            for node in plan.nodes
            for path in (node.file, *(source.path for source in node.sources))
        },
    )


@asynccontextmanager
async def early_processes() -> AsyncIterator[ProcessPool]:
    """Give node processes that import what they need while the app is compiled and its database started."""
    pool = ProcessPool()
    try:
        await pool.start_spare()
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def at_work(
    opened_app: Opened, observe: Callable[[RunEvent], None], pool: ProcessPool | None = None
) -> AsyncIterator[tuple[Parts, Supervisor]]:
    """Give the app's parts and a supervisor that is ready; Ctrl-C and SIGTERM stop it at record boundaries."""
    place = workplace(opened_app.app, opened_app.compiled, opened_app.plan)
    async with supervised(
        opened_app.app, opened_app.database, opened_app.deployment, place, observe, pool
    ) as found:
        yield found


@asynccontextmanager
async def supervised(  # noqa: PLR0917 - the parts of one app at work, each of its own type
    app: Path,
    database: Database,
    deployment: Deployment,
    place: Workplace,
    observe: Callable[[RunEvent], None],
    pool: ProcessPool | None = None,
) -> AsyncIterator[tuple[Parts, Supervisor]]:
    """Give the parts of a deployed app and a supervisor that is ready, as `at_work` does."""
    supervisor: Supervisor | None = None

    def wake() -> None:
        if supervisor is not None:
            supervisor.wake()

    parts = Parts(app, database, deployment, wake)
    supervisor = Supervisor(parts.claims, deployment, place, observe, revive=database.revive, pool=pool)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, supervisor.stop)
    try:
        await supervisor.prepare()
        yield parts, supervisor
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
        await parts.close()
