"""What a query gives, as values: columns with what they come from, and what may be there besides.

A relation is *open* where not all of its columns are known: then it ends in, or has among its columns, a *rest*.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from patterns_os.diagnostics import quote
from patterns_os.graph.sql_types import KIND_OF_COLUMN, LITERAL, Kind, common_kind
from patterns_os.graph.vertices import EVERY_COLUMN, Derivation
from patterns_os.rows.columns import SYSTEM_PREFIX

ROW_ID = "patterns_id"
"""The first column of every table; nodes read it, only the launcher writes it."""

Source = tuple[str, str]
"""A port and a column."""


class Value(NamedTuple):
    """What is known of the values of a column or of an expression.

    Attributes:
        unknown: Why not all that it comes from could be told.
    """

    sources: frozenset[Source] = frozenset()
    derivation: Derivation = Derivation.CONSTANT
    kind: Kind = None
    nullable: bool | None = None
    unknown: str | None = None


class Origin(NamedTuple):
    """A relation of which not all columns are known.

    Attributes:
        port: The table of the app, `None` for what lies outside of it.
        why: Why its columns are not known.
    """

    name: str
    port: str | None
    why: str


class Output(NamedTuple):
    """A column that a relation has, or its rest.

    Attributes:
        name: Empty where the database chooses a name that is not known here; `EVERY_COLUMN` for a rest.
        place: Offset in the text.
        origins: Of a rest: what has the further columns. Else empty.
    """

    name: str
    value: Value
    place: int = 0
    origins: tuple[Origin, ...] = ()


class Rows(NamedTuple):
    """What a query gives.

    Attributes:
        each: What a row as such comes from: the tables that the query goes over.
    """

    outputs: tuple[Output, ...]
    each: Value = Value()


@dataclass(slots=True)
class Relation:
    """Something that a `from` clause names.

    Attributes:
        port: The table of the app, where it is one.
        hidden: Columns that a join has merged: without the relation's name they mean the merged ones.
    """

    name: str
    rows: Rows
    port: str | None = None
    hidden: set[str] = field(default_factory=set)
    index: dict[str, list[Output]] = field(init=False)
    origins: tuple[Origin, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find columns by name."""
        self.index = {}
        origins: list[Origin] = []
        for output in self.rows.outputs:
            if output.origins or not output.name:
                origins += output.origins
            else:
                # Nothing is left to decide what a text literal is.
                value = output.value
                decided = (
                    output._replace(value=value._replace(kind="text")) if value.kind == LITERAL else output
                )
                self.index.setdefault(output.name, []).append(decided)
        self.origins = tuple(dict.fromkeys(origins))

    def soften(self) -> None:
        """Take back that columns are never null: an outer join may have no row."""
        if any(output.value.nullable is False for output in self.rows.outputs):
            outputs = tuple(output._replace(value=softened(output.value)) for output in self.rows.outputs)
            self.rows = self.rows._replace(outputs=outputs)
            self.__post_init__()


@dataclass(slots=True)
class Scope:
    """What the names in one query can mean.

    Attributes:
        queries: Common table expressions by name.
        outer: The query around it, where its columns can be meant too.
        merged: Columns that joins have merged, the last join's first.
        aliases: Columns that the query itself gives, as far as they were read.
        windows: Named windows.
        named: Relations that are meant only where they are named.
    """

    queries: Mapping[str, Rows]
    outer: "Scope | None" = None
    relations: list[Relation] = field(default_factory=list)
    merged: dict[str, Value] = field(default_factory=dict)
    aliases: dict[str, Value] = field(default_factory=dict)
    windows: dict[str, Value] = field(default_factory=dict)
    named: dict[str, Relation] = field(default_factory=dict)

    def relation(self, name: str) -> Relation | None:
        """Give the nearest relation of that name."""
        scope: Scope | None = self
        while scope is not None:
            for relation in scope.relations:
                if relation.name == name:
                    return relation
            if name in scope.named:
                return scope.named[name]
            scope = scope.outer
        return None

    def around(self) -> Iterator[Relation]:
        """Give all relations that names can mean, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.relations
            yield from scope.named.values()
            scope = scope.outer

    def each(self) -> Value:
        """Give what a row of all its relations comes from."""
        return combined([relation.rows.each for relation in self.relations])


def table_rows(port: str, columns: Mapping[str, str | None] | None) -> Rows:
    """Give the rows of a table of the app, in the order in which the database has its columns, if all are known."""
    each = Value(frozenset({(port, EVERY_COLUMN)}), Derivation.COMPUTED)
    if columns is None:
        return Rows((rest([Origin(port, port, f"the columns of {quote(port)} are not known")], 0),), each)
    named = {ROW_ID: "text"} | {name: kind for name, kind in columns.items() if name != ROW_ID}
    is_open = named.pop(EVERY_COLUMN, "") is None
    outputs = [Output(name, table_column(port, name, kind)) for name, kind in named.items()]
    if is_open:
        # The others may stand anywhere behind the identity.
        outputs.insert(1, rest([Origin(port, port, f"not all columns of {quote(port)} are known")], 0))
    return Rows(tuple(outputs), each)


def table_column(port: str, name: str, kind: str | None = None) -> Value:
    """Give the column of a table as it is."""
    # Every row has an identity.
    nullable = False if name == ROW_ID else None
    return Value(frozenset({(port, name)}), Derivation.COPIED, KIND_OF_COLUMN.get(kind or ""), nullable)


def unknown_rows(name: str, why: str) -> Rows:
    """Give rows of which nothing is known."""
    return Rows((rest([Origin(name, None, why)], 0),), Value(derivation=Derivation.COMPUTED, unknown=why))


def rest(origins: Iterable[Origin], place: int) -> Output:
    """Give the further columns of what is open."""
    found = tuple(dict.fromkeys(origins))
    sources = frozenset((origin.port, EVERY_COLUMN) for origin in found if origin.port is not None)
    way = Derivation.COPIED if len(sources) == len(found) else Derivation.COMPUTED
    value = Value(sources, way, unknown=_why(found))
    return Output(EVERY_COLUMN, value, place, found)


def renamed(rows: Rows, names: Sequence[str]) -> Rows:
    """Give the rows with these names for their first columns."""
    if not names:
        return rows
    values = positional(rows.outputs, len(names))
    places = [output.place for output in rows.outputs] or [0]
    columns = [
        Output(name, value, places[min(index, len(places) - 1)])
        for index, (name, value) in enumerate(zip(names, values, strict=False))
    ]
    open_at = next((index for index, output in enumerate(rows.outputs) if output.origins), None)
    if open_at is None or len(names) <= open_at:
        return Rows((*columns, *rows.outputs[len(names) :]), rows.each)
    # Which of the columns behind a rest are renamed is not known: none keeps its name for certain.
    return Rows((*columns, *(output for output in rows.outputs if output.origins)), rows.each)


def positional(outputs: Sequence[Output], count: int) -> list[Value]:
    """Give the values of the first columns; behind a rest no position is known."""
    found: list[Value] = []
    for output in outputs:
        if output.origins:
            value = output.value._replace(derivation=Derivation.COMPUTED)
            return [*found, *[value] * (count - len(found))][:count]
        found.append(output.value)
    return found[:count]


def column_count(outputs: Sequence[Output]) -> int | None:
    """Give how many columns there are, `None` where that is not certain: a table has some of its own."""
    is_open = any(output.origins or output.name.startswith(SYSTEM_PREFIX) for output in outputs)
    return None if is_open or not outputs else len(outputs)


def counted(columns: int) -> str:
    """Give a number of columns in a sentence."""
    return "1 column" if columns == 1 else f"{columns} columns"


def stacked(left: Rows, right: Rows, operation: str) -> Rows:
    """Give the rows of a union, an intersection or a difference: columns go by position, names by the first."""
    each = left.each if operation == "except" else combined([left.each, right.each])
    outputs: list[Output] = []
    for index, output in enumerate(left.outputs):
        other = right.outputs[index] if index < len(right.outputs) else None
        if output.origins or (other is not None and other.origins):
            return Rows((*outputs, *_unaligned(left.outputs[index:], right.outputs[index:])), each)
        if other is not None:
            merged = either(output.value, other.value)
            value = merged if operation != "except" else output.value._replace(kind=merged.kind)
            output = output._replace(value=value)  # noqa: PLW2901 - the column as the two sides have it
        outputs.append(output)
    return Rows(tuple(outputs), each)


def _unaligned(left: Sequence[Output], right: Sequence[Output]) -> Iterable[Output]:
    # Behind a rest no position is known: a column of the left is one of many of the right. Only where both sides
    # have the same columns, from wherever they have them, does each meet its own.
    if len(left) == len(right) and all(map(_same_column, left, right)):
        pairs = zip(left, right, strict=True)
        return [a if a.origins else a._replace(value=either(a.value, b.value)) for a, b in pairs]
    origins = [origin for output in (*left, *right) for origin in output.origins]
    further = rest(origins, left[0].place)
    others = frozenset(source for output in right for source in output.value.sources)
    found: list[Output] = []
    for output in left:
        value = Value(output.value.sources | others, Derivation.COMPUTED, unknown=further.value.unknown)
        if output.origins:
            found.append(further._replace(value=value))
        elif output.name:
            found.append(output._replace(value=value))
    return found


def _same_column(left: Output, right: Output) -> bool:
    return (left.name, left.origins) == (right.name, right.origins)


def combined(values: Sequence[Value]) -> Value:
    """Give what a computation over the values comes from."""
    sources = _EMPTY.union(*(value.sources for value in values))
    why = next((value.unknown for value in values if value.unknown is not None), None)
    constant = all(value.derivation is Derivation.CONSTANT for value in values)
    return Value(sources, Derivation.CONSTANT if constant else Derivation.COMPUTED, unknown=why)


def either(first: Value, second: Value) -> Value:
    """Give what is one value or the other."""
    ways = {first.derivation, second.derivation}
    derivation = next(way for way in _WAYS if way in ways)
    return Value(
        first.sources | second.sources,
        derivation,
        common_kind((first.kind, second.kind)),
        False if first.nullable is False and second.nullable is False else None,
        first.unknown or second.unknown,
    )


def softened(value: Value) -> Value:
    """Give the value, which may be null now."""
    return value._replace(nullable=None) if value.nullable is False else value


def _why(origins: Sequence[Origin]) -> str:
    reasons = dict.fromkeys(origin.why for origin in origins)
    if len(reasons) == 1:
        return next(iter(reasons))
    if all(origin.port is not None for origin in origins):
        names = sorted({quote(origin.port) for origin in origins if origin.port is not None})
        return f"the columns of {', '.join(names[:-1])} and {names[-1]} are not known"
    return "; ".join(reasons)


_EMPTY: frozenset[Source] = frozenset()
_WAYS = (Derivation.COMPUTED, Derivation.COPIED, Derivation.CONSTANT)
