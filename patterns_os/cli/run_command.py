"""`patterns run`: everything that is due, then stop."""

import asyncio
from typing import Annotated

import typer

from patterns_os.cli.console import print_json
from patterns_os.cli.live import LiveView, picture, tell_failures
from patterns_os.cli.session import Opened, at_work, early_processes, opened
from patterns_os.launcher.pool import ProcessPool
from patterns_os.settings import PATIENCE_S

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns run && patterns table data completions")
def run(
    patience: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Also wait for retries that are due within so many seconds."),
    ] = PATIENCE_S,
    json: Annotated[bool, typer.Option("--json", help="Print what ran as JSON.")] = False,
) -> int:
    """Process everything that is due until the app is quiet, then stop.

    Exit code 1 if a node is failing at the end. What is left is done by the next `patterns run` or `patterns dev`.
    """
    return asyncio.run(_run(patience, json=json))


async def _run(patience: float, *, json: bool) -> int:
    async with early_processes() as pool:
        with opened("patterns run") as opened_app:
            return await _work(opened_app, pool, patience, json=json)


async def _work(opened_app: Opened, pool: ProcessPool, patience: float, *, json: bool) -> int:
    view = LiveView(opened_app.plan)
    async with at_work(opened_app, view.observe, pool) as (parts, supervisor):
        await parts.scheduler.fire_due()
        if json:
            await supervisor.serve(until_quiet=True, patience_s=patience)
        else:
            with picture(view, supervisor):
                await supervisor.serve(until_quiet=True, patience_s=patience)
    return report(view, json=json)


def report(view: LiveView, *, json: bool) -> int:
    """Print what is wrong, or everything as JSON; give the exit code."""
    if json:
        print_json(
            [
                {
                    "node": node.name, "kind": node.kind, "state": node.state, "runs": node.runs,
                    "rows_in": node.rows_in, "rows_out": node.rows_out, "seconds": round(node.seconds, 3),
                    "error": node.trouble or None,
                }
                for node in view.nodes.values()
            ]
        )  # fmt: skip
    elif view.failures:
        tell_failures(view)
    return int(any(node.state in {"failed", "held"} for node in view.nodes.values()))


command = typer.main.get_command(app)
