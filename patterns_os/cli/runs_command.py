"""`patterns runs`: what ran, why, and how it ended."""

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from patterns_os.cli.cells import json_ready
from patterns_os.cli.console import ago, box, cell_text, print_json, say, width
from patterns_os.cli.looking import known_node, looking
from patterns_os.ports.reports import RunReport

app = typer.Typer(add_completion=False)


class State(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@app.command(epilog="Example: patterns runs my_py --state failed --limit 5")
def runs(
    node: Annotated[str | None, typer.Argument(metavar="NODE", help="Only runs of this node.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many runs.")] = 20,
    state: Annotated[State | None, typer.Option(help="Only runs in this state.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, errors in full.")] = False,
) -> None:
    """Show what ran, the newest last: for which reason, rows in and out, how long, and how it ended.

    Reasons: rows (new ones), retry, cron, manual, again (the script asked for it), resume (a held record).
    """
    with looking() as reports:
        name = None if node is None else known_node(reports, node)
        found = reports.runs(node=name, state=state.value if state else None, limit=limit)
    if json:
        print_json([json_ready(asdict(run)) for run in found])
        return
    if not found:
        say("Nothing has run." if node is None and state is None else "No run matches.")
        return
    now = datetime.now(UTC)
    heading = ["run", "node", "why", "try", "state", "rows in", "rows out", "took", "ago", "error"]
    say(box(heading, [_cells(run, now) for run in found], limit=width()))


def _cells(run: RunReport, now: datetime) -> list[str]:
    error = run.error or {}
    trouble = " ".join(str(error[key]) for key in ("where", "message") if error.get(key))
    return [
        str(run.run), run.node, run.reason, str(run.attempt), run.state, str(run.rows_in), str(run.rows_out),
        ago(run.seconds), ago(max(0.0, (now - run.claimed_at).total_seconds())),
        cell_text(trouble.split("\n")[0]),
    ]  # fmt: skip


command = typer.main.get_command(app)
