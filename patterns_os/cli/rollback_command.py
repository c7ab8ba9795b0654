"""`patterns rollback`: an earlier version becomes the active one again, by the same way as any other."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import note
from patterns_os.cli.looking import not_deployed
from patterns_os.cli.proposing import carry_out, show, unchanged
from patterns_os.composition.authoring import find_app, load
from patterns_os.composition.deploying import propose_version, versions_of
from patterns_os.composition.running import open_database
from patterns_os.errors import CompileError, UsageError
from patterns_os.ports.deployments import Versions

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns rollback 12")
def rollback(
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION", help="Number or hash of a deployment. Default: the one before the active."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Make an earlier version the active one again, with the code that it had.

    Rows stay, and so does the place of each node: what was done is not done again.
    """
    folder = find_app(Path.cwd())
    compiled = load(folder)
    if compiled.graph is None:
        raise CompileError(compiled.diagnostics)
    name = compiled.graph.app
    with open_database(folder, compiled) as database:
        versions = versions_of(database)
        wanted = versions.find(name, version or _before(versions, name))
        proposal = propose_version(wanted, database)
        if unchanged(proposal.diff, json=json):
            return
        if not json:
            show(proposal)
            note(
                "the files in the folder stay as they are: `patterns deploy`, `dev` and `run` go on from them"
            )
        how = f"rollback to {wanted.number}"
        carry_out(folder, compiled, database, proposal, yes=yes, how=how, json=json)


def _before(versions: Versions, app: str) -> str:
    newest = versions.history(app, 1)
    if not newest:
        raise not_deployed(app)
    if newest[0].parent is None:
        raise UsageError("There is no version before the active one", code="unknown-deployment")
    return str(newest[0].parent)


command = typer.main.get_command(app)
