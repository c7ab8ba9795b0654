"""An app being served: webhooks answered, crons fired, lanes rescued, until its supervisor stops."""

import asyncio
import os
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from patterns_os.adapters.local.folder import Holder, write_note
from patterns_os.adapters.postgres.wakeups import listen
from patterns_os.cli.announcing import url_of, welcome
from patterns_os.cli.console import say
from patterns_os.cli.live import LiveView
from patterns_os.composition.running import Database, Parts
from patterns_os.control.rescuer import Rescuer
from patterns_os.launcher.supervisor import Supervisor, Workplace
from patterns_os.plan.spec import PlannedWebhook
from patterns_os.ports.deployments import Deployment
from patterns_os.service.server import Server, build_app
from patterns_os.service.webhooks import WebhookEndpoint


class Served:
    """The version that is being served, and how it changes."""

    def __init__(self, deployment: Deployment, parts: Parts, supervisor: Supervisor, view: LiveView) -> None:
        self.deployment = deployment
        self._parts = parts
        self._supervisor = supervisor
        self._view = view
        self._find_paths()

    def lookup(self, path: str) -> tuple[PlannedWebhook, int] | None:
        """Give webhook and table number of a path."""
        return self._paths.get(path.rstrip("/") or "/")

    async def status(self) -> dict[str, object]:
        """Say what runs, for other commands."""
        plan = self.deployment.plan
        return {
            "app": plan.app,
            "version": plan.version_hash,
            "webhooks": [hook.model_dump(mode="json") for hook in plan.webhooks],
            "live": [live.claim.node for live in self._supervisor.live.values()],
        }

    def use(self, deployment: Deployment, place: Workplace) -> None:
        """Serve another version from now on; what runs ends at its next record boundary."""
        self.deployment = deployment
        self._view.use(deployment.plan)
        self._find_paths()
        self._parts.ingest.use(deployment.plan.tables)
        self._supervisor.redeploy(deployment, place)
        self._parts.scheduler.reload()

    def _find_paths(self) -> None:
        self._paths = {
            hook.path.rstrip("/") or "/": (hook, self.deployment.tables[hook.table])
            for hook in self.deployment.plan.webhooks
        }


async def serve(
    app: Path,
    database: Database,
    served: Served,
    parts: Parts,
    supervisor: Supervisor,
    *,
    taken: socket.socket,
    host: str,
    command: str,
    follow: Coroutine[Any, Any, None] | None = None,
) -> None:
    """Answer webhooks and keep the app going until its supervisor stops, and say so.

    Args:
        app: The app's folder.
        database: Where it is deployed.
        served: The version to begin with.
        parts: The app's parts.
        supervisor: Executes the runs.
        taken: Where it listens.
        host: What that is called.
        command: The command, for others that meet it.
        follow: Runs beside it: whatever changes the version.
    """
    url = url_of(host, taken.getsockname()[1])
    server = Server(build_app(WebhookEndpoint(parts.ingest, served.lookup), served.status), taken)
    await server.start()
    write_note(app, Holder(pid=os.getpid(), command=command, url=url))
    say(welcome(served.deployment.plan, database, url))
    background = [
        asyncio.create_task(parts.scheduler.serve()),
        asyncio.create_task(Rescuer(parts.claims, supervisor.wake).serve()),
        asyncio.create_task(listen(database.conninfo, served.deployment.app, supervisor.wake)),
    ]
    if follow is not None:
        background.append(asyncio.create_task(follow))
    try:
        await supervisor.serve()
    finally:
        say("stopping …")
        await server.stop()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
