"""The Jinja part of a SQL script: rendered once, in a sandbox that knows two functions and no attributes.

Each rendered character can be traced to its place in the file: control characters mark where the text and the
expressions of the template begin, and are taken out of the rendered text again.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote
from patterns_os.graph.vertices import NEW_ROWS, Use

MOST_CHARACTERS = 1_000_000
MOST_TURNS = 10_000
FUNCTIONS = ("Parameter", "Table")
TYPES = ("str", "int", "float", "bool", "date", "datetime", "list", "identifier")

_MARK = re.compile(r"\x00([de])([0-9]+)\x00")
_FILTERS = ("lower", "upper", "trim", "join", "list", "first", "last", "length", "default")


@dataclass(frozen=True, slots=True)
class Rendered:
    """SQL with all calls replaced.

    Attributes:
        text: Plain SQL.
        written: Names that the template opens for writing.
        parameters: Uses of parameters.
    """

    file: str
    source: str
    text: str
    written: frozenset[str]
    parameters: tuple[Use, ...]
    pieces: tuple[tuple[int, int, bool], ...]

    def locate(self, offset: int) -> Location:
        """Give the place in the file that the rendered character comes from."""
        index = bisect_right(self.pieces, offset, key=lambda piece: piece[0]) - 1
        start, origin, literal = self.pieces[max(index, 0)]
        return locate_offset(self.file, self.source, origin + (offset - start if literal else 0))


def locate_offset(file: str, source: str, offset: int) -> Location:
    """Give the place of a character of the file."""
    offset = min(max(offset, 0), len(source))
    line_start = source.rfind("\n", 0, offset) + 1
    return Location(file=file, line=source.count("\n", 0, offset) + 1, column=offset - line_start + 1)


def render_template(file: str, source: str, parameters: Mapping[str, Any]) -> Rendered | Diagnostic:
    """Give the SQL of a script, or why it cannot be rendered.

    `source` has line feeds as line ends and no NUL.
    """
    calls = _Calls(file, parameters)
    environment = _Sandbox(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, extensions=[]
    )
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.globals = {
        "Table": calls.table,
        "Parameter": calls.parameter,
        "range": calls.range,
        **{name: name for name in TYPES},
    }
    try:
        marked = _marked(environment, source)
        text = _collect(environment.from_string(marked).generate())
    except TemplateSyntaxError as error:
        return _template_diagnostic(file, str(error.message), error.lineno)
    except _CallError as error:
        return error.diagnostic(file, calls.where(file, source))
    except UndefinedError as error:
        return _undefined_diagnostic(file, error)
    except (TemplateError, TypeError, ValueError, ArithmeticError, KeyError, AttributeError) as error:
        return _template_diagnostic(file, str(error), 1)
    except (RecursionError, MemoryError):
        return _template_diagnostic(file, "it is nested too deeply", 1)
    return _unmarked(file, source, text, calls)


@dataclass(slots=True)
class _Calls:
    file: str
    values: Mapping[str, Any]
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
        return _TableName(quote_identifier(plain))

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
        return f"\x00p{index}\x00{literal(plain, value, kind)}"

    def range(self, *arguments: int) -> range:
        found = range(*arguments)
        # Counted over all calls: loops inside loops multiply.
        self.turns += len(found)
        if self.turns > MOST_TURNS:
            raise _CallError(
                f"the loops of the script are too long, at most {MOST_TURNS:,} turns are possible"
            )
        return found

    def where(self, file: str, source: str) -> Location:
        found = re.search(rf"{self.last}\s*\(", source) if self.last else None
        return locate_offset(file, source, found.start() if found else 0)


class _TableName(str):
    """A quoted table name; its `new` names the rows that the node has not seen yet."""

    __slots__ = ()

    @property
    def new(self) -> str:
        return quote_identifier(NEW_ROWS + str(self)[1:-1].replace('""', '"'))


class _CallError(Exception):
    def __init__(self, message: str, known: tuple[str, ...] = (), code: str = "sql-template") -> None:
        super().__init__(message)
        self.code, self.message, self.known = code, message, known

    def diagnostic(self, file: str, where: Location) -> Diagnostic:
        del file
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


def _unmarked(file: str, source: str, marked: str, calls: _Calls) -> Rendered:
    parts: list[str] = []
    pieces: list[tuple[int, int, bool]] = [(0, 0, False)]
    uses: list[Use] = []
    size = 0
    for part in re.split(r"(\x00[dep][0-9]+\x00)", marked):
        mark = re.fullmatch(r"\x00([dep])([0-9]+)\x00", part)
        if mark is None:
            parts.append(part)
            size += len(part)
        elif mark[1] == "p":
            name, detail = calls.parameters[int(mark[2])]
            where = locate_offset(file, source, pieces[-1][1])
            uses.append(Use(kind="parameter", name=name, access=None, where=where, detail=detail))
        else:
            pieces.append((size, int(mark[2]), mark[1] == "d"))
    return Rendered(
        file=file,
        source=source,
        text="".join(parts),
        written=frozenset(calls.written),
        parameters=tuple(uses),
        pieces=tuple(pieces),
    )


def quote_identifier(name: str) -> str:
    """Give the name as a quoted identifier of Postgres."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def literal(name: str, value: Any, kind: str) -> str:  # noqa: ANN401 - any JSON value
    """Give the value as a literal of SQL: quoted, of its type, never raw text.

    A list gives `('a', 'b')`, made for `in`; `None` gives `NULL`; `identifier` a quoted name.
    """
    if value is None:
        return "NULL"
    if kind == "list":
        items = value if isinstance(value, list | tuple) else [value]
        return f"({', '.join(_scalar(name, item, _kind_of(item)) for item in items) or 'NULL'})"
    return _scalar(name, value, kind)


def _scalar(name: str, value: Any, kind: str) -> str:  # noqa: ANN401 - any JSON value
    expected = _CallError(
        f"parameter {quote(name)} is {_shown(value)}, expected a value of type {quote(kind)}",
        code="parameter-type",
    )
    match kind, value:
        case "bool", bool():
            return "TRUE" if value else "FALSE"
        case "int", int() if not isinstance(value, bool):
            return _number(value)
        case "float", int() | float() if not isinstance(value, bool) and abs(value) < float("inf"):
            return _number(value)
        case "str" | "identifier" | "date" | "datetime", str() if "\x00" not in value:
            return _text(value, kind)
        case _:
            raise expected


def _number(value: float) -> str:
    # A bare minus after a minus would begin a comment.
    return f"({value})" if value < 0 else f"{value}"


def _text(value: str, kind: str) -> str:
    if kind == "identifier":
        return quote_identifier(value)
    doubled = value.replace("'", "''")
    cast = {"date": "::date", "datetime": "::timestamptz"}.get(kind, "")
    return f"'{doubled}'{cast}"


def _kind_of(value: object) -> str:
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "str")


def _shown(value: object) -> str:
    return quote(value) if isinstance(value, str) else str(value)


def _plain(value: object) -> str:
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
