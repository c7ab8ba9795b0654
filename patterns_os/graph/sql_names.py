"""What a database calls a column to which the author gives no name. The rules are those of Postgres."""

from functools import lru_cache

from sqlglot import exp

from patterns_os.graph.sql_types import cast_kind

UNNAMED = "?column?"


def column_name(node: exp.Expr, text: str) -> str | None:
    """Give the name, folded as a name that is not quoted, or `None` where it cannot be told.

    Args:
        node: The expression in the list of a select; no column and no star, and without an alias.
        text: What was parsed: the parser knows where names stand, and renames functions.
    """
    found = _named(node, text)
    return found[0] if found is not None else None


@lru_cache(maxsize=1)
def has_date_part(text: str) -> bool:
    """Tell whether `date_part` is called anywhere: then it may be what looks like an `extract`."""
    return "date_part" in text.lower()


def _named(node: exp.Expr, text: str) -> tuple[str, bool] | None:  # noqa: PLR0911 - a rule each
    """Give the name, and whether a cast around the expression keeps it."""
    kind = type(node)
    if kind in _TRANSPARENT:
        return _named(node.this, text)
    if isinstance(node, exp.Column):
        return _identifier(node.this), True
    if isinstance(node, exp.Cast):
        return _cast(node, text)
    if isinstance(node, exp.Case):
        last = node.args.get("default")
        inner = _named(last, text) if last is not None else None
        return inner if inner is not None and inner[1] else ("case", False)
    if isinstance(node, exp.Dot):
        return _dotted(node, text)
    if isinstance(node, exp.Subquery | exp.Select):
        return _subquery(node, text)
    return _called(node, text)


def _cast(node: exp.Expr, text: str) -> tuple[str, bool] | None:
    inner = _named(node.this, text)
    if inner is None or inner[1]:
        return inner
    to = node.args.get("to")
    if isinstance(to, exp.DataType) and to.this is exp.DataType.Type.SMALLINT:
        return "int2", False
    kind = cast_kind(to)
    return (kind.removesuffix("[]"), False) if kind is not None else None


def _dotted(node: exp.Expr, text: str) -> tuple[str, bool] | None:
    last = node.args.get("expression")
    if isinstance(last, exp.Identifier):
        return _identifier(last), True
    return _named(last, text) if isinstance(last, exp.Func) else None


def _subquery(node: exp.Expr, text: str) -> tuple[str, bool] | None:
    inner = node
    while isinstance(inner, exp.Subquery):
        inner = inner.this
    if not isinstance(inner, exp.Select) or not inner.expressions:
        return None
    first = inner.expressions[0]
    if isinstance(first, exp.Alias):
        return _identifier(first.args["alias"]), True
    if first.is_star:
        return None
    found = _named(first, text)
    return (found[0], True) if found is not None else None


def _called(node: exp.Expr, text: str) -> tuple[str, bool] | None:  # noqa: PLR0911 - a rule each
    start = node.meta_get("start")
    if isinstance(node, exp.Literal | exp.HexString | exp.BitString | exp.ByteString | exp.National):
        return UNNAMED, False
    if isinstance(start, int):
        word = text[start : int(node.meta_get("end") or start) + 1].lower()
        return (_OTHER_WORDS.get(word, word), True) if word.replace("_", "a").isalnum() else None
    name = _WITHOUT_PLACE.get(type(node))
    if isinstance(node, exp.Extract):
        # The parser has one form for both.
        return None if has_date_part(text) else ("extract", True)
    if isinstance(node, exp.Interval):
        return "interval", False
    if name is not None:
        return _trimmed(node) if name == "btrim" else (name, True)
    if isinstance(node, _OPERATORS):
        return UNNAMED, False
    return None


def _trimmed(node: exp.Expr) -> tuple[str, bool]:
    sides = {"LEADING": "ltrim", "TRAILING": "rtrim"}
    return sides.get(str(node.args.get("position") or "").upper(), "btrim"), True


def _identifier(node: object) -> str:
    if not isinstance(node, exp.Identifier):
        return ""
    return str(node.this) if node.args.get("quoted") else str(node.this).lower()


_TRANSPARENT = {
    exp.Paren,
    exp.Filter,
    exp.Window,
    exp.WithinGroup,
    exp.IgnoreNulls,
    exp.RespectNulls,
    exp.Collate,
    exp.Bracket,
}
_OTHER_WORDS = {"trim": "btrim"}
# Functions that the parser keeps without their place, where one spelling is all there is.
_WITHOUT_PLACE: dict[type, str] = {
    exp.Trim: "btrim",
    exp.Substring: "substring",
    exp.Overlay: "overlay",
    exp.StrPosition: "position",
    exp.RowNumber: "row_number",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.Ntile: "ntile",
    exp.PercentRank: "percent_rank",
    exp.CumeDist: "cume_dist",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
    exp.NthValue: "nth_value",
    exp.PercentileCont: "percentile_cont",
    exp.PercentileDisc: "percentile_disc",
    exp.GroupConcat: "string_agg",
    exp.JSONArrayAgg: "json_agg",
    exp.Floor: "floor",
    exp.Ceil: "ceil",
    exp.Decode: "decode",
    exp.Chr: "chr",
    exp.Initcap: "initcap",
    exp.AtTimeZone: "timezone",
    exp.CurrentDate: "current_date",
    exp.CurrentTime: "current_time",
    exp.CurrentTimestamp: "current_timestamp",
    exp.Localtimestamp: "localtimestamp",
    exp.CurrentUser: "current_user",
    exp.Exists: "exists",
    exp.Array: "array",
}
_OPERATORS = (exp.Binary, exp.Unary, exp.Predicate, exp.Boolean, exp.Null, exp.Between, exp.In)
