"""`patterns serve`: the active version at work, as it was deployed, whatever lies in the folder."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.local.folder import own_folder
from patterns_os.adapters.postgres.versions import ActiveDeployment
from patterns_os.cli.announcing import stamped, tell
from patterns_os.cli.console import note, say
from patterns_os.cli.live import LiveView
from patterns_os.cli.looking import not_deployed
from patterns_os.cli.serving import Served, serve
from patterns_os.cli.session import supervised
from patterns_os.composition.authoring import configuration_of, find_app, load, node_secrets
from patterns_os.composition.deploying import versions_of
from patterns_os.composition.running import Database, deployments_of, open_database
from patterns_os.errors import CompileError, PatternsError, PermanentError, TemporaryError
from patterns_os.launcher.supervisor import Workplace
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import Deployment
from patterns_os.service.server import bind
from patterns_os.settings import DEFAULT_HOST, DEFAULT_PORT

app = typer.Typer(add_completion=False)

_LOOK_S = 1.0
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


@app.command("serve", epilog="Example: patterns serve --port 3001")
def serve_here(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on. [default: 3000]")
    ] = None,
) -> None:
    """Serve webhooks and run crons and nodes of the active version, until Ctrl-C.

    Code comes from the database, not from the folder; what is deployed meanwhile is taken over at once. Scripts
    get the secrets that they declare, and nothing else of this shell's environment.
    """
    folder = find_app(Path.cwd())
    compiled = load(folder)
    if compiled.graph is None:
        raise CompileError(compiled.diagnostics)
    chosen = configuration_of(compiled).deployment
    address = host or chosen.host or DEFAULT_HOST, port if port is not None else chosen.port or DEFAULT_PORT
    with own_folder(folder, "patterns serve"), open_database(folder, compiled) as database:
        if database.notice:
            note(database.notice)
        asyncio.run(_serve(folder, database, compiled.graph.app, *address))


async def _serve(folder: Path, database: Database, name: str, host: str, port: int) -> None:
    deployment, place = await asyncio.to_thread(_active, folder, database, name)
    taken = bind(host, port)
    view = LiveView(deployment.plan)
    async with supervised(folder, database, deployment, place, lambda event: tell(view, event)) as found:
        parts, supervisor = found
        served = Served(deployment, parts, supervisor, view)
        await serve(
            folder,
            database,
            served,
            parts,
            supervisor,
            taken=taken,
            host=host,
            command="patterns serve",
            follow=_follow(folder, database, served),
        )
    say("stopped; what is left is done by the next start")


async def _follow(folder: Path, database: Database, served: Served) -> None:
    """Take over what is deployed, for ever. A version that can't be taken over is told of once."""
    active = ActiveDeployment(database.conninfo, served.deployment.app)
    refused: int | None = None
    try:
        while True:
            await asyncio.sleep(_LOOK_S)
            refused = await _look(folder, database, served, active, refused)
    finally:
        await active.close()


async def _look(
    folder: Path, database: Database, served: Served, active: ActiveDeployment, refused: int | None
) -> int | None:
    """Take over the active deployment if it is another one; give the number of one that can't be."""
    number: int | None = None
    try:
        number = await active.number()
        if number in {served.deployment.version, refused}:
            return refused
        deployment, place = await asyncio.to_thread(_active, folder, database, served.deployment.plan.app)
    except TemporaryError:
        return refused
    except PatternsError as error:
        note(str(error))
        return number
    served.use(deployment, place)
    say(stamped(f"deployment {deployment.version}: version {deployment.plan.version_hash[:8]}"))
    return None


def _active(folder: Path, database: Database, name: str) -> tuple[Deployment, Workplace]:
    """Give the app as it is deployed, with the files that it runs."""
    while True:
        deployment = deployments_of(folder, database).active(name)
        kept = versions_of(database).active(name)
        if deployment is None or kept is None:
            raise not_deployed(name, "patterns deploy")
        if deployment.version == kept.number:
            return deployment, _workplace(folder, deployment.plan, kept.sources)


def _workplace(folder: Path, plan: Plan, sources: Mapping[str, bytes]) -> Workplace:
    named = {source.path: source.content for node in plan.nodes for source in node.sources}
    if (
        not named.keys() >= {node.file for node in plan.nodes if node.file}
        or set(named.values()) - sources.keys()
    ):
        raise PermanentError(
            "The active version was deployed by a release that did not keep its source files",
            code="version-without-sources",
            hint="patterns deploy",
        )
    return Workplace(
        folder=folder,
        environment={
            variable: os.environ[variable] for variable in _KEPT_VARIABLES if variable in os.environ
        },
        secrets=node_secrets(folder, plan),
        scripts={path: sources[content] for path, content in named.items()},
        is_bare=True,
    )


command = typer.main.get_command(app)
