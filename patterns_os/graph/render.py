"""The graph as pictures: for the terminal, for Mermaid, as data, and as a self-contained SVG file."""

import html
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patterns_os.graph.topology import can_trigger
from patterns_os.graph.vertices import Access, Edge, Graph, Node, NodeKind, Store

Vertex = tuple[str, str]
"""`("node" | "table" | "file", name)`"""

_NODE_MARK, _STORE_MARKS = "●", {"table": "▤", "file": "▢"}


def render_terminal(graph: Graph, width: int = 100) -> str:
    """Give the graph as a tree of lines, data flowing downwards, each line at most `width` cells wide.

    A node stands below the table that triggers it; below its other inputs there is only its name, and where
    the tree grows too deep it goes on at the left. Solid arrows trigger, dotted ones do not.
    """
    lines = list(_tree(graph, width // 4))
    if not lines:
        return f"{graph.app} is empty"
    left = max(_cells(line.left) for line in lines)
    kinds = max(_cells(line.kind) for line in lines)
    texts = [f"{_padded(line.left, left)}   {_padded(line.kind, kinds)}   {line.detail}" for line in lines]
    rows = [_fitted(text, width) for text in texts]
    return "\n".join([graph.app, "", *rows])


def render_mermaid(graph: Graph) -> str:
    """Give the graph as a Mermaid flowchart; dotted arrows are reads that do not trigger.

    What belongs to an included app stands in a frame of its own.
    """
    names = {vertex: f"v{index}" for index, vertex in enumerate(_vertices(graph))}
    lines = ["flowchart LR", *_mermaid_boxes(graph, names)]
    for arrow in _arrows(graph):
        line = "-->" if arrow.solid else "-.->"
        lines.append(f"  {names[arrow.start]} {line} {names[arrow.end]}")
    return "\n".join(lines) + "\n"


def _mermaid_boxes(graph: Graph, names: Mapping[Vertex, str]) -> Iterator[str]:
    kinds = {node.name: str(node.kind) for node in graph.nodes}
    groups: dict[Vertex, str | None] = {("node", node.name): node.group for node in graph.nodes}
    groups |= {(str(store.kind), store.name): store.group for store in graph.stores}
    frames: dict[str | None, list[Vertex]] = defaultdict(list)
    for vertex in names:
        frames[groups.get(vertex)].append(vertex)
    for index, (frame, vertices) in enumerate(sorted(frames.items(), key=lambda item: item[0] or "")):
        if frame is not None:
            yield f'  subgraph g{index}["{_mermaid_text(frame)}"]'
        for vertex in vertices:
            form = kinds[vertex[1]] if vertex[0] == "node" else vertex[0]
            start, end = _MERMAID.get(form, _MERMAID["node"])
            yield f'  {names[vertex]}{start}"{_mermaid_text(vertex[1])}"{end}'
        if frame is not None:
            yield "  end"


def render_json(graph: Graph) -> dict[str, Any]:
    """Give the graph as plain data: the same graph gives the same data, sorted by name."""
    return {
        "app": graph.app,
        "nodes": [_node_data(graph, node) for node in graph.nodes],
        "stores": [_store_data(store) for store in graph.stores],
        "edges": [
            {
                "node": edge.node,
                "store": edge.store,
                "port": edge.port,
                "kind": str(edge.kind),
                "access": str(edge.access),
                "origin": str(edge.origin),
                "file": edge.where.file,
                "line": edge.where.line,
            }
            for edge in graph.edges
        ],
        "models": {name: dict(data) for name, data in sorted(graph.models.items())},
        "order": list(graph.order),
    }


def render_svg(graph: Graph) -> str:
    """Give the graph as an SVG document without outside parts, in layers from left to right."""
    boxes = _layout(graph)
    width = max((box.x + box.width for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y + _BOX_HEIGHT for box in boxes.values()), default=0) + _MARGIN
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_svg_text(graph.app)}</title>",
        f"<style>{_STYLE}</style>",
        _ARROW_HEAD,
        *(_svg_arrow(arrow, boxes) for arrow in _arrows(graph)),
        *(_svg_box(graph, vertex, box) for vertex, box in boxes.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Line:
    left: str
    kind: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Arrow:
    """Data runs from `start` to `end`; solid arrows make something happen."""

    start: Vertex
    end: Vertex
    solid: bool


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    y: int
    width: int


def _tree(graph: Graph, deepest: int) -> Iterator[_Line]:
    below: dict[Vertex, list[_Arrow]] = defaultdict(list)
    for arrow in _arrows(graph):
        below[arrow.start].append(arrow)
    tree = _Tree(graph, below, _main_parents(graph), deepest)
    roots = [vertex for vertex in _vertices(graph) if vertex not in tree.main]
    for vertex in [*roots, *_vertices(graph)]:
        if vertex not in tree.shown:
            yield from tree.branch(vertex)


@dataclass(frozen=True, slots=True)
class _Branch:
    """A vertex to be drawn, with what stands before it and before its children."""

    vertex: Vertex
    lead: str = ""
    indent: str = ""
    only_name: bool = False


@dataclass(slots=True)
class _Tree:
    graph: Graph
    below: Mapping[Vertex, list[_Arrow]]
    main: Mapping[Vertex, Vertex]
    deepest: int
    shown: set[Vertex] = field(default_factory=set)

    def branch(self, root: Vertex) -> Iterator[_Line]:
        """Give the lines of the vertex and of what stands below it; notes in `shown` what was drawn."""
        pending = [_Branch(root)]
        while pending:
            branch = pending.pop()
            yield _line(self.graph, branch)
            if not branch.only_name:
                self.shown.add(branch.vertex)
                pending += reversed(list(self._children(branch)))

    def _children(self, parent: _Branch) -> Iterator[_Branch]:
        arrows = self.below.get(parent.vertex, [])
        for index, arrow in enumerate(arrows):
            is_last = index == len(arrows) - 1
            lead = f"{parent.indent}{'╰' if is_last else '├'}{'─▶' if arrow.solid else '┈▷'} "
            indent = parent.indent + ("    " if is_last else "│   ")
            # A node that would stand too far right is drawn as a root later.
            too_deep = arrow.end[0] == "node" and len(parent.indent) > self.deepest
            elsewhere = arrow.end in self.shown or self.main.get(arrow.end) != parent.vertex
            if not (elsewhere or too_deep):
                self.shown.add(arrow.end)
            yield _Branch(arrow.end, lead, indent, elsewhere or too_deep)


def _line(graph: Graph, branch: _Branch) -> _Line:
    group, name = branch.vertex
    mark = _NODE_MARK if group == "node" else _STORE_MARKS[group]
    left = f"{branch.lead}{mark} {_printable(name)}"
    if branch.only_name:
        return _Line(f"{left} …")
    if group != "node":
        return _Line(left, group)
    node = graph.node(name)
    return _Line(left, str(node.kind), _printable(_detail(graph, node))) if node else _Line(left)


def _detail(graph: Graph, node: Node) -> str:
    if node.kind is NodeKind.WEBHOOK:
        return f"POST {node.spec.get('path', '')}"
    if node.kind is NodeKind.CHART:
        return node.file or ""
    parts = [node.file or "", _when(graph, node)]
    if node.kind is NodeKind.APP:
        count = node.spec.get("nodes", 0)
        parts[0] = f"{count} node{'' if count == 1 else 's'}"
    if node.analysis.unknown:
        parts.append("opens tables that its code does not tell")
    return " · ".join(part for part in parts if part)


def _when(graph: Graph, node: Node) -> str:
    trigger = node.spec.get("trigger")
    if isinstance(trigger, Mapping) and "cron" in trigger:
        return f"cron {trigger['cron']} {trigger.get('timezone', 'UTC')}"
    if isinstance(trigger, str):
        return "when asked" if trigger == "manual" else f"cron {trigger}"
    edges = graph.edges_of(node.name)
    return "" if any(can_trigger(edge, edges, node) for edge in edges) else "when asked"


def _main_parents(graph: Graph) -> dict[Vertex, Vertex]:
    """Give for each vertex the one that it stands below: of several the one that is complete last."""
    rank = {name: index for index, name in enumerate(graph.order)}
    writers: dict[Vertex, list[str]] = defaultdict(list)
    for edge in graph.edges:
        if edge.access is Access.WRITE:
            writers[str(edge.kind), edge.store].append(edge.node)
    found: dict[Vertex, Vertex] = {
        store: ("node", min(names, key=lambda name: rank[name])) for store, names in writers.items()
    }
    inputs: dict[Vertex, list[tuple[bool, int, Vertex]]] = defaultdict(list)
    for arrow in _arrows(graph):
        if arrow.end[0] == "node":
            last = max((rank[name] for name in writers.get(arrow.start, ())), default=-1)
            inputs[arrow.end].append((arrow.solid, last, arrow.start))
    for vertex, candidates in inputs.items():
        earlier = [entry for entry in candidates if entry[1] < rank[vertex[1]]]
        if earlier:
            found[vertex] = max(earlier)[2]
    return found


def _vertices(graph: Graph) -> list[Vertex]:
    """Give all vertices: nodes in their order, then the stores by name."""
    nodes: list[Vertex] = [("node", name) for name in graph.order]
    return [*nodes, *((str(store.kind), store.name) for store in graph.stores)]


def _arrows(graph: Graph) -> list[_Arrow]:
    found: dict[tuple[Vertex, Vertex], bool] = {}
    for node in graph.nodes:
        edges = graph.edges_of(node.name)
        written = {edge.store for edge in edges if edge.access is Access.WRITE}
        for edge in edges:
            ends = _ends(edge)
            if edge.access is Access.READ and edge.store in written:
                # Looking at what it writes itself is nothing that a picture gains by.
                continue
            solid = edge.access is Access.WRITE or can_trigger(edge, edges, node)
            found[ends] = found.get(ends, False) or solid
    rank = {vertex: index for index, vertex in enumerate(_vertices(graph))}
    order = sorted(found, key=lambda ends: (rank[ends[0]], rank[ends[1]]))
    return [_Arrow(*ends, solid=found[ends]) for ends in order]


def _ends(edge: Edge) -> tuple[Vertex, Vertex]:
    node, store = ("node", edge.node), (str(edge.kind), edge.store)
    return (node, store) if edge.access is Access.WRITE else (store, node)


def _node_data(graph: Graph, node: Node) -> dict[str, Any]:
    edges = graph.edges_of(node.name)
    return {
        "name": node.name,
        "kind": str(node.kind),
        "group": node.group,
        "file": node.file,
        "trigger": node.spec.get("trigger"),
        "path": node.spec.get("path") if node.kind is NodeKind.WEBHOOK else None,
        "triggered_by": sorted({edge.store for edge in edges if can_trigger(edge, edges, node)}),
        "imports": list(node.analysis.imports),
        "parameters": dict(node.parameters),
        "unknown": [{"reason": item.reason, "line": item.where.line} for item in node.analysis.unknown],
        "content": node.content,
    }


def _store_data(store: Store) -> dict[str, Any]:
    return {
        "name": store.name,
        "kind": str(store.kind),
        "group": store.group,
        "declared": store.declared,
        "schema": {name: str(kind) for name, kind in store.schema.columns.items()} if store.schema else None,
        "unique_on": list(store.unique_on),
        "storage": store.storage,
    }


_MERMAID = {
    "node": ("[", "]"),
    "webhook": ("([", "])"),
    "app": ("[[", "]]"),
    "chart": ("{{", "}}"),
    "table": ("[(", ")]"),
    "file": ("[/", "/]"),
}


def _mermaid_text(name: str) -> str:
    # Mermaid has its own entities, with a # and without an &.
    plain = _printable(name)
    return "".join(char if char.isalnum() or char in " _-./:" else f"#{ord(char)};" for char in plain)


_MARGIN, _GAP, _ROW, _BOX_HEIGHT = 24, 56, 72, 44
_CHARACTER, _PADDING, _LEAST_WIDTH = 8, 32, 96
_LONGEST_LABEL = 40


def _layout(graph: Graph) -> dict[Vertex, _Box]:
    columns = _columns(graph)
    tallest = max((len(column) for column in columns), default=0)
    boxes: dict[Vertex, _Box] = {}
    x = _MARGIN
    for column in columns:
        width = max(_box_width(vertex[1]) for vertex in column)
        # Short columns stand in the middle of the tallest.
        top = _MARGIN + (tallest - len(column)) * _ROW // 2
        for index, vertex in enumerate(column):
            boxes[vertex] = _Box(x, top + index * _ROW, width)
        x += width + _GAP
    return boxes


def _columns(graph: Graph) -> list[list[Vertex]]:
    arrows = _arrows(graph)
    layers: dict[Vertex, int] = {}
    for name in graph.order:
        before = [layers.setdefault(a.start, 0) for a in arrows if a.end == ("node", name)]
        layers["node", name] = max(before, default=-1) + 1
        for arrow in arrows:
            if arrow.start == ("node", name):
                layers[arrow.end] = max(layers.get(arrow.end, 0), layers["node", name] + 1)
    for vertex in _vertices(graph):
        layers.setdefault(vertex, 0)
    columns: list[list[Vertex]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for vertex, layer in layers.items():
        columns[layer].append(vertex)
    return _untangled([column for column in columns if column], arrows)


def _untangled(columns: list[list[Vertex]], arrows: Iterable[_Arrow]) -> list[list[Vertex]]:
    """Order each column by the mean place of what leads into it, so that few arrows cross."""
    sources = defaultdict(list)
    for arrow in arrows:
        sources[arrow.end].append(arrow.start)
    places: dict[Vertex, float] = {}
    result: list[list[Vertex]] = []
    for column in columns:
        size = max(len(column) - 1, 1)
        means = {}
        for index, vertex in enumerate(column):
            known = [places[source] for source in sources[vertex] if source in places]
            means[vertex] = sum(known) / len(known) if known else index / size
        ordered = sorted(column, key=lambda vertex: (means[vertex], vertex))
        places |= {vertex: index / size for index, vertex in enumerate(ordered)}
        result.append(ordered)
    return result


def _box_width(name: str) -> int:
    return max(min(_cells(_printable(name)), _LONGEST_LABEL) * _CHARACTER + _PADDING, _LEAST_WIDTH)


def _svg_arrow(arrow: _Arrow, boxes: Mapping[Vertex, _Box]) -> str:
    start, end = boxes[arrow.start], boxes[arrow.end]
    x1, y1 = start.x + start.width, start.y + _BOX_HEIGHT // 2
    x2, y2 = end.x - 2, end.y + _BOX_HEIGHT // 2
    bend = max((x2 - x1) // 2, _GAP // 2)
    kind = "arrow" if arrow.solid else "arrow dotted"
    return (
        f'<path class="{kind}" marker-end="url(#head)" '
        f'd="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"/>'
    )


def _svg_box(graph: Graph, vertex: Vertex, box: _Box) -> str:
    group, name = vertex
    node = graph.node(name) if group == "node" else None
    kind = str(node.kind) if node else group
    label = _printable(name)
    shown = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
    told = f"{kind} in {_printable(node.group)}" if node and node.group else kind
    radius = 22 if kind == "webhook" else 8 if node else 2
    middle = box.x + box.width // 2
    return (
        f'<g class="{kind}"><title>{_svg_text(f"{kind} {label}")}</title>'
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{_BOX_HEIGHT}" rx="{radius}"/>'
        f'<text x="{middle}" y="{box.y + 19}">{_svg_text(shown)}</text>'
        f'<text class="kind" x="{middle}" y="{box.y + 34}">{_svg_text(told)}</text></g>'
    )


_ARROW_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)
_STYLE = (
    "text{font:13px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#1b1f24}"
    "text.kind{font-size:10px;fill:#6b7280}"
    "rect{fill:#fff;stroke:#8b95a5;stroke-width:1.2}"
    ".table rect,.file rect{fill:#f1f5f9;stroke:#cbd5e1}.webhook rect{fill:#ecfdf5;stroke:#34a37a}"
    ".python rect,.sql rect{fill:#eef2ff;stroke:#6672d6}"
    ".app rect{fill:#fff7ed;stroke:#c97b2f;stroke-width:2}.chart rect{fill:#fdf2f8;stroke:#c2559a}"
    ".arrow{fill:none;stroke:#8b95a5;stroke-width:1.4}.dotted{stroke-dasharray:3 4}.head{fill:#8b95a5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}text.kind{fill:#9aa5b1}"
    ".table rect,.file rect{fill:#1f2630;stroke:#465160}.webhook rect{fill:#12312a;stroke:#34a37a}"
    ".python rect,.sql rect{fill:#20254a;stroke:#6672d6}.app rect{fill:#3a2713;stroke:#c97b2f}"
    ".chart rect{fill:#3a1730;stroke:#c2559a}}"
)


def _svg_text(text: str) -> str:
    return html.escape(_printable(text))


def _printable(text: str) -> str:
    """Give the text on one line, without characters that would move the cursor or break XML."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _cells(text: str) -> int:
    """Give how many cells of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - _cells(text))


def _fitted(text: str, width: int) -> str:
    text = text.rstrip()
    if _cells(text) <= width:
        return text
    while text and _cells(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"
