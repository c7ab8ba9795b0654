"""Rows that were held because their table refused them, let in once they fit."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
import psycopg
from psycopg import errors as pg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.adapters.postgres.wakeups import notify
from patterns_os.errors import NodeError, UsageError
from patterns_os.plan.spec import Plan
from patterns_os.ports.reports import HeldReport
from patterns_os.rows.casting import compile_casts
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.columns import infer_column_types
from patterns_os.rows.errors import RowError
from patterns_os.rows.schema import schema_from_data
from patterns_os.rows.types import ColumnType, parse_type


def take_refused(conninfo: str, app: int, plan: Plan, held: HeldReport) -> None:
    """Write a refused row to the end of its table, as the deployed plan declares it by now, and let it go.

    Raises:
        NodeError: It still does not fit (`row-refused`); the held row tells the newer reason.
        UsageError: It is not held any more (`unknown-held`).
    """
    with connect(conninfo) as connection, translated():
        try:
            row = _cast(plan, held)
            written = _write(connection, app, held, row)
        except RowError as error:
            _note(connection, held.number, error)
            raise NodeError(
                f'Record {held.number} still does not fit table "{held.table}": {error.message}',
                code=error.code,
                hint=error.hint or "change the schema of the table, deploy it (patterns run), and try again",
            ) from error
    if not written:
        raise UsageError(
            f"No held record has the number {held.number}", code="unknown-held", hint="patterns held list"
        )
    notify(conninfo, app)


def _cast(plan: Plan, held: HeldReport) -> Mapping[str, Any]:
    planned = next((table for table in plan.tables if table.name == held.table), None)
    if planned is None or planned.row_schema is None:
        return held.record
    return compile_casts(schema_from_data(planned.row_schema)).cast(held.record)


def _write(
    connection: psycopg.Connection[DictRow], app: int, held: HeldReport, row: Mapping[str, Any]
) -> bool:
    codec = RowCodec(_columns(connection, app, held, row))
    encoded = codec.json_rows([row])
    found = connection.execute(
        "select patterns_os.take_refused_v1(%s, %s, %s, %s) as last",
        (
            app,
            held.number,
            [name for name in codec.columns if name in encoded[0]],
            Jsonb(encoded, dumps=orjson.dumps),
        ),
    ).fetchone()
    return found is not None and found["last"] is not None


def _columns(
    connection: psycopg.Connection[DictRow], app: int, held: HeldReport, row: Mapping[str, Any]
) -> dict[str, ColumnType]:
    """Give the table's columns, laying those that the row needs where nobody is in the way."""
    table = connection.execute(
        "select t.id, patterns_os.columns_v1(t.id) as columns from patterns_os.tables t "
        "where t.app = %s and t.name = %s",
        (app, held.table),
    ).fetchone()
    if table is None:
        return {}
    known = _named(table["columns"])
    new = infer_column_types([row], known)
    if new:
        wanted = Jsonb([[name, kind.sql] for name, kind in new.items()])
        with suppress(pg.LockNotAvailable):
            laid = connection.execute(
                "select patterns_os.add_columns_v1(%s, %s) as columns", (table["id"], wanted)
            ).fetchone()
            known = _named(laid["columns"]) if laid else known
    return known


def _named(described: Sequence[Mapping[str, str]]) -> dict[str, ColumnType]:
    found = ((column["name"], parse_type(column["type"])) for column in described)
    return {name: kind for name, kind in found if kind is not None}


def _note(connection: psycopg.Connection[DictRow], number: int, error: RowError) -> None:
    told = {"family": "node", "code": error.code, "message": error.message, "hint": error.hint}
    connection.execute(
        "update patterns_os.held set attempts = attempts + 1, error = %s where id = %s",
        (Jsonb(told, dumps=orjson.dumps), number),
    )
