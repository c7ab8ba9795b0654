"""`patterns dev`: the app at work on this machine, reloading what is edited."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from watchfiles import Change, DefaultFilter, awatch

from patterns_os.adapters.files.sources import is_source
from patterns_os.adapters.local.folder import Holder, write_note
from patterns_os.adapters.postgres.wakeups import listen
from patterns_os.cli.console import note, say, styled
from patterns_os.cli.live import LiveView, describe_failure
from patterns_os.cli.session import Opened, at_work, opened, workplace
from patterns_os.composition.authoring import configuration_of, load
from patterns_os.composition.running import Parts, deploy
from patterns_os.control.rescuer import Rescuer
from patterns_os.diagnostics import has_errors, render_diagnostic
from patterns_os.errors import PatternsError
from patterns_os.launcher.supervisor import RunEvent, Supervisor
from patterns_os.plan.spec import Plan, PlannedWebhook
from patterns_os.ports.deployments import Deployment
from patterns_os.service.server import Server, bind, build_app
from patterns_os.service.webhooks import WebhookEndpoint
from patterns_os.settings import DEFAULT_HOST, DEFAULT_PORT, STATE_FOLDER
from patterns_os.triggers.cron import parse_cron

app = typer.Typer(add_completion=False)
_SETTLE_MS = 80
_FIRST_LOOK_MS = 500


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
    url = f"http://{'localhost' if host in {DEFAULT_HOST, 'localhost'} else host}:{taken.getsockname()[1]}"
    view = LiveView(opened_app.plan)
    async with at_work(opened_app, lambda event: _tell(view, event)) as (parts, supervisor):
        running = _Running(opened_app, parts, supervisor, view)
        server = Server(build_app(WebhookEndpoint(parts.ingest, running.lookup), running.status), taken)
        await server.start()
        write_note(opened_app.app, Holder(pid=os.getpid(), command="patterns dev", url=url))
        say(welcome(opened_app, url))
        background = [
            asyncio.create_task(parts.scheduler.serve()),
            asyncio.create_task(Rescuer(parts.claims, supervisor.wake).serve()),
            asyncio.create_task(
                listen(opened_app.database.conninfo, opened_app.deployment.app, supervisor.wake)
            ),
        ]
        if reload:
            background.append(asyncio.create_task(running.reload_for_ever()))
        try:
            await supervisor.serve()
        finally:
            say("stopping …")
            await server.stop()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    say("stopped; what is left is done by the next start")


class _Running:
    """The running app: its version, and how it changes."""

    def __init__(self, opened_app: Opened, parts: Parts, supervisor: Supervisor, view: LiveView) -> None:
        self._opened = opened_app
        self._parts = parts
        self._supervisor = supervisor
        self._view = view
        self._compiled = opened_app.compiled
        self._use(opened_app.deployment)

    def lookup(self, path: str) -> tuple[PlannedWebhook, int] | None:
        """Give webhook and table number of a path."""
        return self._paths.get(path.rstrip("/") or "/")

    async def status(self) -> dict[str, object]:
        """Say what runs, for other commands."""
        plan = self._deployment.plan
        return {
            "app": plan.app,
            "version": plan.version_hash,
            "webhooks": [hook.model_dump(mode="json") for hook in plan.webhooks],
            "live": [live.claim.node for live in self._supervisor.live.values()],
        }

    async def reload_for_ever(self) -> None:
        """Deploy the app anew whenever its files change."""
        folder = self._opened.app
        watched = False
        async for changes in awatch(
            folder,
            watch_filter=_AppFiles(folder),
            debounce=_SETTLE_MS * 5,
            step=_SETTLE_MS,
            rust_timeout=_FIRST_LOOK_MS,
            yield_on_timeout=True,
        ):
            if changes or not watched:  # what was edited before the watch began shows in no change
                await self._reload({Path(path).name for _, path in changes})
            watched = True

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
                deploy, self._opened.app, self._opened.database, compiled.plan
            )
        except PatternsError as error:
            note(f"{error}\nthe version before goes on")
            return
        if deployment.changed or ".env" in names:
            self._use(deployment)
            self._supervisor.redeploy(deployment, workplace(self._opened.app, compiled, compiled.plan))
            self._parts.scheduler.reload()
            what = f"reloaded {', '.join(sorted(names))}".rstrip()
            say(_stamped(f"{what}: version {deployment.plan.version_hash[:8]}"))

    def _use(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._view.use(deployment.plan)
        self._paths = {
            hook.path.rstrip("/") or "/": (hook, deployment.tables[hook.table])
            for hook in deployment.plan.webhooks
        }


class _AppFiles(DefaultFilter):
    """Changes that can change the app: sources and settings, not our own state, not what tools leave behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(ignore_dirs=(*DefaultFilter.ignore_dirs, STATE_FOLDER, "venv"))

    def __call__(self, change: Change, path: str) -> bool:
        """Tell whether the change matters."""
        *folders, name = Path(path).relative_to(self._folder).parts
        hidden = any(folder.startswith(".") for folder in folders)
        return not hidden and (is_source(name) or name == ".env") and super().__call__(change, path)


def welcome(opened_app: Opened, url: str) -> str:
    """Give what is printed at the start: live endpoints, live schedules, storages online."""
    plan = opened_app.plan
    shown = url.removeprefix("http://")
    endpoints = [f"{shown}{hook.path} POST" for hook in plan.webhooks]
    schedules = schedule_lines(plan)
    files = [f"files ({STATE_FOLDER}/files)"] if plan.files else []
    parts = [
        f"{plan.app}, version {plan.version_hash[:8]} (Ctrl-C stops)",
        _section("Live endpoints", endpoints),
        _section("Live schedules", schedules),
        _section("Storages online", [opened_app.database.shown, *files]),
    ]
    echoes = [model.name for model in plan.models if model.provider == "echo"]
    if echoes:
        parts.append(styled(f"Model {', '.join(echoes)}: answered by echo, for development only", "warn"))
    return "\n\n".join(parts) + "\n"


def schedule_lines(plan: Plan) -> list[str]:
    """Give the app's schedules in words."""
    crons = [(node.name, node.cron) for node in plan.nodes if node.cron is not None]
    widest = max((len(name) for name, _ in crons), default=0)
    return [
        f"{name:<{widest}}  {parse_cron(cron.expression, cron.timezone).describe()}" for name, cron in crons
    ]


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines or ["None"])])


def _tell(view: LiveView, event: RunEvent) -> None:
    view.observe(event)
    if event.kind == "started":
        return
    if event.kind == "done":
        rows = f"{event.rows_in} → {event.rows_out} rows  {event.seconds:.3f} s"
        say(_stamped(f"{event.node}  {styled('done', 'good')}  {rows}"))
        return
    say(_stamped(f"{event.node}  {styled(event.kind, 'bad')}  {describe_failure(event)}"))
    hint = (event.error or {}).get("hint")
    if hint:
        say(f"          hint: {hint}")


def _stamped(text: str) -> str:
    return f"{styled(datetime.now(UTC).astimezone().strftime('%H:%M:%S'), 'quiet')}  {text}"


command = typer.main.get_command(app)
