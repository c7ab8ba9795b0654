"""What a SQL script reads and writes, and the query that is left to run. Nothing is executed.

The author's text is kept as it is: table names become quoted names, the target of a write is cut out. Only
positions are taken from the parser, so that no dialect detail is lost on the way.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from patterns_os.diagnostics import Diagnostic, Location, quote
from patterns_os.graph.python_modules import decode_source, too_deep
from patterns_os.graph.sql_template import Rendered, quote_identifier, render_template
from patterns_os.graph.vertices import NEW_ROWS, Access, Analysis, Unknown, Use

OUTPUT_PORT = "output_table"
"""The port of a bare select."""

NO_STORES: Mapping[str, str] = {}

_ALLOWED = "one select, one insert into … select, or one create table … as select"
_BEGINNINGS = frozenset({"select", "with", "values", "(", "insert", "create"})
_CHANGES = (exp.Update, exp.Delete, exp.Merge, exp.Insert, exp.Create, exp.Drop, exp.TruncateTable, exp.Alter)
_WAYS = {
    "update": "upsert",
    "merge": "upsert",
    "delete": "delete",
    "truncate": "truncate",
}
_CLOSED = re.compile(
    r"[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[^'\"/$-]+|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlScript:
    """A SQL script, understood.

    Attributes:
        analysis: What it touches; the output of a bare select is the port `output_table`.
        statements: The query to run, without the target of the write; empty if there are errors.
        kind: `select` replaces the output, `insert` appends to it; `None` if there are errors.
    """

    analysis: Analysis
    statements: tuple[str, ...] = ()
    kind: Literal["select", "insert"] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def analyse_sql(
    file: str, source: bytes, parameters: Mapping[str, Any], stores: Mapping[str, str] = NO_STORES
) -> SqlScript:
    """Give what the script touches and the query that it runs.

    Args:
        file: Its path, for places.
        source: Its bytes: SQL of Postgres with `{{ Table(…) }}` and `{{ Parameter(…) }}`.
        parameters: Values by name; one that is absent takes the default in the script, else NULL.
        stores: The table behind a name that the script uses, where it is not the name itself. The uses keep
            the script's names, the query has the tables'.
    """
    text = decode_source(file, source)
    if isinstance(text, Diagnostic):
        return _failed(text)
    rendered = render_template(file, text.replace("\r\n", "\n").replace("\r", "\n"), parameters)
    if isinstance(rendered, Diagnostic):
        return _failed(rendered)
    try:
        return _understand(rendered, stores)
    except (RecursionError, MemoryError):
        return _failed(too_deep(file))


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement, apart from the target of its write.

    Attributes:
        tree: The statement as the parser sees it; of `create table … as` only the query.
        target: Name and offset of the table that is written, `None` for a bare select.
        head: Where `insert into …` or `create table … as` stands, to be cut out.
        columns: Names that an insert gives to the columns of its query.
    """

    tree: exp.Expr
    tokens: list[Token]
    statement: Literal["select", "insert", "create"]
    target: tuple[str, int] | None = None
    head: tuple[int, int] | None = None
    columns: tuple[str, ...] = ()


def _understand(rendered: Rendered, stores: Mapping[str, str]) -> SqlScript:
    tokens = _tokens(rendered)
    if isinstance(tokens, Diagnostic):
        return _failed(tokens)
    statements = _split(tokens)
    wrong = _wrong_statements(rendered, statements)
    if wrong is not None:
        return _failed(wrong)
    is_create = statements[0][0].text.lower() == "create"
    found = (_read_create if is_create else _read_statement)(rendered, statements[0])
    if isinstance(found, Diagnostic):
        return _failed(found)
    refused = _nested_refusal(rendered, found) or _misplaced_write(rendered, found)
    return _failed(refused) if refused else _script(rendered, found, stores)


def _script(rendered: Rendered, found: _Statement, stores: Mapping[str, str]) -> SqlScript:
    name, offset = found.target or (OUTPUT_PORT, found.tokens[0].start)
    detail = {} if found.target else {"implicit": True}
    output = Use(kind="table", name=name, access=Access.WRITE, where=rendered.locate(offset), detail=detail)
    uses = [output, *_reads(rendered, found), *rendered.parameters]
    analysis = Analysis(
        uses=tuple(sorted(uses, key=lambda use: (use.where, use.kind, use.name))),
        unknown=tuple(_outside(rendered, found)),
        statement=found.statement,
    )
    query = _query(rendered, found, stores)
    kind: Literal["select", "insert"] = "insert" if found.statement == "insert" else "select"
    return SqlScript(analysis=analysis, statements=(query,), kind=kind)


def _tokens(rendered: Rendered) -> list[Token] | Diagnostic:
    try:
        return sqlglot.tokenize(rendered.text, read="postgres")
    except (TokenError, ValueError, IndexError):
        offset = _unclosed(rendered.text)
        return Diagnostic(
            code="sql-syntax",
            message=f'"{rendered.file}" is not valid SQL: a text, name or comment is not closed.',
            where=rendered.locate(offset),
        )


def _split(tokens: list[Token]) -> list[list[Token]]:
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            statements.append([])
        else:
            statements[-1].append(token)
    return [statement for statement in statements if statement]


def _wrong_statements(rendered: Rendered, statements: list[list[Token]]) -> Diagnostic | None:
    if not statements:
        return Diagnostic(
            code="sql-statement",
            message=f'"{rendered.file}" holds no statement, expected {_ALLOWED}.',
            where=Location(file=rendered.file),
        )
    for statement in statements:
        word = statement[0].text.lower()
        if word not in _BEGINNINGS:
            return _not_allowed(rendered, word, rendered.locate(statement[0].start))
    if len(statements) > 1:
        return Diagnostic(
            code="sql-statement",
            message=f'"{rendered.file}" holds {len(statements)} statements, expected {_ALLOWED}.',
            where=rendered.locate(statements[1][0].start),
            hint="make a script of each",
        )
    return None


def _read_create(rendered: Rendered, tokens: list[Token]) -> _Statement | Diagnostic:
    # The parser gives up on a broken `create` as a whole; its query alone has better errors.
    words = [token.text.lower() for token in tokens[:4]]
    if words[1:2] != ["table"] or words[3:4] != ["as"] or len(tokens) <= len(words):
        return _not_allowed(rendered, "create", rendered.locate(tokens[0].start))
    head = (tokens[0].start, tokens[4].start)
    tree = _parse(rendered, tokens, blank=head)
    if isinstance(tree, Diagnostic):
        return tree
    if not isinstance(tree, exp.Query | exp.Values):
        return _not_allowed(rendered, "create", rendered.locate(tokens[0].start))
    is_quoted = tokens[2].token_type is TokenType.IDENTIFIER
    name = tokens[2].text if is_quoted else tokens[2].text.lower()
    return _Statement(tree, tokens, "create", (name, tokens[2].start), head)


def _read_statement(rendered: Rendered, tokens: list[Token]) -> _Statement | Diagnostic:
    tree = _parse(rendered, tokens)
    if isinstance(tree, Diagnostic):
        return tree
    if isinstance(tree, exp.Insert):
        return _read_insert(rendered, tree, tokens)
    if isinstance(tree, exp.Query | exp.Values):
        return _Statement(tree, tokens, "select")
    return _not_allowed(rendered, tokens[0].text.lower(), rendered.locate(tokens[0].start))


def _read_insert(rendered: Rendered, tree: exp.Insert, tokens: list[Token]) -> _Statement | Diagnostic:
    start = rendered.locate(tokens[0].start)
    schema = tree.this if isinstance(tree.this, exp.Schema) else None
    target = schema.this if schema else tree.this
    if tree.args.get("conflict"):
        return _not_allowed(rendered, "on conflict", start, "upsert")
    if tree.args.get("returning"):
        return _not_allowed(rendered, "returning", start)
    head = _insert_head(target, tokens, has_columns=schema is not None)
    if head is None or not isinstance(tree.expression, exp.Query | exp.Values):
        return _not_allowed(rendered, "insert", start)
    if isinstance(tree.expression, exp.Values) and schema is None:
        return _no_columns(_name(target), start)
    return _Statement(tree, tokens, "insert", (_name(target), _offset(target)), head, _columns(schema))


def _insert_head(target: object, tokens: list[Token], *, has_columns: bool) -> tuple[int, int] | None:
    """Give where `insert into name (columns)` starts and where its query does; `None` for other forms."""
    if not isinstance(target, exp.Table) or not isinstance(target.this, exp.Identifier) or target.db:
        return None
    at = next((index for index, token in enumerate(tokens) if token.start == _offset(target)), 0)
    words = [token.text.lower() for token in tokens[max(at - 2, 0) : at]]
    after = at + 1
    if has_columns:
        closing = (i for i in range(after, len(tokens)) if tokens[i].token_type is TokenType.R_PAREN)
        after = next(closing, len(tokens)) + 1
    if words != ["insert", "into"] or after >= len(tokens):
        return None
    return tokens[at - 2].start, tokens[after].start


def _no_columns(name: str, where: Location) -> Diagnostic:
    return Diagnostic(
        code="sql-statement",
        message="an insert of values names no columns, and rows go to columns by name.",
        where=where,
        hint=f'write insert into "{name}" (column, …) values …',  # noqa: S608 - a message
    )


def _parse(rendered: Rendered, tokens: list[Token], blank: tuple[int, int] = (0, 0)) -> exp.Expr | Diagnostic:
    # Blanks instead of a cut keep all positions.
    text = rendered.text[: blank[0]] + re.sub(r"[^\n]", " ", rendered.text[slice(*blank)])
    text += rendered.text[blank[1] : tokens[-1].end + 1]
    try:
        trees = sqlglot.parse(text, read="postgres")
    except ParseError as error:
        return _syntax_diagnostic(rendered, error)
    except (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        # The parser meets some broken inputs with errors of its own inside.
        trees = []
    found = next((tree for tree in trees if tree is not None), None)
    if found is not None:
        return found
    return Diagnostic(
        code="sql-syntax",
        message=f'"{rendered.file}" is not valid SQL.',
        where=rendered.locate(tokens[0].start),
    )


def _misplaced_write(rendered: Rendered, found: _Statement) -> Diagnostic | None:
    target = {found.target[0]} if found.target else set()
    misplaced = sorted(rendered.written - target)
    if not misplaced:
        return None
    name = quote(misplaced[0])
    return Diagnostic(
        code="table-mode",
        message=f"table {name} is opened for writing, but the statement does not write it.",
        where=rendered.locate(found.tokens[0].start),
        hint=f'begin with insert into {{{{ Table({name}, mode="w") }}}}, or leave the mode out to read it',
    )


def _nested_refusal(rendered: Rendered, found: _Statement) -> Diagnostic | None:
    start = rendered.locate(found.tokens[0].start)
    for node in found.tree.walk():
        if node is not found.tree and isinstance(node, _CHANGES):
            word = type(node).__name__.lower().removesuffix("table")
            return _not_allowed(rendered, word, start)
        if isinstance(node, exp.Into):
            return _not_allowed(rendered, "select into", start)
    return None


def _not_allowed(rendered: Rendered, word: str, where: Location, way: str | None = None) -> Diagnostic:
    method = way or _WAYS.get(word, "replace")
    return Diagnostic(
        code="sql-statement",
        message=f'"{rendered.file}" uses {quote(word)}, expected {_ALLOWED}.',
        where=where,
        hint=f'do it in a Python script: Table("name", "w").{method}(…)',
    )


def _syntax_diagnostic(rendered: Rendered, error: ParseError) -> Diagnostic:
    found: dict[str, Any] = dict(error.errors[0]) if error.errors else {}
    near = str(found.get("highlight") or "")
    line, column = int(found.get("line") or 1), int(found.get("col") or 1)
    line_start = 0
    for _ in range(line - 1):
        line_start = rendered.text.find("\n", line_start) + 1
    offset = line_start + max(column - len(near), 0)
    description = str(found.get("description") or "")
    expected = re.fullmatch(r"Expect(?:ing|ed) (.+?)(?: (?:but|after) .*)?", description)
    reason = f", expected {quote(expected[1])}" if expected else ""
    return Diagnostic(
        code="sql-syntax",
        message=f'"{rendered.file}" is not valid SQL near {quote(near)}{reason}.',
        where=rendered.locate(offset),
    )


def _tables(found: _Statement) -> Iterator[exp.Table]:
    """Give all tables that are read, common table expressions included, in source order."""
    target = found.target[1] if found.target else -1
    tables = [
        table
        for table in found.tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and "start" in table.this.meta and _offset(table) != target
    ]
    yield from sorted(tables, key=_offset)


def _reads(rendered: Rendered, found: _Statement) -> Iterator[Use]:
    seen = set()
    for table in _tables(found):
        name = _name(table)
        if not table.db and not _is_cte(table) and name not in seen:
            seen.add(name)
            access = Access.STREAM if name.startswith(NEW_ROWS) else Access.READ
            where = rendered.locate(_offset(table))
            yield Use(kind="table", name=name.removeprefix(NEW_ROWS), access=access, where=where)


def _outside(rendered: Rendered, found: _Statement) -> Iterator[Unknown]:
    for table in _tables(found):
        if table.db:
            name = quote(f"{table.db}.{table.name}")
            where = rendered.locate(_offset(table))
            yield Unknown(reason=f"{name} is outside the app's own tables", where=where)


def _is_cte(table: exp.Table) -> bool:
    name = _name(table)
    inner: exp.Expr = table
    outer = table.parent
    while outer is not None:
        clause = outer.args.get("with_")
        if isinstance(clause, exp.With) and _sees(clause, inner, name):
            return True
        if isinstance(outer, exp.With) and _sees(outer, inner, name):
            return True
        inner, outer = outer, outer.parent
    return False


def _sees(clause: exp.With, inner: exp.Expr, name: str) -> bool:
    # A common table expression sees those before it, and itself only if the clause is recursive.
    for cte in clause.expressions:
        if cte is inner:
            return bool(clause.recursive) and _alias(cte) == name
        if inner is not clause and _alias(cte) == name:
            return True
    return False


def _alias(cte: exp.Expr) -> str:
    alias = cte.args.get("alias")
    identifier = alias.this if isinstance(alias, exp.TableAlias) else alias
    return _folded(identifier) if isinstance(identifier, exp.Identifier) else ""


def _name(table: exp.Table) -> str:
    return _folded(table.this)


def _offset(table: exp.Table) -> int:
    return int(table.this.meta.get("start", 0))


def _folded(identifier: exp.Identifier) -> str:
    # Postgres folds names that are not quoted to lower case.
    return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()


def _query(rendered: Rendered, found: _Statement, stores: Mapping[str, str]) -> str:
    cuts = [
        (_offset(table), int(table.this.meta["end"]) + 1, _relation(table, stores))
        for table in _tables(found)
        if not table.db and not _is_cte(table)
    ]
    if found.head is not None:
        cuts.append((*found.head, ""))
    text = _spliced(rendered.text, found.tokens[0].start, found.tokens[-1].end + 1, cuts)
    if not found.columns:
        return text
    # The line end closes a comment at the end of the query.
    return f"select * from ({text}\n) as patterns_insert({', '.join(found.columns)})"  # noqa: S608 - names are quoted


def _relation(table: exp.Table, stores: Mapping[str, str]) -> str:
    spelled = _name(table)
    name = spelled.removeprefix(NEW_ROWS)
    store = ("" if spelled == name else NEW_ROWS) + stores.get(name, name)
    # The columns of a renamed table are still called by the name that the script uses.
    alias = "" if store == name or table.alias else f" as {quote_identifier(name)}"
    return f"{quote_identifier(store)}{alias}"


def _spliced(text: str, start: int, end: int, cuts: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    for first, last, new in sorted(cuts):
        parts += [text[start:first], new]
        start = last
    return "".join([*parts, text[start:end]])


def _columns(schema: exp.Schema | None) -> tuple[str, ...]:
    columns = schema.expressions if schema else []
    return tuple(
        quote_identifier(_folded(column)) for column in columns if isinstance(column, exp.Identifier)
    )


def _unclosed(text: str) -> int:
    for found in _CLOSED.finditer(text):
        if found[0] in {"'", '"', "$"} or (found[0] == "/" and text.startswith("/*", found.start())):
            return found.start()
    return 0


def _failed(diagnostic: Diagnostic) -> SqlScript:
    return SqlScript(analysis=Analysis(), diagnostics=(diagnostic,))
