"""Rules about when nodes run: circles, clocks, and nodes that nothing ever starts."""

from collections.abc import Iterator, Mapping
from typing import Final

from patterns_os.diagnostics import Location, quote
from patterns_os.graph.rules.rule import Checked, Finding
from patterns_os.graph.vertices import Access, Graph, Node, NodeKind, StoreKind

_ITSELF: Final = 3
"""Length of the shortest circle: node, table and the node again."""

_ZONES_WITHOUT_SUMMER: Final = {
    "EST": "America/New_York",
    "MST": "America/Denver",
    "HST": "Pacific/Honolulu",
    "Etc/GMT+5": "America/New_York",
    "Etc/GMT+8": "America/Los_Angeles",
    "Etc/GMT-1": "Europe/Berlin",
}
"""Names that people take for the zone of a place; the place puts its clocks forward, the zone never does."""


def self_triggers(checked: Checked) -> Iterator[Finding]:
    """No node streams a table that it writes, under whatever names."""
    for path in checked.circles:
        for table in _streamed_and_written(checked, path[0]) if len(path) == _ITSELF else ():
            circle = (path[0], table, path[0])
            yield Finding(
                message=f"node {quote(path[0])} streams table {quote(table)}, "
                f"which it writes: {' → '.join(circle)}.",
                where=_closing_edge(checked.graph, circle),
                hint=f"look at its rows with .read(), or write another table than {quote(table)}",
            )


def circles(checked: Checked) -> Iterator[Finding]:
    """No table triggers its own writer through others, unless one on the way says how often."""
    for path in checked.circles:
        if len(path) > _ITSELF:
            yield Finding(
                message=f"tables trigger their own writers in a circle: {' → '.join(path)}.",
                where=_closing_edge(checked.graph, path),
                hint="let one of these nodes run by a cron and look at its table with .read()",
            )


def triggers_on_own_tables(checked: Checked) -> Iterator[Finding]:
    """Tables in `on` can trigger: a node is never started by what it writes itself."""
    for node in checked.graph.nodes:
        trigger = node.spec.get("trigger")
        tables = trigger.get("on", ()) if isinstance(trigger, Mapping) else ()
        written = _written(checked, node)
        for table in tables:
            if table in written and node.spec.get("max_hops") is None:
                yield Finding(
                    message=f"node {quote(node.name)} is triggered by table {quote(table)}, "
                    "which it writes itself, and what a node writes never starts it.",
                    where=node.places.get("trigger", node.where),
                    hint=f'leave {quote(table)} out of "on"',
                )


def clocks_instead_of_rows(checked: Checked) -> Iterator[Finding]:
    """A node that streams tables is started by their new rows, not by the clock."""
    for node in checked.graph.nodes:
        streamed = [e.store for e in checked.graph.edges_of(node.name) if e.access is Access.STREAM]
        if streamed and _has_cron(node):
            yield Finding(
                message=f"node {quote(node.name)} streams table {quote(streamed[0])}, and its cron replaces "
                "the trigger by new rows: they wait for the clock.",
                where=node.places.get("trigger", node.where),
                hint='leave "trigger" out if rows are to be processed as they come',
            )


def nodes_never_started(checked: Checked) -> Iterator[Finding]:
    """Each node has something that starts it, or says that it is started by hand."""
    for node in checked.graph.nodes:
        if _is_never_started(checked, node):
            yield Finding(
                message=f"nothing ever starts node {quote(node.name)}: it reads no table and has no trigger.",
                where=node.where,
                hint='add "trigger": "@hourly" to run it by the clock, or "manual" to start it by hand',
            )


def zones_without_summer(checked: Checked) -> Iterator[Finding]:
    """The time zone of a cron is that of a place, so that it follows the clocks there."""
    for node in checked.graph.nodes:
        trigger = node.spec.get("trigger")
        zone = trigger.get("timezone") if isinstance(trigger, Mapping) else None
        if zone in _ZONES_WITHOUT_SUMMER:
            yield Finding(
                message=f"the time zone {quote(zone)} of node {quote(node.name)} has no daylight saving time: "
                "half of the year its clock is not the one on the wall.",
                where=node.places.get("trigger", node.where),
                hint=f'name a place: "timezone": {quote(_ZONES_WITHOUT_SUMMER[zone])}',
            )


def _closing_edge(graph: Graph, path: tuple[str, ...]) -> Location | None:
    """Give the place where the first node of the circle uses the table that closes it."""
    uses = [
        edge
        for edge in graph.edges_of(path[-1])
        if edge.store == path[-2] and edge.access is not Access.WRITE
    ]
    return min((edge.where for edge in uses), default=None)


def _streamed_and_written(checked: Checked, name: str) -> list[str]:
    node = checked.graph.node(name)
    written = _written(checked, node) if node is not None else set()
    streamed = {edge.store for edge in checked.graph.edges_of(name) if edge.access is Access.STREAM}
    return sorted(streamed & written)


def _written(checked: Checked, node: Node) -> set[str]:
    edges = checked.graph.edges_of(node.name)
    return {edge.store for edge in edges if edge.access is Access.WRITE and edge.kind is StoreKind.TABLE}


def _has_cron(node: Node) -> bool:
    trigger = node.spec.get("trigger")
    return "cron" in trigger if isinstance(trigger, Mapping) else trigger not in {None, "manual"}


def _is_never_started(checked: Checked, node: Node) -> bool:
    if node.kind is NodeKind.WEBHOOK or node.spec.get("trigger") is not None:
        return False
    edges = checked.graph.edges_of(node.name)
    outputs = [(edge.kind, edge.store) for edge in edges if edge.access is Access.WRITE]
    return (
        checked.understands(node)
        and len(outputs) == len(edges)
        and not any(output in checked.readers for output in outputs)
    )
