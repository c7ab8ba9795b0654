"""What a SQL script reads and writes, and the query that is left to run. Nothing is executed.

The author's text is kept as it is: table names become quoted names, the target of a write is cut out. Only
positions are taken from the parser, so that no dialect detail is lost on the way.

The dialect is that of the storage of the tables: it decides how the text is read, how names fold, and how the names
and values that the template gives are quoted. Postgres is the one whose statements are run, whose columns are found
missing and whose types are proven; of another dialect the tables and the lineage of the columns are known.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from patterns_os.diagnostics import Diagnostic, Location, quote
from patterns_os.graph.python_modules import decode_source, too_deep
from patterns_os.graph.sql_columns import written_table
from patterns_os.graph.sql_parse import (
    PARSER_ERRORS,
    folded,
    parse_text,
    parse_tokens,
    quote_identifier,
    table_name,
    tokenize,
)
from patterns_os.graph.sql_script import SqlScript
from patterns_os.graph.sql_template import Rendered, render_template
from patterns_os.graph.sql_text import POSTGRES, TracedSql
from patterns_os.graph.vertices import NEW_ROWS, Access, Analysis, Unknown, Use

OUTPUT_PORT = "output_table"
"""The port of a bare select."""

NO_STORES: Mapping[str, str] = {}

DIALECTS = frozenset(
    {
        POSTGRES,
        "bigquery",
        "clickhouse",
        "databricks",
        "duckdb",
        "materialize",
        "mysql",
        "oracle",
        "redshift",
        "risingwave",
        "snowflake",
        "sqlite",
        "trino",
        "tsql",
    }
)
"""What scripts can be read as, by the parser's names."""

_ALLOWED = "one select, one insert into … select, or one create table … as select"
_BEGINNINGS = frozenset({"select", "with", "values", "(", "insert", "create"})
_CHANGES = (exp.Update, exp.Delete, exp.Merge, exp.Insert, exp.Create, exp.Drop, exp.TruncateTable, exp.Alter)
"""The dialect by the scheme of a storage's address."""

_ENDS = (exp.Drop, exp.TruncateTable)
_NO_TABLES = frozenset({"DATABASE", "FUNCTION", "PROCEDURE", "SCHEMA", "SEQUENCE", "TYPE"})
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


def analyse_sql(
    file: str,
    source: bytes,
    parameters: Mapping[str, Any],
    stores: Mapping[str, str] = NO_STORES,
    dialect: str = POSTGRES,
) -> SqlScript:
    """Give what the script touches and the query that it runs.

    What a statement touches is told too where a node cannot be such a statement.

    Args:
        file: Its path, for places.
        source: Its bytes: SQL with `{{ Table(…) }}` and `{{ Parameter(…) }}`.
        parameters: Values by name; one that is absent takes the default in the script, else NULL.
        stores: The table behind a name that the script uses, where it is not the name itself. The uses keep
            the script's names, the query has the tables'.
        dialect: That of the storage of its tables, one of `DIALECTS`.
    """
    text = decode_source(file, source)
    if isinstance(text, Diagnostic):
        return _failed(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    rendered = render_template(file, lines, parameters, dialect)
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
    found = _wrong_statements(rendered, statements) or _read(rendered, statements[0])
    if isinstance(found, Diagnostic):
        return _refused(rendered, found)
    refused = _nested_refusal(rendered, found) or _misplaced_write(rendered, found)
    return _refused(rendered, refused) if refused else _script(rendered, found, stores)


def _read(rendered: Rendered, tokens: list[Token]) -> _Statement | Diagnostic:
    is_create = tokens[0].text.lower() == "create"
    return (_read_create if is_create else _read_statement)(rendered, tokens)


def _refused(rendered: Rendered, diagnostic: Diagnostic) -> SqlScript:
    """Give what statements touch that no node can be."""
    try:
        trees = parse_text(rendered.text, rendered.dialect)
    except PARSER_ERRORS:
        return _failed(diagnostic)
    written: dict[str, int] = {}
    read: dict[str, int] = {}
    for tree in trees:
        if str(tree.args.get("kind")).upper() in _NO_TABLES:
            continue
        targets = [table for node in tree.walk() for table in _changed(node)]
        written |= {_name(table, rendered): _offset(table) for table in reversed(targets) if not table.db}
        places = {_offset(table) for table in targets}
        tables = [table for table in _tables(tree) if _offset(table) not in places and not table.db]
        read |= {
            _name(table, rendered): _offset(table)
            for table in reversed(tables)
            if not _is_cte(table, rendered)
        }
    uses = [_use(rendered, name, Access.WRITE, at) for name, at in written.items()]
    uses += [_use(rendered, name, _access(name), at) for name, at in read.items()]
    outside = [unknown for tree in trees for unknown in _outside(rendered, _tables(tree))]
    lost = Unknown(reason="the parser does not know the statement", where=rendered.locate(0))
    if any(isinstance(tree, exp.Command) for tree in trees):
        outside.append(lost)
    analysis = Analysis(
        uses=tuple(sorted([*uses, *rendered.parameters], key=_by_place)),
        unknown=(*outside, *rendered.unseen),
    )
    return SqlScript(analysis=analysis, diagnostics=(diagnostic,), traced=_traced(rendered))


def _changed(node: exp.Expr) -> Iterator[exp.Table]:
    table = written_table(node)
    if isinstance(node, exp.Into) and isinstance(node.this, exp.Table):
        table = node.this
    for found in node.find_all(exp.Table) if isinstance(node, _ENDS) else [table]:
        if isinstance(found, exp.Table) and isinstance(found.this, exp.Identifier):
            yield found


def _traced(rendered: Rendered) -> TracedSql:
    return TracedSql(text=rendered.text, places=rendered.places, output=OUTPUT_PORT, dialect=rendered.dialect)


def _by_place(use: Use) -> tuple[Location, str, str]:
    return use.where, use.kind, use.name


def _script(rendered: Rendered, found: _Statement, stores: Mapping[str, str]) -> SqlScript:
    name, offset = found.target or (OUTPUT_PORT, found.tokens[0].start)
    detail = {} if found.target else {"implicit": True}
    output = Use(kind="table", name=name, access=Access.WRITE, where=rendered.locate(offset), detail=detail)
    tables = _tables(found.tree, found.target[1] if found.target else -1)
    own = [table for table in tables if not table.db and not _is_cte(table, rendered)]
    uses = [output, *_reads(rendered, own), *rendered.parameters]
    analysis = Analysis(
        uses=tuple(sorted(uses, key=_by_place)),
        unknown=(*_outside(rendered, tables), *rendered.unseen),
        statement=found.statement,
    )
    query = _query(rendered, found, own, stores)
    kind: Literal["select", "insert"] = "insert" if found.statement == "insert" else "select"
    return SqlScript(analysis=analysis, statements=(query,), kind=kind, traced=_traced(rendered))


def _tokens(rendered: Rendered) -> list[Token] | Diagnostic:
    try:
        return tokenize(rendered.text, rendered.dialect)
    except PARSER_ERRORS:
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
    words = [token.text.lower() for token in tokens[:4]]
    if words[1:2] != ["table"] or words[3:4] != ["as"] or len(tokens) <= len(words):
        return _not_allowed(rendered, "create", rendered.locate(tokens[0].start))
    head = (tokens[0].start, tokens[4].start)
    tree = _created(rendered, tokens)
    if isinstance(tree, Diagnostic):
        return tree
    if not isinstance(tree, exp.Query | exp.Values):
        return _not_allowed(rendered, "create", rendered.locate(tokens[0].start))
    is_quoted = tokens[2].token_type is TokenType.IDENTIFIER
    identifier = exp.Identifier(this=tokens[2].text, quoted=is_quoted)
    name = table_name(exp.Table(this=identifier), rendered.dialect)
    return _Statement(tree, tokens, "create", (name, tokens[2].start), head)


def _created(rendered: Rendered, tokens: list[Token]) -> exp.Expr | Diagnostic:
    """Give the query of `create table … as`."""
    whole = _parse(rendered, None)
    query = whole.args.get("expression") if isinstance(whole, exp.Create) else None
    if isinstance(query, exp.Expr):
        return query
    # The parser gives up on a broken `create` as a whole; its query alone has better errors.
    alone = _parse(rendered, tokens[4:])
    return whole if isinstance(whole, Diagnostic) and not isinstance(alone, Diagnostic) else alone


def _read_statement(rendered: Rendered, tokens: list[Token]) -> _Statement | Diagnostic:
    tree = _parse(rendered, None)
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
    name = _name(target, rendered)
    if isinstance(tree.expression, exp.Values) and schema is None:
        return _no_columns(name, start)
    return _Statement(tree, tokens, "insert", (name, _offset(target)), head, _columns(schema, rendered))


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


def _parse(rendered: Rendered, tokens: list[Token] | None) -> exp.Expr | Diagnostic:
    """Give the statement of these words, or of the whole text."""
    try:
        trees = (
            parse_text(rendered.text, rendered.dialect)
            if tokens is None
            else parse_tokens(tokens, rendered.text, rendered.dialect)
        )
    except ParseError as error:
        return _syntax_diagnostic(rendered, error)
    except PARSER_ERRORS:
        # The parser meets some broken inputs with errors of its own inside.
        trees = ()
    if trees:
        return trees[0]
    return Diagnostic(
        code="sql-syntax",
        message=f'"{rendered.file}" is not valid SQL.',
        where=rendered.locate(tokens[0].start if tokens else 0),
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
    for node in found.tree.find_all(*_CHANGES, exp.Into):
        if isinstance(node, exp.Into):
            return _not_allowed(rendered, "select into", start)
        if node is not found.tree:
            word = type(node).__name__.lower().removesuffix("table")
            return _not_allowed(rendered, word, start)
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


def _tables(tree: exp.Expr, target: int = -1) -> list[exp.Table]:
    """Give all tables that are named, common table expressions included, in source order."""
    tables = [
        table
        for table in tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and _has_place(table.this) and _offset(table) != target
    ]
    return sorted(tables, key=_offset)


def _has_place(identifier: exp.Identifier) -> bool:
    return all(isinstance(identifier.meta_get(end), int) for end in ("start", "end"))


def _reads(rendered: Rendered, tables: list[exp.Table]) -> Iterator[Use]:
    seen = set()
    for table in tables:
        name = _name(table, rendered)
        if name not in seen:
            seen.add(name)
            yield _use(rendered, name, _access(name), _offset(table))


def _access(name: str) -> Access:
    return Access.STREAM if name.startswith(NEW_ROWS) else Access.READ


def _use(rendered: Rendered, name: str, access: Access, offset: int) -> Use:
    where = rendered.locate(offset)
    return Use(kind="table", name=name.removeprefix(NEW_ROWS), access=access, where=where)


def _outside(rendered: Rendered, tables: list[exp.Table]) -> Iterator[Unknown]:
    for table in tables:
        if table.db:
            name = quote(f"{table.db}.{table.name}")
            where = rendered.locate(_offset(table))
            yield Unknown(reason=f"{name} is outside the app's own tables", where=where)


def _is_cte(table: exp.Table, rendered: Rendered) -> bool:
    name = folded(table.this, rendered.dialect)
    inner: exp.Expr = table
    outer = table.parent
    while outer is not None:
        clause = outer.args.get("with_")
        if isinstance(clause, exp.With) and _sees(clause, inner, name, rendered):
            return True
        if isinstance(outer, exp.With) and _sees(outer, inner, name, rendered):
            return True
        inner, outer = outer, outer.parent
    return False


def _sees(clause: exp.With, inner: exp.Expr, name: str, rendered: Rendered) -> bool:
    # A common table expression sees those before it, and itself only if the clause is recursive.
    for cte in clause.expressions:
        if cte is inner:
            return bool(clause.recursive) and _alias(cte, rendered) == name
        if inner is not clause and _alias(cte, rendered) == name:
            return True
    return False


def _alias(cte: exp.Expr, rendered: Rendered) -> str:
    alias = cte.args.get("alias")
    identifier = alias.this if isinstance(alias, exp.TableAlias) else alias
    return folded(identifier, rendered.dialect) if isinstance(identifier, exp.Identifier) else ""


def _name(table: exp.Table, rendered: Rendered) -> str:
    return table_name(table, rendered.dialect)


def _offset(table: exp.Table) -> int:
    return int(table.this.meta.get("start", 0))


def _query(rendered: Rendered, found: _Statement, tables: list[exp.Table], stores: Mapping[str, str]) -> str:
    cuts = [
        (_offset(table), int(table.this.meta["end"]) + 1, _relation(table, stores, rendered))
        for table in tables
    ]
    if found.head is not None:
        cuts.append((*found.head, ""))
    text = _spliced(rendered.text, found.tokens[0].start, found.tokens[-1].end + 1, cuts)
    if not found.columns:
        return text
    # The line end closes a comment at the end of the query.
    return f"select * from ({text}\n) as patterns_insert({', '.join(found.columns)})"  # noqa: S608 - names are quoted


def _relation(table: exp.Table, stores: Mapping[str, str], rendered: Rendered) -> str:
    spelled = _name(table, rendered)
    name = spelled.removeprefix(NEW_ROWS)
    store = ("" if spelled == name else NEW_ROWS) + stores.get(name, name)
    # The columns of a renamed table are still called by the name that the script uses.
    alias = "" if store == name or table.alias else f" as {quote_identifier(name, rendered.dialect)}"
    return f"{quote_identifier(store, rendered.dialect)}{alias}"


def _spliced(text: str, start: int, end: int, cuts: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    for first, last, new in sorted(cuts):
        parts += [text[start:first], new]
        start = last
    return "".join([*parts, text[start:end]])


def _columns(schema: exp.Schema | None, rendered: Rendered) -> tuple[str, ...]:
    columns = schema.expressions if schema else []
    return tuple(
        quote_identifier(folded(column, rendered.dialect), rendered.dialect)
        for column in columns
        if isinstance(column, exp.Identifier)
    )


def _unclosed(text: str) -> int:
    for found in _CLOSED.finditer(text):
        if found[0] in {"'", '"', "$"} or (found[0] == "/" and text.startswith("/*", found.start())):
            return found.start()
    return 0


def _failed(diagnostic: Diagnostic) -> SqlScript:
    return SqlScript(analysis=Analysis(), diagnostics=(diagnostic,))
