"""`patterns table`: tables as they are, rows, columns and sizes."""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from patterns_os.adapters.postgres.reports import PostgresReports, open_reports
from patterns_os.cli.cells import csv_cell, elided, json_ready, short_cell
from patterns_os.cli.console import box, note, print_json, say, width
from patterns_os.cli.looking import looking, word
from patterns_os.cli.table_schema import ShownSchema, shown_schema
from patterns_os.composition.authoring import find_app, load
from patterns_os.composition.running import open_database
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import PermanentError, TemporaryError, UsageError
from patterns_os.graph.vertices import StoreKind
from patterns_os.plan.compile import Compiled
from patterns_os.ports.reports import RowsReport, TableReport

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Show tables: their rows, columns and sizes."
)

_ID = "patterns_id"
# A cell with its frame is at least so wide; an id is shown whole.
_LEAST_COLUMN, _ID_COLUMN = 11, 30


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command(
    epilog="""Example: patterns table data completions --where "event ->> 'text' = 'hello'" """.strip()
)
def data(  # noqa: PLR0917 - typer makes options of them
    name: Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")],
    limit: Annotated[int, typer.Option(min=0, help="Show the newest so many rows.")] = 20,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help="Only rows for which this SQL expression is true.")
    ] = None,
    shown_as: Annotated[
        Format, typer.Option("--format", help="A box for people, or rows in full as JSON or CSV.")
    ] = Format.TABLE,
    as_record: Annotated[
        bool, typer.Option("--as-record", help="One column that names the keys of each record.")
    ] = False,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these columns, in this order.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show the newest rows of a table, the newest last.

    The box is made to fit the terminal: long values are shortened. JSON and CSV are always whole.
    """
    with looking() as reports:
        table = reports.table(name)
        rows = reports.rows(table, limit=limit, where=where)
        chosen = _chosen(rows, columns, table)
        if json or shown_as is Format.JSON:
            print_json([_record(row.patterns_id, row.record, chosen) for row in rows.rows])
        elif shown_as is Format.CSV:
            _print_csv(rows, chosen)
        elif not rows.total:
            _say_empty(reports, table, where)
        else:
            say(_as_records(rows) if as_record else _boxed(rows, chosen))
            say(_closing(rows, where), style="quiet")


@app.command("list", epilog="Example: patterns table list")
def list_tables(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the app's tables: rows, columns, who writes and who reads them."""
    with looking() as reports:
        found = [
            (table, reports.writers(table.name), reports.readers(table.name)) for table in reports.tables()
        ]
    if json:
        print_json([_table_json(*row) for row in found])
        return
    if not found:
        say("This app has no tables.")
        return
    lines = [
        [table.name, str(table.rows), ", ".join(c.name for c in table.columns), ", ".join(w), ", ".join(r)]
        for table, w, r in found
    ]
    say(box(["table", "rows", "columns", "written by", "read by"], lines, limit=width()))


@app.command(epilog="Example: patterns table schema completions")
def schema(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a table's columns: as declared in manifest.json, as inferred from the code, and as they are.

    Works without a database too: what is real is then left open. Values that no column fits are kept beside the
    columns, under their key; they are counted here.
    """
    app_folder = find_app(Path.cwd())
    compiled = load(app_folder)
    with _tables_if_reached(app_folder, compiled) as reports:
        shown = _schema_of(name, compiled, reports)
        is_reached = reports is not None
    if json:
        print_json(
            {
                "name": name,
                "rows": shown.count,
                "casting": shown.casting,
                "unique_on": list(shown.unique_on),
                "columns": [row.to_json() for row in shown.rows],
                "unknown": [
                    {"node": end.node, "reason": end.reason, "where": str(end.where)}
                    for end in shown.open_ends
                ],
            }
        )
        return
    _say_schema(name, shown, is_reached=is_reached)


def _say_schema(name: str, shown: ShownSchema, *, is_reached: bool) -> None:
    if shown.rows:
        heading = ["column", "declared", "inferred", "real", "key", "rows beside"]
        lines = [row.cells(is_reached=is_reached) for row in shown.rows]
        say(box(heading, lines, limit=width()))
    else:
        say(f"Table {quote(name)} has no columns yet: they come with its first rows.")
    if shown.casting == "hard":
        note("casting is hard: only values of these types, and no other columns")
    for end in shown.open_ends:
        note(
            f"further columns are possible: {end.where.file}:{end.where.line}: {end.reason} (node {quote(end.node)})"
        )
    if any(row.beside for row in shown.rows):
        note("rows beside: values without a column, or that don't fit it; nothing is lost")


def _schema_of(name: str, compiled: Compiled, reports: PostgresReports | None) -> ShownSchema:
    """Join what is known of a table. One that only the files name, or only the database has, is one too."""
    graph = compiled.graph
    stores = graph.stores if graph else ()
    store = next((found for found in stores if found.name == name and found.kind is StoreKind.TABLE), None)
    known = reports.table_names() if reports else []
    real = reports.table(name) if reports and (store is None or name in known) else None
    if store is None and real is None:
        tables = [found.name for found in stores if found.kind is StoreKind.TABLE]
        raise UsageError(
            f"No table has the name {quote(name)}; known tables: {', '.join(map(quote, tables)) or 'none'}",
            code="unknown-table",
            hint=did_you_mean(name, tables),
        )
    return shown_schema(
        name,
        declared=store.schema if store else None,
        unique_on=store.unique_on if store else (),
        lineage=compiled.lineage,
        real=real,
        beside=reports.uncolumned(real) if reports and real else {},
    )


@contextmanager
def _tables_if_reached(app_folder: Path, compiled: Compiled) -> Iterator[PostgresReports | None]:
    """Give what can be told of the tables, `None` where the app has never run or its database is away."""
    with ExitStack() as opened:
        reports: PostgresReports | None = None
        try:
            database = opened.enter_context(open_database(app_folder, compiled))
            if compiled.graph is not None:
                reports = opened.enter_context(open_reports(database.conninfo, compiled.graph.app))
        except (TemporaryError, PermanentError) as error:
            note(f"what is real is not shown: {error.message}")
        yield reports


def _chosen(rows: RowsReport, columns: str | None, table: TableReport) -> tuple[str, ...]:
    """Give the columns to show, `patterns_id` apart."""
    if columns is None:
        return rows.columns
    wanted = tuple(dict.fromkeys(name.strip() for name in columns.split(",") if name.strip()))
    for name in wanted:
        if name not in rows.columns and name != _ID:
            raise UsageError(
                f"Table {quote(table.name)} has no column {quote(name)}; columns: "
                + (", ".join(map(quote, rows.columns)) or "none"),
                code="unknown-column",
                hint=did_you_mean(name, rows.columns),
            )
    return tuple(name for name in wanted if name != _ID)


def _record(patterns_id: str, record: Any, chosen: Sequence[str]) -> dict[str, Any]:  # noqa: ANN401 - a record
    """Give a row with its id; a payload's own key of that name wins."""
    shown = {_ID: patterns_id, **{name: record[name] for name in chosen if name in record}}
    found: dict[str, Any] = json_ready(shown)
    return found


def _print_csv(rows: RowsReport, chosen: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([_ID, *chosen])
    for row in rows.rows:
        writer.writerow([row.patterns_id, *(csv_cell(row.record.get(name)) for name in chosen)])


def _boxed(rows: RowsReport, chosen: Sequence[str]) -> str:
    """Draw rows; columns for which the terminal has no room are named below."""
    room = max(1, (width() - _ID_COLUMN) // _LEAST_COLUMN)
    shown, hidden = chosen[:room], chosen[room:]
    cells = [[row.patterns_id, *(short_cell(row.record.get(name)) for name in shown)] for row in rows.rows]
    drawn = box([_ID, *shown], cells, limit=width())
    if not hidden:
        return drawn
    return f"{drawn}\nnot shown: {', '.join(hidden)} (--columns chooses, --format json shows all)"


def _as_records(rows: RowsReport) -> str:
    """Draw the id and, under the name of the first key, what keys the record has."""
    heading = next((name for row in rows.rows for name in row.record), "record")
    return box([_ID, heading], [[row.patterns_id, elided(row.record)] for row in rows.rows], limit=width())


def _closing(rows: RowsReport, where: str | None) -> str:
    shown, kind = len(rows.rows), "row" if where is None else "matching row"
    plural = "" if rows.total == 1 else "s"
    return f"{shown} of {rows.total} {kind}{plural}" if shown != rows.total else f"{shown} {kind}{plural}"


def _say_empty(reports: PostgresReports, table: TableReport, where: str | None) -> None:
    if table.rows:
        say(f"None of the {table.rows} rows of table {quote(table.name)} match: {where}")
        return
    say(f"Table {quote(table.name)} has no rows.")
    writers = reports.writers(table.name)
    if writers:
        note(f"hint: it is written by {', '.join(map(quote, writers))}: patterns why {word(writers[0])}")


def _table_json(table: TableReport, writers: Sequence[str], readers: Sequence[str]) -> dict[str, Any]:
    return {
        "name": table.name,
        "rows": table.rows,
        "watermark": table.watermark,
        "version": table.version,
        "columns": [column.name for column in table.columns],
        "unique_on": list(table.unique_on),
        "written_at": table.written_at,
        "written_by": list(writers),
        "read_by": list(readers),
    }


command = typer.main.get_command(app)
