"""What the names in a query mean: columns of its relations, or of those of the queries around it.

Where relations of unknown columns leave more than one meaning, the value is unknown and says why. Only where all
columns of all relations are known is a name wrong.
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from patterns_os.diagnostics import Diagnostic, did_you_mean, quote
from patterns_os.graph.sql_parse import folded, place
from patterns_os.graph.sql_relations import (
    ROW_ID,
    Relation,
    Rows,
    Scope,
    Source,
    Value,
    combined,
    table_column,
    table_rows,
)
from patterns_os.graph.sql_text import POSTGRES, TracedSql
from patterns_os.graph.vertices import EVERY_COLUMN, Derivation

Shapes = Mapping[str, Mapping[str, str | None] | None]
"""The columns of tables by port, with their types; `EVERY_COLUMN` among them where there may be others, `None` where
nothing is known of them."""

Need = str | None
"""The column type that a value must have in its place, where that is certain."""

MOST_STEPS = 400_000
"""Expressions looked at and columns made for one script; no honest script comes near."""


class TooMuchError(Exception):
    """A script multiplies its columns beyond what anything can follow."""


class Lookup:
    """Finds what names mean in one script, and gathers what it reads and what it asks for in vain."""

    def __init__(self, script: TracedSql, shapes: Shapes) -> None:
        self.script, self.shapes = script, shapes
        self.dialect = script.dialect
        self.reads: dict[tuple[str, str, int], Need] = {}
        self.diagnostics: list[Diagnostic] = []
        self.trails: list[set[Source]] = []
        self._known: dict[str, Rows] = {}
        self._steps = 0

    def column(self, node: exp.Expr, scope: Scope, need: Need) -> Value:
        """Give what a name means."""
        value = self._meaning(node, scope, need)
        if self.trails:
            self.trails[-1].update(value.sources)
        return value

    def _meaning(self, node: exp.Expr, scope: Scope, need: Need) -> Value:
        identifier, qualifier = node.this, node.args.get("table")
        at = place(identifier)
        if isinstance(qualifier, exp.Identifier):
            return self._qualified(node, folded(qualifier, self.dialect), scope, need)
        if not isinstance(identifier, exp.Identifier):
            return combined([relation.rows.each for relation in scope.relations])
        name = folded(identifier, self.dialect)
        if name in _WORDS and not identifier.args.get("quoted"):
            return Value()
        return self._plain(name, at, scope, need)

    def _qualified(self, node: exp.Expr, qualifier: str, scope: Scope, need: Need) -> Value:
        relation = scope.relation(qualifier)
        if relation is None:
            return self.unknown_relation(qualifier, node, scope)
        if not isinstance(node.this, exp.Identifier):
            return self._whole_row(relation, place(node))
        return self.member(relation, folded(node.this, self.dialect), place(node.this), need)

    def unknown_relation(self, name: str, node: exp.Expr, scope: Scope) -> Value:
        """Tell that the query has no table of that name, where that is certain."""
        why = f"{quote(name)} is no table of the query"
        relations = list(scope.around())
        # Functions without an alias have names that only the database knows.
        if self.dialect == POSTGRES and node.args.get("db") is None and all(one.name for one in relations):
            known = sorted({one.name for one in relations})
            renamed = next((one.name for one in relations if one.port == name), None)
            self.report(
                code="unknown-alias",
                message=f"{why}.",
                at=place(node.args["table"]),
                known=("tables of the query", tuple(known)),
                hint=f"it is called {quote(renamed)} here" if renamed else did_you_mean(name, known),
            )
        return Value(derivation=Derivation.COMPUTED, unknown=why)

    def report(
        self,
        *,
        code: str,
        message: str,
        at: int,
        known: tuple[str, tuple[str, ...]] | None = None,
        hint: str | None = None,
    ) -> None:
        """Note what is wrong, once for each place."""
        where = self.script.places.locate(at)
        found = Diagnostic(code=code, message=message, where=where, known=known, hint=hint)
        if found not in self.diagnostics:
            self.diagnostics.append(found)

    def _plain(self, name: str, at: int, scope: Scope, need: Need) -> Value:  # noqa: PLR0911 - a meaning each
        is_open: list[Relation] = []
        inner: Scope | None = scope
        while inner is not None:
            if name in inner.merged and not is_open:
                return inner.merged[name]
            found = [
                relation
                for relation in inner.relations
                if name in relation.index and name not in relation.hidden
            ]
            if len(found) > 1:
                return _ambiguous(name, found)
            if found:
                # A query that runs has one meaning for a name: no other table beside it has the column.
                return (
                    _ambiguous(name, [*is_open, *found]) if is_open else self.member(found[0], name, at, need)
                )
            here = [relation for relation in inner.relations if relation.origins]
            row = next((relation for relation in inner.relations if relation.name == name), None)
            if row is not None and not is_open:
                return self._row_or_column(row, here, at)
            if self.dialect != POSTGRES and name in inner.aliases and not is_open:
                return inner.aliases[name]
            is_open += here
            inner = inner.outer
        if len(is_open) == 1:
            return self.member(is_open[0], name, at, need)
        if is_open:
            return _ambiguous(name, is_open)
        return self._missing(scope.relations, name, at)

    def _row_or_column(self, row: Relation, is_open: Sequence[Relation], at: int) -> Value:
        value = self._whole_row(row, at)
        if not is_open:
            return value
        why = f"{quote(row.name)} may be a column or a whole row of {quote(row.name)}"
        return value._replace(unknown=value.unknown or why)

    def _whole_row(self, relation: Relation, at: int) -> Value:
        if relation.port is not None:
            self.read(relation.port, EVERY_COLUMN, at)
            return Value(frozenset({(relation.port, EVERY_COLUMN)}), Derivation.COMPUTED)
        return combined([output.value for output in relation.rows.outputs])._replace(
            derivation=Derivation.COMPUTED
        )

    def member(self, relation: Relation, name: str, at: int, need: Need) -> Value:
        """Give the column of that name of the relation."""
        found = relation.index.get(name)
        if found is not None:
            if relation.port is not None:
                self.read(relation.port, name, at, need)
            return found[0].value if len(found) == 1 else _ambiguous(name, [relation])
        if len(relation.origins) == 1:
            origin = relation.origins[0]
            if origin.port is None:
                return Value(relation.rows.each.sources, Derivation.COMPUTED, unknown=origin.why)
            self.read(origin.port, name, at, need)
            return table_column(origin.port, name, "text" if name == ROW_ID else None)
        if relation.origins:
            names = " or ".join(quote(origin.name) for origin in relation.origins)
            return Value(derivation=Derivation.COMPUTED, unknown=f"{quote(name)} may come from {names}")
        return self._missing([relation], name, at)

    def _missing(self, relations: Sequence[Relation], name: str, at: int) -> Value:
        unknown = Value(derivation=Derivation.COMPUTED, unknown=f"no column {quote(name)} is known")
        if name.startswith("patterns_") or name in _SYSTEM_COLUMNS or self.dialect != POSTGRES:
            return unknown
        named = [relation.name for relation in relations if relation.name]
        known = sorted({column for relation in relations for column in relation.index} - {ROW_ID})
        if not named:
            message = f"nothing here has a column {quote(name)}."
        elif len(named) == 1:
            what = "table " if relations[0].port is not None else ""
            message = f"{what}{quote(relations[0].port or named[0])} has no column {quote(name)}."
        else:
            message = f"none of {', '.join(map(quote, named))} has a column {quote(name)}."
        columns = "known columns", tuple(known)
        hint = did_you_mean(name, known)
        self.report(code="unknown-column", message=message, at=at, known=columns, hint=hint)
        return unknown

    def read(self, port: str, name: str, at: int, need: Need = None) -> None:
        """Note that a column of a table is asked for."""
        self.reads[port, name, at] = self.reads.get((port, name, at)) or need

    def among(self, relations: Sequence[Relation], name: str, at: int) -> Value:
        """Give the column of that name that one of the relations has."""
        found = [relation for relation in relations if name in relation.index]
        is_open = [relation for relation in relations if relation.origins]
        if len(found) == 1:
            return self.member(found[0], name, at, None)
        if not found and len(is_open) == 1:
            return self.member(is_open[0], name, at, None)
        if not found and not is_open:
            return self._missing(relations, name, at)
        return _ambiguous(name, found or is_open)

    def table(self, port: str) -> Rows:
        """Give the rows of a table of the app."""
        if port not in self._known:
            self._known[port] = table_rows(port, self.shapes.get(port))
        self.spend(len(self._known[port].outputs))
        return self._known[port]

    def spend(self, steps: int) -> None:
        """Count what is done.

        Raises:
            TooMuchError: It is beyond what a script may take.
        """
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise TooMuchError


def _ambiguous(name: str, relations: Sequence[Relation]) -> Value:
    names = " or ".join(dict.fromkeys(quote(relation.name) for relation in relations))
    return Value(derivation=Derivation.COMPUTED, unknown=f"{quote(name)} may come from {names}")


# Names that are values in themselves.
_WORDS = frozenset(
    {"current_catalog", "current_role", "current_schema", "default", "localtime", "session_user", "user"}
)
_SYSTEM_COLUMNS = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})
