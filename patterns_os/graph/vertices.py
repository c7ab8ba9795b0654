"""The graph of an app as frozen values: nodes, stores, uses and edges.

A *use* is what one place in a script says it does with a store; an *edge* is what the graph concludes for a
node and a store. Declared edges win over inferred ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from patterns_os.diagnostics import Location, Packed
from patterns_os.graph.sql_text import TracedSql
from patterns_os.rows.schema import TableSchema

NEW_ROWS = "patterns_new:"
"""Before a table's name in the SQL of a node: only the rows that are new to it. No table has such a name."""

EVERY_COLUMN = "*"
"""In place of a column's name: all columns that there are, known or not."""


class NodeKind(StrEnum):
    """What executes a node."""

    PYTHON = "python"
    SQL = "sql"
    JAVASCRIPT = "javascript"
    WEBHOOK = "webhook"
    CHART = "chart"
    APP = "app"
    """An included app as a picture shows it: one node for all of its own. No graph that is built has any."""


class StoreKind(StrEnum):
    """What a store is."""

    TABLE = "table"
    FILE = "file"


class Access(StrEnum):
    """What a node does with a store.

    `stream` consumes rows once each and triggers; `read` looks at the whole; `write` adds or changes.
    """

    STREAM = "stream"
    READ = "read"
    WRITE = "write"


class Origin(StrEnum):
    """Where an edge comes from."""

    DECLARED = "declared"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Packed):
    """One mention of a store, model or parameter in a script.

    Attributes:
        kind: `table`, `file`, `model`, `parameter`, `state` or `secret`.
        name: The name as the script spells it (its port name).
        access: For tables and files; `None` for the others, and where the script does not tell.
        where: The place of the mention.
        detail: What else the call proves: a parameter's `type` and `default`, a model's type.
    """

    kind: str
    name: str
    access: Access | None
    where: Location
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Packed):
    """A mention whose name depends on run-time values."""

    reason: str
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnSource(Packed):
    """A column of a table that a value comes from; `EVERY_COLUMN` is the row as a whole.

    Attributes:
        table: In an `Analysis` the port that the script uses, in a `Lineage` the table of the app.
    """

    table: str
    column: str


class Derivation(StrEnum):
    """How a value comes about: as it is, computed from its sources, or without any."""

    COPIED = "copied"
    COMPUTED = "computed"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFlow(Packed):
    """Where the values of one column that a node writes come from.

    Attributes:
        table: The output: in an `Analysis` its port, in a `Lineage` the table of the app.
        column: The column that is written; `EVERY_COLUMN` means that further columns, which the text does not
            show, may be written (all of those of `sources` where it has any). An output without such a flow
            gets exactly the columns that its flows name.
        sources: Every column whose value goes into it, once each, sorted. Empty where `unknown` says why, or
            where the value is a constant.
        type: The column type (a value of `ColumnType`) where it is proven, else `None`.
        nullable: Whether the value may be null; `None` where that is not proven.
        unknown: What could not be told: of `column`, or of the whole output for `EVERY_COLUMN`.
    """

    table: str
    column: str
    sources: tuple[ColumnSource, ...] = ()
    derivation: Derivation = Derivation.COMPUTED
    type: str | None = None
    nullable: bool | None = None
    unknown: Unknown | None = None
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRead(Packed):
    """A column that a script is seen to ask of a table.

    Attributes:
        table: The port that the script uses.
        type: The column type (a value of `ColumnType`) that the use of the value needs, where it is proven.
        optional: Whether the script goes on without it (`row.get("x")`).
    """

    table: str
    column: str
    where: Location
    type: str | None = None
    optional: bool = False


class Observed(StrEnum):
    """What rules want to know of a script besides what it touches."""

    EFFECT = "effect"
    """Changes something outside, not within `once`; `name` is what is called."""
    NAIVE_DATETIME = "naive-datetime"
    """Makes a moment without a time zone; `name` is what is called."""
    READ_AFTER_WRITE = "read-after-write"
    """Reads a table that it has written before in the same run; `name` is the port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation(Packed):
    """One thing that a script was seen to do."""

    kind: Observed
    name: str
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis(Packed):
    """What a script was seen to touch. Empty `uses` means that nothing is touched only if `unknown` is empty.

    Attributes:
        uses: Every mention, in source order.
        unknown: Mentions that could not be resolved.
        statement: For SQL, `select` or `insert` or `create`; `None` otherwise.
        imports: Files of the app that the script imports, in source order (relative paths).
        flows: What is proven of the columns that are written, in source order. A written table without any
            flow is one whose columns nobody looked at: nothing is known of them.
        reads: What is proven of the columns that are read, in source order, once for each place.
        observations: What else rules look at, in source order.
    """

    uses: tuple[Use, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    statement: str | None = None
    imports: tuple[str, ...] = ()
    flows: Sequence[ColumnFlow] = ()
    reads: Sequence[ColumnRead] = ()
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(Packed):
    """A node's use of a store, after ports were mapped to stores."""

    node: str
    store: str
    port: str
    kind: StoreKind
    access: Access
    origin: Origin
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(Packed):
    """A table or a file of the app.

    Attributes:
        declared: Whether the manifest lists it; a store may also exist because a node uses it.
        schema: What is declared of its rows, or `None`.
        unique_on: Key columns for upsert, empty if none.
        storage: Name of the storage in patterns.json, `None` for the default.
        group: The included app that keeps it to itself, as in `Node`; `None` for all others.
    """

    name: str
    kind: StoreKind
    declared: bool
    where: Location
    schema: TableSchema | None = None
    unique_on: tuple[str, ...] = ()
    storage: str | None = None
    retention: Mapping[str, Any] | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Packed):
    """A vertex that executes.

    Attributes:
        name: Unique in the app; the script's `name`, else its file's stem; a webhook's title.
        file: Script path relative to the app, `None` for a webhook.
        spec: The manifest entry as plain data (trigger, retries, timeout, parameters, path, …).
        content: SHA-256 (hex) over the node's file, its local imports, parameters and runtime.
        parameters: Values by name: the script's own, and those of the app that it asks for.
        sql: For SQL, the query to run, table names quoted and mapped to stores, without the target.
        sql_kind: For SQL, `select` (replaces the output) or `insert` (appends to it).
        places: Where the keys of the manifest entry stand (`trigger`, `runtime`, …), those that are given.
        traced: For SQL, what is needed to trace its columns once those of its inputs are known.
        group: The included app that it belongs to (`sub`, or `sub.inner` for one within it), `None` for the
            outermost app's own.
    """

    name: str
    kind: NodeKind
    where: Location
    file: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    analysis: Analysis = field(default_factory=Analysis)
    content: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sql: tuple[str, ...] = ()
    sql_kind: Literal["select", "insert"] | None = None
    places: Mapping[str, Location] = field(default_factory=dict)
    traced: TracedSql | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A whole app. All tuples are sorted by name (edges by node, store, access).

    Attributes:
        app: The app's name.
        models: The manifest's models by name, as plain data, in the manifest's order.
        order: Node names in topological order, ties by name.
    """

    app: str
    nodes: tuple[Node, ...]
    stores: tuple[Store, ...]
    edges: tuple[Edge, ...]
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    _nodes: Mapping[str, Node] = field(init=False, repr=False, compare=False)
    _edges: Mapping[str, tuple[Edge, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index nodes and edges: rules ask for them once a node."""
        edges: dict[str, list[Edge]] = {}
        for edge in self.edges:
            edges.setdefault(edge.node, []).append(edge)
        object.__setattr__(self, "_nodes", {node.name: node for node in self.nodes})
        object.__setattr__(self, "_edges", {name: tuple(found) for name, found in edges.items()})

    def node(self, name: str) -> Node | None:
        """Give the node of that name, or `None`."""
        return self._nodes.get(name)

    def edges_of(self, node: str) -> tuple[Edge, ...]:
        """Give the edges of the node of that name."""
        return self._edges.get(node, ())
