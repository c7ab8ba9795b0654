"""`patterns why`: why a node is running, waiting or failing."""

from dataclasses import asdict
from typing import Annotated

import typer

from patterns_os.cli.console import note, print_json, say, styled
from patterns_os.cli.looking import Reached, known_node, reached, unknown_node
from patterns_os.triggers.due import Explanation, NodeFacts, explain

app = typer.Typer(add_completion=False)

_STYLE = {"running": "busy", "due": "busy", "failing": "bad", "backoff": "bad", "not-deployed": "warn"}


@app.command(epilog="Example: patterns why my_py")
def why(
    node: Annotated[
        str | None,
        typer.Argument(metavar="NODE", help="The node's name, or its script's; all nodes without it."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say in one line why a node is running, waiting or failing, and what decides it.

    The answer comes from the same numbers that decide what runs: cursors, watermarks, requests and ticks.
    """
    with reached() as found:
        names = _all_names(found) if node is None else [_name(found, node)]
        told = [explain(_facts(found, name)) for name in names]
    if json:
        print_json(asdict(told[0]) if node is not None else [asdict(one) for one in told])
        return
    for one in told:
        _show(one, whole=node is not None)


def _all_names(found: Reached) -> list[str]:
    plan = found.compiled.plan or (found.reports.plan if found.reports else None)
    if plan is None:
        return found.reports.node_names() if found.reports else []
    return sorted([*(node.name for node in plan.nodes), *(hook.name for hook in plan.webhooks)])


def _name(found: Reached, given: str) -> str:
    """Give the node that is meant; one that is only in the files is known too: it is not deployed yet."""
    names = _all_names(found)
    planned = found.compiled.plan.nodes if found.compiled.plan else ()
    by_file = {node.file: node.name for node in planned}
    if given in names or given in by_file:
        return by_file.get(given, given)
    if found.reports is not None:
        return known_node(found.reports, given)
    raise unknown_node(given, names)


def _facts(found: Reached, node: str) -> NodeFacts:
    served_by = found.running.command if found.running else None
    if found.reports is None:
        return NodeFacts.undeployed(node)
    return found.reports.node_facts(node, served_by=served_by)


def _show(told: Explanation, *, whole: bool) -> None:
    say(f"{told.node}: {styled(told.cause, _STYLE[told.state]) if told.state in _STYLE else told.cause}")
    if not whole:
        return
    for detail in told.details:
        say(f"  {detail}")
    if told.hint:
        note(f"  hint: {told.hint}")


command = typer.main.get_command(app)
