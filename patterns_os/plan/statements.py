"""Whether a new statement only adds columns to what the former one gave: then nobody downstream meets other values."""

from typing import Any


def added_columns(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """Give the columns that the statement of a select gained, if that is all that differs; else nothing.

    Rows and the other columns are proven to be the same: the former columns come first and as they were, all
    else of the statement is equal, and what is added makes no rows.
    """
    if len(before) != 1 or len(after) != 1:
        return ()
    # Only a changed statement pays for loading the parser.
    import sqlglot  # noqa: PLC0415 - see above
    from sqlglot import exp  # noqa: PLC0415 - the same

    try:
        old, new = (sqlglot.parse_one(text, dialect="postgres") for text in (before[0], after[0]))
    except (sqlglot.errors.SqlglotError, RecursionError):
        return ()
    if not isinstance(old, exp.Select) or not isinstance(new, exp.Select) or new.args.get("distinct"):
        return ()
    kept, given = old.expressions, new.expressions
    added = given[len(kept) :]
    if (
        not added
        or given[: len(kept)] != kept
        or not all(_is_plain(one, in_groups=bool(old.args.get("group"))) for one in added)
    ):
        return ()
    old.set("expressions", [])
    new.set("expressions", [])
    return tuple(one.alias_or_name for one in added) if old == new else ()


def _is_plain(projection: Any, *, in_groups: bool) -> bool:  # noqa: ANN401 - an expression of sqlglot
    """Tell whether the projection has a name of its own and makes neither rows nor groups."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    makers: tuple[Any, ...] = (
        exp.UDTF, exp.Explode, exp.GenerateSeries, exp.Anonymous, exp.Star, exp.Subquery,
    )  # fmt: skip
    makers = makers if in_groups else (*makers, exp.AggFunc)
    return isinstance(projection, exp.Column | exp.Alias) and projection.find(*makers) is None
