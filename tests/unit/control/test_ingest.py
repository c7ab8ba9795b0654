import asyncio
import json

import orjson
import pytest

from patterns_os.control import ingest
from patterns_os.control.bodies import DEEPEST, parse_payload
from patterns_os.control.ingest import MOST_TOGETHER, Answer, Ingest
from patterns_os.errors import PermanentError, TemporaryError
from patterns_os.plan.spec import PlannedTable, PlannedWebhook
from patterns_os.ports.deliveries import Received, Stored
from patterns_os.rows.errors import RowError
from patterns_os.triggers.signatures import sign

NOW = 1_700_000_000.0
TABLE = 7
SLACK = {"preset": "slack", "secret": "SIGNING"}
GITHUB = {"preset": "github", "secret": "SIGNING"}
TOKEN = {"preset": "token", "secret": "SIGNING", "header": "X-Gitlab-Token"}


class MemoryDeliveries:
    """Deliveries in lists. `bad` refuses a row; while `gate` is set, storing waits for it."""

    def __init__(self):
        self.batches = []
        self.rejected = []
        self.known = {}
        self.bad = lambda _row: False
        self.error = None
        self.gate = None

    async def store(self, webhook, table, received):
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        rows = [row for request in received for row in request.rows]
        if any(self.bad(row) for row in rows):
            raise RowError("a key is too long", code="row-key", hint="make it shorter")
        new, stored = [], []
        for request in received:
            before = self.known.get((webhook, request.key))
            if before is None:
                new.append(request)
            if before is None and request.key is not None:
                self.known[webhook, request.key] = request.answer
            stored.append(Stored(delivery=1, before=before))
        if new:
            self.batches.append((webhook, table, new))
        return stored

    async def reject(self, webhook, received, reason):
        if self.error is not None:
            raise self.error
        self.rejected.append((webhook, received, reason))

    @property
    def rows(self):
        return [row for _, _, batch in self.batches for request in batch for row in request.rows]


def hook(**changes):
    return PlannedWebhook(
        **{"name": "Orders", "title": "Orders", "path": "/orders", "table": "orders", **changes}
    )


def receive(deliveries, body, headers=None, *, webhook=None, **options):
    taken = Ingest(deliveries, **{"now_s": lambda: NOW, **options})
    return asyncio.run(taken.receive(webhook or hook(), TABLE, body, headers or {}))


def typed(name="orders", **columns):
    """Give a table whose columns are declared."""
    fields = [{"name": column, "type": kind} for column, kind in columns.items()]
    return PlannedTable(name=name, row_schema={"fields": fields})


def receive_typed(deliveries, body, tables, *, webhook=None):
    taken = Ingest(deliveries)
    taken.use(tables)
    return asyncio.run(taken.receive(webhook or hook(), TABLE, body, {}))


def refusal(status, code, message, retry_after_s=None):
    return Answer(status=status, body={"error": code, "message": message}, retry_after_s=retry_after_s)


# -- what is stored


def test_an_object_is_one_row_and_its_body_and_headers_are_kept():
    deliveries = MemoryDeliveries()

    answer = receive(deliveries, b'{"a": {"b": 1}}', {"X-Id": "1", "content-type": "application/json"})

    assert answer == Answer(status=200, body={"ok": True, "rows": 1})
    ((webhook, table, (stored,)),) = deliveries.batches
    assert (webhook, table, stored.body) == ("Orders", TABLE, b'{"a": {"b": 1}}')
    assert stored.headers == {"x-id": "1", "content-type": "application/json"}
    assert stored.rows == [{"a": {"b": 1}}]


def test_an_array_is_a_row_for_each_item_and_may_be_empty():
    deliveries = MemoryDeliveries()

    assert receive(deliveries, b'[{"a": 1}, {"a": 2}]').body == {"ok": True, "rows": 2}
    assert receive(deliveries, b"[]").body == {"ok": True, "rows": 0}
    assert deliveries.rows == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("payload", [1, "text", True, None, 1.5])
def test_what_is_no_object_becomes_the_column_record(payload):
    deliveries = MemoryDeliveries()
    receive(deliveries, orjson.dumps(payload))
    receive(deliveries, orjson.dumps([[payload]]))

    assert deliveries.rows == [{"record": payload}, {"record": [payload]}]


# -- tables with a schema


def test_rows_are_cast_as_their_table_declares_it():
    deliveries = MemoryDeliveries()

    answer = receive_typed(deliveries, b'[{"id": "1"}, {"id": 2, "x": 3}]', [typed(id="bigint")])

    assert answer == Answer(status=200, body={"ok": True, "rows": 2})
    assert deliveries.rows == [{"id": 1}, {"id": 2, "x": 3}]


def test_rows_that_do_not_fit_are_held_and_the_sender_is_told_that_all_is_safe():
    deliveries = MemoryDeliveries()

    answer = receive_typed(deliveries, b'[{"id": "one"}, {"id": 2}, {"id": 3.5}]', [typed(id="bigint")])

    reasons = [
        'row 1: column "id" is the text "one"; expected bigint',
        'row 3: column "id" is the number 3.5; expected bigint',
    ]
    assert answer == Answer(status=200, body={"ok": True, "rows": 1, "held": 2, "reasons": reasons})
    assert deliveries.rows == [{"id": 2}]
    ((_, _, (stored,)),) = deliveries.batches
    assert [(one.number, one.row) for one in stored.refused] == [(1, {"id": "one"}), (3, {"id": 3.5})]
    assert stored.body == b'[{"id": "one"}, {"id": 2}, {"id": 3.5}]'


def test_a_request_of_which_nothing_fits_is_stored_too():
    deliveries = MemoryDeliveries()

    answer = receive_typed(
        deliveries, b'[{"id": "x"}, {"id": "x"}, {"id": "x"}, {"id": "x"}]', [typed(id="bigint")]
    )

    assert (answer.status, answer.body["rows"], answer.body["held"]) == (200, 0, 4)
    assert len(answer.body["reasons"]) == 3
    assert len(deliveries.batches) == 1


def test_an_answer_of_the_webhooks_own_is_given_with_held_rows_too():
    webhook = hook(respond={"status": 202, "body": "thanks"})

    answer = receive_typed(MemoryDeliveries(), b'{"id": "x"}', [typed(id="bigint")], webhook=webhook)

    assert answer == Answer(status=202, body="thanks")


def test_what_is_deployed_later_casts_later_rows():
    async def two():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries)
        taken.use([typed(id="bigint"), typed("others", id="bool")])
        await taken.receive(hook(), TABLE, b'{"id": "1"}', {})
        taken.use([PlannedTable(name="orders")])
        await taken.receive(hook(), TABLE, b'{"id": "1"}', {})
        return deliveries.rows

    assert asyncio.run(two()) == [{"id": 1}, {"id": "1"}]


def test_credentials_are_not_kept():
    deliveries = MemoryDeliveries()
    headers = {
        "Authorization": "x",
        "COOKIE": "x",
        "x-api-key": "x",
        "proxy-authorization": "x",
        "accept": "y",
    }
    receive(deliveries, b"{}", headers)

    assert deliveries.batches[0][2][0].headers == {"accept": "y"}


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 1234567890123456789, -1234567890123456789]
)
def test_whole_numbers_are_exact(number):
    assert parse_payload(b'{"n": %d, "nested": [%d]}' % (number, number)) == {"n": number, "nested": [number]}


def test_a_long_number_in_a_text_changes_nothing():
    assert parse_payload(b'{"n": "12345678901234567890", "x": 0.5}') == {
        "n": "12345678901234567890",
        "x": 0.5,
    }


# -- what is answered


def test_the_answer_is_what_the_webhook_declares():
    declared = {"status": 202, "body": {"text": "thanks"}, "headers": {"X-A": "b"}}

    answer = receive(MemoryDeliveries(), b"{}", webhook=hook(respond=declared))

    assert answer == Answer(status=202, body={"text": "thanks"}, headers={"X-A": "b"})


def test_a_declared_answer_may_be_a_text_or_nothing():
    assert receive(MemoryDeliveries(), b"{}", webhook=hook(respond={"status": 200, "body": "ok"})) == Answer(
        status=200, body="ok"
    )
    assert receive(MemoryDeliveries(), b"{}", webhook=hook(respond={"status": 204})) == Answer(status=204)


def test_a_refused_request_does_not_get_the_declared_answer():
    answer = receive(MemoryDeliveries(), b"", webhook=hook(respond={"status": 204}))

    assert answer == refusal(400, "rejected", "the body is empty, expected JSON")


# -- what is refused


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty, expected JSON"),
        (b" \n", "the body is empty, expected JSON"),
        (b"{", "the body is not JSON: unexpected end of data: line 1 column 2 (char 1)"),
        (
            b'{"n": 12345678901234567890, "x": NaN}',
            "the body is not JSON: NaN is not a JSON number",
        ),
        (
            b'{"n": 12345678901234567890, "x": 1e999}',
            "the body is not JSON: 1e999 is too large for a number",
        ),
        (b"[" * 101 + b"]" * 101, "the body is nested deeper than 100"),
    ],
)
def test_what_is_no_json_is_kept_as_rejected(body, reason):
    deliveries = MemoryDeliveries()

    assert receive(deliveries, body, {"x-id": "1"}) == refusal(400, "rejected", reason)
    assert deliveries.batches == []
    ((webhook, kept, said),) = deliveries.rejected
    assert (webhook, kept.body, kept.headers, kept.rows, said) == ("Orders", body, {"x-id": "1"}, (), reason)


@pytest.mark.parametrize(
    "body",
    [b"nonsense", b'{"a": NaN}', b'"\xff"', b"\xff12345678901234567890", b"[" * 100_000, b"{} {}", b"\0"],
)
def test_nothing_raises_whatever_the_bytes(body):
    deliveries = MemoryDeliveries()

    assert receive(deliveries, body).status == 400
    assert len(deliveries.rejected) == 1


def test_depth_is_counted_and_width_is_not():
    assert parse_payload(b"[" * DEEPEST + b"]" * DEEPEST) is not None
    assert len(parse_payload(b"[" + b"[],{}," * 1000 + b"[]]")) == 2001


def test_the_start_of_a_body_over_the_limit_is_kept():
    deliveries = MemoryDeliveries()

    answer = receive(deliveries, b"abcd", {"Cookie": "x", "X-Id": "1"}, webhook=hook(max_body_bytes=3))

    assert answer == refusal(413, "rejected", "the body is larger than 3 bytes")
    ((_, kept, reason),) = deliveries.rejected
    assert (kept.body, kept.headers, reason) == (b"abc", {"x-id": "1"}, "the body is larger than 3 bytes")


def test_a_row_that_no_table_can_hold_is_kept_as_rejected():
    deliveries = MemoryDeliveries()
    deliveries.bad = lambda row: "bad" in row

    assert receive(deliveries, b'{"bad": 1}') == refusal(422, "rejected", "a key is too long")
    ((_, kept, reason),) = deliveries.rejected
    assert (kept.body, kept.rows, reason) == (b'{"bad": 1}', (), "a key is too long")


def test_a_database_that_does_not_answer_gives_503_and_nothing_is_acknowledged():
    deliveries = MemoryDeliveries()
    deliveries.error = TemporaryError("Postgres does not answer", code="storage-unreachable")
    expected = refusal(503, "storage-unreachable", "Postgres does not answer", retry_after_s=2)

    assert receive(deliveries, b"{}") == expected
    assert receive(deliveries, b"{") == expected


def test_a_full_disk_gives_507_and_stores_nothing():
    deliveries = MemoryDeliveries()
    taken = Ingest(deliveries, disk_is_full=lambda: True)
    expected = refusal(507, "disk-full", "less than 200 MB of disk are left")

    assert asyncio.run(taken.receive(hook(), TABLE, b"{}", {})) == expected
    assert asyncio.run(taken.receive(hook(), TABLE, b"{", {})) == expected
    assert (deliveries.batches, deliveries.rejected) == ([], [])


# -- many at once


def test_requests_that_wait_share_a_commit_and_all_are_answered():
    async def scene():
        deliveries = MemoryDeliveries()
        told = []
        taken = Ingest(deliveries, lambda: told.append(len(deliveries.batches)))
        deliveries.gate = asyncio.Event()
        first = asyncio.create_task(taken.receive(hook(), TABLE, b'{"n": -1}', {}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [
            asyncio.create_task(taken.receive(hook(), TABLE, b'{"n": %d}' % n, {}))
            for n in range(MOST_TOGETHER + 10)
        ]
        await asyncio.sleep(0)
        deliveries.gate.set()
        answers = await asyncio.gather(first, *others)
        return deliveries, told, answers

    deliveries, told, answers = asyncio.run(scene())

    assert [len(batch) for _, _, batch in deliveries.batches] == [1, MOST_TOGETHER, 10]
    assert [row["n"] for row in deliveries.rows] == list(range(-1, MOST_TOGETHER + 10))
    assert {answer.status for answer in answers} == {200}
    assert told == [1, 2, 3]


def test_large_requests_share_a_commit_as_far_as_memory_goes(monkeypatch):
    monkeypatch.setattr(ingest, "MOST_TOGETHER_BYTES", 25)

    async def scene():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries)
        bodies = [b"1" * 10, b"2" * 10, b"3" * 10, b"4" * 40, b"5"]
        answers = await asyncio.gather(*(taken.receive(hook(), TABLE, body, {}) for body in bodies))
        return deliveries, answers

    deliveries, answers = asyncio.run(scene())

    assert [len(batch) for _, _, batch in deliveries.batches] == [2, 1, 1, 1]
    assert {answer.status for answer in answers} == {200}


def test_one_bad_request_of_many_spoils_no_other():
    async def scene():
        deliveries = MemoryDeliveries()
        deliveries.bad = lambda row: row["n"] == 2
        taken = Ingest(deliveries)
        answers = await asyncio.gather(
            *(taken.receive(hook(), TABLE, b'{"n": %d}' % n, {}) for n in range(5))
        )
        return deliveries, answers

    deliveries, answers = asyncio.run(scene())

    assert [answer.status for answer in answers] == [200, 200, 422, 200, 200]
    assert [row["n"] for row in deliveries.rows] == [0, 1, 3, 4]
    assert [kept.body for _, kept, _ in deliveries.rejected] == [b'{"n": 2}']


def test_webhooks_do_not_share_a_commit():
    async def scene():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries)
        await asyncio.gather(
            taken.receive(hook(), TABLE, b"{}", {}), taken.receive(hook(name="Others"), 8, b"{}", {})
        )
        return deliveries

    assert [(name, table) for name, table, _ in asyncio.run(scene()).batches] == [
        ("Orders", 7),
        ("Others", 8),
    ]


def test_a_failed_commit_is_told_to_each_sender_and_the_next_one_works():
    async def scene():
        deliveries = MemoryDeliveries()
        deliveries.error = TemporaryError("gone", code="storage-unreachable")
        taken = Ingest(deliveries)
        failed = await asyncio.gather(*(taken.receive(hook(), TABLE, b"{}", {}) for _ in range(3)))
        deliveries.error = None
        return failed, await taken.receive(hook(), TABLE, b"{}", {})

    failed, later = asyncio.run(scene())

    assert [answer.status for answer in failed] == [503, 503, 503]
    assert later.status == 200


@pytest.mark.parametrize("limit", ["MOST_WAITING", "MOST_WAITING_BYTES"])
def test_too_many_waiting_requests_give_429_until_there_is_room(limit, monkeypatch):
    monkeypatch.setattr(ingest, limit, 2)

    async def scene():
        deliveries = MemoryDeliveries()
        deliveries.gate = asyncio.Event()
        taken = Ingest(deliveries)
        waiting = [asyncio.create_task(taken.receive(hook(), TABLE, b"1", {})) for _ in range(2)]
        await asyncio.sleep(0)
        refused = [
            await taken.receive(hook(), TABLE, b"1", {}),
            await taken.receive(hook(), TABLE, b"{", {}),
        ]
        deliveries.gate.set()
        answers = await asyncio.gather(*waiting)
        return refused, answers, await taken.receive(hook(), TABLE, b"1", {}), deliveries

    refused, answers, later, deliveries = asyncio.run(scene())

    assert refused == [refusal(429, "busy", "too many requests are waiting", retry_after_s=1)] * 2
    assert [answer.status for answer in [*answers, later]] == [200, 200, 200]
    assert deliveries.rejected == []


# -- who sends


def test_a_signed_request_is_stored():
    deliveries = MemoryDeliveries()
    headers = sign(SLACK, "shh", b'{"a": 1}', NOW, "d")

    answer = receive(
        deliveries, b'{"a": 1}', headers, webhook=hook(verify=SLACK), secret={"SIGNING": "shh"}.get
    )

    assert answer.status == 200
    assert deliveries.rows == [{"a": 1}]


@pytest.mark.parametrize(
    ("headers", "now_s", "reason"),
    [
        ({}, NOW, 'header "X-Slack-Signature" is missing'),
        (
            sign(SLACK, "other", b"{}", NOW, "d"),
            NOW,
            'the signature in header "X-Slack-Signature" does not fit the body',
        ),
        (
            sign(SLACK, "shh", b"{}", NOW, "d"),
            NOW + 400,
            "the signed time is too old: 400 seconds off, 300 are tolerated",
        ),
    ],
)
def test_a_wrong_signature_gives_401_and_the_body_is_kept(headers, now_s, reason):
    deliveries = MemoryDeliveries()

    answer = receive(
        deliveries,
        b"{}",
        headers,
        webhook=hook(verify=SLACK),
        secret={"SIGNING": "shh"}.get,
        now_s=lambda: now_s,
    )

    assert answer == refusal(401, "signature", reason)
    assert deliveries.batches == []
    assert [(kept.body, said) for _, kept, said in deliveries.rejected] == [(b"{}", reason)]


def test_the_signature_is_looked_at_before_the_content():
    answer = receive(
        MemoryDeliveries(), b"no json", webhook=hook(verify=SLACK), secret={"SIGNING": "shh"}.get
    )

    assert answer.status == 401


def test_a_secret_that_is_not_set_gives_503_and_the_body_is_kept():
    deliveries = MemoryDeliveries()
    reason = 'the secret "SIGNING", which signatures are checked with, is not set'

    answer = receive(deliveries, b"{}", sign(SLACK, "shh", b"{}", NOW, "d"), webhook=hook(verify=SLACK))

    assert answer == refusal(503, "secret-missing", reason)
    assert [(kept.body, said) for _, kept, said in deliveries.rejected] == [(b"{}", reason)]


def test_a_secret_that_cannot_be_read_gives_503():
    def unreadable(name):
        raise PermanentError(f"{name} does not decrypt", code="secret-file")

    answer = receive(MemoryDeliveries(), b"{}", webhook=hook(verify=SLACK), secret=unreadable)

    assert answer == refusal(
        503,
        "secret-file",
        'the secret "SIGNING", which signatures are checked with, can\'t be read: SIGNING does not decrypt',
    )


def test_a_token_is_not_kept():
    deliveries = MemoryDeliveries()
    headers = {"x-gitlab-token": "shh", "x-id": "1"}
    receive(deliveries, b"{}", headers, webhook=hook(verify=TOKEN), secret={"SIGNING": "shh"}.get)
    receive(deliveries, b"{}", headers, webhook=hook(verify=TOKEN), secret={"SIGNING": "another"}.get)

    assert deliveries.batches[0][2][0].headers == {"x-id": "1"}
    assert deliveries.rejected[0][1].headers == {"x-id": "1"}


def test_slacks_challenge_is_answered_after_the_signature_and_not_stored():
    deliveries = MemoryDeliveries()
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    options = {"webhook": hook(verify=SLACK), "secret": {"SIGNING": "shh"}.get}

    assert receive(deliveries, body, sign(SLACK, "shh", body, NOW, "d"), **options) == Answer(
        status=200, body={"challenge": "abc"}
    )
    assert (deliveries.batches, deliveries.rejected) == ([], [])
    assert receive(deliveries, body, sign(SLACK, "wrong", body, NOW, "d"), **options).status == 401


def test_a_challenge_to_another_webhook_is_a_row_like_any_other():
    deliveries = MemoryDeliveries()
    receive(deliveries, b'{"type": "url_verification", "challenge": "abc"}')

    assert deliveries.rows == [{"type": "url_verification", "challenge": "abc"}]


# -- greetings of providers


def test_githubs_ping_is_answered_after_the_signature_and_makes_no_row():
    deliveries = MemoryDeliveries()
    body = b'{"zen": "Keep it logically awesome.", "hook_id": 1}'
    options = {"webhook": hook(verify=GITHUB), "secret": {"SIGNING": "shh"}.get}
    ping = {"X-GitHub-Event": "ping"}

    answer = receive(deliveries, body, {**ping, **sign(GITHUB, "shh", body, NOW, "")}, **options)

    assert answer == Answer(status=200, body={"ok": True, "rows": 0})
    assert receive(deliveries, body, {**ping, **sign(GITHUB, "x", body, NOW, "")}, **options).status == 401
    assert deliveries.batches == []


# -- secrets that change


@pytest.mark.parametrize(
    ("secrets", "status", "used"),
    [
        ({"NEW": "shh", "OLD": "x"}, 200, "NEW"),
        ({"NEW": "x", "OLD": "shh"}, 200, "OLD"),
        ({"OLD": "shh"}, 200, "OLD"),
        ({"NEW": "x", "OLD": "x"}, 401, None),
        ({"NEW": "x"}, 401, None),
        ({}, 503, None),
    ],
)
def test_the_current_secret_and_the_previous_ones_are_good(secrets, status, used):
    deliveries = MemoryDeliveries()
    verify = {**GITHUB, "secret": "NEW", "previous": ["OLD"]}

    answer = receive(
        deliveries,
        b"{}",
        sign(verify, "shh", b"{}", NOW, ""),
        webhook=hook(verify=verify),
        secret=secrets.get,
    )

    assert answer.status == status
    assert [one.secret for _, _, batch in deliveries.batches for one in batch] == ([used] if used else [])


# -- what comes again


def test_a_delivery_that_came_before_is_answered_as_it_was_then():
    async def scene():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries)
        webhook = hook(
            dedupe={"pointer": "/id"}, respond={"status": 202, "body": "first", "headers": {"x": "y"}}
        )
        first = await taken.receive(webhook, TABLE, b'{"id": 1}', {})
        later = webhook.model_copy(update={"respond": {"status": 200, "body": "second"}})
        return deliveries, first, await taken.receive(later, TABLE, b'{"id": 1, "more": 2}', {})

    deliveries, first, again = asyncio.run(scene())

    assert first == Answer(status=202, body="first", headers={"x": "y"})
    assert again == Answer(status=202, body="first", headers={"x": "y"}, is_repeat=True)
    assert deliveries.rows == [{"id": 1}]


def test_the_id_is_looked_at_after_the_signature():
    deliveries = MemoryDeliveries()
    webhook = hook(verify=GITHUB)
    options = {"webhook": webhook, "secret": {"SIGNING": "shh"}.get}
    headers = {"X-GitHub-Delivery": "1"}

    assert receive(deliveries, b"{}", headers, **options).status == 401
    assert not receive(
        deliveries, b"{}", {**headers, **sign(GITHUB, "shh", b"{}", NOW, "")}, **options
    ).is_repeat
    assert receive(deliveries, b"{}", {**headers, **sign(GITHUB, "shh", b"{}", NOW, "")}, **options).is_repeat


# -- what is kept of the address


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("a=1&b=%20", "a=1&b=%20"),
        ("a=1&token=x&API_KEY=y&%74oken=z", "a=1&token=***&API_KEY=***&%74oken=***"),
        ("flag&password", "flag&password=***"),
    ],
)
def test_the_query_is_kept_without_credentials(query, kept):
    deliveries = MemoryDeliveries()
    asyncio.run(Ingest(deliveries).receive(hook(), TABLE, b"{}", {}, f"/orders?{query}"))

    assert deliveries.batches[0][2][0].query == kept


# -- rates and room


def test_more_requests_than_the_rate_are_told_when_to_come_again():
    clock = [0.0]

    async def scene():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries, clock_s=lambda: clock[0])
        limited, other = hook(rate="2/m"), hook(name="Other")
        answers = [await taken.receive(limited, TABLE, b"{}", {}) for _ in range(3)]
        answers.append(await taken.receive(other, TABLE, b"{}", {}))
        clock[0] = 30.0
        answers += [await taken.receive(limited, TABLE, b"{}", {}) for _ in range(2)]
        # Another rate counts from the beginning.
        answers.append(await taken.receive(hook(rate="1/s"), TABLE, b"{}", {}))
        return deliveries, answers

    deliveries, answers = asyncio.run(scene())

    assert [answer.status for answer in answers] == [200, 200, 429, 200, 200, 429, 200]
    assert answers[2] == refusal(429, "rate", "more than 2/m requests come", retry_after_s=30)
    assert deliveries.rejected == []


class Body:
    """A body that comes in parts, and counts how many were asked for."""

    def __init__(self, part, parts=1):
        self.read = 0
        self._part = part
        self._parts = parts

    async def __aiter__(self):
        for _ in range(self._parts):
            self.read += 1
            yield self._part


def test_bodies_that_there_is_no_room_for_are_not_read(monkeypatch):
    monkeypatch.setattr(ingest, "MOST_WAITING_BYTES", 100)

    async def scene():
        deliveries = MemoryDeliveries()
        deliveries.gate = asyncio.Event()
        taken = Ingest(deliveries)
        first = asyncio.create_task(taken.receive(hook(), TABLE, b'"' + b"x" * 90 + b'"', {}))
        await asyncio.sleep(0)
        growing, late = Body(b" " * 50, 1000), Body(b" " * 50, 1000)
        answers = [
            await taken.receive_parts(hook(), TABLE, growing, {}, "/orders"),
        ]
        later = asyncio.create_task(taken.receive(hook(), TABLE, b"1" * 10, {}))
        await asyncio.sleep(0)
        answers.append(await taken.receive_parts(hook(), TABLE, late, {}, "/orders"))
        deliveries.gate.set()
        stored = await asyncio.gather(first, later)
        return growing.read, late.read, answers, stored

    growing, late, answers, stored = asyncio.run(scene())

    assert (growing, late) == (2, 0)
    assert answers == [refusal(429, "busy", "too many requests are waiting", retry_after_s=1)] * 2
    assert [answer.status for answer in stored] == [200, 200]


def test_what_lies_beyond_the_limit_of_a_body_is_never_read():
    deliveries = MemoryDeliveries()
    body = Body(b" " * 10, 1000)

    answer = asyncio.run(
        Ingest(deliveries).receive_parts(hook(max_body_bytes=25), TABLE, body, {}, "/orders")
    )

    assert (answer.status, body.read) == (413, 3)
    ((_, kept, _),) = deliveries.rejected
    assert (len(kept.body), kept.whole, kept.verdict) == (25, False, "unchecked")


def test_a_thousand_large_bodies_at_once_take_no_more_memory_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(ingest, "MOST_WAITING_BYTES", 8 * 1024 * 1024)

    async def scene():
        deliveries = MemoryDeliveries()
        deliveries.gate = asyncio.Event()
        taken = Ingest(deliveries)
        large = b'"' + b"x" * 1024 * 1024 + b'"'
        loads = [Body(large) for _ in range(1000)]
        tasks = [
            asyncio.create_task(taken.receive_parts(hook(max_body_bytes=2**21), TABLE, load, {}, "/orders"))
            for load in loads
        ]
        await asyncio.sleep(0.1)
        read = sum(load.read for load in loads)
        deliveries.gate.set()
        return read, [answer.status for answer in await asyncio.gather(*tasks)]

    read, statuses = asyncio.run(scene())

    assert read <= 9
    assert {status: statuses.count(status) for status in set(statuses)} == {200: read, 429: 1000 - read}


# -- replays


def test_a_replay_asks_for_no_signature_and_no_new_id():
    async def scene():
        deliveries = MemoryDeliveries()
        taken = Ingest(deliveries)
        webhook = hook(verify=GITHUB, dedupe="body")
        before = Received(
            body=b"a=1", headers={"content-type": "application/x-www-form-urlencoded"}, verdict="verified"
        )
        return deliveries, [await taken.again(webhook, TABLE, 7, before) for _ in range(2)]

    deliveries, answers = asyncio.run(scene())

    assert answers == [Answer(status=200, body={"ok": True, "rows": 1})] * 2
    assert deliveries.rows == [{"a": "1"}, {"a": "1"}]
    assert [one.repeats for _, _, batch in deliveries.batches for one in batch] == [7, 7]


def test_a_replay_of_what_still_can_not_be_read_is_rejected_again():
    deliveries = MemoryDeliveries()

    answer = asyncio.run(Ingest(deliveries).again(hook(), TABLE, 7, Received(body=b"{")))

    assert answer.status == 400
    ((_, kept, _),) = deliveries.rejected
    assert kept.repeats == 7
