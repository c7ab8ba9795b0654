"""Classes of the app as schemas of tables: pydantic models, dataclasses, typed dicts, named tuples.

They are read from the text of the app's modules, never imported. What cannot be told from the text, and what
Python alone could check (validators), is told as not checked.
"""

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote
from patterns_os.graph.python_modules import Imported, Module, find_import, parse_module
from patterns_os.graph.schema_findings import (
    SchemaFindings,
    is_column_name,
    narrowed_rules,
    rule_faults,
)
from patterns_os.graph.sources import Sources
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.semantic import find_type
from patterns_os.rows.types import ColumnType

_KEPT: Final = 32


def read_class(
    file: str, name: str, sources: Sources, where: Location, findings: SchemaFindings, *, casting: str | None
) -> TableSchema | None:
    """Give the schema that a class of the app is, `None` where there is none; never raises for what is in it.

    Args:
        file: The module, relative to the app folder.
        name: The class, defined at the top of the module or imported into it.
        sources: All files of the app.
        where: The place in the manifest that names the class.
        findings: Takes what is wrong and what is not checked.
        casting: What the store says, `None` if nothing: only hard casting keeps further columns out.
    """
    try:
        return _Reader(sources, where, findings, casting).read(file, name)
    except (RecursionError, MemoryError):
        message = f"the schema of {findings.subject()} is nested too deeply to be read."
        findings.add("schema-form", message, where)
        return None


@dataclass(frozen=True, slots=True)
class _Class:
    node: ast.ClassDef
    module: Module


@dataclass(frozen=True, slots=True)
class _Alias:
    """A name that stands for an expression of the module: `Price = Annotated[Decimal, Field(ge=0)]`."""

    value: ast.expr
    module: Module


@dataclass(frozen=True, slots=True)
class _Outside:
    """Something that is not the app's, by its full name: `pydantic.Field`."""

    name: str


_Meaning = _Class | _Alias | _Outside


@dataclass(frozen=True, slots=True)
class _Given:
    """A rule as the author gives it: its value, its place, and the author's word for it."""

    value: Any
    where: Location
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What an annotation says of a value.

    Attributes:
        given: Rules of the author's by JSON Schema's words, not looked at yet.
        is_field: Whether it is one at all; a `ClassVar` is none.
        is_required: What `Required` or `NotRequired` says.
        has_default: Whether `Field` in it gives one.
    """

    kind: ColumnType = ColumnType.JSONB
    nullable: bool = False
    semantic: str | None = None
    given: Mapping[str, "_Given"] = field(default_factory=dict)
    description: str | None = None
    alias: str | None = None
    is_field: bool = True
    is_required: bool | None = None
    has_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A column as a class declares it."""

    name: str
    annotation: ast.expr
    default: ast.expr | None
    module: Module
    where: Location
    is_total: bool = True


@dataclass(slots=True)
class _Reader:
    sources: Sources
    where: Location
    findings: SchemaFindings
    casting: str | None
    _open: set[tuple[str, str]] = field(default_factory=set)

    def read(self, file: str, name: str) -> TableSchema | None:
        module = self._module(file)
        if module is None:
            return None
        meaning = self._named(name, module)
        if not isinstance(meaning, _Class):
            self._no_class(file, name, module, meaning)
            return None
        members = self._members(meaning, ())
        if members is None:
            message = f"{quote(name)} in {quote(file)} is no pydantic model, dataclass or typed dict."
            self.findings.add("schema-form", message, meaning.module.locate(meaning.node))
            return None
        fields = (self._field(member) for member in members.values())
        return TableSchema(fields=tuple(found for found in fields if found is not None), name=name)

    # --- classes and what they inherit

    def _members(self, found: _Class, above: tuple[str, ...]) -> dict[str, _Member] | None:
        """Give the members of a class and of those that it inherits from, `None` where it is no record."""
        node, module = found.node, found.module
        key = f"{module.file}:{node.name}"
        if key in above:
            return {}
        members: dict[str, _Member] = {}
        is_record = _is_dataclass(self._decorators(found))
        is_total = not any(
            keyword.arg == "total" and _constant(keyword.value) is False for keyword in node.keywords
        )
        for base in reversed(node.bases):
            inherited = self._inherited(base, module, (*above, key))
            if inherited is not None:
                is_record = True
                members |= inherited
        if not is_record:
            return None
        for member in self._own(found, is_total=is_total):
            members[member.name] = member
        self._look_at_body(found)
        return members

    def _inherited(self, base: ast.expr, module: Module, above: tuple[str, ...]) -> dict[str, _Member] | None:
        meaning = self._meaning(base.value if isinstance(base, ast.Subscript) else base, module)
        if isinstance(meaning, _Class):
            return self._members(meaning, above)
        if not isinstance(meaning, _Outside) or meaning.name in _EMPTY_BASES:
            return None
        if meaning.name not in _RECORD_BASES:
            reason = f"class {quote(meaning.name)} is not in the app, so what it has is not known"
            self.findings.not_checked(ast.unparse(base), None, module.locate(base), reason)
        return {}

    def _own(self, found: _Class, *, is_total: bool) -> Iterator[_Member]:
        for statement in found.node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_") and name != _CONFIG:
                    yield _Member(
                        name=name,
                        annotation=statement.annotation,
                        default=statement.value,
                        module=found.module,
                        where=found.module.locate(statement),
                        is_total=is_total,
                    )
                case _:
                    pass

    def _look_at_body(self, found: _Class) -> None:
        """Tell of validators and of settings that change what a row is."""
        for statement in found.node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                self._look_at_method(statement, found.module)
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and _assigned(statement) == _CONFIG:
                self._look_at_settings(_settings(statement.value), found.module)
            elif isinstance(statement, ast.ClassDef) and statement.name == "Config":
                pairs = [(_assigned(one), one.value) for one in statement.body if isinstance(one, ast.Assign)]
                self._look_at_settings([(name, value) for name, value in pairs if name], found.module)
        class_settings = [(keyword.arg, keyword.value) for keyword in found.node.keywords if keyword.arg]
        self._look_at_settings(class_settings, found.module)

    def _look_at_method(self, method: ast.FunctionDef | ast.AsyncFunctionDef, module: Module) -> None:
        for decorator in method.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            meaning = self._meaning(called, module)
            if isinstance(meaning, _Outside) and meaning.name.rpartition(".")[2] in _VALIDATORS:
                reason = "validators are code, which the compiler never runs"
                self.findings.not_checked(method.name, None, module.locate(decorator), reason)

    def _look_at_settings(self, settings: Iterable[tuple[str, ast.expr]], module: Module) -> None:
        for name, value in settings:
            place = module.locate(value)
            if name == "extra" and _last_name(value) == "forbid" and self.casting is None:
                reason = 'only "casting": "hard" refuses further columns'
                self.findings.not_checked('extra="forbid"', None, place, reason)
            elif name == "alias_generator":
                reason = "it is code, so columns are called as the fields are"
                self.findings.not_checked(name, None, place, reason)
            elif name in _SETTINGS_OF_TEXTS:
                self.findings.not_checked(name, None, place, "a table has no rule like it")

    # --- columns

    def _field(self, member: _Member) -> FieldSchema | None:
        shape = self._shape(member.annotation, member.module)
        if not shape.is_field:
            return None
        shape = self._with_default(shape, member)
        name = shape.alias or member.name
        if not is_column_name(name):
            self.findings.lost_column(name, member.where)
            return None
        is_optional = shape.has_default or not (
            member.is_total if shape.is_required is None else shape.is_required
        )
        return FieldSchema(
            name=name,
            type=shape.kind,
            nullable=shape.nullable or is_optional,
            semantic=shape.semantic,
            description=shape.description,
            rules=self._rules(shape, name),
            where=member.where,
        )

    def _with_default(self, shape: _Shape, member: _Member) -> _Shape:
        default = member.default
        if default is None:
            return shape
        if isinstance(default, ast.Call) and self._is_field_call(default, member.module):
            return self._with_field(shape, default, member.module, is_value=True)
        if isinstance(default, ast.Constant) and default.value is ...:
            return shape
        return replace(shape, has_default=True)

    def _rules(self, shape: _Shape, column: str) -> dict[str, Any]:
        rules = {rule: given.value for rule, given in shape.given.items()}
        faults = list(rule_faults(rules, shape.kind))
        rules = {rule: value for rule, value in rules.items() if rule not in dict(faults)}
        semantic = find_type(shape.semantic) if shape.semantic else None
        if semantic is not None:
            rules, more = narrowed_rules(semantic, rules)
            faults += more
        for rule, reason in faults:
            given = shape.given[rule]
            self.findings.not_checked(given.word, column, given.where, reason)
        return rules

    # --- annotations

    def _shape(self, node: ast.expr, module: Module) -> _Shape:
        match node:
            case ast.Constant(value=None):
                return _Shape(nullable=True)
            case ast.Constant(value=str() as text):
                return self._of_text(text, node, module)
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._of_union([left, right], node, module)
            case ast.Subscript(value=base, slice=inside):
                arguments = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                return self._of_generic(self._meaning(base, module), arguments, node, module)
            case ast.Call(func=function):
                return self._of_call(self._meaning(function, module), node, module)
            case _:
                return self._of_meaning(self._meaning(node, module), node, module)

    def _of_text(self, text: str, node: ast.expr, module: Module) -> _Shape:
        parsed = _parse_expression(text)
        if parsed is None:
            return self._not_told(text, node, module)
        # What is within a text has no places of its own.
        return self._shape(_placed_at(parsed, node), module)

    def _of_union(self, choices: Sequence[ast.expr], node: ast.expr, module: Module) -> _Shape:
        real = [choice for choice in _spread(choices) if not _is_none(choice)]
        nullable = len(real) < len(_spread(choices))
        shapes = [self._shape(choice, module) for choice in real]
        if len(shapes) == 1:
            return replace(shapes[0], nullable=nullable or shapes[0].nullable)
        nullable = nullable or any(shape.nullable for shape in shapes)
        kinds = {shape.kind for shape in shapes}
        if kinds == {ColumnType.BIGINT, ColumnType.DOUBLE}:
            return _Shape(kind=ColumnType.DOUBLE, nullable=nullable)
        if len(kinds) > 1:
            reason = "a column has one type, so this one takes any JSON value"
            self.findings.not_checked(ast.unparse(node), None, module.locate(node), reason)
            return _Shape(nullable=nullable)
        return _Shape(kind=kinds.pop() if kinds else ColumnType.JSONB, nullable=nullable)

    def _of_generic(  # noqa: PLR0911 - one case each
        self, base: _Meaning | None, arguments: Sequence[ast.expr], node: ast.expr, module: Module
    ) -> _Shape:
        name = _plain_name(base)
        match name:
            case _ if not arguments:
                return self._not_told(ast.unparse(node), node, module)
            case "Optional":
                return replace(self._shape(arguments[0], module), nullable=True)
            case "Union":
                return self._of_union(arguments, node, module)
            case "Literal":
                return self._of_values([_constant(value, _MISSING) for value in arguments], node, module)
            case "Annotated":
                return self._of_annotated(arguments, module)
            case "ClassVar" | "InitVar":
                return _Shape(is_field=False)
            case "Final" | "ReadOnly" | "Mapped":
                return self._shape(arguments[0], module)
            case "Required" | "NotRequired":
                return replace(self._shape(arguments[0], module), is_required=name == "Required")
            case _:
                return self._of_meaning(base, node, module)

    def _of_annotated(self, arguments: Sequence[ast.expr], module: Module) -> _Shape:
        shape = self._shape(arguments[0], module)
        for extra in arguments[1:]:
            if isinstance(extra, ast.Call) and self._is_field_call(extra, module):
                shape = self._with_field(shape, extra, module, is_value=False)
            elif isinstance(extra, ast.Call):
                shape = self._with_constraint(shape, extra, module)
        return shape

    def _with_constraint(self, shape: _Shape, call: ast.Call, module: Module) -> _Shape:
        """Add what `StringConstraints(…)`, `Ge(…)`, … say; tell of validators."""
        name = _plain_name(self._meaning(call.func, module))
        if name in _VALIDATING:
            reason = "validators are code, which the compiler never runs"
            self.findings.not_checked(name, None, module.locate(call), reason)
        words = _POSITIONAL.get(name, ())
        pairs = [*zip(words, call.args, strict=False), *_keywords(call)]
        return self._with_rules(shape, pairs, module) if words or name in _CONSTRAINING else shape

    def _with_field(self, shape: _Shape, call: ast.Call, module: Module, *, is_value: bool) -> _Shape:
        keywords = dict(_keywords(call))
        has_default = "default_factory" in keywords or (
            "default" in keywords and _constant(keywords["default"], _MISSING) is not ...
        )
        if call.args and is_value:
            has_default = _constant(call.args[0], _MISSING) is not ...
        alias = _constant(keywords.get("validation_alias", keywords.get("alias")))
        description = _constant(keywords.get("description"))
        shape = replace(
            shape,
            has_default=shape.has_default or has_default,
            alias=alias if isinstance(alias, str) else shape.alias,
            description=description if isinstance(description, str) else shape.description,
        )
        return self._with_rules(shape, keywords.items(), module)

    def _with_rules(self, shape: _Shape, pairs: Iterable[tuple[str, ast.expr]], module: Module) -> _Shape:
        given = dict(shape.given)
        for word, value in pairs:
            place = module.locate(value)
            if word in _RULE_WORDS:
                known = _constant(value, _MISSING)
                if known is None:
                    continue
                if known is _MISSING:
                    self.findings.not_checked(word, None, place, "its value cannot be told from the text")
                else:
                    given[_RULE_WORDS[word]] = _Given(known, place, word)
            elif word in _UNKEPT_WORDS and _constant(value, _MISSING) not in (None, False):
                self.findings.not_checked(word, None, place, "a table has no rule like it")
        return replace(shape, given=given)

    def _of_call(self, base: _Meaning | None, call: ast.Call, module: Module) -> _Shape:
        """Give what `conint(ge=0)` and its kind say."""
        name = _plain_name(base)
        if name not in _CONSTRAINED:
            return self._not_told(ast.unparse(call), call, module)
        return self._with_rules(_Shape(kind=_CONSTRAINED[name]), _keywords(call), module)

    def _of_values(self, values: Sequence[Any], node: ast.expr, module: Module) -> _Shape:
        real = [value for value in values if value is not None]
        kinds = {_VALUE_KINDS.get(type(value)) for value in real}
        kind = kinds.pop() if len(kinds) == 1 else None
        nullable = len(real) < len(values)
        place = module.locate(node)
        if any(value is _MISSING or type(value) not in _VALUE_KINDS for value in real):
            reason = "its values cannot be told from the text"
            self.findings.not_checked(ast.unparse(node), None, place, reason)
            return _Shape(nullable=nullable)
        given = {"enum": _Given(real, place, "enum")} if real else {}
        return _Shape(kind=kind or ColumnType.JSONB, nullable=nullable, given=given)

    def _of_meaning(self, meaning: _Meaning | None, node: ast.expr, module: Module) -> _Shape:
        if isinstance(meaning, _Alias):
            key = (meaning.module.file, ast.dump(meaning.value))
            if key in self._open:
                return self._not_told(ast.unparse(node), node, module)
            self._open.add(key)
            try:
                return self._of_alias(meaning)
            finally:
                self._open.discard(key)
        if isinstance(meaning, _Class):
            return self._of_class(meaning, node, module)
        name = meaning.name if meaning else ""
        shape = _OUTSIDE.get(name) or _OUTSIDE.get(name.replace("pydantic.types.", "pydantic."))
        return shape or self._not_told(ast.unparse(node), node, module)

    def _of_alias(self, alias: _Alias) -> _Shape:
        match alias.value:
            case ast.Call(func=function, args=[_, inner]) if self._is_called(
                function, "NewType", alias.module
            ):
                return self._shape(inner, alias.module)
            case ast.Call(func=function) if self._is_called(function, "TypeVar", alias.module):
                return _Shape()
            case value:
                return self._shape(value, alias.module)

    def _of_class(self, found: _Class, node: ast.expr, module: Module) -> _Shape:
        bases = [self._meaning(base, found.module) for base in found.node.bases]
        names = {_plain_name(base) for base in bases}
        if names & _ENUMERATIONS:
            return self._of_values(_enumerated(found.node, names), node, module)
        for base in found.node.bases:
            meaning = self._meaning(base, found.module)
            if isinstance(meaning, _Outside) and meaning.name.startswith("builtins."):
                # A kind of text or number of the author's own.
                return _OUTSIDE.get(meaning.name, _Shape())
        return _Shape()

    def _not_told(self, written: str, node: ast.expr, module: Module) -> _Shape:
        reason = "the compiler does not know this type, so the column takes any JSON value"
        self.findings.not_checked(written, None, module.locate(node), reason)
        return _Shape()

    # --- names

    def _is_field_call(self, call: ast.Call, module: Module) -> bool:
        return any(self._is_called(call.func, name, module) for name in ("Field", "field"))

    def _is_called(self, function: ast.expr, name: str, module: Module) -> bool:
        return _plain_name(self._meaning(function, module)) == name

    def _decorators(self, found: _Class) -> list[str]:
        called = [one.func if isinstance(one, ast.Call) else one for one in found.node.decorator_list]
        return [_plain_name(self._meaning(one, found.module)) for one in called]

    def _meaning(self, node: ast.expr, module: Module) -> _Meaning | None:
        match node:
            case ast.Name(id=name):
                return self._named(name, module)
            case ast.Attribute(value=base, attr=name):
                found = self._meaning(base, module)
                return self._member(found.name, name, module) if isinstance(found, _Outside) else None
            case ast.Constant(value=str() as text) if text.isidentifier():
                return self._named(text, module)
            case _:
                return None

    def _member(self, owner: str, name: str, module: Module) -> _Meaning | None:
        """Give what a module, the app's or not, has under a name."""
        if not owner.startswith(_MODULE):
            file = find_import(module.file, Imported(f"{owner}.{name}", 0), self.sources)
            return _Outside(f"{_MODULE}{file}" if file else f"{owner}.{name}")
        package = owner.removeprefix(_MODULE)
        inner = self._module(package)
        meaning = self._named(name, inner) if inner else None
        if meaning is not None:
            return meaning
        file = find_import(package, Imported(name, 1), self.sources) if package.endswith(_PACKAGE) else None
        return _Outside(f"{_MODULE}{file}") if file else None

    def _named(self, name: str, module: Module, steps: int = 0) -> _Meaning | None:
        bound = _names_of(module).get(name)
        match bound:
            case ast.ClassDef():
                return _Class(bound, module)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                if isinstance(value, ast.Name) and value.id != name and steps < _MOST_STEPS:
                    return self._named(value.id, module, steps + 1)
                return _Alias(value, module)
            case ast.Import() | ast.ImportFrom():
                return self._imported(name, bound, module, steps)
            case _:
                return _Outside(f"builtins.{name}") if name in _BUILTINS else None

    def _imported(
        self, name: str, node: ast.Import | ast.ImportFrom, module: Module, steps: int
    ) -> _Meaning | None:
        alias = next(one for one in node.names if (one.asname or one.name.partition(".")[0]) == name)
        if isinstance(node, ast.Import):
            target = alias.name if alias.asname else alias.name.partition(".")[0]
            file = find_import(module.file, Imported(target, 0), self.sources)
            return _Outside(f"{_MODULE}{file}" if file else target)
        base = node.module or ""
        file = find_import(module.file, Imported(base, node.level), self.sources)
        inner = find_import(
            module.file,
            Imported(f"{base}.{alias.name}" if base else alias.name, node.level),
            self.sources,
        )
        found = self._module(file) if file else None
        if found is not None and steps < _MOST_STEPS:
            meaning = self._named(alias.name, found, steps + 1)
            if meaning is not None:
                return meaning
        if inner is not None:
            return _Outside(f"{_MODULE}{inner}")
        return None if file or node.level else _Outside(f"{base}.{alias.name}")

    def _module(self, file: str) -> Module | None:
        parsed = _parsed(file, self.sources[file])
        if isinstance(parsed, Diagnostic):
            if parsed not in self.findings.found:
                self.findings.found.append(parsed)
            return None
        return parsed

    def _no_class(self, file: str, name: str, module: Module, meaning: _Meaning | None) -> None:
        classes = [one for one, node in _names_of(module).items() if isinstance(node, ast.ClassDef)]
        if meaning is None:
            message = f"the schema of {self.findings.subject()} is the class {quote(name)}, "
            message += f"which {quote(file)} does not have."
            self.findings.add("schema-reference", message, self.where, did_you_mean(name, classes))
            return
        message = f"{quote(name)} in {quote(file)} is no class of the app, so it is no schema of "
        self.findings.add("schema-form", f"{message}{self.findings.subject()}.", self.where)


# Many tables may have their schemas in one module.
@lru_cache(maxsize=_KEPT)
def _parsed(file: str, source: bytes) -> Module | Diagnostic:
    return parse_module(file, source)


@lru_cache(maxsize=_KEPT)
def _names_of(module: Module) -> Mapping[str, ast.AST]:
    return dict(_bindings(module.tree.body))


def _bindings(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Give what binds each name at the top of a module; of several the last."""
    for statement in body:
        match statement:
            case ast.ClassDef(name=name):
                yield name, statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, statement
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    yield alias.asname or alias.name.partition(".")[0], statement
            case ast.If(body=inner, orelse=other):
                yield from _bindings([*other, *inner])
            case ast.Try(body=inner, handlers=handlers):
                yield from _bindings([one for handler in handlers for one in handler.body])
                yield from _bindings(inner)
            case _:
                pass


def _parse_expression(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _placed_at(parsed: ast.expr, node: ast.expr) -> ast.expr:
    for inner in ast.walk(parsed):
        if isinstance(inner, ast.expr):
            ast.copy_location(inner, node)
    return parsed


def _is_dataclass(decorators: Iterable[str]) -> bool:
    return "dataclass" in decorators


def _plain_name(meaning: _Meaning | None) -> str:
    return meaning.name.rpartition(".")[2] if isinstance(meaning, _Outside) else ""


def _last_name(node: ast.expr) -> str:
    """Give `forbid` for `"forbid"` and for `Extra.forbid`."""
    return node.attr if isinstance(node, ast.Attribute) else str(_constant(node))


def _assigned(statement: ast.Assign | ast.AnnAssign) -> str | None:
    target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
    return target.id if isinstance(target, ast.Name) else None


def _settings(value: ast.expr | None) -> list[tuple[str, ast.expr]]:
    match value:
        case ast.Call():
            return list(_keywords(value))
        case ast.Dict(keys=keys, values=values):
            names = [_constant(key) for key in keys]
            return [(name, one) for name, one in zip(names, values, strict=True) if isinstance(name, str)]
        case _:
            return []


def _keywords(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    return ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def _spread(choices: Iterable[ast.expr]) -> list[ast.expr]:
    """Give the choices of `a | b | c` as one list."""
    found: list[ast.expr] = []
    pending = list(choices)[::-1]
    while pending:
        choice = pending.pop()
        if isinstance(choice, ast.BinOp) and isinstance(choice.op, ast.BitOr):
            pending += [choice.right, choice.left]
        else:
            found.append(choice)
    return found


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _constant(node: ast.expr | None, otherwise: Any = None) -> Any:  # noqa: ANN401 - any literal
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=str() | int() as value)]):
            return _number(value)
        case _:
            return otherwise


def _number(value: str | int) -> Any:  # noqa: ANN401 - or _MISSING
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return _MISSING


def _enumerated(node: ast.ClassDef, bases: Iterable[str]) -> list[Any]:
    """Give the values of an `Enum`; what `auto()` gives depends on the kind of enumeration."""
    values: list[Any] = []
    for statement in node.body:
        if not isinstance(statement, ast.Assign) or (_assigned(statement) or "_").startswith("_"):
            continue
        if isinstance(statement.value, ast.Call) and not statement.value.args:
            name = str(_assigned(statement))
            values.append(name.lower() if "StrEnum" in bases else len(values) + 1)
        else:
            values.append(_constant(statement.value, _MISSING))
    return values


_MISSING: Final = object()
"""In place of a value that is no literal."""

_MODULE: Final = "\0module:"
_PACKAGE: Final = "__init__.py"
_MOST_STEPS: Final = 50
_CONFIG: Final = "model_config"
_BUILTINS: Final = frozenset(
    {
        "str",
        "int",
        "float",
        "bool",
        "bytes",
        "dict",
        "list",
        "tuple",
        "set",
        "frozenset",
        "object",
        "bytearray",
    }
)
_RECORD_BASES: Final = frozenset(
    {
        "pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic.v1.BaseModel", "pydantic_settings.BaseSettings",
        "sqlmodel.SQLModel", "typing.NamedTuple", "typing.TypedDict", "typing_extensions.NamedTuple",
        "typing_extensions.TypedDict",
    }
)  # fmt: skip
_EMPTY_BASES: Final = frozenset(
    {
        "abc.ABC", "builtins.object", "typing.Generic", "typing.Protocol", "pydantic.RootModel", "enum.Enum",
        "enum.IntEnum", "enum.StrEnum", "builtins.str", "builtins.int", "builtins.float", "builtins.dict",
        "builtins.list", "builtins.bytes", "builtins.tuple", "builtins.set",
    }
)  # fmt: skip
_ENUMERATIONS: Final = frozenset({"Enum", "IntEnum", "StrEnum"})
_VALIDATORS: Final = frozenset({"field_validator", "model_validator", "root_validator", "validator"})
_VALIDATING: Final = frozenset(
    {"AfterValidator", "BeforeValidator", "PlainValidator", "WrapValidator", "Predicate", "SkipValidation"}
)
_SETTINGS_OF_TEXTS: Final = frozenset({"str_max_length", "str_min_length", "str_to_lower", "str_to_upper"})
_RULE_WORDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "regex": "pattern",
}
_UNKEPT_WORDS: Final = frozenset(
    {
        "decimal_places", "max_digits", "max_items", "min_items", "multiple_of", "strip_whitespace", "to_lower",
        "to_upper", "unique_items",
    }
)  # fmt: skip
_POSITIONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "Ge": ("ge",),
    "Gt": ("gt",),
    "Le": ("le",),
    "Lt": ("lt",),
    "MinLen": ("min_length",),
    "MaxLen": ("max_length",),
    "Len": ("min_length", "max_length"),
    "MultipleOf": ("multiple_of",),
}
_CONSTRAINING: Final = frozenset({"Interval", "StringConstraints"})
_CONSTRAINED: Final = {
    "conint": ColumnType.BIGINT,
    "confloat": ColumnType.DOUBLE,
    "condecimal": ColumnType.NUMERIC,
    "constr": ColumnType.TEXT,
    "conbytes": ColumnType.BYTEA,
    "condate": ColumnType.DATE,
    "conlist": ColumnType.JSONB,
    "conset": ColumnType.JSONB,
    "confrozenset": ColumnType.JSONB,
}
_VALUE_KINDS: Final[Mapping[type, ColumnType]] = {
    bool: ColumnType.BOOL,
    int: ColumnType.BIGINT,
    str: ColumnType.TEXT,
    float: ColumnType.DOUBLE,
}


def _outside() -> Iterator[tuple[str, _Shape]]:
    for kind, names in _PLAIN.items():
        for name in names.split():
            yield name, _Shape(kind=kind)
    for semantic, names in _SEMANTIC.items():
        meant = find_type(semantic)
        for name in names.split():
            yield name, _Shape(kind=meant.base if meant else ColumnType.TEXT, semantic=semantic)
    for name, (kind, rule, value) in _BOUNDED.items():
        yield f"pydantic.{name}", _Shape(kind=kind, given={rule: _Given(value, Location(file=""), name)})


_PLAIN: Final = {
    ColumnType.BOOL: "builtins.bool pydantic.StrictBool",
    ColumnType.BIGINT: "builtins.int pydantic.StrictInt pydantic.ByteSize",
    ColumnType.DOUBLE: "builtins.float pydantic.StrictFloat pydantic.FiniteFloat",
    ColumnType.TEXT: (
        "builtins.str pydantic.StrictStr pydantic.SecretStr pydantic.NameEmail pydantic.FilePath "
        "pydantic.DirectoryPath pydantic.NewPath pathlib.Path typing.AnyStr typing.Text typing.LiteralString "
        "pydantic.Base64Str ipaddress.IPv4Network ipaddress.IPv6Network pydantic.IPvAnyNetwork "
        "pydantic.IPvAnyInterface"
    ),
    ColumnType.TIMESTAMPTZ: (
        "datetime.datetime pydantic.AwareDatetime pydantic.PastDatetime pydantic.FutureDatetime "
        "pydantic.NaiveDatetime"
    ),
    ColumnType.DATE: "datetime.date pydantic.PastDate pydantic.FutureDate",
    ColumnType.NUMERIC: "decimal.Decimal",
    ColumnType.BYTEA: "builtins.bytes builtins.bytearray pydantic.StrictBytes pydantic.Base64Bytes",
    ColumnType.JSONB: (
        "builtins.dict builtins.list builtins.tuple builtins.set builtins.frozenset builtins.object typing.Any "
        "typing.Dict typing.List typing.Tuple typing.Set typing.FrozenSet typing.Mapping typing.MutableMapping "
        "typing.Sequence typing.Iterable typing.Collection typing.TypedDict collections.abc.Mapping "
        "collections.abc.MutableMapping collections.abc.Sequence collections.abc.Iterable "
        "collections.abc.Collection collections.abc.Set collections.OrderedDict collections.defaultdict "
        "collections.deque datetime.time datetime.timedelta pydantic.Json pydantic.JsonValue"
    ),
}
_SEMANTIC: Final = {
    "common.Email": "pydantic.EmailStr pydantic.networks.EmailStr",
    "common.Url": "pydantic.HttpUrl pydantic.AnyHttpUrl pydantic.networks.HttpUrl",
    "common.Uri": "pydantic.AnyUrl pydantic.FileUrl pydantic.PostgresDsn pydantic.RedisDsn pydantic.AmqpDsn",
    "common.Uuid": "uuid.UUID pydantic.UUID1 pydantic.UUID3 pydantic.UUID4 pydantic.UUID5 pydantic.UUID7",
    "common.IpAddress": "pydantic.IPvAnyAddress ipaddress.IPv4Address ipaddress.IPv6Address",
    "common.PhoneNumber": "pydantic_extra_types.phone_numbers.PhoneNumber",
    "common.Country": "pydantic_extra_types.country.CountryAlpha2",
    "common.Currency": "pydantic_extra_types.currency_code.Currency pydantic_extra_types.currency_code.ISO4217",
    "common.Language": "pydantic_extra_types.language_code.LanguageAlpha2",
    "common.Latitude": "pydantic_extra_types.coordinate.Latitude",
    "common.Longitude": "pydantic_extra_types.coordinate.Longitude",
    "common.Timezone": "pydantic_extra_types.timezone_name.TimeZoneName zoneinfo.ZoneInfo",
}
_BOUNDED: Final[Mapping[str, tuple[ColumnType, str, int]]] = {
    "PositiveInt": (ColumnType.BIGINT, "exclusiveMinimum", 0),
    "NonNegativeInt": (ColumnType.BIGINT, "minimum", 0),
    "NegativeInt": (ColumnType.BIGINT, "exclusiveMaximum", 0),
    "NonPositiveInt": (ColumnType.BIGINT, "maximum", 0),
    "PositiveFloat": (ColumnType.DOUBLE, "exclusiveMinimum", 0),
    "NonNegativeFloat": (ColumnType.DOUBLE, "minimum", 0),
    "NegativeFloat": (ColumnType.DOUBLE, "exclusiveMaximum", 0),
    "NonPositiveFloat": (ColumnType.DOUBLE, "maximum", 0),
}
_OUTSIDE: Final[Mapping[str, _Shape]] = dict(_outside())
