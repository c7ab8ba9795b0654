"""Column lineage of a SQL script: which columns it writes, what each comes from, and which columns it reads.

Nothing is executed, and nothing is guessed: where the columns of a table are not known, what depends on them is
unknown, column by column, and says why. The names of tables are the ports that the script uses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from patterns_os.diagnostics import Diagnostic, quote, sort_diagnostics
from patterns_os.graph.sql_parse import PARSER_ERRORS, folded, parse_text, place, table_name
from patterns_os.graph.sql_queries import Tracer
from patterns_os.graph.sql_relations import (
    Origin,
    Output,
    Relation,
    Rows,
    Scope,
    Value,
    column_count,
    counted,
    either,
    positional,
    rest,
    unknown_rows,
)
from patterns_os.graph.sql_scopes import Shapes, TooMuchError
from patterns_os.graph.sql_text import POSTGRES, TracedSql
from patterns_os.graph.sql_types import column_type
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    ColumnFlow,
    ColumnRead,
    ColumnSource,
    Derivation,
    Unknown,
)
from patterns_os.rows.columns import SYSTEM_PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlColumns:
    """What a script does with columns.

    Attributes:
        flows: One for each column that is written, in the order of the text. `EVERY_COLUMN` stands for columns
            that come with tables whose columns are not known.
        reads: Every column that is named or meant by a star, once for each place, in the order of the text.
        diagnostics: Columns that are asked of a table that is known not to have them.
    """

    flows: tuple[ColumnFlow, ...] = ()
    reads: tuple[ColumnRead, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def trace_sql(script: TracedSql, shapes: Shapes) -> SqlColumns:
    """Give what the script does with columns. It never raises, and same arguments give same values.

    Args:
        script: What `analyse_sql` gives for it.
        shapes: By port: the columns of a table with their column types, in the table's order where all of them
            are known; where there may be others, `EVERY_COLUMN` is among them. A type that is not known is `None`.
            A table of whose columns nothing is known is absent or `None`. The column `patterns_id`, which all
            tables have, need not be given.
    """
    try:
        return _traced(script, shapes)
    except TooMuchError:
        return _unknown(script, "the script makes more columns than can be followed")
    except (RecursionError, MemoryError):
        return _unknown(script, "the script is nested too deeply to be followed")
    except PARSER_ERRORS:
        return _unknown(script, "the script has a form that is not followed")


def written_table(statement: exp.Expr) -> exp.Table | None:
    """Give the table that a statement changes or makes, `None` for a query."""
    target = statement.this if isinstance(statement, _CHANGES) else None
    if isinstance(statement, _OF_KINDS) and str(statement.args.get("kind")).upper() not in _TABLES:
        return None
    if isinstance(target, exp.Schema):
        target = target.this
    return target if isinstance(target, exp.Table) and isinstance(target.this, exp.Identifier) else None


def _traced(script: TracedSql, shapes: Shapes) -> SqlColumns:
    tracer = _Statements(script, shapes)
    for statement in parse_text(script.text, script.dialect):
        tracer.statement(statement)
    return SqlColumns(
        flows=tuple(_flow(script, port, name, *found) for (port, name), found in tracer.flows.items()),
        reads=tuple(_reads(tracer)),
        diagnostics=sort_diagnostics(tracer.diagnostics),
    )


class _Statements(Tracer):
    """Follows statements that change tables to the columns that they write."""

    def __init__(self, script: TracedSql, shapes: Shapes) -> None:
        super().__init__(script, shapes)
        self.flows: dict[tuple[str, str], tuple[Value, int]] = {}

    def statement(self, node: exp.Expr) -> None:
        """Follow a statement of the script."""
        if isinstance(node, exp.Query | exp.Values):
            outputs = self.query(node, {}, None).outputs
            self._check_names(outputs)
            self._fill(self.script.output, outputs)
        elif isinstance(node, exp.DML | exp.Create):
            self.change(node, {}, None)

    def change(self, node: exp.Expr, queries: Mapping[str, Rows], outer: Scope | None) -> Rows:
        """Follow a statement that changes a table; give what it returns."""
        queries = self.with_clause(node, queries, outer)
        scope = Scope(queries, outer)
        if isinstance(node, exp.Insert):
            self._insert(node, scope)
        elif isinstance(node, exp.Update):
            self._update(node, scope)
        elif isinstance(node, exp.Delete):
            self._delete(node, scope)
        elif isinstance(node, exp.Merge):
            self._merge_into(node, scope)
        elif isinstance(node, exp.Create):
            self._create(node, scope)
        returning = node.args.get("returning")
        if not isinstance(returning, exp.Returning):
            return unknown_rows("", f"{quote(node.key)} returns nothing")
        if scope.relations:
            scope.named = {name: self._again(scope, name) for name in ("old", "new")}
        return Rows(tuple(self.outputs(returning.expressions, scope)), scope.each())

    def _insert(self, node: exp.Expr, scope: Scope) -> None:
        port, names = self._target(node)
        source = node.args.get("expression")
        rows = self.query(source, scope.queries, scope.outer) if isinstance(source, exp.Expr) else Rows(())
        given = self._given(port, names, rows, by_position=isinstance(source, exp.Values))
        self._check_count(names, rows.outputs)
        self._check_names(given)
        if port is not None:
            self._fill(port, given)
        target = written_table(node)
        if target is not None:
            self.source(target, scope)
        conflict = node.args.get("conflict")
        if isinstance(conflict, exp.OnConflict) and scope.relations:
            self._conflict(conflict, port, given, scope)

    def _given(
        self, port: str | None, names: Sequence[tuple[str, int]], rows: Rows, *, by_position: bool
    ) -> tuple[Output, ...]:
        """Give the columns that an insert fills: its own list, else those of the query, by name."""
        if not names and by_position:
            # Values have no names: they go to the table's columns in their order.
            shape = self.shapes.get(port) if port is not None else None
            if shape is None or EVERY_COLUMN in shape:
                known = "not all columns of {} are known" if shape else "the columns of {} are not known"
                why = known.format(quote(port or "the table"))
                return (rest([Origin(port or "", None, why)], 0),)
            names = [(name, 0) for name in shape if not name.startswith(SYSTEM_PREFIX)]
        if not names:
            return rows.outputs
        values = positional(rows.outputs, len(names))
        return tuple(Output(name, value, at) for (name, at), value in zip(names, values, strict=False))

    def _conflict(
        self, conflict: exp.Expr, port: str | None, given: tuple[Output, ...], scope: Scope
    ) -> None:
        inside = Scope(scope.queries, scope.outer, [*scope.relations, Relation("excluded", Rows(given))])
        for part in conflict.args.get("conflict_keys") or ():
            self.value(part, scope)
        for part in conflict.expressions:
            self._assign(port, part, inside)
        for part in ("where", "index_where"):
            clause = conflict.args.get(part)
            if isinstance(clause, exp.Expr):
                self.value(clause, inside)

    def _update(self, node: exp.Expr, scope: Scope) -> None:
        port, _ = self._target(node)
        self._sources(node, scope)
        for part in node.expressions:
            self._assign(port, part, scope)
        self._filters(node, scope)

    def _delete(self, node: exp.Expr, scope: Scope) -> None:
        self._sources(node, scope)
        self._filters(node, scope)

    def _merge_into(self, node: exp.Expr, scope: Scope) -> None:
        port, _ = self._target(node)
        self._sources(node, scope)
        if isinstance(node.args.get("on"), exp.Expr):
            self.value(node.args["on"], scope, "bool")
        whens = node.args.get("whens")
        for when in whens.expressions if isinstance(whens, exp.Expr) else ():
            self._when(when, port, scope)

    def _when(self, when: exp.Expr, port: str | None, scope: Scope) -> None:
        condition, then = when.args.get("condition"), when.args.get("then")
        if isinstance(condition, exp.Expr):
            self.value(condition, scope, "bool")
        if isinstance(then, exp.Update) and isinstance(then.args.get("expressions"), list):
            for part in then.expressions:
                self._assign(port, part, scope)
        elif isinstance(then, exp.Update) and port is not None:
            self._fill(port, self._whole_rows(then))
        elif isinstance(then, exp.Insert):
            self._merged_row(then, port, scope)

    def _merged_row(self, then: exp.Expr, port: str | None, scope: Scope) -> None:
        columns, cells = then.args.get("this"), then.args.get("expression")
        values = [self.value(cell, scope) for cell in _cells(cells)]
        names = [(self._written_name(column), place(column)) for column in _cells(columns)]
        row = Rows(tuple(Output("", value) for value in values))
        if port is not None and (values or names):
            self._fill(port, self._given(port, names, row, by_position=True))
        elif port is not None:
            self._fill(port, self._whole_rows(then))

    def _whole_rows(self, node: exp.Expr) -> tuple[Output, ...]:
        return (rest([Origin("*", None, "which columns whole rows fill is not known")], place(node)),)

    def _create(self, node: exp.Expr, scope: Scope) -> None:
        port, names = self._target(node)
        query = node.args.get("expression")
        if isinstance(query, exp.Query | exp.Values):
            rows = self.query(query, scope.queries, scope.outer)
            self._check_names(rows.outputs)
            if port is not None:
                self._fill(port, self._given(port, names, rows, by_position=False))

    def _sources(self, node: exp.Expr, scope: Scope) -> None:
        """Add the table that is changed to the scope, and those beside it."""
        using = node.args.get("using")
        origin = node.args.get("from_")
        beside = using if isinstance(using, list) else [using, origin.this if origin is not None else None]
        for part in (node.this, *beside):
            if isinstance(part, exp.Expr) and not isinstance(part, exp.Schema):
                self.source(part, scope)

    def _filters(self, node: exp.Expr, scope: Scope) -> None:
        for part in ("where", "order", "limit"):
            clause = node.args.get(part)
            if isinstance(clause, exp.Expr):
                self.value(clause, scope)

    def _assign(self, port: str | None, node: exp.Expr, scope: Scope) -> None:
        """Follow `column = value` or `(column, …) = (value, …)`."""
        if not isinstance(node, exp.EQ):
            self.value(node, scope)
            return
        columns = _cells(node.this) if isinstance(node.this, exp.Tuple) else [node.this]
        for column, value in zip(columns, self._assigned(node, len(columns), scope), strict=False):
            name = self._written_name(column)
            if port is not None and name:
                self._write(port, name, value, place(column))

    def _assigned(self, node: exp.Expr, count: int, scope: Scope) -> list[Value]:
        right = node.expression
        if not isinstance(node.this, exp.Tuple):
            return [self.value(right, scope)]
        if isinstance(right, exp.Query):
            return positional(self.query(right, scope.queries, scope).outputs, count)
        if isinstance(right, exp.Tuple | exp.Anonymous):
            return [self.value(cell, scope) for cell in right.expressions]
        return [self.value(right, scope)] * count

    def _written_name(self, node: exp.Expr) -> str:
        # `document['key'] = …` and `(place).x = …` write a part of a column.
        found = next(node.find_all(exp.Column), None) if not isinstance(node, exp.Identifier) else node
        identifier = found.this if isinstance(found, exp.Column) else found
        return folded(identifier, self.dialect) if isinstance(identifier, exp.Identifier) else ""

    def _target(self, node: exp.Expr) -> tuple[str | None, list[tuple[str, int]]]:
        """Give the port that is written, `None` outside of the app, and the columns that are listed."""
        schema = node.this if isinstance(node.this, exp.Schema) else None
        target = written_table(node)
        names = [
            (folded(column, self.dialect), place(column))
            for column in (schema.expressions if schema is not None else ())
            if isinstance(column, exp.Identifier)
        ]
        outside = target is None or target.args.get("db") is not None
        return None if outside or target is None else table_name(target, self.dialect), names

    def _again(self, scope: Scope, name: str) -> Relation:
        return Relation(name, scope.relations[0].rows, scope.relations[0].port)

    def _check_names(self, outputs: Sequence[Output]) -> None:
        """Tell of a name that two columns have: a table has each once."""
        seen: dict[str, int] = {}
        for output in outputs if self.dialect == POSTGRES else ():
            if output.origins or not output.name or output.name.startswith(SYSTEM_PREFIX):
                continue
            if output.name in seen:
                message = f"two columns of the query are named {quote(output.name)}."
                is_star = seen[output.name] == output.place
                hint = f"name one of them: … as {quote(output.name + '_2')}"
                hint = "name the columns that are wanted in place of the star" if is_star else hint
                self.report(code="duplicate-column", message=message, at=output.place, hint=hint)
                return
            seen[output.name] = output.place

    def _check_count(self, names: Sequence[tuple[str, int]], outputs: Sequence[Output]) -> None:
        given = column_count(outputs)
        if names and given is not None and given != len(names) and self.dialect == POSTGRES:
            message = f"the insert fills {counted(len(names))}, and its query gives {counted(given)}."
            self.report(code="column-count", message=message, at=names[0][1])

    def _fill(self, port: str, outputs: Sequence[Output]) -> None:
        for output in outputs:
            name = EVERY_COLUMN if output.origins else output.name
            if name:
                self._write(port, name, output.value, output.place)
            else:
                value = output.value._replace(
                    unknown='a column has no name that is known: give it one with "as"'
                )
                self._write(port, EVERY_COLUMN, value._replace(sources=frozenset(), kind=None), output.place)

    def _write(self, port: str, name: str, value: Value, at: int) -> None:
        # The launcher leaves out what rows have by themselves.
        if name.startswith(SYSTEM_PREFIX):
            return
        earlier = self.flows.get((port, name))
        self.flows[port, name] = (either(earlier[0], value), earlier[1]) if earlier else (value, at)


def _cells(node: object) -> list[exp.Expr]:
    if isinstance(node, exp.Tuple | exp.Schema | exp.Values):
        return [cell for cell in node.expressions if isinstance(cell, exp.Expr)]
    return []


def _flow(script: TracedSql, port: str, name: str, value: Value, at: int) -> ColumnFlow:
    where = script.places.locate(at)
    sources = sorted(value.sources)
    return ColumnFlow(
        table=port,
        column=name,
        sources=tuple(ColumnSource(table=table, column=column) for table, column in sources),
        derivation=value.derivation,
        type=column_type(value.kind),
        nullable=value.nullable,
        unknown=Unknown(reason=value.unknown, where=where) if value.unknown is not None else None,
        where=where,
    )


def _reads(tracer: Tracer) -> Iterator[ColumnRead]:
    for (port, column, at), need in sorted(tracer.reads.items(), key=lambda read: (read[0][2], read[0])):
        yield ColumnRead(table=port, column=column, where=tracer.script.places.locate(at), type=need)


def _unknown(script: TracedSql, reason: str) -> SqlColumns:
    ports = [script.output]
    try:
        written = [written_table(statement) for statement in parse_text(script.text, script.dialect)]
        ports = [
            table_name(table, script.dialect) if table is not None else script.output for table in written
        ]
    except (*PARSER_ERRORS, RecursionError, MemoryError):
        pass
    where = script.places.locate(0)
    unknown = Unknown(reason=reason, where=where)
    return SqlColumns(
        flows=tuple(
            ColumnFlow(
                table=port,
                column=EVERY_COLUMN,
                derivation=Derivation.COMPUTED,
                unknown=unknown,
                where=where,
            )
            for port in dict.fromkeys(ports)
        )
    )


_OF_KINDS = (exp.Create, exp.Drop, exp.Alter)
_TABLES = frozenset({"TABLE", "VIEW"})
_CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter)
