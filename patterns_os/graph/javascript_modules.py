"""A JavaScript or TypeScript file of the app as its names see it: scopes, what binds each name, what is exported.

Parsed by tree-sitter and copied into plain nodes, all without recursion over the tree, so that deep nesting ends
in a diagnostic and not in a crash.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from patterns_os.diagnostics import Diagnostic, Location, quote
from patterns_os.graph.python_modules import decode_source, too_deep

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

ENDINGS: Final = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
FUNCTIONS: Final = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "function_expression",
        "generator_function",
        "arrow_function",
        "method_definition",
    }
)
MOST_SCOPES = 200
"""Functions, blocks and loops within each other; a file that is nested deeper is not analysed."""
MOST_LOGGED_BYTES = 100_000
"""For larger files the place of a syntax error is only as good as the tree says."""

_SCOPES = FUNCTIONS | {
    "program",
    "statement_block",
    "for_statement",
    "for_in_statement",
    "catch_clause",
    "switch_body",
}
_TYPES_ONLY = frozenset(
    {
        "type_annotation",
        "type_arguments",
        "type_parameters",
        "interface_declaration",
        "type_alias_declaration",
        "ambient_declaration",
        "function_signature",
        "implements_clause",
        "asserts_annotation",
        "type_predicate_annotation",
        "comment",
    }
)


@dataclass(slots=True, eq=False)
class Syntax:
    """One named node of the tree, types and comments left out. Compared by identity."""

    kind: str
    start: int
    end: int
    scope: "Scope"
    parent: "Syntax | None"
    children: list["Syntax"]
    fields: dict[str, "Syntax"]


@dataclass(slots=True, eq=False)
class Scope:
    """Where names live: a file, a function, a block or a loop.

    Attributes:
        node: What opens it; `None` only while the file is being read.
        function: The scope of the function (or file) around, itself included: where `var` names live.
        returns: For a function: what it returns. For one that yields, what it yields.
    """

    outer: "Scope | None"
    depth: int
    node: Syntax | None = None
    function: "Scope | None" = None
    names: dict[str, list["Binding"]] = field(default_factory=dict)
    returns: list[Syntax] = field(default_factory=list)
    yields: list[Syntax] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Each:
    """The step from a collection to any one of its items."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The step from an object to what is left of it without the named keys."""

    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """The step from a value that may be absent to itself or its default."""

    default: Syntax


Step = int | str | Each | Rest | Otherwise
"""A number is a position, a text is a key."""
EACH: Final = Each()


@dataclass(frozen=True, slots=True)
class Bound:
    """A name gets the value of an expression, or the part of it that `steps` lead to."""

    value: Syntax
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Argument:
    """A name is a parameter of a function, or the part of one that `steps` lead to."""

    function: Syntax
    position: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Defined:
    """A name is a function or a class."""

    node: Syntax


@dataclass(frozen=True, slots=True)
class Imported:
    """A name comes from another module: `*` is the module itself, `default` what it exports by default."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A name is changed in a way that only run time knows; `node` is the whole assignment, if it is one."""

    how: str
    node: Syntax | None = None


Binding = Bound | Argument | Defined | Imported | Changed


@dataclass(frozen=True, slots=True)
class Addition:
    """Something is put into the collection of a name.

    Attributes:
        base: The name that is written.
        key: The property, `None` for an item of a list (`rows.push(x)`) and for one known only at run time.
        value: What is put there, `None` where the text does not show it.
        listed: Whether it is an item of a list.
    """

    base: Syntax
    key: str | None
    value: Syntax | None
    listed: bool


@dataclass(slots=True, eq=False)
class Module:
    """One parsed file. Built once by `parse_module`, never changed afterwards.

    Attributes:
        nodes: All nodes by kind, in source order.
        exports: What other modules may import: a binding, or the local name that is exported.
        stars: Modules of which everything is exported again.
        imports: Every module that is named, in source order.
        attributes: What binds each attribute name, on whatever object, class bodies included.
        additions: What is put into the collection of a name.
        methods: Functions in classes, by name.
    """

    file: str
    source: bytes
    top: Scope
    nodes: dict[str, list[Syntax]] = field(default_factory=dict)
    exports: dict[str, "Binding | str"] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    attributes: dict[str, list[Binding]] = field(default_factory=dict)
    additions: dict[str, list[Addition]] = field(default_factory=dict)
    methods: dict[str, list[Syntax]] = field(default_factory=dict)

    def text(self, node: Syntax) -> str:
        """Give the text of the node."""
        return self.source[node.start : node.end].decode("utf-8", "replace")

    def locate(self, node: Syntax) -> Location:
        """Give the place of the node, its column counted in characters."""
        return place_of(self.file, self.source, node.start)

    def of(self, *kinds: str) -> list[Syntax]:
        """Give all nodes of these kinds, in source order."""
        found = [node for kind in kinds for node in self.nodes.get(kind, ())]
        return found if len(kinds) == 1 else sorted(found, key=lambda node: (node.start, -node.end))


def parse_module(file: str, source: bytes) -> Module | Diagnostic:
    """Give the parsed file, or why it is no JavaScript or TypeScript file."""
    text = decode_source(file, source)
    if isinstance(text, Diagnostic):
        return text
    source = source.removeprefix(b"\xef\xbb\xbf")
    parser = _parser(PurePosixPath(file).suffix.lower())
    tree = parser.parse(source)
    if tree.root_node.has_error:
        return _syntax_diagnostic(file, source, tree, parser)
    module = Module(file=file, source=source, top=Scope(None, 0))
    if not _copied(tree, module):
        return too_deep(file)
    _Binder(module).run()
    return module


def place_of(file: str, source: bytes, offset: int) -> Location:
    """Give the place of a byte, its column counted in characters."""
    start = source.rfind(b"\n", 0, offset) + 1
    column = len(source[start:offset].decode("utf-8", "replace")) + 1
    return Location(file=file, line=source.count(b"\n", 0, offset) + 1, column=column)


def find_import(file: str, module: str, files: Mapping[str, bytes]) -> str | None:
    """Give the file of the app that an import in `file` names, or `None` if it is not the app's."""
    if not module.startswith(("./", "../")) and module not in {".", ".."}:
        return None
    parts: list[str] = list(PurePosixPath(file).parent.parts)
    for part in module.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return next((path for path in _candidates("/".join(parts)) if path in files), None)


def _candidates(path: str) -> Iterator[str]:
    if path.endswith(ENDINGS):
        yield path
        # TypeScript is often imported by the name that its translation would have.
        yield re.sub(r"js(x?)$", r"ts\1", path)
        return
    yield from (path + ending for ending in ENDINGS)
    yield from (f"{path}/index{ending}" if path else f"index{ending}" for ending in ENDINGS)


def literal(text: str) -> str:
    """Give the value of a string literal without its quotes; what is escaped is resolved."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text)


_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|[\s\S])")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}


def _unescaped(found: re.Match[str]) -> str:
    text = found[1]
    if text[0] in "ux" and len(text) > 1:
        number = int(text[1:].strip("{}"), 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 - the last code point
    return _ESCAPED.get(text, text)


@cache
def _parser(ending: str) -> "Parser":
    # Only apps with such scripts pay for loading the grammars.
    from tree_sitter import Language, Parser  # noqa: PLC0415 - see above

    if ending in {".ts", ".mts", ".cts", ".tsx"}:
        import tree_sitter_typescript as typescript  # noqa: PLC0415 - see above

        jsx = ending == ".tsx"
        return Parser(Language(typescript.language_tsx() if jsx else typescript.language_typescript()))
    import tree_sitter_javascript as javascript  # noqa: PLC0415 - see above

    return Parser(Language(javascript.language()))


def _syntax_diagnostic(file: str, source: bytes, tree: "Tree", parser: "Parser") -> Diagnostic:
    offset = _refused(source, parser) if len(source) <= MOST_LOGGED_BYTES else None
    if offset is None:
        offset = _first_error(tree)
    found = _TOKEN.match(source, offset)
    token = found[0].decode("utf-8", "replace") if found else ""
    language = "TypeScript" if PurePosixPath(file).suffix.lower() in {".ts", ".mts", ".cts", ".tsx"} else ""
    reason = f"{quote(token)} is not expected here" if token else "the file ends too early"
    return Diagnostic(
        code="script-syntax",
        message=f"{quote(file)} is not valid {language or 'JavaScript'}: {reason}.",
        where=place_of(file, source, offset),
    )


_TOKEN = re.compile(rb"[\w$\x80-\xff]{1,40}|[^\s]")
_BLANK = re.compile(rb"(?:\s|//[^\n]*|/\*[\s\S]*?\*/)*")
_PLACE = re.compile(r"row:(\d+), col:(\d+)")


def _refused(source: bytes, parser: "Parser") -> int | None:
    """Give where the first token begins that the parser can't take; its tree tells only a range around it."""
    place: list[tuple[int, int]] = []
    seen: list[tuple[int, int]] = []

    def listen(_: object, line: str) -> None:
        if seen:
            return
        if line.startswith("process "):
            found = _PLACE.search(line)
            if found:
                place.append((int(found[1]), int(found[2])))
        elif line.startswith("resume "):
            seen.append(place[-1] if place else (0, 0))
        elif line.startswith("detect_error"):
            refused.append(place[-1] if place else (0, 0))

    refused: list[tuple[int, int]] = []
    parser.logger = listen
    try:
        parser.parse(source)
    finally:
        parser.logger = None  # type: ignore[assignment] # its stub knows only how to set one
    if not refused or not seen:
        return None
    row, column = max(refused[: refused.index(seen[0]) + 1] if seen[0] in refused else refused[:1])
    start = 0
    for _ in range(row):
        start = source.index(b"\n", start) + 1
    blank = _BLANK.match(source, start + column)
    return blank.end() if blank else start + column


def _first_error(tree: "Tree") -> int:
    cursor = tree.walk()
    while True:
        node: Node | None = cursor.node
        if node is None or node.is_error or node.is_missing:
            return node.start_byte if node else 0
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return 0


def _copied(tree: "Tree", module: Module) -> bool:
    """Copy the tree into the module; tell whether it is nested no deeper than can be followed."""
    cursor = tree.walk()
    parent: Syntax | None = None
    scope = module.top
    around: list[tuple[Syntax | None, Scope]] = []
    while True:
        node = cursor.node
        if node is not None and node.is_named and (kind := node.type) not in _TYPES_ONLY:
            copy = _copy(kind, node, cursor.field_name, parent, scope)
            module.nodes.setdefault(kind, []).append(copy)
            if cursor.goto_first_child():
                around.append((parent, scope))
                parent = copy
                scope = _opened(copy, copy.scope) if kind in _SCOPES else copy.scope
                if scope.depth > MOST_SCOPES:
                    return False
                continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return True
            parent, scope = around.pop()


def _copy(kind: str, node: "Node", name: str | None, parent: Syntax | None, scope: Scope) -> Syntax:
    if name == "right" and parent is not None and parent.kind == "for_in_statement":
        # What a loop goes over is evaluated outside of it.
        scope = scope.outer or scope
    copy = Syntax(kind, node.start_byte, node.end_byte, scope, parent, [], {})
    if parent is not None:
        parent.children.append(copy)
        if name:
            parent.fields.setdefault(name, copy)
    return copy


def _opened(node: Syntax, outer: Scope) -> Scope:
    if node.kind == "program":
        outer.node, outer.function = node, outer
        return outer
    scope = Scope(outer, outer.depth + 1, node)
    scope.function = scope if node.kind in FUNCTIONS else outer.function
    return scope


class _Binder:
    """Notes what binds each name: one look at every node of the kinds that bind."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def run(self) -> None:
        module = self._module
        for kind, bind in (
            ("import_statement", self._import),
            ("export_statement", self._export),
            ("variable_declarator", self._declare),
            ("assignment_expression", self._assign),
            ("augmented_assignment_expression", self._change),
            ("update_expression", self._change),
            ("for_in_statement", self._loop),
            ("catch_clause", self._catch),
            ("class_declaration", self._define),
            ("field_definition", self._field),
            ("public_field_definition", self._field),
            ("return_statement", self._return),
            ("yield_expression", self._yield),
            ("call_expression", self._call),
        ):
            for node in module.nodes.get(kind, ()):
                bind(node)
        for kind in FUNCTIONS:
            for node in module.nodes.get(kind, ()):
                self._function(node)
        if len(module.imports) > 1:
            module.imports[:] = dict.fromkeys(module.imports)

    def _import(self, node: Syntax) -> None:
        source = self._source(node)
        if source is None:
            return
        for clause in node.children:
            for part in clause.children if clause.kind == "import_clause" else ():
                if part.kind == "identifier":
                    self._bind(part, Imported(source, "default"), node.scope)
                elif part.kind == "namespace_import" and part.children:
                    self._bind(part.children[0], Imported(source, "*"), node.scope)
                elif part.kind == "named_imports":
                    for name, alias in self._specifiers(part):
                        self._add(node.scope, alias, Imported(source, name))

    def _export(self, node: Syntax) -> None:
        exports = self._module.exports
        source = self._source(node)
        clause = next((part for part in node.children if part.kind == "export_clause"), None)
        named = next((part for part in node.children if part.kind == "namespace_export"), None)
        default = _DEFAULT.match(self._module.source, node.start)
        declared = node.fields.get("declaration")
        if clause is not None:
            for name, alias in self._specifiers(clause):
                exports[alias] = Imported(source, name) if source is not None else name
        elif named is not None and source is not None and named.children:
            exports[self._module.text(named.children[0])] = Imported(source, "*")
        elif source is not None:
            self._module.stars.append(source)
        elif "value" in node.fields:
            exports["default"] = Bound(node.fields["value"])
        elif declared is not None and default:
            exports["default"] = Defined(declared)
        elif declared is not None:
            for name in self._declared(declared):
                exports[name] = name

    def _declared(self, node: Syntax) -> Iterator[str]:
        if "name" in node.fields:
            yield self._module.text(node.fields["name"])
        for declarator in node.children:
            pattern = declarator.fields.get("name") if declarator.kind == "variable_declarator" else None
            for target, _ in self._targets(pattern, ()) if pattern is not None else ():
                yield self._module.text(target)

    def _specifiers(self, clause: Syntax) -> Iterator[tuple[str, str]]:
        for part in clause.children:
            name = part.fields.get("name")
            if name is not None:
                text = self._name(name)
                yield text, self._name(part.fields["alias"]) if "alias" in part.fields else text

    def _source(self, node: Syntax) -> str | None:
        source = node.fields.get("source")
        if source is None:
            return None
        name = self._string(source)
        self._module.imports.append(name)
        return name

    def _declare(self, node: Syntax) -> None:
        value = node.fields.get("value")
        hoisted = node.parent is not None and node.parent.kind == "variable_declaration"
        scope = (node.scope.function if hoisted else None) or node.scope
        if value is not None:
            self._bind_pattern(node.fields["name"], scope, value)
        elif "name" in node.fields:
            # A name without a value: what is assigned to it later counts.
            scope.names.setdefault(self._module.text(node.fields["name"]), [])

    def _assign(self, node: Syntax) -> None:
        left, right = node.fields.get("left"), node.fields.get("right")
        if left is None or right is None:
            return
        if self._export_of(left, right):
            return
        for target, steps in self._targets(left, ()):
            if target.kind in {"member_expression", "subscript_expression"}:
                self._assign_part(target, right, steps)
            else:
                name = self._module.text(target)
                self._add(self._owner(name, node.scope), name, Bound(right, steps))

    def _assign_part(self, target: Syntax, value: Syntax, steps: tuple[Step, ...]) -> None:
        base = target.fields.get("object")
        key = self.key_of(target)
        if base is None:
            return
        if base.kind == "this" and key is not None:
            self._module.attributes.setdefault(key, []).append(Bound(value, steps))
        else:
            self._put(base, key, None if steps else value, listed=False)

    def _export_of(self, left: Syntax, right: Syntax) -> bool:
        if left.kind != "member_expression" or left.end - left.start > _MOST_NAME:
            return False
        text = self._module.text(left)
        if text == "module.exports":
            self._module.exports["default"] = Bound(right)
            if right.kind == "object":
                for part in right.children:
                    self._export_part(part)
            return True
        base, _, name = text.rpartition(".")
        if base in {"exports", "module.exports"}:
            self._module.exports[name] = Bound(right)
            return True
        return False

    def _export_part(self, part: Syntax) -> None:
        if part.kind == "shorthand_property_identifier":
            name = self._module.text(part)
            self._module.exports[name] = name
        elif part.kind == "pair" and (key := self.key_of(part)) is not None:
            self._module.exports[key] = Bound(part.fields["value"])

    def _change(self, node: Syntax) -> None:
        target = node.fields.get("left") or node.fields.get("argument")
        if target is None:
            return
        whole = node if node.kind == "augmented_assignment_expression" else None
        if target.kind == "identifier":
            name = self._module.text(target)
            changed = Changed(f'"{name}" is changed in place', whole)
            self._add(self._owner(name, node.scope), name, changed)
        elif (base := target.fields.get("object")) is not None:
            self._put(base, self.key_of(target), node.fields.get("right"), listed=False)

    def _loop(self, node: Syntax) -> None:
        left, right = node.fields.get("left"), node.fields.get("right")
        inner = next((child.scope for child in node.children if child is not right), None)
        if left is None or right is None or inner is None:
            return
        between = self._module.source[left.end : right.start].strip()
        if between == b"of":
            self._bind_pattern(left, inner, right, (EACH,))
        else:
            for target, _ in self._targets(left, ()):
                name = self._module.text(target)
                self._add(inner, name, Changed(f'"{name}" is bound at run time'))

    def _catch(self, node: Syntax) -> None:
        parameter = node.fields.get("parameter")
        for target, _ in self._targets(parameter, ()) if parameter is not None else ():
            name = self._module.text(target)
            self._add(target.scope, name, Changed(f'"{name}" is bound at run time'))

    def _define(self, node: Syntax) -> None:
        if "name" in node.fields:
            self._bind(node.fields["name"], Defined(node), node.scope)

    def _field(self, node: Syntax) -> None:
        name = node.fields.get("property") or node.fields.get("name")
        if name is not None and "value" in node.fields:
            found = self._module.attributes.setdefault(self._name(name), [])
            found.append(Bound(node.fields["value"]))

    def _return(self, node: Syntax) -> None:
        if node.scope.function is not None and node.children:
            node.scope.function.returns.append(node.children[0])

    def _yield(self, node: Syntax) -> None:
        if node.scope.function is not None and node.children:
            node.scope.function.yields.append(node.children[0])

    def _function(self, node: Syntax) -> None:
        name = node.fields.get("name")
        if name is not None and node.kind == "method_definition":
            self._module.methods.setdefault(self._name(name), []).append(node)
        elif name is not None:
            own = node.kind in {"function_expression", "generator_function"}
            self._bind(name, Defined(node), name.scope if own else node.scope)
        parameters = parameters_of(node)
        for position, pattern in enumerate(parameters):
            for target, steps in self._targets(pattern, ()):
                argument = Argument(node, position, steps)
                self._bind(target, argument, target.scope)
        body = node.fields.get("body")
        if node.kind == "arrow_function" and body is not None and body.kind != "statement_block":
            scope = body.scope.function
            if scope is not None:
                scope.returns.append(body)

    def _call(self, node: Syntax) -> None:
        function, arguments = node.fields.get("function"), node.fields.get("arguments")
        if function is None or arguments is None:
            return
        given = arguments.children
        name = self._module.text(function) if function.kind in {"identifier", "import"} else ""
        if name in {"require", "import"} and len(given) == 1 and given[0].kind == "string":
            self._module.imports.append(self._string(given[0]))
        if function.kind == "member_expression":
            base, method = function.fields.get("object"), self.key_of(function)
            if base is not None and method in _ADDING:
                self._add_by_call(base, method, given)
                return
            if method in _TAKING:
                return
            if base is not None and base.kind == "identifier" and self._module.text(base) in _HARMLESS:
                return
        for argument in given:
            if argument.kind == "identifier":
                self._put(argument, None, None, listed=True)

    def _add_by_call(self, base: Syntax, method: str, given: list[Syntax]) -> None:
        if method == "set":
            value = given[1] if len(given) == 2 else None  # noqa: PLR2004 - a key and a value
            key = literal(self._module.text(given[0])[1:-1]) if given and given[0].kind == "string" else None
            self._put(base, key, value, listed=False)
            return
        if method == "splice":
            given = given[2:]
        for value in given:
            self._put(base, None, value, listed=True)

    def _put(self, base: Syntax, key: str | None, value: Syntax | None, *, listed: bool) -> None:
        if base.kind == "identifier":
            name = self._module.text(base)
        elif base.kind == "member_expression" and (attribute := self.key_of(base)) is not None:
            name = f".{attribute}"
        else:
            return
        self._module.additions.setdefault(name, []).append(Addition(base, key, value, listed))

    def _owner(self, name: str, scope: Scope) -> Scope:
        found: Scope | None = scope
        while found is not None:
            if name in found.names:
                return found
            found = found.outer
        return self._module.top

    def _bind_pattern(
        self, pattern: Syntax, scope: Scope, value: Syntax, steps: tuple[Step, ...] = ()
    ) -> None:
        for target, path in self._targets(pattern, steps):
            if target.kind not in {"member_expression", "subscript_expression"}:
                self._add(scope, self._module.text(target), Bound(value, path))

    def _bind(self, name: Syntax, binding: Binding, scope: Scope) -> None:
        self._add(scope, self._module.text(name), binding)

    def _add(self, scope: Scope, name: str, binding: Binding) -> None:
        scope.names.setdefault(name, []).append(binding)

    def _targets(self, pattern: Syntax, steps: tuple[Step, ...]) -> Iterator[tuple[Syntax, tuple[Step, ...]]]:
        return targets_of(self._module, pattern, steps)

    def key_of(self, node: Syntax) -> str | None:
        return key_of(self._module, node)

    def _name(self, node: Syntax) -> str:
        return self._string(node) if node.kind == "string" else self._module.text(node)

    def _string(self, node: Syntax) -> str:
        return literal(self._module.text(node)[1:-1])


_ADDING = frozenset({"push", "unshift", "add", "set", "splice"})
_TAKING = frozenset({"append", "upsert", "replace", "concat", "write", "has", "includes"})
_HARMLESS = frozenset({"console", "JSON", "Object", "Math"})
_MOST_NAME = 200
_DEFAULT = re.compile(rb"export\s+default\b")


def parameters_of(function: Syntax) -> list[Syntax]:
    """Give the patterns of all parameters of a function, in order."""
    single = function.fields.get("parameter")
    if single is not None:
        return [single]
    given = function.fields.get("parameters")
    return list(given.children) if given is not None else []


def targets_of(
    module: Module, pattern: Syntax, steps: tuple[Step, ...] = ()
) -> Iterator[tuple[Syntax, tuple[Step, ...]]]:
    """Give every name that a pattern binds, with the steps from the value to its part."""
    pending = [(pattern, steps)]
    while pending:
        part, path = pending.pop()
        fields = part.fields
        match part.kind:
            case "identifier" | "shorthand_property_identifier_pattern":
                yield part, path
            case "member_expression" | "subscript_expression":
                yield part, path
            case "assignment_pattern" | "object_assignment_pattern":
                pending.append((fields["left"], (*path, Otherwise(fields["right"]))))
            case "required_parameter" | "optional_parameter":
                more = (*path, Otherwise(fields["value"])) if "value" in fields else path
                if "pattern" in fields:
                    pending.append((fields["pattern"], more))
            case "object_pattern":
                pending += reversed(list(_object_parts(module, part, path)))
            case "array_pattern":
                pending += reversed(list(_array_parts(module, part, path)))
            case "rest_pattern" | "parenthesized_expression" | "non_null_expression" if part.children:
                pending.append((part.children[0], (*path, Rest(frozenset()))))
            case _:
                pass


def key_of(module: Module, node: Syntax) -> str | None:
    """Give the key that a pair, member or subscript names; `None` where only run time knows it."""
    key = node.fields.get("key") or node.fields.get("property") or node.fields.get("index")
    if key is None:
        return None
    if key.kind == "computed_property_name" and key.children:
        key = key.children[0]
    elif key.kind in {"property_identifier", "private_property_identifier"}:
        return module.text(key)
    if key.kind == "string" or (
        key.kind == "template_string" and b"${" not in module.source[key.start : key.end]
    ):
        return literal(module.text(key)[1:-1])
    return module.text(key) if key.kind == "number" else None


def _object_parts(
    module: Module, pattern: Syntax, path: tuple[Step, ...]
) -> Iterator[tuple[Syntax, tuple[Step, ...]]]:
    named: set[str] = set()
    for part in pattern.children:
        if part.kind == "rest_pattern" and part.children:
            yield part.children[0], (*path, Rest(frozenset(named)))
            continue
        target = part.fields.get("value") if part.kind == "pair_pattern" else part
        key: str | None
        if part.kind == "pair_pattern":
            key = key_of(module, part)
        else:
            key = module.text(part.fields["left"] if part.kind == "object_assignment_pattern" else part)
        if key is not None:
            named.add(key)
        if target is not None:
            yield target, (*path, EACH if key is None else key)


def _array_parts(
    module: Module, pattern: Syntax, path: tuple[Step, ...]
) -> Iterator[tuple[Syntax, tuple[Step, ...]]]:
    position, end = 0, pattern.start + 1
    for part in pattern.children:
        # Holes (`[, second]`) have no node of their own: the commas before a part tell its place.
        position += module.source.count(b",", end, part.start)
        end = part.end
        if part.kind == "rest_pattern" and part.children:
            yield part.children[0], (*path, Rest(frozenset()))
        else:
            yield part, (*path, position)
