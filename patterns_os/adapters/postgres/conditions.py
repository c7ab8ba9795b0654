"""Conditions that people type: SQL text that chooses rows, and does nothing else."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from patterns_os.errors import UsageError

_WRITING = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)
_HINT = """for example --where "event ->> 'text' = 'hello'\""""


def check_condition(text: str) -> str:
    """Give the text if it is one SQL expression that only reads.

    It is the first of three fences: the statement runs in a read-only transaction, as the app's own role.

    Raises:
        UsageError: It is none (`where`).
    """
    try:
        # Postgres reads the text as typed: a comment at its end must not hide what follows.
        found = sqlglot.parse(text, dialect="postgres")
    except SqlglotError as error:
        raise _refused(text, "is no SQL expression") from error
    if len(found) != 1 or found[0] is None:
        raise _refused(text, "is not one SQL expression")
    if not isinstance(found[0], (exp.Condition, exp.Paren)) or found[0].find(*_WRITING):
        raise _refused(text, "is no SQL expression that only chooses rows")
    return text


def _refused(text: str, what: str) -> UsageError:
    return UsageError(f'The condition "{text}" {what}', code="where", hint=_HINT)
