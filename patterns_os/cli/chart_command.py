"""`patterns chart`: a chart of the app with the rows that it draws."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from patterns_os.cli.cells import json_ready
from patterns_os.cli.console import json_default, note, print_json, say
from patterns_os.cli.graph_command import write_picture
from patterns_os.cli.looking import not_deployed, reached
from patterns_os.diagnostics import did_you_mean, has_errors, quote
from patterns_os.errors import CompileError, UsageError
from patterns_os.graph.charts import with_rows
from patterns_os.graph.vertices import Graph, Node, NodeKind
from patterns_os.manifest.document import parse_document
from patterns_os.plan.compile import Compiled

app = typer.Typer(add_completion=False)

_PICTURES = frozenset({".html", ".htm", ".svg", ".png", ".pdf"})


@app.command(epilog="Example: patterns chart orders_by_day -o orders.vl.json")
def chart(
    name: Annotated[str, typer.Argument(metavar="CHART", help="The chart's name, or its file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of printing.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Draw the newest so many rows.")] = 5000,
) -> None:
    """Print a chart as Vega-Lite, with the rows of its table inside: all that whoever draws it needs.

    Nothing is drawn here: open the result in the Vega editor or a notebook, or draw it with vl-convert.
    """
    if output is not None and output.suffix.lower() in _PICTURES:
        raise UsageError(
            f"{quote(str(output))} is a picture or a page, and nothing is drawn here",
            code="chart-format",
            hint=f"patterns chart {name} -o {output.with_suffix('.vl.json')}, then draw that: `vl-convert vl2svg`",
        )
    with reached() as found:
        drawn = _chart(name, found.compiled)
        spec = _spec(drawn, found.compiled)
        if found.reports is None:
            raise not_deployed(found.name)
        table = found.reports.table(str(drawn.spec["table"]))
        report = found.reports.rows(table, limit=limit)
    rows = [{column: _drawable(value) for column, value in row.record.items()} for row in report.rows]
    if report.total > len(rows):
        note(f"the newest {len(rows):,} of {report.total:,} rows are drawn (--limit)")
    filled = with_rows(spec, rows)
    if output is None:
        print_json(filled)
        return
    write_picture(output, json.dumps(filled, default=json_default, ensure_ascii=False, indent=2))
    say(f"Wrote {output}")


def _chart(given: str, compiled: Compiled) -> Node:
    charts = _charts(compiled.graph)
    for drawn in charts:
        if given in {drawn.name, drawn.file}:
            return drawn
    names = [drawn.name for drawn in charts]
    raise UsageError(
        f"No chart has the name {quote(given)}; known charts: {', '.join(map(quote, names)) or 'none'}",
        code="unknown-chart",
        hint=did_you_mean(given, names),
    )


def _charts(graph: Graph | None) -> list[Node]:
    return [node for node in graph.nodes if node.kind is NodeKind.CHART] if graph is not None else []


def _spec(drawn: Node, compiled: Compiled) -> dict[str, Any]:
    file = drawn.file or ""
    wrong = [found for found in compiled.diagnostics if found.where is not None and found.where.file == file]
    document = parse_document(file, compiled.sources[file]) if file in compiled.sources else None
    if has_errors(wrong) or document is None or not isinstance(document.data, dict):
        raise CompileError(wrong or compiled.diagnostics)
    return document.data


def _drawable(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Give a value as it is drawn: a decimal number is a number, whatever digits that costs."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return json_ready(value)


command = typer.main.get_command(app)
