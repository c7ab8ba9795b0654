"""What deploying a plan over another would change."""

from patterns_os.plan.spec import Plan, PlannedNode


def likely_renames(before: Plan, after: Plan) -> dict[str, str]:
    """Give old name → new name of nodes that look renamed.

    A node looks renamed if one is gone and one is new with the same content, or with the same streamed
    inputs and the same outputs. Each name appears once; ties go to the first by name.
    """
    old_names = {node.name for node in before.nodes}
    new_names = {node.name for node in after.nodes}
    gone = [node for node in before.nodes if node.name not in new_names and _streams(node)]
    new = [node for node in after.nodes if node.name not in old_names and _streams(node)]
    found: dict[str, str] = {}
    for old in gone:
        match = next(
            (node for node in new if node.name not in found.values() and _same_work(old, node)), None
        )
        if match is not None:
            found[old.name] = match.name
    return found


def _same_work(old: PlannedNode, new: PlannedNode) -> bool:
    same_edges = _streams(old) == _streams(new) and {o.table for o in old.outputs} == {
        o.table for o in new.outputs
    }
    return old.content == new.content or same_edges


def _streams(node: PlannedNode) -> set[str]:
    return {given.table for given in node.inputs if given.access == "stream"}
