"""Webhooks as a user meets them: signed test events, what was received, and rows made once more."""

import json

SECRETS = {"SLACK": "a", "TWILIO": "b", "LINEAR": "c", "STRIPE": "d", "OLD": "e", "BASIC": "user:password"}
HOOKS = [
    {"title": "Slack", "table": "slack", "verify": {"preset": "slack", "secret": "SLACK"}},
    {"title": "Calls", "table": "calls", "verify": {"preset": "twilio", "secret": "TWILIO"}},
    {"title": "Issues", "table": "issues", "verify": {"preset": "linear", "secret": "LINEAR"}},
    {
        "title": "Payments",
        "table": "payments",
        "verify": {"preset": "stripe", "secret": "STRIPE", "previous": ["OLD"]},
        "limits": {"body": "1KB"},
    },
    {"title": "Mine", "table": "mine", "verify": {"preset": "basic", "secret": "BASIC"}},
    {"title": "Open", "table": "open"},
]


def hooked(app):
    app.manifest(
        [], webhooks=HOOKS, stores=[{"table": "payments", "schema": {"id": "text", "amount": "bigint"}}]
    )
    app.variables.update(SECRETS)
    return app


def send_test(app, title, event):
    return app.patterns("webhook", "test", "--title", title, "--data", json.dumps(event))


def test_test_events_are_signed_as_the_providers_do_and_deliveries_are_told(shared_app):
    app = hooked(shared_app)
    with app.dev() as dev:
        for hook in HOOKS:
            send_test(app, hook["title"], {"id": "1", "amount": 5})
        assert app.column("calls", "amount") == ["5"]
        assert app.rows("issues")[0].keys() == {"id", "amount", "webhookTimestamp"}

        again = send_test(app, "Payments", {"id": "1", "amount": 6})
        assert again.err.startswith("warning[repeat] this delivery came before")
        assert app.rows("payments") == [{"id": "1", "amount": 5}]

        assert dev.post("/payments", {"id": "2"}) == (
            401,
            {"error": "signature", "message": 'header "Stripe-Signature" is missing'},
        )
        assert dev.post("/payments", b"x" * 1025)[0] == 413
        assert (
            dev.post("/open", b"a=1&b=%C3%A4", **{"Content-Type": "application/x-www-form-urlencoded"})[0]
            == 200
        )
        assert (
            dev.post("/open?token=x", b'{"a": "3"}\n{"a": "4"}', **{"Content-Type": "application/x-ndjson"})[
                0
            ]
            == 200
        )
        assert app.column("open", "a") == [None, "1", "3", "4"]

    listed = [json.loads(line) for line in app.patterns("webhook", "deliveries", "--json").out.splitlines()]
    deliveries = [one for line in listed for one in (line if isinstance(line, list) else [line])]
    assert [(one["webhook"], one["status"], one["verdict"]) for one in deliveries] == [
        ("Slack", "accepted", "verified"),
        ("Calls", "accepted", "verified"),
        ("Issues", "accepted", "verified"),
        ("Payments", "accepted", "verified"),
        ("Mine", "accepted", "verified"),
        ("Open", "accepted", "unchecked"),
        ("Payments", "refused", "refused"),
        ("Payments", "rejected", "unchecked"),
        ("Open", "accepted", "unchecked"),
        ("Open", "accepted", "unchecked"),
    ]
    paid, mine, cut = deliveries[3], deliveries[4], deliveries[7]
    assert (paid["secret"], paid["came_again"], cut["whole"]) == ("STRIPE", 1, False)
    assert "authorization" not in mine["headers"]
    assert deliveries[-1]["query"] == "token=***"

    failed = app.patterns("webhook", "deliveries", "Payments", "--failed").out
    assert "refused" in failed
    assert "Open" not in failed
    shown = app.patterns("webhook", "show", str(deliveries[8]["number"])).out
    assert "a=1&b=%C3%A4" in shown
    unknown = app.patterns("webhook", "show", "99", code=2)
    assert unknown.err == (
        "error[unknown-delivery] No delivery has the number 99\n  hint: patterns webhook deliveries\n"
    )


def test_a_rejected_delivery_makes_rows_once_the_app_can_read_it(shared_app):
    app = hooked(shared_app)
    send_test(app, "Payments", {"id": "1", "amount": 5})
    with app.dev() as dev:
        dev.post("/payments", {"id": "2"})

    asked = app.patterns("webhook", "replay", "1", code=2)
    assert asked.err == (
        "error[needs-yes] Nobody is there to answer: "
        "Store the rows of delivery 1, which made 1 row already, once more?\n  hint: add --yes\n"
    )
    refused = app.patterns("webhook", "replay", "2", "--yes", code=2)
    assert refused.err.startswith("error[sender-refused] The sender of delivery 2 was refused: ")

    done = app.patterns("webhook", "replay", "1", "2", "--yes", "--refused")
    assert done.out == (
        'Payments: delivery 1 is delivery 3 too, its rows are in table "payments"\n'
        'Payments: delivery 2 is delivery 4 too, its rows are in table "payments"\n'
    )
    assert app.rows("payments") == [{"id": "1", "amount": 5}] * 2 + [{"id": "2", "amount": None}]
    notes = app.sql("select repeats, verdict from patterns_os.deliveries order by id")
    assert notes == [(None, "verified"), (None, "refused"), (1, "verified"), (2, "unchecked")]
