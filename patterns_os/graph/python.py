"""What a Python script touches, read from its text: never imported, never executed."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from patterns_os.diagnostics import Diagnostic, Location, Severity, quote
from patterns_os.graph.python_modules import (
    Imported,
    Module,
    find_import,
    parse_module,
    too_deep,
)
from patterns_os.graph.python_values import (
    SDK_NAMES,
    Environment,
    Evaluator,
    Known,
    Opaque,
    Opened,
    Sdk,
    Value,
    Values,
)
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import Access, Analysis, Unknown, Use

STREAMING = frozenset({"as_stream"})
READING = frozenset({"read", "read_sql", "read_dataframe", "exists", "record_count"})
WRITING = frozenset({"append", "upsert", "replace", "truncate", "reset", "delete"})
ITERATING = frozenset(
    {"list", "tuple", "set", "iter", "enumerate", "sorted", "reversed", "zip", "map", "filter", "sum"}
)
HIDING = frozenset({"exec", "eval", "__import__", "import_module"})
MODES = ("r", "w")

_NAMED = {
    "Model": ("name", "type"),
    "Parameter": ("name", "description", "type", "default"),
    "Secret": ("name",),
}


def analyse_python(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    """Give what the script and the app's modules that it imports touch.

    Uses are in source order: the script's own first, then those of its imports. A script that does not parse
    has an empty analysis and one diagnostic; a broken import has one too, and the rest is still analysed.
    """
    try:
        return _analyse(file, source, sources)
    except (RecursionError, MemoryError):
        return Analysis(), [too_deep(file)]


def _analyse(file: str, source: bytes, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    modules, diagnostics = _load(file, source, sources)
    if file not in modules:
        return Analysis(), diagnostics
    survey = _Survey(Evaluator(modules, sources))
    for module in modules.values():
        survey.look_at_calls(module)
    for module in modules.values():
        survey.look_at_accesses(module)
    if survey.evaluator.is_exhausted:
        reason = "the script has too many cases to follow"
        survey.unknown.append(Unknown(reason=reason, where=Location(file=file)))
    analysis = Analysis(
        uses=tuple(_once_each(survey.uses())),
        unknown=tuple(dict.fromkeys(survey.unknown)),
        imports=tuple(name for name in modules if name != file),
    )
    return analysis, [*diagnostics, *survey.diagnostics]


def _load(file: str, source: bytes, sources: Sources) -> tuple[dict[str, Module], list[Diagnostic]]:
    modules: dict[str, Module] = {}
    diagnostics: list[Diagnostic] = []
    pending = [(file, source)]
    seen = {file}
    while pending:
        name, content = pending.pop(0)
        module = parse_module(name, content)
        if isinstance(module, Diagnostic):
            diagnostics.append(module)
            continue
        modules[name] = module
        for found in _local_imports(module, sources):
            if found not in seen:
                seen.add(found)
                pending.append((found, sources[found]))
    return modules, diagnostics


def _local_imports(module: Module, sources: Sources) -> Iterator[str]:
    nodes = [node for node in module.nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in sorted(nodes, key=_position):
        if isinstance(node, ast.Import):
            wanted = [Imported(alias.name, 0, None) for alias in node.names]
        else:
            base = node.module or ""
            inner = [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
            wanted = [Imported(name, node.level, None) for name in [base, *inner]]
        for imported in wanted:
            found = find_import(module.file, imported, sources)
            if found is not None:
                yield found


@dataclass(slots=True)
class _Mention:
    """A call that opens a store, in one case; `where` orders mentions."""

    handle: Opened
    module: Module


@dataclass(slots=True)
class _Survey:
    evaluator: Evaluator
    unknown: list[Unknown] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _touched: dict[tuple[ast.Call, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _found: list[_Mention | Use] = field(default_factory=list)
    _loose_stream: bool = False

    def look_at_accesses(self, module: Module) -> None:
        """Note what is called on each handle, wherever it went inside the app."""
        for node in module.nodes:
            match node:
                case ast.Attribute(value=base, attr=attribute) if attribute in _TOUCHES:
                    self._touch(node, base, attribute, module)
                case ast.For(iter=iterable) | ast.AsyncFor(iter=iterable):
                    self._touch(node, iterable, "as_stream", module)
                case (
                    ast.ListComp(generators=generators)
                    | ast.SetComp(generators=generators)
                    | ast.DictComp(generators=generators)
                    | ast.GeneratorExp(generators=generators)
                ):
                    for generator in generators:
                        self._touch(node, generator.iter, "as_stream", module)
                case ast.YieldFrom(value=iterable) | ast.Starred(value=iterable):
                    self._touch(node, iterable, "as_stream", module)
                case ast.Call(func=ast.Name(id=name), args=arguments) if name in ITERATING:
                    for argument in arguments:
                        self._touch(node, argument, "as_stream", module)
                case ast.Call(func=ast.Attribute(attr="open"), args=arguments, keywords=keywords):
                    self._touch_opened_file(node, arguments, keywords, module)
                case _:
                    pass

    def look_at_calls(self, module: Module) -> None:
        """Note every call of the SDK, in source order."""
        nodes = [node for node in module.nodes if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)]
        for node in sorted(nodes, key=_position):
            if isinstance(node, ast.Call):
                self._look_at_call(node, module)
            elif _imports_openai(node):
                use = Use(
                    kind="model", name="", access=None, where=module.locate(node), detail={"import": "openai"}
                )
                self._found.append(use)

    def uses(self) -> Iterator[Use]:
        """Give the uses; a handle that is read and written gives one each."""
        for found in self._found:
            if isinstance(found, Use):
                yield found
                continue
            handle = found.handle
            touched = self._touched[handle.call, handle.name]
            accesses = (
                self._table_accesses(handle, touched) if handle.kind == "table" else _file_accesses(touched)
            )
            for access in accesses:
                yield Use(
                    kind=handle.kind,
                    name=handle.name,
                    access=access,
                    where=found.module.locate(handle.call),
                    detail={"required": False} if _is_optional(handle.call) else {},
                )

    def _touch(self, node: ast.AST, base: ast.expr, attribute: str, module: Module) -> None:
        values = self.evaluator.evaluate(base, module)
        handles = [value for value in values if isinstance(value, Opened)]
        for handle in handles:
            self._touched[handle.call, handle.name].add(attribute)
        if not isinstance(node, ast.Attribute):
            return
        if attribute in STREAMING and not handles:
            self._loose_stream = True
        if attribute in WRITING and len(values) == 1 and handles:
            self._check_writable(handles[0], attribute, node, module)

    def _touch_opened_file(
        self, node: ast.Call, arguments: list[ast.expr], keywords: list[ast.keyword], module: Module
    ) -> None:
        given = [keyword.value for keyword in keywords if keyword.arg == "mode"] or arguments[:1]
        modes: Values = self.evaluator.evaluate(given[0], module) if given else (Known("r"),)
        writes = any(isinstance(mode, Known) and set(str(mode.value)) & set("wax+") for mode in modes)
        function = node.func
        if isinstance(function, ast.Attribute):
            self._touch(node, function.value, "write" if writes else "read", module)

    def _check_writable(self, handle: Opened, attribute: str, node: ast.Attribute, module: Module) -> None:
        if handle.kind != "table" or handle.mode != "r":
            return
        name = quote(handle.name)
        self.diagnostics.append(
            Diagnostic(
                code="table-mode",
                message=f"table {name} is opened for reading, but the script calls its .{attribute}().",
                where=module.locate(node),
                hint=f'open it with Table({name}, "w")',
                severity=Severity.WARNING,
            )
        )

    def _look_at_call(self, node: ast.Call, module: Module) -> None:
        if _called_name(node) in HIDING:
            reason = f'"{_called_name(node)}" runs code that the text does not show'
            self.unknown.append(Unknown(reason=reason, where=module.locate(node)))
            return
        names = {
            value.name for value in self.evaluator.evaluate(node.func, module) if isinstance(value, Sdk)
        } & SDK_NAMES
        self._look_for_passed_on(node, module)
        for name in sorted(names):
            for pins in self.evaluator.environments(node, module):
                self._look_at_case(node, name, module, pins)

    def _look_at_case(self, node: ast.Call, name: str, module: Module, pins: Environment) -> None:
        if name in {"Table", "File"}:
            for value in self.evaluator.opened(node, name, module, pins):
                self._note_opened(value, name, node, module)
        elif name == "State":
            self._found.append(Use(kind="state", name="", access=None, where=module.locate(node)))
        elif name in _NAMED:
            self._note_named(node, name, module, pins)

    def _note_opened(self, value: Value, name: str, node: ast.Call, module: Module) -> None:
        if isinstance(value, Opened) and value.kind == "table" and value.mode not in MODES:
            self.diagnostics.append(
                Diagnostic(
                    code="table-mode",
                    message=f"table {quote(value.name)} is opened with the unknown mode {quote(value.mode)}.",
                    where=module.locate(node),
                    known=("known modes", MODES),
                )
            )
        elif isinstance(value, Opened):
            self._found.append(_Mention(value, module))
        elif isinstance(value, Opaque):
            self._note_unknown(name, value, node, module)

    def _note_named(self, node: ast.Call, name: str, module: Module, pins: Environment) -> None:
        given = self.evaluator.arguments(node, _NAMED[name], module, pins)
        for value in given.pop("name", (Opaque("no name is given"),)):
            if isinstance(value, Known) and isinstance(value.value, str):
                detail = self._detail(node, name, given)
                use = Use(
                    kind=name.lower(), name=value.value, access=None, where=module.locate(node), detail=detail
                )
                self._found.append(use)
            else:
                reason = value if isinstance(value, Opaque) else Opaque("the name is not a text")
                self._note_unknown(name, reason, node, module)

    def _detail(self, node: ast.Call, name: str, given: dict[str, Values]) -> dict[str, Any]:
        detail: dict[str, Any] = {}
        for key in ("type", "default"):
            values = given.get(key, ())
            if len(values) == 1 and isinstance(values[0], Known):
                detail[key] = values[0].value
        if name == "Parameter":
            detail["required"] = "default" not in given
            written = _parameter_type(node)
            if written:
                detail["type"] = written
        return detail

    def _note_unknown(self, name: str, value: Opaque, node: ast.Call, module: Module) -> None:
        reason = f"the name of a {name} cannot be told: {value.reason}"
        self.unknown.append(Unknown(reason=reason, where=module.locate(node)))

    def _look_for_passed_on(self, node: ast.Call, module: Module) -> None:
        if _called_name(node) in {"isinstance", "issubclass", "cast"}:
            return
        for argument in node.args:
            if isinstance(argument, ast.Name | ast.Attribute):
                for value in self.evaluator.evaluate(argument, module):
                    if isinstance(value, Sdk) and value.name in {"Table", "File"}:
                        reason = f'"{value.name}" is passed on as a value, so what it opens cannot be told'
                        self.unknown.append(Unknown(reason=reason, where=module.locate(node)))

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


_TOUCHES = STREAMING | READING | WRITING | {"write", "write_text", "write_bytes", "read_text", "read_bytes"}


def _file_accesses(touched: set[str]) -> list[Access | None]:
    writes = any(name.startswith("write") for name in touched)
    reads = any(name.startswith("read") for name in touched)
    found = [access for access, seen in ((Access.WRITE, writes), (Access.READ, reads)) if seen]
    return [*found] or [None]


def _imports_openai(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and (node.module or "").partition(".")[0] == "openai"
    return any(alias.name.partition(".")[0] == "openai" for alias in node.names)


def _is_optional(call: ast.Call) -> bool:
    """Tell whether the call says `required=False`: the table need not be there."""
    return any(
        keyword.arg == "required" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def _called_name(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _parameter_type(node: ast.Call) -> str | None:
    given = [keyword.value for keyword in node.keywords if keyword.arg == "type"] or node.args[2:3]
    match given:
        case [ast.Name(id=name) | ast.Attribute(attr=name)]:
            return name
        case [ast.Call() as call] if _called_name(call):
            return _called_name(call).lower()
        case _:
            return None


def _once_each(uses: Iterator[Use]) -> Iterator[Use]:
    seen = set()
    for use in uses:
        key = (use.kind, use.name, use.access, use.where)
        if key not in seen:
            seen.add(key)
            yield use


def _position(node: ast.Call | ast.Import | ast.ImportFrom) -> tuple[int, int]:
    return node.lineno, node.col_offset
