"""The order of nodes and the circles among them.

A node comes after another if it uses a table that the other writes. Uses that can trigger make circles; a
table that is looked at beside a stream does not, and gives way where it would close one.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from patterns_os.errors import UsageError
from patterns_os.graph.vertices import Access, Edge, Graph, Node

if TYPE_CHECKING:
    import networkx as nx  # type: ignore[import-untyped]  # it ships no types


def can_trigger(edge: Edge, edges_of_node: Iterable[Edge], node: Node) -> bool:
    """Tell whether new rows of the edge's store can make the node run.

    Streams can; without any, tables that are read, unless a cron or `manual` decides, or `trigger.on` names
    others. A table that the node itself writes triggers only if it is streamed.
    """
    edges = tuple(edges_of_node)
    if edge.access is Access.STREAM:
        return True
    trigger = node.spec.get("trigger")
    if edge.access is not Access.READ or edge.kind != "table" or _writes(edges, edge.store):
        return False
    if isinstance(trigger, Mapping) and "on" in trigger:
        return edge.store in trigger["on"]
    if trigger is not None:
        return False
    return not any(other.access is Access.STREAM for other in edges)


def topological_order(nodes: Sequence[Node], edges: Sequence[Edge]) -> tuple[str, ...]:
    """Give all node names, upstream first, ties by name. Circles are entered at their first name."""
    names = [node.name for node in nodes]
    uses = _upstream(edges, {edge for edge in edges if edge.access is not Access.WRITE})
    triggers = _upstream(edges, _triggering(nodes, edges))
    remaining = sorted(names)
    order: list[str] = []
    while remaining:
        left = set(remaining)
        chosen = next(
            (
                name
                for upstream in (uses, triggers)
                for name in remaining
                if not (upstream[name] - {name}) & left
            ),
            remaining[0],
        )
        remaining.remove(chosen)
        order.append(chosen)
    return tuple(order)


def cycles(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """Give circles of tables that trigger their writers: node, table, node, …, and the first node again.

    Each starts at its first name; every circle shares a node with one that is given.
    """
    links = _links(graph)
    found: list[tuple[str, ...]] = []
    reported: set[str] = set()
    for name in sorted(node.name for node in graph.nodes):
        path = None if name in reported else _shortest_circle(name, links)
        if path is not None:
            found.append(path)
            reported.update(path[::2])
    return tuple(found)


def to_networkx(graph: Graph) -> "nx.MultiDiGraph[Any]":
    """Give the graph for analysis: vertices `("node", name)`, `("table", name)`, `("file", name)`.

    Edges run with the data and have `access`, `port` and `origin`.

    Raises:
        UsageError: networkx is not installed.
    """
    try:
        import networkx as nx  # noqa: PLC0415 - optional, and too slow for what every command loads
    except ImportError as error:
        raise UsageError(
            "the package networkx is not installed",
            code="missing-extra",
            hint="install it with `pip install 'patterns-os[networkx]'`",
        ) from error
    result: nx.MultiDiGraph[Any] = nx.MultiDiGraph(app=graph.app)
    for node in graph.nodes:
        result.add_node(("node", node.name), kind=str(node.kind), file=node.file)
    for store in graph.stores:
        result.add_node((str(store.kind), store.name), declared=store.declared)
    for edge in graph.edges:
        ends = [("node", edge.node), (str(edge.kind), edge.store)]
        start, end = ends if edge.access is Access.WRITE else reversed(ends)
        result.add_edge(start, end, access=str(edge.access), port=edge.port, origin=str(edge.origin))
    return result


def _triggering(nodes: Iterable[Node], edges: Sequence[Edge]) -> set[Edge]:
    by_node = _by_node(edges)
    return {
        edge for node in nodes for edge in by_node[node.name] if can_trigger(edge, by_node[node.name], node)
    }


def _upstream(edges: Sequence[Edge], inputs: set[Edge]) -> dict[str, set[str]]:
    writers = defaultdict(set)
    for edge in edges:
        if edge.access is Access.WRITE:
            writers[edge.kind, edge.store].add(edge.node)
    upstream: dict[str, set[str]] = defaultdict(set)
    for edge in inputs:
        upstream[edge.node] |= writers[edge.kind, edge.store]
    return upstream


def _links(graph: Graph) -> dict[str, list[tuple[str, str]]]:
    """Give for each node the tables that it writes with the nodes that these trigger."""
    triggered = defaultdict(set)
    for edge in _triggering(graph.nodes, graph.edges):
        triggered[edge.kind, edge.store].add(edge.node)
    links: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges:
        if edge.access is Access.WRITE:
            links[edge.node] += [(edge.store, node) for node in sorted(triggered[edge.kind, edge.store])]
    return {node: sorted(found) for node, found in links.items()}


def _shortest_circle(start: str, links: Mapping[str, list[tuple[str, str]]]) -> tuple[str, ...] | None:
    pending: deque[tuple[str, ...]] = deque([(start,)])
    seen: set[str] = set()
    while pending:
        path = pending.popleft()
        for table, node in links.get(path[-1], ()):
            if node == start:
                return (*path, table, node)
            if node not in seen:
                seen.add(node)
                pending.append((*path, table, node))
    return None


def _by_node(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge.node].append(edge)
    return found


def _writes(edges: Iterable[Edge], store: str) -> bool:
    return any(edge.access is Access.WRITE and edge.store == store for edge in edges)
