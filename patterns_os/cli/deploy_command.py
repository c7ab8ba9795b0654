"""`patterns deploy`: the app as it lies here, or as a kept plan has it, becomes the active version."""

import os
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import note, print_json
from patterns_os.cli.proposing import carry_out, refuse_renames, show, tell_unset_secrets, unchanged
from patterns_os.composition.authoring import find_app, load, load_plan
from patterns_os.composition.deploying import Proposal, propose, propose_again
from patterns_os.composition.running import Database, open_database, peek_database
from patterns_os.diagnostics import quote, render_diagnostic
from patterns_os.errors import UsageError
from patterns_os.plan.compile import Compiled
from patterns_os.plan.file import PlanFile, read_plan_file

app = typer.Typer(add_completion=False)

_THIS_APP = "app"


@app.command(epilog="Example: patterns deploy --yes")
def deploy(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PLAN_FILE",
            help="A plan from `patterns plan --out`; or an app's folder. Default: the app here.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="Delete a table that the app does not use, with its rows."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show the plan, ask, and deploy exactly what was shown.

    If anything that the plan relies on has changed meanwhile, nothing is done. `patterns serve` runs what is deployed.
    """
    kept = _kept_plan(what)
    if kept is not None and drop:
        raise UsageError(
            "A kept plan says itself what it drops", code="plan-file", hint="patterns plan --drop TABLE"
        )
    folder = find_app(Path.cwd())
    compiled = load(folder) if kept is not None else load_plan(folder)[0]
    if dry_run:
        with peek_database(folder, compiled) as database:
            _show(folder, _proposal(compiled, database, kept, drop or []), json=json, only=True)
        return
    with open_database(folder, compiled) as database:
        if database.notice:
            note(database.notice)
        proposal = _proposal(compiled, database, kept, drop or [])
        if unchanged(proposal.diff, json=json):
            return
        _show(folder, proposal, json=json, only=False)
        carry_out(folder, compiled, database, proposal, yes=yes, how="deploy", json=json)


def _kept_plan(what: str | None) -> PlanFile | None:
    """Give the plan of a file, or enter the app that is named.

    Raises:
        UsageError: It is neither (`no-plan`).
    """
    if what is None:
        return None
    path = Path(what)
    if path.is_file():
        return read_plan_file(path.read_bytes(), what)
    if path.is_dir():
        os.chdir(path)
        return None
    if what in {_THIS_APP, _name_here()}:
        return None
    raise UsageError(
        f"{quote(what)} is neither a plan, nor a folder, nor the app here",
        code="no-plan",
        hint="`patterns deploy` deploys the app here; `patterns plan --out FILE` keeps a plan",
    )


def _name_here() -> str | None:
    graph = load(find_app(Path.cwd())).graph
    return graph.app if graph is not None else None


def _proposal(
    compiled: Compiled, database: Database | None, kept: PlanFile | None, drop: list[str]
) -> Proposal:
    if kept is not None and database is not None:
        return propose_again(kept, database)
    plan = kept.plan if kept is not None else compiled.plan
    assert plan is not None  # noqa: S101 - `load_plan` insists on it
    for found in compiled.diagnostics if kept is None else ():
        note(render_diagnostic(found))
    return propose(compiled, plan, database, drop=drop)


def _show(folder: Path, proposal: Proposal, *, json: bool, only: bool) -> None:
    if json:
        if only:
            print_json({"deployment": None, "changed": False, "plan": proposal.diff.to_data()})
        return
    show(proposal)
    tell_unset_secrets(folder, proposal.plan)
    if only:
        refuse_renames(proposal.diff)


command = typer.main.get_command(app)
