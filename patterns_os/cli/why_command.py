"""`patterns why`: why a node, a run, a table or a row is as it is."""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from patterns_os.adapters.postgres.provenance import row_provenance
from patterns_os.adapters.postgres.reports import PostgresReports
from patterns_os.cli.console import note, print_json, say, styled
from patterns_os.cli.looking import Reached, known_node, not_deployed, reached
from patterns_os.cli.provenance_text import row_line, row_lines
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.ports.reports import RunReport
from patterns_os.triggers.due import Explanation, NodeFacts, explain
from patterns_os.triggers.why import ReaderFacts, RunFacts, TableFacts, Told, explain_run, explain_table

app = typer.Typer(add_completion=False)

_STYLE = {"running": "busy", "due": "busy", "failing": "bad", "backoff": "bad", "not-deployed": "warn"}
_RUN = re.compile(r"(?:r_|run )?(\d{1,18})")


@app.command(epilog="Example: patterns why my_py")
def why(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A node, its script, a table, or a run's number; all nodes without it."
        ),
    ] = None,
    patterns_id: Annotated[
        str | None, typer.Argument(metavar="PATTERNS_ID", help="Of a row of the table.")
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="The table of this name, not the node.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say in one line why a node is running, waiting or failing, and what decides it.

    Of a run it says how it stands and what its node does now, of a table who writes it and who is behind, of a row
    who wrote it and who has not taken it. The answer comes from the same numbers that decide what runs: cursors,
    watermarks, requests and ticks.
    """
    with reached() as found:
        told = _tell(found, name, patterns_id, is_table=table)
    if json:
        print_json(asdict(told[0]) if name is not None else [asdict(one) for one in told])
        return
    for one in told:
        _show(one, whole=name is not None)


def _tell(
    found: Reached, name: str | None, patterns_id: str | None, *, is_table: bool
) -> list[Explanation | Told]:
    if name is None:
        return [explain(_facts(found, node)) for node in _all_names(found)]
    if patterns_id is not None:
        return [_row(found, name, patterns_id)]
    node = None if is_table else _node(found, name)
    if node is not None:
        return [explain(_facts(found, node))]
    number = None if is_table else _RUN.fullmatch(name)
    if number is not None:
        return [_run(found, int(number[1]))]
    tables = found.reports.table_names() if found.reports else []
    if name in tables:
        return [_table(found, _deployed(found), name)]
    raise _unknown(name, _all_names(found), tables)


def _all_names(found: Reached) -> list[str]:
    plan = found.compiled.plan or (found.reports.plan if found.reports else None)
    if plan is None:
        return found.reports.node_names() if found.reports else []
    return sorted([*(node.name for node in plan.nodes), *(hook.name for hook in plan.webhooks)])


def _node(found: Reached, given: str) -> str | None:
    """Give the node that is meant; one that is only in the files is known too: it is not deployed yet."""
    planned = found.compiled.plan.nodes if found.compiled.plan else ()
    by_file = {node.file: node.name for node in planned}
    if given in _all_names(found) or given in by_file:
        return by_file.get(given, given)
    try:
        return known_node(found.reports, given) if found.reports is not None else None
    except UsageError:
        return None


def _facts(found: Reached, node: str) -> NodeFacts:
    served_by = found.running.command if found.running else None
    if found.reports is None:
        return NodeFacts.undeployed(node)
    return found.reports.node_facts(node, served_by=served_by)


def _run(found: Reached, number: int) -> Told:
    run = _deployed(found).run(number)
    return explain_run(
        RunFacts(
            run=run.run,
            node=run.node,
            now=datetime.now(UTC),
            reason=run.reason,
            state=run.state,
            attempt=run.attempt,
            rows_in=run.rows_in,
            rows_out=run.rows_out,
            claimed_at=run.claimed_at,
            ended_at=run.ended_at,
            launcher=run.launcher,
            error=_error(run),
            node_now=explain(_facts(found, run.node)),
        )
    )


def _error(run: RunReport) -> str | None:
    error = run.error
    if error is None:
        return None
    text = str(error.get("message") or error.get("code") or "an error").split("\n")[0]
    return f"{text} ({error['where']})" if error.get("where") else text


def _table(found: Reached, reports: PostgresReports, name: str) -> Told:
    table = reports.table(name)
    readers = [
        ReaderFacts(
            node=place.node,
            behind=max(0, place.watermark - (place.cursor if place.access == "stream" else place.seen)),
        )
        for place in reports.positions()
        if place.table == name
    ]
    return explain_table(
        TableFacts(
            table=name,
            now=datetime.now(UTC),
            rows=table.rows,
            watermark=table.watermark,
            version=table.version,
            written_at=table.written_at,
            writers=tuple(explain(_facts(found, node)) for node in reports.writers(name)),
            readers=tuple(readers),
        )
    )


def _row(found: Reached, table: str, patterns_id: str) -> Told:
    reports, now = _deployed(found), datetime.now(UTC)
    row = row_provenance(found.database.conninfo, reports.app, reports.table(table), patterns_id)
    return Told(
        kind="row", name=row.patterns_id, cause=row_line(row, now), details=tuple(row_lines(row, now)[1:])
    )


def _deployed(found: Reached) -> PostgresReports:
    if found.reports is None:
        raise not_deployed(found.name)
    return found.reports


def _unknown(given: str, nodes: list[str], tables: list[str]) -> UsageError:
    known = sorted({*nodes, *tables})
    return UsageError(
        f"No node, table or run has the name {quote(given)}; "
        f"known nodes: {_listed(nodes)}; known tables: {_listed(tables)}",
        code="unknown-name",
        hint=did_you_mean(given, known),
    )


def _listed(names: list[str]) -> str:
    return ", ".join(map(quote, names)) or "none"


def _show(told: Explanation | Told, *, whole: bool) -> None:
    if isinstance(told, Told):
        kind = "" if told.kind == "table" else f"{told.kind} "
        say(f"{kind}{told.name}: {told.cause}")
    else:
        say(f"{told.node}: {styled(told.cause, _STYLE[told.state]) if told.state in _STYLE else told.cause}")
    if not whole:
        return
    for detail in told.details:
        say(f"  {detail}")
    if told.hint:
        note(f"  hint: {told.hint}")


command = typer.main.get_command(app)
