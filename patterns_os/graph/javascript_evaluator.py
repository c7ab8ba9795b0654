"""Evaluates JavaScript and TypeScript as far as its text proves it: nothing is executed.

Loops over literal lists and calls of the script's own functions are followed case by case: an *environment*
pins each loop variable and parameter to one item, so that `for (const [name, mode] of [["a", "r"], ["b", "w"]])`
gives two tables and not four.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import ClassVar

from patterns_os.graph.javascript_modules import (
    EACH,
    FUNCTIONS,
    Argument,
    Binding,
    Bound,
    Changed,
    Defined,
    Each,
    Imported,
    Module,
    Otherwise,
    Rest,
    Scope,
    Step,
    Syntax,
    find_import,
    key_of,
    literal,
    parameters_of,
    targets_of,
)
from patterns_os.graph.javascript_values import (
    EXHAUSTED,
    ITSELF,
    MOST_CASES,
    MOST_DEPTH,
    MOST_STEPS,
    NOTHING,
    READING_ROWS,
    READING_SQL,
    SDK_MODULE,
    SDK_NAMES,
    STREAMING,
    TEXT_METHODS,
    TYPED_METHODS,
    Cell,
    Computed,
    Entry,
    Environment,
    Items,
    Known,
    LocalModule,
    Opaque,
    Opened,
    Routine,
    Row,
    Sdk,
    Shape,
    Value,
    Values,
    added_up,
    anything_in,
    collected,
    extended,
    handle,
    has_sources,
    listed,
    members,
    mixed,
    number_of,
    once_each,
    reason_of,
    sources_in,
    text_of,
    viewed,
)
from patterns_os.rows.types import ColumnType


@dataclass(frozen=True, slots=True)
class _Site:
    """A place where a function is called: by itself, for each item of a list, or with what was awaited."""

    module: Module
    call: Syntax
    how: str


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
    _known: dict[Syntax | tuple[Syntax, frozenset[object]], Values] = field(default_factory=dict)
    _cases: dict[Scope, list[Environment]] = field(default_factory=dict)
    _active: set[tuple[object, str]] = field(default_factory=set)
    _sites: dict[Syntax, list[_Site]] | None = None
    _escaped: set[Syntax] = field(default_factory=set)
    _indexing: bool = False
    _left_some: bool = False

    @property
    def is_exhausted(self) -> bool:
        """Whether there was too much to follow, so that some values are not what the text proves."""
        return self._left_some or self._steps > MOST_STEPS

    def evaluate(self, node: Syntax, module: Module, pins: Environment = NOTHING) -> Values:
        """Give the values that the expression can have, each once, in the order in which they are met."""
        key = (node, frozenset(pins.items())) if pins else node
        if key in self._known:
            return self._known[key]
        self._steps += 1
        if self._steps > MOST_STEPS:
            return (EXHAUSTED,)
        guard = (node, "")
        if guard in self._active:
            self._cuts += 1
            return (ITSELF,)
        if len(self._active) > MOST_DEPTH:
            self._cuts += 1
            return (Opaque("the value is nested too deeply to be followed"),)
        cuts = self._cuts
        self._active.add(guard)
        try:
            how = self._HANDLERS.get(node.kind)
            found = once_each(how(self, node, module, pins) if how else self._mixed(node, module, pins))
        finally:
            self._active.discard(guard)
        if len(found) > MOST_CASES:
            found = (EXHAUSTED,)
        # What was cut short on the way here may be known when it is asked for from elsewhere.
        if not self._indexing and self._cuts == cuts:
            self._known[key] = found
        return found

    def environments(self, node: Syntax, module: Module) -> list[Environment]:
        """Give the cases in which the node is reached; none if it is inside a loop over nothing."""
        return self._environments(node.scope, module)

    def member(self, module: Module, name: str) -> Values:
        """Give the values of what a module exports under a name."""
        guard = (module.top, f"export {name}")
        if guard in self._active:
            self._cuts += 1
            return (ITSELF,)
        self._active.add(guard)
        try:
            return self._exported(module, name)
        finally:
            self._active.discard(guard)

    def arguments(self, call: Syntax) -> list[Syntax]:
        """Give the expressions that a call or a `new` is given."""
        given = call.fields.get("arguments")
        return given.children if given is not None and given.kind == "arguments" else []

    def opened(self, call: Syntax, kind: str, module: Module, pins: Environment) -> Values:
        """Give the handles that `new Table(…)` or `new File(…)` can make."""
        given = self.arguments(call)
        if not given:
            return (Opaque("no name is given"),)
        names = self.evaluate(given[0], module, pins)
        modes = self.option(call, "mode", module, pins) or (Known("r"),)
        return tuple(handle(call, kind, name, mode) for name, mode in product(names, modes))

    def option(self, call: Syntax, key: str, module: Module, pins: Environment) -> Values:
        """Give the values of an option: of the object behind the name, or the mode itself; empty if absent."""
        found: Values = ()
        for argument in self.arguments(call)[1:3]:
            for value in self.evaluate(argument, module, pins):
                if isinstance(value, Shape):
                    found += self._picked(value, key, absent=())
                elif key == "mode" and value != Known(None):
                    found += (value,)
        return once_each(found)

    def key(self, node: Syntax, module: Module, pins: Environment) -> str | None:
        """Give the property that a member or subscript names, `None` where only run time knows it."""
        found = key_of(module, node)
        index = node.fields.get("index")
        if found is None and index is not None:
            values = self.evaluate(index, module, pins)
            if len(values) == 1 and isinstance(values[0], Known):
                found = text_of(values[0])
        return found

    # -- names

    def _name(self, node: Syntax, module: Module, pins: Environment) -> Values:
        name = module.text(node)
        scope: Scope | None = node.scope
        while scope is not None:
            pinned = pins.get((scope, name))
            if pinned is not None or name in scope.names:
                values = pinned or self._bindings(scope.names[name], name, module, pins)
                return self._with_additions(values, name, scope, module, pins)
            scope = scope.outer
        if name == "undefined":
            return (Known(None),)
        return (Computed(f'"{name}" is not defined in the script'),)

    def _bindings(self, bindings: list[Binding], name: str, module: Module, pins: Environment) -> Values:
        found = once_each(
            value for binding in bindings for value in self._binding(binding, module, pins, name)
        )
        if len(found) > 1 and ITSELF in found:
            found = tuple(value for value in found if value != ITSELF)
        return found or (Computed(f'"{name}" gets no value that the text shows'),)

    def _binding(self, binding: Binding, module: Module, pins: Environment, name: str) -> Values:
        match binding:
            case Bound(value, steps):
                return self._stepped(self.evaluate(value, module, pins), steps, name, module, pins)
            case Argument():
                return self._argument(binding, module, name)
            case Defined(node):
                return (Routine(module, node),)
            case Imported():
                return self._imported(binding, module)
            case Changed(how, node):
                return (Computed(how),) if node is None else self._mixed(node, module, pins)

    def _imported(self, imported: Imported, module: Module) -> Values:
        found = self._required(imported.module, module)
        if isinstance(found, LocalModule):
            return (found,) if imported.name == "*" else self.member(found.module, imported.name)
        if isinstance(found, Sdk):
            return (Sdk("" if imported.name in {"*", "default"} else imported.name),)
        return (found,)

    def _required(self, name: str, module: Module) -> Value:
        if name == SDK_MODULE:
            return Sdk("")
        file = find_import(module.file, name, self.files)
        found = self.modules.get(file) if file else None
        return LocalModule(found) if found else Computed(f'"{name}" is imported from outside the app')

    def _exported(self, module: Module, name: str) -> Values:
        exported = module.exports.get(name)
        if isinstance(exported, str):
            bindings = module.top.names.get(exported)
            if bindings is not None:
                values = self._bindings(bindings, exported, module, NOTHING)
                return self._with_additions(values, exported, module.top, module, NOTHING)
        elif exported is not None:
            return self._binding(exported, module, NOTHING, name)
        for star in module.stars:
            found = self._required(star, module)
            if isinstance(found, LocalModule):
                values = self.member(found.module, name)
                if not all(isinstance(value, Computed) for value in values):
                    return values
            elif isinstance(found, Sdk) and name in SDK_NAMES:
                return (Sdk(name),)
        return (Computed(f'"{module.file}" does not export "{name}"'),)

    def _with_additions(
        self, values: Values, name: str, scope: Scope | None, module: Module, pins: Environment
    ) -> Values:
        added = module.additions.get(name)
        if not added or not any(isinstance(value, Items | Shape | Row) for value in values):
            return values
        guard = (scope or name, f"additions {name}")
        if guard in self._active:
            self._cuts += 1
            return values
        self._active.add(guard)
        try:
            items: list[Values] = []
            entries: list[Entry] = []
            filled = False
            for addition in added:
                if scope is not None and _scope_of(addition.base, name) is not scope:
                    continue
                if addition.value is None and addition.listed:
                    filled = True
                    continue
                given = self._added(addition.value, module, pins)
                place = addition.value or addition.base
                if addition.listed:
                    items += given
                else:
                    entries += [Entry(addition.key, part, place, module) for part in given]
        finally:
            self._active.discard(guard)
        unknown = (Opaque(f'"{name.removeprefix(".")}" is filled where the text does not show it'),)
        return tuple(
            extended(value, items, entries, unknown if filled else (), added[0].base, module)
            for value in values
        )

    def _added(self, value: Syntax | None, module: Module, pins: Environment) -> list[Values]:
        if value is None:
            return [(Opaque("a value is set that only run time knows"),)]
        spread = value.kind == "spread_element" and bool(value.children)
        node = value.children[0] if spread else value
        cases = [pins, *self.environments(node, module)] if pins else self.environments(node, module)
        found = once_each(one for case in cases for one in self.evaluate(node, module, case))
        return [part for one in found for part in members(one)] if spread else [found]

    # -- functions and loops

    def _environments(self, scope: Scope, module: Module) -> list[Environment]:
        chain: list[Scope] = []
        around: Scope | None = scope
        while around is not None and around not in self._cases:
            chain.append(around)
            around = around.outer
        cases = self._cases[around] if around is not None else [NOTHING]
        for inner in reversed(chain):
            cuts = self._cuts
            node = inner.node
            if node is not None and node.kind == "for_in_statement":
                cases = self._bounded(self._loop_cases(node, inner, module, cases))
            elif node is not None and node.kind in FUNCTIONS:
                cases = self._bounded(self._function_cases(node, inner, module, cases))
            if self._cuts == cuts and not self._indexing:
                self._cases[inner] = cases
        return cases

    def _bounded(self, cases: Iterator[Environment]) -> list[Environment]:
        found = list(islice(cases, MOST_CASES))
        self._left_some = self._left_some or next(cases, None) is not None
        return found

    def _loop_cases(
        self, node: Syntax, scope: Scope, module: Module, cases: Iterable[Environment]
    ) -> Iterator[Environment]:
        left, right = node.fields.get("left"), node.fields.get("right")
        bound = left is not None and any(
            isinstance(binding, Bound) and binding.value is right
            for target, _ in targets_of(module, left)
            for binding in scope.names.get(module.text(target), ())
        )
        if left is None or right is None or not bound:
            yield from cases
            return
        for case in cases:
            for collection in self.evaluate(right, module, case):
                found = viewed(collection, "entries") if isinstance(collection, Shape) else collection
                if isinstance(found, Items) and not found.open:
                    for item in found.items:
                        yield {**case, **self._pins([left], [item], scope, module, case)}
                else:
                    yield case

    def _function_cases(
        self, function: Syntax, scope: Scope, module: Module, cases: list[Environment]
    ) -> Iterator[Environment]:
        guard = (scope, "cases")
        if not parameters_of(function) or self._indexing or guard in self._active:
            self._cuts += bool(guard in self._active)
            yield from cases
            return
        sites = self._sites_of(function)
        if not sites or function in self._escaped:
            yield from cases
            return
        self._active.add(guard)
        try:
            seen = set()
            for case, site in product(cases, sites):
                for pinned in self._site_cases(function, scope, module, site, case):
                    self._steps += 1
                    key = frozenset(pinned.items())
                    if key not in seen:
                        seen.add(key)
                        yield pinned
        finally:
            self._active.discard(guard)

    def _site_cases(
        self, function: Syntax, scope: Scope, module: Module, site: _Site, case: Environment
    ) -> Iterator[Environment]:
        parameters = parameters_of(function)
        inline = _is_within(function, site.call)
        for outer in [case] if inline else self.environments(site.call, site.module):
            if not inline and any(case.get(key, value) != value for key, value in outer.items()):
                continue
            for given in self._given(site, outer):
                yield {**case, **self._pins(parameters, given, scope, module, outer)}

    def _given(self, site: _Site, pins: Environment) -> Iterator[list[Values]]:
        """Give what the function gets at a site, once for each item of a list."""
        given = self.arguments(site.call)
        if site.how == "call":
            yield [self.evaluate(argument, site.module, pins) for argument in given]
            return
        base = (site.call.fields.get("function") or site.call).fields.get("object")
        for value in self.evaluate(base, site.module, pins) if base is not None else ():
            if site.how == "then":
                yield [(value,)]
                continue
            start = [self.evaluate(argument, site.module, pins) for argument in given[1:2]]
            start = start if site.how == "reduce" else []
            if isinstance(value, Items):
                for position, item in enumerate(value.items):
                    index: Value = Known(position) if value.ordered else Computed("an index")
                    yield [*start, item, (index,)]
            else:
                yield [*start, self._stepped((value,), (EACH,), "an item", site.module, pins)]

    def _pins(
        self,
        patterns: list[Syntax],
        given: list[Values],
        scope: Scope,
        module: Module,
        pins: Environment,
    ) -> dict[tuple[Scope, str], Values]:
        found: dict[tuple[Scope, str], Values] = {}
        for position, pattern in enumerate(patterns):
            rest = pattern.kind == "rest_pattern" or (
                "pattern" in pattern.fields and pattern.fields["pattern"].kind == "rest_pattern"
            )
            values: Values = given[position] if position < len(given) else (Known(None),)
            if rest:
                values = (Items(tuple(given[position:])),)
            for target, steps in targets_of(module, pattern):
                name = module.text(target)
                path = steps[1:] if rest else steps
                found[scope, name] = self._stepped(values, path, name, module, pins)
        return found

    def _argument(self, argument: Argument, module: Module, name: str) -> Values:
        owner = argument.function.fields.get("name")
        called = f'"{module.text(owner)}"' if owner is not None else "a function"
        unknown = Opaque(f'"{name}" is a parameter of {called}, whose arguments are known only at run time')
        guard = (argument.function, f"argument {name}")
        if self._indexing or guard in self._active:
            self._cuts += 1
            return (unknown if self._indexing else ITSELF,)
        sites = self._sites_of(argument.function)
        if not sites or argument.function in self._escaped:
            return (unknown,)
        self._active.add(guard)
        try:
            found: list[Value] = []
            parameters = parameters_of(argument.function)
            scope = next((part.scope for part in _named_in(module, parameters, name)), module.top)
            for site in sites:
                for case in self.environments(site.call, site.module):
                    for given in self._given(site, case):
                        found += self._pins(parameters, given, scope, module, case).get((scope, name), ())
            return once_each(found) or (unknown,)
        finally:
            self._active.discard(guard)

    def destructured(self, pattern: Syntax, module: Module) -> Iterator[tuple[Syntax, Row, str, bool]]:
        """Give the columns that a pattern takes out of rows: the name, the row, the column, and its default."""
        for target, steps in targets_of(module, pattern):
            keys = [place for place, step in enumerate(steps) if isinstance(step, str)]
            for place in keys:
                key = steps[place]
                optional = isinstance(steps[place + 1] if place + 1 < len(steps) else None, Otherwise)
                for value in self._patterned(pattern, steps[:place], module):
                    if isinstance(value, Row) and isinstance(key, str):
                        yield target, value, key, optional

    def _patterned(self, pattern: Syntax, steps: tuple[Step, ...], module: Module) -> Values:
        """Give the values that a pattern is matched with, after the first steps."""
        parent = pattern.parent
        if parent is None:
            return ()
        value = parent.fields.get("value") or parent.fields.get("right")
        if parent.kind in {"variable_declarator", "assignment_expression"} and value is not None:
            return self._stepped(self.evaluate(value, module), steps, "a part", module, NOTHING)
        if parent.kind == "for_in_statement" and value is not None:
            return self._stepped(self.evaluate(value, module), (EACH, *steps), "a part", module, NOTHING)
        if parent.kind == "formal_parameters" and parent.parent is not None:
            function = parent.parent
            position = parent.children.index(pattern)
            given = [
                values[position]
                for site in self._sites_of(function)
                for case in self.environments(site.call, site.module)
                for values in self._given(site, case)
                if position < len(values)
            ]
            found = once_each(one for values in given for one in values)
            return self._stepped(found, steps, "a part", module, NOTHING)
        return ()

    def returned(self, function: Routine, pins: Environment) -> Values:
        """Give what a function returns, its parameters pinned."""
        node, module = function.node, function.module
        guard = (node, "returned")
        if guard in self._active:
            self._cuts += 1
            return (ITSELF,)
        body = node.fields.get("body")
        scope = body.children[0].scope.function if body is not None and body.children else None
        if body is not None and body.kind != "statement_block":
            scope = body.scope.function
        if scope is None or scope.node is not node:
            return (Known(None),)
        self._active.add(guard)
        try:
            if scope.yields:
                yields = once_each(v for part in scope.yields for v in self.evaluate(part, module, pins))
                return (Items((yields,), open=True, ordered=False),)
            found = once_each(v for part in scope.returns for v in self.evaluate(part, module, pins))
            return found or (Known(None),)
        finally:
            self._active.discard(guard)

    def _called(self, function: Routine, given: list[Values], pins: Environment) -> Values:
        if function.node.kind in {"class_declaration", "class"}:
            return (Computed("an object is made at run time"),)
        parameters = parameters_of(function.node)
        scope = _inner_scope(function.node)
        around = {key: value for key, value in pins.items() if _is_around(key[0], scope)}
        inner = {**around, **self._pins(parameters, given, scope, function.module, pins)} if scope else around
        return self.returned(function, inner)

    def sites_of(self, function: Syntax) -> list[tuple[Module, Syntax]]:
        """Give every call that is seen to reach the function, with its module."""
        return [(site.module, site.call) for site in self._sites_of(function)]

    def _sites_of(self, function: Syntax) -> list[_Site]:
        if self._sites is None:
            # Asked for in the middle of an evaluation: what is being evaluated has no say in who calls whom.
            active, self._active = self._active, set()
            self._index_sites()
            self._active = active
        return (self._sites or {}).get(function, [])

    def _index_sites(self) -> None:
        self._sites = {}
        self._indexing = True
        harmless: set[Syntax] = set()
        for module in self.modules.values():
            for call in module.of("call_expression", "new_expression"):
                self._index_call(call, module, harmless)
        names = {
            module.text(node.fields["name"])
            for module in self.modules.values()
            for node in module.of(*FUNCTIONS)
            if "name" in node.fields
        } | {name for module in self.modules.values() for name in _functions_by_name(module)}
        for module in self.modules.values():
            for node in module.of("identifier", "shorthand_property_identifier"):
                if node not in harmless and not _is_naming(node) and module.text(node) in names:
                    found = self.evaluate(node, module)
                    self._escaped |= {value.node for value in found if isinstance(value, Routine)}
            for kind in ("pair", "assignment_expression", "field_definition", "public_field_definition"):
                for node in module.nodes.get(kind, ()):
                    value = node.fields.get("value") or node.fields.get("right")
                    if value is not None and value.kind in FUNCTIONS and value not in self._sites:
                        self._escaped.add(value)
        self._indexing = False

    def _index_call(self, call: Syntax, module: Module, harmless: set[Syntax]) -> None:
        sites = self._sites if self._sites is not None else {}
        callee = call.fields.get("function") or call.fields.get("constructor")
        if callee is None:
            return
        harmless.add(callee)
        for target in self._targets(callee, module):
            sites.setdefault(target.node, []).append(_Site(module, call, "call"))
        method = key_of(module, callee) if callee.kind == "member_expression" else None
        how = _CALLBACKS.get(method or "")
        for position, argument in enumerate(self.arguments(call)):
            if argument.kind not in _CALLABLE:
                continue
            for value in self.evaluate(argument, module):
                if not isinstance(value, Routine):
                    continue
                if how is not None and position == 0:
                    harmless.add(argument)
                    sites.setdefault(value.node, []).append(_Site(module, call, how))
                elif parameters_of(value.node):
                    self._escaped.add(value.node)

    def _targets(self, callee: Syntax, module: Module) -> list[Routine]:
        if callee.kind not in {"identifier", "member_expression", "parenthesized_expression"}:
            return []
        found = [_entry(value) for value in self.evaluate(callee, module) if isinstance(value, Routine)]
        name = key_of(module, callee) if callee.kind == "member_expression" else None
        if not found and name is not None:
            found = self._methods(name)
        return [value for value in found if value is not None]

    def _methods(self, name: str) -> list[Routine | None]:
        found = [
            Routine(module, node) for module in self.modules.values() for node in module.methods.get(name, ())
        ]
        return [*found] if len(found) == 1 else []

    # -- expressions

    def _mixed(self, node: Syntax, module: Module, pins: Environment) -> Values:
        """Give a value that all parts of the expression go into."""
        values = [self.evaluate(part, module, pins) for part in node.children if part.kind not in _NO_VALUES]
        return (
            mixed(
                [one for part in values for one in part],
                f"{_spelled(node, module)} is known only at run time",
            ),
        )

    def _first(self, node: Syntax, module: Module, pins: Environment) -> Values:
        return self.evaluate(node.children[0], module, pins) if node.children else (Known(None),)

    def _last(self, node: Syntax, module: Module, pins: Environment) -> Values:
        return self.evaluate(node.children[-1], module, pins) if node.children else (Known(None),)

    def _routine(self, node: Syntax, module: Module, pins: Environment) -> Values:  # noqa: ARG002 - as all
        return (Routine(module, node),)

    def _string(self, node: Syntax, module: Module, pins: Environment) -> Values:  # noqa: ARG002 - as all
        return (Known(literal(module.text(node)[1:-1])),)

    def _number(self, node: Syntax, module: Module, pins: Environment) -> Values:  # noqa: ARG002 - as all
        text = module.text(node).replace("_", "").lower()
        try:
            return (Known(int(text, 0) if text[:2] in {"0x", "0o", "0b"} else number_of(text)),)
        except (ValueError, OverflowError):
            return (Computed(f"the number {text[:40]} is known only at run time"),)

    def _constant(self, node: Syntax, module: Module, pins: Environment) -> Values:  # noqa: ARG002 - as all
        return (Known({"true": True, "false": False}.get(node.kind)),)

    def _template(self, node: Syntax, module: Module, pins: Environment) -> Values:
        parts: list[Values] = []
        place = node.start + 1
        for part in node.children:
            if part.kind == "template_substitution" and part.children:
                parts.append((Known(literal(module.source[place : part.start].decode("utf-8", "replace"))),))
                parts.append(self.evaluate(part.children[-1], module, pins))
                place = part.end
        parts.append((Known(literal(module.source[place : node.end - 1].decode("utf-8", "replace"))),))
        found: list[Value] = []
        for case in islice(product(*parts), MOST_CASES + 1):
            texts = [text_of(value) if isinstance(value, Known) else None for value in case]
            if all(text is not None for text in texts):
                found.append(Known("".join(text for text in texts if text is not None)))
            else:
                first = next(value for value in case if not isinstance(value, Known))
                found.append(mixed(case, reason_of(first), ColumnType.TEXT))
        return tuple(found)

    def _unary(self, node: Syntax, module: Module, pins: Environment) -> Values:
        if not node.children:
            return (Known(None),)
        operator = module.source[node.start : node.children[0].start].strip()
        values = self.evaluate(node.children[-1], module, pins)
        if operator == b"-" and len(values) == 1 and isinstance(values[0], Known):
            number = values[0].value
            if isinstance(number, int | float) and not isinstance(number, bool):
                return (Known(-number),)
        kind = {b"!": ColumnType.BOOL, b"delete": ColumnType.BOOL, b"typeof": ColumnType.TEXT}.get(operator)
        return (mixed(values, f"{_spelled(node, module)} is known only at run time", kind),)

    def _binary(self, node: Syntax, module: Module, pins: Environment) -> Values:
        left, right = node.fields.get("left"), node.fields.get("right")
        if left is None or right is None:
            return self._mixed(node, module, pins)
        operator = module.source[left.end : right.start].strip()
        first, second = self.evaluate(left, module, pins), self.evaluate(right, module, pins)
        if operator in {b"??", b"||"}:
            return once_each((*(value for value in first if value != Known(None)), *second))
        if operator == b"&&":
            return second
        if operator == b"+":
            return tuple(added_up(a, b) for a, b in islice(product(first, second), MOST_CASES + 1))
        kind = ColumnType.BOOL if operator in _COMPARING else None
        return (mixed((*first, *second), "a calculation is known only at run time", kind),)

    def _ternary(self, node: Syntax, module: Module, pins: Environment) -> Values:
        parts = [node.fields[name] for name in ("consequence", "alternative") if name in node.fields]
        return tuple(value for part in parts for value in self.evaluate(part, module, pins))

    def _array(self, node: Syntax, module: Module, pins: Environment) -> Values:
        items: list[Values] = []
        is_open = False
        for part in node.children:
            if part.kind != "spread_element" or not part.children:
                items.append(self.evaluate(part, module, pins))
                continue
            for value in self.evaluate(part.children[0], module, pins):
                if value == ITSELF:
                    is_open = True
                elif isinstance(value, Items):
                    items += value.items
                    is_open = is_open or value.open
                else:
                    items.append(self._stepped((value,), (EACH,), "an item", module, pins))
                    is_open = True
        return (Items(tuple(items), is_open, not is_open),)

    def _object(self, node: Syntax, module: Module, pins: Environment) -> Values:
        entries: list[Entry] = []
        for part in node.children:
            if part.kind == "pair" and "value" in part.fields:
                entries.append(self._pair(part, module, pins))
            elif part.kind == "shorthand_property_identifier":
                entries.append(Entry(module.text(part), self._name(part, module, pins), part, module))
            elif part.kind == "method_definition":
                entries.append(
                    Entry(
                        key_of(module, part) or _method_name(part, module),
                        (Routine(module, part),),
                        part,
                        module,
                    )
                )
            elif part.kind == "spread_element" and part.children:
                entries += self._spread(self.evaluate(part.children[0], module, pins), part, module)
        return (Shape(tuple(entries)),)

    def _pair(self, part: Syntax, module: Module, pins: Environment) -> Entry:
        key = key_of(module, part)
        name = part.fields.get("key")
        if key is None and name is not None and name.kind == "computed_property_name" and name.children:
            keys = self.evaluate(name.children[0], module, pins)
            if len(keys) == 1 and isinstance(keys[0], Known):
                key = text_of(keys[0])
        return Entry(key, self.evaluate(part.fields["value"], module, pins), part, module)

    def _spread(self, values: Values, node: Syntax, module: Module) -> list[Entry]:
        found: list[Entry] = []
        for value in values:
            if isinstance(value, Shape):
                # One of several shapes: which keys there are is open, what they may be is known.
                found += value.entries
            elif (
                value != Known(None)
                and value != ITSELF
                and not (isinstance(value, Known) and value.value is False)
            ):
                found.append(Entry(None, (value,), node, module, spread=True))
        return found

    def _member(self, node: Syntax, module: Module, pins: Environment) -> Values:
        base = node.fields.get("object")
        if base is None:
            return self._mixed(node, module, pins)
        key = self.key(node, module, pins)
        found: Values = ()
        if key is not None and base.kind == "this":
            return self._attribute(key, (), module)
        for value in self.evaluate(base, module, pins):
            found += self._part(value, key, node, module, pins)
        return self._attribute(key, found, module) if key is not None else found

    def _attribute(self, key: str, found: Values, module: Module) -> Values:
        if key in module.attributes and all(
            isinstance(value, Computed | Opaque) and not has_sources(value) for value in found
        ):
            guard = (module, f"attribute {key}")
            if guard in self._active:
                self._cuts += 1
                return (ITSELF,)
            self._active.add(guard)
            try:
                found = self._bindings(module.attributes[key], key, module, NOTHING)
            finally:
                self._active.discard(guard)
        if not found:
            found = (Computed(f'".{key}" is known only at run time'),)
        return self._with_additions(found, f".{key}", None, module, NOTHING)

    def _part(self, value: Value, key: str | None, node: Syntax, module: Module, pins: Environment) -> Values:
        match value:
            case Sdk(""):
                return (Sdk(key or ""),) if key in SDK_NAMES else (Computed(f'"{key}" is not in the SDK'),)
            case LocalModule(inner):
                return (
                    self.member(inner, key)
                    if key is not None
                    else (Opaque("an export is known only at run time"),)
                )
            case Row() if key is None:
                return (Computed("a column is known only at run time", sources_in((value,))),)
            case Shape() if key is None:
                return anything_in(value)
            case Items() | Shape() | Row():
                step: Step = EACH if key is None else key
                return self._stepped((value,), (step,), _spelled(node, module), module, pins)
            case _:
                spelled = f'".{key}"' if key is not None else "the value"
                parts: Values = (value,)
                if key is None and "index" in node.fields:
                    parts += self.evaluate(node.fields["index"], module, pins)
                return (mixed(parts, f"{spelled} is known only at run time"),)

    def _call(self, node: Syntax, module: Module, pins: Environment) -> Values:
        callee = node.fields.get("function") or node.fields.get("constructor")
        if callee is None:
            return self._mixed(node, module, pins)
        given = self.arguments(node)
        name = module.text(callee) if callee.kind in {"identifier", "import"} else ""
        if node.kind == "new_expression" and name in {"Map", "Set"}:
            return tuple(collected(one, name, node, module) for one in self._first_given(given, module, pins))
        if name in {"require", "import"} and given and given[0].kind == "string":
            return (self._required(literal(module.text(given[0])[1:-1]), module),)
        if callee.kind == "member_expression":
            base, method = callee.fields.get("object"), key_of(module, callee)
            if base is not None and method is not None:
                return self._method_call(node, callee, base, method, module, pins)
        found: Values = ()
        for value in self.evaluate(callee, module, pins):
            found += self._applied(value, node, module, pins)
        return found

    def _applied(self, value: Value, node: Syntax, module: Module, pins: Environment) -> Values:
        given = self.arguments(node)
        match value:
            case Sdk("Table" | "File" as name):
                return self.opened(node, name, module, pins)
            case Sdk("once"):
                routines = self.evaluate(given[1], module, pins) if len(given) > 1 else ()
                return tuple(
                    one
                    for routine in routines
                    for one in (
                        self._called(routine, [], pins) if isinstance(routine, Routine) else (routine,)
                    )
                )
            case Sdk(name):
                return (Computed(f'what "{name}" gives is known only at run time'),)
            case Routine():
                return self._called(value, [self.evaluate(one, module, pins) for one in given], pins)
            case _ if value == ITSELF:
                return (ITSELF,)
            case _:
                return (self._result((value,), node, module, pins),)

    def _result(
        self, base: Values, node: Syntax, module: Module, pins: Environment, kind: ColumnType | None = None
    ) -> Value:
        """Give the result of a function that the app does not define: what goes in comes out."""
        values: list[Value] = [value for value in base if not isinstance(value, Routine | Sdk | Opened)]
        for argument in self.arguments(node):
            inner = (
                argument.children[0] if argument.kind == "spread_element" and argument.children else argument
            )
            for value in self.evaluate(inner, module, pins):
                if isinstance(value, Routine):
                    values += self._called(value, [base] if base else [], pins)
                else:
                    values.append(value)
        return mixed(values, f"{_spelled(node, module)} is known only at run time", kind)

    def _method_call(  # noqa: C901, PLR0917 - the call and its parts
        self, node: Syntax, callee: Syntax, base: Syntax, method: str, module: Module, pins: Environment
    ) -> Values:
        if base.kind == "identifier" and module.text(base) in _BUILT_IN:
            built = self._built_in(module.text(base), method, node, module, pins)
            if built is not None:
                return built
        if base.kind == "this":
            return tuple(
                one
                for value in self._method_values(callee, method, module, pins)
                for one in self._applied(value, node, module, pins)
            )
        found: Values = ()
        for value in self.evaluate(base, module, pins):
            match value:
                case Opened(kind="table"):
                    found += self._of_table(value, method)
                case Items():
                    found += self._of_list(value, method, node, module, pins)
                case Shape() if method in _OF_MAPS and not any(
                    entry.key == method for entry in value.entries
                ):
                    found += self._of_map(value, method, node, module, pins)
                case Sdk() | LocalModule() | Shape():
                    for member in self._part(value, method, callee, module, pins):
                        found += self._applied(member, node, module, pins)
                case _ if value == ITSELF:
                    found += (ITSELF,)
                case _:
                    found += self._of_other(value, callee, method, node, module, pins)
        return found

    def _first_given(self, given: list[Syntax], module: Module, pins: Environment) -> Values:
        return self.evaluate(given[0], module, pins) if given else (Known(None),)

    def _of_map(self, value: Shape, method: str, node: Syntax, module: Module, pins: Environment) -> Values:
        if method == "get":
            keys = self._first_given(self.arguments(node), module, pins)
            key = text_of(keys[0]) if len(keys) == 1 and isinstance(keys[0], Known) else None
            exact = key is not None and all(entry.key is not None for entry in value.entries)
            return (
                self._picked(value, key or "", (Known(None),))
                if exact
                else (*anything_in(value), Known(None))
            )
        if method in {"entries", "keys", "values"}:
            return (viewed(value, method),)
        return (Computed(f'what ".{method}()" gives is known only at run time'),)

    def _method_values(self, callee: Syntax, method: str, module: Module, pins: Environment) -> Values:
        found = tuple(routine for routine in self._methods(method) if routine is not None)
        return found or self._member(callee, module, pins)

    def _of_table(self, table: Opened, method: str) -> Values:
        if method in STREAMING | READING_ROWS:
            return (Items(((Row(table.name),),), open=True, ordered=False),)
        if method in READING_SQL:
            rows = Opaque("the rows of a SQL statement are known only at run time")
            return (Items(((rows,),), open=True, ordered=False),)
        return (Computed(f'what ".{method}()" gives is known only at run time'),)

    def _of_list(  # noqa: C901, PLR0911, PLR0912 - a table of all methods that are followed
        self, value: Items, method: str, node: Syntax, module: Module, pins: Environment
    ) -> Values:
        given = self.arguments(node)
        every = once_each(one for item in value.items for one in item)
        match method:
            case "map" if given:
                return (self._mapped(value, given[0], module, pins),)
            case "flatMap" if given:
                parts = [one for item in self._mapped(value, given[0], module, pins).items for one in item]
                return (
                    Items(tuple(part for one in parts for part in members(one)), value.open, ordered=False),
                )
            case "filter" | "slice" | "sort" | "reverse" | "toSorted" | "toReversed" | "splice":
                return (Items(value.items, value.open, ordered=False),)
            case "consumeRecords" | "consume_records" | "values" | "toArray" | "consumeWithRollback":
                return (value,)
            case "batches":
                return (Items(((Items(value.items, open=True, ordered=False),),), open=True, ordered=False),)
            case "concat" | "flat":
                items = (
                    list(value.items) if method == "concat" else [p for one in every for p in members(one)]
                )
                for argument in given if method == "concat" else ():
                    items += [p for one in self.evaluate(argument, module, pins) for p in members(one)]
                return (Items(tuple(items), value.open, ordered=False),)
            case "entries":
                pairs = [
                    (Items(((Known(i) if value.ordered else Computed("an index"),), item)),)
                    for i, item in enumerate(value.items)
                ]
                return (Items(tuple(pairs), value.open, value.ordered),)
            case "find" | "findLast" | "at" | "pop" | "shift" | "get":
                return every or (Known(None),)
            case "join":
                return (self._joined(value, given, module, pins),)
            case "forEach" | "push" | "unshift":
                return (Known(None),)
            case "reduce" if given:
                start = self.evaluate(given[1], module, pins) if len(given) > 1 else every
                return once_each((*start, *self._each(given[0], [start, every], module, pins)))
            case _:
                return (self._result((value,), node, module, pins),)

    def _mapped(self, value: Items, callback: Syntax, module: Module, pins: Environment) -> Items:
        parts = [
            self._each(callback, [item, (Known(position),)], module, pins)
            for position, item in enumerate(value.items)
        ]
        return Items(tuple(parts), value.open, value.ordered)

    def _each(self, callback: Syntax, given: list[Values], module: Module, pins: Environment) -> Values:
        return once_each(
            one
            for value in self.evaluate(callback, module, pins)
            for one in (
                self._called(value, given, pins)
                if isinstance(value, Routine)
                else (
                    mixed([part for values in given for part in values], "an item is known only at run time"),
                )
            )
        )

    def _joined(self, value: Items, given: list[Syntax], module: Module, pins: Environment) -> Value:
        glue = self.evaluate(given[0], module, pins) if given else (Known(","),)
        texts = [
            text_of(item[0]) if len(item) == 1 and isinstance(item[0], Known) else None
            for item in value.items
        ]
        if len(glue) == 1 and isinstance(glue[0], Known) and value.ordered and None not in texts:
            return Known(str(glue[0].value).join(text or "" for text in texts))
        return mixed((value,), "a joined text is known only at run time", ColumnType.TEXT)

    def _of_other(  # noqa: PLR0917 - the call and its parts
        self, value: Value, callee: Syntax, method: str, node: Syntax, module: Module, pins: Environment
    ) -> Values:
        if isinstance(value, Known) and isinstance(value.value, str) and method in TEXT_METHODS:
            given = [self.evaluate(argument, module, pins) for argument in self.arguments(node)]
            known = [one[0].value for one in given if len(one) == 1 and isinstance(one[0], Known)]
            result = TEXT_METHODS[method](value.value, *known) if len(known) == len(given) else None
            if result is not None:
                return (result,)
        if method in {"map", "flatMap"} and self.arguments(node):
            item = self._stepped((value,), (EACH,), "an item", module, pins)
            parts = self._each(self.arguments(node)[0], [item], module, pins)
            return (Items((parts,), open=True, ordered=False),)
        if method == "then" and self.arguments(node):
            return self._each(self.arguments(node)[0], [(value,)], module, pins)
        routines = self._method_values(callee, method, module, pins) if isinstance(value, Computed) else ()
        found = [one for one in routines if isinstance(one, Routine)]
        if found:
            return tuple(one for value in found for one in self._applied(value, node, module, pins))
        return (self._result((value,), node, module, pins, TYPED_METHODS.get(method)),)

    def _built_in(  # noqa: PLR0911 - a table of all functions that are followed
        self, owner: str, method: str, node: Syntax, module: Module, pins: Environment
    ) -> Values | None:
        given = self.arguments(node)
        first = self.evaluate(given[0], module, pins) if given else ()
        match owner, method:
            case "Object", "entries" | "keys" | "values":
                return tuple(viewed(value, method) for value in first)
            case "Object", "assign":
                entries = [
                    entry
                    for argument in given
                    for entry in self._spread(self.evaluate(argument, module, pins), argument, module)
                ]
                return (Shape(tuple(entries)),)
            case "Object", "freeze" | "seal" | "fromEntries":
                return (
                    first
                    if method != "fromEntries"
                    else (mixed(first, "an object is known only at run time"),)
                )
            case "Array", "of":
                return (Items(tuple(self.evaluate(argument, module, pins) for argument in given)),)
            case "Array", "from" | "fromAsync":
                listed = tuple(listed(value) for value in first)
                more = given[1:2]
                return tuple(
                    self._mapped(value, more[0], module, pins) if more else value for value in listed
                )
            case "Promise", "all" | "allSettled" | "any" | "race":
                return first
            case "Promise", "resolve":
                return first or (Known(None),)
            case "JSON", "stringify":
                return (mixed(first, "a JSON text is known only at run time", ColumnType.TEXT),)
            case _:
                return None

    # -- parts of values

    def _stepped(
        self, values: Values, steps: tuple[Step, ...], name: str, module: Module, pins: Environment
    ) -> Values:
        for step in steps:
            if isinstance(step, Otherwise):
                given = tuple(value for value in values if value != Known(None))
                values = once_each((*given, *self.evaluate(step.default, module, pins)))
            else:
                values = once_each(part for value in values for part in self._step(value, step, name))
        return values

    def _step(self, value: Value, step: Step, name: str) -> Values:  # noqa: C901, PLR0911, PLR0912 - a table of all steps
        match value, step:
            case Sdk(""), str(key):
                return (Sdk(key),) if key in SDK_NAMES else (Computed(f'"{key}" is not in the SDK'),)
            case LocalModule(inner), str(key):
                return self.member(inner, key)
            case Row(table, without), str(key):
                return (Known(None),) if key in without else (Cell(table, key),)
            case Row(table, without), Rest(more):
                return (Row(table, without | more),)
            case Shape(), str(key):
                return self._picked(value, key, absent=(Known(None),))
            case Shape(entries), Rest(without):
                return (
                    Shape(tuple(entry for entry in entries if entry.key is None or entry.key not in without)),
                )
            case Shape(), Each():
                return self._step(viewed(value, "entries"), step, name)
            case Items(items, is_open, ordered), str(key) if key.isdigit():
                return self._step(value, int(key), name) if len(key) < 9 else (Known(None),)  # noqa: PLR2004 - no list is longer
            case Items(items, is_open, ordered), int(index):
                if is_open or not ordered:
                    return once_each(one for item in items for one in item) or (Known(None),)
                return items[index] if index < len(items) else (Known(None),)
            case Items(items), Each():
                return once_each(one for item in items for one in item)
            case Items(), Rest():
                return (Items(value.items, value.open, ordered=False),)
            case Items(), str(key):
                return (Computed(f'".{key}" is known only at run time', sources_in((value,))),)
            case _, Each() if isinstance(value, Computed | Opaque):
                return (value,)
            case _:
                return (
                    mixed(
                        (value,),
                        f'"{name}" is known only at run time'
                        if name.isidentifier()
                        else f"{name} is known only at run time",
                    ),
                )

    def _picked(self, shape: Shape, key: str, absent: Values) -> Values:
        found: Values = ()
        for entry in reversed(shape.entries):
            if entry.key == key:
                return once_each((*found, *entry.values))
            if entry.key is None:
                for value in entry.values:
                    if isinstance(value, Row):
                        return once_each((*found, *self._step(value, key, key)))
                    found += (
                        (value,)
                        if isinstance(value, Opaque)
                        else (mixed((value,), f'".{key}" is known only at run time'),)
                    )
        return once_each(found) or absent

    _HANDLERS: ClassVar[Mapping[str, Callable[["Evaluator", Syntax, Module, Environment], Values]]] = {
        "identifier": _name,
        "shorthand_property_identifier": _name,
        "undefined": _constant,
        "null": _constant,
        "true": _constant,
        "false": _constant,
        "string": _string,
        "number": _number,
        "template_string": _template,
        "unary_expression": _unary,
        "binary_expression": _binary,
        "ternary_expression": _ternary,
        "array": _array,
        "object": _object,
        "member_expression": _member,
        "subscript_expression": _member,
        "call_expression": _call,
        "new_expression": _call,
        "parenthesized_expression": _first,
        "await_expression": _first,
        "as_expression": _first,
        "satisfies_expression": _first,
        "non_null_expression": _first,
        "sequence_expression": _last,
        "assignment_expression": _last,
        **dict.fromkeys((*FUNCTIONS, "class_declaration", "class"), _routine),
    }


def _spelled(node: Syntax, module: Module) -> str:
    """Name an expression for people."""
    inner = node
    while inner.kind in {"await_expression", "parenthesized_expression"} and inner.children:
        inner = inner.children[0]
    if inner.kind == "identifier":
        return f'"{module.text(inner)}"'
    if inner.kind in {"call_expression", "new_expression"}:
        callee = inner.fields.get("function") or inner.fields.get("constructor")
        last = callee.fields.get("property", callee) if callee is not None else inner
        named = last.kind in {"identifier", "property_identifier"}
        return f'the result of "{module.text(last)}(…)"' if named else "the result of a call"
    key = key_of(module, inner) if inner.kind == "member_expression" else None
    return f'".{key}"' if key is not None else "the value"


def _scope_of(node: Syntax, name: str) -> Scope | None:
    scope: Scope | None = node.scope
    while scope is not None and name not in scope.names:
        scope = scope.outer
    return scope


def _inner_scope(function: Syntax) -> Scope | None:
    """Give the scope that a function opens."""
    part = next(iter(function.children), None)
    return part.scope if part is not None else None


def _is_around(scope: Scope, inner: Scope | None) -> bool:
    while inner is not None:
        if inner is scope:
            return True
        inner = inner.outer
    return False


def _is_within(function: Syntax, call: Syntax) -> bool:
    """Tell whether a function is written as an argument of the call."""
    return function.parent is not None and function.parent.parent is call


def _named_in(module: Module, parameters: list[Syntax], name: str) -> Iterator[Syntax]:
    for parameter in parameters:
        yield from (target for target, _ in targets_of(module, parameter) if module.text(target) == name)


def _functions_by_name(module: Module) -> Iterator[str]:
    """Give the names of variables that hold a function."""
    for kind in ("arrow_function", "function_expression", "generator_function"):
        for node in module.nodes.get(kind, ()):
            if node.parent is not None and node.parent.kind == "variable_declarator":
                yield module.text(node.parent.fields["name"])


def _is_naming(node: Syntax) -> bool:
    """Tell whether an identifier names what is defined, imported or exported there, and is no use of it."""
    parent = node.parent
    if parent is None or parent.kind in {"import_specifier", "export_specifier", "import_clause"}:
        return True
    exported = parent.kind == "export_statement" and parent.fields.get("value") is node
    return exported or parent.fields.get("name") is node


def _entry(routine: Routine) -> Routine | None:
    """Give what is called: of a class its constructor."""
    if routine.node.kind not in {"class_declaration", "class"}:
        return routine
    body = routine.node.fields.get("body")
    for part in body.children if body is not None else ():
        if part.kind == "method_definition" and _method_name(part, routine.module) == "constructor":
            return Routine(routine.module, part)
    return None


def _method_name(node: Syntax, module: Module) -> str | None:
    name = node.fields.get("name")
    return module.text(name) if name is not None and name.kind == "property_identifier" else None


_CALLBACKS = dict.fromkeys(
    ("forEach", "map", "flatMap", "filter", "some", "every", "find", "findLast", "findIndex"), "each"
) | {"then": "then", "reduce": "reduce"}
_CALLABLE = FUNCTIONS | {"identifier", "member_expression", "parenthesized_expression"}
_COMPARING = frozenset({b"==", b"===", b"!=", b"!==", b"<", b">", b"<=", b">=", b"in", b"instanceof"})
_OF_MAPS = frozenset({"get", "entries", "keys", "values", "has", "set", "delete", "forEach"})
_BUILT_IN = frozenset({"Object", "Array", "Promise", "JSON"})
_NO_VALUES = frozenset(
    {
        "property_identifier",
        "private_property_identifier",
        "statement_block",
        "formal_parameters",
        "optional_chain",
        "string_fragment",
        "escape_sequence",
        "regex_pattern",
        "regex_flags",
        "type_identifier",
        "predefined_type",
        "import",
        "super",
        "meta_property",
        "jsx_closing_element",
    }
)
