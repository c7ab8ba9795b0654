"""Which type an expression of Postgres has, where the text and the types of the columns prove it.

A *kind* is Postgres' own word for a type (`int4`, `timestamptz`, `text[]`); `None` means that it is not proven.
There are more kinds than column types, as the kind of a sum depends on them: `sum(int4)` is an `int8`,
`sum(int8)` a `numeric`. A text literal has the kind `literal` until something decides, and null is `null`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from patterns_os.rows.types import ColumnType

Kind = str | None
Kinds = Mapping[str, Sequence[Kind]]
"""The kinds of a node's parts, by the parser's name of the part."""

NULL = "null"
LITERAL = "literal"

KIND_OF_COLUMN: Mapping[str, str] = {
    ColumnType.BOOL: "bool",
    ColumnType.BIGINT: "int8",
    ColumnType.DOUBLE: "float8",
    ColumnType.TEXT: "text",
    ColumnType.TIMESTAMPTZ: "timestamptz",
    ColumnType.DATE: "date",
    ColumnType.NUMERIC: "numeric",
    ColumnType.BYTEA: "bytea",
    ColumnType.JSONB: "jsonb",
}


def column_type(kind: Kind) -> str | None:
    """Give the type of the column in which the result of a statement is kept."""
    if kind is None or kind == NULL:
        return None
    return _STORED_AS.get(kind, ColumnType.TEXT).value


def cast_kind(to: object) -> Kind:
    """Give the kind that a value is cast to."""
    if not isinstance(to, exp.DataType):
        return None
    if to.this is exp.DataType.Type.ARRAY:
        element = cast_kind(to.expressions[0]) if to.expressions else None
        return None if element is None else f"{element.removesuffix('[]')}[]"
    return _NAMED.get(to.this)


def literal_kind(literal: exp.Literal) -> Kind:
    """Give the kind of a text or a number as it stands in the text."""
    if literal.is_string:
        return LITERAL
    digits = str(literal.this)
    if not digits.isdecimal():
        return "numeric"
    value = int(digits) if len(digits) < _MOST_DIGITS else _INT64 + 1
    return "int4" if value <= _INT32 else "int8" if value <= _INT64 else "numeric"


def common_kind(kinds: Iterable[Kind]) -> Kind:
    """Give the kind of what may be any of these: of a `case`, of a column of a union."""
    given = set(kinds)
    found = given - {NULL, LITERAL}
    if not found:
        return LITERAL if LITERAL in given else NULL
    if len(found) == 1:
        return found.pop()
    for ladder in (_NUMBERS, _MOMENTS, _TEXTS):
        if found <= ladder.keys():
            return max(found, key=lambda kind: ladder[kind or ""])
    return None


def result_kind(node: exp.Expr, kinds: Kinds) -> Kind:
    """Give the kind of an expression whose parts have these kinds."""
    kind = type(node)
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return fixed
    rule = _RULES.get(kind)
    if rule is not None:
        return rule(node, kinds)
    if isinstance(node, exp.Predicate | exp.Connector):
        return "bool"
    return None


def _anonymous(node: exp.Expr, kinds: Kinds) -> Kind:
    name = str(node.this).lower()
    if name in _SAME_AS_FIRST:
        return _stored(_only(kinds, "expressions"))
    if name in _TWO_JSONS:
        return name.partition("_")[0]
    return _FUNCTIONS.get(name)


def _only(kinds: Kinds, part: str = "this") -> Kind:
    found = kinds.get(part)
    return found[0] if found else None


def _this(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return _stored(_only(kinds))


def _stored(kind: Kind) -> Kind:
    # Nothing is left to decide what the literal is.
    return "text" if kind == LITERAL else kind


def _any(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return common_kind([*kinds.get("this", ()), *kinds.get("expressions", ())])


def _nullif(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    left, right = _only(kinds), _only(kinds, "expression")
    if left is None or right is None:
        return None
    return common_kind((left, right)) if left in _NUMBERS or left == LITERAL else left


def _text_or_bytes(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return None if kind is None else "bytea" if kind == "bytea" else "text"


def _case(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return common_kind([*kinds.get("true", ()), *kinds.get("default", ())])


def _cast(node: exp.Expr, kinds: Kinds) -> Kind:
    del kinds
    return cast_kind(node.args.get("to"))


def _sum(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return _SUMS.get(_only(kinds) or "")


def _average(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return _AVERAGES.get(_only(kinds) or "")


def _array_of(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _stored(_only(kinds))
    return kind if kind is None or kind == NULL else f"{kind.removesuffix('[]')}[]"


def _array(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return _array_of(exp.Null(), {"this": [common_kind(kinds.get("expressions", ()))]})


def _element(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return kind.removesuffix("[]") if kind is not None and kind.endswith("[]") else None


def _subscript(node: exp.Expr, kinds: Kinds) -> Kind:
    kind = _only(kinds)
    if kind == "jsonb":
        return kind
    is_slice = any(isinstance(part, exp.Slice) for part in node.expressions)
    return kind if is_slice and kind is not None and kind.endswith("[]") else _element(node, kinds)


def _rounded(node: exp.Expr, kinds: Kinds) -> Kind:
    kind = _only(kinds)
    if node.args.get("decimals") is not None:
        return "numeric"
    return "numeric" if kind == "numeric" else "float8" if kind in _NUMBERS else None


def _power(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    both = {_only(kinds), _only(kinds, "expression")} - {NULL, LITERAL}
    if not both or not both <= _NUMBERS.keys():
        return None
    return "numeric" if "numeric" in both and not both & _FLOATS else "float8"


def _one_number(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return _rounded(exp.Null(), {"this": kinds.get("this", ())})


def _same_number(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return kind if kind in _NUMBERS or kind == "interval" else None


def _arithmetic(node: exp.Expr, kinds: Kinds) -> Kind:
    left, right = _only(kinds), _only(kinds, "expression")
    if left is None or right is None:
        return None
    if left in _NUMBERS and right in _NUMBERS:
        return "float8" if {left, right} & _FLOATS else common_kind((left, right))
    if left in _NUMBERS and right in {LITERAL, NULL}:
        return left
    if right in _NUMBERS and left in {LITERAL, NULL}:
        return right
    return _TIMES.get((type(node), left, right))


def _bitwise(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    both = {_only(kinds), _only(kinds, "expression")}
    return common_kind(both) if both <= {"int4", "int8"} else None


def _shift(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return kind if kind in {"int4", "int8"} else None


def _joined(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    both = [_only(kinds), _only(kinds, "expression")]
    if None in both:
        return None
    found = {kind for kind in both if kind not in {LITERAL, NULL}}
    if not found:
        return "text"
    arrays = {kind for kind in found if kind is not None and kind.endswith("[]")}
    if arrays:
        return arrays.pop() if len(arrays) == 1 else None
    if found in ({"jsonb"}, {"bytea"}):
        return found.pop()
    return "text" if found & _TEXTS.keys() or LITERAL in both else None


def _inside(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return kind if kind in {"json", "jsonb"} else None


def _truncated(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    kind = _only(kinds)
    return "timestamptz" if kind == "date" else kind if kind in _TRUNCATES else None


def _zone(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    return {"timestamptz": "timestamp", "timestamp": "timestamptz", "date": "timestamp"}.get(
        _only(kinds) or ""
    )


def _series(node: exp.Expr, kinds: Kinds) -> Kind:
    del node
    both = {_only(kinds, "start"), _only(kinds, "end")}
    if both <= {"int4", "int8", "numeric"}:
        return common_kind(both)
    if len(both) == 1 and both <= {"timestamp", "timestamptz"}:
        return both.pop()
    return "timestamptz" if both == {"date"} else None


def _ordered(node: exp.Expr, kinds: Kinds) -> Kind:
    within, order = node.this, node.args.get("expression")
    if isinstance(within, exp.PercentileCont) and isinstance(order, exp.Order):
        ordered = _only(kinds, "ordered")
        return "interval" if ordered == "interval" else "float8" if ordered in _NUMBERS else None
    return _stored(_only(kinds, "ordered")) if isinstance(within, exp.PercentileDisc | exp.Mode) else None


def _dotted(node: exp.Expr, kinds: Kinds) -> Kind:
    # A function called with its schema.
    return _only(kinds, "expression") if isinstance(node.expression, exp.Func) else None


_INT32, _INT64, _MOST_DIGITS = 2**31 - 1, 2**63 - 1, 25
_NUMBERS = {"int4": 0, "int8": 1, "numeric": 2, "float4": 3, "float8": 4}
_MOMENTS = {"date": 0, "timestamp": 1, "timestamptz": 2}
_TEXTS = {"varchar": 0, "bpchar": 1, "text": 2}
_FLOATS = {"float4", "float8"}
_TRUNCATES = {"timestamptz", "timestamp", "interval"}
_SUMS = {
    "int4": "int8",
    "int8": "numeric",
    "numeric": "numeric",
    "float4": "float4",
    "float8": "float8",
    "interval": "interval",
}
_AVERAGES = {
    "int4": "numeric",
    "int8": "numeric",
    "numeric": "numeric",
    "float4": "float8",
    "float8": "float8",
    "interval": "interval",
}
_STORED_AS = {
    "bool": ColumnType.BOOL,
    "int4": ColumnType.BIGINT,
    "int8": ColumnType.BIGINT,
    "float4": ColumnType.DOUBLE,
    "float8": ColumnType.DOUBLE,
    "numeric": ColumnType.NUMERIC,
    "json": ColumnType.JSONB,
    "jsonb": ColumnType.JSONB,
    "timestamptz": ColumnType.TIMESTAMPTZ,
    "date": ColumnType.DATE,
    "bytea": ColumnType.BYTEA,
}
_T = exp.DataType.Type
_NAMED: Mapping[object, str] = {
    _T.BOOLEAN: "bool",
    _T.TINYINT: "int4",
    _T.SMALLINT: "int4",
    _T.INT: "int4",
    _T.BIGINT: "int8",
    _T.DECIMAL: "numeric",
    _T.FLOAT: "float4",
    _T.DOUBLE: "float8",
    _T.TEXT: "text",
    _T.VARCHAR: "varchar",
    _T.CHAR: "bpchar",
    _T.BPCHAR: "bpchar",
    _T.DATE: "date",
    _T.TIMESTAMP: "timestamp",
    _T.TIMESTAMPTZ: "timestamptz",
    _T.TIME: "time",
    _T.TIMETZ: "timetz",
    _T.INTERVAL: "interval",
    _T.VARBINARY: "bytea",
    _T.JSON: "json",
    _T.JSONB: "jsonb",
    _T.UUID: "uuid",
    _T.NAME: "name",
}
_TIMES: Mapping[tuple[type, str, str], str] = {
    **{(exp.Add, "date", whole): "date" for whole in ("int4",)},
    **{(exp.Add, whole, "date"): "date" for whole in ("int4",)},
    (exp.Sub, "date", "int4"): "date",
    (exp.Sub, "date", "date"): "int4",
    (exp.Add, "date", "interval"): "timestamp",
    (exp.Add, "interval", "date"): "timestamp",
    (exp.Sub, "date", "interval"): "timestamp",
    **{(exp.Add, moment, "interval"): moment for moment in ("timestamp", "timestamptz")},
    **{(exp.Add, "interval", moment): moment for moment in ("timestamp", "timestamptz")},
    **{(exp.Sub, moment, "interval"): moment for moment in ("timestamp", "timestamptz")},
    **{
        (exp.Sub, later, earlier): "interval"
        for later in ("timestamp", "timestamptz")
        for earlier in ("timestamp", "timestamptz", "date")
    },
    **{(exp.Sub, "date", earlier): "interval" for earlier in ("timestamp", "timestamptz")},
    (exp.Add, "interval", "interval"): "interval",
    (exp.Sub, "interval", "interval"): "interval",
    **{(exp.Mul, "interval", number): "interval" for number in ("int4", "int8", "float8", "numeric")},
    **{(exp.Mul, number, "interval"): "interval" for number in ("int4", "int8", "float8", "numeric")},
    **{(exp.Div, "interval", number): "interval" for number in ("int4", "int8", "float8", "numeric")},
    (exp.Sub, "jsonb", LITERAL): "jsonb",
    (exp.Sub, "jsonb", "text"): "jsonb",
    (exp.Sub, "jsonb", "int4"): "jsonb",
}
_FIXED: Mapping[type, str] = {
    exp.Count: "int8",
    exp.RowNumber: "int8",
    exp.Rank: "int8",
    exp.DenseRank: "int8",
    exp.Ntile: "int4",
    exp.PercentRank: "float8",
    exp.CumeDist: "float8",
    exp.JSONArrayAgg: "json",
    exp.JSONObjectAgg: "json",
    exp.JSONBObjectAgg: "jsonb",
    exp.LogicalAnd: "bool",
    exp.LogicalOr: "bool",
    exp.Boolean: "bool",
    exp.ByteString: LITERAL,
    exp.BitString: "bit",
    exp.HexString: "bit",
    exp.CurrentUser: "name",
    exp.Not: "bool",
    exp.Between: "bool",
    exp.Exists: "bool",
    exp.StartsWith: "bool",
    exp.Null: NULL,
    exp.Interval: "interval",
    exp.Length: "int4",
    exp.StrPosition: "int4",
    exp.Ascii: "int4",
    exp.ArraySize: "int4",
    exp.Grouping: "int4",
    exp.Left: "text",
    exp.Right: "text",
    exp.SplitPart: "text",
    exp.RegexpReplace: "text",
    exp.Concat: "text",
    exp.ConcatWs: "text",
    exp.MD5: "text",
    exp.Format: "text",
    exp.TimeToStr: "text",
    exp.Initcap: "text",
    exp.Repeat: "text",
    exp.Replace: "text",
    exp.Pad: "text",
    exp.Chr: "text",
    exp.ArrayToString: "text",
    exp.StringToArray: "text[]",
    exp.Encode: "text",
    exp.Decode: "bytea",
    exp.StrToDate: "date",
    exp.Date: "date",
    exp.CurrentDate: "date",
    exp.StrToTime: "timestamptz",
    exp.UnixToTime: "timestamptz",
    exp.CurrentTimestamp: "timestamptz",
    exp.Localtimestamp: "timestamp",
    exp.CurrentTime: "timetz",
    exp.Uuid: "uuid",
    exp.Rand: "float8",
    exp.Pi: "float8",
    exp.Corr: "float8",
    exp.JSONExtractScalar: "text",
    exp.JSONBExtractScalar: "text",
}
_RULES: Mapping[type, Callable[[exp.Expr, Kinds], Kind]] = {
    exp.Anonymous: _anonymous,
    exp.Paren: lambda _, kinds: _only(kinds),
    exp.Distinct: lambda _, kinds: _only(kinds, "expressions"),
    exp.Filter: lambda _, kinds: _only(kinds),
    exp.Window: lambda _, kinds: _only(kinds),
    exp.IgnoreNulls: lambda _, kinds: _only(kinds),
    exp.Order: lambda _, kinds: _only(kinds),
    exp.Collate: _this,
    exp.Neg: _same_number,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Case: _case,
    exp.Coalesce: _any,
    exp.Greatest: _any,
    exp.Least: _any,
    exp.Nullif: _nullif,
    exp.Reverse: _text_or_bytes,
    exp.GroupConcat: _text_or_bytes,
    exp.Sum: _sum,
    exp.Avg: _average,
    exp.Stddev: lambda _, kinds: _AVERAGES.get(_only(kinds) or "") if _only(kinds) in _NUMBERS else None,
    exp.StddevPop: lambda _, kinds: _AVERAGES.get(_only(kinds) or "") if _only(kinds) in _NUMBERS else None,
    exp.StddevSamp: lambda _, kinds: _AVERAGES.get(_only(kinds) or "") if _only(kinds) in _NUMBERS else None,
    exp.Variance: lambda _, kinds: _AVERAGES.get(_only(kinds) or "") if _only(kinds) in _NUMBERS else None,
    exp.VariancePop: lambda _, kinds: _AVERAGES.get(_only(kinds) or "") if _only(kinds) in _NUMBERS else None,
    exp.Min: _this,
    exp.Max: _this,
    exp.AnyValue: _this,
    exp.FirstValue: _this,
    exp.LastValue: _this,
    exp.NthValue: _this,
    exp.Lag: _this,
    exp.Lead: _this,
    exp.ArrayAgg: _array_of,
    exp.Array: _array,
    exp.Explode: _element,
    exp.Unnest: _element,
    exp.Bracket: _subscript,
    exp.Round: _rounded,
    exp.Trunc: _rounded,
    exp.Floor: _one_number,
    exp.Ceil: _one_number,
    exp.Sign: _one_number,
    exp.Sqrt: _one_number,
    exp.Exp: _one_number,
    exp.Ln: _one_number,
    exp.Abs: _same_number,
    exp.Pow: _power,
    exp.Add: _arithmetic,
    exp.Sub: _arithmetic,
    exp.Mul: _arithmetic,
    exp.Div: _arithmetic,
    exp.Mod: _arithmetic,
    exp.BitwiseAnd: _bitwise,
    exp.BitwiseOr: _bitwise,
    exp.BitwiseXor: _bitwise,
    exp.BitwiseLeftShift: _shift,
    exp.BitwiseRightShift: _shift,
    exp.BitwiseNot: _shift,
    exp.DPipe: _joined,
    exp.JSONExtract: _inside,
    exp.JSONBExtract: _inside,
    exp.TimestampTrunc: _truncated,
    exp.AtTimeZone: _zone,
    exp.ExplodingGenerateSeries: _series,
    exp.GenerateSeries: _series,
    exp.WithinGroup: _ordered,
    exp.Dot: _dotted,
    exp.Lower: lambda *_: "text",
    exp.Upper: lambda *_: "text",
    exp.Trim: _text_or_bytes,
    exp.Substring: _text_or_bytes,
}
_SAME_AS_FIRST = {"any_value"}
_TWO_JSONS = frozenset(
    f"{form}_{rest}"
    for form in ("json", "jsonb")
    for rest in ("agg", "build_object", "build_array", "object", "object_agg", "strip_nulls", "array_element")
)
_FUNCTIONS: Mapping[str, str] = {
    "to_json": "json",
    "row_to_json": "json",
    "array_to_json": "json",
    "to_jsonb": "jsonb",
    "jsonb_set": "jsonb",
    "jsonb_insert": "jsonb",
    "jsonb_path_query": "jsonb",
    "jsonb_path_query_first": "jsonb",
    "jsonb_path_query_array": "jsonb",
    "jsonb_path_exists": "bool",
    "jsonb_pretty": "text",
    "jsonb_typeof": "text",
    "json_typeof": "text",
    "jsonb_array_length": "int4",
    "json_array_length": "int4",
    "every": "bool",
    "age": "interval",
    "make_date": "date",
    "make_interval": "interval",
    "make_timestamp": "timestamp",
    "make_timestamptz": "timestamptz",
    "clock_timestamp": "timestamptz",
    "statement_timestamp": "timestamptz",
    "transaction_timestamp": "timestamptz",
    "cardinality": "int4",
    "octet_length": "int4",
    "regexp_match": "text[]",
    "regexp_split_to_array": "text[]",
    "regexp_substr": "text",
    "regexp_count": "int4",
    "translate": "text",
    "quote_ident": "text",
    "quote_literal": "text",
    "convert_from": "text",
    "convert_to": "bytea",
    "justify_days": "interval",
    "justify_hours": "interval",
    "justify_interval": "interval",
    "pg_typeof": "regtype",
}
