"""The order of nodes and the circles among them.

A node comes after another if it uses a table that the other writes. Uses that can trigger make circles; a
table that is looked at beside a stream does not, and gives way where it would close one.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from patterns_os.errors import UsageError
from patterns_os.graph.vertices import Access, Edge, Graph, Node, StoreKind

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
    """Give all node names, upstream first, ties by name. Circles are entered at their first name.

    Next is always the first name that uses nothing of the nodes left; without one, the first that nothing
    left triggers; without one, the first of all.
    """
    names = sorted(node.name for node in nodes)
    known = set(names)
    queues = (
        _Queue(known, edges, [edge for edge in edges if edge.access is not Access.WRITE]),
        _Queue(known, edges, _triggering(nodes, edges)),
    )
    order: list[str] = []
    placed: set[str] = set()
    rest = iter(names)
    while len(order) < len(names):
        ready = (queue.first(placed) for queue in queues)
        chosen = next((name for name in ready if name is not None), None)
        if chosen is None:
            chosen = next(name for name in rest if name not in placed)
        placed.add(chosen)
        order.append(chosen)
        for queue in queues:
            queue.remove(chosen)
    return tuple(order)


def cycles(graph: Graph, *, without: AbstractSet[str] = frozenset()) -> tuple[tuple[str, ...], ...]:
    """Give circles of tables that trigger their writers: node, table, node, …, and the first node again.

    Each starts at its first name; every circle shares a node with one that is given.

    Args:
        graph: The app.
        without: Nodes whose circles are not looked for.
    """
    links = _links(graph, without)
    inside = in_circles(links)
    within = {
        name: [(table, node) for table, node in links[name] if inside.get(node) == number]
        for name, number in inside.items()
    }
    found: list[tuple[str, ...]] = []
    reported: set[str] = set()
    for name in sorted(within):
        path = None if name in reported else _shortest_circle(name, within)
        if path is not None:
            found.append(path)
            reported.update(path[::2])
    return tuple(found)


def in_circles(links: Mapping[str, list[tuple[str, str]]]) -> dict[str, int]:
    """Give the nodes that are on a circle, with a number that those have in common that reach each other.

    Args:
        links: For each node the tables that it writes, each with a node that it triggers.

    Tarjan's strongly connected components, without recursion: apps may be longer than Python's stack.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: dict[str, int] = {}
    done: set[str] = set()
    for root in links:
        pending = [] if root in index else [(root, iter(links[root]))]
        while pending:
            name, rest = pending[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                stack.append(name)
            for _, node in rest:
                if node not in index:
                    pending.append((node, iter(links[node])))
                    break
                if node not in done:
                    low[name] = min(low[name], index[node])
            else:
                pending.pop()
                if pending:
                    low[pending[-1][0]] = min(low[pending[-1][0]], low[name])
                if low[name] == index[name]:
                    component = _popped(stack, name)
                    done.update(component)
                    if len(component) > 1 or any(node == name for _, node in links[name]):
                        found |= dict.fromkeys(component, index[name])
    return found


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


class _Queue:
    """Nodes that wait for the writers of what they use; who waits for nobody is ready, first name first.

    Tables count their writers that are left, so that the work grows with the edges, however many nodes
    share a table. Nobody waits for itself.
    """

    def __init__(self, names: AbstractSet[str], edges: Iterable[Edge], uses: Iterable[Edge]) -> None:
        self._writers: dict[_StoreKey, set[str]] = defaultdict(set)
        self._users: dict[_StoreKey, set[str]] = defaultdict(set)
        self._written: dict[str, list[_StoreKey]] = defaultdict(list)
        self._waits = dict.fromkeys(names, 0)
        for edge in edges:
            key = edge.kind, edge.store
            if edge.access is Access.WRITE and edge.node not in self._writers[key]:
                self._writers[key].add(edge.node)
                self._written[edge.node].append(key)
        for edge in uses:
            self._users[edge.kind, edge.store].add(edge.node)
        for key, users in self._users.items():
            writers = self._writers[key]
            for name in users:
                self._waits[name] += len(writers) - (name in writers) > 0
        self._ready = sorted(name for name, waits in self._waits.items() if waits == 0)

    def first(self, placed: AbstractSet[str]) -> str | None:
        """Give the first name that is ready and not placed, or `None`."""
        while self._ready and self._ready[0] in placed:
            heappop(self._ready)
        return self._ready[0] if self._ready else None

    def remove(self, name: str) -> None:
        """Let nobody wait for the node any longer."""
        for key in self._written[name]:
            writers, users = self._writers[key], self._users[key]
            writers.remove(name)
            if len(writers) == 1:
                # A last writer that uses its own table does not wait for itself.
                self._release(writers & users)
            elif not writers:
                # The node that was the last is no longer waiting for anything.
                self._release(users - {name})

    def _release(self, names: Iterable[str]) -> None:
        for name in names:
            self._waits[name] -= 1
            if self._waits[name] == 0:
                heappush(self._ready, name)


_StoreKey = tuple[StoreKind, str]


def _triggering(nodes: Iterable[Node], edges: Sequence[Edge]) -> list[Edge]:
    by_node = _by_node(edges)
    return [
        edge
        for node in nodes
        for edge in by_node.get(node.name, ())
        if edge.access is not Access.WRITE and can_trigger(edge, by_node[node.name], node)
    ]


def _links(graph: Graph, without: AbstractSet[str]) -> dict[str, list[tuple[str, str]]]:
    """Give for each node the tables that it writes with the nodes that these trigger."""
    triggered = defaultdict(set)
    for edge in _triggering(graph.nodes, graph.edges):
        if edge.node not in without:
            triggered[edge.kind, edge.store].add(edge.node)
    links: dict[str, set[tuple[str, str]]] = {node.name: set() for node in graph.nodes}
    for edge in graph.edges:
        if edge.access is Access.WRITE and edge.node not in without:
            links[edge.node] |= {(edge.store, node) for node in triggered[edge.kind, edge.store]}
    return {node: sorted(found) for node, found in links.items()}


def _popped(stack: list[str], last: str) -> list[str]:
    component = [stack.pop()]
    while component[-1] != last:
        component.append(stack.pop())
    return component


def _shortest_circle(start: str, links: Mapping[str, list[tuple[str, str]]]) -> tuple[str, ...] | None:
    pending = deque([start])
    reached: dict[str, tuple[str, str]] = {}
    while pending:
        name = pending.popleft()
        for table, node in links[name]:
            if node == start:
                return (*_path(start, name, reached), table, node)
            if node not in reached:
                reached[node] = (name, table)
                pending.append(node)
    return None


def _path(start: str, end: str, reached: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    backwards = [end]
    while backwards[-1] != start:
        name, table = reached[backwards[-1]]
        backwards += [table, name]
    return tuple(reversed(backwards))


def _by_node(edges: Iterable[Edge]) -> dict[str, tuple[Edge, ...]]:
    found: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge.node].append(edge)
    return {name: tuple(used) for name, used in found.items()}


def _writes(edges: Iterable[Edge], store: str) -> bool:
    return any(edge.access is Access.WRITE and edge.store == store for edge in edges)
