"""What expressions can be, and the names that they are given."""

import ast
import builtins
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, ClassVar

from patterns_os.graph.python_engine import MOST_STEPS, ExhaustedError, Given
from patterns_os.graph.python_findings import READING, STREAMING, WRITING
from patterns_os.graph.python_folding import fold_binary, fold_compare, fold_format, fold_percent
from patterns_os.graph.python_library import is_effect, is_wrapper, keeps, type_needed, type_of_method
from patterns_os.graph.python_objects import (
    any_item,
    extend,
    from_instance,
    get_item,
    get_slice,
    items_of,
    look_up,
    merge,
    set_item,
    set_pair,
)
from patterns_os.graph.python_routines import Routines, is_object
from patterns_os.graph.python_values import (
    MOST_CASES,
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
    OneOf,
    Opaque,
    Opened,
    Routine,
    Stream,
    Super,
    Value,
    at_run_time,
    computed,
    each,
    either,
    lost,
    provenance,
)
from patterns_os.graph.vertices import Observed

_BUILTINS = {
    name: Opaque(f'"{name}" is known only at run time', path=f"builtins.{name}")
    for name in dir(builtins)
    if not name.startswith("_") or name == "__import__"
}
_PROPERTIES = {"exists": "bool", "record_count": "bigint", "is_connected": "bool", "sql_name": "text"}
_AS_DICTIONARY = frozenset({"model_dump", "dict", "_asdict"})
_NUMBERS = frozenset({"bigint", "double"})


@dataclass(slots=True)
class Expressions(Routines):
    """Evaluates expressions.

    Attributes:
        missed: How many names were looked for that nothing defines.
        discarded: The call whose result nobody wants: it is made for what it changes.
    """

    missed: int = 0
    discarded: ast.expr | None = None

    @abstractmethod
    def local(self, name: str, level: int, importer: str) -> LocalModule | None:
        """Give the module of the app that an import in the file `importer` names."""

    def evaluate(self, node: ast.expr) -> Value:
        """Give what the expression can be, here and now."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise ExhaustedError
        handler = self._EXPRESSIONS.get(type(node))
        return self._other(node) if handler is None else handler(self, node)

    # -- names

    def bind(self, name: str, value: Value) -> None:
        """Give a name a value."""
        frame = self.frame.elsewhere.get(name, self.frame)
        if frame is not self.frame and name in frame.names and not self.is_certain(frame.region):
            value = either((frame.names[name], value))
        frame.names[name] = value
        if self.flow.assigned is not None:
            self.flow.assigned.append((name, value))

    def _name(self, node: ast.Name) -> Value:
        name = node.id
        outermost = self.frame
        frame: Frame | None = outermost
        while frame is not None:
            if name in frame.elsewhere:
                frame = frame.elsewhere[name]
            # A class body is seen only from the body itself, not from its methods.
            if name in frame.names and (frame.owner is None or frame is self.frame):
                return frame.names[name]
            outermost, frame = frame, frame.outer
        if name in _BUILTINS:
            return _BUILTINS[name]
        self.missed += 1
        reason = f'"{name}" is not defined in the script'
        # With one star it can only come from there, or from nowhere.
        return (
            Opaque(reason, path=f"{outermost.stars[0]}.{name}") if len(outermost.stars) == 1 else lost(reason)
        )

    def assign(self, target: ast.expr, value: Value, node: ast.AST) -> None:
        """Give a name, attribute, item or several of them a value."""
        match target:
            case ast.Name(id=name):
                self.bind(name, value)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                self._destructure(elements, value, node)
            case ast.Attribute(value=base, attr=name):
                owner = self.evaluate(base)
                self._set_attribute(owner, name, value)
                if isinstance(owner, Opaque):
                    self.put_into(base, [value])
            case ast.Subscript(value=base, slice=index):
                owner = self.evaluate(base)
                key = self.evaluate(index)
                if any(isinstance(part, Opaque) for part in each(owner)):
                    self.put_into(base, [key, value])
                if isinstance(owner, Fields) and isinstance(key, Opaque) and key.keys_of:
                    set_pair(self, owner, key, value, target)
                else:
                    set_item(self, owner, key, value, target)
            case ast.Starred(value=inner):
                self.assign(inner, value, node)
            case _:
                pass

    def _destructure(self, elements: list[ast.expr], value: Value, node: ast.AST) -> None:
        starred = any(isinstance(element, ast.Starred) for element in elements)
        parts = [at_position(self, value, index, len(elements), node) for index in range(len(elements))]
        if starred:
            anything = any_item(self, value, node) or lost(at_run_time(node))
            parts = [
                Listed(node, self.region, rest=anything) if isinstance(element, ast.Starred) else anything
                for element in elements
            ]
        for element, part in zip(elements, parts, strict=True):
            self.assign(element, part, node)

    def _set_attribute(self, base: Value, name: str, value: Value) -> None:
        for part in each(base):
            if isinstance(part, Instance):
                certain = self.is_certain(part.region) and not isinstance(base, OneOf)
                old = part.attributes.get(name)
                part.attributes[name] = value if certain or old is None else either((old, value))
            elif isinstance(part, Class | LocalModule) and part.frame is not None:
                old = part.frame.names.get(name)
                part.frame.names[name] = value if old is None else either((old, value))

    def defaults(self, spec: ast.arguments) -> dict[str, Value]:
        """Give the values that parameters have where none is given."""
        positional = [*spec.posonlyargs, *spec.args]
        tail = positional[len(positional) - len(spec.defaults) :]
        found = {
            argument.arg: self.evaluate(value) for argument, value in zip(tail, spec.defaults, strict=True)
        }
        for argument, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if value is not None:
                found[argument.arg] = self.evaluate(value)
        return found

    # -- expressions

    def _other(self, node: ast.expr) -> Value:
        inner = [self.evaluate(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return computed(at_run_time(node), inner)

    def _constant(self, node: ast.Constant) -> Value:
        return Opaque("the value is an ellipsis") if node.value is ... else Known(node.value)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.evaluate(node.value), node.attr, node)

    def attribute(self, base: Value, name: str, node: ast.AST) -> Value:
        """Give `base.name`."""
        if isinstance(base, OneOf):
            return either([self._attribute_of(part, name, node, is_one=False) for part in base.values])
        return self._attribute_of(base, name, node, is_one=True)

    def _attribute_of(self, base: Value, name: str, node: ast.AST, *, is_one: bool) -> Value:  # noqa: C901, PLR0911 - a table of all kinds
        match base:
            case Opaque():
                return self._attribute_of_opaque(base, name, node)
            case Opened():
                return self._attribute_of_handle(base, name, node, is_one=is_one)
            case Instance():
                return self._attribute_of_instance(base, name, node)
            case Class():
                found = base.look_up(name)
                if found is not None:
                    return self.bound(found[1], base, base)
                return Known(base.node.name) if name == "__name__" else lost(at_run_time(node))
            case LocalModule():
                return self._attribute_of_module(base, name)
            case Super(owner=owner, bound=to):
                return self._attribute_of_base(owner, to, name, node)
            case Known() if name in {"value", "_value_"}:
                # A member of an enumeration stands for its value.
                return base
            case Known(value=str()) | Fields() | Listed() | Stream():
                return Method(base, name)
            case Routine() if name == "__name__" and not isinstance(base.node, ast.Lambda):
                return Known(base.node.name)
            case _:
                return computed(at_run_time(node), (base,))

    def _attribute_of_opaque(self, base: Opaque, name: str, node: ast.AST) -> Value:
        if name in STREAMING:
            self.findings.is_stream_loose = True
        self.need(base, type_needed(name))
        path = f"{base.path}.{name}" if base.path else ""
        column_type = type_of_method(name, base.type or (None if base.origin is None else type_needed(name)))
        return Opaque(
            at_run_time(node),
            base.sources,
            path=path,
            type=column_type,
            is_lost=base.is_lost or name in STREAMING,
            origin=base.origin if name == "replace" else None,
        )

    def _attribute_of_handle(self, handle: Opened, name: str, node: ast.AST, *, is_one: bool) -> Value:
        if handle.kind == "table":
            if name in WRITING or name in READING or name in STREAMING:
                self.touch(handle, name, node)
            if name in WRITING and is_one:
                self.findings.check_writable(handle, name, self.place(node))
            if name in _PROPERTIES:
                return Opaque(at_run_time(node), type=_PROPERTIES[name], is_present=True)
        if name in {"name", "port_name"}:
            return Known(handle.name)
        return Method(handle, name)

    def _attribute_of_instance(self, instance: Instance, name: str, node: ast.AST) -> Value:
        if name in instance.attributes:
            return instance.attributes[name]
        found = instance.owner.look_up(name)
        if found is not None:
            return self.bound(found[1], instance)
        if name == "__dict__":
            return from_instance(self, instance, node)
        if name in _AS_DICTIONARY:
            return Method(instance, name)
        return lost(at_run_time(node), provenance((instance,))[0])

    def _attribute_of_module(self, module: LocalModule, name: str) -> Value:
        if module.frame is not None and name in module.frame.names:
            return module.frame.names[name]
        inner = self.local(f"{module.name}.{name}" if module.name else name, module.level, module.importer)
        return inner or lost(f'"{module.file or module.name}" does not define "{name}"')

    def _attribute_of_base(self, owner: Class, to: Value, name: str, node: ast.AST) -> Value:
        for base in owner.bases:
            found = base.look_up(name) if isinstance(base, Class) else None
            if found is not None:
                return self.bound(found[1], to)
        return Opaque(at_run_time(node))

    def _subscript(self, node: ast.Subscript) -> Value:
        base = self.evaluate(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            bounds = tuple(NOTHING if part is None else self.evaluate(part) for part in parts)
            return get_slice(self, base, node, bounds)
        return get_item(self, base, self.evaluate(node.slice), node)

    def _call(self, node: ast.Call) -> Value:
        callee = self.evaluate(node.func)
        if isinstance(callee, Opaque) and callee.path in self._OF_NAMES:
            found = self._OF_NAMES[callee.path](self, node)
            if found is not None:
                return found
        given = self._given(node)
        self._mend_moment(callee, given)
        found = self.call(callee, given)
        if isinstance(callee, Opaque):
            self._keep_arguments(node, callee, given)
        return found

    def _keep_arguments(self, node: ast.Call, callee: Opaque, given: Given) -> None:
        """Follow what an object from outside of the app may keep of the arguments of its method."""
        if isinstance(node.func, ast.Attribute):
            is_kept = keeps(node.func.attr) or (node is self.discarded and not is_effect(callee.path, None))
            if is_kept and given.arguments:
                self.put_into(node.func.value, given.values())
        for argument, value in zip(node.args, given.arguments, strict=False):
            if is_wrapper(callee.path) and is_object(value):
                self.put_into(argument, [lost(f'"{callee.path}" may go on to change it')])

    def put_into(self, target: ast.expr, values: Sequence[Value]) -> None:
        """Follow that an object which nobody knows may hold the values from now on."""
        if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
            self.put_into(target.func.value, [*values, *map(self._looked_at_again, target.args)])
            return
        if not isinstance(target, ast.Name | ast.Attribute | ast.Subscript) or _has_calls(target):
            return
        old = self.evaluate(target)
        sources, is_lost = provenance(values)
        grown = either(_grown(part, sources, is_lost=is_lost) for part in each(old))
        if grown == old:
            return
        if isinstance(target, ast.Name):
            self._bind_again(target.id, grown)
        elif any(isinstance(part, Opaque) for part in each(self.evaluate(target.value))):
            key = [self.evaluate(target.slice)] if isinstance(target, ast.Subscript) else []
            self.put_into(target.value, [*values, *key])
        else:
            self.assign(target, grown, target)

    def _looked_at_again(self, node: ast.expr) -> Value:
        return lost(at_run_time(node)) if _has_calls(node) else self.evaluate(node)

    def _bind_again(self, name: str, value: Value) -> None:
        """Give a name another value where it has one: here, or in what is around."""
        frame: Frame | None = self.frame
        while frame is not None and name not in frame.names:
            frame = frame.elsewhere.get(name, frame.outer)
        if frame is self.frame:
            self.bind(name, value)
        elif frame is not None:
            frame.names[name] = value
            self.changes += 1

    def _given(self, node: ast.Call) -> Given:
        given = Given(node)
        for argument in node.args:
            if not isinstance(argument, ast.Starred):
                given.arguments.append(self.evaluate(argument))
                continue
            items, rest = items_of(self, self.evaluate(argument.value), argument.value)
            given.arguments += items
            given.is_open = given.is_open or rest is not None
            if rest is not None:
                given.unpacked.append(rest)
                break
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                given.keywords[keyword.arg] = value
            elif isinstance(value, Fields) and not value.rest:
                given.keywords |= {
                    key: entry.value for key, entry in value.entries.items() if isinstance(key, str)
                }
            else:
                given.is_open = True
                given.unpacked.append(value)
        return given

    def _mend_moment(self, callee: Value, given: Given) -> None:
        if isinstance(callee, Opaque) and callee.origin is not None and "tzinfo" in given.keywords:
            self.findings.forget(Observed.NAIVE_DATETIME, callee.origin)

    def _getattr(self, node: ast.Call) -> Value | None:
        match node.args:
            case [base, name, *default]:
                owner, key = self.evaluate(base), self.evaluate(name)
                if isinstance(key, Known) and isinstance(key.value, str):
                    found = self.attribute(owner, key.value, node)
                    return either([found, *map(self.evaluate, default)]) if default else found
            case _:
                pass
        return None

    def _setattr(self, node: ast.Call) -> Value | None:
        match node.args:
            case [base, name, value]:
                key = self.evaluate(name)
                if isinstance(key, Known) and isinstance(key.value, str):
                    self._set_attribute(self.evaluate(base), key.value, self.evaluate(value))
                    return NOTHING
            case _:
                pass
        return None

    def _super(self, node: ast.Call) -> Value | None:  # noqa: ARG002 - one signature for all
        frame: Frame | None = self.frame
        while frame is not None and (frame.routine is None or frame.routine.owner is None):
            frame = frame.outer
        if frame is None or frame.routine is None or frame.routine.owner is None:
            return None
        to = frame.routine.bound
        return None if to is None else Super(frame.routine.owner, to)

    # -- operators

    def _binary(self, node: ast.BinOp) -> Value:
        # A chain of operators leans to the left; it is walked, so that a long one costs no depth.
        chain: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            chain.append(left)
            left = left.left
        value = self.evaluate(left)
        for link in reversed(chain):
            self.step()
            value = self.operated(link.op, value, self.evaluate(link.right), link)
        return value

    def operated(self, kind: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
        """Give what an operator makes of two values."""
        if isinstance(left, OneOf) or isinstance(right, OneOf):
            pairs = islice(product(each(left), each(right)), MOST_CASES)
            return either([self._operated(kind, a, b, node) for a, b in pairs])
        return self._operated(kind, left, right, node)

    def _operated(self, kind: ast.operator, left: Value, right: Value, node: ast.AST) -> Value:
        match left, right:
            case Known(value=a), Known(value=b):
                return fold_binary(type(kind), a, b) or computed(
                    at_run_time(node), (left, right), _result(kind, left, right)
                )
            case Fields(), Fields() | Opaque() if isinstance(kind, ast.BitOr):
                row = Fields(node, self.region)
                merge(self, row, left, node)
                merge(self, row, right, node)
                return row
            case Listed(), Listed() if isinstance(kind, ast.Add | ast.BitOr):
                result = Listed(node, self.region, list(left.items), left.rest)
                extend(self, result, right, node)
                return result
            case Known(value=str() as template), Listed() if isinstance(kind, ast.Mod):
                return self._percent(template, right, node)
            case Listed(), _ if isinstance(kind, ast.Mult):
                return Listed(node, self.region, rest=any_item(self, left, node))
            case _:
                pass
        if isinstance(kind, ast.Add):
            for this, other in ((left, right), (right, left)):
                if isinstance(other, Known) and isinstance(other.value, str):
                    self.need(this, "text")
        reason = next((part.reason for part in (left, right) if isinstance(part, Opaque)), at_run_time(node))
        return computed(reason, (left, right), _result(kind, left, right))

    def _percent(self, template: str, values: Listed, node: ast.AST) -> Value:
        found: list[Value] = []
        for case in islice(product(*map(each, values.items)), MOST_CASES):
            constants = [part.value for part in case if isinstance(part, Known)]
            folded = (
                fold_percent(template, constants)
                if len(constants) == len(case) and values.rest is None
                else None
            )
            reasons = [part.reason for part in case if isinstance(part, Opaque)]
            found.append(folded or computed(reasons[0] if reasons else at_run_time(node), (values,), "text"))
        return either(found)

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not):
            if isinstance(value, Known) and isinstance(value.value, bool):
                return Known(not value.value)
            return computed(at_run_time(node), (value,), "bool")
        if isinstance(value, Known) and type(value.value) in {int, float} and isinstance(node.op, ast.USub):
            return Known(-value.value)  # type: ignore[operator] # a number, as checked
        column_type = value.type if isinstance(value, Opaque) and value.type in _NUMBERS else None
        return computed(at_run_time(node), (value,), column_type)

    def _compare(self, node: ast.Compare) -> Value:
        left = self.evaluate(node.left)
        rights = [self.evaluate(part) for part in node.comparators]
        if len(rights) == 1:
            kind, right = node.ops[0], rights[0]
            if isinstance(left, Known) and isinstance(right, Known):
                folded = fold_compare(type(kind), left.value, right.value)
                if folded is not None:
                    return Known(folded)
            if isinstance(kind, ast.In | ast.NotIn):
                return self._contained(kind, left, right, node)
        values = [left, *rights]
        is_plain = all(_is_plain(part) for value in values for part in each(value))
        surely = all(isinstance(kind, ast.Is | ast.IsNot) for kind in node.ops)
        return computed(at_run_time(node), values, "bool" if is_plain or surely else None)

    def _contained(self, kind: ast.cmpop, left: Value, right: Value, node: ast.Compare) -> Value:
        if isinstance(left, Known) and isinstance(right, Listed) and right.rest is None:
            constants = [item for item in right.items if isinstance(item, Known)]
            if len(constants) == len(right.items):
                return Known((left in constants) is isinstance(kind, ast.In))
        if isinstance(left, Known) and isinstance(right, Fields) and isinstance(left.value, str):
            look_up(self, right, left.value, node, optional=True)
        return computed(at_run_time(node), (left, right), "bool")

    def _boolean(self, node: ast.BoolOp) -> Value:
        found: list[Value] = []
        for index, part in enumerate(node.values):
            names = self.frame.names
            if index:
                self.frame.names = dict(names)
            with self.within() if index else nullcontext():
                value = self.evaluate(part)
            if index:
                self.frame.names = joined((names, self.frame.names))
            is_last = index == len(node.values) - 1
            if not is_last and isinstance(node.op, ast.Or):
                found += [
                    choice for choice in each(value) if not (isinstance(choice, Known) and not choice.value)
                ]
            else:
                found.append(value)
        return either(found)

    def _either_way(self, node: ast.IfExp) -> Value:
        test = self.evaluate(node.test)
        if isinstance(node.test, ast.Compare) and isinstance(test, Known) and isinstance(test.value, bool):
            return self.evaluate(node.body if test.value else node.orelse)
        names = self.frame.names
        with self.within(), self.guarded():
            self.frame.names = dict(names)
            body = self.evaluate(node.body)
            after, self.frame.names = self.frame.names, dict(names)
            value = either((body, self.evaluate(node.orelse)))
        self.frame.names = joined((after, self.frame.names))
        return value

    def _formatted(self, node: ast.JoinedStr) -> Value:
        values = [self._format_part(part) for part in node.values]
        parts = [each(value) for value in values]
        opaque = next((value for part in parts for value in part if not isinstance(value, Known)), None)
        if opaque is None:
            cases = islice(product(*parts), MOST_CASES)
            return either(
                [
                    Known("".join(str(text.value) for text in case if isinstance(text, Known)))
                    for case in cases
                ]
            )
        reason = opaque.reason if isinstance(opaque, Opaque) else at_run_time(node)
        return computed(reason, values, "text")

    def _format_part(self, part: ast.expr) -> Value:
        if not isinstance(part, ast.FormattedValue):
            return self.evaluate(part)
        value = self.evaluate(part.value)
        specification = Known("") if part.format_spec is None else self.evaluate(part.format_spec)
        found: list[Value] = []
        for choice in each(value):
            folded = None
            if isinstance(choice, Known) and isinstance(specification, Known):
                folded = fold_format(choice.value, part.conversion, str(specification.value))
            if folded is None and isinstance(choice, Opaque):
                found.append(choice)
            else:
                found.append(folded or computed(at_run_time(part.value), (choice, specification)))
        return either(found)

    # -- collections

    def _collection(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        result = Listed(node, self.region)
        for element in node.elts:
            if isinstance(element, ast.Starred):
                extend(self, result, self.evaluate(element.value), element.value)
            elif result.rest is None:
                result.items.append(self.evaluate(element))
            else:
                result.rest = either((result.rest, self.evaluate(element)))
        return result

    def _dictionary(self, node: ast.Dict) -> Value:
        row = Fields(node, self.region)
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                merge(self, row, self.evaluate(value), value)
            else:
                set_pair(self, row, self.evaluate(key), self.evaluate(value), key)
        return row

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        outer = self.frame
        self.frame = Frame(outer.module, self.region, outer=outer, routine=outer.routine)
        result: Listed | Fields = (
            Fields(node, self.region) if isinstance(node, ast.DictComp) else Listed(node, self.region)
        )
        try:
            self._generate(node, 0, result, is_sure=True)
        finally:
            self.frame = outer
        return result

    def _generate(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        depth: int,
        result: Listed | Fields,
        *,
        is_sure: bool,
    ) -> None:
        """Follow the loops of a comprehension from the given one inwards."""
        if depth == len(node.generators):
            self._generate_one(node, result, is_sure=is_sure)
            return
        generator = node.generators[depth]
        items, rest = items_of(self, self.evaluate(generator.iter), generator.iter)
        if len(items) * self.flow.unrolled > MOST_CASES:
            items, rest = [], either([*items, *(() if rest is None else (rest,))])
        unrolled = self.flow.unrolled
        self.flow.unrolled *= max(len(items), 1)
        for item in items:
            self.assign(generator.target, item, generator.iter)
            wanted = self._wanted(generator.ifs)
            if wanted is not False:
                self._generate(node, depth + 1, result, is_sure=is_sure and wanted is True)
        self.flow.unrolled = unrolled
        if rest is not None:
            with self.within(is_loop=True):
                self.assign(generator.target, rest, generator.iter)
                wanted = self._wanted(generator.ifs)
                if wanted is not False:
                    is_every = wanted is True and isinstance(node, ast.DictComp)
                    self._generate(node, depth + 1, result, is_sure=is_every)

    def _wanted(self, conditions: Sequence[ast.expr]) -> bool | None:
        found: bool | None = True
        for condition in conditions:
            test = self.evaluate(condition)
            if not isinstance(test, Known) or not isinstance(test.value, bool):
                found = None
            elif not test.value:
                return False
        return found

    def _generate_one(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        result: Listed | Fields,
        *,
        is_sure: bool,
    ) -> None:
        if isinstance(node, ast.DictComp):
            key, value = self.evaluate(node.key), self.evaluate(node.value)
            if isinstance(result, Fields):
                if isinstance(key, Opaque) and not is_sure:
                    key = key._replace(keys_of=frozenset())
                set_pair(self, result, key, value, node.key, is_certain=is_sure)
            return
        value = self.evaluate(node.elt)
        if isinstance(result, Listed):
            if is_sure and result.rest is None:
                result.items.append(value)
            else:
                result.rest = value if result.rest is None else either((result.rest, value))

    # -- the rest

    def _walrus(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        frame = self.frame
        while frame.outer is not None and frame.routine is frame.outer.routine and frame.owner is None:
            # Within a comprehension, the name belongs to what is around it.
            frame = frame.outer
        old = frame.names.get(node.target.id)
        certain = frame is self.frame or old is None or self.is_certain(frame.region)
        frame.names[node.target.id] = value if certain or old is None else either((old, value))
        return value

    def _inner(self, node: ast.Await | ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _lambda(self, node: ast.Lambda) -> Value:
        routine = Routine(node, self.frame, self.defaults(node.args))
        self.routines.append(routine)
        return routine

    def _yield(self, node: ast.Yield) -> Value:
        value = NOTHING if node.value is None else self.evaluate(node.value)
        return self._yielded(value, node)

    def _yield_from(self, node: ast.YieldFrom) -> Value:
        found = any_item(self, self.evaluate(node.value), node.value)
        return Opaque(at_run_time(node)) if found is None else self._yielded(found, node)

    def _yielded(self, value: Value, node: ast.expr) -> Value:
        frame = self.frame
        frame.yielded = [*(frame.yielded or ()), value]
        return lost(at_run_time(node))

    _OF_NAMES: ClassVar[dict[str, Callable[[Any, ast.Call], Value | None]]] = {
        "builtins.getattr": _getattr,
        "builtins.setattr": _setattr,
        "builtins.super": _super,
    }
    _EXPRESSIONS: ClassVar[dict[type[ast.expr], Callable[[Any, Any], Value]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Call: _call,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.Compare: _compare,
        ast.BoolOp: _boolean,
        ast.IfExp: _either_way,
        ast.JoinedStr: _formatted,
        ast.List: _collection,
        ast.Tuple: _collection,
        ast.Set: _collection,
        ast.Dict: _dictionary,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
        ast.NamedExpr: _walrus,
        ast.Await: _inner,
        ast.Starred: _inner,
        ast.Lambda: _lambda,
        ast.Yield: _yield,
        ast.YieldFrom: _yield_from,
    }


def joined(ways: Sequence[dict[str, Value]]) -> dict[str, Value]:
    """Give the names as they may be after any of several ways."""
    first = ways[0]
    if len(ways) == 1:
        return first
    found = dict(first)
    for way in ways[1:]:
        for name, value in way.items():
            known = found.get(name)
            if known is not value:
                found[name] = value if known is None else either((known, value))
    return found


def at_position(engine: Expressions, value: Value, index: int, count: int, node: ast.AST) -> Value:
    """Give one of `count` parts that a value is taken apart into."""
    found: list[Value] = []
    for part in each(value):
        if isinstance(part, Listed) and part.rest is None and len(part.items) == count:
            found.append(part.items[index])
        else:
            found.append(any_item(engine, part, node) or lost(at_run_time(node)))
    return either(found)


def _grown(value: Value, sources: Columns, *, is_lost: bool) -> Value:
    # What is imported is no object that keeps anything.
    if not isinstance(value, Opaque) or (value.path and not value.path.endswith((")", "]"))):
        return value
    if sources <= value.sources and (value.is_lost or not is_lost):
        return value
    return value._replace(
        sources=value.sources | sources,
        is_lost=value.is_lost or is_lost,
        is_copied=False,
        type=None,
        is_present=False,
        origin=None,
    )


def _has_calls(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call | ast.NamedExpr | ast.Await | ast.Yield) for part in ast.walk(node))


def _is_plain(value: Value) -> bool:
    """Tell whether the value is of Python's own types, whose comparisons give true or false."""
    if isinstance(value, Opaque):
        return value.type is not None or value.origin is not None
    return isinstance(value, Known | Fields | Listed)


def _result(kind: ast.operator, left: Value, right: Value) -> str | None:
    """Give the column type of what an operator makes of two values."""
    types = {_type_of(left), _type_of(right)}
    if types == {"text"}:
        return "text" if isinstance(kind, ast.Add) else None
    if isinstance(kind, ast.Mod) and _type_of(left) == "text":
        return "text"
    if None in types or not types <= _NUMBERS:
        return None
    if isinstance(kind, ast.Div):
        return "double"
    if isinstance(kind, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod):
        return "bigint" if types == {"bigint"} else "double"
    return None


def _type_of(value: Value) -> str | None:
    if isinstance(value, Known):
        return {int: "bigint", float: "double", str: "text"}.get(type(value.value))
    return value.type if isinstance(value, Opaque) else None
