"""Lineage as pictures: trees of lines for the terminal, and a self-contained SVG file."""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from patterns_os.graph.lineage import ColumnShape, Lineage, TableShape
from patterns_os.graph.lineage_paths import Paths, Reading, Step, target_of
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnFlow, ColumnSource, Graph


def render_paths(up: Paths | None, down: Paths | None, lineage: Lineage) -> str:
    """Give what a column (or table) comes from and goes to as two trees; a side that is `None` is left out.

    A column that has been shown above stands with `…` in place of what hangs below it.
    """
    start = (up or down or Paths(start=ColumnSource(table="", column=EVERY_COLUMN))).start
    lines = [_heading(start, lineage)]
    if up is not None:
        tree = _Tree(up, lineage, is_upstream=True)
        lines += ["", "comes from", *(tree.lines() or ["  nothing that is known"])]
    if down is not None:
        tree = _Tree(down, lineage, is_upstream=False)
        lines += ["", "goes to", *(tree.lines() or ["  nothing that is known"])]
    return "\n".join(lines)


def render_columns(graph: Graph, lineage: Lineage) -> str:
    """Give every table with its columns, and where each comes from, one line a column and writer."""
    lines = [graph.app]
    made: dict[str, list[tuple[str, ColumnFlow]]] = {}
    for node, flows in lineage.flows.items():
        for flow in flows:
            made.setdefault(flow.table, []).append((node, flow))
    for table, shape in lineage.shapes.items():
        lines += ["", f"▤ {table}"]
        rows = list(_table_rows(shape, made.get(table, [])))
        widths = [max((len(row[place]) for row in rows), default=0) for place in range(2)]
        lines += [
            f"    {name:<{widths[0]}}  {kind:<{widths[1]}}  {text}".rstrip() for name, kind, text in rows
        ]
    return "\n".join(lines)


def render_columns_svg(graph: Graph, lineage: Lineage) -> str:
    """Give the columns of all tables as an SVG document without outside parts, data from left to right."""
    return _Drawing(graph, lineage).svg()


def render_paths_svg(graph: Graph, lineage: Lineage, *sides: Paths | None) -> str:
    """Give the columns on the way, and no others, as an SVG document without outside parts."""
    flows: dict[str, dict[ColumnFlow, None]] = {}
    seen: dict[str, set[str]] = {}
    for paths in sides:
        if paths is None:
            continue
        seen.setdefault(paths.start.table, set()).add(paths.start.column)
        for step in (step for steps in paths.steps.values() for step in steps):
            flows.setdefault(step.node, {})[step.flow] = None
            for end in (ColumnSource(table=step.flow.table, column=step.flow.column), *step.flow.sources):
                seen.setdefault(end.table, set()).add(end.column)
    shapes = {table: _only(shape, seen[table]) for table, shape in lineage.shapes.items() if table in seen}
    return _Drawing(graph, Lineage(flows={name: tuple(f) for name, f in flows.items()}, shapes=shapes)).svg()


def _only(shape: TableShape, names: set[str]) -> TableShape:
    columns = {name: column for name, column in shape.columns.items() if name in names}
    return replace(shape, columns=columns, is_closed=EVERY_COLUMN not in names and bool(columns))


@dataclass(slots=True)
class _Tree:
    paths: Paths
    lineage: Lineage
    is_upstream: bool
    _shown: set[ColumnSource] = field(default_factory=set)

    def lines(self) -> list[str]:
        return list(self._below(self.paths.start, "  "))

    def _below(self, column: ColumnSource, indent: str) -> Iterator[str]:
        self._shown.add(column)
        entries: list[Step | Reading] = [
            *self.paths.steps.get(column, ()),
            *self.paths.readings.get(column, ()),
        ]
        for place, entry in enumerate(entries):
            last = place == len(entries) - 1
            lead, inner = ("╰─ ", "   ") if last else ("├─ ", "│  ")
            if not isinstance(entry, Step):
                where = entry.read.where
                told = f"{entry.node} ({entry.kind}) reads it, {where.file}:{where.line}"
                why = "" if entry.unknown is None else f": what it makes of it is unknown, {entry.unknown}"
                yield f"{indent}{lead}{told}{why}"
                continue
            yield f"{indent}{lead}{_step_text(entry, column)}"
            yield from self._beyond(entry, column, indent + inner)

    def _beyond(self, step: Step, column: ColumnSource, indent: str) -> Iterator[str]:
        nexts = self._next(step.flow, column)
        for place, found in enumerate(nexts):
            last = place == len(nexts) - 1
            lead, inner = ("╰─ ", "   ") if last else ("├─ ", "│  ")
            known = found in self._shown
            leads_on = found in self.paths.steps or found in self.paths.readings
            yield f"{indent}{lead}{_heading(found, self.lineage)}{' …' if known and leads_on else ''}"
            if not known:
                yield from self._below(found, indent + inner)

    def _next(self, flow: ColumnFlow, column: ColumnSource) -> list[ColumnSource]:
        if not self.is_upstream:
            return [target_of(flow, column)]
        copied = flow.column == EVERY_COLUMN and flow.derivation == "copied"
        return [ColumnSource(table=s.table, column=column.column) if copied else s for s in flow.sources]


def _heading(column: ColumnSource, lineage: Lineage) -> str:
    if column.column == EVERY_COLUMN:
        return column.table
    shape = lineage.shapes.get(column.table)
    known = shape.columns.get(column.column) if shape else None
    kind = f" ({known.semantic or known.type})" if known and (known.semantic or known.type) else ""
    return f"{column.table}.{column.column}{kind}"


def _step_text(step: Step, column: ColumnSource) -> str:
    parts = [str(step.kind), *([str(step.flow.derivation)] if step.flow.sources else [])]
    if step.models:
        parts.append(f"asks {', '.join(name or 'the text model' for name in step.models)}")
    whole = column.column == EVERY_COLUMN and step.flow.column != EVERY_COLUMN
    named = f" → {step.flow.column}" if whole else ""
    unknown = f": unknown, {step.flow.unknown.reason}" if step.flow.unknown else ""
    constant = ": a constant" if step.flow.derivation == "constant" else ""
    return f"{step.node} ({', '.join(parts)}){named}{unknown}{constant}"


def _table_rows(shape: TableShape, made: list[tuple[str, ColumnFlow]]) -> Iterator[tuple[str, str, str]]:
    for column in shape.columns.values():
        kind = column.semantic or column.type or ""
        texts = [_flow_text(node, flow) for node, flow in made if flow.column == column.name]
        for place, text in enumerate(texts or ["declared"]):
            yield (column.name, kind, text) if place == 0 else ("", "", text)
    for node, flow in made:
        if flow.column == EVERY_COLUMN:
            yield "…", "", _flow_text(node, flow)
    if not made and not shape.is_closed:
        yield "…", "", f"unknown, {shape.unknown[0].reason}"


def _flow_text(node: str, flow: ColumnFlow) -> str:
    if flow.unknown is not None:
        return f"← {node}: unknown, {flow.unknown.reason}"
    if not flow.sources:
        return f"← {node}: {'a constant' if flow.derivation == 'constant' else 'made by the node'}"
    names = ", ".join(f"{source.table}.{source.column}" for source in flow.sources)
    return f"← {names} ({node}, {flow.derivation})"


_ROW, _HEAD, _WIDTH, _GAP_X, _GAP_Y, _MARGIN = 18, 26, 190, 130, 24, 20
_LONGEST = 24


@dataclass(slots=True)
class _Drawing:
    graph: Graph
    lineage: Lineage
    _boxes: dict[str, tuple[int, int]] = field(default_factory=dict)
    _rows: dict[ColumnSource, int] = field(default_factory=dict)

    def svg(self) -> str:
        self._place()
        right = max((x + _WIDTH for x, _ in self._boxes.values()), default=0) + _MARGIN
        bottom = max((y + self._height(table) for table, (_, y) in self._boxes.items()), default=0) + _MARGIN
        size = f'viewBox="0 0 {right} {bottom}" width="{right}" height="{bottom}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>Columns of {_text(self.graph.app)}</title>",
            f"<style>{_STYLE}</style>",
            *self._curves(),
            *(part for table in self._boxes for part in self._box(table)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _place(self) -> None:
        bottoms: dict[int, int] = {}
        for table, layer in _layers(self.graph, self.lineage).items():
            x = _MARGIN + layer * (_WIDTH + _GAP_X)
            y = bottoms.get(layer, _MARGIN)
            self._boxes[table] = (x, y)
            bottoms[layer] = y + self._height(table) + _GAP_Y
            for place, name in enumerate(self._names(table)):
                row = y + _HEAD + place * _ROW + _ROW // 2
                self._rows[ColumnSource(table=table, column=name)] = row

    def _names(self, table: str) -> list[str]:
        shape = self.lineage.shapes[table]
        return [*shape.columns, *([] if shape.is_closed else [EVERY_COLUMN])]

    def _height(self, table: str) -> int:
        return _HEAD + len(self._names(table)) * _ROW + 6

    def _curves(self) -> Iterator[str]:
        for node, flows in self.lineage.flows.items():
            for flow in flows:
                target = ColumnSource(table=flow.table, column=flow.column)
                for source in flow.sources:
                    yield from self._curve(node, flow, self._nearest(source), self._nearest(target))

    def _nearest(self, column: ColumnSource) -> ColumnSource | None:
        if column in self._rows:
            return column
        if column.table not in self._boxes:
            return None
        # A row as a whole hangs on the row of what is not known, or on the first column.
        rest = ColumnSource(table=column.table, column=EVERY_COLUMN)
        names = self._names(column.table)
        if rest in self._rows:
            return rest
        return ColumnSource(table=column.table, column=names[0]) if names else None

    def _curve(
        self, node: str, flow: ColumnFlow, source: ColumnSource | None, target: ColumnSource | None
    ) -> Iterator[str]:
        if source is None or target is None:
            return
        x1, y1 = self._boxes[source.table][0] + _WIDTH, self._rows[source]
        x2, y2 = self._boxes[target.table][0], self._rows[target]
        bend = max((x2 - x1) // 2, 40)
        kind = "unknown" if flow.unknown else str(flow.derivation)
        title = f"{source.table}.{source.column} → {target.table}.{target.column}, {node}, {kind}"
        yield (
            f'<path class="{kind}" d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}">'
            f"<title>{_text(title)}</title></path>"
        )

    def _box(self, table: str) -> Iterator[str]:
        x, y = self._boxes[table]
        height = self._height(table)
        yield f'<g><rect x="{x}" y="{y}" width="{_WIDTH}" height="{height}" rx="4"/>'
        yield f'<text class="table" x="{x + 10}" y="{y + 18}">{_text(_short(table))}</text>'
        columns = self.lineage.shapes[table].columns
        for name in self._names(table):
            row = self._rows[ColumnSource(table=table, column=name)] + 4
            kind = _kind(columns, name)
            shown = "…" if name == EVERY_COLUMN else _short(name)
            yield f'<text x="{x + 10}" y="{row}">{_text(shown)}</text>'
            yield f'<text class="type" x="{x + _WIDTH - 8}" y="{row}">{_text(kind)}</text>'
        yield "</g>"


def _layers(graph: Graph, lineage: Lineage) -> dict[str, int]:
    """Give each table its column in the drawing: one to the right of all that it is made of."""
    layers = dict.fromkeys(lineage.shapes, 0)
    for name in graph.order:
        edges = [edge for edge in graph.edges_of(name) if edge.kind == "table"]
        before = [layers.get(edge.store, 0) for edge in edges if edge.access != "write"]
        for edge in edges:
            if edge.access == "write" and before and edge.store in layers:
                layers[edge.store] = max(layers[edge.store], max(before) + 1)
    return layers


def _kind(columns: Mapping[str, ColumnShape], name: str) -> str:
    found = columns.get(name)
    return (found.semantic or found.type or "") if found else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text(text: str) -> str:
    return html.escape("".join(char if char.isprintable() else "�" for char in text))


_STYLE = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1b1f24}"
    "text.table{font-weight:600}text.type{font-size:10px;fill:#6b7280;text-anchor:end}"
    "rect{fill:#f8fafc;stroke:#cbd5e1}path{fill:none;stroke:#6672d6;stroke-width:1.2;opacity:.75}"
    "path.copied{stroke:#34a37a}path.unknown{stroke:#d08700;stroke-dasharray:3 4}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}text.type{fill:#9aa5b1}"
    "rect{fill:#1f2630;stroke:#465160}}"
)
