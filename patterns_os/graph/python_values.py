"""What the expressions of a script can be, as far as its text proves it; nothing is executed.

An expression has a tuple of possible values. What only run time knows is `Opaque(reason)`. Loops over literal
collections and calls of the script's own functions are followed case by case (an *environment* pins each loop
variable and parameter to one item), so that `for name, mode in [("a", "r"), ("b", "w")]` gives two tables and
not four.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product

from patterns_os.graph.python_modules import (
    COMPREHENSIONS,
    EACH,
    FUNCTIONS,
    Argument,
    Binding,
    Bound,
    Changed,
    Comprehension,
    Defined,
    Function,
    Imported,
    Loop,
    Module,
    Scope,
    arguments_of,
    find_import,
)

SDK_MODULE = "patterns"
SDK_NAMES = frozenset({"Table", "File", "Model", "Parameter", "State", "Secret", "Connection", "Stream"})
MOST_CASES = 500
"""Environments followed for one expression; a script with more gets `Opaque` for the rest."""
MOST_STEPS = 20_000
"""Expressions looked at in one script, which bounds the time of hostile sources."""
MOST_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Known:
    """A constant."""

    value: str | bytes | bool | int | float | complex | None


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A collection; each item has its possible values. Only dictionaries have `keys`.

    Compared by identity: comparing what is nested deeply would cost more than it saves.
    """

    items: tuple["Values", ...]
    keys: tuple["Values", ...] | None = None


@dataclass(frozen=True, slots=True)
class Sdk:
    """A name of the SDK; the empty name is the SDK module itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What `Table("x", "w")` returns: a handle on a store."""

    call: ast.Call
    kind: str
    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or class of the app."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module of the app."""

    module: Module


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that depends on run time."""

    reason: str


Value = Known | Items | Sdk | Opened | Routine | LocalModule | Opaque
Values = tuple[Value, ...]
Environment = Mapping[tuple[Scope, str], Values]
NOTHING: Environment = {}


@dataclass(slots=True)
class Evaluator:
    """Evaluates expressions of a script and of the app's modules that it imports.

    Attributes:
        modules: The modules by file, the script first.
        files: All files of the app, to resolve imports.
    """

    modules: Mapping[str, Module]
    files: Mapping[str, bytes]
    _steps: int = 0
    _cuts: int = 0
    _known: dict[tuple[ast.expr, frozenset[object]], Values] = field(default_factory=dict)
    _cases: dict[Scope, list[Environment]] = field(default_factory=dict)
    _imports: dict[tuple[str, Imported], Module | None] = field(default_factory=dict)
    _active: set[tuple[object, str]] = field(default_factory=set)
    _calls: dict[ast.AST, list[tuple[Module, ast.Call]]] | None = None
    _escaped: set[ast.AST] = field(default_factory=set)
    _indexing: bool = False

    @property
    def is_exhausted(self) -> bool:
        """Whether there was too much to follow, so that some values are not what the text proves."""
        return self._steps > MOST_STEPS

    def evaluate(self, node: ast.expr, module: Module, pins: Environment = NOTHING) -> Values:
        """Give the values that the expression can have, each once, in the order in which they are met."""
        key = (node, frozenset(pins.items()))
        if key in self._known:
            return self._known[key]
        self._steps += 1
        if self.is_exhausted:
            return (Opaque("the script has too many cases to follow"),)
        guard = (node, "")
        if guard in self._active or len(self._active) > MOST_DEPTH:
            return self._cut_short()
        cuts = self._cuts
        self._active.add(guard)
        try:
            found = _once(self._evaluate(node, module, pins))[:MOST_CASES]
        finally:
            self._active.discard(guard)
        # What was cut short on the way here may be known when it is asked for from elsewhere.
        if not self._indexing and self._cuts == cuts:
            self._known[key] = found
        return found

    def environments(self, call: ast.Call, module: Module) -> list[Environment]:
        """Give the cases in which the call is reached; none if it is inside a loop over nothing."""
        found = self._function_cases(module.scope_of[call], module)
        for loop in module.loops_of[call]:
            found = list(islice(self._loop_cases(loop, call, module, found), MOST_CASES))
        return found

    def arguments(
        self, call: ast.Call, names: tuple[str, ...], module: Module, pins: Environment
    ) -> dict[str, Values]:
        """Give the values of the call's arguments by parameter name; what is absent is not given.

        `names` are the parameters that can be given by position, in order.
        """
        given: dict[str, Values] = {}
        for name, argument in zip(names, call.args, strict=False):
            if isinstance(argument, ast.Starred):
                given[name] = (Opaque("the arguments are unpacked at run time"),)
                break
            given[name] = self.evaluate(argument, module, pins)
        for keyword in call.keywords:
            if keyword.arg is None:
                for name in names:
                    given.setdefault(name, (Opaque("the arguments are unpacked at run time"),))
            else:
                given[keyword.arg] = self.evaluate(keyword.value, module, pins)
        return given

    def _cut_short(self) -> Values:
        self._cuts += 1
        return (Opaque("the value depends on itself"),)

    def _evaluate(  # noqa: C901, PLR0911, PLR0912 - a table of all kinds of expressions
        self, node: ast.expr, module: Module, pins: Environment
    ) -> Values:
        match node:
            case ast.Constant(value=value):
                return (Opaque("the value is an ellipsis"),) if value is ... else (Known(value),)
            case ast.Name():
                return self._name(node, module, pins)
            case ast.Attribute():
                return self._attribute(node, module, pins)
            case ast.JoinedStr():
                return self._formatted(node, module, pins)
            case ast.BinOp(op=ast.Add()):
                return self._sum(node, module, pins)
            case ast.IfExp(body=body, orelse=orelse):
                return (*self.evaluate(body, module, pins), *self.evaluate(orelse, module, pins))
            case ast.BoolOp(values=values):
                return tuple(value for part in values for value in self.evaluate(part, module, pins))
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return (Items(tuple(self._elements(elements, module, pins))),)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return (
                    Items(
                        tuple(self.evaluate(value, module, pins) for value in values),
                        tuple(self.evaluate(key, module, pins) for key in keys if key is not None),
                    ),
                )
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return (self._comprehension(node, module, pins),)
            case ast.Subscript(value=base, slice=index):
                return self._subscript(base, index, module, pins)
            case ast.Call():
                return self._call(node, module, pins)
            case ast.NamedExpr(value=value) | ast.Await(value=value):
                return self.evaluate(value, module, pins)
            case ast.Lambda():
                return (Routine(module, node),)
            case _:
                return (Opaque(f"{_spelled(node)} is known only at run time"),)

    def _name(self, node: ast.Name, module: Module, pins: Environment) -> Values:
        scope: Scope | None = module.scope_of.get(node, module.tree)
        start = scope
        while scope is not None:
            if (scope, node.id) in pins:
                return pins[scope, node.id]
            # A class body is seen only from the body itself, not from its methods.
            visible = not isinstance(scope, ast.ClassDef) or scope is start
            if visible and node.id in module.scopes[scope]:
                return self._with_additions(
                    self._bindings(module.scopes[scope][node.id], node.id, module, pins),
                    node.id,
                    module,
                    pins,
                )
            scope = module.outer[scope]
        return self._undefined(node.id, module)

    def _undefined(self, name: str, module: Module) -> Values:
        for star in module.stars:
            if star.module == SDK_MODULE and name in SDK_NAMES:
                return (Sdk(name),)
            found = self._local(star, module)
            if found is not None and name in found.scopes[found.tree]:
                return self.member(found, name)
        return (Opaque(f'"{name}" is not defined in the script'),)

    def member(self, module: Module, name: str) -> Values:
        """Give the values of a module's top-level name."""
        guard = (module.tree, name)
        bindings = module.scopes[module.tree].get(name)
        if bindings is None:
            return (Opaque(f'"{module.file}" does not define "{name}"'),)
        if guard in self._active:
            return self._cut_short()
        self._active.add(guard)
        try:
            return self._with_additions(
                self._bindings(bindings, name, module, NOTHING), name, module, NOTHING
            )
        finally:
            self._active.discard(guard)

    def _bindings(self, bindings: list[Binding], name: str, module: Module, pins: Environment) -> Values:
        return _once(value for binding in bindings for value in self._binding(binding, name, module, pins))

    def _binding(self, binding: Binding, name: str, module: Module, pins: Environment) -> Values:
        match binding:
            case Bound(value, steps):
                return _stepped(self.evaluate(value, module, pins), steps, name)
            case Argument(function, argument):
                return self._argument(function, argument, module)
            case Defined(node):
                return (Routine(module, node),)
            case Imported():
                return self._imported(binding, module)
            case Changed(how):
                return (Opaque(how),)

    def _imported(self, imported: Imported, module: Module) -> Values:
        if imported.level == 0 and imported.module.partition(".")[0] == SDK_MODULE:
            return (Sdk(imported.name or ""),)
        if imported.name is not None:
            inner = self._local(Imported(_joined(imported), imported.level, None), module)
            if inner is not None:
                return (LocalModule(inner),)
        found = self._local(imported, module)
        if found is None:
            return (Opaque(f'"{imported.name or imported.module}" is imported from outside the app'),)
        return (LocalModule(found),) if imported.name is None else self.member(found, imported.name)

    def _local(self, imported: Imported, module: Module) -> Module | None:
        key = (module.file, imported)
        if key not in self._imports:
            file = find_import(module.file, imported, self.files)
            self._imports[key] = self.modules.get(file) if file else None
        return self._imports[key]

    def _with_additions(self, values: Values, name: str, module: Module, pins: Environment) -> Values:
        added = module.additions.get(name)
        if not added or not any(isinstance(value, Items) for value in values):
            return values
        more = tuple(
            (Opaque(f'"{name}" is filled at run time'),) if node is None else self._added(node, module, pins)
            for node in added
        )
        return tuple(
            Items((*value.items, *more), _more_keys(value.keys, len(more)))
            if isinstance(value, Items)
            else value
            for value in values
        )

    def _added(self, node: ast.expr, module: Module, pins: Environment) -> Values:
        if not isinstance(node, ast.Call) or node not in module.loops_of:
            return self.evaluate(node, module, pins)
        if (node, "cases") in self._active:
            return self._cut_short()
        self._active.add((node, "cases"))
        try:
            cases = self.environments(node, module)
            return _once(value for case in cases for value in self.evaluate(node, module, case))
        finally:
            self._active.discard((node, "cases"))

    def _attribute(self, node: ast.Attribute, module: Module, pins: Environment) -> Values:
        found: list[Value] = []
        for base in self.evaluate(node.value, module, pins):
            match base:
                case Sdk(""):
                    found.append(Sdk(node.attr))
                case LocalModule(inner):
                    found += self.member(inner, node.attr)
                case Routine(inner, ast.ClassDef() as owner) if node.attr in inner.scopes[owner]:
                    found += self._bindings(inner.scopes[owner][node.attr], node.attr, inner, NOTHING)
                case Opaque() if node.attr in module.attributes:
                    found += self._bindings(module.attributes[node.attr], node.attr, module, pins)
                case _:
                    found.append(Opaque(f"{_spelled(node)} is known only at run time"))
        return tuple(found)

    def _formatted(self, node: ast.JoinedStr, module: Module, pins: Environment) -> Values:
        parts = [self._format_part(part, module, pins) for part in node.values]
        opaque = next((value for part in parts for value in part if isinstance(value, Opaque)), None)
        if opaque is not None:
            return (opaque,)
        texts = [[value.value for value in part if isinstance(value, Known)] for part in parts]
        cases = islice(product(*texts), MOST_CASES)
        return tuple(Known("".join(str(text) for text in case)) for case in cases)

    def _format_part(self, part: ast.expr, module: Module, pins: Environment) -> Values:
        if not isinstance(part, ast.FormattedValue):
            return self.evaluate(part, module, pins)
        plain = part.format_spec is None and part.conversion in {-1, ord("s")}
        values = self.evaluate(part.value, module, pins)
        if plain and all(isinstance(value, Known) for value in values):
            return values
        return next(
            ((value,) for value in values if isinstance(value, Opaque)),
            (Opaque(f"{_spelled(part.value)} is known only at run time"),),
        )

    def _sum(self, node: ast.BinOp, module: Module, pins: Environment) -> Values:
        # A chain of additions leans to the left; it is walked, so that a long one costs no depth.
        terms: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
            terms.append(left.right)
            left = left.left
        terms.append(left)
        total = self.evaluate(terms.pop(), module, pins)
        while terms:
            right = self.evaluate(terms.pop(), module, pins)
            total = _once(_added_up(a, b) for a, b in islice(product(total, right), MOST_CASES))
        return total

    def _elements(self, elements: list[ast.expr], module: Module, pins: Environment) -> Iterator[Values]:
        for element in elements:
            if not isinstance(element, ast.Starred):
                yield self.evaluate(element, module, pins)
                continue
            for value in self.evaluate(element.value, module, pins):
                if isinstance(value, Items) and value.keys is None:
                    yield from value.items
                else:
                    yield (Opaque(f"{_spelled(element.value)} is known only at run time"),)

    def _comprehension(self, node: Comprehension, module: Module, pins: Environment) -> Value:
        cases: list[Environment] = [pins]
        for generator in node.generators:
            loop = Loop(generator.target, generator.iter)
            cases = list(islice(self._loop_cases(loop, node, module, cases), MOST_CASES))
        if isinstance(node, ast.DictComp):
            return Items(
                tuple(self.evaluate(node.value, module, case) for case in cases),
                tuple(self.evaluate(node.key, module, case) for case in cases),
            )
        return Items(tuple(self.evaluate(node.elt, module, case) for case in cases))

    def _subscript(self, base: ast.expr, index: ast.expr, module: Module, pins: Environment) -> Values:
        found: list[Value] = []
        wanted = self.evaluate(index, module, pins)
        for value in self.evaluate(base, module, pins):
            if not isinstance(value, Items):
                found.append(Opaque(f"{_spelled(base)}[…] is known only at run time"))
            elif isinstance(index, ast.Slice):
                found.append(value)
            else:
                found += _picked(value, wanted)
        return tuple(found)

    def _call(self, node: ast.Call, module: Module, pins: Environment) -> Values:
        found: list[Value] = []
        for function in self.evaluate(node.func, module, pins):
            match function:
                case Sdk("Table" | "File" as kind):
                    found += self.opened(node, kind, module, pins)
                case Routine(inner, routine) if not isinstance(routine, ast.ClassDef):
                    found += self._returned(inner, routine, self._pinned(routine, node, module, pins))
                case _:
                    found += self._builtin(node, module, pins)
        return tuple(found)

    def opened(self, node: ast.Call, kind: str, module: Module, pins: Environment) -> Values:
        """Give the handles that a call of `Table` or `File` returns, or why its name or mode is not known."""
        given = self.arguments(node, ("name", "mode"), module, pins)
        names = given.get("name", (Opaque("no name is given"),))
        modes = given.get("mode", (Known("r"),)) if kind == "Table" else (Known(""),)
        return tuple(
            name
            if isinstance(name, Opaque)
            else mode
            if isinstance(mode, Opaque)
            else Opened(node, kind.lower(), name.value, mode.value)
            if isinstance(name, Known)
            and isinstance(mode, Known)
            and isinstance(name.value, str)
            and isinstance(mode.value, str)
            else Opaque("the name is not a text")
            for name, mode in product(names, modes)
        )

    def _returned(self, module: Module, function: Function, pins: Environment) -> Values:
        guard = (function, "returned")
        if guard in self._active:
            return self._cut_short()
        self._active.add(guard)
        try:
            if isinstance(function, ast.Lambda):
                return self.evaluate(function.body, module, pins)
            return _once(
                value
                for returned in module.returns.get(function, ())
                for value in self.evaluate(returned, module, pins)
            ) or (Opaque(f'"{function.name}" returns nothing that the text shows'),)
        finally:
            self._active.discard(guard)

    def _builtin(  # noqa: PLR0911 - a table of all functions that are followed
        self, node: ast.Call, module: Module, pins: Environment
    ) -> Values:
        unknown: Values = (Opaque(f"{_spelled(node)} is known only at run time"),)
        match node:
            case ast.Call(func=ast.Attribute(value=base, attr="items" | "values" | "keys" as view), args=[]):
                values = self.evaluate(base, module, pins)
                return tuple(_viewed(value, view) for value in values)
            case ast.Call(func=ast.Name(id="range"), args=arguments):
                return (
                    self._range([self.evaluate(argument, module, pins) for argument in arguments]) or unknown
                )
            case ast.Call(func=ast.Name(id="zip"), args=arguments):
                return _zipped([self.evaluate(argument, module, pins) for argument in arguments]) or unknown
            case ast.Call(func=ast.Name(id="enumerate"), args=[argument, *_]):
                return tuple(_enumerated(value) for value in self.evaluate(argument, module, pins))
            case ast.Call(
                func=ast.Name(id="list" | "tuple" | "set" | "sorted" | "reversed"), args=[argument]
            ):
                values = self.evaluate(argument, module, pins)
                return values if all(isinstance(value, Items) for value in values) else unknown
            case ast.Call(func=ast.Name(id="str"), args=[argument]):
                values = self.evaluate(argument, module, pins)
                return tuple(
                    Known(str(value.value)) if isinstance(value, Known) else unknown[0] for value in values
                )
            case _:
                return unknown

    def _range(self, arguments: list[Values]) -> Values:
        numbers = [
            values[0].value
            for values in arguments
            if len(values) == 1 and isinstance(values[0], Known) and type(values[0].value) is int
        ]
        if len(numbers) != len(arguments) or not 1 <= len(numbers) <= 3 or 0 in numbers[2:]:  # noqa: PLR2004 - range takes up to three
            return ()
        span = range(*[int(str(number)) for number in numbers])
        return (Items(tuple((Known(number),) for number in span[:MOST_CASES])),)

    def _function_cases(self, scope: Scope | None, module: Module) -> list[Environment]:
        while scope is not None and not isinstance(scope, FUNCTIONS):
            scope = module.outer[scope]
        if scope is None or not arguments_of(scope):
            return [NOTHING]
        if scope in self._cases:
            return self._cases[scope]
        guard = (scope, "cases")
        calls = self._calls_of(scope)
        if guard in self._active:
            self._cuts += 1
            return [NOTHING]
        if not calls or scope in self._escaped:
            return [NOTHING]
        cuts = self._cuts
        self._active.add(guard)
        try:
            found = list(islice(self._call_cases(scope, calls), MOST_CASES))
        finally:
            self._active.discard(guard)
        if self._cuts == cuts and not self._indexing:
            self._cases[scope] = found
        return found

    def _call_cases(self, function: Function, calls: list[tuple[Module, ast.Call]]) -> Iterator[Environment]:
        seen = set()
        for caller, call in calls:
            for pins in self.environments(call, caller):
                self._steps += 1
                if self.is_exhausted:
                    return
                case = self._pinned(function, call, caller, pins)
                key = frozenset(case.items())
                if key not in seen:
                    seen.add(key)
                    yield case

    def _loop_cases(
        self, loop: Loop, place: ast.AST, module: Module, cases: Iterable[Environment]
    ) -> Iterator[Environment]:
        scope: Scope | None = place if isinstance(place, COMPREHENSIONS) else module.scope_of[place]
        while scope is not None and not _binds(module.scopes[scope], loop.target):
            scope = module.outer[scope]
        if scope is None:
            yield from cases
            return
        for case in cases:
            for collection in self.evaluate(loop.iterable, module, case):
                if isinstance(collection, Items):
                    items = collection.items if collection.keys is None else collection.keys
                    yield from ({**case, **_destructured(loop.target, item, scope)} for item in items)
                else:
                    reason = (Opaque(f"{_spelled(loop.iterable)} is known only at run time"),)
                    yield {**case, **_destructured(loop.target, reason, scope)}

    def _pinned(self, function: Function, call: ast.Call, module: Module, pins: Environment) -> Environment:
        names = arguments_of(function)
        method = isinstance(call.func, ast.Attribute) and names[:1] in {("self",), ("cls",)}
        constructed = not method and names[:1] == ("self",)
        given = self.arguments(call, names[1:] if method or constructed else names, module, pins)
        home = next(part for part in self.modules.values() if function in part.scopes)
        defaults = _defaults(function)
        result: dict[tuple[Scope, str], Values] = {
            (function, name): given[name] for name in names if name in given
        }
        for name, default in defaults.items():
            result.setdefault((function, name), self.evaluate(default, home))
        return result

    def _argument(self, function: Function, name: str, module: Module) -> Values:
        owner = "a lambda" if isinstance(function, ast.Lambda) else f'"{function.name}"'
        unknown = Opaque(f'"{name}" is a parameter of {owner}, whose arguments are known only at run time')
        guard = (function, f"argument {name}")
        if self._indexing or guard in self._active:
            self._cuts += 1
            return (unknown,)
        self._active.add(guard)
        try:
            default = _defaults(function).get(name)
            values = [] if default is None else list(self.evaluate(default, module))
            for case in self._function_cases(function, module):
                values += case.get((function, name), ())
            if function in self._escaped or not values:
                values.append(unknown)
            return _once(values)
        finally:
            self._active.discard(guard)

    def _calls_of(self, function: Function) -> list[tuple[Module, ast.Call]]:
        if self._calls is None:
            # Asked for in the middle of an evaluation: what is being evaluated has no say in who calls whom.
            active, self._active = self._active, set()
            self._index_calls()
            self._active = active
        return (self._calls or {}).get(function, [])

    def _index_calls(self) -> None:
        self._calls = {}
        self._indexing = True
        methods = _methods(self.modules.values())
        called: set[ast.expr] = set()
        for module in self.modules.values():
            for call in [node for node in module.nodes if isinstance(node, ast.Call)]:
                called.add(call.func)
                for function in self._targets(call.func, module, methods):
                    self._calls.setdefault(function, []).append((module, call))
        names = {getattr(node, "name", "") for node in self._calls}
        for module in self.modules.values():
            for node in module.nodes:
                if isinstance(node, ast.Name) and node.id in names and node not in called:
                    self._escaped |= {
                        value.node for value in self.evaluate(node, module) if isinstance(value, Routine)
                    }
        self._indexing = False

    def _targets(self, node: ast.expr, module: Module, methods: dict[str, list[Function]]) -> list[Function]:
        if not isinstance(node, ast.Name | ast.Attribute | ast.Lambda):
            return []
        values = self.evaluate(node, module)
        found: list[Function] = []
        for value in values:
            if isinstance(value, Routine):
                found += _entries(value)
        if not found and isinstance(node, ast.Attribute) and len(methods.get(node.attr, [])) == 1:
            found = methods[node.attr]
        return found


def _more_keys(keys: tuple[Values, ...] | None, count: int) -> tuple[Values, ...] | None:
    return None if keys is None else (*keys, *[(Opaque("the key is known only at run time"),)] * count)


def _entries(routine: Routine) -> list[Function]:
    node = routine.node
    if not isinstance(node, ast.ClassDef):
        return [node]
    return [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]


def _methods(modules: Iterable[Module]) -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for module in modules:
        for owner in module.nodes:
            if isinstance(owner, ast.ClassDef):
                for part in owner.body:
                    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                        found.setdefault(part.name, []).append(part)
    return found


def _defaults(function: Function) -> dict[str, ast.expr]:
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    tail = positional[len(positional) - len(spec.defaults) :]
    found = {argument.arg: default for argument, default in zip(tail, spec.defaults, strict=True)}
    named = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    found.update({argument.arg: default for argument, default in named if default is not None})
    return found


def _binds(names: Mapping[str, object], target: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(target))


def _destructured(target: ast.expr, values: Values, scope: Scope) -> dict[tuple[Scope, str], Values]:
    if isinstance(target, ast.Name):
        return {(scope, target.id): values}
    if not isinstance(target, ast.Tuple | ast.List):
        return {}
    starred = any(isinstance(item, ast.Starred) for item in target.elts)
    found: dict[tuple[Scope, str], Values] = {}
    for index, item in enumerate(target.elts):
        part = item.value if isinstance(item, ast.Starred) else item
        found |= _destructured(part, _stepped(values, (EACH if starred else index,), _spelled(part)), scope)
    return found


def _stepped(values: Values, steps: tuple[int, ...], name: str) -> Values:
    for step in steps:
        values = _once(part for value in values for part in _step(value, step, name))
    return values


def _step(value: Value, step: int, name: str) -> Values:
    if not isinstance(value, Items):
        return (value if isinstance(value, Opaque) else Opaque(f"{name} is known only at run time"),)
    items = value.items if value.keys is None else value.keys
    if step == EACH:
        return _once(part for item in items for part in item)
    return items[step] if step < len(items) else (Opaque(f"{name} is known only at run time"),)


def _picked(value: Items, wanted: Values) -> Values:
    constants = [key.value for key in wanted if isinstance(key, Known)]
    if len(constants) == len(wanted):
        if value.keys is not None:
            pairs = zip(value.keys, value.items, strict=True)
            exact = [item for key, item in pairs if any(Known(constant) in key for constant in constants)]
            if exact:
                return _once(part for item in exact for part in item)
        elif all(type(index) is int and -len(value.items) <= index < len(value.items) for index in constants):
            return _once(part for index in constants for part in value.items[int(str(index))])
    return _once(part for item in value.items for part in item) or (Opaque("the collection is empty"),)


def _viewed(value: Value, view: str) -> Value:
    if not isinstance(value, Items) or value.keys is None:
        return Opaque(f".{view}() is known only at run time")
    if view == "values":
        return Items(value.items)
    if view == "keys":
        return Items(value.keys)
    return Items(tuple((Items((key, item)),) for key, item in zip(value.keys, value.items, strict=True)))


def _enumerated(value: Value) -> Value:
    if not isinstance(value, Items):
        return Opaque("enumerate(…) is known only at run time")
    items = value.items if value.keys is None else value.keys
    return Items(tuple((Items(((Known(index),), item)),) for index, item in enumerate(items)))


def _zipped(arguments: list[Values]) -> Values:
    collections = [values[0] for values in arguments if len(values) == 1]
    if len(collections) != len(arguments) or not all(isinstance(value, Items) for value in collections):
        return ()
    rows = zip(*[value.items for value in collections if isinstance(value, Items)], strict=False)
    return (Items(tuple((Items(row),) for row in rows)),)


def _added_up(left: Value, right: Value) -> Value:
    match left, right:
        case Known(str() as a), Known(str() as b):
            return Known(a + b)
        case Items(a_items, None), Items(b_items, None):
            return Items((*a_items, *b_items))
        case Opaque(), _:
            return left
        case _, Opaque():
            return right
        case _:
            return Opaque("a sum is known only at run time")


def _joined(imported: Imported) -> str:
    return ".".join(part for part in (imported.module, imported.name) if part)


def _spelled(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return f'"{name}"'
        case ast.Attribute(attr=name):
            return f'".{name}"'
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return f'the result of "{name}(…)"'
        case _:
            return "the value"


def _once(values: Iterable[Value]) -> Values:
    return tuple(dict.fromkeys(values))
