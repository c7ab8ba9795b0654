"""A Python file of the app as its names see it: scopes, what binds each name, and the loops around each call.

Pure and without recursion over the tree, so that deep nesting ends in a diagnostic and not in a crash.
"""

import ast
import sys
import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from patterns_os.diagnostics import Diagnostic, Location

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Scope = ast.Module | ast.ClassDef | Function | Comprehension

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
EACH = -1
"""The step from a collection to any one of its items; other steps are positions."""

MUTATORS = frozenset({"append", "add", "extend", "insert", "update", "setdefault"})


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for`, as a statement or in a comprehension."""

    target: ast.expr
    iterable: ast.expr


@dataclass(frozen=True, slots=True)
class Bound:
    """A name gets the value of an expression, or a part of it: `steps` lead from the value to the part."""

    value: ast.expr
    steps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """A name is a parameter of a function."""

    function: Function
    name: str


@dataclass(frozen=True, slots=True)
class Defined:
    """A name is a function or a class."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Imported:
    """A name comes from elsewhere; `name` is `None` where the module itself is meant."""

    module: str
    level: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A name is changed in a way that only run time knows."""

    how: str


Binding = Bound | Argument | Defined | Imported | Changed


@dataclass(slots=True, eq=False)
class Module:
    """One parsed file. Built once by `parse_module`, never changed afterwards.

    Attributes:
        scopes: What binds each name, by scope.
        attributes: What binds each attribute name, on whatever object, class bodies included.
        additions: What is added to the collection of a name (`names.append(x)`), by scope and name.
        scope_of: The scope that an expression is evaluated in.
        returns: What a function returns, in source order.
        loops_of: The loops around a call, outermost first, up to the function that holds it.
        stars: SDK-like modules from which everything is imported (`from x import *`).
    """

    file: str
    lines: tuple[str, ...]
    tree: ast.Module
    scopes: dict[Scope, dict[str, list[Binding]]] = field(default_factory=dict)
    outer: dict[Scope, Scope | None] = field(default_factory=dict)
    attributes: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    additions: dict[str, list[ast.expr | None]] = field(default_factory=lambda: defaultdict(list))
    scope_of: dict[ast.AST, Scope] = field(default_factory=dict)
    loops_of: dict[ast.AST, tuple[Loop, ...]] = field(default_factory=dict)
    returns: dict[Scope, list[ast.expr]] = field(default_factory=lambda: defaultdict(list))
    nodes: list[ast.AST] = field(default_factory=list)
    stars: list[Imported] = field(default_factory=list)

    def locate(self, node: ast.AST) -> Location:
        """Give the place of the node, its column counted in characters."""
        line = getattr(node, "lineno", 1)
        offset = getattr(node, "col_offset", 0)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        column = len(text.encode()[:offset].decode(errors="ignore")) + 1
        return Location(file=self.file, line=line, column=column)


def parse_module(file: str, source: bytes) -> Module | Diagnostic:
    """Give the parsed file, or why it is no Python file."""
    text = decode_source(file, source)
    if isinstance(text, Diagnostic):
        return text
    try:
        with warnings.catch_warnings():
            # Python warns about odd escapes in the author's file; that is no concern of a compile.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return _syntax_diagnostic(file, error)
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return too_deep(file)
    module = Module(file=file, lines=tuple(text.splitlines()), tree=tree)
    _Binder(module).run()
    return module


def decode_source(file: str, source: bytes) -> str | Diagnostic:
    """Give the text of a script, or a diagnostic if it is not UTF-8 or holds a NUL."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        byte = source[error.start]
        return Diagnostic(
            code="script-encoding",
            message=f'"{file}" is not UTF-8: byte 0x{byte:02x} at offset {error.start} cannot be read.',
            where=Location(file=file, line=line),
            hint="save the file as UTF-8",
        )
    if "\x00" in text:
        offset = text.index("\x00")
        return Diagnostic(
            code="script-encoding",
            message=f'"{file}" holds a NUL character, which no script may hold.',
            where=Location(file=file, line=text.count("\n", 0, offset) + 1),
        )
    return text


def too_deep(file: str) -> Diagnostic:
    """Give the diagnostic for a script that is nested deeper than can be followed."""
    return Diagnostic(
        code="script-too-deep",
        message=f'"{file}" is nested too deeply to be analysed.',
        where=Location(file=file),
        hint="split the deepest expression into steps",
    )


def find_import(file: str, imported: Imported, files: Mapping[str, bytes]) -> str | None:
    """Give the file of the app that an import in `file` names, or `None` if it is not the app's."""
    folder = PurePosixPath(file).parent
    if not imported.level and imported.module.partition(".")[0] in sys.stdlib_module_names:
        # The standard library wins at run time too: an app's `copy.py` does not stand in for Python's own.
        return None
    parts = [part for part in imported.module.split(".") if part]
    if imported.level:
        for _ in range(imported.level - 1):
            folder = folder.parent
        return _existing(folder, parts, files)
    return _existing(folder, parts, files) or _existing(PurePosixPath(), parts, files)


def _existing(folder: PurePosixPath, parts: list[str], files: Mapping[str, bytes]) -> str | None:
    base = folder.joinpath(*parts)
    candidates = (f"{base}.py", str(base / "__init__.py")) if parts else (str(base / "__init__.py"),)
    return next((path for path in candidates if path in files), None)


def _syntax_diagnostic(file: str, error: SyntaxError) -> Diagnostic:
    return Diagnostic(
        code="script-syntax",
        message=f'"{file}" is not valid Python: {error.msg}.',
        where=Location(file=file, line=max(error.lineno or 1, 1), column=max(error.offset or 1, 1)),
    )


class _Binder:
    """One walk over the tree with an explicit stack: (node, scope, loops)."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._stack: list[tuple[ast.AST, Scope, tuple[Loop, ...]]] = []
        self._global: dict[Scope, set[str]] = defaultdict(set)

    def run(self) -> None:
        self._open_scope(self._module.tree, None)
        self._push(self._module.tree.body, self._module.tree, ())
        while self._stack:
            node, scope, loops = self._stack.pop()
            self._visit(node, scope, loops)

    def _visit(self, node: ast.AST, scope: Scope, loops: tuple[Loop, ...]) -> None:
        self._module.nodes.append(node)
        self._module.scope_of[node] = scope
        self._bind(node, scope)
        if isinstance(node, ast.Call):
            self._module.loops_of[node] = loops
        if isinstance(node, FUNCTIONS):
            self._enter_function(node, scope, loops)
        elif isinstance(node, ast.ClassDef):
            self._open_scope(node, scope)
            self._push([*node.decorator_list, *node.bases, *node.keywords], scope, loops)
            self._push(node.body, node, loops)
        elif isinstance(node, COMPREHENSIONS):
            self._enter_comprehension(node, scope, loops)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._push([node.iter, node.target, *node.orelse], scope, loops)
            self._push(node.body, scope, (*loops, Loop(node.target, node.iter)))
        else:
            self._push(list(ast.iter_child_nodes(node)), scope, loops)

    def _enter_function(self, node: Function, scope: Scope, loops: tuple[Loop, ...]) -> None:
        self._open_scope(node, scope)
        for argument in arguments_of(node):
            self._add(node, argument, Argument(node, argument))
        defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        self._push([*decorators, *defaults], scope, loops)
        self._push([node.body] if isinstance(node, ast.Lambda) else node.body, node, ())

    def _enter_comprehension(self, node: Comprehension, scope: Scope, loops: tuple[Loop, ...]) -> None:
        self._open_scope(node, scope)
        inner: Scope = scope
        for generator in node.generators:
            self._push([generator.iter], inner, loops)
            inner = node
            loops = (*loops, Loop(generator.target, generator.iter))
            self._bind_target(generator.target, generator.iter, (EACH,), node)
            self._push([generator.target, *generator.ifs], node, loops)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._push(results, node, loops)

    def _bind(self, node: ast.AST, scope: Scope) -> None:  # noqa: C901, PLR0912 - a table of all that binds
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_target(target, value, (), scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._bind_target(target, value, (), scope)
            case ast.NamedExpr(target=target, value=value):
                self._bind_target(target, value, (), _function_scope(scope, self._module))
            case ast.For(target=target, iter=iterable) | ast.AsyncFor(target=target, iter=iterable):
                self._bind_target(target, iterable, (EACH,), scope)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._bind_target(target, value, (), scope)
            case ast.AugAssign(target=ast.Name(id=name)):
                self._add(scope, name, Changed(f'"{name}" is changed in place'))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._add(scope, name, Defined(node))
            case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name):
                self._add(scope, name, Changed(f'"{name}" is bound at run time'))
            case ast.Return(value=ast.expr() as value):
                self._module.returns[scope].append(value)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                self._global[scope].update(names)
            case ast.Import() | ast.ImportFrom():
                self._bind_import(node, scope)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
                if attribute in MUTATORS:
                    added = node.args[0] if attribute in {"append", "add"} and len(node.args) == 1 else None
                    self._module.additions[name].append(added)
            case _:
                pass

    def _bind_import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                # `import a.b` binds `a`; `import a.b as c` binds the inner module.
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                self._add(scope, alias.asname or module, Imported(module, 0, None))
            elif alias.name == "*":
                self._module.stars.append(Imported(node.module or "", node.level, None))
            else:
                self._add(
                    scope, alias.asname or alias.name, Imported(node.module or "", node.level, alias.name)
                )

    def _bind_target(self, target: ast.expr, value: ast.expr, steps: tuple[int, ...], scope: Scope) -> None:
        pending = [(target, steps)]
        while pending:
            part, path = pending.pop()
            if isinstance(part, ast.Name):
                self._add(scope, part.id, Bound(value, path))
            elif isinstance(part, ast.Attribute):
                self._module.attributes[part.attr].append(Bound(value, path))
            elif isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
                self._module.additions[part.value.id].append(value if not path else None)
            elif isinstance(part, ast.Tuple | ast.List):
                starred = any(isinstance(item, ast.Starred) for item in part.elts)
                pending += [
                    (
                        item.value if isinstance(item, ast.Starred) else item,
                        (*path, EACH if starred else index),
                    )
                    for index, item in enumerate(part.elts)
                ]

    def _add(self, scope: Scope, name: str, binding: Binding) -> None:
        if name in self._global[scope]:
            scope = self._module.tree
        self._module.scopes[scope].setdefault(name, []).append(binding)
        if isinstance(scope, ast.ClassDef):
            self._module.attributes[name].append(binding)

    def _open_scope(self, scope: Scope, outer: Scope | None) -> None:
        self._module.scopes[scope] = {}
        self._module.outer[scope] = outer

    def _push(
        self, nodes: list[ast.AST] | list[ast.expr] | list[ast.stmt], scope: Scope, loops: tuple[Loop, ...]
    ) -> None:
        # The stack is last in, first out; reversing keeps the order of the source within one parent.
        self._stack += [(node, scope, loops) for node in reversed(nodes)]


def arguments_of(function: Function) -> tuple[str, ...]:
    """Give the names of all parameters, in the order in which positions fill them, keyword-only ones last."""
    spec = function.args
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
    named += [argument for argument in (spec.vararg, spec.kwarg) if argument is not None]
    return tuple(argument.arg for argument in named)


def _function_scope(scope: Scope, module: Module) -> Scope:
    while isinstance(scope, COMPREHENSIONS):
        scope = module.outer[scope] or module.tree
    return scope
