"""`patterns rename`: a node under a new name, or a new node under an old one's work."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import note, print_json, say
from patterns_os.cli.looking import unknown_node
from patterns_os.cli.session import opened
from patterns_os.composition.authoring import find_app, load_plan
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns rename my_py completions")
def rename(
    old: Annotated[str | None, typer.Argument(metavar="OLD", help="The name it was deployed under.")] = None,
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="Its name in manifest.json now.")] = None,
    forget: Annotated[
        str | None,
        typer.Option(metavar="OLD", help="Instead: this node is gone, and what looks like it is really new."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Tell that a node has a new name: it keeps its place in its tables, its State, held records and history.

    Rename it in manifest.json (or rename its file) first. With --forget the new node starts at the beginning.
    """
    _, plan = load_plan(find_app(Path.cwd()))
    if forget is not None:
        if old is not None:
            only = f"patterns rename --forget {forget}"
            raise UsageError("--forget takes the only name", code="rename", hint=only)
        _forget(plan, forget, json=json)
        return
    if old is None or new is None:
        raise UsageError("The old and the new name are needed", code="rename", hint="patterns rename OLD NEW")
    _rename(plan, old, new, json=json)


def _rename(plan: Plan, old: str, new: str, *, json: bool) -> None:
    if plan.node(new) is None:
        raise unknown_node(new, [node.name for node in plan.nodes])
    _refuse_present(plan, old)
    with opened("patterns rename", renamed={old: new}):
        pass
    if json:
        print_json({"old": old, "new": new})
        return
    say(f"{old} is now {new}, and goes on where it was")


def _forget(plan: Plan, old: str, *, json: bool) -> None:
    _refuse_present(plan, old)
    with opened("patterns rename", forgotten=[old]):
        pass
    if json:
        print_json({"forgotten": old})
        return
    say(f"{old} is retired; what does its work now starts at the beginning of its tables")
    note("hint: patterns run, or patterns dev")


def _refuse_present(plan: Plan, old: str) -> None:
    if plan.node(old) is not None:
        raise UsageError(
            f'Node "{old}" still has its old name in the app',
            code="rename",
            hint='first give it the new name in manifest.json, {"file": "…", "name": "…"}, or move its file',
        )


command = typer.main.get_command(app)
