"""Questions about deliveries to their database."""

from collections.abc import Sequence

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.ports.deliveries import Received
from patterns_os.ports.delivery_reports import DeliveryReport


def list_deliveries(
    conninfo: str, app: int, *, webhook: str | None = None, failed: bool = False, limit: int = 20
) -> list[DeliveryReport]:
    """Give the newest deliveries, the newest last.

    Args:
        conninfo: Address of the database.
        app: The app's number.
        webhook: Only of this one.
        failed: Only those that were not accepted, or of which rows are held.
        limit: Deliveries at most.
    """
    condition = (
        "(%s::text is null or d.webhook = %s) and (not %s or d.status <> 'accepted' or d.reason is not null)"
    )
    return _found(conninfo, app, condition, (webhook, webhook, failed), limit)[::-1]


def read_delivery(conninfo: str, app: int, number: int) -> DeliveryReport:
    """Give one delivery.

    Raises:
        UsageError: There is none of that number (`unknown-delivery`).
    """
    found = _found(conninfo, app, "d.id = %s", (number,), 1)
    if not found:
        raise UsageError(
            f"No delivery has the number {number}",
            code="unknown-delivery",
            hint="patterns webhook deliveries",
        )
    return found[0]


def read_body(conninfo: str, app: int, number: int) -> bytes:
    """Give the bytes of a delivery as they came."""
    with connect(conninfo) as connection, translated():
        row = connection.execute(
            "select body from patterns_os.deliveries where app = %s and id = %s", (app, number)
        ).fetchone()
    return bytes(row["body"]) if row else b""


def read_received(conninfo: str, app: int, delivery: DeliveryReport) -> Received:
    """Give a delivery as it was received, to store its rows once more.

    Raises:
        UsageError: Its body was not kept whole (`delivery-cut`).
    """
    if not delivery.whole:
        raise UsageError(
            f"Of delivery {delivery.number} only the first {delivery.size} bytes are kept: {delivery.reason}",
            code="delivery-cut",
            hint=f"ask its sender to send it to {quote(delivery.webhook)} again",
        )
    return Received(
        body=read_body(conninfo, app, delivery.number),
        headers=delivery.headers,
        query=delivery.query,
        verdict="verified" if delivery.verdict == "verified" else "unchecked",
        secret=delivery.secret,
    )


def newest_replay(conninfo: str, app: int, number: int) -> int | None:
    """Give the number of the newest delivery that repeats this one."""
    with connect(conninfo) as connection, translated():
        row = connection.execute(
            "select max(id) as newest from patterns_os.deliveries where app = %s and id > %s and repeats = %s",
            (app, number, number),
        ).fetchone()
    return row["newest"] if row else None


def _found(
    conninfo: str, app: int, condition: str, parameters: Sequence[object], limit: int
) -> list[DeliveryReport]:
    with connect(conninfo) as connection, translated():
        rows = connection.execute(
            f"{_DELIVERIES} and {condition} order by d.id desc limit %s".encode(), (app, *parameters, limit)
        ).fetchall()
    return [DeliveryReport(**row) for row in rows]


_DELIVERIES = (
    "select d.id as number, d.webhook, d.status, d.reason, d.verdict, d.secret, d.at, "
    "coalesce((select sum(k.repeats) from patterns_os.delivery_keys k "
    "  where k.app = d.app and k.webhook = d.webhook and k.delivery = d.id and k.repeats > 0), 0)::int as came_again, "
    "d.repeats, t.name as table, case when d.last_position >= d.first_position then d.first_position end as first, "
    "coalesce(d.last_position - d.first_position + 1, 0)::int as rows, length(d.body) as size, d.whole, "
    "d.query, d.headers "
    "from patterns_os.deliveries d left join patterns_os.tables t on t.id = d.table_id where d.app = %s"
)
