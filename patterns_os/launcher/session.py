"""One run, as its script sees it: the SDK's host, backed by the claim and the node process's connection."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import IO, TYPE_CHECKING, Any

import orjson
from psycopg import errors as pg
from psycopg.types.json import Jsonb

from patterns.errors import FileError, RunEndedError, TableError
from patterns_os.launcher.reading import (
    EmptyPlace,
    Slice,
    StreamPlace,
    done_key,
    read_statement,
    read_version,
)
from patterns_os.launcher.undeclared import (
    undeclared_secret,
    undeclared_stream,
    undeclared_table,
    unset_secret,
)
from patterns_os.launcher.writing import TableWriter
from patterns_os.manifest.interpolation import fill
from patterns_os.ports.claims import Claim, ClaimedInput
from patterns_os.rows.tagging import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import psycopg

    from patterns.host import StreamHost
    from patterns_os.launcher.assignment import AssignedNode
    from patterns_os.launcher.progress import Progress
    from patterns_os.rows.casting import RowCaster

_COMMIT_TRIES = 5


class Session:
    """The host of one run.

    Args:
        claim: What the run owns.
        node: The node's plan.
        connection: As the app's role, autocommit.
        relations: Cache of physical relations by table number, kept between runs.
        services: Models, secrets and files (`launcher.services`).
        casters: What casts the rows of tables that declare a schema, by the table's name.
    """

    def __init__(
        self,
        claim: Claim,
        node: AssignedNode,
        *,
        connection: psycopg.Connection[Any],
        progress: Progress,
        relations: dict[int, str],
        services: Any,  # noqa: ANN401 - a Services; its module imports much, so it is built lazily
        schema: str,
        casters: Mapping[str, RowCaster] | None = None,
    ) -> None:
        self._claim = claim
        self._node = node
        self._connection = connection
        self._progress = progress
        self._relations = relations
        self._services = services
        self._schema = schema
        self._casters = casters or {}
        self._reads = {given.port: given.table for given in node.inputs}
        self._writes = {given.port: given.table for given in node.outputs}
        self._inputs = {(given.name, given.stream): given for given in claim.inputs}
        self._places: dict[tuple[str, str], StreamPlace] = {}
        self._writers: dict[str, TableWriter] = {}
        self._state = {key: from_json(value) for key, value in claim.state.items()}
        self._committed_state = deepcopy(self._state)
        self._state_set: dict[str, Any] = {}
        self._state_deleted: set[str] = set()
        self._again: float | None = None
        self._ended = False
        self.rows_in = 0
        self.rows_out = 0
        self._slice = Slice(progress, self._pending_bytes)

    # -- tables

    def table_opened(self, name: str, mode: str, *, schema: Any, required: bool) -> None:  # noqa: ANN401 - any spelling
        """Refuse a table that the node does not declare."""
        self._check_alive()
        if name in self._writes or (mode == "r" and name in self._reads):
            if mode == "w" and schema:
                self._writer(name).lay(schema)
            return
        if not required:
            return
        known = {**self._writes, **(self._reads if mode == "r" else {})}
        raise undeclared_table(self._node.name, name, mode, known)

    def is_connected(self, name: str) -> bool:
        """Tell whether the name leads to a table."""
        return name in self._reads or name in self._writes

    def sql_name(self, name: str) -> str:
        """Give the quoted name of the table's view."""
        return f"{_quoted(self._schema)}.{_quoted(self._table_name(name))}"

    def columns(self, name: str) -> dict[str, str]:
        """Give the table's columns."""
        if not self.is_connected(name):
            return {}
        row = self._connection.execute("select patterns_os.columns_v1(%s)", (self._number(name),)).fetchone()
        return {column["name"]: column["type"] for column in (row[0] if row else [])}

    def count(self, name: str) -> int:
        """Give the number of rows of the active version."""
        if not self.is_connected(name):
            return 0
        base, last = self._version(name)
        row = self._connection.execute(
            f"select count(*) from {self._relation(name)} "  # noqa: S608 - a quoted name that the database gave
            "where patterns_position > %s and patterns_position <= %s",
            (base, last),
        ).fetchone()
        return int(row[0]) if row else 0

    def read(self, name: str, chunk: int | None) -> Iterator[list[dict[str, Any]]]:
        """Give all rows of the version that was active at the claim."""
        self._check_alive()
        if not self.is_connected(name):
            return iter(())
        return read_version(self._connection, self._relation(name), *self._version(name), chunk)

    def read_sql(self, statement: str, parameters: Any, chunk: int | None) -> Iterator[list[dict[str, Any]]]:  # noqa: ANN401 - binds
        """Give the rows of a read-only statement."""
        self._check_alive()
        return read_statement(self._connection, statement, parameters, chunk)

    def stream(self, name: str, stream: str, order_by: str | None, starting_value: Any) -> StreamHost:  # noqa: ANN401 - a column's value
        """Give the node's place in a table; a second call gives the same place."""
        self._check_alive()
        if not self.is_connected(name):
            return EmptyPlace(checkpoint=self._checkpoint, rollback=self._rollback)
        table = self._table_name(name)
        place = self._places.get((table, stream))
        if place is None:
            place = self._open_place(table, stream)
            self._places[table, stream] = place
        if order_by is not None:
            place.sorted_by = order_by
        if starting_value is not None:
            place.seek(starting_value)
        return place

    def write(self, name: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Buffer rows."""
        writer = self._writers.get(name)
        if writer is None:
            if not self.is_connected(name):
                return
            writer = self._writer(name)
        if self._ended:
            raise RunEndedError
        writer.add(kind, rows)

    def empty(self, name: str, *, drop: bool) -> None:  # noqa: ARG002 - old versions are dropped by retention
        """Begin an empty version."""
        self._check_alive()
        if self.is_connected(name):
            self._writer(name).empty()

    def flush(self, name: str) -> None:
        """Send buffered rows ahead."""
        self._check_alive()
        if name in self._writers:
            self._writers[name].flush()

    def init(self, name: str, schema: Any, unique_on: Sequence[str]) -> None:  # noqa: ANN401 - any spelling
        """Lay columns and key columns."""
        self._check_alive()
        if not self.is_connected(name):
            return
        if schema:
            self._writer(name).lay(schema)
        if unique_on:
            self._connection.execute(
                "select patterns_os.unique_on_v1(%s, %s)", (self._number(name), list(unique_on))
            )

    # -- State, parameters, secrets, models, files, effects

    def state(self) -> dict[str, Any]:
        """Give the node's State as changed by this run."""
        return self._state

    def set_state(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Set a key; counts with the commit."""
        self._check_alive()
        self._state[key] = value
        self._state_set[key] = to_json(value)
        self._state_deleted.discard(key)

    def reset_state(self) -> None:
        """Remove all keys; counts with the commit."""
        self._check_alive()
        self._state_deleted |= set(self._state)
        self._state.clear()
        self._state_set.clear()

    def should_continue(self) -> bool:
        """Tell whether the slice has time left."""
        self._slice.first_record()
        return not self._slice.used_up()

    def request_new_run(self, delay_s: float) -> None:
        """Ask for another run."""
        self._again = delay_s

    def tick(self) -> str | None:
        """Give the tick that asked for the run."""
        payload = (self._claim.request or {}).get("payload") or {}
        return payload.get("tick")

    def parameter(self, name: str) -> tuple[bool, Any]:
        """Give a parameter's value."""
        if name not in self._node.parameters:
            return False, None
        return True, fill(self._node.parameters[name], self._named_secret)

    def _named_secret(self, name: str) -> str:
        """Give a secret that a parameter names."""
        value = self._services.secret(name)
        if value is None:
            raise unset_secret(name)
        return str(value)

    def secret(self, name: str) -> str | None:
        """Give a declared secret."""
        if name not in self._node.secrets:
            raise undeclared_secret(self._node.name, name)
        return self._services.secret(name)  # type: ignore[no-any-return] # see the constructor

    def complete(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask a model."""
        self._check_alive()
        return self._services.complete(model, request)  # type: ignore[no-any-return] # see the constructor

    def open_file(self, name: str, mode: str) -> IO[Any]:
        """Open a file of the app's storage."""
        self._check_alive()
        return self._services.files(FileError).open(name, mode)  # type: ignore[no-any-return] # see the constructor

    def file_exists(self, name: str) -> bool:
        """Tell whether the file is there."""
        return self._services.files(FileError).exists(name)  # type: ignore[no-any-return] # see the constructor

    def delete_file(self, name: str) -> None:
        """Remove the file."""
        self._check_alive()
        self._services.files(FileError).delete(name)

    def once(self, key: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Run an outside effect at most once for the open record; one in doubt is tried again."""
        self._check_alive()
        seen = self._progress.snapshot()
        request = self._claim.request or {}
        stream = f"{seen.stream}:" if seen.stream else ""
        record = (
            f"{seen.table}:{stream}{seen.position}" if seen.position else f"request:{request.get('id', 0)}"
        )
        row = self._connection.execute(
            "select patterns_os.once_v1(%s, %s, %s, %s)", (self._claim.run, self._claim.token, record, key)
        ).fetchone()
        found = row[0] if row else {}
        if found["status"] == "done":
            return from_json(found["result"])
        result = effect()
        self._connection.execute(
            "select patterns_os.once_done_v1(%s, %s, %s, %s, %s)",
            (self._claim.run, self._claim.token, record, key, Jsonb(to_json(result), dumps=orjson.dumps)),
        )
        return result

    # -- the commit

    def finish(self) -> dict[str, Any]:
        """Commit everything and end the run; gives watermarks of the tables written."""
        done = self._commit(end=True)
        self._ended = True
        return done

    def abandon(self) -> None:
        """Make every handle of this run useless."""
        self._ended = True

    def _checkpoint(self) -> None:
        self._check_alive()
        self._commit(end=False)
        self._progress.boundary()

    def _rollback(self) -> None:
        for writer in self._writers.values():
            writer.clear()
        for place in self._places.values():
            place.back_to_start()
        self._state = deepcopy(self._committed_state)
        self._state_set.clear()
        self._state_deleted.clear()

    def _commit(self, *, end: bool) -> dict[str, Any]:
        """One statement does it all; a deadlock or a serialization failure is tried again as it is."""
        reached = {place: place.reached() for place in self._places.values()}
        bodies = [
            body for body in (writer.body() for writer in set(self._writers.values())) if body is not None
        ]
        body = self._body(reached, sorted(bodies, key=lambda part: part["table"]), end=end)
        done = self._call_commit(body)
        self.rows_in += body["rows_in"]
        self.rows_out += int(done["rows_out"])
        for place, position in reached.items():
            place.committed(position)
        for writer in self._writers.values():
            writer.clear()
        if not end:
            self._committed_state = deepcopy(self._state)
        self._state_set.clear()
        self._state_deleted.clear()
        return done

    def _body(
        self, reached: Mapping[StreamPlace, int], outputs: list[dict[str, Any]], *, end: bool
    ) -> dict[str, Any]:
        inputs = []
        for place, position in reached.items():
            given = place.given
            inputs.append(
                {
                    "table": given.table,
                    "stream": given.stream,
                    "from": place.start,
                    "to": position,
                    "more": place.left_some,
                }
            )
            self._remember_done(place)
        return {
            "inputs": inputs,
            "outputs": outputs,
            "state": {"set": self._state_set, "delete": sorted(self._state_deleted - set(self._state_set))},
            "rows_in": sum(place.yielded for place in reached),
            "release": [self._claim.held["id"]] if self._claim.held is not None and end else [],
            "again": self._again if end else None,
            "end": end,
        }

    def _remember_done(self, place: StreamPlace) -> None:
        beyond, key = place.done_beyond(), done_key(place.given)
        if beyond:
            self._state_set[key] = beyond
        elif key in self._state:
            self._state_deleted.add(key)

    def _call_commit(self, body: dict[str, Any]) -> dict[str, Any]:
        parameters = (self._claim.run, self._claim.token, Jsonb(body, dumps=orjson.dumps))
        for attempt in range(1, _COMMIT_TRIES + 1):
            try:
                row = self._connection.execute(
                    "select patterns_os.commit_v1(%s, %s, %s)", parameters
                ).fetchone()
            except (pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable):
                if attempt == _COMMIT_TRIES:
                    raise
                time.sleep(0.01 * 2**attempt)
                continue
            return dict(row[0]) if row else {}
        raise AssertionError  # the loop returns or raises

    # -- how

    def _open_place(self, table: str, stream: str) -> StreamPlace:
        given = self._inputs.get((table, stream)) or self._open_stream(table, stream)
        if given is None:
            raise undeclared_stream(self._node.name, table)
        held = self._claim.held
        if held is not None and (held["table_id"], held["stream"]) != (given.table, given.stream):
            held = None
        return StreamPlace(
            self._connection,
            given,
            self._relation_of(given.table),
            self._progress,
            self._slice,
            checkpoint=self._checkpoint,
            rollback=self._rollback,
            held=held,
            done_beyond=self._state.get(done_key(given), ()),
        )

    def _open_stream(self, table: str, stream: str) -> ClaimedInput | None:
        """Open a stream that this node has not had before."""
        claim = self._claim
        row = self._connection.execute(
            "select patterns_os.open_stream_v1(%s, %s, %s, %s, %s)",
            (claim.run, claim.token, claim.tables[table], stream, bool(claim.narrow or claim.held)),
        ).fetchone()
        if row is None or row[0] is None:
            return None
        given = dict(row[0])
        opened = ClaimedInput(start=given.pop("from"), **given)
        self._inputs[table, stream] = opened
        return opened

    def _writer(self, name: str) -> TableWriter:
        writer = self._writers.get(name)
        if writer is None:
            table = self._writes.get(name)
            if table is None:
                self.table_opened(name, "w", schema=None, required=True)
            same = next((w for w in self._writers.values() if w.name == table), None)
            writer = same or TableWriter(
                self._connection, self._number(name), str(table), self._casters.get(str(table))
            )
            self._writers[name] = writer
        return writer

    def _version(self, name: str) -> tuple[int, int]:
        """Give base and watermark of the version to read: the claim's, or the newest for a written table."""
        table = self._table_name(name)
        for given in self._claim.inputs:
            if given.name == table:
                return given.base, given.last
        row = self._connection.execute(
            "select base, last from patterns_os.head(%s)", (self._claim.tables[table],)
        ).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def _table_name(self, name: str) -> str:
        table = self._reads.get(name) or self._writes.get(name)
        if table is None:
            raise TableError(f'Table "{name}" is not connected', code="undeclared-table")
        return table

    def _number(self, name: str) -> int:
        return self._claim.tables[self._table_name(name)]

    def _relation(self, name: str) -> str:
        return self._relation_of(self._number(name))

    def _relation_of(self, table: int) -> str:
        relation = self._relations.get(table)
        if relation is None:
            row = self._connection.execute("select patterns_os.relation(%s)", (table,)).fetchone()
            relation = str(row[0]) if row else ""
            self._relations[table] = relation
        return relation

    def _pending_bytes(self) -> int:
        return sum(writer.staged_bytes for writer in self._writers.values())

    def _check_alive(self) -> None:
        if self._ended:
            raise RunEndedError


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
