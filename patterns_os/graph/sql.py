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


def _understand(rendered: Rendered, stores: Mapping[str, str]) -> SqlScript:
    tokens = _tokens(rendered)
    if isinstance(tokens, Diagnostic):
        return _failed(tokens)
    statements = _split(tokens)
    wrong = _wrong_statements(rendered, statements)
    if wrong is not None:
        return _failed(wrong)
    tree = _parse(rendered, statements[0])
    if isinstance(tree, Diagnostic):
        return _failed(tree)
    refused = _refusal(rendered, tree, statements[0]) or _misplaced_write(rendered, tree, statements[0])
    if refused is not None:
        return _failed(refused)
    return _script(rendered, tree, statements[0], stores)


def _script(rendered: Rendered, tree: exp.Expr, tokens: list[Token], stores: Mapping[str, str]) -> SqlScript:
    target = _target(tree)
    uses = [*_reads(rendered, tree, target), *rendered.parameters]
    if target is None:
        where = rendered.locate(tokens[0].start)
        uses.append(
            Use(kind="table", name=OUTPUT_PORT, access=Access.WRITE, where=where, detail={"implicit": True})
        )
    else:
        uses.append(
            Use(kind="table", name=_name(target), access=Access.WRITE, where=_place(rendered, target))
        )
    kind: Literal["select", "insert"] = "insert" if isinstance(tree, exp.Insert) else "select"
    analysis = Analysis(
        uses=tuple(sorted(uses, key=lambda use: (use.where, use.kind, use.name))),
        unknown=tuple(_outside(rendered, tree, target)),
        statement="create" if isinstance(tree, exp.Create) else kind,
    )
    query = _query(rendered, tree, tokens, stores)
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


def _parse(rendered: Rendered, tokens: list[Token]) -> exp.Expr | Diagnostic:
    try:
        trees = sqlglot.parse(rendered.text[: tokens[-1].end + 1], read="postgres")
    except ParseError as error:
        return _syntax_diagnostic(rendered, error)
    except (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        # The parser meets some broken inputs with errors of its own inside.
        return Diagnostic(
            code="sql-syntax",
            message=f'"{rendered.file}" is not valid SQL.',
            where=rendered.locate(tokens[0].start),
        )
    found = [tree for tree in trees if tree is not None]
    return found[0] if found else _not_allowed(rendered, "", rendered.locate(0))


def _refusal(rendered: Rendered, tree: exp.Expr, tokens: list[Token]) -> Diagnostic | None:
    start = rendered.locate(tokens[0].start)
    if isinstance(tree, exp.Insert):
        return _insert_refusal(rendered, tree, start)
    if isinstance(tree, exp.Create):
        query = tree.expression
        if tree.kind != "TABLE" or not isinstance(query, exp.Query) or len(_create_head(tokens)) != 1:
            return _not_allowed(rendered, "create", start)
    elif not isinstance(tree, exp.Query | exp.Values):
        return _not_allowed(rendered, tokens[0].text.lower(), start)
    return _nested_refusal(rendered, tree, start)


def _insert_refusal(rendered: Rendered, tree: exp.Insert, start: Location) -> Diagnostic | None:
    if tree.args.get("conflict"):
        return _not_allowed(rendered, "on conflict", start, "upsert")
    if tree.args.get("returning"):
        return _not_allowed(rendered, "returning", start)
    if not isinstance(tree.expression, exp.Query | exp.Values) or _target(tree) is None:
        return _not_allowed(rendered, "insert", start)
    if isinstance(tree.expression, exp.Values) and not isinstance(tree.this, exp.Schema):
        return Diagnostic(
            code="sql-statement",
            message="an insert of values names no columns, and rows go to columns by name.",
            where=start,
            hint=f'write insert into "{_name(_target(tree))}" (column, …) values …',  # noqa: S608 - a message
        )
    return _nested_refusal(rendered, tree, start)


def _misplaced_write(rendered: Rendered, tree: exp.Expr, tokens: list[Token]) -> Diagnostic | None:
    misplaced = sorted(rendered.written - {_name(_target(tree))})
    if not misplaced:
        return None
    name = quote(misplaced[0])
    return Diagnostic(
        code="table-mode",
        message=f"table {name} is opened for writing, but the statement does not write it.",
        where=rendered.locate(tokens[0].start),
        hint=f'begin with insert into {{{{ Table({name}, mode="w") }}}}, or leave the mode out to read it',
    )


def _nested_refusal(rendered: Rendered, tree: exp.Expr, start: Location) -> Diagnostic | None:
    for node in tree.walk():
        if node is not tree and isinstance(node, _CHANGES):
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
    expected = re.fullmatch(r"Expect(?:ing|ed) (\S+)(?: .*)?", description)
    reason = f", expected {quote(expected[1])}" if expected else ""
    return Diagnostic(
        code="sql-syntax",
        message=f'"{rendered.file}" is not valid SQL near {quote(near)}{reason}.',
        where=rendered.locate(offset),
    )


def _target(tree: exp.Expr) -> exp.Table | None:
    if not isinstance(tree, exp.Insert | exp.Create):
        return None
    found = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return found if isinstance(found, exp.Table) and isinstance(found.this, exp.Identifier) else None


def _tables(tree: exp.Expr, target: exp.Table | None) -> Iterator[exp.Table]:
    found = [
        table
        for table in tree.find_all(exp.Table)
        if table is not target and isinstance(table.this, exp.Identifier) and "start" in table.this.meta
    ]
    yield from sorted(found, key=lambda table: int(table.this.meta["start"]))


def _reads(rendered: Rendered, tree: exp.Expr, target: exp.Table | None) -> Iterator[Use]:
    seen = set()
    for table in _tables(tree, target):
        name = _name(table)
        if not table.db and not _is_cte(table) and name not in seen:
            seen.add(name)
            access = Access.STREAM if name.startswith(NEW_ROWS) else Access.READ
            yield Use(
                kind="table", name=name.removeprefix(NEW_ROWS), access=access, where=_place(rendered, table)
            )


def _outside(rendered: Rendered, tree: exp.Expr, target: exp.Table | None) -> Iterator[Unknown]:
    for table in _tables(tree, target):
        if table.db:
            name = f"{table.db}.{table.name}"
            yield Unknown(
                reason=f"{quote(name)} is outside the app's own tables", where=_place(rendered, table)
            )


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


def _name(table: exp.Table | None) -> str:
    return _folded(table.this) if table is not None else ""


def _folded(identifier: exp.Identifier) -> str:
    # Postgres folds names that are not quoted to lower case.
    return str(identifier.this) if identifier.args.get("quoted") else str(identifier.this).lower()


def _place(rendered: Rendered, table: exp.Table) -> Location:
    return rendered.locate(int(table.this.meta.get("start", 0)))


def _query(rendered: Rendered, tree: exp.Expr, tokens: list[Token], stores: Mapping[str, str]) -> str:
    start, end = tokens[0].start, tokens[-1].end + 1
    target = _target(tree)
    cuts = [
        (int(table.this.meta["start"]), int(table.this.meta["end"]) + 1, _relation(table, stores))
        for table in _tables(tree, target)
        if not table.db and not _is_cte(table)
    ]
    if target is not None:
        first, last = _head(tree, tokens, target)
        cuts.append((tokens[first].start, tokens[last].start, ""))
    text = _spliced(rendered.text, start, end, cuts)
    columns = _columns(tree)
    # The line end closes a comment at the end of the query.
    if not columns:
        return text
    return f"select * from ({text}\n) as patterns_insert({', '.join(columns)})"  # noqa: S608 - names are quoted


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


def _columns(tree: exp.Expr) -> list[str]:
    if not isinstance(tree, exp.Insert) or not isinstance(tree.this, exp.Schema):
        return []
    return [
        quote_identifier(_folded(column))
        for column in tree.this.expressions
        if isinstance(column, exp.Identifier)
    ]


def _head(tree: exp.Expr, tokens: list[Token], target: exp.Table) -> tuple[int, int]:
    """Give the tokens from `insert` or `create` up to the one that begins the query."""
    place = int(target.this.meta["start"])
    at = next(index for index, token in enumerate(tokens) if token.start == place)
    word = "insert" if isinstance(tree, exp.Insert) else "create"
    first = max(index for index, token in enumerate(tokens[:at]) if token.text.lower() == word)
    last = at + 1
    if word == "create":
        last = next(i for i in range(last, len(tokens)) if tokens[i].token_type is TokenType.ALIAS) + 1
    elif isinstance(tree.this, exp.Schema):
        last = next(i for i in range(last, len(tokens)) if tokens[i].token_type is TokenType.R_PAREN) + 1
    return first, last


def _create_head(tokens: list[Token]) -> list[str]:
    """Give the words between `create` and the name of the table."""
    words = [token.text.lower() for token in tokens[:6]]
    start = words.index("create") if "create" in words else 0
    return words[start + 1 : words.index("table") + 1] if "table" in words else []


def _unclosed(text: str) -> int:
    for found in _CLOSED.finditer(text):
        if found[0] in {"'", '"', "$"} or (found[0] == "/" and text.startswith("/*", found.start())):
            return found.start()
    return 0


def _failed(diagnostic: Diagnostic) -> SqlScript:
    return SqlScript(analysis=Analysis(), diagnostics=(diagnostic,))
