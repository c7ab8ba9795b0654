"""What is found while a script is followed, and how that becomes an `Analysis`."""

import ast
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patterns_os.diagnostics import Diagnostic, Severity, quote
from patterns_os.graph.python_modules import Module
from patterns_os.graph.python_values import (
    Column,
    Fields,
    Known,
    Listed,
    Opaque,
    Opened,
    Value,
    each,
    is_constant,
    provenance,
)
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    Access,
    Analysis,
    ColumnFlow,
    ColumnRead,
    ColumnSource,
    Derivation,
    Observation,
    Observed,
    Unknown,
    Use,
)

STREAMING = frozenset({"as_stream"})
READING = frozenset({"read", "read_sql", "read_dataframe", "exists", "record_count"})
WRITING = frozenset({"append", "upsert", "replace", "truncate", "reset", "delete"})
FILE_READING = frozenset({"read", "read_text", "read_bytes"})
FILE_WRITING = frozenset({"write", "write_text", "write_bytes"})

Place = tuple[Module, ast.AST]


@dataclass(slots=True)
class _Flow:
    """What is known of one column that one call writes, over all ways that lead to the call."""

    place: Place
    sources: set[Column] = field(default_factory=set)
    derivations: set[Derivation | None] = field(default_factory=set)
    types: set[str | None] = field(default_factory=set)
    nullable: set[bool | None] = field(default_factory=set)
    reason: str | None = None


@dataclass(slots=True)
class _Read:
    place: Place
    optional: bool
    types: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Findings:
    """Filled while a script is followed; the same thing found again counts once.

    Attributes:
        is_stream_loose: Whether something is streamed of which nobody knows what it is.
        _always: The columns that every row has that is written to a port.
    """

    is_stream_loose: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _uses: dict[object, tuple[Place, Opened | Use]] = field(default_factory=dict)
    _touched: dict[Opened, set[str]] = field(default_factory=dict)
    _unknown: dict[object, tuple[Place, str]] = field(default_factory=dict)
    _flows: dict[tuple[str, str, int], _Flow] = field(default_factory=dict)
    _reads: dict[tuple[str, str, int], _Read] = field(default_factory=dict)
    _always: dict[str, frozenset[Hashable]] = field(default_factory=dict)
    _observed: dict[tuple[Observed, str, int], Place] = field(default_factory=dict)

    def open(self, handle: Opened) -> None:
        """Note that a store is opened."""
        if handle not in self._uses:
            self._uses[handle] = ((handle.module, handle.call), handle)
            self._touched[handle] = set()

    def touch(self, handle: Opened, name: str) -> None:
        """Note what is called on a handle."""
        self._touched.setdefault(handle, set()).add(name)

    def use(self, place: Place, kind: str, name: str, detail: Mapping[str, Any]) -> None:
        """Note that a model, parameter, secret, connection or State is asked for."""
        module, node = place
        use = Use(kind=kind, name=name, access=None, where=module.locate(node), detail=detail)
        self._uses.setdefault((kind, name, id(node)), (place, use))

    def take_back(self, kind: str, node: object) -> None:
        """Forget what the node asks for: something else was meant by it."""
        for key, (_, use) in list(self._uses.items()):
            if isinstance(use, Use) and key == (kind, use.name, id(node)):
                del self._uses[key]

    def miss(self, place: Place, reason: str) -> None:
        """Note a mention that cannot be told."""
        self._unknown.setdefault((reason, id(place[1])), (place, reason))

    def observe(self, kind: Observed, name: str, place: Place) -> None:
        """Note what a rule wants to know."""
        self._observed.setdefault((kind, name, id(place[1])), place)

    def forget(self, kind: Observed, node: object) -> None:
        """Take back what was noted of the node, since it is put right later on."""
        for key in [key for key in self._observed if key[0] is kind and key[2] == id(node)]:
            del self._observed[key]

    def read(self, port: str, column: str, place: Place, *, optional: bool) -> tuple[str, str, int]:
        """Note that a column is read; what is returned names the read for `need`."""
        key = (port, column, id(place[1]))
        found = self._reads.setdefault(key, _Read(place, optional))
        found.optional = found.optional and optional
        return key

    def need(self, read: object, column_type: str) -> None:
        """Note which type the use of a value that was read needs."""
        found = self._reads.get(read)  # type: ignore[call-overload] # any other key is not there
        if found is not None:
            found.types.add(column_type)

    def write(self, port: str, written: Value, place: Place) -> None:
        """Note what is written to a table: rows, or one row."""
        for value in each(written):
            if isinstance(value, Fields):
                self._write_row(port, value, place)
            elif isinstance(value, Listed):
                for item in value.items:
                    self.write(port, item, place)
                if value.rest is not None:
                    self.write(port, value.rest, place)
            elif isinstance(value, Opaque):
                self.lose(port, value.reason, place)
            elif not isinstance(value, Known):
                self.lose(port, "it is no dictionary that the text shows", place)

    def lose(self, port: str, reason: str, place: Place) -> None:
        """Note that nobody can tell which columns are written."""
        flow = self._flow(port, EVERY_COLUMN, place, place)
        flow.reason = flow.reason or reason

    def give_up(self, place: Place, reason: str) -> None:
        """Note that the rest of the script was not followed."""
        self.miss(place, reason)
        for port in dict.fromkeys(
            handle.name for handle in self._touched if handle.kind == "table" and handle.mode == "w"
        ):
            self.lose(port, reason, place)

    def report(self, diagnostic: Diagnostic) -> None:
        """Note what is wrong, once."""
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    def check_writable(self, handle: Opened, name: str, place: Place) -> None:
        """Warn where a table that is opened for reading is written."""
        if handle.kind != "table" or handle.mode != "r":
            return
        quoted = quote(handle.name)
        self.report(
            Diagnostic(
                code="table-mode",
                message=f"table {quoted} is opened for reading, but the script calls its .{name}().",
                where=place[0].locate(place[1]),
                hint=f'open it with Table({quoted}, "w")',
                severity=Severity.WARNING,
            )
        )

    def analysis(self, order: Mapping[str, int]) -> Analysis:
        """Give everything, in source order; `order` gives the rank of each file."""

        def rank(place: Place) -> tuple[int, int, int]:
            module, node = place
            return order[module.file], getattr(node, "lineno", 1), getattr(node, "col_offset", 0)

        uses = sorted(self._uses.values(), key=lambda pair: rank(pair[0]))
        unknown = sorted(self._unknown.values(), key=lambda pair: rank(pair[0]))
        flows = sorted(
            self._flows.items(),
            key=lambda pair: (rank(pair[1].place), pair[0][1] == EVERY_COLUMN, pair[0][:2]),
        )
        reads = sorted(self._reads.items(), key=lambda pair: (rank(pair[1].place), pair[0][:2]))
        observed = sorted(self._observed.items(), key=lambda pair: rank(pair[1]))
        return Analysis(
            uses=tuple(_once_each(use for _, found in uses for use in self._as_uses(found))),
            unknown=tuple(
                dict.fromkeys(
                    Unknown(reason=reason, where=module.locate(node)) for (module, node), reason in unknown
                )
            ),
            imports=tuple(file for file in order if order[file]),
            flows=tuple(
                _as_flow(key, flow, is_always=key[1] in self._always.get(key[0], ())) for key, flow in flows
            ),
            reads=tuple(_as_read(key, read) for key, read in reads),
            observations=tuple(
                Observation(kind=kind, name=name, where=module.locate(node))
                for (kind, name, _), (module, node) in observed
            ),
        )

    def _write_row(self, port: str, row: Fields, place: Place) -> None:
        certain = frozenset(key for key, entry in row.entries.items() if not entry.may_lack)
        old = self._always.get(port)
        self._always[port] = certain if old is None else old & certain
        for key, entry in row.entries.items():
            # Keys that are ours are left out of what is written.
            if isinstance(key, str) and not key.startswith("patterns_"):
                self._add(self._flow(port, key, place, (entry.module, entry.node)), entry.value)
        for remainder in row.rest:
            if remainder.reason is not None:
                self.lose(port, remainder.reason, place)
            else:
                self._add(self._flow(port, EVERY_COLUMN, place, place), remainder.value)

    def _flow(self, port: str, column: str, call: Place, place: Place) -> _Flow:
        return self._flows.setdefault((port, column, id(call[1])), _Flow(place))

    def _add(self, flow: _Flow, value: Value) -> None:
        for part in each(value):
            sources, is_lost = provenance((part,))
            flow.sources |= sources
            flow.types.add(_type_of(part))
            flow.nullable.add(_is_nullable(part))
            flow.derivations.add(_derivation(part))
            if is_lost:
                reason = part.reason if isinstance(part, Opaque) else "a part of the value cannot be told"
                flow.reason = flow.reason or reason

    def _as_uses(self, found: Opened | Use) -> Iterator[Use]:
        if isinstance(found, Use):
            yield found
            return
        touched = self._touched[found]
        for access in self._accesses(found, touched) if found.kind == "table" else _file_accesses(touched):
            detail: dict[str, Any] = {"required": False} if _is_optional(found.call) else {}
            if access is Access.WRITE and found.kind == "table":
                detail["methods"] = tuple(sorted(touched & WRITING))
            where = found.module.locate(found.call)
            yield Use(kind=found.kind, name=found.name, access=access, where=where, detail=detail)

    def _accesses(self, handle: Opened, touched: set[str]) -> Iterator[Access]:
        streamed, read = bool(touched & STREAMING), bool(touched & READING)
        if handle.mode == "w":
            yield Access.WRITE
        elif not streamed and not read and self.is_stream_loose and not touched & WRITING:
            # The handle went somewhere that cannot be followed, and something there is streamed.
            streamed = True
        if streamed:
            yield Access.STREAM
        if read or (handle.mode == "r" and not streamed):
            yield Access.READ


def constant_type(value: object) -> str | None:
    """Give the column type of a constant; `None` for None and for what no column holds."""
    return _CONSTANT_TYPES.get(type(value))


_CONSTANT_TYPES = {bool: "bool", int: "bigint", float: "double", str: "text", bytes: "bytea"}


def _type_of(value: Value) -> str | None:
    if isinstance(value, Known):
        # None is of every type.
        return "" if value.value is None else constant_type(value.value)
    if isinstance(value, Opaque):
        return value.type
    return "jsonb" if isinstance(value, Fields | Listed) else None


def _is_nullable(value: Value) -> bool | None:
    if isinstance(value, Known):
        return value.value is None
    if isinstance(value, Opaque):
        return False if value.is_present else None
    return False


def _derivation(value: Value) -> Derivation | None:
    if isinstance(value, Known) and value.value is None:
        return None
    if isinstance(value, Opaque) and value.is_copied:
        return Derivation.COPIED
    return Derivation.CONSTANT if is_constant(value) else Derivation.COMPUTED


def _as_flow(key: tuple[str, str, int], flow: _Flow, *, is_always: bool) -> ColumnFlow:
    port, column, _ = key
    module, node = flow.place
    where = module.locate(node)
    if flow.reason is not None:
        unknown = Unknown(reason=flow.reason, where=where)
        return ColumnFlow(table=port, column=column, unknown=unknown, where=where)
    # A None among other values changes neither where they come from nor their type.
    derivations = {found for found in flow.derivations if found is not None} or {Derivation.CONSTANT}
    types = flow.types - {""}
    # A column is null in the rows that lack it.
    nullable = True if True in flow.nullable else None if None in flow.nullable or not is_always else False
    return ColumnFlow(
        table=port,
        column=column,
        sources=tuple(ColumnSource(table=table, column=source) for table, source in sorted(flow.sources)),
        derivation=derivations.pop() if len(derivations) == 1 else Derivation.COMPUTED,
        type=types.pop() if len(types) == 1 else None,
        nullable=nullable,
        where=where,
    )


def _as_read(key: tuple[str, str, int], read: _Read) -> ColumnRead:
    port, column, _ = key
    module, node = read.place
    return ColumnRead(
        table=port,
        column=column,
        where=module.locate(node),
        type=next(iter(read.types)) if len(read.types) == 1 else None,
        optional=read.optional,
    )


def _file_accesses(touched: set[str]) -> list[Access | None]:
    pairs = ((Access.WRITE, FILE_WRITING), (Access.READ, FILE_READING))
    found: list[Access | None] = [access for access, names in pairs if touched & names]
    return found or [None]


def _is_optional(call: ast.Call) -> bool:
    """Tell whether the call says `required=False`: the table need not be there."""
    return any(
        keyword.arg == "required" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def _once_each(uses: Iterable[Use]) -> Iterator[Use]:
    seen = set()
    for use in uses:
        key = (use.kind, use.name, use.access, use.where)
        if key not in seen:
            seen.add(key)
            yield use
