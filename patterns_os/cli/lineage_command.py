"""`patterns lineage`: what a table or a column comes from, and what it goes to."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import note, print_json, say
from patterns_os.cli.graph_command import write_picture
from patterns_os.composition.authoring import find_app, load
from patterns_os.diagnostics import did_you_mean, has_errors, quote
from patterns_os.errors import CompileError, UsageError
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.lineage_paths import downstream, paths_data, upstream
from patterns_os.graph.lineage_render import render_paths, render_paths_svg
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnSource

app = typer.Typer(add_completion=False)


class Direction(StrEnum):
    """Which way to look."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"


@app.command(epilog="Example: patterns lineage completions.text --direction upstream")
def lineage(
    table: Annotated[str, typer.Argument(metavar="TABLE[.COLUMN]", help="What to look at.")],
    direction: Annotated[Direction, typer.Option(help="Which way to look.")] = Direction.BOTH,
    json: Annotated[bool, typer.Option("--json", help="Print the steps as JSON.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.svg", help="Draw it as an SVG file.")
    ] = None,
) -> None:
    """Tell where a table or a column comes from and where it goes, through all languages.

    What a script decides only when it runs is named as unknown, with the reason.
    """
    compiled = load(find_app(Path.cwd()))
    if compiled.graph is None or compiled.lineage is None:
        raise CompileError(compiled.diagnostics)
    start = _start(table, compiled.lineage)
    up = upstream(compiled.graph, compiled.lineage, start) if direction != Direction.DOWNSTREAM else None
    down = downstream(compiled.graph, compiled.lineage, start) if direction != Direction.UPSTREAM else None
    if output is not None:
        write_picture(output, render_paths_svg(compiled.graph, compiled.lineage, up, down))
        say(f"Wrote {output}")
    elif json:
        sides = {"upstream": up, "downstream": down}
        print_json({name: paths_data(paths) for name, paths in sides.items() if paths is not None})
    else:
        say(render_paths(up, down, compiled.lineage))
    if has_errors(compiled.diagnostics):
        note("the app has errors, so parts may be missing: patterns compile")


def _start(text: str, lineage: Lineage) -> ColumnSource:
    table, _, column = text.partition(".")
    shape = lineage.shapes.get(table)
    if shape is None:
        raise UsageError(
            f"The app has no table {quote(table)}",
            code="unknown-table",
            hint=did_you_mean(table, lineage.shapes) or "patterns graph shows the tables",
        )
    if column and shape.is_closed and column not in shape.columns:
        raise UsageError(
            f"Table {quote(table)} has no column {quote(column)}",
            code="unknown-column",
            hint=did_you_mean(column, shape.columns) or f"it has {', '.join(shape.columns)}",
        )
    return ColumnSource(table=table, column=column or EVERY_COLUMN)


command = typer.main.get_command(app)
