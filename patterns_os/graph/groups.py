"""The graph with each included app as one node, as pictures show it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from patterns_os.graph.topology import can_trigger, topological_order
from patterns_os.graph.vertices import Access, Edge, Graph, Node, NodeKind


def collapse_groups(graph: Graph) -> Graph:
    """Give the graph with one node for each app that the outermost one includes; their private stores go.

    A table triggers such a node where it triggers one of the nodes within.
    """
    members = {node.name: _outermost(node) for node in graph.nodes if node.group is not None}
    if not members:
        return graph
    inside: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.name in members:
            inside.setdefault(members[node.name], []).append(node)
    stores = tuple(store for store in graph.stores if store.group is None)
    kept = {(store.kind, store.name) for store in stores}
    edges: set[Edge] = set()
    for node in graph.nodes:
        if node.name in members:
            edges |= set(_merged(graph, node, members[node.name]))
        else:
            edges |= set(graph.edges_of(node.name))
    shown = _one_each(edge for edge in edges if (edge.kind, edge.store) in kept)
    single = [_as_one(graph, name, nodes) for name, nodes in inside.items()]
    nodes = sorted(
        [*single, *(node for node in graph.nodes if node.group is None)], key=lambda node: node.name
    )
    return replace(
        graph, nodes=tuple(nodes), stores=stores, edges=shown, order=topological_order(nodes, shown)
    )


def _outermost(node: Node) -> str:
    group = node.group or ""
    # A name may hold dots of its own: what leads to the node's name says where the first one ends.
    return group.partition(".")[0]


def _merged(graph: Graph, node: Node, name: str) -> Iterable[Edge]:
    edges = graph.edges_of(node.name)
    for edge in edges:
        access = edge.access
        if access is not Access.WRITE:
            access = Access.STREAM if can_trigger(edge, edges, node) else Access.READ
        yield replace(edge, node=name, access=access, port=edge.store)


def _one_each(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Give one edge for each node, store and access; of a store that is streamed the reads too are left out."""
    first: dict[tuple[str, str, str, Access], Edge] = {}
    for edge in sorted(edges, key=lambda edge: (edge.node, edge.store, edge.access, edge.port, edge.where)):
        first.setdefault((edge.node, edge.kind, edge.store, edge.access), edge)
    return tuple(
        edge
        for (node, kind, store, access), edge in first.items()
        if access is not Access.READ or (node, kind, store, Access.STREAM) not in first
    )


def _as_one(graph: Graph, name: str, nodes: list[Node]) -> Node:
    spec: dict[str, Any] = {"nodes": len(nodes)}
    triggers = [node.spec.get("trigger") for node in nodes]
    clocks = [trigger for trigger in triggers if isinstance(trigger, str) and trigger != "manual"]
    reacts = any(
        node.kind is NodeKind.WEBHOOK or can_trigger(edge, graph.edges_of(node.name), node)
        for node in nodes
        for edge in graph.edges_of(node.name)
    )
    if clocks:
        spec["trigger"] = clocks[0]
    elif not reacts and not any(triggers):
        spec["trigger"] = "manual"
    return Node(name=name, kind=NodeKind.APP, where=nodes[0].where, spec=spec)
