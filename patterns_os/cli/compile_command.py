"""`patterns compile`: all mistakes of an app at once, and its graph."""

from pathlib import Path
from typing import Annotated

import click
import typer

from patterns_os.cli.console import print_json, say, width
from patterns_os.cli.lint_command import repository_path
from patterns_os.composition.authoring import find_app, load
from patterns_os.diagnostics import Severity, render_diagnostic
from patterns_os.graph.render import render_json, render_terminal
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.compile import Compiled
from patterns_os.plan.formats import Format, render_findings

app = typer.Typer(add_completion=False)

_MOST_DRAWN = 100


@app.command("compile", epilog="Example: patterns compile --json | jq .diagnostics")
def compile_here(
    json: Annotated[bool, typer.Option("--json", help="Print graph and findings as JSON.")] = False,
    form: Annotated[
        Format, typer.Option("--format", help="How to print findings; all but human print nothing else.")
    ] = Format.HUMAN,
    watch: Annotated[
        bool, typer.Option("--watch", help="Compile again whenever a file changes, until Ctrl-C.")
    ] = False,
) -> int:
    """Check the app: every mistake with its place and a hint, then its graph.

    Exit code 1 if there is an error; warnings change nothing. Nothing is run and nothing is connected.
    With --watch there is one line for each compile after its findings, with --json one line of data.
    """
    folder = find_app(Path.cwd())
    if watch:
        from patterns_os.cli.compile_watch import follow  # noqa: PLC0415 - what it needs takes time to load

        follow(folder, form, json=json)
    compiled = load(folder)
    if form is not Format.HUMAN:
        base = repository_path(folder)
        say(render_findings(compiled.diagnostics, form, summaries=ALL_CODES, base=base))
        return int(compiled.plan is None)
    if json:
        print_json(as_data(compiled))
        return int(compiled.plan is None)
    for found in compiled.diagnostics:
        click.echo(render_diagnostic(found), err=True)
    if compiled.plan is None or compiled.graph is None:
        click.echo(sum_up(compiled), err=True)
        return 1
    nodes, tables = len(compiled.graph.nodes), len(compiled.plan.tables)
    # A tree of thousands of lines tells nobody anything, and takes longer than the compile.
    if nodes <= _MOST_DRAWN:
        say(f"{render_terminal(compiled.graph, width())}\n")
    say(f"{_count(nodes, 'node')}, {_count(tables, 'table')}, version {compiled.plan.version_hash}")
    return 0


def as_data(compiled: Compiled) -> dict[str, object]:
    """Give everything that the compiler found as plain data."""
    return {
        "ok": compiled.plan is not None,
        "version": compiled.plan.version_hash if compiled.plan else None,
        "diagnostics": [found.to_json() for found in compiled.diagnostics],
        "graph": render_json(compiled.graph) if compiled.graph else None,
    }


def sum_up(compiled: Compiled) -> str:
    """Give how many errors and warnings there are."""
    errors = sum(found.severity is Severity.ERROR for found in compiled.diagnostics)
    warnings = len(compiled.diagnostics) - errors
    counts = [_count(errors, "error") if errors else "ok", _count(warnings, "warning") if warnings else ""]
    return ", ".join(count for count in counts if count)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


command = typer.main.get_command(app)
