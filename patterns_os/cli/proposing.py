"""What `plan`, `deploy` and `rollback` share: a proposal shown, agreed to, and carried out."""

import sys
from pathlib import Path

import click

from patterns_os.adapters.local.folder import Holder, holder
from patterns_os.cli.announcing import live_parts, url_of
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import note, print_json, say, styled
from patterns_os.composition.authoring import configuration_of, node_secrets
from patterns_os.composition.deploying import Proposal, apply
from patterns_os.composition.running import Database
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.plan.compile import Compiled
from patterns_os.plan.diff import PlanDiff, refused_rename
from patterns_os.plan.effects import rows_of
from patterns_os.plan.render import explain_diff, render_diff
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import Deployment
from patterns_os.settings import DEFAULT_HOST, DEFAULT_PORT

_DEV = "patterns dev"
_SERVE = "patterns serve"


def show(proposal: Proposal, *, explain: bool = False) -> None:
    """Print what deploying would change, and with `explain` why, node by node."""
    say(render_diff(proposal.diff, styled))
    if explain and not proposal.diff.is_empty:
        say(f"\n{explain_diff(proposal.diff, proposal.plan, styled)}")


def tell_unset_secrets(app: Path, plan: Plan) -> None:
    """Name the secrets that nodes declare and nobody has set: by their names only."""
    unset = sorted({name for node in plan.nodes for name in node.secrets} - node_secrets(app, plan).keys())
    for name in unset:
        note(f"secret {quote(name)} is not set here: patterns secret set {name}")


def refuse_renames(diff: PlanDiff) -> None:
    """Stop where a node looks renamed and nobody has said what it is.

    Raises:
        PermanentError: One does (`node-renamed`).
    """
    for old, new in diff.renames.items():
        raise refused_rename(old, new, is_back=new in diff.returning)


def refuse_while_developing(app: Path) -> Holder | None:
    """Give who serves the app here; stop where a command runs what lies in the folder.

    Raises:
        UsageError: `patterns dev`, or a command that runs the app once, is at work (`already-running`).
    """
    running = holder(app)
    if running is None or running.command == _SERVE:
        return running
    hint = (
        "save the files: it deploys them by itself; or stop it"
        if running.command == _DEV
        else "wait for its end"
    )
    raise UsageError(
        f"`{running.command}` (process {running.pid}) runs this app from its folder",
        code="already-running",
        hint=hint,
    )


def agree(diff: PlanDiff, *, yes: bool) -> None:
    """Ask whether to go on; where rows are deleted, have the tables' names typed.

    Raises:
        UsageError: There is nobody to ask (`needs-yes`), or the answer is no (`not-confirmed`).
    """
    if not yes and diff.dropped and sys.stdin.isatty():
        for name, rows in diff.dropped.items():
            typed = click.prompt(
                f"Type {name} to delete it with {rows_of(rows)}", default="", show_default=False, err=True
            )
            if typed.strip() != name:
                raise UsageError("Nothing is changed", code="not-confirmed")
    confirm(f"Deploy version {diff.after[:8]} of {quote(diff.app)}?", yes=yes)


def carry_out(
    app: Path, compiled: Compiled, database: Database, proposal: Proposal, *, yes: bool, how: str, json: bool
) -> None:
    """Ask, deploy exactly what was shown, and print what is live."""
    running = refuse_while_developing(app)
    refuse_renames(proposal.diff)
    agree(proposal.diff, yes=yes)
    if not json:
        click.echo(f"\nDeploying to {_target(compiled)}... ", nl=False)
    deployment = apply(app, database, proposal, how=how)
    if json:
        print_json(_told(proposal.diff, deployment))
        return
    say(styled("DONE", "good"))
    say(f"\n{live_parts(deployment.plan, database, _url(compiled, running))}")
    if running is None:
        note("\nhint: patterns serve runs it")


def unchanged(diff: PlanDiff, *, json: bool) -> bool:
    """Tell whether there is nothing to deploy, and say so."""
    if diff.is_empty and json:
        print_json(_told(diff, None))
    elif diff.is_empty:
        say(f"Nothing to deploy: version {diff.after[:8]} of {diff.app} is active already")
    return diff.is_empty


def _told(diff: PlanDiff, deployment: Deployment | None) -> dict[str, object]:
    number = deployment.version if deployment else diff.expected.deployment
    changed = deployment is not None and (deployment.changed or bool(diff.dropped))
    return {"deployment": number, "version": diff.after, "changed": changed, "plan": diff.to_data()}


def _target(compiled: Compiled) -> str:
    chosen = configuration_of(compiled).deployment
    return chosen.target if chosen.engine == "local" else f"{chosen.target} with {chosen.engine}"


def _url(compiled: Compiled, running: Holder | None) -> str:
    if running is not None and running.url is not None:
        return running.url
    chosen = configuration_of(compiled).deployment
    return url_of(chosen.host or DEFAULT_HOST, chosen.port or DEFAULT_PORT)
