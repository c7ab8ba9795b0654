"""What a JavaScript or TypeScript script touches, read from its text: never imported, never executed."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from patterns_os.diagnostics import Diagnostic, Location, Severity, quote
from patterns_os.graph.imports import follow_imports
from patterns_os.graph.javascript_evaluator import Evaluator
from patterns_os.graph.javascript_modules import (
    FUNCTIONS,
    Module,
    Syntax,
    find_import,
    key_of,
    parse_module,
)
from patterns_os.graph.javascript_reach import without_unreached
from patterns_os.graph.javascript_values import (
    READING_ROWS,
    READING_SQL,
    SDK_NAMES,
    STREAMING,
    Cell,
    Computed,
    Entry,
    Environment,
    Items,
    Known,
    Opaque,
    Opened,
    Routine,
    Row,
    Sdk,
    Shape,
    Value,
    Values,
    reason_of,
    sources_of,
)
from patterns_os.graph.python_modules import too_deep
from patterns_os.graph.sources import Sources
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
from patterns_os.rows.types import ColumnType

READING = READING_ROWS | READING_SQL | {"exists", "recordCount", "record_count"}
FILLING = frozenset({"append", "upsert", "replace"})
WRITING = FILLING | {"truncate", "reset", "delete"}
FILE_READING = frozenset({"read", "readText", "read_text", "readBytes", "read_bytes"})
MODES = ("r", "w")

_TOUCHES = STREAMING | READING | WRITING | FILE_READING | {"write"}
_NAMED = frozenset({"Model", "Parameter", "Secret", "Connection"})
_HTTP_CLIENTS = frozenset({"axios", "got", "ky", "needle", "superagent", "undici", "node-fetch", "request"})
_CHANGING = frozenset({"post", "put", "patch", "delete"})
_HIDING = frozenset({"eval", "Function"})
_TYPE_NAMES = {"Number": "float", "String": "str", "Boolean": "bool", "Date": "datetime", "Array": "list"}


def analyse_javascript(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    """Give what the script and the app's modules that it imports touch.

    Uses are in source order: the script's own first, then those of its imports. A script that does not parse
    has an empty analysis and one diagnostic; a broken import has one too, and the rest is still analysed.
    """
    try:
        return _analyse(file, source, sources)
    except (RecursionError, MemoryError):
        return Analysis(), [too_deep(file)]


def _analyse(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    modules, diagnostics = follow_imports(
        file, source, sources, parse_module, lambda name, module: _imported(name, module, sources)
    )
    if file not in modules:
        return Analysis(), diagnostics
    modules = without_unreached(file, modules)
    survey = _Survey(Evaluator(modules, sources))
    for module in modules.values():
        survey.look_at_calls(module)
    for module in modules.values():
        survey.look_at_accesses(module)
        survey.look_at_columns(module)
        survey.look_at_effects(module)
    if survey.evaluator.is_exhausted:
        reason = "the script has too many cases to follow"
        survey.unknown.append(Unknown(reason=reason, where=Location(file=file)))
    analysis = Analysis(
        uses=tuple(_once_each(survey.uses())),
        unknown=tuple(dict.fromkeys(survey.unknown)),
        imports=tuple(name for name in modules if name != file),
        flows=tuple(dict.fromkeys(survey.flows)),
        reads=tuple(dict.fromkeys(survey.reads)),
        observations=tuple(dict.fromkeys(survey.observations)),
    )
    return analysis, [*diagnostics, *survey.diagnostics]


def _imported(name: str, module: Module, sources: Sources) -> Iterator[str]:
    found = (find_import(name, imported, sources) for imported in module.imports)
    yield from (file for file in found if file is not None)


@dataclass(frozen=True, slots=True)
class _Mention:
    """A call that opens a store, in one case."""

    handle: Opened
    module: Module
    is_optional: bool


@dataclass(slots=True)
class _Survey:
    evaluator: Evaluator
    unknown: list[Unknown] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    flows: list[ColumnFlow] = field(default_factory=list)
    reads: list[ColumnRead] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    _touched: dict[tuple[Syntax, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _found: list[_Mention | Use] = field(default_factory=list)
    _loose_stream: bool = False
    _once: set[Syntax] = field(default_factory=set)

    def look_at_calls(self, module: Module) -> None:
        """Note every call of the SDK, in source order."""
        for call in module.of("call_expression", "new_expression"):
            callee = _callee(call)
            if callee is None or callee.kind not in {"identifier", "member_expression", "import"}:
                continue
            hidden = self._hidden(call, callee, module)
            if hidden is not None:
                self.unknown.append(Unknown(reason=hidden, where=module.locate(call)))
                continue
            values = self.evaluator.evaluate(callee, module)
            self._look_for_passed_on(call, module)
            for name in sorted({value.name for value in values if isinstance(value, Sdk)} & SDK_NAMES):
                self._look_at_sdk(call, name, module)

    def look_at_accesses(self, module: Module) -> None:
        """Note what is called on each handle, wherever it went inside the app."""
        written: dict[str, int] = {}
        for node in module.of("member_expression", "for_in_statement", "spread_element"):
            if node.kind == "member_expression":
                method = key_of(module, node)
                if method in _TOUCHES and "object" in node.fields:
                    self._touch(node, node.fields["object"], method or "", module, written)
            else:
                iterable = node.fields.get("right") if node.kind == "for_in_statement" else node.children[0]
                if iterable is not None and iterable.kind in {
                    "identifier",
                    "member_expression",
                    "new_expression",
                }:
                    self._touch(node, iterable, "read", module, written)

    def look_at_columns(self, module: Module) -> None:
        """Note the columns that are written and read."""
        for call in module.of("call_expression"):
            callee = _callee(call)
            if (
                callee is not None
                and callee.kind == "member_expression"
                and key_of(module, callee) in FILLING
            ):
                for pins in self.evaluator.environments(call, module):
                    self._look_at_filling(call, callee.fields["object"], module, pins)
        reads: list[tuple[int, ColumnRead]] = []
        for node in module.of("member_expression", "subscript_expression"):
            reads += self._member_reads(node, module)
        for pattern in module.of("object_pattern", "array_pattern"):
            for target, row, column, optional in self.evaluator.destructured(pattern, module):
                reads.append((target.start, self._read(row, column, target, module, optional=optional)))
        self.reads += [read for _, read in sorted(reads, key=lambda found: found[0])]

    def look_at_effects(self, module: Module) -> None:
        """Note calls that change something outside and are not within `once`."""
        for call in module.of("call_expression"):
            name = self._effect(call, module)
            if name is not None and not self._is_within_once(call, module, set()):
                effect = Observation(kind=Observed.EFFECT, name=name, where=module.locate(call))
                self.observations.append(effect)

    def uses(self) -> Iterator[Use]:
        """Give the uses; a handle that is read and written gives one each."""
        for found in self._found:
            if isinstance(found, Use):
                yield found
                continue
            handle = found.handle
            touched = self._touched[handle.call, handle.name]
            is_table = handle.kind == "table"
            for access in (
                self._table_accesses(handle, touched) if is_table else _file_accesses(handle, touched)
            ):
                yield Use(
                    kind=handle.kind,
                    name=handle.name,
                    access=access,
                    where=found.module.locate(handle.call),
                    detail={"required": False} if found.is_optional else {},
                )

    # -- what is opened

    def _hidden(self, call: Syntax, callee: Syntax, module: Module) -> str | None:
        if callee.kind not in {"identifier", "import"}:
            return None
        name = module.text(callee)
        given = self.evaluator.arguments(call)
        if name in _HIDING and not _is_defined(callee, name):
            return f'"{name}" runs code that the text does not show'
        if name in {"require", "import"} and not (given and given[0].kind == "string"):
            values = self.evaluator.evaluate(given[0], module) if given else ()
            if not values or not all(isinstance(value, Known) for value in values):
                return f'"{name}" loads a module that only run time knows'
        return None

    def _look_at_sdk(self, call: Syntax, name: str, module: Module) -> None:
        if name == "State":
            self._found.append(Use(kind="state", name="", access=None, where=module.locate(call)))
        elif name in {"Table", "File"}:
            for pins in self.evaluator.environments(call, module):
                optional = self.evaluator.option(call, "required", module, pins) == (Known(False),)
                for value in self.evaluator.opened(call, name, module, pins):
                    self._note_opened(value, name, call, module, is_optional=optional)
        elif name in _NAMED:
            for pins in self.evaluator.environments(call, module):
                self._note_named(call, name, module, pins)
        elif name == "once":
            for argument in self.evaluator.arguments(call)[1:2]:
                found = self.evaluator.evaluate(argument, module)
                self._once |= {value.node for value in found if isinstance(value, Routine)}

    def _note_opened(
        self, value: Value, name: str, call: Syntax, module: Module, *, is_optional: bool
    ) -> None:
        if isinstance(value, Opened) and value.kind == "table" and value.mode not in MODES:
            self.diagnostics.append(
                Diagnostic(
                    code="table-mode",
                    message=f"table {quote(value.name)} is opened with the unknown mode {quote(value.mode)}.",
                    where=module.locate(call),
                    known=("known modes", MODES),
                )
            )
        elif isinstance(value, Opened):
            self._found.append(_Mention(value, module, is_optional))
        else:
            self._note_unknown(name, reason_of(value), call, module)

    def _note_named(self, call: Syntax, name: str, module: Module, pins: Environment) -> None:
        given = self.evaluator.arguments(call)
        names = self.evaluator.evaluate(given[0], module, pins) if given else ()
        if not names:
            self._note_unknown(name, "no name is given", call, module)
        for value in names:
            if isinstance(value, Known) and isinstance(value.value, str):
                detail = self._detail(call, name, module, pins)
                use = Use(
                    kind=name.lower(), name=value.value, access=None, where=module.locate(call), detail=detail
                )
                self._found.append(use)
            else:
                self._note_unknown(name, reason_of(value), call, module)

    def _detail(self, call: Syntax, name: str, module: Module, pins: Environment) -> dict[str, Any]:
        detail: dict[str, Any] = {}
        for key in ("type", "default"):
            values = self.evaluator.option(call, key, module, pins)
            if len(values) == 1 and isinstance(values[0], Known) and values[0].value is not None:
                detail[key] = values[0].value
        if name == "Parameter":
            detail["required"] = not self.evaluator.option(call, "default", module, pins)
            written = self._constructor_named(call, module)
            if written is not None:
                detail["type"] = written
        return detail

    def _constructor_named(self, call: Syntax, module: Module) -> str | None:
        for options in self.evaluator.arguments(call)[1:]:
            for pair in options.children if options.kind == "object" else ():
                if pair.kind == "pair" and key_of(module, pair) == "type":
                    return _TYPE_NAMES.get(module.text(pair.fields["value"]))
        return None

    def _note_unknown(self, name: str, reason: str, call: Syntax, module: Module) -> None:
        text = f"the name of a {name} cannot be told: {reason}"
        self.unknown.append(Unknown(reason=text, where=module.locate(call)))

    def _look_for_passed_on(self, call: Syntax, module: Module) -> None:
        for argument in self.evaluator.arguments(call):
            if argument.kind in {"identifier", "member_expression"}:
                for value in self.evaluator.evaluate(argument, module):
                    if isinstance(value, Sdk) and value.name in {"Table", "File"}:
                        reason = f'"{value.name}" is passed on as a value, so what it opens cannot be told'
                        self.unknown.append(Unknown(reason=reason, where=module.locate(call)))

    # -- what is done with it

    def _touch(
        self, node: Syntax, base: Syntax, method: str, module: Module, written: dict[str, int]
    ) -> None:
        values = self.evaluator.evaluate(base, module)
        handles = [value for value in values if isinstance(value, Opened)]
        for handle in handles:
            self._touched[handle.call, handle.name].add(method)
            if handle.kind == "table":
                self._note_order(handle, method, node, module, written)
        if method in STREAMING and not handles:
            self._loose_stream = True
        if method in WRITING and len(values) == 1 and handles:
            self._check_writable(handles[0], method, node, module)

    def _note_order(
        self, handle: Opened, method: str, node: Syntax, module: Module, written: dict[str, int]
    ) -> None:
        if method in WRITING:
            written.setdefault(handle.name, node.start)
        elif method in READING and written.get(handle.name, node.start) < node.start:
            kind = Observed.READ_AFTER_WRITE
            self.observations.append(Observation(kind=kind, name=handle.name, where=module.locate(node)))

    def _check_writable(self, handle: Opened, method: str, node: Syntax, module: Module) -> None:
        if handle.kind != "table" or handle.mode != "r":
            return
        name = quote(handle.name)
        self.diagnostics.append(
            Diagnostic(
                code="table-mode",
                message=f"table {name} is opened for reading, but the script calls its .{method}().",
                where=module.locate(node),
                hint=f'open it with new Table({name}, "w")',
                severity=Severity.WARNING,
            )
        )

    def _table_accesses(self, handle: Opened, touched: set[str]) -> Iterator[Access]:
        streamed, read = bool(touched & STREAMING), bool(touched & READING)
        if handle.mode == "w":
            yield Access.WRITE
        elif not streamed and not read and self._loose_stream and not touched & WRITING:
            # The handle went somewhere that cannot be followed, and something there is streamed.
            streamed = True
        if streamed:
            yield Access.STREAM
        if read or (handle.mode == "r" and not streamed):
            yield Access.READ

    # -- columns

    def _look_at_filling(self, call: Syntax, base: Syntax, module: Module, pins: Environment) -> None:
        tables = [
            value
            for value in self.evaluator.evaluate(base, module, pins)
            if isinstance(value, Opened) and value.kind == "table"
        ]
        given = self.evaluator.arguments(call)
        for table in tables:
            for value in self.evaluator.evaluate(given[0], module, pins) if given else ():
                self.flows += _flows(table.name, value, given[0], module)

    def _member_reads(self, node: Syntax, module: Module) -> Iterator[tuple[int, ColumnRead]]:
        base, parent = node.fields.get("object"), node.parent
        if base is None or base.kind == "this":
            return
        is_written = parent is not None and (
            (parent.kind == "assignment_expression" and parent.fields.get("left") is node)
            or parent.fields.get("function") is node
        )
        if is_written:
            return
        for value in self.evaluator.evaluate(base, module):
            row = _own_row(value)
            key = self.evaluator.key(node, module, {}) if row is not None else None
            if row is not None and key is not None and key not in row.without and not _sets(value, key):
                optional = _is_optional_place(node, module)
                place = node.fields.get("property") or node.fields.get("index") or node
                yield node.end, self._read(row, key, place, module, optional=optional)

    def _read(self, row: Row, column: str, node: Syntax, module: Module, *, optional: bool) -> ColumnRead:
        return ColumnRead(table=row.table, column=column, where=module.locate(node), optional=optional)

    # -- effects

    def _effect(  # noqa: PLR0911 - a table of all that is called
        self, call: Syntax, module: Module
    ) -> str | None:
        callee = _callee(call)
        if callee is None:
            return None
        given = self.evaluator.arguments(call)
        if callee.kind == "identifier":
            name = module.text(callee)
            if name == "fetch" and (not _is_defined(callee, name) or self._is_client(callee, module)):
                return "fetch" if self._changes(given[1:2], module) else None
            if self._is_client(callee, module):
                return name if self._changes(given[:2], module) else None
            return None
        base = callee.fields.get("object")
        if callee.kind != "member_expression" or base is None or base.kind != "identifier":
            return None
        method, owner = key_of(module, callee) or "", module.text(base)
        if owner == "globalThis" and method == "fetch":
            return "fetch" if self._changes(given[1:2], module) else None
        if not self._is_client(base, module):
            return None
        changes = method in _CHANGING or (method in {"request", "fetch"} and self._changes(given[:2], module))
        return f"{owner}.{method}" if changes else None

    def _changes(self, options: list[Syntax], module: Module) -> bool:
        """Tell whether the options of a request name a method that changes something."""
        for argument in options:
            for value in self.evaluator.evaluate(argument, module):
                for entry in value.entries if isinstance(value, Shape) else ():
                    methods = entry.values if entry.key == "method" else ()
                    if any(isinstance(one, Known) and str(one.value).lower() in _CHANGING for one in methods):
                        return True
        return False

    def _is_client(self, name: Syntax, module: Module) -> bool:
        wanted = {f'"{client}" is imported from outside the app' for client in _HTTP_CLIENTS}
        values = self.evaluator.evaluate(name, module)
        return any(isinstance(value, Computed) and value.reason in wanted for value in values)

    def _is_within_once(self, node: Syntax, module: Module, seen: set[Syntax]) -> bool:
        function = node.parent
        while function is not None and function.kind not in FUNCTIONS:
            function = function.parent
        if function is None or function in seen:
            return False
        if function in self._once:
            return True
        seen.add(function)
        sites = self.evaluator.sites_of(function)
        inline = function.parent is not None and function.parent.kind == "arguments"
        if inline:
            return self._is_within_once(function, module, seen)
        return bool(sites) and all(self._is_within_once(call, home, seen) for home, call in sites)


def _flows(table: str, value: Value, node: Syntax, module: Module) -> Iterator[ColumnFlow]:
    """Give the flows of a value that is appended: a row, or a list of rows."""
    pending: list[Value] = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, Items):
            pending += [part for item in reversed(one.items) for part in reversed(item)]
        elif isinstance(one, Shape):
            yield from _shape_flows(table, one)
        elif isinstance(one, Row):
            entry = Entry(None, (one,), node, module, spread=True)
            yield from _shape_flows(table, Shape((entry,)))
        elif one != Known(None):
            where = module.locate(node)
            reason = one.reason if isinstance(one, Opaque) else "the rows are known only at run time"
            unknown = Unknown(reason=reason, where=where)
            yield ColumnFlow(table=table, column=EVERY_COLUMN, unknown=unknown, where=where)


def _shape_flows(table: str, shape: Shape) -> Iterator[ColumnFlow]:
    last = {entry.key: place for place, entry in enumerate(shape.entries) if entry.key is not None}
    for place, entry in enumerate(shape.entries):
        if entry.key is None:
            yield from _spread_flows(table, entry, shape.entries[place + 1 :])
        elif last[entry.key] == place:
            values = entry.values
            for later in shape.entries[place + 1 :]:
                if later.key is None:
                    values += tuple(
                        Cell(value.table, entry.key)
                        for value in later.values
                        if isinstance(value, Row) and entry.key not in value.without
                    )
            yield _flow(table, entry.key, values, entry)


def _spread_flows(table: str, entry: Entry, later: tuple[Entry, ...]) -> Iterator[ColumnFlow]:
    where = entry.module.locate(entry.node)
    if not entry.spread:
        unknown = Unknown(reason="the name of a column is known only at run time", where=where)
        yield ColumnFlow(table=table, column=EVERY_COLUMN, unknown=unknown, where=where)
        return
    overwritten = {one.key for one in later}
    for value in entry.values:
        if isinstance(value, Row) and value.without <= overwritten:
            source = ColumnSource(table=value.table, column=EVERY_COLUMN)
            yield ColumnFlow(
                table=table, column=EVERY_COLUMN, sources=(source,), derivation=Derivation.COPIED, where=where
            )
            continue
        if isinstance(value, Row):
            left = ", ".join(quote(name) for name in sorted(value.without))
            reason = f"all columns of {quote(value.table)} except {left} are copied"
        elif isinstance(value, Opaque):
            reason = value.reason
        else:
            reason = "what is spread is known only at run time"
        yield ColumnFlow(
            table=table, column=EVERY_COLUMN, unknown=Unknown(reason=reason, where=where), where=where
        )


def _flow(table: str, column: str, values: Values, entry: Entry) -> ColumnFlow:
    where = entry.module.locate(entry.node)
    found: set[ColumnSource] = set()
    flow = ColumnFlow(table=table, column=column, where=where)
    for value in values:
        sources = sources_of(value)
        if isinstance(sources, Opaque):
            return replace(flow, unknown=Unknown(reason=sources.reason, where=where))
        found |= sources
    derivation = Derivation.COMPUTED
    if not found:
        derivation = Derivation.CONSTANT
    elif all(isinstance(value, Cell) for value in values):
        derivation = Derivation.COPIED
    kinds = {_type_of(value) for value in values if value != Known(None)}
    return replace(
        flow,
        sources=tuple(sorted(found)),
        derivation=derivation,
        type=next(iter(kinds)) if len(kinds) == 1 else None,
        nullable=_is_nullable(values),
    )


def _type_of(value: Value) -> str | None:  # noqa: PLR0911 - a table of all values
    match value:
        case Computed(type=ColumnType() as kind):
            return str(kind)
        case Known(bool()):
            return str(ColumnType.BOOL)
        case Known(int()):
            return str(ColumnType.BIGINT)
        case Known(float()):
            return str(ColumnType.DOUBLE)
        case Known(str()):
            return str(ColumnType.TEXT)
        case Items() | Shape():
            return str(ColumnType.JSONB)
        case _:
            return None


def _is_nullable(values: Values) -> bool | None:
    if Known(None) in values:
        return True
    return False if all(_type_of(value) is not None for value in values) else None


def _own_row(value: Value) -> Row | None:
    """Give the row that a value is, also where the script has set columns of its own."""
    if isinstance(value, Row):
        return value
    if isinstance(value, Shape):
        spread = [
            one for entry in value.entries if entry.key is None and entry.spread for one in entry.values
        ]
        return next((one for one in spread if isinstance(one, Row)), None)
    return None


def _sets(value: Value, key: str) -> bool:
    return isinstance(value, Shape) and any(entry.key == key for entry in value.entries)


def _is_optional_place(node: Syntax, module: Module) -> bool:
    """Tell whether the script goes on without the column: `r.x ?? 0`, `r.x || 0`, `r.x?.y`."""
    parent = node.parent
    if parent is None:
        return False
    if parent.kind == "binary_expression" and parent.fields.get("left") is node:
        right = parent.fields.get("right")
        operator = module.source[node.end : right.start].strip() if right is not None else b""
        return operator in {b"??", b"||"}
    asked = any(child.kind == "optional_chain" for child in parent.children)
    return parent.kind in {"member_expression", "subscript_expression"} and asked


def _file_accesses(handle: Opened, touched: set[str]) -> list[Access | None]:
    writes = bool(touched & {"write"}) or handle.mode[:1] in {"w", "a"}
    reads = bool(touched & FILE_READING)
    found = [access for access, seen in ((Access.WRITE, writes), (Access.READ, reads)) if seen]
    return [*found] or [None]


def _callee(call: Syntax) -> Syntax | None:
    return call.fields.get("function") or call.fields.get("constructor")


def _is_defined(node: Syntax, name: str) -> bool:
    scope = node.scope
    while name not in scope.names:
        if scope.outer is None:
            return False
        scope = scope.outer
    return True


def _once_each(uses: Iterator[Use]) -> Iterator[Use]:
    seen = set()
    for use in uses:
        key = (use.kind, use.name, use.access, use.where)
        if key not in seen:
            seen.add(key)
            yield use
