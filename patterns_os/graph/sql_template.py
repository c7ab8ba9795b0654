"""The Jinja part of a SQL script: rendered once, in a sandbox that knows two functions and no attributes.

Each rendered character can be traced to its place in the file: control characters mark where the text and the
expressions of the template begin, and are taken out of the rendered text again.

One rendering sees one branch of an `if` and nothing of a loop without turns. The statement that runs is the rendered
one, so its tables are the node's; a table of another branch is told as unknown, for the parameter that decides may
have another value tomorrow.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import SandboxedEnvironment

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote
from patterns_os.graph.sql_parse import cast_text, quote_boolean, quote_identifier, quote_text
from patterns_os.graph.sql_text import POSTGRES, Places, line_starts
from patterns_os.graph.vertices import NEW_ROWS, Unknown, Use

MOST_CHARACTERS = 1_000_000
MOST_TURNS = 10_000
FUNCTIONS = ("Parameter", "Table")
TYPES = ("str", "int", "float", "bool", "date", "datetime", "list", "identifier")

_MARK = re.compile(r"\x00([de])([0-9]+)\x00")
# A call that needs no template engine: most scripts have no others.
_PLAIN_CALL = re.compile(
    r"""(?<!\{)\{\{\s*Table\(\s*(?:"([^"'\\]+)"|'([^"'\\]+)')\s*"""
    r"""(?:,\s*(?:mode\s*=\s*)?(?:"([rw])"|'([rw])')\s*)?\)\s*(\.new)?\s*\}\}"""
)
_CLOSINGS = {"'": "'", '"': '"', "{{": "}}", "{%": "%}", "{#": "#}", "--": "\n", "/*": "*/"}
_OPENINGS = re.compile("|".join(map(re.escape, _CLOSINGS)))
_FILTERS = ("lower", "upper", "trim", "join", "list", "first", "last", "length", "default")


@dataclass(frozen=True, slots=True)
class Rendered:
    """SQL with all calls replaced.

    Attributes:
        text: Plain SQL.
        written: Names that the template opens for writing.
        parameters: Uses of parameters.
        unseen: Tables that the template uses in parts that were not rendered.
    """

    text: str
    places: Places
    dialect: str
    written: frozenset[str]
    parameters: tuple[Use, ...]
    unseen: tuple[Unknown, ...] = ()

    @property
    def file(self) -> str:
        """The path of the script."""
        return self.places.file

    def locate(self, offset: int) -> Location:
        """Give the place in the file that the rendered character comes from."""
        return self.places.locate(offset)


def render_template(
    file: str, source: str, parameters: Mapping[str, Any], dialect: str = POSTGRES
) -> Rendered | Diagnostic:
    """Give the SQL of a script, or why it cannot be rendered.

    `source` has line feeds as line ends and no NUL.
    """
    shown = _without_calls_in_comments(source) if "{{" in source else source
    return _plain_render(file, shown, dialect) or _full_render(file, shown, parameters, dialect)


def _without_calls_in_comments(source: str) -> str:
    """Give the script, as long as before, with no `{{` left in comments of SQL: what stands there is for people."""
    parts: list[str] = []
    done = 0
    # Texts, names and parts of the template are passed over: two dashes in them begin no comment.
    while opening := _OPENINGS.search(source, done):
        found = source.find(_CLOSINGS[opening[0]], opening.end())
        if found < 0 and opening[0] != "--":
            break
        end = len(source) if found < 0 else found + len(_CLOSINGS[opening[0]])
        part = source[opening.start() : end]
        if opening[0] in {"--", "/*"}:
            part = part.replace("{{", "[[").replace("}}", "]]")
        parts += [source[done : opening.start()], part]
        done = end
    return "".join([*parts, source[done:]])


def _plain_render(file: str, source: str, dialect: str) -> Rendered | None:
    """Render a script whose template is nothing but names of tables; `None` for any other."""
    if "{%" in source or "{#" in source or len(source) > MOST_CHARACTERS:
        return None
    parts: list[str] = []
    pieces: list[tuple[int, int, bool]] = [(0, 0, False)]
    written: set[str] = set()
    size = done = 0
    for call in _PLAIN_CALL.finditer(source):
        name = call[1] or call[2]
        before = source[done : call.start()]
        quoted = quote_identifier(NEW_ROWS + name if call[5] else name, dialect)
        if before:
            pieces.append((size, done, True))
        pieces.append((size + len(before), call.start(), False))
        parts += [before, quoted]
        size += len(before) + len(quoted)
        done = call.end()
        if "w" in {call[3], call[4]}:
            written.add(name)
    if done < len(source):
        pieces.append((size, done, True))
    parts.append(source[done:])
    if any("{{" in part for part in parts[::2]):
        return None
    places = Places(file, tuple(pieces), line_starts(source), len(source))
    return Rendered("".join(parts), places, dialect, frozenset(written), ())


def _full_render(
    file: str, source: str, parameters: Mapping[str, Any], dialect: str
) -> Rendered | Diagnostic:
    places = Places(file, ((0, 0, True),), line_starts(source), len(source))
    calls = _Calls(places, source, parameters, dialect)
    environment = _environment()
    try:
        tree = environment.parse(_marked(environment, source))
        hidden = list(_hidden_calls(tree, "")) if "{%" in source or " if " in source else []
        text = _collect(
            environment.from_string(tree).generate(
                Table=calls.table, Parameter=calls.parameter, range=calls.range
            )
        )
    except TemplateSyntaxError as error:
        return _template_diagnostic(file, str(error.message), error.lineno)
    except _CallError as error:
        return error.diagnostic(calls.where())
    except UndefinedError as error:
        return _undefined_diagnostic(file, error)
    except (TemplateError, TypeError, ValueError, ArithmeticError, KeyError, AttributeError) as error:
        return _template_diagnostic(file, str(error), 1)
    except (RecursionError, MemoryError):
        return _template_diagnostic(file, "it is nested too deeply", 1)
    rendered = _unmarked(text, calls)
    unseen = _unseen(hidden, calls, rendered) if hidden else ()
    return replace(rendered, unseen=unseen) if unseen else rendered


@cache
def _environment() -> "_Sandbox":
    environment = _Sandbox(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, extensions=[]
    )
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.tests["none"] = lambda value: _value_of(value) is None
    environment.globals = {name: name for name in TYPES}
    return environment


def _hidden_calls(node: nodes.Node, decides: str) -> Iterator[tuple[nodes.Call, str]]:
    """Give the calls of `Table` that a rendering may leave out, with what decides it."""
    called = node.node if isinstance(node, nodes.Call) else None
    if decides and isinstance(node, nodes.Call) and isinstance(called, nodes.Name) and called.name == "Table":
        yield node, decides
    inside = _DECIDES.get(type(node), decides)
    for child in node.iter_child_nodes():
        yield from _hidden_calls(child, inside)


def _unseen(hidden: list[tuple[nodes.Call, str]], calls: "_Calls", rendered: Rendered) -> tuple[Unknown, ...]:
    lines = {
        rendered.places.locate_source(origin).line
        for _, origin, literal in rendered.places.pieces[1:]
        if not literal
    }
    found: dict[str, Unknown] = {}
    for call, decides in hidden:
        name = _constant_name(call)
        if name in calls.tables or (name is None and call.lineno in lines):
            continue
        what = f"table {quote(name)}" if name is not None else "a table whose name is computed"
        reason = f"{what} is used where {decides} decides"
        found.setdefault(reason, Unknown(reason=reason, where=calls.place_of(call.lineno, name)))
    return tuple(found.values())


def _constant_name(call: nodes.Call) -> str | None:
    named = [argument.value for argument in call.kwargs if argument.key == "name"]
    first = [*call.args, *named][:1]
    value = first[0].value if first and isinstance(first[0], nodes.Const) else None
    return value if isinstance(value, str) else None


@dataclass(slots=True)
class _Calls:
    places: Places
    source: str
    values: Mapping[str, Any]
    dialect: str
    tables: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    parameters: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    last: str = ""
    turns: int = 0

    def table(self, name: object = None, mode: object = "r", **_: object) -> "_TableName":
        self.last = "Table"
        plain = _plain(name)
        if not plain:
            raise _CallError("Table needs the name of a table")
        if mode not in {"r", "w"}:
            raise _CallError(f"table {quote(plain)} is opened with the unknown mode {quote(str(mode))}")
        if mode == "w":
            self.written.add(plain)
        self.tables.add(plain)
        return _TableName.of(plain, self.dialect)

    def parameter(
        self,
        name: object = None,
        description: object = None,
        type: object = "str",  # noqa: A002 - the SDK's own name for it
        default: object = ...,
    ) -> str:
        del description
        self.last = "Parameter"
        plain = _plain(name)
        if not plain:
            raise _CallError("Parameter needs the name of a parameter")
        kind = _plain(type) if isinstance(type, str) else "str"
        if kind not in TYPES:
            raise _CallError(f"parameter {quote(plain)} has the unknown type {quote(kind)}", TYPES)
        detail: dict[str, Any] = {"type": kind, "required": default is ...}
        if default is not ...:
            detail["default"] = default
        index = len(self.parameters)
        self.parameters[index] = (plain, detail)
        # A parameter without a value is found by the rules; until then the SQL has to parse.
        value = self.values.get(plain, None if default is ... else default)
        text = literal(plain, value, kind, self.dialect)
        return _Value.of(f"\x00p{index}\x00{text}", plain, value, self.dialect)

    def range(self, *arguments: int) -> range:
        found = range(*arguments)
        # Counted over all calls: loops inside loops multiply.
        self.turns += len(found)
        if self.turns > MOST_TURNS:
            raise _CallError(
                f"the loops of the script are too long, at most {MOST_TURNS:,} turns are possible"
            )
        return found

    def where(self) -> Location:
        found = re.search(rf"{self.last}\s*\(", self.source) if self.last else None
        return self.places.locate_source(found.start() if found else 0)

    def place_of(self, line: int, name: str | None) -> Location:
        start = self.places.lines[min(line, len(self.places.lines)) - 1]
        named = re.compile(rf"Table\s*\([^)]*?{re.escape(name or '')}").search(self.source, start)
        found = named or re.compile(r"Table\s*\(").search(self.source, start)
        return self.places.locate_source(found.start() if found else start)


class _TableName(str):
    """A quoted table name; its `new` names the rows that the node has not seen yet."""

    __slots__ = ("_dialect", "_name")
    _name: str
    _dialect: str

    @classmethod
    def of(cls, name: str, dialect: str) -> "_TableName":
        found = cls(quote_identifier(name, dialect))
        found._name, found._dialect = name, dialect
        return found

    @property
    def new(self) -> str:
        return quote_identifier(NEW_ROWS + self._name, self._dialect)


class _Value(str):
    """A parameter: it is written as its literal, and is compared, counted and gone through as its value."""

    __slots__ = ("dialect", "name", "value")
    name: str
    value: Any
    dialect: str

    @classmethod
    def of(cls, text: str, name: str, value: object, dialect: str) -> "_Value":
        found = cls(text)
        found.name, found.value, found.dialect = name, value, dialect
        return found

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        items = self.value if isinstance(self.value, list | tuple) else ()
        for item in items:
            yield _Value.of(
                literal(self.name, item, _kind_of(item), self.dialect), self.name, item, self.dialect
            )

    def __contains__(self, item: object) -> bool:
        return self.value is not None and _value_of(item) in self.value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == _value_of(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(str(self.value))

    def __lt__(self, other: object) -> bool:
        return self.value is not None and bool(self.value < _value_of(other))

    def __le__(self, other: object) -> bool:
        return self.value is not None and bool(self.value <= _value_of(other))

    def __gt__(self, other: object) -> bool:
        return self.value is not None and bool(self.value > _value_of(other))

    def __ge__(self, other: object) -> bool:
        return self.value is not None and bool(self.value >= _value_of(other))


class _CallError(Exception):
    def __init__(self, message: str, known: tuple[str, ...] = (), code: str = "sql-template") -> None:
        super().__init__(message)
        self.code, self.message, self.known = code, message, known

    def diagnostic(self, where: Location) -> Diagnostic:
        known = ("known types", self.known) if self.known else None
        return Diagnostic(code=self.code, message=f"{self.message}.", where=where, known=known)


class _Sandbox(SandboxedEnvironment):
    """No attributes of values, no operators that make a short template a large value."""

    intercepted_binops = frozenset({"*", "**", "%", "//"})

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        del value
        return (isinstance(obj, _TableName) and attr == "new") or type(obj).__name__ == "LoopContext"

    def call_binop(self, context: object, operator: str, left: object, right: object) -> Any:  # noqa: ANN401 - Jinja's signature
        if not (isinstance(left, int | float) and isinstance(right, int | float)) or operator == "**":
            raise _CallError(f'the operator "{operator}" is not available in a SQL script')
        return super().call_binop(context, operator, left, right)  # type: ignore[arg-type]  # context is Jinja's


def _collect(pieces: Any) -> str:  # noqa: ANN401 - an iterator of text
    found: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        found.append(piece)
        if size > MOST_CHARACTERS:
            raise _CallError(f"the script renders to more than {MOST_CHARACTERS:,} characters")
    return "".join(found)


def _marked(environment: SandboxedEnvironment, source: str) -> str:
    parts: list[str] = []
    done = 0
    for _, kind, value in environment.lex(source):
        start = source.find(value, done)
        if start < 0:
            continue
        if kind in {"data", "variable_begin"} and value:
            parts += [source[done:start], f"\x00{'d' if kind == 'data' else 'e'}{start}\x00", value]
        else:
            parts.append(source[done : start + len(value)])
        done = start + len(value)
    return "".join([*parts, source[done:]])


def _unmarked(marked: str, calls: _Calls) -> Rendered:
    parts: list[str] = []
    pieces: list[tuple[int, int, bool]] = [(0, 0, False)]
    uses: list[Use] = []
    size = 0
    # A filter may have turned the letters of a parameter into capitals.
    for part in re.split(r"(\x00[depP][0-9]+\x00)", marked):
        mark = re.fullmatch(r"\x00([depP])([0-9]+)\x00", part)
        if mark is None:
            parts.append(part)
            size += len(part)
        elif mark[1] in {"p", "P"}:
            name, detail = calls.parameters[int(mark[2])]
            where = calls.places.locate_source(pieces[-1][1])
            uses.append(Use(kind="parameter", name=name, access=None, where=where, detail=detail))
        else:
            pieces.append((size, int(mark[2]), mark[1] == "d"))
    return Rendered(
        text="".join(parts),
        places=replace(calls.places, pieces=tuple(pieces)),
        dialect=calls.dialect,
        written=frozenset(calls.written),
        parameters=tuple(uses),
    )


def literal(name: str, value: Any, kind: str, dialect: str = POSTGRES) -> str:  # noqa: ANN401 - any JSON value
    """Give the value as a literal of SQL: quoted, of its type, never raw text.

    A list gives `('a', 'b')`, made for `in`; `None` gives `NULL`; `identifier` a quoted name.
    """
    if value is None:
        return "NULL"
    if kind == "list":
        items = value if isinstance(value, list | tuple) else [value]
        return f"({', '.join(_scalar(name, item, _kind_of(item), dialect) for item in items) or 'NULL'})"
    return _scalar(name, value, kind, dialect)


def _scalar(name: str, value: Any, kind: str, dialect: str) -> str:  # noqa: ANN401 - any JSON value
    expected = _CallError(
        f"parameter {quote(name)} is {_shown(value)}, expected a value of type {quote(kind)}",
        code="parameter-type",
    )
    match kind, value:
        case "bool", bool():
            return quote_boolean(value, dialect)
        case "int", int() if not isinstance(value, bool):
            return _number(value)
        case "float", int() | float() if not isinstance(value, bool) and abs(value) < float("inf"):
            return _number(value)
        case "str" | "identifier" | "date" | "datetime", str() if "\x00" not in value:
            return _text(value, kind, dialect)
        case _:
            raise expected


def _number(value: float) -> str:
    # A bare minus after a minus would begin a comment.
    return f"({value})" if value < 0 else f"{value}"


def _text(value: str, kind: str, dialect: str) -> str:
    if kind == "identifier":
        return quote_identifier(value, dialect)
    if kind == "str":
        return quote_text(value, dialect)
    return cast_text(value, {"date": "date", "datetime": "timestamptz"}[kind], dialect)


def _kind_of(value: object) -> str:
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "str")


def _shown(value: object) -> str:
    return quote(value) if isinstance(value, str) else str(value)


def _value_of(value: object) -> Any:  # noqa: ANN401 - any JSON value
    return value.value if isinstance(value, _Value) else value


def _plain(value: object) -> str:
    value = _value_of(value)
    # A text that was captured by `{% set %}` brings its marks along.
    return _MARK.sub("", value) if isinstance(value, str) else ""


def _template_diagnostic(file: str, message: str, line: int) -> Diagnostic:
    sentence = _MARK.sub("", message).rstrip(".")
    return Diagnostic(
        code="sql-template",
        message=f'the template part of "{file}" cannot be rendered: {sentence}.',
        where=Location(file=file, line=line),
    )


def _undefined_diagnostic(file: str, error: UndefinedError) -> Diagnostic:
    found = re.search(r"'([^']*)' is undefined", str(error))
    if found is None:
        return _template_diagnostic(file, str(error), 1)
    return Diagnostic(
        code="sql-template",
        message=f'"{file}" uses {quote(found[1])}, which is not available in a SQL script.',
        where=Location(file=file),
        known=("known functions", FUNCTIONS),
        hint=did_you_mean(found[1], FUNCTIONS),
    )


_DECIDES: Mapping[type, str] = {
    nodes.If: "{% if … %}",
    nodes.CondExpr: "{{ … if … }}",
    nodes.For: "{% for … %}",
    nodes.Macro: "{% macro … %}",
}
