"""`patterns backfill`: run a node for ticks of the past."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

import typer

from patterns_os.adapters.postgres.backfills import NodeSchedule, node_schedule, request_ticks, tick_states
from patterns_os.cli.cells import json_ready
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import box, note, print_json, say, width
from patterns_os.cli.looking import Reached, known_node, not_deployed, reached, word
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.ports.schedules import Scheduled
from patterns_os.triggers.backfill import ChosenTick, Wanted, choose
from patterns_os.triggers.cron import CronSchedule, parse_cron, tick_key
from patterns_os.triggers.timetable import Period, filled

MOST_TICKS = 10_000
_INSTANT = timedelta(microseconds=1)

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns backfill report --from 2026-01-01 --to 2026-02-01 --dry-run")
def backfill(  # noqa: PLR0917 - typer makes options of them
    node: Annotated[str, typer.Argument(metavar="NODE", help="The node's name.")],
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="The first moment, in the cron's zone.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The first moment that is not meant.")],
    missed: Annotated[bool, typer.Option("--missed", help="Only ticks that were missed.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ticks that have run, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the ticks and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Run a node for ticks of the past, one after the other, each by the cron of its own time.

    A tick that has run, or is queued, is left out.
    """
    with reached() as found:
        if found.reports is None:
            raise not_deployed(found.name)
        name = known_node(found.reports, node)
        schedule = node_schedule(found.database.conninfo, found.reports.app, name)
        if schedule is None:
            raise UsageError(
                f"Node {quote(name)} has no cron", code="no-cron", hint=f"patterns trigger {word(name)}"
            )
        cron = _parsed(schedule.current)
        first, last = _moment(cron, start), _moment(cron, end) - _INSTANT
        states = tick_states(found.database.conninfo, schedule.node, first, last)
        chosen = _chosen(schedule, first, last, states, Wanted(missed=missed, again=again))
        runs = {tick_key(name, one.tick): one.tick for one in chosen if one.run}
        if not json:
            _show(cron, chosen)
        requested = 0
        if runs and not dry_run:
            confirm(f"Run node {quote(name)} for {len(runs)} of {len(chosen)} ticks?", yes=yes)
            requested = request_ticks(found.database.conninfo, found.reports.app, schedule.node, runs, states)
        _report(found, name, chosen, requested, json=json)


def _chosen(
    schedule: NodeSchedule, first: datetime, last: datetime, states: dict[datetime, str], wanted: Wanted
) -> list[ChosenTick]:
    parts = (*schedule.former, schedule.current)
    periods = [Period(schedule=_parsed(part), since=part.since, until=part.until) for part in parts]
    ticks = list(islice(filled(periods, periods[-1].schedule).ticks(first - _INSTANT, last), MOST_TICKS + 1))
    if len(ticks) > MOST_TICKS:
        raise UsageError(
            f"There are more than {MOST_TICKS} ticks",
            code="too-many-ticks",
            hint=f"end at {ticks[-1]:%Y-%m-%d %H:%M} UTC, and go on from there",
        )
    return list(choose(ticks, states, periods, schedule.next_at, wanted))


def _parsed(part: Scheduled) -> CronSchedule:
    return parse_cron(part.expression, part.timezone)


def _moment(cron: CronSchedule, text: str) -> datetime:
    """Read a day or a moment as the clocks of the cron's zone show it, unless it brings an offset."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{quote(text)} is no time",
            code="bad-time",
            hint="2026-01-31, or 2026-01-31T09:00, or with +01:00",
        ) from None
    if given.tzinfo is None:
        given = given.replace(tzinfo=cron.local(datetime.now(UTC)).tzinfo)
    return given.astimezone(UTC)


def _show(cron: CronSchedule, chosen: list[ChosenTick]) -> None:
    if not chosen:
        return
    rows = [
        [
            f"{cron.local(one.tick):%Y-%m-%d %H:%M}",
            f"{one.tick:%Y-%m-%d %H:%M}",
            "run" if one.run else "skip",
            ("in a gap: " if cron.is_moved(one.tick) else "") + one.why,
        ]
        for one in chosen
    ]
    say(box([cron.timezone if cron.timezone != "UTC" else "tick", "UTC", "", "why"], rows, limit=width()))


def _report(found: Reached, node: str, chosen: list[ChosenTick], requested: int, *, json: bool) -> None:
    if json:
        ticks = [json_ready(asdict(one)) for one in chosen]
        print_json({"node": node, "requested": requested, "ticks": ticks})
        return
    running = sum(one.run for one in chosen)
    say(
        f"{node}: {running} to run, {len(chosen) - running} left out"
        + (f"; {requested} requested" if requested else "")
    )
    if requested and found.running is None:
        note("hint: nothing runs the app now: patterns run")


command = typer.main.get_command(app)
