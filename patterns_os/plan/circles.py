"""Circles of tables that trigger their writers, and the nodes that say how often rows may come round."""

from collections import defaultdict

from patterns_os.graph.topology import in_circles
from patterns_os.plan.spec import Plan


def bounds_of_circles(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Give for each node of a bounded circle the nodes of it that bound it, by name, sorted.

    Nodes that reach each other are in one circle, however many ways there are. Nodes outside of circles, and in
    circles that no node bounds, are left out.
    """
    numbers = in_circles(_links(plan))
    bounds: dict[int, list[str]] = defaultdict(list)
    for node in sorted(plan.nodes, key=lambda node: node.name):
        if node.max_hops is not None and node.name in numbers:
            bounds[numbers[node.name]].append(node.name)
    return {name: tuple(bounds[number]) for name, number in numbers.items() if number in bounds}


def _links(plan: Plan) -> dict[str, list[tuple[str, str]]]:
    """Give for each node the tables that it writes with the nodes that these trigger."""
    triggered: dict[str, list[str]] = defaultdict(list)
    for node in plan.nodes:
        for table in sorted({given.table for given in node.inputs if given.triggering}):
            triggered[table].append(node.name)
    return {
        node.name: [
            (table, name)
            for table in sorted({output.table for output in node.outputs})
            for name in triggered[table]
        ]
        for node in plan.nodes
    }
