"""Deliveries on a real database: stored once, whoever asks at the same time, and told afterwards."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from patterns_os.adapters.postgres import deliveries as adapter
from patterns_os.adapters.postgres.deliveries import PostgresDeliveries
from patterns_os.adapters.postgres.delivery_reports import (
    list_deliveries,
    newest_replay,
    read_body,
    read_delivery,
    read_received,
)
from patterns_os.adapters.postgres.reports import open_reports
from patterns_os.adapters.postgres.reset import delete_app
from patterns_os.control import ingest
from patterns_os.control.ingest import Answer, Ingest
from patterns_os.errors import UsageError
from patterns_os.plan.spec import Plan, PlannedTable, PlannedWebhook
from patterns_os.ports.deployments import Deployment
from patterns_os.triggers.signatures import sign

HOOK = PlannedWebhook(
    name="Orders", title="Orders", path="/orders", table="orders", dedupe={"header": "X-Delivery-Id"}
)
GITHUB = {"preset": "github", "secret": "NEW", "previous": ["OLD"]}


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    return deploy(
        Plan(app="try", tables=(PlannedTable(name="orders"),), webhooks=(HOOK,)),
    )


class Receiver:
    """An app's ingest, each time with connections of its own: what it knows is what the database knows."""

    def __init__(self, database: str, deployment: Deployment) -> None:
        self.database = database
        self.deployment = deployment
        self.table = deployment.tables["orders"]

    def together(
        self, *requests: tuple[bytes, dict[str, str]], hook=HOOK, processes=1, **options
    ) -> list[Answer]:
        """Give the answers to requests that come at the same time, to as many processes in turn."""

        async def scene():
            stores = [PostgresDeliveries(self.database, self.deployment.app) for _ in range(processes)]
            takers = [Ingest(store, **options) for store in stores]
            try:
                return await asyncio.gather(
                    *(
                        takers[number % processes].receive(hook, self.table, body, headers)
                        for number, (body, headers) in enumerate(requests)
                    )
                )
            finally:
                for store in stores:
                    await store.close()

        return asyncio.run(scene())

    def one(self, body: bytes, headers: dict[str, str] | None = None, **options) -> Answer:
        return self.together((body, headers or {}), **options)[0]

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        with closing(psycopg.connect(self.database, autocommit=True, row_factory=dict_row)) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def deliveries(self) -> list[dict[str, Any]]:
        return self.rows("select * from patterns_os.deliveries order by id")

    def table_rows(self, columns: str = "n") -> list[tuple]:
        found = self.rows(f"select {columns} from app_try.orders order by patterns_id")
        return [tuple(row.values()) for row in found]


@pytest.fixture
def receiver(database: str, deployment: Deployment) -> Receiver:
    return Receiver(database, deployment)


def same(number: int) -> tuple[bytes, dict[str, str]]:
    return b'{"n": %d}' % number, {"X-Delivery-Id": str(number)}


# -- what comes again


def test_a_delivery_that_comes_again_gets_the_first_answer_and_is_stored_once(receiver):
    first = receiver.one(b'[{"n": 1}, {"n": 2}]', {"X-Delivery-Id": "a"})
    again = receiver.one(b'{"n": 3}', {"x-delivery-id": "a"})

    assert first == Answer(status=200, body={"ok": True, "rows": 2})
    assert again == Answer(status=200, body={"ok": True, "rows": 2}, is_repeat=True)
    assert receiver.table_rows() == [(1,), (2,)]
    (stored,) = receiver.deliveries()
    assert receiver.rows("select delivery, repeats from patterns_os.delivery_keys") == [
        {"delivery": stored["id"], "repeats": 1}
    ]


def test_deliveries_that_come_twice_in_one_commit_are_stored_once_and_the_others_are_whole(receiver):
    answers = receiver.together(
        same(0), same(1), same(2), same(1), (b'[{"n": 3}, {"n": 4}]', {}), same(2), same(5)
    )

    assert [answer.body["rows"] for answer in answers] == [1, 1, 1, 1, 2, 1, 1]
    assert receiver.table_rows() == [(0,), (1,), (2,), (3,), (4,), (5,)]
    positions = [(row["first_position"], row["last_position"]) for row in receiver.deliveries()]
    assert positions == [(1, 1), (2, 2), (3, 3), (4, 5), (6, 6)]


def test_of_a_hundred_that_come_at_once_to_four_processes_each_is_stored_once(receiver):
    answers = receiver.together(*(same(number % 25) for number in range(100)), processes=4)

    assert {answer.status for answer in answers} == {200}
    assert sorted(receiver.table_rows()) == [(number,) for number in range(25)]
    assert len(receiver.deliveries()) == 25
    assert receiver.rows("select sum(repeats)::int as n from patterns_os.delivery_keys") == [{"n": 75}]


def test_without_an_id_nothing_is_the_same(receiver):
    receiver.together((b'{"n": 1}', {}), (b'{"n": 1}', {}))

    assert receiver.table_rows() == [(1,), (1,)]
    assert receiver.rows("select 1 from patterns_os.delivery_keys") == []


def test_an_id_is_forgotten_after_seven_days(receiver):
    receiver.one(*same(1))
    receiver.rows("update patterns_os.delivery_keys set at = at - interval '169 hours' returning 1")
    receiver.one(*same(1))
    receiver.one(*same(1))

    assert receiver.table_rows() == [(1,), (1,)]


def test_old_ids_are_collected(receiver):
    receiver.one(*same(1))
    receiver.one(*same(2))
    receiver.rows(
        "update patterns_os.delivery_keys set at = at - interval '169 hours' where delivery = 1 returning 1"
    )
    receiver.rows("select patterns_os.collect_v1(%s, 100)", receiver.deployment.app)

    assert receiver.rows("select delivery from patterns_os.delivery_keys") == [{"delivery": 2}]


def test_what_could_not_be_stored_is_no_repeat(receiver):
    key = {"X-Delivery-Id": "a"}
    assert receiver.one(b'{"n": ', key).status == 400
    assert receiver.one(b'{"n": 1}', key).status == 200

    assert receiver.table_rows() == [(1,)]


def test_another_webhook_may_have_the_same_id(receiver):
    receiver.one(*same(1))
    receiver.one(*same(1), hook=HOOK.model_copy(update={"name": "Other"}))

    assert receiver.table_rows() == [(1,), (1,)]


# -- what is kept of a delivery


def test_body_headers_query_and_verdict_are_stored_before_the_answer(receiver):
    hook = HOOK.model_copy(update={"verify": GITHUB})
    body = b'{"n":\t1}'
    headers = sign(GITHUB, "old", body, 0, "") | {"Authorization": "Bearer x", "X-GitHub-Delivery": "d"}

    async def scene():
        store = PostgresDeliveries(receiver.database, receiver.deployment.app)
        taken = Ingest(store, secret={"NEW": "new", "OLD": "old"}.get)
        try:
            return await taken.receive(hook, receiver.table, body, headers, "/orders?a=1&token=s3cret")
        finally:
            await store.close()

    assert asyncio.run(scene()).status == 200
    (stored,) = receiver.deliveries()
    assert stored["body"] == body
    assert set(stored["headers"]) == {"x-hub-signature-256", "x-github-delivery"}
    assert (stored["query"], stored["status"], stored["verdict"], stored["secret"]) == (
        "a=1&token=***",
        "accepted",
        "verified",
        "OLD",
    )


def test_a_refused_sender_is_seen_and_the_beginning_of_the_body_is_kept(receiver):
    hook = HOOK.model_copy(update={"verify": GITHUB})
    body = b'{"n": "' + b"x" * 100_000 + b'"}'

    answer = receiver.one(body, {"X-Hub-Signature-256": "sha256=00"}, hook=hook, secret=lambda _: "s")

    assert answer.status == 401
    (stored,) = receiver.deliveries()
    assert (stored["status"], stored["verdict"], stored["whole"]) == ("refused", "refused", False)
    assert stored["body"] == body[: adapter.MOST_REFUSED_BYTES]
    assert stored["reason"] == 'the signature in header "X-Hub-Signature-256" does not fit the body'
    assert receiver.table_rows("*") == []


def test_of_refused_senders_only_the_newest_are_kept(receiver, monkeypatch):
    monkeypatch.setattr(adapter, "MOST_REFUSED", 10)
    monkeypatch.setattr(ingest, "REFUSED_AT_ONCE", 1000)
    hook = HOOK.model_copy(update={"verify": GITHUB})

    receiver.one(b"{", {})
    receiver.together(*((b"%d" % n, {}) for n in range(200)), hook=hook, secret=lambda _: "s")

    kept = receiver.deliveries()
    assert kept[0]["status"] == "rejected"
    assert len(kept) <= 1 + 10 + 64
    assert kept[-1]["status"] == "refused"


def test_a_flood_of_refused_senders_is_answered_and_not_all_kept(receiver, monkeypatch):
    monkeypatch.setattr(ingest, "REFUSED_AT_ONCE", 5)
    monkeypatch.setattr(ingest, "REFUSED_A_SECOND", 0.001)
    hook = HOOK.model_copy(update={"verify": GITHUB})

    answers = receiver.together(*((b"{}", {}) for _ in range(50)), hook=hook, secret=lambda _: "s")

    assert {answer.status for answer in answers} == {401}
    assert len(receiver.deliveries()) == 5


# -- what bodies may hold


@pytest.mark.parametrize(
    ("body", "content_type", "rows"),
    [
        (b'{"a": 1}\n\n{"a": 2}\n', "application/x-ndjson", [{"a": 1}, {"a": 2}]),
        (b"a=1&b=x%20y&b=z", "application/x-www-form-urlencoded", [{"a": "1", "b": ["x y", "z"]}]),
        (b"a=%00b", "application/x-www-form-urlencoded", [{"a": "\0b"}]),
        (b'{"a": "\\u0000"}', "application/json", [{"a": "\0"}]),
        (
            b'--X\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n\x00\xff\r\n--X--',
            "multipart/form-data; boundary=X",
            [{"f": {"filename": "a.bin", "content_type": "text/plain", "size": 2, "base64": "AP8="}}],
        ),
    ],
)
def test_rows_of_all_kinds_of_bodies_come_back_as_they_were_sent(receiver, body, content_type, rows):
    assert receiver.one(body, {"content-type": content_type}) == Answer(
        status=200, body={"ok": True, "rows": len(rows)}
    )
    with open_reports(receiver.database, "try") as reports:
        shown = reports.rows(reports.table("orders"), limit=10)

    assert [dict(row.record) for row in shown.rows] == rows
    assert [row["body"] for row in receiver.deliveries()] == [body]


# -- what is told of them


def test_deliveries_are_told_the_newest_last(receiver):
    receiver.one(*same(1))
    receiver.one(*same(1))
    receiver.one(b"{", {"X-A": "b"})
    receiver.one(*same(2), hook=HOOK.model_copy(update={"name": "Other"}))
    address, app = receiver.database, receiver.deployment.app

    listed = list_deliveries(address, app)

    told = [(one.webhook, one.status, one.rows, one.first, one.came_again, one.table) for one in listed]
    assert told == [
        ("Orders", "accepted", 1, 1, 1, "orders"),
        ("Orders", "rejected", 0, None, 0, None),
        ("Other", "accepted", 1, 2, 0, "orders"),
    ]
    assert list_deliveries(address, app, limit=1) == listed[2:]
    assert list_deliveries(address, app, webhook="Other") == listed[2:]
    assert list_deliveries(address, app, failed=True) == listed[1:2]
    assert read_delivery(address, app, listed[1].number) == listed[1]
    assert read_body(address, app, listed[1].number) == b"{"
    with pytest.raises(UsageError, match="No delivery has the number 99"):
        read_delivery(address, app, 99)
    with pytest.raises(UsageError, match="No delivery has the number"):
        read_delivery(address, app + 1, listed[0].number)


def test_a_replay_is_a_delivery_of_its_own_that_names_the_first_one(receiver):
    receiver.one(b"a=1", {"X-Delivery-Id": "x", "content-type": "application/x-www-form-urlencoded"})
    address, app = receiver.database, receiver.deployment.app
    (first,) = list_deliveries(address, app)

    async def again():
        store = PostgresDeliveries(address, app)
        try:
            received = read_received(address, app, first)
            return await Ingest(store).again(HOOK, receiver.table, first.number, received)
        finally:
            await store.close()

    assert asyncio.run(again()) == Answer(status=200, body={"ok": True, "rows": 1})
    assert receiver.table_rows("a") == [("1",), ("1",)]
    second = list_deliveries(address, app)[-1]
    assert (second.repeats, second.first, second.headers) == (first.number, 2, first.headers)
    assert newest_replay(address, app, first.number) == second.number
    # The sender may still send it again: that is no replay.
    assert receiver.one(b"{}", {"X-Delivery-Id": "x"}).is_repeat


def test_what_was_cut_can_not_be_replayed(receiver):
    receiver.one(b'"' + b"x" * 50 + b'"', hook=HOOK.model_copy(update={"max_body_bytes": 10}))
    address, app = receiver.database, receiver.deployment.app
    (cut,) = list_deliveries(address, app)

    with pytest.raises(UsageError) as caught:
        read_received(address, app, cut)

    assert caught.value.code == "delivery-cut"
    assert caught.value.message == (
        f"Of delivery {cut.number} only the first 10 bytes are kept: the body is larger than 10 bytes"
    )


def test_all_of_it_goes_with_the_app(receiver):
    receiver.one(*same(1))
    delete_app(receiver.database, receiver.deployment.app)

    assert receiver.deliveries() == []
    assert receiver.rows("select 1 from patterns_os.delivery_keys") == []
