"""Expressions followed to the columns that their values come from, with their types."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp

from patterns_os.graph.sql_names import has_date_part
from patterns_os.graph.sql_parse import folded, place
from patterns_os.graph.sql_relations import (
    Output,
    Relation,
    Rows,
    Scope,
    Value,
    combined,
    positional,
    softened,
)
from patterns_os.graph.sql_scopes import Lookup, Need
from patterns_os.graph.sql_text import POSTGRES
from patterns_os.graph.sql_types import LITERAL, Kind, common_kind, literal_kind, result_kind
from patterns_os.graph.vertices import Derivation
from patterns_os.rows.types import ColumnType


class Expressions(Lookup):
    """Follows the expressions of one script; what a query in one gives is for others."""

    @abstractmethod
    def query(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        """Give what a query gives.

        Args:
            node: The query.
            queries: Common table expressions that it sees.
            outer: The scope whose columns it sees besides its own.
        """

    def value(self, node: object, scope: Scope, need: Need = None) -> Value:
        """Give what is known of the value of an expression.

        Args:
            node: The expression.
            scope: What its names mean.
            need: The column type that a column in its place must have, where that is certain.
        """
        self.spend(1)
        # Some parts are plain text where the parser meets what it does not expect.
        if not isinstance(node, exp.Expr):
            return Value()
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, scope, need)
        if isinstance(node, exp.Binary) and isinstance(node.this, exp.Binary):
            return self._chain(node, scope)
        if isinstance(node, exp.Query | exp.DML):
            return self.scalar(node, scope)
        return self._computed(node, scope)

    def scalar(self, node: exp.Expr, scope: Scope) -> Value:
        """Give the value of a query in the place of a value."""
        rows = self.query(node, scope.queries, scope)
        first = positional(rows.outputs, 1)
        if not first:
            return rows.each
        return softened(first[0])._replace(kind="text") if first[0].kind == LITERAL else softened(first[0])

    def window_parts(self, window: exp.Expr, scope: Scope) -> Value:
        """Give what decides which rows a window has, and in which order."""
        parts = [window.args.get(part) for part in ("partition_by", "order", "spec")]
        flat = [inner for part in parts for inner in (part if isinstance(part, list) else (part,))]
        return combined([self.value(inner, scope) for inner in flat if isinstance(inner, exp.Expr)])

    def result(
        self, node: exp.Expr, values: Sequence[Value], kinds: Mapping[str, Sequence[Kind]], scope: Scope
    ) -> Value:
        """Give the value of an expression whose parts are known."""
        value = combined(values)
        # A count has no columns: it comes from the rows as such.
        if isinstance(node, _OVER_ROWS) and value.derivation is Derivation.CONSTANT:
            value = combined([value, scope.each()])
        kind = result_kind(node, kinds) if self.dialect == POSTGRES or isinstance(node, exp.Cast) else None
        return value._replace(kind=kind, nullable=_nullable(node, values))

    def _computed(self, node: exp.Expr, scope: Scope) -> Value:
        kinds: dict[str, list[Kind]] = {}
        values: list[Value] = []
        needs = _NEEDS.get(type(node))
        for part, content in node.args.items():
            if isinstance(content, exp.Expr):
                value = self.value(content, scope, needs.get(part) if needs else None)
                values.append(value)
                kinds[part] = [value.kind]
            elif isinstance(content, list):
                found = [self.value(inner, scope) for inner in content if isinstance(inner, exp.Expr)]
                values += found
                kinds[part] = [value.kind for value in found]
        return self.result(node, values, kinds, scope)

    def _chain(self, node: exp.Expr, scope: Scope) -> Value:
        # `a and b and c …` is nested to the left, deeper than functions may call each other.
        links = [node]
        while isinstance(links[-1].this, exp.Binary) and type(links[-1].this) not in _HANDLERS:
            links.append(links[-1].this)
        needs = _NEEDS.get(type(links[-1])) or {}
        value = self.value(links[-1].this, scope, needs.get("this"))
        for link in reversed(links):
            needs = _NEEDS.get(type(link)) or {}
            right = self.value(link.expression, scope, needs.get("expression"))
            value = self.result(
                link, (value, right), {"this": [value.kind], "expression": [right.kind]}, scope
            )
        return value


def _case(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    operand, default = node.args.get("this"), node.args.get("default")
    values = [tracer.value(operand, scope)] if operand is not None else []
    given: list[Value] = []
    for branch in node.args.get("ifs") or ():
        values.append(tracer.value(branch.this, scope, "bool" if operand is None else None))
        given.append(tracer.value(branch.args["true"], scope))
    if default is not None:
        given.append(tracer.value(default, scope))
    never = default is not None and all(value.nullable is False for value in given)
    kind = common_kind(value.kind for value in given) if tracer.dialect == POSTGRES else None
    return combined([*values, *given])._replace(kind=kind, nullable=False if never else None)


def _exists(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    tracer.trails.append(set())
    inner = node.this if isinstance(node.this, exp.Query) else None
    rows = (
        tracer.query(inner, scope.queries, scope)
        if inner is not None
        else Rows((), tracer.value(node.this, scope))
    )
    trail = tracer.trails.pop()
    if tracer.trails:
        tracer.trails[-1].update(trail)
    sources = frozenset(trail) or rows.each.sources
    return Value(sources, Derivation.COMPUTED, "bool", nullable=False, unknown=rows.each.unknown)


def _window(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    value = tracer.value(node.this, scope)
    named = scope.windows.get(name_of(node.args.get("alias")), Value())
    decides = combined([tracer.window_parts(node, scope), named])
    if decides.sources and node.this.find(exp.Column) is None:
        # A rank comes from what orders the rows, not from rows as such.
        value = value._replace(sources=frozenset())
    return combined([value, decides])._replace(
        derivation=Derivation.COMPUTED, kind=value.kind, nullable=value.nullable
    )


def _within_group(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    within = tracer.value(node.this, scope)
    ordered = [tracer.value(inner, scope) for inner in direct(node.expression)]
    kinds = {"this": [within.kind], "ordered": [value.kind for value in ordered]}
    return tracer.result(node, [within, *ordered], kinds, scope)


def _dot(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    inner, last = node.this, node.expression
    row = inner.unnest() if isinstance(inner, exp.Paren) else None
    if isinstance(row, exp.Column) and not row.table and isinstance(last, exp.Identifier):
        relation = scope.relation(folded(row.this, tracer.dialect))
        if relation is not None:
            return tracer.member(relation, folded(last, tracer.dialect), place(last), need)
    if isinstance(last, exp.Func):
        return tracer.value(last, scope)
    return tracer.value(inner, scope)._replace(derivation=Derivation.COMPUTED, kind=None, nullable=None)


def _paren(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    return tracer.value(node.this, scope, need)


def _literal(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del tracer, scope, need
    kind = literal_kind(node) if isinstance(node, exp.Literal) else result_kind(node, {})
    return Value(kind=kind, nullable=False)


def _clock(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del tracer, scope, need
    return Value(kind=result_kind(node, {}), nullable=False)


def _inert(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del tracer, scope, need
    return Value(kind=result_kind(node, {}))


def _extract(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    value = tracer.value(node.expression, scope)
    # One gives a numeric, the other a double.
    known = tracer.dialect == POSTGRES and not has_date_part(tracer.script.text)
    return combined([value])._replace(kind="numeric" if known else None, nullable=value.nullable)


def _equal(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    left, right = node.this, node.expression
    is_bool = isinstance(left, exp.Boolean) or isinstance(right, exp.Boolean)
    both = [tracer.value(side, scope, "bool" if is_bool else None) for side in (left, right)]
    never = isinstance(node, exp.Is) or all(value.nullable is False for value in both)
    return combined(both)._replace(kind="bool", nullable=False if never else None)


def _anonymous(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    name = str(node.this).lower()
    values = []
    for index, inner in enumerate(node.expressions):
        needs_json = index == 0 and name in _OF_JSONB
        values.append(tracer.value(inner, scope, ColumnType.JSONB.value if needs_json else None))
    return tracer.result(node, values, {"expressions": [value.kind for value in values]}, scope)


def _lambda(tracer: Expressions, node: exp.Expr, scope: Scope, need: Need) -> Value:
    del need
    names = [folded(part, tracer.dialect) for part in node.expressions if isinstance(part, exp.Identifier)]
    given = Relation("", Rows(tuple(Output(name, Value()) for name in names)))
    return tracer.value(node.this, Scope(scope.queries, scope, [given]))


def direct(clause: object) -> Iterator[exp.Expr]:
    """Give the expressions of `order by`, `group by` and `distinct on`, those of grouping sets one by one."""
    if not isinstance(clause, exp.Expr):
        return
    for content in clause.args.values():
        for node in content if isinstance(content, list) else (content,):
            if isinstance(node, exp.Tuple | exp.GroupingSets | exp.Cube | exp.Rollup):
                yield from direct(node)
            elif isinstance(node, exp.Expr):
                yield node


def name_of(node: object) -> str:
    """Give the name of a name, in lower case; empty for what is none."""
    return node.name.lower() if isinstance(node, exp.Expr) else ""


def _nullable(node: exp.Expr, values: Sequence[Value]) -> bool | None:
    kind = type(node)
    if kind in _NEVER_NULL:
        return False
    if kind is exp.Coalesce:
        return False if any(value.nullable is False for value in values) else None
    if kind in _STRICT or (isinstance(node, exp.Binary) and not isinstance(node, _LOOSE)):
        return False if values and all(value.nullable is False for value in values) else None
    if kind in _AS_INSIDE and values:
        return values[0].nullable
    return True if kind is exp.Null else None


_HANDLERS: Mapping[type, Callable[[Expressions, exp.Expr, Scope, Need], Value]] = {
    exp.Column: Lookup.column,
    exp.Paren: _paren,
    exp.Literal: _literal,
    exp.Boolean: _literal,
    exp.Null: _inert,
    exp.DataType: _inert,
    exp.Identifier: _inert,
    exp.Var: _inert,
    exp.JSONPath: _literal,
    exp.Star: _inert,
    exp.CurrentTimestamp: _clock,
    exp.CurrentDate: _clock,
    exp.Case: _case,
    exp.Exists: _exists,
    exp.Window: _window,
    exp.WithinGroup: _within_group,
    exp.Dot: _dot,
    exp.Extract: _extract,
    exp.EQ: _equal,
    exp.NEQ: _equal,
    exp.Is: _equal,
    exp.Anonymous: _anonymous,
    exp.Lambda: _lambda,
}
_OVER_ROWS = (exp.AggFunc, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)
_NEVER_NULL = frozenset(
    {
        exp.Count, exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Concat, exp.Uuid,
        exp.Rand, exp.Pi, exp.NullSafeEQ, exp.NullSafeNEQ,
    }
)  # fmt: skip
_STRICT = frozenset(
    {exp.Cast, exp.Not, exp.Neg, exp.Between, exp.Lower, exp.Upper, exp.Length, exp.Round, exp.Abs}
)
_AS_INSIDE = frozenset({exp.Paren, exp.Filter, exp.Collate})
_LOOSE = (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar, exp.Func)
_BOTH_BOOL = {"this": "bool", "expression": "bool"}
_JSON = {"this": "jsonb"}
_TEXT = {"this": "text"}
_NEEDS: Mapping[type, Mapping[str, str]] = {
    exp.And: _BOTH_BOOL,
    exp.Or: _BOTH_BOOL,
    exp.Not: {"this": "bool"},
    exp.Where: {"this": "bool"},
    exp.Having: {"this": "bool"},
    exp.JSONExtract: _JSON,
    exp.JSONExtractScalar: _JSON,
    exp.JSONBExtract: _JSON,
    exp.JSONBExtractScalar: _JSON,
    exp.Lower: _TEXT,
    exp.Upper: _TEXT,
    exp.Initcap: _TEXT,
    exp.SplitPart: _TEXT,
    exp.RegexpReplace: _TEXT,
    exp.RegexpLike: _TEXT,
    exp.RegexpILike: _TEXT,
    exp.Like: _TEXT,
    exp.ILike: _TEXT,
}
_OF_JSONB = frozenset(
    {
        "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_each", "jsonb_each_text",
        "jsonb_insert", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_query", "jsonb_path_query_array",
        "jsonb_path_query_first", "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls", "jsonb_typeof",
    }
)  # fmt: skip
