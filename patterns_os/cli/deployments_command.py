"""`patterns deployments`: what was deployed."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import box, print_json, say, width
from patterns_os.composition.authoring import find_app, load
from patterns_os.composition.deploying import versions_of
from patterns_os.composition.running import peek_database
from patterns_os.errors import CompileError
from patterns_os.ports.deployments import Version

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns deployments --limit 5")
def deployments(
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List what was deployed, the newest first: when, by whom, by which command, and which is active."""
    folder = find_app(Path.cwd())
    compiled = load(folder)
    if compiled.graph is None:
        raise CompileError(compiled.diagnostics)
    with peek_database(folder, compiled) as database:
        found = versions_of(database).history(compiled.graph.app, limit) if database is not None else []
    if json:
        print_json([_data(version) for version in found])
    elif not found:
        say("Nothing was deployed yet: patterns deploy")
    else:
        say(
            box(
                ["deployment", "version", "at", "by", "how", ""],
                [_cells(one) for one in found],
                limit=width(),
            )
        )


def _data(version: Version) -> dict[str, object]:
    return {
        "deployment": version.number,
        "version": version.hash,
        "at": version.at,
        "by": version.origin.deployed_by,
        "how": version.origin.how,
        "parent": version.parent,
        "active": version.active,
    }


def _cells(version: Version) -> list[str]:
    at = version.at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    mark = "active" if version.active else ""
    return [str(version.number), version.hash[:8], at, version.origin.deployed_by, version.origin.how, mark]


command = typer.main.get_command(app)
