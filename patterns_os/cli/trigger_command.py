"""`patterns trigger`: run a node now."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.local.folder import holder
from patterns_os.adapters.postgres.reports import open_reports
from patterns_os.adapters.postgres.requests import request_run
from patterns_os.cli.console import note, print_json, say
from patterns_os.cli.live import LiveView, picture
from patterns_os.cli.looking import not_deployed, unknown_node, word
from patterns_os.cli.run_command import report
from patterns_os.cli.session import Opened, at_work, opened
from patterns_os.composition.authoring import find_app, load_plan
from patterns_os.composition.running import open_database
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan
from patterns_os.settings import PATIENCE_S
from patterns_os.triggers.due import explain

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns trigger rebuild_model")
def trigger(
    node: Annotated[str, typer.Argument(metavar="NODE", help="The node's name, or its script's.")],
    json: Annotated[bool, typer.Option("--json", help="Print what ran as JSON.")] = False,
) -> int:
    """Run a node now, whatever triggers it otherwise.

    With `patterns dev` running, that runs it. Otherwise the app is run here until it is quiet.
    """
    folder = find_app(Path.cwd())
    running = holder(folder)
    if running is not None:
        return _ask(folder, node, running.command, json=json)
    with opened("patterns trigger") as opened_app:
        name = _runnable(opened_app.plan, node)
        request_run(opened_app.database.conninfo, opened_app.deployment.app, name)
        return asyncio.run(_run(opened_app, name, json=json))


def _ask(folder: Path, node: str, command: str, *, json: bool) -> int:
    """Leave the run to the command that runs the app."""
    compiled, plan = load_plan(folder)
    name = _runnable(plan, node)
    with open_database(folder, compiled) as database, open_reports(database.conninfo, plan.app) as reports:
        if reports is None:
            raise not_deployed(plan.app)
        request = request_run(database.conninfo, reports.app, name)
        told = explain(reports.node_facts(name, served_by=command))
    if json:
        print_json({"node": name, "request": request, "served_by": command, "state": told.state})
        return 0
    say(f"{name}: asked; `{command}` runs it")
    if told.state in {"backoff", "failing", "paused"}:
        note(f"  it waits: {told.cause}")
    note(f"  see: patterns logs {word(name)} -f")
    return 0


async def _run(opened_app: Opened, node: str, *, json: bool) -> int:
    view = LiveView(opened_app.plan)
    async with at_work(opened_app, view.observe) as (_, supervisor):
        if json:
            await supervisor.serve(until_quiet=True, patience_s=PATIENCE_S)
        else:
            with picture(view, supervisor):
                await supervisor.serve(until_quiet=True, patience_s=PATIENCE_S)
    if not view.nodes[node].runs:
        note(f"{node} has not run yet: patterns why {word(node)}")
    return report(view, json=json)


def _runnable(plan: Plan, given: str) -> str:
    """Give the node that is meant.

    Raises:
        UsageError: There is none (`unknown-node`), or it is a webhook (`not-runnable`).
    """
    for node in plan.nodes:
        if given in {node.name, node.file}:
            return node.name
    for hook in plan.webhooks:
        if given in {hook.name, hook.title}:
            raise UsageError(
                f'"{given}" is a webhook: it runs when something is sent to it',
                code="not-runnable",
                hint=f"patterns webhook test --title {word(hook.title)} --data '{{…}}'",
            )
    raise unknown_node(given, [node.name for node in plan.nodes])


command = typer.main.get_command(app)
