"""`patterns webhook deliveries|show|replay`: what was received, and its rows stored once more."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from patterns_os.adapters.postgres.deliveries import PostgresDeliveries
from patterns_os.adapters.postgres.delivery_reports import (
    list_deliveries,
    newest_replay,
    read_body,
    read_delivery,
    read_received,
)
from patterns_os.adapters.postgres.wakeups import notify
from patterns_os.cli.cells import json_ready
from patterns_os.cli.choosing import choose
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import ago, box, cell_text, note, pairs, print_json, say, width
from patterns_os.cli.looking import Reached, not_deployed, reached
from patterns_os.control.ingest import Answer, Ingest
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan, PlannedWebhook
from patterns_os.ports.deliveries import Received
from patterns_os.ports.delivery_reports import DeliveryReport

_ACCEPTED = 300


def deliveries(
    title: Annotated[
        str | None, typer.Argument(metavar="TITLE", help="Only deliveries to this webhook.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was not accepted, or has rows that are held.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many deliveries.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON, with headers.")] = False,
) -> None:
    """Show what webhooks received, the newest last: from whom, how many rows it made, and what was wrong.

    Accepted deliveries made rows; rejected ones could not be read; refused ones came from nobody who has the
    secret.
    """
    with reached() as found:
        app, plan = _deployed(found)
        webhook = None if title is None else choose(plan, title).name
        listed = list_deliveries(found.database.conninfo, app, webhook=webhook, failed=failed, limit=limit)
    if json:
        print_json([json_ready(asdict(delivery)) for delivery in listed])
        return
    if not listed:
        say("Nothing was received." if title is None and not failed else "No delivery matches.")
        return
    now = datetime.now(UTC)
    heading = ["id", "webhook", "status", "sender", "rows", "again", "size", "ago", "note"]
    say(box(heading, [_cells(delivery, now) for delivery in listed], limit=width()))


def show(
    number: Annotated[
        int, typer.Argument(metavar="ID", help="The number that `patterns webhook deliveries` shows.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show one delivery: verdict, headers, and the body as it came."""
    with reached() as found:
        app, _ = _deployed(found)
        delivery = read_delivery(found.database.conninfo, app, number)
        body = read_body(found.database.conninfo, app, number)
    if json:
        print_json(json_ready({**asdict(delivery), **_body_data(body)}))
        return
    say(pairs(_facts(delivery)))
    say()
    say(pairs({name: cell_text(value) for name, value in delivery.headers.items()}))
    say()
    say(_body_text(body))


def replay(
    numbers: Annotated[
        list[int], typer.Argument(metavar="ID…", help="Numbers that `patterns webhook deliveries` shows.")
    ],
    refused: Annotated[bool, typer.Option("--refused", help="Also those whose sender was refused.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """Make rows of deliveries once more, as the deployed version reads them: at the end of their tables.

    Each becomes a delivery of its own that names the one it repeats. Rows that the first one made stay.
    """
    with reached() as found:
        app, plan = _deployed(found)
        chosen = [_one(found, app, plan, number, refused=refused) for number in dict.fromkeys(numbers)]
        confirm(f"Store the rows of {_listed(chosen)} once more?", yes=yes)
        answers = asyncio.run(_replay(found, app, plan, chosen))
        notify(found.database.conninfo, app)
        newest = [newest_replay(found.database.conninfo, app, one.report.number) for one in chosen]
    done = [_told(*told) for told in zip(chosen, answers, newest, strict=True)]
    if json:
        print_json(done)
    else:
        for one in done:
            say(f"{one['webhook']}: delivery {one['delivery']} {_outcome(one)}")
        if found.running is None:
            note("hint: nothing runs the app now: patterns run")
    return int(any(answer.status >= _ACCEPTED for answer in answers))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A delivery that is stored once more."""

    report: DeliveryReport
    received: Received
    hook: PlannedWebhook
    table: int


def _deployed(found: Reached) -> tuple[int, Plan]:
    if found.reports is None or found.reports.plan is None:
        raise not_deployed(found.name)
    return found.reports.app, found.reports.plan


def _one(found: Reached, app: int, plan: Plan, number: int, *, refused: bool) -> _Chosen:
    report = read_delivery(found.database.conninfo, app, number)
    hook = next((hook for hook in plan.webhooks if hook.name == report.webhook), None)
    if hook is None or found.reports is None:
        raise UsageError(
            f"The webhook {quote(report.webhook)} of delivery {number} is no longer part of the app",
            code="unknown-webhook",
        )
    if report.status == "refused" and not refused:
        raise UsageError(
            f"The sender of delivery {number} was refused: {report.reason}",
            code="sender-refused",
            hint="if you know that it is genuine: --refused",
        )
    received = read_received(found.database.conninfo, app, report)
    return _Chosen(report, received, hook, found.reports.table(hook.table).number)


async def _replay(found: Reached, app: int, plan: Plan, chosen: Sequence[_Chosen]) -> list[Answer]:
    store = PostgresDeliveries(found.database.conninfo, app)
    taken = Ingest(store)
    taken.use(plan.tables)
    try:
        return [await taken.again(one.hook, one.table, one.report.number, one.received) for one in chosen]
    finally:
        await store.close()


def _told(one: _Chosen, answer: Answer, newest: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {"delivery": one.report.number, "webhook": one.hook.name, "replay": newest}
    if answer.status >= _ACCEPTED:
        return {**told, "error": answer.body["message"]}
    return {**told, "table": one.hook.table}


def _outcome(told: dict[str, Any]) -> str:
    if "error" in told:
        return f"can't be stored once more: {told['error']}"
    return f"is delivery {told['replay']} too, its rows are in table {quote(told['table'])}"


def _listed(chosen: Sequence[_Chosen]) -> str:
    numbers = ", ".join(str(one.report.number) for one in chosen)
    rows = sum(one.report.rows for one in chosen)
    made = f", which made {rows} {'row' if rows == 1 else 'rows'} already," if rows else ""
    return f"{'delivery' if len(chosen) == 1 else 'deliveries'} {numbers}{made}"


def _cells(delivery: DeliveryReport, now: datetime) -> list[str]:
    return [
        str(delivery.number), delivery.webhook, delivery.status, delivery.verdict, str(delivery.rows),
        str(delivery.came_again or ""), _size(delivery), ago(max(0.0, (now - delivery.at).total_seconds())),
        cell_text(_note(delivery)),
    ]  # fmt: skip


def _note(delivery: DeliveryReport) -> str:
    replayed = f"replay of {delivery.repeats}" if delivery.repeats else ""
    return "; ".join(filter(None, (replayed, delivery.reason)))


def _size(delivery: DeliveryReport) -> str:
    return f"{delivery.size} B" if delivery.whole else f"more than {delivery.size} B"


def _facts(delivery: DeliveryReport) -> dict[str, str]:
    facts = {
        "webhook": delivery.webhook,
        "at": delivery.at.astimezone().isoformat(sep=" ", timespec="seconds"),
        "status": delivery.status,
        "sender": delivery.verdict + (f" with {delivery.secret}" if delivery.secret else ""),
        "rows": _rows(delivery),
        "came again": str(delivery.came_again or "never"),
        "size": _size(delivery),
        "query": delivery.query,
        "note": _note(delivery),
    }
    return {name: value for name, value in facts.items() if value}


def _rows(delivery: DeliveryReport) -> str:
    if delivery.first is None:
        return "none"
    last = delivery.first + delivery.rows - 1
    return f"{delivery.rows} in table {quote(delivery.table or '')}, positions {delivery.first} to {last}"


def _body_data(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _body_text(body: bytes) -> str:
    """Give a body for a terminal: nothing in it moves the cursor."""
    text = body.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)
