"""`patterns dev`: the app at work on this machine, reloading what is edited."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from watchfiles import awatch

from patterns_os.adapters.postgres.versions import ActiveDeployment
from patterns_os.cli.announcing import stamped, tell
from patterns_os.cli.console import note, say
from patterns_os.cli.live import LiveView
from patterns_os.cli.serving import Served, serve
from patterns_os.cli.session import Opened, at_work, opened, workplace
from patterns_os.cli.watching import FIRST_LOOK_MS, SETTLE_MS, AppFiles
from patterns_os.composition.authoring import configuration_of, load
from patterns_os.composition.running import deploy, source_contents
from patterns_os.diagnostics import has_errors, render_diagnostic
from patterns_os.errors import PatternsError
from patterns_os.service.server import bind
from patterns_os.settings import DEFAULT_HOST, DEFAULT_PORT

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns dev --port 3001")
def dev(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on. [default: 3000]")
    ] = None,
    reload: Annotated[bool, typer.Option(help="Reload what is edited.")] = True,
) -> None:
    """Serve webhooks, run crons and nodes, and reload what you edit, until Ctrl-C.

    Nothing is lost when it stops, however it stops: the next start goes on.
    """
    with opened("patterns dev") as opened_app:
        chosen = configuration_of(opened_app.compiled).deployment
        address = (
            host or chosen.host or DEFAULT_HOST,
            port if port is not None else chosen.port or DEFAULT_PORT,
        )
        asyncio.run(_dev(opened_app, *address, reload=reload))


async def _dev(opened_app: Opened, host: str, port: int, *, reload: bool) -> None:
    taken = bind(host, port)
    view = LiveView(opened_app.plan)
    async with at_work(opened_app, lambda event: tell(view, event)) as (parts, supervisor):
        served = Served(opened_app.deployment, parts, supervisor, view)
        await serve(
            opened_app.app,
            opened_app.database,
            served,
            parts,
            supervisor,
            taken=taken,
            host=host,
            command="patterns dev",
            follow=_Reloader(opened_app, served).reload_for_ever() if reload else None,
        )
    say("stopped; what is left is done by the next start")


class _Reloader:
    """Deploys what is edited."""

    def __init__(self, opened_app: Opened, served: Served) -> None:
        self._opened = opened_app
        self._served = served
        self._compiled = opened_app.compiled
        self._active = ActiveDeployment(opened_app.database.conninfo, opened_app.deployment.app)
        self._told: int | None = None

    async def reload_for_ever(self) -> None:
        """Deploy the app anew whenever its files change."""
        try:
            await self._watch()
        finally:
            await self._active.close()

    async def _watch(self) -> None:
        folder = self._opened.app
        watched = False
        async for changes in awatch(
            folder,
            watch_filter=AppFiles(folder),
            debounce=SETTLE_MS * 5,
            step=SETTLE_MS,
            rust_timeout=FIRST_LOOK_MS,
            yield_on_timeout=True,
        ):
            if changes or not watched:  # what was edited before the watch began shows in no change
                await self._reload({Path(path).name for _, path in changes})
            watched = True
            await self._tell_when_replaced()

    async def _tell_when_replaced(self) -> None:
        """Say so when somebody else has deployed the app: nothing is claimed for a version that is not active."""
        try:
            number = await self._active.number()
        except PatternsError:
            return
        if number not in {self._served.deployment.version, self._told}:
            self._told = number
            note(f"deployment {number} of somebody else is active: nothing runs here until you save a file")

    async def _reload(self, names: set[str]) -> None:
        """Compile what changed; with errors the version before goes on."""
        try:
            compiled = await asyncio.to_thread(load, self._opened.app)
            if compiled == self._compiled and ".env" not in names:
                return
            self._compiled = compiled
            for found in compiled.diagnostics:
                note(render_diagnostic(found))
            if compiled.plan is None or has_errors(compiled.diagnostics):
                note("the app has errors: the version before goes on")
                return
            deployment = await asyncio.to_thread(
                deploy,
                self._opened.app,
                self._opened.database,
                compiled.plan,
                sources=source_contents(compiled.plan, compiled.sources),
                how="dev",
            )
        except PatternsError as error:
            note(f"{error}\nthe version before goes on")
            return
        if deployment.changed or ".env" in names:
            self._served.use(deployment, workplace(self._opened.app, compiled, compiled.plan))
            what = f"reloaded {', '.join(sorted(names))}".rstrip()
            say(stamped(f"{what}: version {deployment.plan.version_hash[:8]}"))


command = typer.main.get_command(app)
