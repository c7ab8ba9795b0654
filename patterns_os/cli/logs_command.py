"""`patterns logs`: what a node printed."""

import time
from dataclasses import asdict
from json import dumps
from typing import Annotated

import typer

from patterns_os.adapters.postgres.reports import PostgresReports
from patterns_os.cli.console import json_default, note, say, styled
from patterns_os.cli.looking import known_node, looking
from patterns_os.ports.reports import LogReport

app = typer.Typer(add_completion=False)

_POLL_S = 0.3
_AT_ONCE = 1_000


@app.command(epilog="Example: patterns logs my_py -f")
def logs(
    node: Annotated[str, typer.Argument(metavar="NODE", help="The node's name, or its script's.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    run: Annotated[int | None, typer.Option(metavar="N", help="Only lines of this run.")] = None,
    lines: Annotated[int, typer.Option(min=0, help="Show the newest so many lines.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print each line as a line of JSON.")] = False,
) -> None:
    """Show what a node printed, trace-backs too, the newest last."""
    with looking() as reports:
        name = known_node(reports, node)
        found = reports.logs(name, run=run, limit=lines)
        for line in found:
            _show(line, json=json)
        if follow:
            _follow(reports, name, run, found[-1].number if found else reports.last_log(), json=json)
        elif not found:
            note(f'Node "{name}" has printed nothing' + ("" if run is None else f" in run {run}"))


def _follow(reports: PostgresReports, node: str, run: int | None, last: int, *, json: bool) -> None:
    while True:
        for line in reports.logs(node, run=run, after=last, limit=_AT_ONCE):
            _show(line, json=json)
            last = line.number
        time.sleep(_POLL_S)


def _show(line: LogReport, *, json: bool) -> None:
    if json:
        say(dumps(asdict(line), default=json_default, ensure_ascii=False))
        return
    moment = line.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    head = styled(f"{moment}  {'-' if line.run is None else line.run:>4}", "quiet")
    say(f"{head}  {styled(line.line, 'bad') if line.stream == 'stderr' else line.line}")


command = typer.main.get_command(app)
