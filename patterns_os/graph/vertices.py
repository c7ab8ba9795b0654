"""The graph of an app as frozen values: nodes, stores, uses and edges.

A *use* is what one place in a script says it does with a store; an *edge* is what the graph concludes for a
node and a store. Declared edges win over inferred ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from patterns_os.diagnostics import Location

NEW_ROWS = "patterns_new:"
"""Before a table's name in the SQL of a node: only the rows that are new to it. No table has such a name."""


class NodeKind(StrEnum):
    """What executes a node."""

    PYTHON = "python"
    SQL = "sql"
    JAVASCRIPT = "javascript"
    WEBHOOK = "webhook"


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
class Use:
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
class Unknown:
    """A mention whose name depends on run-time values."""

    reason: str
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What a script was seen to touch. Empty `uses` means that nothing is touched only if `unknown` is empty.

    Attributes:
        uses: Every mention, in source order.
        unknown: Mentions that could not be resolved.
        statement: For SQL, `select` or `insert` or `create`; `None` otherwise.
        imports: Files of the app that the script imports, in source order (relative paths).
    """

    uses: tuple[Use, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    statement: str | None = None
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A node's use of a store, after ports were mapped to stores."""

    node: str
    store: str
    port: str
    kind: StoreKind
    access: Access
    origin: Origin
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A table or a file of the app.

    Attributes:
        declared: Whether the manifest lists it; a store may also exist because a node uses it.
        schema: Declared columns, name → type as written, or `None`.
        unique_on: Key columns for upsert, empty if none.
        storage: Name of the storage in patterns.json, `None` for the default.
    """

    name: str
    kind: StoreKind
    declared: bool
    where: Location
    schema: Mapping[str, str] | None = None
    unique_on: tuple[str, ...] = ()
    storage: str | None = None
    retention: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
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

    def node(self, name: str) -> Node | None:
        """Give the node of that name, or `None`."""
        return next((node for node in self.nodes if node.name == name), None)

    def edges_of(self, node: str) -> tuple[Edge, ...]:
        """Give the edges of the node of that name."""
        return tuple(edge for edge in self.edges if edge.node == node)
