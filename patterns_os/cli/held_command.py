"""`patterns held`: records that were set aside."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from patterns_os.adapters.postgres.refused import take_refused
from patterns_os.adapters.postgres.reports import PostgresReports
from patterns_os.adapters.postgres.requests import drop_held, request_resume
from patterns_os.cli.cells import elided, json_ready, short_cell
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import box, note, pairs, print_json, say, width
from patterns_os.cli.looking import Reached, looking, not_deployed, reached
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.ports.reports import HeldReport

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Show records that were set aside, try them again, or drop them.",
)

_Number = Annotated[int, typer.Argument(metavar="ID", help="The number that `patterns held list` shows.")]


@app.command("list", epilog="Example: patterns held list --json")
def list_held(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, records in full.")] = False,
) -> None:
    """List the records that were set aside, the oldest first."""
    with looking() as reports:
        found = reports.held()
    if json:
        print_json([json_ready(asdict(held)) for held in found])
        return
    if not found:
        say("No record is set aside.")
        return
    heading = ["id", "node", "table", "why", "tries", "retry", "error", "record"]
    say(box(heading, [_cells(held) for held in found], limit=width()))


@app.command(epilog="Example: patterns held show 3")
def show(
    number: _Number, json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False
) -> None:
    """Show one record that was set aside: where it comes from, what went wrong, and all of its values."""
    with looking() as reports:
        held = _find(reports, number)
    if json:
        print_json(json_ready(asdict(held)))
        return
    say(pairs(_facts(held)))
    say()
    say(pairs({name: short_cell(value) for name, value in held.record.items()}))


@app.command(epilog="Example: patterns held retry 3")
def retry(
    number: _Number, json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False
) -> None:
    """Deliver a record again, alone. If it succeeds, it is no longer held.

    A row that was refused is written to its table, if it fits the schema by now.
    """
    with reached() as found:
        reports = _reports(found)
        held = _find(reports, number)
        if held.why == "refused":
            _take(found, reports, held, json=json)
            return
        node = request_resume(found.database.conninfo, reports.app, number)
    served_by = found.running.command if found.running else None
    if json:
        print_json({"held": number, "node": node, "served_by": served_by})
        return
    say(
        f"{node}: record {number} is delivered again"
        + (f" by `{served_by}`" if served_by else " by the next run")
    )
    if served_by is None:
        note("hint: nothing runs the app now: patterns run")


@app.command(epilog="Example: patterns held drop 3 --yes")
def drop(
    number: _Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Forget a record: it is never delivered again. The row stays in its table."""
    with reached() as found:
        reports = _reports(found)
        held = _find(reports, number)
        confirm(f"Forget record {number} of node {quote(held.node)}: {elided(held.record)}?", yes=yes)
        drop_held(found.database.conninfo, reports.app, number)
    if json:
        print_json({"held": number, "node": held.node, "dropped": True})
        return
    say(f"{held.node}: record {number} is dropped")


def _take(found: Reached, reports: PostgresReports, held: HeldReport, *, json: bool) -> None:
    """Let a refused row in. What reads its table is due then."""
    if reports.plan is None:
        raise not_deployed(found.name)
    take_refused(found.database.conninfo, reports.app, reports.plan, held)
    served_by = found.running.command if found.running else None
    if json:
        print_json({"held": held.number, "node": held.node, "table": held.table, "served_by": served_by})
        return
    say(f"{held.node}: record {held.number} is in table {quote(held.table)}")
    if served_by is None:
        note("hint: nothing runs the app now: patterns run")


def _reports(found: Reached) -> PostgresReports:
    if found.reports is None:
        raise not_deployed(found.name)
    return found.reports


def _find(reports: PostgresReports, number: int) -> HeldReport:
    found = reports.held(number)
    if found:
        return found[0]
    known = [str(held.number) for held in reports.held()]
    raise UsageError(
        f"No held record has the number {number}; known: {', '.join(known) or 'none'}",
        code="unknown-held",
        hint="patterns held list",
    )


def _cells(held: HeldReport) -> list[str]:
    return [
        str(held.number), held.node, held.table, held.why, str(held.attempts), held.retry or "",
        short_cell(_trouble(held)), short_cell(dict(held.record)),
    ]  # fmt: skip


def _facts(held: HeldReport) -> dict[str, str]:
    return {
        "node": held.node,
        "table": f"{held.table}, {_place(held)}",
        "why": _why(held),
        "since": held.at.astimezone().isoformat(sep=" ", timespec="seconds"),
        "run": str(held.run or ""),
        "error": _trouble(held),
        "retry": held.retry or "not asked for",
    }


def _why(held: HeldReport) -> str:
    if (held.error or {}).get("code") == "max-hops":
        return f"{held.why}: it is at the bound of its circle"
    return f"{held.why} after {held.attempts} {'try' if held.attempts == 1 else 'tries'}"


def _place(held: HeldReport) -> str:
    if held.why != "refused":
        return f"position {held.position}"
    return f"row {held.position} of {held.source.replace(':', ' ')}"


def _trouble(held: HeldReport) -> str:
    error: dict[str, Any] = dict(held.error or {})
    return " ".join(str(error[key]) for key in ("where", "message") if error.get(key)).split("\n")[0]


command = typer.main.get_command(app)
