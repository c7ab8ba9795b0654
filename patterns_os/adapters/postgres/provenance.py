"""Which run wrote a row from what, and which runs took it: told from the log of commits and the records of runs.

All questions are bounded. Blocks are found by the key of `commits`. Runs and deliveries are searched by halves: those
of one node (or webhook) are in order of their ids and of the positions that they begin at, as a node has one run at a
time and a cursor never goes back. So nothing needs an index that writers would pay for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from patterns_os.adapters.postgres.connect import connect, translated
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.ports.provenance import (
    DeliveryReference,
    RangeReport,
    RowProvenance,
    RunReference,
    TakenReport,
    TakenState,
    WriteReport,
)
from patterns_os.ports.reports import TableReport
from patterns_os.rows.errors import RowError
from patterns_os.rows.identity import parse_patterns_id

MOST_COUNTED = 10_000
MOST_DEEP = 12
MOST_WRITES = 40
_MOST_BESIDE = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def row_provenance(conninfo: str, app: int, table: TableReport, patterns_id: str) -> RowProvenance:
    """Tell where a row comes from and who has taken it, seen at one moment.

    Args:
        conninfo: The app's database, with the owner's rights.
        app: The app's number.
        table: From `PostgresReports.table`.
        patterns_id: Of the row, in any case.

    Raises:
        UsageError: It is no id (`row-id`), or of no row that this table ever had (`unknown-row`).
    """
    time_ms, number, position = _parts(patterns_id)
    with _looking(conninfo) as connection:
        return _Search(connection, app).row(table, patterns_id.lower(), time_ms, number, position)


@contextmanager
def _looking(conninfo: str) -> Iterator[psycopg.Connection[DictRow]]:
    """Give a connection in one transaction that can't write, sees one moment and takes half a minute at most."""
    with connect(conninfo) as connection, translated(), connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute("set local statement_timeout = '30s'")
        yield connection


def _parts(patterns_id: str) -> tuple[int, int, int]:
    try:
        return parse_patterns_id(patterns_id)
    except RowError as error:
        raise UsageError(
            error.message, code="row-id", hint="patterns table data shows the ids of rows"
        ) from error


@dataclass(frozen=True, slots=True)
class _Place:
    """A row's place; the table's active version begins after `base`."""

    table: int
    position: int
    base: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a consumer did with a row; see `TakenReport`."""

    state: TakenState
    run: RunReference | None = None
    again: RunReference | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A range that a commit took; `is_sure`: it took these rows and no others."""

    table: int
    access: Literal["stream", "read", "held"]
    after: int
    upto: int
    is_sure: bool


class _Search:
    """Answers from one connection; counts the commits that it has followed."""

    def __init__(self, connection: psycopg.Connection[DictRow], app: int) -> None:
        self._connection = connection
        self._app = app
        self._followed = 0
        self._names: dict[int, str] = {}

    def row(
        self, table: TableReport, patterns_id: str, time_ms: int, number: int, position: int
    ) -> RowProvenance:
        """Give all that is known of the row with this id."""
        if number != table.number:
            raise self._of_another(table, patterns_id, number)
        block = self._one(_BLOCK, (number, position))
        if block is None or block["first"] > position or _ms(block["at"]) != time_ms:
            raise UsageError(
                f"Table {quote(table.name)} never had a row with the id {patterns_id}: "
                "it is of another database, or of a table that was deleted",
                code="unknown-row",
                hint=f"patterns table data {table.name}",
            )
        found = self._one(_BOUND, (number,)) or {}
        base = int(found["base"])
        is_there = self._ids(number, position - 1, position)[0] == 1
        return RowProvenance(
            table=table.name,
            patterns_id=patterns_id,
            position=position,
            watermark=found["last"],
            state="replaced" if position <= base else "there" if is_there else "gone",
            active_version=found["version"],
            active_since=found["since"],
            written=self._write(number, block, position, position, depth=0),
            taken=tuple(self._taken(_Place(number, position, base))),
        )

    def _of_another(self, table: TableReport, patterns_id: str, number: int) -> UsageError:
        other = self._name(number)
        if not other:
            return UsageError(
                f"The id {patterns_id} is of no table of this app: it was made in another one, or in another database",
                code="unknown-row",
                hint=f"patterns table data {table.name}",
            )
        return UsageError(
            f"The id {patterns_id} is of a row of table {quote(other)}, not {quote(table.name)}",
            code="unknown-row",
            hint=f"patterns row {other} {patterns_id}",
        )

    # -- upwards

    def _write(self, table: int, block: DictRow, first: int, last: int, *, depth: int) -> WriteReport:
        """Give who made a block, and what they took; `first` and `last` are the rows of it that are asked about."""
        self._followed += 1
        run = self._run(block["run"])
        delivery = None if block["run"] is not None else self._delivery(table, first, last)
        wanted = _wanted(block, run)
        is_deep = depth >= MOST_DEEP or self._followed >= MOST_WRITES
        return WriteReport(
            table=self._name(table),
            first=block["first"],
            last=block["last"],
            kind=block["kind"],
            version=block["version"],
            at=block["at"],
            run_number=block["run"],
            run=None if run is None else _reference(run),
            delivery=delivery,
            inputs=() if is_deep else tuple(self._range(given, depth + 1) for given in wanted),
            left_out=len(wanted) if is_deep else 0,
        )

    def _range(self, wanted: "_Wanted", depth: int) -> RangeReport:
        table, after, upto = wanted.table, wanted.after, wanted.upto
        rows, patterns_id = self._ids(table, after, upto)
        # What is read as a whole comes from everybody who ever wrote there: that says nothing of one row.
        blocks = [] if wanted.access == "read" and upto - after > 1 else self._blocks(table, after, upto)
        return RangeReport(
            table=self._name(table),
            access=wanted.access,
            after=after,
            upto=upto,
            rows=rows,
            exact=wanted.is_sure,
            patterns_id=patterns_id,
            writes=tuple(
                self._write(
                    table, block, max(after + 1, block["first"]), min(upto, block["last"]), depth=depth
                )
                for block in blocks[:_MOST_BESIDE]
            ),
            more=len(blocks[_MOST_BESIDE:]),
        )

    def _blocks(self, table: int, after: int, upto: int) -> list[DictRow]:
        """Give the blocks of the range, one more than are shown at most: they are in order and dense."""
        found = self._connection.execute(_BLOCKS, (table, after, _MOST_BESIDE + 1)).fetchall()
        return [block for block in found if block["first"] <= upto]

    def _ids(self, table: int, after: int, upto: int) -> tuple[int | None, str | None]:
        """Give how many rows of a range are there (`None`: many), and the id if it is one."""
        relation = self._one("select patterns_os.relation(%s)::regclass::text as name", (table,))
        if relation is None or relation["name"] is None:
            return 0, None
        found = self._connection.execute(
            sql.SQL(
                "select count(*) as n, min(patterns_id) as id from (select patterns_id from {} "
                "where patterns_position > {} and patterns_position <= {} limit {}) r"
            ).format(
                sql.SQL(relation["name"]),
                sql.Literal(after),
                sql.Literal(upto),
                sql.Literal(MOST_COUNTED + 1),
            )
        ).fetchone() or {"n": 0, "id": None}
        count = int(found["n"])
        return (count if count <= MOST_COUNTED else None), (found["id"] if count == 1 else None)

    def _delivery(self, table: int, first: int, last: int) -> DeliveryReference | None:
        """Give the delivery whose rows these are, if it is one of a webhook's."""
        found = self._one(_DELIVERY, {"app": self._app, "table": table, "first": first, "last": last})
        return None if found is None else DeliveryReference(**found)

    def _run(self, number: int | None) -> DictRow | None:
        return None if number is None else self._one(_RUN, (number, self._app))

    # -- downwards

    def _taken(self, place: "_Place") -> Iterator[TakenReport]:
        asked = (place.position, place.table, self._app)
        for given in self._connection.execute(_CONSUMERS.encode(), asked).fetchall():
            is_stream = given["access"] == "stream"
            found = self._one(
                _BEFORE,
                {
                    "node": given["id"],
                    "given": _given(place.table, given["stream"]),
                    "key": "from" if is_stream else "last",
                    "position": place.position,
                },
            )
            best = self._run(found["run"]) if found else None
            taken = self._streamed(given, best, place) if is_stream else self._read(given, best, place)
            yield TakenReport(
                node=given["node"],
                stream=given["stream"],
                access=given["access"],
                state=taken.state,
                cursor=given["cursor"] if is_stream else given["seen"],
                is_retired=given["is_retired"],
                run=taken.run,
                held=given["held"],
                again=taken.again,
            )

    def _streamed(  # noqa: PLR0911 - a table of cases
        self, given: DictRow, best: DictRow | None, place: "_Place"
    ) -> "_Taken":
        """Tell what became of the row: `best` is the last run that began before it."""
        claimed = _claimed(best, place.table, given["stream"])
        offered = best if claimed is not None and claimed["to"] >= place.position else None
        run = None if offered is None else _reference(offered)
        if given["held"] is not None:
            return _Taken("held", run)
        if given["cursor"] < place.position:
            if run is not None and run.state == "running":
                return _Taken("running", run)
            return _Taken(_not_yet(given, place))
        if run is None:
            # No run on record had it: theirs is not kept any more, or the node went past it without one.
            if claimed is None:
                return _Taken("forgotten")
            return _Taken("replaced" if place.position <= place.base else "passed")
        if run.state == "failed" and claimed is not None and claimed["to"] == place.position:
            again = self._delivered_again(given["id"], place)
            return _Taken("taken" if again else "given-up", run, again)
        return _Taken("taken", run)

    def _read(self, given: DictRow, best: DictRow | None, place: "_Place") -> "_Taken":
        """Tell which run was the first that saw the row: the one after `best`, the last that did not."""
        row = self._one(_AFTER, (given["id"], best["run"] if best else 0))
        first = self._run(row["run"]) if row else None
        if first is None:
            if given["seen"] < place.position:
                return _Taken(_not_yet(given, place))
            # A SQL node sees what is there when its statement begins: that may be more than when it was claimed.
            return _Taken("forgotten") if best is None else _Taken("read", _reference(best))
        claimed = _claimed(first, place.table, given["stream"])
        if claimed is None:
            return _Taken("forgotten")
        if place.position <= claimed["base"]:
            return _Taken("replaced")
        return _Taken("running" if first["state"] == "running" else "read", _reference(first))

    def _delivered_again(self, node: int, place: "_Place") -> RunReference | None:
        """Give the run that took a record that had been set aside. Rare: of one node, its requests are looked at."""
        found = self._one(_RESUMED, (node, place.table, place.position))
        run = self._run(found["run"]) if found else None
        return None if run is None else _reference(run)

    # -- how

    def _name(self, table: int) -> str:
        """Give a table's name, empty if the app has none of this number."""
        if table not in self._names:
            found = self._one(
                "select name from patterns_os.tables where id = %s and app = %s", (table, self._app)
            )
            self._names[table] = str(found["name"]) if found else ""
        return self._names[table]

    def _one(self, statement: str, parameters: Any) -> DictRow | None:  # noqa: ANN401 - by place or by name
        return self._connection.execute(statement.encode(), parameters).fetchone()


def _wanted(block: DictRow, run: DictRow | None) -> list[_Wanted]:
    """Give the ranges that a commit took."""
    if run is not None and run["held"] is not None:
        held = run["held"]
        if "table" not in held:
            return []  # asked for by a release that did not keep where the record came from
        upto = int(held["position"])
        return [_Wanted(int(held["table"]), "held", upto - 1, upto, is_sure=True)]
    own = block["input_table"]
    found = []
    if own is not None and block["input_to"] > block["input_from"]:
        found.append(_Wanted(own, "stream", block["input_from"], block["input_to"], is_sure=True))
    for given in run["inputs"] if run is not None else ():
        is_stream = given["access"] == "stream"
        after, upto = (given["from"], given["to"]) if is_stream else (given["base"], given["last"])
        if upto > after and not (is_stream and given["table"] == own):
            found.append(_Wanted(given["table"], given["access"], after, upto, is_sure=False))
    return found


def _not_yet(given: DictRow, place: _Place) -> TakenState:
    if place.position <= place.base:
        return "replaced"
    return "retired" if given["is_retired"] or not given["active"] else "waiting"


def _reference(run: DictRow) -> RunReference:
    return RunReference(**{field.name: run[field.name] for field in fields(RunReference)})


def _claimed(run: DictRow | None, table: int, stream: str) -> dict[str, Any] | None:
    given = run["inputs"] if run is not None else ()
    return next((one for one in given if one["table"] == table and one["stream"] == stream), None)


def _given(table: int, stream: str) -> str:
    """Give the path of a run's input, as the database's language of JSON spells it."""
    text = stream.replace("\\", "\\\\").replace('"', '\\"')
    return f'$[*] ? (@.table == {table} && @.stream == "{text}")'


def _ms(moment: datetime) -> int:
    """Give the milliseconds since 1970, rounded as the database does."""
    return ((moment - _EPOCH) // timedelta(microseconds=1) + 500) // 1000


_SHOWN = (
    "select c.last, c.last - c.n + 1 as first, c.kind, c.version, c.run, c.at, c.input_table, c.input_from, "
    "c.input_to from patterns_os.commits c "
)
_BLOCK = _SHOWN + "where c.table_id = %s and c.last >= %s order by c.last limit 1"
_BLOCKS = _SHOWN + "where c.table_id = %s and c.last > %s order by c.last limit %s"
_BOUND = (
    "select h.last, h.base, h.version, (select c.at from patterns_os.commits c "
    "  where c.table_id = t.id and c.last >= h.base and c.base = h.base order by c.last limit 1) as since "
    "from patterns_os.tables t cross join lateral patterns_os.head(t.id) h where t.id = %s"
)
_RUN = (
    "select r.id as run, n.name as node, v.hash as version, r.reason, r.state, r.attempt, r.launcher, "
    "r.claimed_at, r.ended_at, r.inputs, "
    "case when r.reason = 'resume' then coalesce(q.payload, '{}') end as held "
    "from patterns_os.runs r join patterns_os.nodes n on n.id = r.node "
    "join patterns_os.versions v on v.id = r.version left join patterns_os.requests q on q.id = r.request "
    "where r.id = %s and r.app = %s"
)
_CONSUMERS = (
    "select n.id, n.name as node, i.stream, i.access, i.active, i.cursor, i.seen, "
    "n.retired_at is not null as is_retired, h.id as held "
    "from patterns_os.inputs i join patterns_os.nodes n on n.id = i.node "
    "left join patterns_os.held h on h.node = i.node and h.table_id = i.table_id and h.stream = i.stream "
    "  and h.position = %s "
    "where i.table_id = %s and n.app = %s order by n.name, i.stream"
)
# The last run of a node that began before a position: by halves, over its runs in order.
_BEFORE = """
    with recursive halves(low, high, run) as (
        select (select r.id from patterns_os.runs r where r.node = %(node)s order by r.id limit 1),
               (select r.id from patterns_os.runs r where r.node = %(node)s order by r.id desc limit 1), null::bigint
        union all
        select case when f.id is null or f.is_before then m.middle + 1 else h.low end,
               case when f.id is not null and not f.is_before then f.id - 1 else h.high end,
               case when f.is_before then f.id else h.run end
        from halves h cross join lateral (select (h.low + h.high) / 2 as middle) m
        left join lateral (
            select r.id, coalesce((jsonb_path_query_first(r.inputs, %(given)s::jsonpath) ->> %(key)s)::bigint, -1)
                         < %(position)s as is_before
            from patterns_os.runs r where r.node = %(node)s and r.id <= m.middle and r.id >= h.low
            order by r.id desc limit 1) f on true
        where h.low <= h.high)
    select run from halves where run is not null order by run desc limit 1
"""
_AFTER = "select min(r.id) as run from patterns_os.runs r where r.node = %s and r.id > %s"
# The last accepted delivery of each webhook of the app whose rows begin at a position or before it, by halves too:
# deliveries of one table get their ids and their positions under its lock.
_DELIVERY = """
    select d.id as delivery, d.webhook, d.at, d.verdict, d.repeats
    from patterns_os.nodes n cross join lateral (
        with recursive halves(low, high, id) as (
            select (select d.id from patterns_os.deliveries d where d.app = n.app and d.webhook = n.name
                    order by d.id limit 1),
                   (select d.id from patterns_os.deliveries d where d.app = n.app and d.webhook = n.name
                    order by d.id desc limit 1), null::bigint
            union all
            select case when f.id is null or f.is_before then m.middle + 1 else h.low end,
                   case when f.id is not null and not f.is_before then f.id - 1 else h.high end,
                   case when f.is_before then f.id else h.id end
            from halves h cross join lateral (select (h.low + h.high) / 2 as middle) m
            left join lateral (
                select d.id, d.first_position <= %(first)s as is_before from patterns_os.deliveries d
                where d.app = n.app and d.webhook = n.name and d.id <= m.middle and d.id >= h.low
                  and d.table_id = %(table)s and d.first_position is not null
                order by d.id desc limit 1) f on true
            where h.low <= h.high)
        select id from halves where id is not null order by id desc limit 1) best
    join patterns_os.deliveries d on d.id = best.id
    where n.app = %(app)s and n.kind = 'webhook' and d.last_position >= %(last)s
    limit 1
"""
_RESUMED = (
    "select r.id as run from patterns_os.requests q join patterns_os.runs r on r.node = q.node and r.request = q.id "
    "where q.node = %s and q.kind = 'resume' and q.state = 'done' and r.state = 'done' "
    "and (q.payload ->> 'table')::int = %s and (q.payload ->> 'position')::bigint = %s order by r.id desc limit 1"
)
