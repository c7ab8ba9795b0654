"""Queries and expressions followed from the tables that they read to the columns that they give."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlglot import exp

from patterns_os.diagnostics import quote
from patterns_os.graph.sql_expressions import Expressions, direct, name_of
from patterns_os.graph.sql_names import column_name
from patterns_os.graph.sql_parse import folded, place, table_name
from patterns_os.graph.sql_relations import (
    ROW_ID,
    Origin,
    Output,
    Relation,
    Rows,
    Scope,
    Value,
    column_count,
    combined,
    counted,
    either,
    renamed,
    rest,
    softened,
    stacked,
    unknown_rows,
)
from patterns_os.graph.sql_text import POSTGRES
from patterns_os.graph.sql_types import Kind, cast_kind, result_kind
from patterns_os.graph.vertices import NEW_ROWS, Derivation


class Tracer(Expressions):
    """Follows the columns of one script through its queries."""

    @abstractmethod
    def change(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        """Follow a statement that changes a table, and give what it returns."""

    def query(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:  # noqa: PLR0911 - a form each
        """Give what a query gives; see `Expressions.query`."""
        self.spend(1)
        queries = self.with_clause(node, queries, outer)
        if isinstance(node, exp.Select):
            return self._select(node, queries, outer)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, queries, outer)
        if isinstance(node, exp.Subquery):
            return self._subquery(node, queries, outer)
        if isinstance(node, exp.Values):
            return self._values(node, Scope(queries, outer))
        if isinstance(node, exp.Table):
            return self._joined(node, (), queries, outer)
        if isinstance(node, exp.DML):
            return self.change(node, queries, outer)
        return unknown_rows("", f"what {quote(node.key)} gives is not known")

    def with_clause(
        self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None
    ) -> Mapping[str, Rows]:
        """Give the common table expressions that a statement sees: those around it and its own."""
        clause = node.args.get("with_")
        if not isinstance(clause, exp.With):
            return queries
        seen = dict(queries)
        for query in clause.expressions:
            name, columns = self._alias(query)
            recursive = clause.args.get("recursive") and isinstance(query.this, exp.SetOperation)
            rows = (
                self._recursive(query.this, name, columns, seen, outer)
                if recursive
                else renamed(self.query(query.this, seen, outer), columns)
            )
            # What follows `search` and `cycle` adds columns.
            seen[name] = rows
        return seen

    def source(self, node: exp.Expr, scope: Scope) -> None:
        """Add what a `from` clause names to the scope, and what is joined to it."""
        self.spend(1)
        inner = node.this if isinstance(node, exp.Subquery) else None
        if isinstance(inner, exp.Table) and not node.args.get("alias"):
            self.source(inner, scope)
        else:
            relation = self._relation(node, scope)
            if node.args.get("pivots"):
                why = "a pivot decides the columns"
                relation = Relation(self._pivot_name(node, relation), unknown_rows(relation.name, why))
            scope.relations.append(relation)
        for join in node.args.get("joins") or ():
            self.join(join, scope)

    def join(self, join: exp.Expr, scope: Scope) -> None:
        """Add what is joined to the scope."""
        before = len(scope.relations)
        self.source(join.this, scope)
        left, right = scope.relations[:before], scope.relations[before:]
        side = str(join.args.get("side") or "").upper()
        for relation in (right if side in {"LEFT", "FULL"} else []) + (
            left if side in {"RIGHT", "FULL"} else []
        ):
            relation.soften()
        using = [
            (folded(part, self.dialect), place(part))
            for part in join.args.get("using") or ()
            if _is_name(part)
        ]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            using = [(name, place(join)) for name in _shared(left, right)]
        if using:
            self._merge(scope, (left, right), using, side)
        if join.args.get("on") is not None:
            self.value(join.args["on"], scope, "bool")

    def outputs(self, expressions: Sequence[exp.Expr], scope: Scope) -> Iterator[Output]:
        """Give the columns of a select list, or of what a statement returns."""
        for node in expressions:
            self.spend(1)
            if isinstance(node, exp.Star):
                yield from self._starred(self._star(scope, place(node)), node, scope)
            elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
                yield from self._starred(self._star_of(node, scope), node.this, scope)
            elif isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
                yield from self._fields(node, scope)
            elif isinstance(node, exp.Aliases):
                value = self.value(node.this, scope)
                for name in node.args.get("expressions") or ():
                    yield Output(folded(name, self.dialect), value._replace(kind=None), place(node))
            else:
                output = self._output(node, scope)
                scope.aliases.setdefault(output.name, output.value)
                yield output

    def _output(self, node: exp.Expr, scope: Scope) -> Output:
        alias = node.args.get("alias") if isinstance(node, exp.Alias) else None
        inner = node.this if alias is not None else node
        value = self.value(inner, scope)
        if alias is not None and isinstance(alias, exp.Identifier):
            return Output(folded(alias, self.dialect), value, place(alias))
        if isinstance(node, exp.Column):
            return Output(folded(node.this, self.dialect), value, place(node.this))
        name = column_name(inner, self.script.text) if self.dialect == POSTGRES else None
        return Output(name or "", value, place(inner))

    def _starred(self, outputs: Iterator[Output], star: exp.Expr, scope: Scope) -> Iterator[Output]:
        left_out = {name_of(part) for part in star.args.get("except_") or ()}
        if star.args.get("replace") or star.args.get("rename"):
            for part in (*(star.args.get("replace") or ()), *(star.args.get("rename") or ())):
                self.value(part, scope)
            why = "what replaces the columns of a star is not followed"
            yield rest([Origin("*", None, why)], place(star))
            return
        for output in outputs:
            if output.name.lower() not in left_out:
                self.spend(1)
                yield output

    def _star(self, scope: Scope, at: int) -> Iterator[Output]:
        yield from (Output(name, value, at) for name, value in scope.merged.items())
        for relation in scope.relations:
            yield from self._columns_of(relation, at, relation.hidden)
        if not scope.relations:
            yield rest([Origin("*", None, "no table is there that the star could mean")], at)

    def _star_of(self, node: exp.Expr, scope: Scope) -> Iterator[Output]:
        name = folded(node.args["table"], self.dialect)
        relation = scope.relation(name)
        if relation is not None:
            yield from self._columns_of(relation, place(node), set())
        else:
            why = self.unknown_relation(name, node, scope).unknown or ""
            yield rest([Origin(name, None, why)], place(node))

    def _columns_of(self, relation: Relation, at: int, hidden: set[str]) -> Iterator[Output]:
        for output in relation.rows.outputs:
            if output.name in hidden and not output.origins:
                continue
            if relation.port is not None and output.name != ROW_ID:
                self.read(relation.port, output.name, at)
            yield output._replace(place=at)

    def _fields(self, node: exp.Expr, scope: Scope) -> Iterator[Output]:
        inner = node.this.unnest()
        relation = None
        if isinstance(inner, exp.Column) and not inner.table:
            relation = scope.relation(folded(inner.this, self.dialect))
        if relation is not None:
            yield from self._columns_of(relation, place(node), set())
            return
        value = self.value(inner, scope)
        why = value.unknown or "the fields of a value are not known"
        yield rest([Origin("*", None, why)], place(node))

    def _select(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        scope = Scope(queries, outer)
        origin = node.args.get("from_")
        if isinstance(origin, exp.From):
            self.source(origin.this, scope)
        for join in node.args.get("joins") or ():
            self.join(join, scope)
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope)
        for window in node.args.get("windows") or ():
            scope.windows[name_of(window.this)] = self.window_parts(window, scope)
        outputs = tuple(self.outputs(node.expressions, scope))
        if _makes_groups(node.args.get("group")):
            outputs = tuple(output._replace(value=softened(output.value)) for output in outputs)
        self._clauses(node, scope)
        return Rows(outputs, scope.each())

    def _clauses(self, node: exp.Expr, scope: Scope) -> None:
        for part, clause in node.args.items():
            if part in _HANDLED or not isinstance(clause, exp.Expr | list):
                continue
            for inner in clause if isinstance(clause, list) else (clause,):
                if isinstance(inner, exp.Order | exp.Group | exp.Distinct):
                    self._named_again(inner, scope)
                elif isinstance(inner, exp.Expr):
                    self.value(inner, scope)

    def _named_again(self, clause: exp.Expr, scope: Scope) -> None:
        # `order by total` and `group by day` may mean columns of the select itself, `order by 1` does.
        for node in direct(clause):
            inner = node.this if isinstance(node, exp.Ordered) else node
            if not isinstance(inner, exp.Literal) and not self._is_alias(inner, clause, scope):
                self.value(inner, scope)

    def _is_alias(self, node: exp.Expr, clause: exp.Expr, scope: Scope) -> bool:
        if not isinstance(node, exp.Column) or node.table or not isinstance(node.this, exp.Identifier):
            return False
        name = folded(node.this, self.dialect)
        # Only `order by` looks at the select first.
        is_own = isinstance(clause, exp.Group) and any(name in found.index for found in scope.relations)
        return name in scope.aliases and not is_own

    def _subquery(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        inner = node.this
        if isinstance(inner, exp.Table):
            return self._joined(inner, node.args.get("joins") or (), queries, outer)
        if not isinstance(inner, exp.Expr):
            return unknown_rows("", "a part of the query is missing")
        return self.query(inner, queries, outer)

    def _joined(
        self, first: exp.Expr, joins: Iterable[exp.Expr], queries: Mapping[str, Rows], outer: Scope | None
    ) -> Rows:
        scope = Scope(queries, outer)
        self.source(first, scope)
        for join in joins:
            self.join(join, scope)
        return Rows(tuple(self._star(scope, place(first))), scope.each())

    def _set_operation(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        # Unions of many are nested to the left, deeper than functions may call each other.
        chain = [node]
        while _continues(chain[-1].this):
            chain.append(chain[-1].this)
        rows = self.query(chain[-1].this, queries, outer)
        for link in reversed(chain):
            right = self.query(link.expression, queries, outer)
            self.spend(len(rows.outputs))
            operation = "except" if isinstance(link, exp.Except) else "union"
            if not link.args.get("by_name"):
                self._check_sides(rows.outputs, right.outputs)
            rows = (
                unknown_rows("", "columns go by name here")
                if link.args.get("by_name")
                else stacked(rows, right, operation)
            )
        return rows

    def _check_sides(self, left: Sequence[Output], right: Sequence[Output]) -> None:
        here, there = column_count(left), column_count(right)
        if here is not None and there is not None and here != there and self.dialect == POSTGRES:
            message = f"this query gives {counted(there)}, and the one before gives {counted(here)}."
            self.report(code="column-count", message=message, at=right[0].place)

    def _recursive(
        self,
        node: exp.Expr,
        name: str,
        columns: Sequence[str],
        queries: Mapping[str, Rows],
        outer: Scope | None,
    ) -> Rows:
        first = node
        while isinstance(first, exp.SetOperation):
            first = first.this
        inside = self.with_clause(node, queries, outer)
        found = renamed(self.query(first, inside, outer), columns)
        # Each turn carries sources one step on, from column to column.
        for _ in range(len(found.outputs) + 2):
            turn = renamed(self.query(node, {**queries, name: found}, outer), columns)
            if turn.outputs == found.outputs:
                break
            found = turn
        return found

    def _values(self, node: exp.Expr, scope: Scope) -> Rows:
        columns: list[Value] = []
        for index, row in enumerate(node.expressions):
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            values = [self.value(cell, scope) for cell in cells]
            columns = [either(*pair) for pair in zip(columns, values, strict=False)] if index else values
        outputs = (Output(f"column{at + 1}", value, place(node)) for at, value in enumerate(columns))
        return renamed(Rows(tuple(outputs)), self._alias(node)[1])

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        name, columns = self._alias(node)
        if isinstance(node, exp.Table):
            return self._table(node, name, columns, scope)
        if isinstance(node, exp.Lateral):
            return self._lateral(node, name, columns, scope)
        if isinstance(node, exp.Values):
            return Relation(name, self._values(node, Scope(scope.queries, scope.outer)))
        if isinstance(node, exp.Query):
            return Relation(name, renamed(self.query(node, scope.queries, scope.outer), columns))
        return Relation(name, self._function(node, name, columns, scope))

    def _table(self, node: exp.Expr, name: str, columns: Sequence[str], scope: Scope) -> Relation:
        identifier = node.this
        if not isinstance(identifier, exp.Identifier):
            return Relation(name, self._function(node, name, columns, scope))
        spelled = table_name(node, self.dialect)
        alias = name or folded(identifier, self.dialect).removeprefix(NEW_ROWS)
        if node.args.get("db") is not None:
            whole = f"{node.text('db')}.{spelled}"
            rows = unknown_rows(whole, f"{quote(whole)} is outside the app's own tables")
            return Relation(alias, renamed(rows, columns))
        query = scope.queries.get(folded(identifier, self.dialect))
        if query is not None:
            return Relation(alias, renamed(query, columns))
        port = spelled.removeprefix(NEW_ROWS)
        return Relation(alias, renamed(self.table(port), columns), None if columns else port)

    def _lateral(self, node: exp.Expr, name: str, columns: Sequence[str], scope: Scope) -> Relation:
        inner = node.this
        if isinstance(inner, exp.Query):
            return Relation(name, renamed(self.query(inner, scope.queries, scope), columns))
        return Relation(name, self._function(node, name, columns, scope))

    def _function(self, node: exp.Expr, name: str, columns: Sequence[str], scope: Scope) -> Rows:
        """Give what functions give as a table; they see the relations before them."""
        form = node.this if isinstance(node.this, exp.Unnest) else node
        calls = _calls(form)
        values = [self.value(call, scope) for call in calls]
        each = combined(values)._replace(derivation=Derivation.COMPUTED)
        defined = self._defined_columns(node, each)
        if defined:
            return Rows(defined, each)
        found = self._function_columns(form, calls, values, name)
        if found is None:
            called = _function_name(calls[0]) if calls else "a function"
            why = each.unknown or f"the columns that {quote(called)} gives are not known"
            named = tuple(Output(column, each) for column in columns)
            return Rows((*named, rest([Origin(name or called, None, why)], place(node))), each)
        counter = form.args.get("offset") or form.args.get("ordinality")
        if counter:
            found.append(Output("ordinality", each._replace(kind="int8", nullable=False)))
            columns = (
                [*columns, folded(counter, self.dialect)] if isinstance(counter, exp.Identifier) else columns
            )
        return renamed(Rows(tuple(found), each), columns)

    def _function_columns(
        self, form: exp.Expr, calls: Sequence[exp.Expr], values: Sequence[Value], name: str
    ) -> list[Output] | None:
        if self.dialect != POSTGRES or not calls:
            return None
        found: list[Output] = []
        for call, value in zip(calls, values, strict=True):
            computed = value._replace(derivation=Derivation.COMPUTED, nullable=None)
            if isinstance(form, exp.Unnest):
                kind = result_kind(form, {"this": [value.kind]})
                found.append(Output(name or "unnest", computed._replace(kind=kind)))
                continue
            called = _function_name(call)
            if called in _FIELDS:
                found += [Output(part, computed._replace(kind=kind)) for part, kind in _FIELDS[called]]
            elif called in _SINGLE:
                kind = _SINGLE[called] or value.kind
                found.append(Output(name or called, computed._replace(kind=kind)))
            else:
                return None
        return found

    def _defined_columns(self, node: exp.Expr, each: Value) -> tuple[Output, ...]:
        alias = node.args.get("alias")
        columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        return tuple(
            Output(
                folded(column.this, self.dialect),
                each._replace(kind=cast_kind(column.args.get("kind"))),
                place(column),
            )
            for column in columns or ()
            if isinstance(column, exp.ColumnDef) and isinstance(column.this, exp.Identifier)
        )

    def _alias(self, node: exp.Expr) -> tuple[str, list[str]]:
        alias = node.args.get("alias")
        if isinstance(alias, exp.Identifier):
            return folded(alias, self.dialect), []
        if not isinstance(alias, exp.TableAlias):
            return "", []
        name = folded(alias.this, self.dialect) if isinstance(alias.this, exp.Identifier) else ""
        columns = alias.args.get("columns") or ()
        return name, [folded(column, self.dialect) for column in columns if _is_name(column)]

    def _pivot_name(self, node: exp.Expr, relation: Relation) -> str:
        alias = self._alias(node.args["pivots"][-1])[0]
        return alias or relation.name

    def _merge(
        self,
        scope: Scope,
        sides: tuple[Sequence[Relation], Sequence[Relation]],
        using: Sequence[tuple[str, int]],
        side: str,
    ) -> None:
        left, right = sides
        merged: dict[str, Value] = {}
        for name, at in using:
            earlier = scope.merged.get(name)
            first = earlier if earlier is not None else self.among(left, name, at)
            second = self.among(right, name, at)
            merged[name] = {"FULL": either(first, second), "RIGHT": second}.get(side, first)
            for relation in (*left, *right):
                relation.hidden.add(name)
        scope.merged = merged | {name: value for name, value in scope.merged.items() if name not in merged}


def _is_name(node: object) -> bool:
    return isinstance(node, exp.Identifier)


def _makes_groups(group: object) -> bool:
    """Tell whether columns may be null that are not in the rows: in the totals of `rollup` and its like."""
    return isinstance(group, exp.Group) and any(group.args.get(part) for part in _TOTALS)


def _continues(node: object) -> bool:
    return isinstance(node, exp.SetOperation) and not any(
        node.args.get(part) for part in ("with_", "by_name")
    )


def _shared(left: Sequence[Relation], right: Sequence[Relation]) -> list[str]:
    there = {name for relation in right for name in relation.index}
    here = dict.fromkeys(name for relation in left for name in relation.index)
    return [name for name in here if name in there]


def _calls(form: exp.Expr) -> list[exp.Expr]:
    if isinstance(form, exp.Unnest):
        parts = form.expressions
    elif form.args.get("rows_from"):
        parts = [part.this for part in form.args["rows_from"]]
    else:
        parts = [form.this]
    return [part for part in parts if isinstance(part, exp.Expr)]


def _function_name(call: exp.Expr) -> str:
    if isinstance(call, exp.Dot):
        return _function_name(call.expression)
    return str(call.this).lower() if isinstance(call, exp.Anonymous) else _KEYS.get(type(call), call.key)


_HANDLED = frozenset(
    {"with_", "from_", "joins", "laterals", "windows", "expressions", "hint", "kind", "into"}
)
_TOTALS = ("grouping_sets", "cube", "rollup")
_KEYS: Mapping[type, str] = {
    exp.ExplodingGenerateSeries: "generate_series",
    exp.GenerateSeries: "generate_series",
    exp.Explode: "unnest",
}
# What Postgres' own functions give as tables: columns of their own, or one that the alias names.
_FIELDS: Mapping[str, tuple[tuple[str, Kind], ...]] = {
    "jsonb_each": (("key", "text"), ("value", "jsonb")),
    "json_each": (("key", "text"), ("value", "json")),
    "jsonb_each_text": (("key", "text"), ("value", "text")),
    "json_each_text": (("key", "text"), ("value", "text")),
    "jsonb_array_elements": (("value", "jsonb"),),
    "json_array_elements": (("value", "json"),),
    "jsonb_array_elements_text": (("value", "text"),),
    "json_array_elements_text": (("value", "text"),),
}
_SINGLE: Mapping[str, Kind] = {
    "generate_series": None,
    "unnest": None,
    "generate_subscripts": "int4",
    "jsonb_object_keys": "text",
    "json_object_keys": "text",
    "jsonb_path_query": "jsonb",
    "regexp_split_to_table": "text",
    "regexp_matches": "text[]",
    "string_to_table": "text",
}
