"""Rules about tables and files: who declares, fills and reads them, and how."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.graph.rules.mending import renamed_in_scripts
from patterns_os.graph.rules.rule import Checked, Finding, Repair
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    Access,
    ColumnFlow,
    Edge,
    Graph,
    Node,
    NodeKind,
    Observed,
    StoreKind,
)
from patterns_os.manifest.values import path_fault
from patterns_os.rows.schema import TableSchema

_CHANGING = frozenset({"append", "upsert", "replace", "truncate", "reset", "delete"})
_SHORTEST = 4
"""Letters of a name below which one more or less makes another word."""
_REPLACING = (frozenset({"replace"}), frozenset({"truncate", "append"}), frozenset({"reset", "append"}))


def wrong_names(checked: Checked) -> Iterator[Finding]:
    """Tables and files that scripts name have names that such stores can have."""
    for edge in checked.graph.edges:
        fault = _table_fault(edge.store) if edge.kind is StoreKind.TABLE else _file_fault(edge.store)
        if fault is not None:
            yield Finding(
                message=f"{quote(_shown(edge.store))} cannot be the name of a {edge.kind}: {fault}.",
                where=edge.where,
            )


def unknown_tables(checked: Checked) -> Iterator[Finding]:
    """Each table that is read is declared, or written by a node; those that trigger are inputs."""
    known = _known_tables(checked.graph)
    for edge in checked.graph.edges:
        if edge.kind is StoreKind.TABLE and edge.access is not Access.WRITE and edge.store not in known:
            yield Finding(
                message=f"node {quote(edge.node)} reads table {quote(_shown(edge.store))}, "
                "which nothing declares and nothing writes.",
                where=edge.where,
                known=("known tables", tuple(sorted(known))),
                hint=did_you_mean(edge.store, known)
                or f'add {{"table": {quote(_shown(edge.store))}}} to "stores" if something else fills it',
                subject=edge.store,
            )
    for node in checked.graph.nodes:
        yield from _unknown_trigger_tables(checked, node)


def unknown_files(checked: Checked) -> Iterator[Finding]:
    """Each file that is read is declared, or written by a node."""
    files = [edge for edge in checked.graph.edges if edge.kind is StoreKind.FILE]
    known = {store.name for store in checked.graph.stores if store.declared and store.kind is StoreKind.FILE}
    known |= {edge.store for edge in files if edge.access is Access.WRITE}
    for edge in files:
        if edge.store not in known:
            yield Finding(
                message=f"node {quote(edge.node)} reads file {quote(_shown(edge.store))}, "
                "which nothing declares and nothing writes.",
                where=edge.where,
                known=("known files", tuple(sorted(known))),
                hint=did_you_mean(edge.store, known)
                or f'add {{"file": {quote(_shown(edge.store))}}} to "stores" if something else makes it',
            )


def rename_table(checked: Checked, finding: Finding) -> Repair | None:
    """Write the known name where the manifest has one that is nearly the same."""
    return renamed_in_scripts(checked, finding, ("inputs", "trigger"))


def unused_stores(checked: Checked) -> Iterator[Finding]:
    """Each store that the manifest declares is used, as far as the code tells."""
    if not checked.is_understood:
        return
    used = {(edge.kind, edge.store) for edge in checked.graph.edges}
    for store in checked.graph.stores:
        if store.declared and (store.kind, store.name) not in used:
            yield Finding(
                message=f"{store.kind} {quote(store.name)} is declared, and no node reads or writes it.",
                where=store.where,
                hint=did_you_mean(store.name, [name for kind, name in used if kind is store.kind])
                or 'remove it from "stores" if nothing is to use it',
            )


def undeclared_stores(checked: Checked) -> Iterator[Finding]:
    """Each store that a node uses is among the manifest's stores."""
    for store in checked.graph.stores:
        if not store.declared:
            yield Finding(
                message=f'{store.kind} {quote(_shown(store.name))} is used, and "stores" does not list it.',
                where=store.where,
                hint=f'add {{"{store.kind}": {quote(_shown(store.name))}}} to "stores"',
                subject=f"{store.kind}:{store.name}",
            )


def declare_store(checked: Checked, finding: Finding) -> Repair | None:
    """Add the store to the manifest."""
    kind, _, name = finding.subject.partition(":")
    if _table_fault(name) if kind == StoreKind.TABLE else _file_fault(name):
        return None
    file = checked.manifest.document.file
    return Repair(file=file, action="append", pointer="/stores", value={kind: name})


def two_replacers(checked: Checked) -> Iterator[Finding]:
    """A table whose rows are all replaced has one node that does so."""
    for table, edges in _by_table(checked).items():
        replacing = [edge for edge in edges if _replaces(checked, edge)]
        for edge in replacing[1:]:
            yield Finding(
                message=f"nodes {quote(replacing[0].node)} and {quote(edge.node)} both replace table "
                f"{quote(table)}, and each would undo the other.",
                where=edge.where,
                hint=f'append in one of them with insert into "{table}" select …'
                if _is_sql(checked, edge)
                else "append in one of them, or write another table",
            )


def replaced_and_appended(checked: Checked) -> Iterator[Finding]:
    """A table that a node replaces gets no rows from others: they would be gone with the next run."""
    for table, edges in _by_table(checked).items():
        replacing = [edge for edge in edges if _replaces(checked, edge)]
        for edge in edges if replacing else ():
            if edge.node != replacing[0].node and _appends(checked, edge):
                yield Finding(
                    message=f"node {quote(edge.node)} adds rows to table {quote(table)}, "
                    f"and each run of {quote(replacing[0].node)} replaces them all.",
                    where=edge.where,
                    hint="let one of them write another table",
                )


def upserts_without_key(checked: Checked) -> Iterator[Finding]:
    """A table that is upserted says which columns tell its rows apart."""
    stores = {store.name: store for store in checked.graph.stores if store.kind is StoreKind.TABLE}
    for table, edges in _by_table(checked).items():
        done = {edge: _methods(checked, edge) for edge in edges}
        if stores[table].unique_on or any(_may_lay_key(checked, edge) for edge in edges):
            continue
        for edge, methods in done.items():
            if "upsert" in methods:
                yield Finding(
                    message=f"node {quote(edge.node)} upserts table {quote(table)}, "
                    'which has no "unique_on" to tell its rows apart.',
                    where=edge.where,
                    hint=f'add "unique_on": ["name_of_a_column"] to the table {quote(table)} in "stores"',
                )


def keys_without_column(checked: Checked) -> Iterator[Finding]:
    """What tells the rows of a table apart is a column of it."""
    shapes = checked.lineage.shapes if checked.lineage else {}
    for store in checked.graph.stores:
        shape = shapes.get(store.name) if store.unique_on else None
        if shape is None or (store.schema is None and not shape.is_closed):
            continue
        for column in store.unique_on:
            if column not in shape.columns:
                yield Finding(
                    message=f'"unique_on" of table {quote(store.name)} names column {quote(column)}, '
                    "which it does not have.",
                    where=store.where,
                    known=("known columns", tuple(shape.columns)),
                    hint=did_you_mean(column, shape.columns),
                )


def misspelt_columns(checked: Checked) -> Iterator[Finding]:
    """No column that is written has nearly the name of a declared one that the node leaves empty."""
    schemas = {
        store.name: store.schema
        for store in checked.graph.stores
        if store.schema is not None and store.schema.casting == "soft"
    }
    for node in checked.graph.nodes:
        if schemas.keys().isdisjoint(edge.store for edge in checked.graph.edges_of(node.name)):
            continue
        flows = [flow for flow in checked.flows(node) if flow.table in schemas]
        written = {(flow.table, flow.column) for flow in flows}
        for flow in flows:
            declared = schemas[flow.table].columns
            left = (name for name in declared if (flow.table, name) not in written)
            meant = next((name for name in left if _is_slip(flow.column, name)), None)
            if meant is not None and flow.column not in declared:
                yield Finding(
                    message=f"node {quote(node.name)} writes column {quote(flow.column)} of table "
                    f"{quote(flow.table)}, which does not declare it, and leaves one of nearly that name empty.",
                    where=flow.where,
                    known=("declared columns", tuple(declared)),
                    hint=f"did you mean {quote(meant)}?",
                )


def reads_after_writes(checked: Checked) -> Iterator[Finding]:
    """No script reads rows that it has written in the same run: reads see what was there before."""
    for node in checked.graph.nodes:
        for seen in node.analysis.observations:
            if seen.kind is Observed.READ_AFTER_WRITE:
                yield Finding(
                    message=f"node {quote(node.name)} reads table {quote(seen.name)} after writing to it, and "
                    "does not see what it wrote: rows become visible when the run has ended.",
                    where=seen.where,
                    hint="read before writing, or keep what was written in a variable",
                )


def stars_into_schemas(checked: Checked) -> Iterator[Finding]:
    """A select that fills a table with declared columns names them."""
    schemas = {store.name: store.schema for store in checked.graph.stores if store.kind is StoreKind.TABLE}
    for node in checked.graph.nodes:
        written = {e.store for e in checked.graph.edges_of(node.name) if e.access is Access.WRITE}
        # Reading the columns of a node takes time, and few tables declare theirs.
        if node.kind is not NodeKind.SQL or all(schemas.get(table) is None for table in written):
            continue
        for flow in checked.flows(node):
            columns, loose = schemas.get(flow.table), _loose_source(flow, schemas)
            if columns is not None and loose is not None:
                yield Finding(
                    message=f"node {quote(node.name)} copies every column of table {quote(loose)}, whatever "
                    f"they are, into table {quote(flow.table)}, whose columns are declared.",
                    where=flow.where,
                    hint="name the columns in the select",
                )


def _unknown_trigger_tables(checked: Checked, node: Node) -> Iterator[Finding]:
    trigger = node.spec.get("trigger")
    if not isinstance(trigger, Mapping) or "on" not in trigger:
        return
    edges = checked.graph.edges_of(node.name)
    names = {edge.store for edge in edges if edge.access is not Access.WRITE and edge.kind is StoreKind.TABLE}
    for table in trigger["on"]:
        if table not in names:
            yield Finding(
                message=f"node {quote(node.name)} is triggered by table {quote(table)}, "
                "which is not an input of it.",
                where=node.places.get("trigger", node.where),
                known=("inputs", tuple(sorted(names))),
                hint=did_you_mean(table, names),
                subject=table,
            )


def _known_tables(graph: Graph) -> frozenset[str]:
    declared = {store.name for store in graph.stores if store.declared and store.kind is StoreKind.TABLE}
    written = {
        edge.store for edge in graph.edges if edge.access is Access.WRITE and edge.kind is StoreKind.TABLE
    }
    return frozenset(declared | written)


def _by_table(checked: Checked) -> dict[str, list[Edge]]:
    """Give one edge a node for each table that is written."""
    found: dict[str, dict[str, Edge]] = defaultdict(dict)
    for (kind, table), edges in checked.writers.items():
        for edge in edges if kind is StoreKind.TABLE else ():
            found[table].setdefault(edge.node, edge)
    return {table: list(edges.values()) for table, edges in found.items()}


def _is_sql(checked: Checked, edge: Edge) -> bool:
    node = checked.graph.node(edge.node)
    return node is not None and node.kind is NodeKind.SQL


def _replaces(checked: Checked, edge: Edge) -> bool:
    node = checked.graph.node(edge.node)
    if node is None or node.kind is NodeKind.SQL:
        return node is not None and node.sql_kind == "select"
    return _methods(checked, edge) & _CHANGING in _REPLACING


def _appends(checked: Checked, edge: Edge) -> bool:
    node = checked.graph.node(edge.node)
    if node is None or node.kind is NodeKind.SQL:
        return node is not None and node.sql_kind == "insert"
    methods = _methods(checked, edge) & _CHANGING
    return node.kind is NodeKind.WEBHOOK or bool(methods and methods <= {"append", "upsert"})


def _methods(checked: Checked, edge: Edge) -> frozenset[str]:
    """Give what the node's script calls on the table, under all names that lead there."""
    ports = {
        other.port
        for other in checked.graph.edges_of(edge.node)
        if other.store == edge.store and other.access is Access.WRITE
    }
    node = checked.graph.node(edge.node)
    uses = node.analysis.uses if node else ()
    return frozenset(
        method
        for use in uses
        if use.kind == "table" and use.name in ports
        for method in use.detail.get("methods", ())
    )


def _may_lay_key(checked: Checked, edge: Edge) -> bool:
    """Tell whether the node's script mentions `unique_on`, as `table.init(unique_on=…)` does."""
    node = checked.graph.node(edge.node)
    files = (node.file or "", *node.analysis.imports) if node else ()
    return any(b"unique_on" in checked.sources.get(file, b"") for file in files)


def _loose_source(flow: ColumnFlow, schemas: Mapping[str, TableSchema | None]) -> str | None:
    """Give a table without declared columns all of whose columns are copied, if there is one."""
    tables = (source.table for source in flow.sources if source.column == EVERY_COLUMN)
    is_open = flow.column == EVERY_COLUMN
    return next((table for table in tables if is_open and schemas.get(table) is None), None)


def _is_slip(name: str, meant: str) -> bool:
    """Tell whether one letter is missing, too much, another or in another place; digits tell names apart."""
    start = next((at for at, (a, b) in enumerate(zip(name, meant, strict=False)) if a != b), None)
    at = min(len(name), len(meant)) if start is None else start
    here, there = name[at:], meant[at:]
    if min(len(name), len(meant)) < _SHORTEST or here[:1].isdigit() or there[:1].isdigit():
        return False
    is_swapped = here[:2] == there[1::-1] and here[2:] == there[2:]
    return here != there and (is_swapped or here[1:] == there or here == there[1:] or here[1:] == there[1:])


def _table_fault(name: str) -> str | None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        return None
    return "expected letters, digits and _, at most 63, the first not a digit"


def _file_fault(name: str) -> str | None:
    fault = path_fault(name)
    return None if fault is None else f"it {fault}"


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode() if not name.isprintable() else name
