"""An app deployed on a fresh database, and hands to play launcher with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.plan.spec import Plan, PlannedInput, PlannedNode, PlannedOutput, PlannedTable
from patterns_os.ports.deployments import Deployment


def copying_plan(**changes: Any) -> Plan:
    """Give an app with one node that streams `src` and writes `dst`."""
    node = PlannedNode(
        name="copy",
        kind="python",
        file="copy.py",
        content="1",
        inputs=(PlannedInput(table="src", port="src", access="stream", triggering=True),),
        outputs=(PlannedOutput(table="dst", port="dst"),),
    )
    tables = (PlannedTable(name="dst"), PlannedTable(name="src"))
    return Plan(app="try", nodes=(node.model_copy(update=changes),), tables=tables)


@dataclass
class Hands:
    """A connection, and the protocol's functions as Python calls."""

    connection: psycopg.Connection[dict[str, Any]]
    deployment: Deployment

    def one(self, statement: str, *parameters: Any) -> Any:
        row = self.connection.execute(statement.encode(), parameters).fetchone()
        return next(iter(row.values())) if row else None

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        return self.connection.execute(statement.encode(), parameters).fetchall()

    def write(self, table: str, rows: list[dict[str, Any]], kind: str = "append", **columns: str) -> int:
        """Write rows as a webhook would; gives the watermark."""
        number = self.deployment.tables[table]
        if columns:
            self.one("select patterns_os.add_columns_v1(%s, %s)", number, Jsonb(columns))
        names = [column["name"] for column in self.one("select patterns_os.columns_v1(%s)", number)]
        with self.connection.transaction():
            self.rows("select 1 from patterns_os.tables where id = %s for no key update", number)
            return int(
                self.one(
                    "select last from patterns_os.write_block(%s, %s, %s, %s, null, null, null, null, null)",
                    number, kind, names, Jsonb(rows, dumps=orjson.dumps),
                )
            )  # fmt: skip

    def claim(self, launcher: str = "me") -> dict[str, Any] | None:
        found = self.rows(
            "select * from patterns_os.claim_v1(%s, %s, %s, 1)",
            self.deployment.app, self.deployment.version, launcher,
        )  # fmt: skip
        return found[0] if found else None

    def commit(
        self,
        claim: dict[str, Any],
        to: int | None = None,
        rows: list[dict[str, Any]] | None = None,
        **body: Any,
    ) -> Any:
        """Commit a claim: the range up to `to` (all of it by default), rows for `dst`."""
        inputs = [
            {
                "table": i["table"],
                "stream": i["stream"],
                "from": i["from"],
                "to": i["to"] if to is None else to,
            }
            for i in claim["inputs"]
            if i["access"] == "stream"
        ]
        outputs = []
        if rows:
            operation = {"kind": "append", "columns": sorted(rows[0]), "rows": rows}
            outputs = [{"table": self.deployment.tables["dst"], "operations": [operation]}]
        whole = {"inputs": inputs, "outputs": outputs, "end": True, **body}
        return self.one(
            "select patterns_os.commit_v1(%s, %s, %s)", claim["run"], claim["token"], Jsonb(whole)
        )

    def fail(self, claim: dict[str, Any], **lane: Any) -> None:
        decided = {
            "state": "idle",
            "delay_s": 0,
            "attempts": 0,
            "deaths": 0,
            "dead_in_row": 0,
            "narrow": None,
            **lane,
        }
        held = decided.pop("held", None)
        body = {"lane": decided, "held": held, "request": None, "error": {"code": "x"}}
        self.one("select patterns_os.fail_v1(%s, %s, %s)", claim["run"], claim["token"], Jsonb(body))


@pytest.fixture
def deploy(database: str) -> Callable[..., Deployment]:
    """Give a function that deploys a plan on the test's database."""
    passwords: dict[str, str] = {}

    def do(plan: Plan, **options: Any) -> Deployment:
        deployments = PostgresDeployments(database, passwords.setdefault)
        return deployments.deploy(plan, first_ticks={}, **options)

    return do


@pytest.fixture
def hands(database: str, deploy: Callable[..., Deployment]) -> Iterator[Hands]:
    """Give hands on the copying app, with the owner's rights."""
    deployment = deploy(copying_plan())
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        made = Hands(connection, deployment)
        made.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', deployment.tables["dst"])
        made.one('select patterns_os.add_columns_v1(%s, \'{"i": "bigint"}\')', deployment.tables["src"])
        yield made
