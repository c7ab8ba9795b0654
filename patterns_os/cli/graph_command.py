"""`patterns graph`: the app's graph as a picture or as data."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.cli.console import note, say, width
from patterns_os.composition.authoring import find_app, load
from patterns_os.diagnostics import has_errors, quote
from patterns_os.errors import CompileError, PermanentError, UsageError
from patterns_os.graph.groups import collapse_groups
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.lineage_paths import lineage_data
from patterns_os.graph.lineage_render import render_columns, render_columns_svg
from patterns_os.graph.render import render_json, render_mermaid, render_svg, render_terminal
from patterns_os.graph.vertices import Graph

app = typer.Typer(add_completion=False)


class Form(StrEnum):
    """How a graph is drawn."""

    TERMINAL = "terminal"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


_ENDINGS = {
    ".txt": Form.TERMINAL,
    ".mmd": Form.MERMAID,
    ".mermaid": Form.MERMAID,
    ".svg": Form.SVG,
    ".json": Form.JSON,
}


@app.command(epilog="Example: patterns graph -o graph.svg")
def graph(
    form: Annotated[
        Form | None, typer.Option("--format", help="Default: by the ending of FILE, else terminal.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of printing.")
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="Show the columns of each table and where each comes from.")
    ] = False,
    expand: Annotated[
        bool, typer.Option("--expand", help="Show the nodes of included apps instead of one box for each.")
    ] = False,
) -> None:
    """Draw the app's graph: nodes, tables, and what triggers what.

    An included app is one box; as JSON, and with its columns, the graph is always whole. It is drawn as far as
    the app is understood, mistakes or not; `patterns compile` lists those.
    """
    wanted = form or _form_of(output)
    compiled = load(find_app(Path.cwd()))
    if compiled.graph is None or compiled.lineage is None:
        raise CompileError(compiled.diagnostics)
    if columns:
        text = _drawn_columns(compiled.graph, compiled.lineage, wanted)
    else:
        is_whole = expand or wanted is Form.JSON
        drawn = compiled.graph if is_whole else collapse_groups(compiled.graph)
        text = _drawn(drawn, wanted, 100 if output else width())
    if output is None:
        say(text)
    else:
        write_picture(output, text)
        say(f"Wrote {output}")
    if has_errors(compiled.diagnostics):
        note("the app has errors, so parts may be missing: patterns compile")


def _form_of(output: Path | None) -> Form:
    if output is None:
        return Form.TERMINAL
    if output.suffix.lower() not in _ENDINGS:
        raise UsageError(
            f"{quote(output.name)} has an ending that says no format, expected {', '.join(_ENDINGS)}",
            code="graph-format",
            hint="or say it: --format=svg",
        )
    return _ENDINGS[output.suffix.lower()]


def _drawn(drawn: Graph, form: Form, columns: int) -> str:
    match form:
        case Form.TERMINAL:
            return render_terminal(drawn, columns)
        case Form.MERMAID:
            return render_mermaid(drawn).rstrip("\n")
        case Form.SVG:
            return render_svg(drawn).rstrip("\n")
        case Form.JSON:
            return json.dumps(render_json(drawn), indent=2, ensure_ascii=False)


def _drawn_columns(drawn: Graph, lineage: Lineage, form: Form) -> str:
    match form:
        case Form.TERMINAL:
            return render_columns(drawn, lineage)
        case Form.SVG:
            return render_columns_svg(drawn, lineage).rstrip("\n")
        case Form.JSON:
            return json.dumps(lineage_data(drawn, lineage), indent=2, ensure_ascii=False)
        case Form.MERMAID:
            raise UsageError(
                "Mermaid has no form for columns",
                code="graph-format",
                hint="use --format=svg, json or terminal",
            )


def write_picture(path: Path, text: str) -> None:
    """Write what was drawn; a path that can't be written is the user's to mend."""
    try:
        path.write_text(text.rstrip("\n") + "\n", "utf-8")
    except OSError as error:
        raise PermanentError(
            f"{quote(str(path))} can't be written: {error.strerror or error}", code="file-denied"
        ) from error


command = typer.main.get_command(app)
