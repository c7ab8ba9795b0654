"""The rows of a SQL node against the schema of its table, before the commit.

The database looks at all rows at once and tells those that plainly fit: of the column's type or turned into it
without doubt, within their ranges, lengths and lists. The others are cast one by one as rows of scripts are, so
that there is one truth: what a script may append, a statement may give, with the same words where it may not.
Patterns are matched there too, as databases know another kind of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from patterns_os.rows.casting import Refused, RowCaster
from patterns_os.rows.codec import RowCodec
from patterns_os.rows.rules import Rule
from patterns_os.rows.schema import FieldSchema
from patterns_os.rows.tagging import from_json
from patterns_os.rows.types import ColumnType

_CHUNK = 5_000
_GIVEN = sql.Identifier("pg_temp", "patterns_given")
_MENDED = sql.Identifier("pg_temp", "patterns_mended")


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenColumn:
    """A column of the statement's result.

    Attributes:
        kind: What values of it are; `None` for a moment without a zone, which no column holds.
        as_text: Whether the database shall give it as text: scripts know no such type.
        stored: What its column in the table holds.
    """

    name: str
    kind: ColumnType | None
    as_text: bool
    stored: ColumnType


@dataclass(slots=True)
class Sorted:
    """How the rows of a statement went: `staged` of `given`, the others are refused."""

    given: int = 0
    staged: int = 0
    refused: list[Refused] = field(default_factory=list)


async def stage_fitting(
    connection: psycopg.AsyncConnection[Any],
    statement: sql.Composable,
    columns: Sequence[GivenColumn],
    caster: RowCaster,
    *,
    stage: sql.Composable,
    most_refused: int,
) -> Sorted:
    """Run the statement and put the rows that fit into the staging table, in the statement's order.

    The caller has opened the transaction. Gives up after more than `most_refused` refused rows: the rest of them
    is not looked at, and nothing is staged.
    """
    await _run(connection, statement, columns, caster)
    counted = await (await connection.execute(_COUNTS)).fetchone()
    done = Sorted(given=counted[0] if counted else 0)
    if counted and counted[1]:
        await _cast_the_others(connection, columns, caster, done, most_refused)
        if len(done.refused) > most_refused:
            return done
    filled = await connection.execute(
        _filling(columns, caster, stage, is_mended=bool(counted and counted[1]))
    )
    done.staged = filled.rowcount
    return done


async def _run(
    connection: psycopg.AsyncConnection[Any],
    statement: sql.Composable,
    columns: Sequence[GivenColumn],
    caster: RowCaster,
) -> None:
    """Keep the result in a table of this transaction, each row with its number and whether it plainly fits."""
    values = sql.SQL("").join(
        sql.SQL(", {}{}").format(sql.Identifier(column.name), sql.SQL("::text" if column.as_text else ""))
        for column in columns
    )
    given = sql.SQL("select row_number() over () as patterns_n{} from ({}) q").format(values, statement)
    await connection.execute(
        sql.SQL(
            "create temporary table {} on commit drop as select g.*, ({}) as patterns_fits from ({}) g"
        ).format(sql.Identifier("patterns_given"), _all_fit(columns, caster), given)
    )


async def _cast_the_others(
    connection: psycopg.AsyncConnection[Any],
    columns: Sequence[GivenColumn],
    caster: RowCaster,
    done: Sorted,
    most_refused: int,
) -> None:
    """Cast the doubtful rows in parts, and keep those that fit after all in a second table."""
    codec = RowCodec({column.name: column.stored for column in columns})
    names = [sql.Identifier(name) for name in codec.columns]
    laid = sql.SQL("").join(
        sql.SQL("{} {}, ").format(sql.Identifier(name), sql.SQL(kind.sql))
        for name, kind in codec.columns.items()
    )
    await connection.execute(
        sql.SQL("create temporary table {} (patterns_n bigint, {}patterns_more jsonb) on commit drop").format(
            sql.Identifier("patterns_mended"), laid
        )
    )
    into = sql.SQL("copy {} (patterns_n, {}) from stdin").format(
        _MENDED, sql.SQL(", ").join([*names, sql.Identifier("patterns_more")])
    )
    async with connection.cursor(name="patterns_doubtful") as cursor:
        await cursor.execute(_doubtful(columns))
        while rows := await cursor.fetchmany(_CHUNK):
            numbers = [row[0] for row in rows]
            fitting, refused = caster.sort_out([_record(columns, row[1:]) for row in rows])
            done.refused += [_numbered(one, numbers[one.number - 1]) for one in refused]
            if len(done.refused) > most_refused:
                return
            left = {one.number for one in refused}
            kept = [number for place, number in enumerate(numbers, start=1) if place not in left]
            if fitting:
                await _copy(connection, into, kept, codec.copy_lines(fitting))


async def _copy(
    connection: psycopg.AsyncConnection[Any], into: sql.Composed, numbers: Iterable[int], lines: bytes
) -> None:
    # Line ends within values are escaped, so that each line is a row.
    numbered = b"\n".join(
        b"%d\t%s" % (number, line) for number, line in zip(numbers, lines.split(b"\n"), strict=False)
    )
    async with connection.cursor() as cursor, cursor.copy(into) as copy:
        await copy.write(numbered + b"\n")


def _record(columns: Sequence[GivenColumn], values: Sequence[Any]) -> dict[str, Any]:
    pairs = zip(columns, values, strict=True)
    return {
        column.name: from_json(value) if column.kind is ColumnType.JSONB else value for column, value in pairs
    }


def _numbered(refused: Refused, number: int) -> Refused:
    return Refused(number=number, row=refused.row, reason=refused.reason, hint=refused.hint)


def _doubtful(columns: Sequence[GivenColumn]) -> sql.Composed:
    names = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(column.name)) for column in columns)
    return sql.SQL("select patterns_n{} from {} where patterns_fits is not true order by patterns_n").format(
        names, _GIVEN
    )


def _filling(
    columns: Sequence[GivenColumn], caster: RowCaster, stage: sql.Composable, *, is_mended: bool
) -> sql.Composed:
    names = sql.SQL("").join(sql.SQL("{}, ").format(sql.Identifier(column.name)) for column in columns)
    declared = {found.name: found for found in caster.schema.fields}
    values = sql.SQL("").join(
        sql.SQL("{}, ").format(_value(column, declared.get(column.name))) for column in columns
    )
    plain = sql.SQL("select patterns_n, {}null::jsonb as patterns_more from {} where patterns_fits").format(
        values, _GIVEN
    )
    mended = sql.SQL(" union all select patterns_n, {}patterns_more from {}").format(names, _MENDED)
    return sql.SQL(
        "insert into {} ({}patterns_more) select {}patterns_more from ({}{}) f order by patterns_n"
    ).format(stage, names, names, plain, mended if is_mended else sql.SQL(""))


def _value(column: GivenColumn, declared: FieldSchema | None) -> sql.Composed:
    """Give the value of a row that plainly fits, as it is staged."""
    name = sql.Identifier(column.name)
    target = declared.type if declared else column.stored
    if column.kind is target or declared is None:
        named: sql.Composable = name
    else:
        turn = _TURNS.get((column.kind, target))
        # Without a turn only nulls fit plainly.
        named = sql.SQL(turn[1]).format(name) if turn else sql.SQL("null")
    return sql.SQL("({})::{} as {}").format(named, sql.SQL(column.stored.sql), name)


def _all_fit(columns: Sequence[GivenColumn], caster: RowCaster) -> sql.Composable:
    """Give the question whether a row plainly fits. Null means that it is in doubt, as false does."""
    given = {column.name: column for column in columns}
    if caster.schema.casting == "hard" and not given.keys() <= caster.schema.columns.keys():
        return sql.SQL("false")
    conditions: list[sql.Composable] = []
    for found in caster.schema.fields:
        column = given.get(found.name)
        if column is None:
            conditions.append(sql.SQL("true" if found.nullable else "false"))
        else:
            conditions.append(_fits(column, found, caster.rules.get(found.name, ()), caster.schema.casting))
    return sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true")


def _fits(column: GivenColumn, declared: FieldSchema, rules: Sequence[Rule], casting: str) -> sql.Composed:
    name = sql.Identifier(column.name)
    is_null = sql.SQL("{} is null" if declared.nullable else "false").format(name)
    holds = list(_conditions(column, declared, rules, casting))
    whole = sql.SQL(" and ").join([sql.SQL("{} is not null").format(name), *holds])
    return sql.SQL("({} or ({}))").format(is_null, whole)


def _conditions(
    column: GivenColumn, declared: FieldSchema, rules: Sequence[Rule], casting: str
) -> Iterator[sql.Composable]:
    name = sql.Identifier(column.name)
    value: sql.Composable = name
    if column.kind is not declared.type:
        turn = _TURNS.get((column.kind, declared.type))
        if turn is None or (casting == "hard" and (column.kind, declared.type) not in _HARD):
            yield sql.SQL("false")
            return
        yield sql.SQL(turn[0]).format(name)
        value = sql.SQL(turn[1]).format(name)
    for rule in rules:
        yield _ruled(rule, value, declared.type)


def _ruled(rule: Rule, value: sql.Composable, kind: ColumnType) -> sql.Composable:
    bound = sql.Literal(rule.operand)
    if rule.word in _COMPARISONS and kind in _ORDERED:
        # To Postgres what is no number is larger than all of them.
        is_number = sql.SQL(" and {} <> 'NaN'").format(value) if kind in _WITH_NAN else sql.SQL("")
        return sql.SQL("({} {} {}{})").format(value, sql.SQL(_COMPARISONS[rule.word]), bound, is_number)
    if rule.word in _LENGTHS:
        if kind is not ColumnType.TEXT:
            return sql.SQL("false" if kind is ColumnType.JSONB else "true")
        return sql.SQL("char_length({}) {} {}").format(value, sql.SQL(_LENGTHS[rule.word]), bound)
    if rule.word == "enum" and kind is not ColumnType.JSONB and rule.operand:
        known = sql.SQL(", ").join(sql.Literal(one) for one in rule.operand)
        return sql.SQL("{} in ({})").format(value, known)
    return sql.SQL("false")


_COUNTS = sql.SQL("select count(*), count(*) filter (where patterns_fits is not true) from {}").format(_GIVEN)
_COMPARISONS: Mapping[str, str] = {
    "minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"
}  # fmt: skip
_LENGTHS: Mapping[str, str] = {"minLength": ">=", "maxLength": "<="}
_WITH_NAN = frozenset({ColumnType.DOUBLE, ColumnType.NUMERIC})
_ORDERED = _WITH_NAN | {ColumnType.BIGINT, ColumnType.DATE, ColumnType.TIMESTAMPTZ}
_HARD = frozenset({(ColumnType.BIGINT, ColumnType.DOUBLE), (ColumnType.BIGINT, ColumnType.NUMERIC)})
# What the database turns itself, and when: (what is given, what is declared) → the condition, the value.
_TURNS: Mapping[tuple[ColumnType | None, ColumnType], tuple[str, str]] = {
    (ColumnType.BIGINT, ColumnType.NUMERIC): ("true", "{}::numeric"),
    (ColumnType.BIGINT, ColumnType.DOUBLE): (
        "{} between -9007199254740992 and 9007199254740992", "{}::double precision"
    ),
    (ColumnType.BIGINT, ColumnType.TEXT): ("true", "{}::text"),
    (ColumnType.BOOL, ColumnType.TEXT): ("true", "{}::text"),
    (ColumnType.NUMERIC, ColumnType.BIGINT): (
        "{0} = trunc({0}) and {0} between -9223372036854775808 and 9223372036854775807", "{}::bigint"
    ),
    (ColumnType.NUMERIC, ColumnType.DOUBLE): (
        "abs({0}) < 1e300 and (abs({0}) <= 9007199254740992 or {0} <> trunc({0})) and (abs({0}) > 1e-300 or {0} = 0)",
        "{}::double precision",
    ),
    (ColumnType.DOUBLE, ColumnType.BIGINT): (
        "{0} = trunc({0}) and abs({0}) <= 9007199254740992", "{}::bigint"
    ),
    # By way of the text: the direct way keeps fifteen digits only.
    (ColumnType.DOUBLE, ColumnType.NUMERIC): (
        "{0} <> 'NaN' and abs({0}) < 'Infinity'::double precision", "{}::text::numeric"
    ),
}  # fmt: skip
