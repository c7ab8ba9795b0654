"""Calls of what a script defines itself: functions are followed where they are called, objects are made."""

import ast
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice, product

from patterns_os.graph.python_calls import call_handle, call_path, call_stream, call_unknown_function
from patterns_os.graph.python_classes import fields_of, made
from patterns_os.graph.python_engine import UNPACKED, Engine, Given
from patterns_os.graph.python_folding import fold_join, fold_method
from patterns_os.graph.python_library import type_of_method
from patterns_os.graph.python_objects import (
    call_of_fields,
    call_of_listed,
    from_instance,
    items_of,
    merge,
)
from patterns_os.graph.python_reach import Reach
from patterns_os.graph.python_values import (
    DEPENDS_ON_ITSELF,
    MOST_CASES,
    NOTHING,
    Class,
    Entry,
    Fields,
    Frame,
    Instance,
    Known,
    Listed,
    Method,
    OneOf,
    Opaque,
    Opened,
    Partial,
    Routine,
    Stream,
    Value,
    at_run_time,
    computed,
    each,
    either,
    lost,
)

MOST_DEPTH = 24
"""Calls followed within each other."""
_CONTEXT_MANAGERS = frozenset({"contextlib.contextmanager", "contextlib.asynccontextmanager"})
NOBODY = ast.Call(func=ast.Name(id="nobody"), args=[], keywords=[])
"""Stands for the call where Python itself calls a function."""


@dataclass(slots=True)
class Flow:
    """How the statements of one function or loop go on.

    Attributes:
        exits: The names as they are where the loop is left early.
        has_left: Whether some way through what was followed has left the loop.
        has_returned: Whether some way has returned from the function.
        assigned: What was assigned since a `try` began, where there is one.
        unrolled: How many items the loops around this place are followed for, one by one.
    """

    exits: list[dict[str, Value]] = field(default_factory=list)
    has_left: bool = False
    has_returned: bool = False
    assigned: list[tuple[str, Value]] | None = None
    unrolled: int = 1


@dataclass(slots=True)
class Routines(Engine):
    """Calls functions, classes and methods."""

    flow: Flow = field(default_factory=Flow)
    active: list[ast.AST] = field(default_factory=list)

    @abstractmethod
    def run(self, body: Sequence[ast.stmt]) -> bool:
        """Follow statements; tell whether no way leads past them."""

    @abstractmethod
    def put_into(self, target: ast.expr, values: Sequence[Value]) -> None:
        """Follow that an object which nobody knows may hold the values from now on."""

    def run_in(self, frame: Frame, body: Sequence[ast.stmt]) -> bool:
        """Follow the body of a module, class or function, with names and jumps of its own."""
        before = self.frame, self.flow
        self.frame, self.flow = frame, Flow(unrolled=self.flow.unrolled)
        try:
            return self.run(body)
        finally:
            self.frame, self.flow = before

    def call(self, callee: Value, given: Given) -> Value:
        """Give what calling the value with these arguments returns."""
        self.step()
        if isinstance(callee, OneOf):
            with self.within():
                return either([self._call_one(part, given) for part in callee.values])
        return self._call_one(callee, given)

    def call_unknown(self, routine: Routine) -> Value:
        """Give what the function returns for arguments that nobody knows."""
        with self.within():
            return self._enter(routine, Given(NOBODY), is_unknown=True)

    def follow_uncalled(self) -> None:
        """Follow what nothing was seen to call and can be called, and what that defines in turn."""
        trees = [module.tree for module in self.modules.values()]
        reach = Reach(trees[0])
        waiting: list[Class | Routine] = []
        classes = routines = 0
        is_moving = True
        while is_moving:
            waiting += [*self.classes[classes:], *self.routines[routines:]]
            classes, routines = len(self.classes), len(self.routines)
            if len(trees) > 1:
                reach.look_at((*trees, *self.entered))
            found = [part for part in waiting if _is_reached(reach, part)]
            waiting = [part for part in waiting if not _is_reached(reach, part)]
            for part in found:
                self._follow_part(part)
            is_moving = bool(found)

    def _follow_part(self, part: Class | Routine) -> None:
        if isinstance(part, Class):
            self._instantiate(part)
        elif part.node not in self.entered:
            self.call_unknown(self._with_object(part))

    def bound(self, found: Value, to: Value, owner: Value | None = None) -> Value:
        """Give what `x.name` is where the class of x has this under the name."""
        if isinstance(found, OneOf):
            return either([self.bound(part, to, owner) for part in found.values])
        if not isinstance(found, Routine) or "builtins.staticmethod" in found.decorators:
            return found
        if "builtins.classmethod" in found.decorators:
            return _bound_to(found, owner or (to.owner if isinstance(to, Instance) else to))
        if isinstance(to, Class):
            return found
        routine = _bound_to(found, to)
        if any(name.endswith(("property", "cached_property")) for name in found.decorators):
            return self.call(routine, Given(NOBODY))
        return routine

    def _call_one(self, callee: Value, given: Given) -> Value:  # noqa: PLR0911 - a table of all kinds
        match callee:
            case Opaque():
                return call_path(self, callee, given)
            case Routine():
                return self._enter(callee, given)
            case Method():
                return self._call_method(callee, given)
            case Class():
                return self._construct(callee, given)
            case Partial(callee=inner, arguments=arguments, keywords=keywords):
                named = {**dict(keywords), **given.keywords}
                return self.call(
                    inner, Given(given.node, [*arguments, *given.arguments], named, given.is_open)
                )
            case Instance(owner=owner):
                found = owner.look_up("__call__")
                if found is not None:
                    return self.call(self.bound(found[1], callee), given)
            case _:
                pass
        return call_unknown_function(self, computed(at_run_time(given.node), (callee,)), given)

    def _enter(self, routine: Routine, given: Given, *, is_unknown: bool = False) -> Value:
        node = routine.node
        self.entered.add(node)
        if len(self.active) > MOST_DEPTH:
            return lost("calls are nested too deeply")
        if node in self.active:
            return lost(DEPENDS_ON_ITSELF)
        self.step()
        frame = Frame(routine.frame.module, self.region, outer=routine.frame, routine=routine)
        self._bind_parameters(frame, routine, given, is_unknown=is_unknown)
        self.active.append(node)
        try:
            if isinstance(node, ast.Lambda):
                return self._evaluate_in(frame, node.body)
            ended = self.run_in(frame, node.body)
        finally:
            self.active.pop()
        self._hand_back(frame, routine, given)
        return self._returned(frame, routine, given, ended=ended)

    def _hand_back(self, frame: Frame, routine: Routine, given: Given) -> None:
        """Follow what the function has put into objects that it was given."""
        spec, arguments = routine.node.args, given.node.args
        names = [argument.arg for argument in (*spec.posonlyargs, *spec.args)]
        if len(arguments) != len(given.arguments):
            return
        shown = zip(names[routine.bound is not None :], arguments, given.arguments, strict=False)
        for name, argument, before in shown:
            after = frame.names.get(name, before)
            if after is not before and is_object(before) and is_object(after):
                self.put_into(argument, [after])

    def _evaluate_in(self, frame: Frame, node: ast.expr) -> Value:
        before = self.frame
        self.frame = frame
        try:
            return self.evaluate(node)
        finally:
            self.frame = before

    def _returned(self, frame: Frame, routine: Routine, given: Given, *, ended: bool) -> Value:
        if frame.yielded is not None:
            value = either(frame.yielded) if frame.yielded else None
            if value is not None and _CONTEXT_MANAGERS & set(routine.decorators):
                return value
            return Listed(given.node, self.region, rest=value)
        if not frame.returned and _is_generator(routine.node):
            return Listed(given.node, self.region)
        found = frame.returned if ended else [*frame.returned, NOTHING]
        return either(found) if found else NOTHING

    def _bind_parameters(self, frame: Frame, routine: Routine, given: Given, *, is_unknown: bool) -> None:
        spec = routine.node.args
        positional = [argument.arg for argument in (*spec.posonlyargs, *spec.args)]
        arguments = given.arguments if routine.bound is None else [routine.bound, *given.arguments]
        keywords = dict(given.keywords)
        names = frame.names
        names.update(zip(positional, arguments, strict=False))
        for name in (*positional, *(argument.arg for argument in spec.kwonlyargs)):
            if name in keywords:
                names[name] = keywords.pop(name)
            elif name not in names:
                names[name] = self._missing(routine, name, is_unknown=is_unknown or given.is_open)
        is_open = given.is_open or is_unknown
        if spec.vararg is not None:
            further = list(arguments[len(positional) :])
            names[spec.vararg.arg] = Listed(
                given.node, self.region, further, lost(UNPACKED) if is_open else None
            )
        if spec.kwarg is not None:
            names[spec.kwarg.arg] = self._keywords(frame, keywords, given, is_open=is_open)

    def _keywords(self, frame: Frame, keywords: dict[str, Value], given: Given, *, is_open: bool) -> Fields:
        entries: dict[Hashable, Entry] = {
            key: Entry(value, frame.module, given.node) for key, value in keywords.items()
        }
        row = Fields(given.node, self.region, entries)
        if is_open:
            merge(self, row, lost(UNPACKED), given.node)
        return row

    def _missing(self, routine: Routine, name: str, *, is_unknown: bool) -> Value:
        default = routine.defaults.get(name)
        if default is not None and not is_unknown:
            return default
        reason = f'"{name}" is a parameter of {routine.spelled}, whose arguments are known only at run time'
        return lost(reason) if default is None else either((default, lost(reason)))

    def _construct(self, owner: Class, given: Given) -> Value:
        instance = Instance(owner, given.node, self.region)
        self.register(instance)
        found = owner.look_up("__init__")
        if found is not None:
            self.call(self.bound(found[1], instance), given)
            return instance
        instance.attributes.update(made(owner, given))
        found = owner.look_up("__post_init__")
        if found is not None:
            self.call(self.bound(found[1], instance), Given(given.node))
        return instance

    def _instantiate(self, owner: Class) -> None:
        if owner.instances:
            return
        instance = Instance(owner, owner.node, self.region)
        self.register(instance)
        found = owner.look_up("__init__")
        bound = None if found is None else self.bound(found[1], instance)
        if isinstance(bound, Routine):
            self.call_unknown(bound)
        elif found is None:
            for name in (field.name for field in fields_of(owner)):
                reason = f'"{name}" is a field of "{owner.node.name}", which nobody is seen to make'
                if owner.look_up(name) is None:
                    instance.attributes[name] = lost(reason)

    def _with_object(self, routine: Routine) -> Routine:
        if routine.owner is None or "builtins.staticmethod" in routine.decorators:
            return routine
        if "builtins.classmethod" in routine.decorators:
            return _bound_to(routine, routine.owner)
        objects = list(islice(routine.owner.instances, 20))
        return _bound_to(routine, either(objects) if objects else lost("there is no object"))

    def _call_method(self, method: Method, given: Given) -> Value:  # noqa: PLR0911 - a table of all kinds
        base, name, node = method.base, method.name, given.node
        match base:
            case Opened():
                return call_handle(self, base, name, given)
            case Stream():
                return call_stream(self, base, name, given)
            case Fields():
                return call_of_fields(self, base, name, given)
            case Listed():
                return call_of_listed(self, base, name, given)
            case Known(value=str() as text):
                return self._call_of_text(text, name, given)
            case Instance() if not given.values() and not given.is_open:
                return from_instance(self, base, node)
            case _:
                return computed(at_run_time(node), (base, *given.values()))

    def _call_of_text(self, text: str, name: str, given: Given) -> Value:
        if name == "join" and given.arguments:
            return self._joined(text, given.arguments[0], given)
        keywords = list(given.keywords)
        choices = [each(value) for value in given.values()]
        cases = islice(product(*choices), MOST_CASES)
        found = [None if given.is_open else _folded(text, name, case, keywords) for case in cases]
        constants = [value for value in found if value is not None]
        if len(constants) == len(found):
            return either(constants)
        reason = _first_reason(given.values()) or at_run_time(given.node)
        return computed(reason, given.values(), type_of_method(name, "text"))

    def _joined(self, text: str, collection: Value, given: Given) -> Value:
        items, rest = items_of(self, collection, given.node)
        if rest is None:
            cases = islice(product(*map(each, items)), MOST_CASES)
            found = [fold_join(text, [getattr(part, "value", None) for part in case]) for case in cases]
            constants = [value for value in found if value is not None]
            if len(constants) == len(found):
                return either(constants)
        values = [*items, *(() if rest is None else (rest,))]
        return computed(_first_reason(values) or at_run_time(given.node), values, "text")


def _folded(text: str, name: str, case: Sequence[Value], keywords: Sequence[str]) -> Known | None:
    constants = [part.value for part in case if isinstance(part, Known)]
    if len(constants) < len(case):
        return None
    count = len(case) - len(keywords)
    return fold_method(text, name, constants[:count], dict(zip(keywords, constants[count:], strict=True)))


def _first_reason(values: Sequence[Value]) -> str | None:
    return next((part.reason for value in values for part in each(value) if isinstance(part, Opaque)), None)


def _is_reached(reach: Reach, part: Class | Routine) -> bool:
    return reach.has(part) if isinstance(part, Class) else reach.reaches(part)


def is_object(value: Value) -> bool:
    """Tell whether the value may be what something outside of the app has made, which may change."""
    return any(isinstance(part, Opaque) and part.path.endswith(")") for part in each(value))


def _is_generator(node: ast.AST) -> bool:
    """Tell whether the function yields, be it in parts that are never reached."""
    pending = list(ast.iter_child_nodes(node))
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(part)
    return False


def _bound_to(routine: Routine, value: Value) -> Routine:
    return Routine(routine.node, routine.frame, routine.defaults, routine.owner, value, routine.decorators)
