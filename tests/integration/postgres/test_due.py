"""What is due is decided twice, by the claim in the database and by a pure function: they always agree."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.reports import PostgresReports
from patterns_os.triggers.due import explain, is_due

pytestmark = pytest.mark.postgres

TABLES = ("t0", "t1", "t2")
small = st.integers(0, 3)
hours = st.sampled_from([-1, 1])

inputs = st.fixed_dictionaries(
    {
        "access": st.sampled_from(["stream", "read"]),
        "triggering": st.booleans(),
        "active": st.booleans(),
        "cursor": small,
        "seen": small,
        "moved": st.booleans(),
        "watermark": small,
    }
)
lanes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(
            ["idle", "idle", "idle", "running", "backoff", "failing", "paused", "stopped"]
        ),
        "run": st.sampled_from([None, None, None, 7]),
        "not_before": st.none() | hours,
        "narrow": st.sampled_from([None, None, {"table": 1, "stream": "", "alone": 2}]),
    }
)
requests = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["manual", "cron", "again"]),
        "state": st.sampled_from(["pending", "pending", "running", "done", "failed"]),
        "due": hours,
    }
)
nodes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["python", "python", "python", "sql", "webhook"]),
        "when": st.sampled_from(["any", "all"]),
        "retired": st.sampled_from([False, False, False, True]),
        "lane": lanes,
        "inputs": st.lists(inputs, max_size=3),
        "requests": st.lists(requests, max_size=2),
    }
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=nodes)
def test_the_pure_function_says_what_the_claim_does(hands: Any, node: dict[str, Any]) -> None:
    lay(hands, node)
    reports = PostgresReports(
        hands.connection, app=hands.deployment.app, schema="app_try", role=None, plan=None
    )

    facts = reports.node_facts("copy")
    claimed = claims(hands)

    assert is_due(facts) == claimed
    told = explain(facts)
    assert told.due == claimed
    assert (told.state == "due") == claimed


def lay(hands: Any, node: dict[str, Any]) -> None:
    """Put the node into the database as drawn."""
    number, app = hands.deployment.nodes["copy"], hands.deployment.app
    lane = node["lane"]
    with hands.connection.transaction():
        for table in ("requests", "inputs"):
            hands.rows(f"with gone as (delete from patterns_os.{table} where node = %s) select 1", number)
        hands.connection.execute("delete from patterns_os.commits")
        for name, drawn in zip(TABLES, node["inputs"], strict=False):
            table = hands.one("select patterns_os.create_table_v1(%s, %s)", app, name)
            lay_input(hands.connection, number, table, drawn)
        for count, drawn in enumerate(node["requests"]):
            hands.connection.execute(
                "insert into patterns_os.requests (app, node, kind, key, state, due_at) "
                "values (%s, %s, %s, %s, %s, clock_timestamp() + make_interval(hours => %s))",
                (app, number, drawn["kind"], f"k{count}", drawn["state"], drawn["due"]),
            )
        hands.connection.execute(
            "update patterns_os.nodes set kind = %s, trigger_when = %s, "
            "retired_at = case when %s then clock_timestamp() end where id = %s",
            (node["kind"], node["when"], node["retired"], number),
        )
        hands.connection.execute(
            "update patterns_os.lanes set state = %s, run = %s, narrow = %s, "
            "not_before = clock_timestamp() + make_interval(hours => %s) where node = %s",
            (
                lane["state"],
                lane["run"],
                Jsonb(lane["narrow"]) if lane["narrow"] else None,
                lane["not_before"],
                number,
            ),
        )


def lay_input(
    connection: psycopg.Connection[dict[str, Any]], node: int, table: int, drawn: dict[str, Any]
) -> None:
    connection.execute(
        "insert into patterns_os.inputs (node, table_id, access, triggering, active, cursor, seen, moved) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (node, table, *(drawn[key] for key in ("access", "triggering", "active", "cursor", "seen", "moved"))),
    )
    if drawn["watermark"]:
        connection.execute(
            "insert into patterns_os.commits (table_id, last, n, base, version, kind) "
            "values (%s, %s, %s, 0, 1, 'append')",
            (table, drawn["watermark"], drawn["watermark"]),
        )


def claims(hands: Any) -> bool:
    """Tell whether a launcher gets a run of the node; takes it back."""
    with hands.connection.transaction(force_rollback=True):
        return hands.claim() is not None
