"""Tables with a schema: what fits goes in, what does not is held with the reason, wherever it comes from."""

import json

import pytest

pytestmark = pytest.mark.postgres

ORDERS = {"table": "orders", "schema": {"id": "integer", "amount": "numeric", "at": "timestamptz"}}
GOOD = {"id": 1, "amount": "12.50", "at": "2024-05-06T07:08:09Z"}


def held(app):
    return app.patterns("held", "list", "--json").json


def test_a_script_that_writes_a_refused_row_has_its_record_held_at_once(shared_app):
    app = shared_app
    app.manifest(["copy.py"], stores=[ORDERS])
    app.write(
        copy="""
from patterns import Table
out = Table("orders", "w")
for event in Table("events").as_stream():
    out.append({"id": event["id"], "amount": event["amount"]})
"""
    )

    app.send([{"id": 1, "amount": 1}, {"id": "two", "amount": 2}, {"id": "3", "amount": "3.0"}], code=None)
    app.patterns("run", "--patience=5", code=None)

    assert [(row["id"], str(row["amount"])) for row in app.rows("orders")] == [(1, "1"), (3, "3.0")]
    (record,) = held(app)
    assert (record["node"], record["why"], record["attempts"]) == ("copy", "dead", 2)
    assert record["error"] == {
        "family": "node",
        "code": "row-refused",
        "message": 'Table "orders": column "id" is the text "two"; expected bigint',
        "hint": None,
        "where": "copy.py:5",
    }
    assert record["record"]["id"] == "two"


def test_a_held_record_goes_through_once_the_schema_takes_its_rows(shared_app):
    app = shared_app
    app.manifest(["copy.py"], stores=[{"table": "orders", "schema": {"id": "integer"}}])
    app.write(
        copy="""
from patterns import Table
out = Table("orders", "w")
for event in Table("events").as_stream():
    out.append({"id": event["id"]})
"""
    )
    app.send({"id": "one"}, code=None)
    (record,) = held(app)

    app.manifest(["copy.py"], stores=[{"table": "orders", "schema": {"id": "json"}}])
    app.patterns("held", "retry", str(record["number"]))
    app.run_to_the_end()

    assert held(app) == []
    assert app.sql("select count(*) from app_try.orders") == [(1,)]


def test_rows_of_a_request_that_do_not_fit_are_held_and_the_others_go_on(shared_app):
    app = shared_app
    app.manifest([], stores=[ORDERS], webhooks=[{"title": "Orders", "path": "/orders", "table": "orders"}])

    with app.dev() as dev:
        status, answer = dev.post(
            "/orders", [GOOD, GOOD | {"at": "2024-05-06 07:08"}, {"id": 1.5, "x": "ä\0"}]
        )

    assert (status, answer) == (
        200,
        {
            "ok": True,
            "rows": 1,
            "held": 2,
            "reasons": [
                'row 2: column "at" is the text "2024-05-06 07:08"; expected timestamptz',
                'row 3: column "id" is the number 1.5; expected bigint',
            ],
        },
    )
    assert [row["id"] for row in app.rows("orders")] == [1]
    first, second = held(app)
    assert (first["node"], first["table"], first["why"], first["position"]) == (
        "Orders",
        "orders",
        "refused",
        2,
    )
    assert first["error"]["hint"] == "write a moment with its offset: 2024-12-31T23:59:59Z"
    assert second["record"] == {"id": 1.5, "x": "ä\0"}
    ((status, reason, body),) = app.sql("select status, reason, body from patterns_os.deliveries")
    assert (status, reason) == ("accepted", "2 of 3 rows held: they do not fit the table")
    assert len(json.loads(body)) == 3


def test_a_refused_row_of_a_webhook_is_shown_and_let_in_when_the_schema_has_changed(shared_app):
    app = shared_app
    app.manifest(["copy.py"], stores=[{"table": "events", "schema": {"id": "integer"}}])
    app.write(
        copy="""
from patterns import Table
for event in Table("events").as_stream():
    Table("out", "w").append({"id": event["id"]})
"""
    )
    sent = app.send([{"id": 1}, {"id": "two"}])

    assert (
        'warning[row-refused] 1 row held, patterns held list:\n  row 2: column "id" is the text "two"'
        in sent.err
    )
    (record,) = held(app)
    number = str(record["number"])
    shown = app.patterns("held", "show", number).out
    assert "events, row 2 of delivery 1" in shown
    assert "refused after 1 try" in shown

    again = app.patterns("held", "retry", number, code=1)
    assert again.err == (
        f'error[row-refused] Record {number} still does not fit table "events": '
        'column "id" is the text "two"; expected bigint\n'
        "  hint: change the schema of the table, deploy it (patterns run), and try again\n"
    )
    assert held(app)[0]["attempts"] == 2

    app.manifest(["copy.py"], stores=[{"table": "events", "schema": {"id": "json"}}])
    app.patterns("run")
    taken = app.patterns("held", "retry", number)
    assert taken.out == f'Events: record {number} is in table "events"\n'
    assert held(app) == []
    app.patterns("run")
    assert app.sql("select count(*) from app_try.out") == [(2,)]
    app.patterns("held", "retry", number, code=2)


def test_rows_of_an_insert_that_do_not_fit_are_held_and_the_others_go_on(shared_app):
    app = shared_app
    app.manifest(["copy.sql"], stores=[ORDERS])
    app.write(
        copy__sql="""insert into {{ Table("orders", "w") }}
select i::text as id, i / 3.0::float8 as amount, "when" as at from {{ Table("events").new }} order by i desc"""
    )
    moment = "2024-05-06T07:08:09Z"

    app.send([{"i": 1.0, "when": moment}, {"i": 2.5, "when": moment}, {"i": 3.0, "when": moment}, {"i": 4.0}])

    assert [(row["id"], str(row["amount"])) for row in app.rows("orders")] == [
        (4, "1.3333333333333333"),
        (3, "1.0"),
        (1, "0.3333333333333333"),
    ]
    (record,) = held(app)
    assert (record["node"], record["why"], record["position"]) == ("copy", "refused", 3)
    assert record["error"]["message"] == 'column "id" is the text "2.5"; expected bigint'
    assert record["record"]["id"] == "2.5"


def test_a_replacing_select_with_a_row_that_does_not_fit_leaves_its_table_as_it_was(shared_app):
    app = shared_app
    app.manifest([{"file": "copy.sql", "outputs": {"output_table": "orders"}}], stores=[ORDERS])
    app.write(copy__sql="""select i as id, null::numeric as amount from {{ Table("events") }}""")
    app.send({"i": 1.0})

    failed = app.send([{"i": 2.0}, {"i": 2.5}], code=None)

    assert failed.code == 1
    assert (
        'error[row-refused] copy: 1 of 3 rows do not fit table "orders", and nothing was written: '
        'row 3: column "id" is the number 2.5; expected bigint'
    ) in failed.err
    assert [row["id"] for row in app.rows("orders")] == [1]
    assert held(app) == []


def test_a_statement_of_which_nothing_fits_is_not_held_row_by_row(shared_app):
    app = shared_app
    app.manifest(["copy.sql"], stores=[ORDERS])
    app.write(
        copy__sql="""insert into {{ Table("orders", "w") }}
select 'x' || i as id from {{ Table("events").new }}, generate_series(1, 200) n"""
    )

    failed = app.send({"i": 1}, code=None)

    assert "more than 100 of 200 rows do not fit" in failed.err
    assert held(app) == []
    assert app.rows("orders") == []


def test_a_rehearsal_refuses_what_a_run_refuses(shared_app):
    app = shared_app
    app.manifest(["make.py"], stores=[ORDERS])
    app.write(make='from patterns import Table\nTable("orders", "w").append([{"id": "1"}, {"id": "one"}])\n')

    refused = app.patterns("test", "make", "--json", code=1).json["error"]

    assert refused["code"] == "row-refused"
    assert refused["message"] == 'Table "orders": row 2: column "id" is the text "one"; expected bigint'
    assert refused["where"] == "make.py:2"


def test_the_schema_of_a_table_is_shown_as_declared_as_inferred_and_as_it_is(shared_app):
    app = shared_app
    app.manifest(["copy.sql"], stores=[ORDERS | {"unique_on": ["id"]}])
    app.write(
        copy__sql="""insert into {{ Table("orders", "w") }}
select 1::bigint as id, 2.5::numeric as amount, 'x' as note from {{ Table("events").new }}"""
    )

    before = app.patterns("table", "schema", "orders")
    assert "numeric" in before.out
    app.send({"i": 1})

    found = {
        column["name"]: column
        for column in app.patterns("table", "schema", "orders", "--json").json["columns"]
    }
    assert {name: (column["declared"], column["type"]) for name, column in found.items()} == {
        "id": ("bigint", "bigint"),
        "amount": ("numeric", "numeric"),
        "at": ("timestamptz", "timestamp with time zone"),
        "note": (None, "text"),
    }
    assert found["id"]["unique"] is True


def test_without_a_database_the_declared_and_inferred_columns_are_shown(app):
    app.manifest([], stores=[ORDERS])
    app.database = "postgresql://nobody@127.0.0.1:1/none"

    shown = app.patterns("table", "schema", "orders")

    assert "| id     | bigint      |          | \N{EN DASH}    |" in shown.out
    assert "what is real is not shown" in shown.err
    unknown = app.patterns("table", "schema", "ordres", code=2)
    assert 'No table has the name "ordres"; known tables: "events", "orders"' in unknown.err
