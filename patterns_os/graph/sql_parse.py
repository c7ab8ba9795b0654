"""SQL text to trees, by the dialect of a storage; the parser is asked once a text."""

import logging
import re
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError
from sqlglot.tokenizer_core import Token

from patterns_os.graph.sql_text import POSTGRES

PARSER_ERRORS = (SqlglotError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError)
"""What the parser raises: its own errors, and those of its inside for some broken texts."""

_KEPT, _MOST_ERRORS = 8, 1_000
_MISSING = re.compile(r"Required keyword: '\w+' missing for <class '[\w.]+?(\w+)'>")
_TOO_MANY = "The number of provided arguments"
_WITH_SYNTAX = (exp.Binary, exp.Case, exp.Cast, exp.Connector, exp.Exists, exp.If, exp.Extract)

# The parser warns of statements that it does not know; what comes of them is told as a diagnostic.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())


@lru_cache(maxsize=1)
def tokenize(text: str, dialect: str) -> list[Token]:
    """Give the words of the text; nobody changes them, so that the parser can have them too.

    Raises:
        PARSER_ERRORS: A text, a name or a comment is not closed.
    """
    return sqlglot.tokenize(text, read=dialect)


def parse_tokens(tokens: list[Token], text: str, dialect: str) -> tuple[exp.Expr, ...]:
    """Give the statements.

    Raises:
        PARSER_ERRORS: It is no SQL of the dialect.
    """
    known = Dialect.get_or_raise(dialect)
    try:
        trees = known.parser().parse(tokens, text)
    except ParseError as error:
        if not _is_about_arguments(error) or not _is_about_arguments(_all_errors(known, tokens, text)):
            raise
        # A function of the author's own may have the name of one that the parser knows, and other arguments.
        trees = known.parser(error_level=ErrorLevel.IGNORE).parse(tokens, text)
    return tuple(tree for tree in trees if tree is not None)


@lru_cache(maxsize=_KEPT)
def parse_text(text: str, dialect: str) -> tuple[exp.Expr, ...]:
    """Give the statements of the text; nobody changes them, so that they are kept.

    Raises:
        PARSER_ERRORS: It is no SQL of the dialect.
    """
    return parse_tokens(tokenize(text, dialect), text, dialect)


def _all_errors(dialect: Dialect, tokens: list[Token], text: str) -> ParseError:
    try:
        dialect.parser(error_level=ErrorLevel.RAISE, max_errors=_MOST_ERRORS).parse(tokens, text)
    except ParseError as error:
        return error
    return ParseError("", [])


def _is_about_arguments(error: ParseError) -> bool:
    return bool(error.errors) and all(
        _names_function(str(found.get("description"))) for found in error.errors
    )


def _names_function(description: str) -> bool:
    found = _MISSING.match(description)
    kind = getattr(exp, found[1], None) if found is not None else None
    is_call = isinstance(kind, type) and issubclass(kind, exp.Func) and not issubclass(kind, _WITH_SYNTAX)
    return is_call or description.startswith(_TOO_MANY)


def folded(identifier: exp.Expr, dialect: str) -> str:
    """Give the name that the database sees: what is not quoted is folded the dialect's way."""
    name = str(identifier.this)
    if dialect == POSTGRES:
        return name if identifier.args.get("quoted") else name.lower()
    strategy = Dialect.get_or_raise(dialect).normalization_strategy
    if strategy is NormalizationStrategy.CASE_INSENSITIVE:
        return name.lower()
    if identifier.args.get("quoted") or strategy is NormalizationStrategy.CASE_SENSITIVE:
        return name
    return name.upper() if strategy is NormalizationStrategy.UPPERCASE else name.lower()


def quote_identifier(name: str, dialect: str = POSTGRES) -> str:
    """Give the name as a quoted identifier."""
    if dialect == POSTGRES:
        doubled = name.replace('"', '""')
        return f'"{doubled}"'
    return exp.Identifier(this=name, quoted=True).sql(dialect)


def quote_text(text: str, dialect: str = POSTGRES) -> str:
    """Give the text as a literal."""
    if dialect == POSTGRES:
        doubled = text.replace("'", "''")
        return f"'{doubled}'"
    return exp.Literal.string(text).sql(dialect)


def quote_boolean(value: bool, dialect: str = POSTGRES) -> str:  # noqa: FBT001 - the value
    """Give true or false as a literal."""
    return ("TRUE" if value else "FALSE") if dialect == POSTGRES else exp.Boolean(this=value).sql(dialect)


def cast_text(text: str, kind: str, dialect: str = POSTGRES) -> str:
    """Give the text as a literal of a type: `date` or `timestamptz`."""
    if dialect == POSTGRES:
        return f"{quote_text(text)}::{kind}"
    return exp.cast(exp.Literal.string(text), kind).sql(dialect)


def table_name(table: exp.Expr, dialect: str) -> str:
    """Give a table's name; one that is quoted is meant as it is, whatever the dialect makes of it."""
    identifier = table.this
    return str(identifier.this) if identifier.args.get("quoted") else folded(identifier, dialect)


def place(node: exp.Expr) -> int:
    """Give the offset of the first word of the node that the parser has kept."""
    own = node.meta_get("start")
    if isinstance(own, int):
        return own
    starts = (found.meta_get("start") for found in node.walk())
    return min((start for start in starts if isinstance(start, int)), default=0)
