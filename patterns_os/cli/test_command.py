"""`patterns test`: a node on given rows, without a database."""

import asyncio
import json as json_text
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from patterns_os.cli.console import box, cell_text, note, print_json, say, styled, width
from patterns_os.composition.authoring import find_app, load_plan, node_environment, node_secrets
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.graph.vertices import Graph
from patterns_os.launcher.rehearsal import Rehearsal, rehearse
from patterns_os.plan.spec import Plan, PlannedNode

app = typer.Typer(add_completion=False)

_MOST_SHOWN = 20
_KINDS = {"append": "appended", "upsert": "upserted", "replace": "replaced", "reset": "reset"}

Rows = list[dict[str, Any]]


@app.command(
    epilog="""Example: echo '[{"text": "hello"}]' > rows.json && patterns test my_node --rows rows.json"""
)
def test(
    node: Annotated[str, typer.Argument(metavar="NODE", help="Name or file of a Python node.")],
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="JSON: a list of rows of its input, or an object of table and rows; - for standard input.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter's value; may be given again.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> int:
    """Run a Python node on rows from a file, and show what it would write.

    No table, State or file of the app is changed, no database is needed. Models are really asked, and what the
    script does to the outside world happens. Exit code 1 if the script fails.
    """
    folder = find_app(Path.cwd())
    compiled, plan = load_plan(folder)
    found = choose(plan, node)
    given = [] if rows is None else read_rows(rows)
    if rows is None and any(entry.access == "stream" for entry in found.inputs):
        raise _no_rows(found)
    parameters = _parameters(found, compiled.graph, parameter or [])
    printed: list[dict[str, str]] = []

    def line(stream: str, text: str) -> None:
        printed.append({"stream": stream, "line": text})
        if not json:
            _show_line(stream, text)

    done = asyncio.run(
        rehearse(
            plan,
            found.model_copy(update={"parameters": parameters}),
            assign_rows(found, given),
            folder=folder,
            environment=node_environment(folder),
            secrets=node_secrets(folder, plan),
            printed=line,
        )
    )
    if json:
        print_json({"node": found.name, **_as_data(done), "printed": printed})
    else:
        _show(found, done)
    return int(done.error is not None)


def choose(plan: Plan, name: str) -> PlannedNode:
    """Give the node of that name or file, which runs a script."""
    found = plan.node(name) or next((node for node in plan.nodes if node.file == name), None)
    if found is not None and found.kind != "sql":
        return found
    if found is not None:
        raise UsageError(
            f'Node "{found.name}" is SQL, which runs in a database; patterns test runs Python nodes only, as yet',
            code="test-sql",
            hint="patterns run",
        )
    if any(name in {hook.name, hook.title} for hook in plan.webhooks):
        raise UsageError(
            f'"{name}" is a webhook: it runs no script',
            code="test-webhook",
            hint=f"patterns webhook test --title={quote(name)} --data='{{}}'",
        )
    known = [node.name for node in plan.nodes]
    raise UsageError(
        f'There is no node "{name}"; known: {", ".join(map(quote, known)) or "none"}',
        code="unknown-node",
        hint=did_you_mean(name, known),
    )


def read_rows(file: str) -> Rows | dict[str, Rows]:
    """Give the rows in a file, by table if the file says so.

    Raises:
        UsageError: `test-rows` where it can't be read, or holds something else.
    """
    shown = "standard input" if file == "-" else quote(file)
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        value = json_text.loads(text.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{shown} can't be read: {error.strerror}", code="test-rows") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown} is not JSON: {error}", code="test-rows") from error
    if isinstance(value, list):
        return _checked(value, shown)
    if isinstance(value, dict) and all(isinstance(rows, list) for rows in value.values()):
        return {table: _checked(rows, f'table "{table}" in {shown}') for table, rows in value.items()}
    raise UsageError(
        f"{shown} holds neither a list of rows nor an object of table → rows",
        code="test-rows",
        hint="""write [{"text": "hello"}], or {"table": [{"text": "hello"}]}""",
    )


def assign_rows(node: PlannedNode, given: Rows | Mapping[str, Rows]) -> dict[str, Rows]:
    """Give the rows by table of the node; a list belongs to its only streamed input, else its only input."""
    if isinstance(given, Mapping):
        tables = {entry.port: entry.table for entry in node.inputs}
        tables |= {entry.port: entry.table for entry in node.outputs}
        tables |= {table: table for table in tables.values()}
        for name in given:
            if name not in tables:
                raise _unknown_table(node, name)
        return {tables[name]: rows for name, rows in given.items()}
    streamed = sorted({entry.table for entry in node.inputs if entry.access == "stream"})
    inputs = streamed if len(streamed) == 1 else sorted({entry.table for entry in node.inputs})
    if len(inputs) == 1:
        return {inputs[0]: list(given)}
    if not given:
        return {}
    raise UsageError(
        f'Node "{node.name}" has {len(inputs) or "no"} inputs, so a list of rows belongs to none of them'
        + (f"; known: {', '.join(map(quote, inputs))}" if inputs else ""),
        code="test-rows",
        hint=f"write {json_text.dumps({name: [] for name in inputs})}" if inputs else "leave --rows out",
    )


def _checked(rows: Sequence[Any], where: str) -> Rows:
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise UsageError(
                f"Row {number} of {where} is {cell_text(row) or 'null'}, expected an object", code="test-rows"
            )
    return list(rows)


def _no_rows(node: PlannedNode) -> UsageError:
    names = ", ".join(quote(entry.table) for entry in node.inputs)
    return UsageError(
        f'Node "{node.name}" reads {names}: there are no rows to run it on',
        code="test-rows",
        hint="--rows rows.json",
    )


def _unknown_table(node: PlannedNode, name: str) -> UsageError:
    known = sorted({entry.table for entry in node.inputs} | {entry.table for entry in node.outputs})
    return UsageError(
        f'Node "{node.name}" does not use a table "{name}"; known: {", ".join(map(quote, known)) or "none"}',
        code="test-rows",
        hint=did_you_mean(name, known),
    )


def _parameters(node: PlannedNode, graph: Graph | None, words: Iterable[str]) -> dict[str, Any]:
    """Give the node's parameters with those of the command line, which may be any that the script asks for."""
    analysed = graph.node(node.name) if graph else None
    uses = analysed.analysis.uses if analysed else ()
    known = {*node.parameters, *(use.name for use in uses if use.kind == "parameter")}
    values = dict(node.parameters)
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f'"{word}" is no parameter, expected NAME=VALUE', code="test-parameter")
        if name not in known and not (analysed and analysed.analysis.unknown):
            raise UsageError(
                f'Node "{node.name}" has no parameter "{name}"; '
                f"known: {', '.join(map(quote, sorted(known))) or 'none'}",
                code="test-parameter",
                hint=did_you_mean(name, known),
            )
        values[name] = _value(text)
    return values


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Give a list or an object as such; everything else stays text, which the script's Parameter converts."""
    if text.startswith(("[", "{")):
        try:
            return json_text.loads(text)
        except ValueError:
            return text
    return text


def _show_line(stream: str, text: str) -> None:
    if stream == "stdout":
        say(text)
    else:
        note(text)


def _show(node: PlannedNode, done: Rehearsal) -> None:
    for table, rows in done.outputs.items():
        if rows or done.writes[table] or done.error is None:
            _show_table(table, rows, done.writes[table])
    if done.state:
        say(f"State: {cell_text(dict(done.state))}")
    for name, size in done.files.items():
        say(f'File "{name}": {size} bytes')
    if done.again_s is not None:
        say(f"It asks for another run after {done.again_s:g} s.")
    if done.error is None:
        note(f"{node.name}: {_count(done.rows_in)} in, {_count(_rows_out(done))} out; nothing is kept")
    else:
        _show_error(node, done.error)


def _show_table(table: str, rows: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> None:
    how = ", ".join(_KINDS.get(kind, kind) for kind in kinds)
    say(f"{table}: {_count(len(rows))}{f' {how}' if how else ''}")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if columns:
        shown = [[cell_text(row.get(column)) for column in columns] for row in rows[:_MOST_SHOWN]]
        say(box(columns, shown, limit=width()))
    if len(rows) > _MOST_SHOWN:
        say(styled(f"… and {len(rows) - _MOST_SHOWN} more: --json shows all", "quiet"))


def _show_error(node: PlannedNode, error: Mapping[str, Any]) -> None:
    where = f"{error['where']} " if error.get("where") else ""
    record = f" ({error['record']})" if error.get("record") else ""
    lines = [f"error[{error['code']}] {node.name}: {where}{error['message']}{record}"]
    if error.get("hint"):
        lines.append(f"  hint: {error['hint']}")
    note("\n".join(lines))


def _as_data(done: Rehearsal) -> dict[str, Any]:
    return {
        "ok": done.error is None,
        "error": done.error,
        "rows_in": done.rows_in,
        "rows_out": _rows_out(done),
        "outputs": done.outputs,
        "writes": done.writes,
        "state": done.state,
        "files": done.files,
        "again_s": done.again_s,
    }


def _rows_out(done: Rehearsal) -> int:
    return sum(len(rows) for rows in done.outputs.values())


def _count(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"


command = typer.main.get_command(app)
