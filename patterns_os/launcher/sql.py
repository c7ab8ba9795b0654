"""SQL nodes: the statement runs without locks into a staging table, then the commit function takes it over.

Everything is read in one repeatable-read snapshot, in which the watermarks of the inputs are read too: what was
committed meanwhile triggers the node again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from patterns_os.errors import NodeError
from patterns_os.graph.vertices import NEW_ROWS
from patterns_os.launcher.sql_casting import GivenColumn, Sorted, stage_fitting
from patterns_os.plan.spec import PlannedNode
from patterns_os.ports.claims import Claim, ClaimedInput
from patterns_os.rows.casting import Refused, RowCaster, held_form
from patterns_os.rows.errors import REFUSED
from patterns_os.rows.types import ColumnType, parse_type

# What the database calls a result column → what we store it as; everything else is stored as text.
_STORED_AS = {
    "bool": ColumnType.BOOL, "int2": ColumnType.BIGINT, "int4": ColumnType.BIGINT, "int8": ColumnType.BIGINT,
    "float4": ColumnType.DOUBLE, "float8": ColumnType.DOUBLE, "numeric": ColumnType.NUMERIC, "json": ColumnType.JSONB,
    "jsonb": ColumnType.JSONB, "timestamptz": ColumnType.TIMESTAMPTZ, "date": ColumnType.DATE,
    "bytea": ColumnType.BYTEA,
}  # fmt: skip
_ARRAY = "array"
# More refused rows than this are no accident of single rows: a statement that gives them is mended, not held.
_MOST_REFUSED = 100
_MOST_SHOWN = 3


async def run_sql(
    connection: psycopg.AsyncConnection[Any],
    claim: Claim,
    node: PlannedNode,
    *,
    timeout_s: float,
    caster: RowCaster | None = None,
) -> dict[str, Any]:
    """Run a SQL node's claim to its commit; gives `{"tables", "rows_in", "rows_out"}`.

    Rows that do not fit the schema of the table are held with the reason, and the others are appended. A table
    that is replaced is whole or stays as it was: there a refused row fails the run.

    Args:
        connection: As the app's role.
        claim: What the run owns.
        node: The node's plan.
        timeout_s: How long the statement may take.
        caster: Casts rows to the schema of the node's table, `None` where it declares none.

    Raises:
        NodeError: The statement failed (`sql-failed`), gives two columns of one name, or rows that its table
            refuses (`row-refused`).
        psycopg.Error: The connection broke, or the run lost its lane.
    """
    table = claim.tables[node.outputs[0].table]
    await _show_new_rows(connection, claim)
    statement, described = await _without_arrays(connection, node.sql[0])
    columns = await _lay_columns(connection, table, described)
    stage = await _value(connection, "select patterns_os.stage_v1(%s, 1)", table)
    refused: list[Refused] = []
    async with connection.transaction():
        seen = await _see(connection, claim, timeout_s)
        try:
            if caster is None:
                staged = await _fill(connection, statement, stage, columns)
            else:
                done = await stage_fitting(
                    connection,
                    _raw(statement),
                    columns,
                    caster,
                    stage=_raw(stage),
                    most_refused=_MOST_REFUSED,
                )
                _check_refused(node, done)
                staged, refused = done.staged, done.refused
        except psycopg.Error as error:
            raise _failed(error) from error
    operation = {
        "kind": "replace" if node.sql_kind == "select" else "append",
        "columns": [column.name for column in columns],
        "stage": stage,
    }
    body = {
        "inputs": [
            {"table": given.table, "stream": given.stream, "from": given.start, "to": given.to}
            for given in claim.inputs
            if given.access == "stream"
        ],
        "outputs": [{"table": table, "operations": [operation]}],
        "seen": [{"table": number, "last": last} for number, last in seen.items()],
        "refused": [{"table": table, **held_form(one)} for one in refused],
        "release": [claim.held["id"]] if claim.held is not None else [],
        "rows_in": sum(
            given.to - given.start if given.access == "stream" else max(0, seen[given.table] - given.base)
            for given in claim.inputs
        ),
        "end": True,
    }
    done = await _value(
        connection,
        "select patterns_os.commit_v1(%s, %s, %s)",
        claim.run,
        claim.token,
        Jsonb(body, dumps=orjson.dumps),
    )
    return {
        "tables": done["tables"],
        "rows_in": body["rows_in"],
        "rows_out": done["rows_out"],
        "staged": staged,
    }


async def _show_new_rows(connection: psycopg.AsyncConnection[Any], claim: Claim) -> None:
    """Lay a view of this session for each input that is streamed: the rows of the claim, by the name `…new`."""
    for given in claim.inputs:
        if given.access != "stream":
            continue
        view = sql.Identifier("pg_temp", NEW_ROWS + given.name)
        columns = await _value(connection, "select patterns_os.columns_v1(%s)", given.table)
        relation = await _value(connection, "select patterns_os.relation(%s)", given.table)
        names = [sql.Identifier(column["name"]) for column in columns]
        await connection.execute(sql.SQL("drop view if exists {}").format(view))
        await connection.execute(
            sql.SQL("create temporary view {} as select {} from {}").format(
                view,
                sql.SQL(", ").join([sql.Identifier("patterns_id"), *names]),
                _new_rows(claim, given, relation),
            )
        )


def _new_rows(claim: Claim, given: ClaimedInput, relation: str) -> sql.Composable:
    """Give the claimed rows as the rest of a select; a record that was set aside as it was kept then."""
    held = claim.held
    if held is not None and (held["table_id"], held["stream"]) == (given.table, given.stream):
        kept = orjson.dumps(held["content"]).decode()
        return sql.SQL("jsonb_populate_record(null::{}, {})").format(_raw(relation), sql.Literal(kept))
    return sql.SQL("{} where patterns_position > {} and patterns_position <= {}").format(
        _raw(relation), given.start, given.to
    )


async def _lay_columns(
    connection: psycopg.AsyncConnection[Any], table: int, described: Mapping[str, str]
) -> list[GivenColumn]:
    """Give the output's columns of the statement with their stored types, laying those that are new."""
    known = {
        column["name"]: parse_type(column["type"])
        for column in await _value(connection, "select patterns_os.columns_v1(%s)", table)
    }
    wanted = {name: _stored_as(type_name) for name, type_name in described.items() if name not in known}
    if wanted:
        await _value(
            connection,
            "select patterns_os.add_columns_v1(%s, %s)",
            table,
            Jsonb([[name, kind.sql] for name, kind in wanted.items()]),
        )
    return [
        _given(name, type_name, known.get(name) or _stored_as(type_name))
        for name, type_name in described.items()
    ]


def _stored_as(type_name: str) -> ColumnType:
    return _STORED_AS.get(type_name, ColumnType.TEXT)


def _given(name: str, type_name: str, stored: ColumnType) -> GivenColumn:
    is_naive = type_name == "timestamp"
    return GivenColumn(
        name=name,
        kind=None if is_naive else _stored_as(type_name),
        as_text=not is_naive and type_name not in _STORED_AS,
        stored=stored,
    )


async def _describe(connection: psycopg.AsyncConnection[Any], statement: str) -> dict[str, str]:
    """Give the columns of the statement's result with their types as Postgres calls them."""
    try:
        cursor = await connection.execute(sql.SQL("select * from ({}) q limit 0").format(_raw(statement)))
    except psycopg.Error as error:
        raise _failed(error) from error
    described: dict[str, str] = {}
    for column in cursor.description or ():
        if column.name.startswith("patterns_"):
            continue
        if column.name in described:
            raise NodeError(
                f'the statement gives two columns named "{column.name}"',
                code="sql-failed",
                hint=f'name one of them: … as "{column.name}_2"',
            )
        described[column.name] = _type_name(connection, column.type_code)
    return described


def _type_name(connection: psycopg.AsyncConnection[Any], code: int) -> str:
    kind = connection.adapters.types.get(code)
    if kind is None:
        return ""
    # The registry knows the type of an array's elements by the array's number, too.
    return kind.name if kind.oid == code else _ARRAY


async def _without_arrays(
    connection: psycopg.AsyncConnection[Any], statement: str
) -> tuple[str, dict[str, str]]:
    """Give the statement with its arrays as JSON, which lists of scripts are stored as, and its columns."""
    described = await _describe(connection, statement)
    if _ARRAY not in described.values():
        return statement, described
    columns = sql.SQL(", ").join(
        sql.SQL("to_jsonb(q.{0}) as {0}").format(sql.Identifier(name))
        if kind == _ARRAY
        else sql.SQL("q.{}").format(sql.Identifier(name))
        for name, kind in described.items()
    )
    text = sql.SQL("select {} from ({}\n) q").format(columns, _raw(statement)).as_string(connection)
    return text, {name: "jsonb" if kind == _ARRAY else kind for name, kind in described.items()}


async def _see(connection: psycopg.AsyncConnection[Any], claim: Claim, timeout_s: float) -> dict[int, int]:
    """Begin the snapshot in which all is read; give the watermarks of the inputs in it."""
    await connection.execute("set transaction isolation level repeatable read")
    await connection.execute(sql.SQL("set local statement_timeout = {}").format(int(timeout_s * 1000)))
    seen: dict[int, int] = {}
    for given in claim.inputs:
        if given.access == "stream":
            seen[given.table] = given.last
            continue
        head = await _value(connection, "select last from patterns_os.head(%s)", given.table)
        seen[given.table] = int(head)
    return seen


async def _fill(
    connection: psycopg.AsyncConnection[Any], statement: str, stage: str, columns: Sequence[GivenColumn]
) -> int:
    """Fill the staging table; give the number of rows."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    casts = sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Identifier(column.name), _raw(column.stored.sql)) for column in columns
    )
    filled = await connection.execute(
        sql.SQL("insert into {} ({}) select {} from ({}) q").format(
            _raw(stage), names, casts, _raw(statement)
        )
        if columns
        else sql.SQL("insert into {} default values").format(_raw(stage))
    )
    return filled.rowcount


def _check_refused(node: PlannedNode, done: Sorted) -> None:
    """Refuse the whole result where its table must be whole, or where the statement is at fault, not a row."""
    count = len(done.refused)
    is_whole = node.sql_kind == "select"
    if not count or (not is_whole and count <= _MOST_REFUSED):
        return
    shown = "; ".join(f"row {one.number}: {one.reason}" for one in done.refused[:_MOST_SHOWN])
    refused = f"{count}" if count <= _MOST_REFUSED else f"more than {_MOST_REFUSED}"
    raise NodeError(
        f'{refused} of {done.given} rows do not fit table "{node.outputs[0].table}", and nothing was written: {shown}',
        code=REFUSED,
        hint=done.refused[0].hint
        or (
            "a table that is replaced is whole or stays as it was: mend or leave out these rows"
            if is_whole
            else None
        ),
    )


async def _value(connection: psycopg.AsyncConnection[Any], statement: str, *parameters: Any) -> Any:  # noqa: ANN401 - one value
    cursor = await connection.execute(statement.encode(), parameters)
    row = await cursor.fetchone()
    return row[0] if row else None


def _raw(text: str) -> sql.Composable:
    """Give text that was checked before: the author's statement, a name that the database gave."""
    return sql.SQL(text)


def _failed(error: psycopg.Error) -> NodeError | psycopg.Error:
    if isinstance(error, psycopg.OperationalError) and error.sqlstate != "57014":
        return error
    text = str(error).strip().splitlines()[0]
    if error.sqlstate == "57014":
        return NodeError(
            "the statement took longer than the node's timeout", code="timeout", hint='raise "timeout"'
        )
    return NodeError(f"the statement failed: {text}", code="sql-failed")
