"""Follows a script from top to bottom without executing it.

Statements are looked at in the order in which they would run: both ways of a branch, each item of a literal
collection, the body of any other loop until nothing changes, and functions where they are called, with the
arguments that they get. What nobody calls is followed last, with arguments that nobody knows. There is a bound on
the steps, so every script ends.
"""

import ast
import builtins
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from patterns_os.graph.python_calls import SDK_NAMES
from patterns_os.graph.python_engine import MOST_STEPS, Given
from patterns_os.graph.python_expressions import Expressions, at_position, joined
from patterns_os.graph.python_modules import Imported, find_import
from patterns_os.graph.python_objects import (
    any_item,
    extend,
    items_of,
    look_up,
    merge,
    take_out,
)
from patterns_os.graph.python_routines import NOBODY, Flow
from patterns_os.graph.python_values import (
    DEPENDS_ON_ITSELF,
    MOST_CASES,
    NO_COLUMNS,
    NOTHING,
    Class,
    Columns,
    Fields,
    Frame,
    Instance,
    Known,
    Listed,
    LocalModule,
    Method,
    Opaque,
    Region,
    Remainder,
    Routine,
    Value,
    at_run_time,
    computed,
    each,
    either,
    identity,
    lost,
    provenance,
)

MOST_PASSES = 6
"""How often the body of a loop is followed until what still changes counts as lost."""

_BUILTINS = {
    name: Opaque(f'"{name}" is known only at run time', path=f"builtins.{name}")
    for name in dir(builtins)
    if not name.startswith("_") or name == "__import__"
}
_PROPERTIES = {"exists": "bool", "record_count": "bigint", "is_connected": "bool", "sql_name": "text"}
_NUMBERS = frozenset({"bigint", "double"})
_Names = dict[str, Value]
_Object = Fields | Listed | Instance
_Content = dict[object, tuple[Columns, bool]]


@dataclass(slots=True)
class Interpreter(Expressions):
    """Follows modules; what it finds is in `findings`."""

    _frames: dict[str, Frame] = field(default_factory=dict)

    def follow(self) -> None:
        """Follow the script, the modules that it imports, and all that nobody is seen to call."""
        for file in self.modules:
            self.module(file)
        self.follow_uncalled()

    # -- modules and names

    def module(self, file: str) -> Frame | None:
        """Follow a module of the app, unless that has been done."""
        if file in self._frames:
            return self._frames[file]
        module = self.modules.get(file)
        if module is None:
            return None
        frame = self._frames[file] = Frame(module, self.region)
        for name in ("__name__", "__file__", "__doc__"):
            frame.names[name] = Opaque(f'"{name}" is known only at run time', type="text")
        unrolled, self.flow.unrolled = self.flow.unrolled, 1
        self.run_in(frame, module.tree.body)
        self.flow.unrolled = unrolled
        return frame

    def local(self, name: str, level: int, importer: str) -> LocalModule | None:
        """Give the module of the app that an import names."""
        file = find_import(importer, Imported(name, level), self.files)
        if file is None or file not in self.modules:
            return None
        return LocalModule(file, name, level, importer, self.module(file))

    def _import(self, node: ast.Import) -> bool:
        importer = self.frame.module.file
        for alias in node.names:
            local = self.local(alias.name, 0, importer)
            # `import a.b` binds `a`; `import a.b as c` binds the inner module.
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            value: Value = Opaque(f'"{name}" is imported from outside the app', path=name)
            if local is not None:
                outer = local if alias.asname else self.local(name, 0, importer)
                value = outer or LocalModule("", name, 0, importer, None)
            self.bind(alias.asname or name, value)
        return False

    def _import_from(self, node: ast.ImportFrom) -> bool:
        for alias in node.names:
            if alias.name == "*":
                self._import_all(node)
            else:
                self.bind(alias.asname or alias.name, self._imported(node, alias.name))
        return False

    def _imported(self, node: ast.ImportFrom, name: str) -> Value:
        base, importer = node.module or "", self.frame.module.file
        local = self.local(base, node.level, importer)
        if local is not None and local.frame is not None and name in local.frame.names:
            return local.frame.names[name]
        inner = self.local(f"{base}.{name}" if base else name, node.level, importer)
        if inner is not None:
            return inner
        if local is not None:
            return lost(f'"{local.file}" does not define "{name}"')
        reason = f'"{name}" is imported from outside the app'
        return lost(reason) if node.level else Opaque(reason, path=_sdk_path(f"{base}.{name}"))

    def _import_all(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if base == "patterns" and not node.level:
            for name in SDK_NAMES:
                self.bind(name, Opaque(f'"{name}" is imported from outside the app', path=f"patterns.{name}"))
            return
        local = self.local(base, node.level, self.frame.module.file)
        if local is None and not node.level:
            self.frame.stars.append(base)
        if local is not None and local.frame is not None:
            self.frame.stars += local.frame.stars
            for name, value in list(local.frame.names.items()):
                if not name.startswith("_"):
                    self.bind(name, value)

    # -- statements

    def run(self, body: Sequence[ast.stmt]) -> bool:
        """Follow statements; tell whether no way leads past them."""
        before = self.region
        flow = self.flow
        is_open = False
        try:
            for node in body:
                self.step()
                handler = self._STATEMENTS.get(type(node))
                if handler is not None and handler(self, node):
                    return True
                if not is_open and (flow.has_left or flow.has_returned):
                    # Some ways have left: what comes now runs for the others only.
                    self.region = Region(self.region)
                    is_open = True
            return False
        finally:
            self.region = before

    def _expression(self, node: ast.Expr) -> bool:
        self.discarded = node.value.value if isinstance(node.value, ast.Await) else node.value
        self.evaluate(node.value)
        return False

    def _assign(self, node: ast.Assign) -> bool:
        value = self.evaluate(node.value)
        for target in node.targets:
            self.assign(target, value, node.value)
        return False

    def _annotated(self, node: ast.AnnAssign) -> bool:
        if node.value is not None:
            self.assign(node.target, self.evaluate(node.value), node.value)
        return False

    def _augmented(self, node: ast.AugAssign) -> bool:
        target = node.target
        value = self.evaluate(node.value)
        old = self.evaluate(target)
        if isinstance(node.op, ast.Add) and isinstance(old, Listed):
            extend(self, old, value, node.value)
        elif isinstance(node.op, ast.BitOr) and isinstance(old, Fields):
            merge(self, old, value, node.value)
        else:
            self.assign(target, self.operated(node.op, old, value, target), node.value)
        return False

    def _delete(self, node: ast.Delete) -> bool:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                base, key = self.evaluate(target.value), self.evaluate(target.slice)
                for part in each(base):
                    if isinstance(part, Fields):
                        take_out(self, part, key)
        return False

    def _return(self, node: ast.Return) -> bool:
        value = NOTHING if node.value is None else self.evaluate(node.value)
        self.frame.returned.append(value)
        self.flow.has_returned = True
        return True

    def _raise(self, node: ast.Raise) -> bool:
        for part in (node.exc, node.cause):
            if part is not None:
                self.evaluate(part)
        return True

    def _assert(self, node: ast.Assert) -> bool:
        self.evaluate(node.test)
        return False

    def _leave(self, node: ast.stmt) -> bool:  # noqa: ARG002 - one signature for all statements
        self.flow.exits.append(dict(self.frame.names))
        self.flow.has_left = True
        return True

    def _if(self, node: ast.If) -> bool:
        test = self.evaluate(node.test)
        decided = _decided(node.test, test)
        if decided is not None:
            return self.run(node.body if decided else node.orelse)
        guard = self.guarded() if _asks_for_type(node.test) else nullcontext()
        with guard:
            return self._ways([node.body, node.orelse])

    def _ways(self, bodies: Sequence[Sequence[ast.stmt]]) -> bool:
        """Follow several bodies of which one runs."""
        return self._choose([partial(self.run, body) for body in bodies])

    def _choose(self, ways: Sequence[Callable[[], bool]]) -> bool:
        names, written = self.frame.names, self.written
        afterwards: list[_Names] = []
        after = written
        for way in ways:
            self.frame.names, self.written = dict(names), written
            with self.within():
                ended = way()
            after |= self.written
            if not ended:
                afterwards.append(self.frame.names)
        self.written = after
        self.frame.names = joined(afterwards) if afterwards else names
        return not afterwards

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        items, rest = self._iterated(node.iter)
        outer = self.flow
        self.flow = Flow(assigned=outer.assigned, unrolled=outer.unrolled)
        if rest is None:
            rest = self._unroll(node, items)
        if rest is not None:
            self._loop(lambda: self._pass(node, rest))
        outer.has_returned = outer.has_returned or self.flow.has_returned
        self.flow = outer
        return self.run(node.orelse)

    def _iterated(self, node: ast.expr) -> tuple[list[Value], Value | None]:
        items, rest = items_of(self, self.evaluate(node), node)
        return ([], either([*items, rest])) if rest is not None and items else (items, rest)

    def _pass(self, node: ast.For | ast.AsyncFor, item: Value) -> bool:
        self.assign(node.target, _again(self, item), node.iter)
        return self.run(node.body)

    def _unroll(self, node: ast.For | ast.AsyncFor, items: list[Value]) -> Value | None:
        """Follow the body for each item; give any of those for which that would take too long."""
        before = self.flow.unrolled
        self.flow.unrolled = before * max(len(items), 1)
        start = self.steps
        try:
            for done, item in enumerate(items):
                cost = (self.steps - start) / done if done else 1
                if (
                    self.flow.unrolled > MOST_CASES
                    or self.steps + cost * (len(items) - done) > MOST_STEPS / 2
                ):
                    return either(items[done:])
                self.flow.exits = []
                ended = self._pass(node, item)
                ways = [*self.flow.exits, *([] if ended else [self.frame.names])]
                if not ways:
                    break
                self.frame.names = joined(ways)
                if ended and not self.flow.exits:
                    break
        finally:
            self.flow.unrolled = before
        return None

    def _while(self, node: ast.While) -> bool:
        outer = self.flow
        self.flow = Flow(assigned=outer.assigned, unrolled=outer.unrolled)

        def once_more() -> bool:
            self.evaluate(node.test)
            return self.run(node.body)

        self._loop(once_more)
        has_left = self.flow.has_left
        outer.has_returned = outer.has_returned or self.flow.has_returned
        self.flow = outer
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value) and not has_left
        return forever or self.run(node.orelse)

    def _loop(self, once_more: Callable[[], bool]) -> None:
        """Follow a body that runs any number of times, until what it changes is known."""
        looked_at, self.looked_at = self.looked_at, frozenset()
        for attempt in range(1, MOST_PASSES + 1):
            names, written = self.frame.names, self.written
            changes, missed = self.changes, self.missed
            # Few loops need a second pass, so only from then on it pays to look into objects.
            objects = self._objects() if attempt > 1 else []
            before = _contents(objects)
            ways = self._pass_of_loop(once_more, names)
            after = joined([names, *ways])
            changed = [name for name, value in names.items() if _differs(value, after[name])]
            for name in changed:
                after[name] = _widened(names[name], after[name], name, is_last=attempt == MOST_PASSES)
            self.frame.names = after
            has_changed = self.changes > changes
            grown = [part for part in objects if not _covers(before[id(part.site)], _content(part))]
            if attempt == MOST_PASSES:
                _spoil(grown)
            again = grown if attempt > 1 else has_changed or self.missed > missed
            if not changed and not again and not (self.written - written) & self.looked_at:
                break
        self.looked_at |= looked_at

    def _pass_of_loop(self, once_more: Callable[[], bool], names: _Names) -> list[_Names]:
        """Follow the body once; give the names as they are on each way out of it."""
        self.frame.names = dict(names)
        self.flow.exits = []
        with self.within(is_loop=True):
            ended = once_more()
        return [*self.flow.exits, *([] if ended else [self.frame.names])]

    def _objects(self) -> list[_Object]:
        """Give the objects that names stand for."""
        found: dict[int, _Object] = {}
        frame: Frame | None = self.frame
        while frame is not None:
            for value in frame.names.values():
                for part in each(value):
                    if isinstance(part, _Object) and id(part) not in found:
                        found[id(part)] = part
            frame = frame.outer
        return list(found.values())

    def _try(self, node: ast.Try | ast.TryStar) -> bool:  # type: ignore[name-defined,unused-ignore] # new in 3.11
        names = dict(self.frame.names)
        outer = self.flow.assigned
        self.flow.assigned = []
        written = self.written
        with (
            self.guarded() if node.handlers else nullcontext(),
            self.within() if node.handlers else nullcontext(),
        ):
            ended = self.run(node.body)
        assigned, self.flow.assigned = self.flow.assigned, outer
        if outer is not None:
            outer += assigned
        after = self.frame.names
        if not node.handlers:
            return self._finally(node, ended=ended)
        failed = {**names, **_any_of(assigned, names)}
        written |= self.written

        def as_before() -> bool:
            self.frame.names = dict(after)
            return ended or self.run(node.orelse)

        def handle(handler: ast.ExceptHandler) -> bool:
            self.frame.names = dict(failed)
            self.written = written
            if handler.type is not None:
                self.evaluate(handler.type)
            if handler.name is not None:
                # What is raised tells of any value that was looked at.
                self.bind(handler.name, lost(f'"{handler.name}" is bound at run time'))
            return self.run(handler.body)

        ways: list[Callable[[], bool]] = [as_before, *(partial(handle, handler) for handler in node.handlers)]
        return self._finally(node, ended=self._choose(ways))

    def _finally(self, node: ast.Try | ast.TryStar, *, ended: bool) -> bool:  # type: ignore[name-defined,unused-ignore] # new in 3.11
        return self.run(node.finalbody) or ended

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        for item in node.items:
            value = self._entered(self.evaluate(item.context_expr))
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value, item.context_expr)
        return self.run(node.body)

    def _entered(self, value: Value) -> Value:
        if isinstance(value, Instance):
            found = value.owner.look_up("__enter__") or value.owner.look_up("__aenter__")
            if found is not None:
                return self.call(self.bound(found[1], value), Given(NOBODY))
        return value

    def _match(self, node: ast.Match) -> bool:
        subject = self.evaluate(node.subject)
        ways: list[Callable[[], bool]] = []
        for case in node.cases:
            decided = _matches(case, subject)
            if decided is False:
                continue
            ways.append(partial(self._case, case, subject))
            if decided:
                break
        else:
            ways.append(lambda: False)
        with self.guarded():
            return self._choose(ways)

    def _case(self, case: ast.match_case, subject: Value) -> bool:
        self._capture(case.pattern, subject)
        if case.guard is not None:
            self.evaluate(case.guard)
        return self.run(case.body)

    def _capture(  # noqa: C901, PLR0912 - a table of all kinds of patterns
        self, pattern: ast.pattern, subject: Value
    ) -> None:
        match pattern:
            case ast.MatchAs(pattern=inner, name=name):
                if inner is not None:
                    self._capture(inner, subject)
                if name is not None:
                    self.bind(name, subject)
            case ast.MatchStar(name=str() as name):
                self.bind(name, Listed(pattern, self.region, rest=any_item(self, subject, pattern)))
            case ast.MatchOr(patterns=patterns):
                for part in patterns:
                    self._capture(part, subject)
            case ast.MatchSequence(patterns=patterns):
                for index, part in enumerate(patterns):
                    item = (
                        subject
                        if isinstance(part, ast.MatchStar)
                        else at_position(self, subject, index, len(patterns), pattern)
                    )
                    self._capture(part, item)
            case ast.MatchMapping(keys=keys, patterns=patterns, rest=rest):
                for key, part in zip(keys, patterns, strict=True):
                    self._capture(part, self._matched(subject, self.evaluate(key), pattern))
                if rest is not None:
                    self.bind(rest, computed(at_run_time(pattern), (subject,)))
            case ast.MatchClass(patterns=patterns, kwd_attrs=names, kwd_patterns=named):
                for part in patterns:
                    self._capture(part, computed(at_run_time(pattern), (subject,)))
                for name, part in zip(names, named, strict=True):
                    self._capture(part, self.attribute(subject, name, pattern))
            case _:
                pass

    def _matched(self, subject: Value, key: Value, pattern: ast.pattern) -> Value:
        if isinstance(subject, Fields) and isinstance(key, Known):
            return look_up(self, subject, key.value, pattern, optional=True) or lost(at_run_time(pattern))
        return computed(at_run_time(pattern), (subject,))

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        decorators = [self.evaluate(decorator) for decorator in node.decorator_list]
        paths = tuple(part.path for value in decorators for part in each(value) if isinstance(part, Opaque))
        routine = Routine(node, self.frame, self.defaults(node.args), self.frame.owner, None, paths)
        self.routines.append(routine)
        value: Value = routine
        for decorator in reversed(decorators):
            if isinstance(decorator, Routine | Class | Instance | Method):
                # What a decorator of the app returns is what the name stands for; others leave the function as it is.
                value = self.call(decorator, Given(NOBODY, [value]))
        self.bind(node.name, value)
        return False

    def _class(self, node: ast.ClassDef) -> bool:
        bases = tuple(part for base in node.bases for part in each(self.evaluate(base)))
        for expression in (*node.decorator_list, *(keyword.value for keyword in node.keywords)):
            self.evaluate(expression)
        frame = Frame(self.frame.module, self.region, outer=self.frame)
        found = Class(node, frame, bases)
        frame.owner = found
        self.classes.append(found)
        self.run_in(frame, node.body)
        self.bind(node.name, found)
        return False

    def _scope(self, node: ast.Global | ast.Nonlocal) -> bool:
        for name in node.names:
            frame = self.frame
            if isinstance(node, ast.Global):
                while frame.outer is not None:
                    frame = frame.outer
            else:
                while frame.outer is not None and (frame is self.frame or name not in frame.names):
                    frame = frame.outer
            if frame is not self.frame:
                self.frame.elsewhere[name] = frame
        return False

    _STATEMENTS: ClassVar[dict[type[ast.stmt], Callable[[Any, Any], bool]]] = {
        ast.Expr: _expression,
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.Delete: _delete,
        ast.Return: _return,
        ast.Raise: _raise,
        ast.Assert: _assert,
        ast.Break: _leave,
        ast.Continue: _leave,
        ast.If: _if,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Match: _match,
        ast.FunctionDef: _define,
        ast.AsyncFunctionDef: _define,
        ast.ClassDef: _class,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.Global: _scope,
        ast.Nonlocal: _scope,
    }


def _sdk_path(path: str) -> str:
    # The SDK gives everything at its top; its inner modules have the same names.
    root, _, rest = path.partition(".")
    name = rest.rpartition(".")[2]
    return f"patterns.{name}" if root == "patterns" and name in SDK_NAMES else path


def _any_of(assigned: Iterable[tuple[str, Value]], names: _Names) -> _Names:
    found: dict[str, list[Value]] = {}
    for name, value in assigned:
        found.setdefault(name, [names[name]] if name in names else []).append(value)
    return {name: either(values) for name, values in found.items()}


def _differs(before: Value, after: Value) -> bool:
    if before is after:
        return False
    known = {identity(part) for part in each(before)}
    new = [part for part in each(after) if identity(part) not in known]
    # Each pass makes objects anew: what counts is whether they are made of the same.
    held = [_content(part) for part in each(before) if isinstance(part, _Object)]
    new = [part for part in new if not _is_like_one_of(part, each(before))]
    return any(
        not isinstance(part, _Object) or not any(_covers(old, _content(part)) for old in held) for part in new
    )


def _is_like_one_of(value: Value, others: Sequence[Value]) -> bool:
    """Tell whether a value that is not known adds nothing to others: why it is not known does not count."""
    return isinstance(value, Opaque) and any(
        isinstance(old, Opaque)
        and value.sources <= old.sources
        and value.is_lost <= old.is_lost
        and value.is_copied <= old.is_copied
        and old.type in {None, value.type}
        and (not value.path or (bool(old.path) and value.path.startswith(old.path)))
        for old in others
    )


def _content(value: _Object) -> _Content:
    """Give what an object is made from, by key: the place that makes it first."""
    match value:
        case Fields(entries=entries, rest=rest):
            found: _Content = {key: provenance((entry.value,)) for key, entry in entries.items()}
            if rest:
                found[None, "rest"] = provenance(part.value for part in rest)
        case Listed(items=items, rest=rest):
            found = {} if not items and rest is None else {"items": provenance((value,))}
        case Instance(attributes=attributes):
            found = {key: provenance((part,)) for key, part in attributes.items()}
    found[None, "site"] = frozenset({("", str(id(value.site)))}), False
    return found


def _contents(objects: Iterable[_Object]) -> dict[int, _Content]:
    """Give what objects hold, taken together by the places that make them: each pass of a loop makes its own."""
    found: dict[int, _Content] = {}
    for value in objects:
        together = found.setdefault(id(value.site), {})
        for key, (sources, is_lost) in _content(value).items():
            old, was_lost = together.get(key, (NO_COLUMNS, False))
            together[key] = old | sources, was_lost or is_lost
    return found


def _covers(old: _Content, new: _Content) -> bool:
    """Tell whether an object with the new content adds nothing to one with the old."""
    return all(
        key in old and sources <= old[key][0] and (old[key][1] or not is_lost)
        for key, (sources, is_lost) in new.items()
    )


def _spoil(objects: Iterable[_Object]) -> None:
    """Note of objects that still change that nobody can tell what they hold."""
    for value in objects:
        match value:
            case Fields(entries=entries, rest=rest):
                for key, entry in entries.items():
                    spoilt = lost(DEPENDS_ON_ITSELF, provenance((entry.value,))[0])
                    entries[key] = entry._replace(value=spoilt)
                rest.append(Remainder(lost(DEPENDS_ON_ITSELF), reason=DEPENDS_ON_ITSELF))
            case Listed(rest=found):
                spoilt = lost(DEPENDS_ON_ITSELF, provenance((value,))[0])
                value.rest = spoilt if found is None else either((found, spoilt))
            case Instance(attributes=attributes):
                for key, part in attributes.items():
                    attributes[key] = lost(DEPENDS_ON_ITSELF, provenance((part,))[0])


def _widened(before: Value, after: Value, name: str, *, is_last: bool) -> Value:
    """Give what a name can be that each pass of a loop changes."""
    parts = each(after)
    if is_last:
        return lost(DEPENDS_ON_ITSELF, provenance(parts)[0])
    constants = [part.value for part in parts if isinstance(part, Known)]
    if len(constants) == len(parts) and all(type(value) in {int, float} for value in constants):
        column_type = "bigint" if all(type(value) is int for value in constants) else "double"
        return Opaque(f'"{name}" is changed in a loop', type=column_type, is_present=True)
    return after if before is not after else before


def _again(engine: Interpreter, item: Value) -> Value:
    """Give the item of a loop as belonging to this pass, so that what the body puts into it is certain."""
    if isinstance(item, Fields):
        item.region = engine.region
    return item


def _asks_for_type(node: ast.expr) -> bool:
    names = ("isinstance", "hasattr", "type", "callable")
    return any(isinstance(part, ast.Name) and part.id in names for part in islice(ast.walk(node), MOST_CASES))


def _decided(node: ast.expr, test: Value) -> bool | None:
    """Tell how a comparison of constants ends; a bare constant is a switch, of which both ways count."""
    if (
        isinstance(node, ast.Compare | ast.UnaryOp | ast.BoolOp)
        and isinstance(test, Known)
        and isinstance(test.value, bool)
    ):
        return test.value
    return None


def _matches(case: ast.match_case, subject: Value) -> bool | None:
    """Tell whether a case with a constant fits a constant subject."""
    if case.guard is not None or not isinstance(subject, Known):
        return None
    match case.pattern:
        case ast.MatchValue(value=ast.Constant(value=value)):
            return bool(value == subject.value)
        case ast.MatchSingleton(value=value):
            return value is subject.value
        case ast.MatchOr(patterns=patterns):
            found = [
                _matches(ast.match_case(pattern=part, guard=None, body=[]), subject) for part in patterns
            ]
            return True if True in found else None if None in found else False
        case ast.MatchAs(pattern=None):
            return True
        case _:
            return None
