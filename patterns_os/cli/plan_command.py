"""`patterns plan`: what deploying the app would change. Nothing is changed by looking."""

from pathlib import Path
from typing import Annotated

import click
import typer

from patterns_os.cli.console import note, print_json
from patterns_os.cli.proposing import refuse_renames, show, tell_unset_secrets
from patterns_os.composition.authoring import find_app, load_plan
from patterns_os.composition.deploying import Proposal, propose
from patterns_os.composition.running import peek_database
from patterns_os.diagnostics import quote, render_diagnostic
from patterns_os.errors import UsageError

app = typer.Typer(add_completion=False)

_CHANGES = 2


@app.command(epilog="Example: patterns plan --out next.plan && patterns deploy next.plan")
def plan(  # noqa: PLR0917 - typer makes options of them
    explain: Annotated[bool, typer.Option("--explain", help="Say why, node by node.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the plan in a file, for `patterns deploy FILE`.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="Compare with this deployment (number or hash), not the active one."
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="Plan to delete a table that the app does not use."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="End with 2 where there are changes.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Show what deploying the app would change, why, whom it may break, and what happens then.

    Nothing is changed, and no database is made. Without a deployment everything is new.
    """
    if out is not None and against is not None:
        raise UsageError(
            "A plan against an earlier version can't be deployed",
            code="plan-file",
            hint="leave out --against",
        )
    folder = find_app(Path.cwd())
    compiled, planned = load_plan(folder)
    for found in compiled.diagnostics:
        note(render_diagnostic(found))
    with peek_database(folder, compiled) as database:
        proposal = propose(compiled, planned, database, drop=drop or (), against=against)
    if json:
        print_json(proposal.diff.to_data())
    else:
        show(proposal, explain=explain)
        tell_unset_secrets(folder, planned)
    if out is not None:
        _keep(proposal, out)
    if not json:
        refuse_renames(proposal.diff)
    return _CHANGES if detailed_exitcode and not proposal.diff.is_empty else 0


def _keep(proposal: Proposal, out: Path) -> None:
    try:
        out.write_bytes(proposal.file.to_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"The plan can't be written to {quote(str(out))}: {reason}", code="plan-file"
        ) from error
    click.echo(f"\nkept in {out}: patterns deploy {out}", err=True)


command = typer.main.get_command(app)
