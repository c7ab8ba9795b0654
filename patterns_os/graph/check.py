"""What can be wrong with a graph as a whole: one small function a rule, and the table of all rules."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from patterns_os.diagnostics import Diagnostic, Location, Severity, did_you_mean, quote, sort_diagnostics
from patterns_os.graph.sources import Sources
from patterns_os.graph.topology import cycles
from patterns_os.graph.vertices import Access, Edge, Graph, NodeKind, StoreKind
from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.values import path_fault

TEXT_MODELS = frozenset({"chat", "next-token-text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What rules look at; `configuration` is `None` where there is no patterns.json."""

    graph: Graph
    sources: Sources
    configuration: ConfigurationSpec | None = None


Rule = Callable[[Checked], Iterator[Diagnostic]]


def check_graph(checked: Checked) -> tuple[Diagnostic, ...]:
    """Give everything that is wrong with the graph as a whole, sorted by place."""
    return sort_diagnostics(found for rule in RULES for found in rule(checked))


def missing_files(checked: Checked) -> Iterator[Diagnostic]:
    """Each script is in the app folder."""
    known = tuple(path for path in checked.sources if path.endswith((".py", ".sql")))
    for node in checked.graph.nodes:
        if node.file is not None and node.file not in checked.sources:
            yield Diagnostic(
                code="missing-file",
                message=f"script {quote(node.file)} does not exist.",
                where=node.places.get("file", node.where),
                known=("known scripts", known),
                hint=did_you_mean(node.file, known),
            )


def wrong_names(checked: Checked) -> Iterator[Diagnostic]:
    """Tables and files that scripts name have names that such stores can have."""
    for edge in checked.graph.edges:
        fault = _table_fault(edge.store) if edge.kind is StoreKind.TABLE else _file_fault(edge.store)
        if fault is not None:
            yield Diagnostic(
                code="wrong-name",
                message=f"{quote(_shown(edge.store))} cannot be the name of a {edge.kind}: {fault}.",
                where=edge.where,
            )


def unknown_tables(checked: Checked) -> Iterator[Diagnostic]:
    """Each table that is read is declared, or written by a node."""
    known = _known_tables(checked.graph)
    for edge in checked.graph.edges:
        if edge.kind is StoreKind.TABLE and edge.access is not Access.WRITE and edge.store not in known:
            yield Diagnostic(
                code="unknown-table",
                message=f"node {quote(edge.node)} reads table {quote(_shown(edge.store))}, "
                "which nothing declares and nothing writes.",
                where=edge.where,
                known=("known tables", known),
                hint=did_you_mean(edge.store, known)
                or f'add {{"table": {quote(_shown(edge.store))}}} to "stores" if something else fills it',
            )


def unknown_trigger_tables(checked: Checked) -> Iterator[Diagnostic]:
    """Each table that is named as a trigger is an input of the node."""
    for node in checked.graph.nodes:
        trigger = node.spec.get("trigger")
        edges = checked.graph.edges_of(node.name)
        inputs = tuple(
            sorted({e.store for e in edges if e.access is not Access.WRITE and e.kind is StoreKind.TABLE})
        )
        for table in trigger.get("on", ()) if isinstance(trigger, dict) else ():
            if table not in inputs:
                yield Diagnostic(
                    code="unknown-table",
                    message=f"node {quote(node.name)} is triggered by table {quote(table)}, "
                    "which is not an input of it.",
                    where=node.places.get("trigger", node.where),
                    known=("inputs", inputs),
                    hint=did_you_mean(table, inputs),
                )


def unknown_storages(checked: Checked) -> Iterator[Diagnostic]:
    """Each storage that a store names is in patterns.json, and holds such stores."""
    for store in checked.graph.stores:
        known = _storages(checked, store.kind)
        if store.storage is not None and store.storage not in known:
            yield Diagnostic(
                code="unknown-storage",
                message=f"{store.kind} {quote(store.name)} is in storage {quote(store.storage)}, "
                f"which is not a {'database' if store.kind is StoreKind.TABLE else 'file'} storage "
                "of patterns.json.",
                where=store.where,
                known=("known storages", known),
                hint=did_you_mean(store.storage, known),
            )


def repeated_inserts(checked: Checked) -> Iterator[Diagnostic]:
    """A SQL script that inserts reads new rows only, or looks at its own output to leave out the old ones."""
    for node in checked.graph.nodes:
        edges = checked.graph.edges_of(node.name)
        reads = sorted({edge.store for edge in edges if edge.access is Access.READ})
        written = {edge.store for edge in edges if edge.access is Access.WRITE}
        streams = any(edge.access is Access.STREAM for edge in edges)
        if node.analysis.statement != "insert" or streams or not reads or written & set(reads):
            continue
        yield Diagnostic(
            code="insert-repeats",
            message=f"each run of {quote(node.name)} inserts all rows of {quote(reads[0])} again.",
            where=node.where,
            hint=f'read {{{{ Table("{reads[0]}").new }}}} for the rows that are new, or use a bare select, '
            "which replaces",
            severity=Severity.WARNING,
        )


def mixed_storages(checked: Checked) -> Iterator[Diagnostic]:
    """All tables of a SQL script are in one storage: one statement runs in one database."""
    storages = {store.name: store.storage for store in checked.graph.stores if store.kind is StoreKind.TABLE}
    for node in checked.graph.nodes:
        tables = sorted({edge.store for edge in checked.graph.edges_of(node.name)})
        used = {storages.get(table) or "" for table in tables}
        if node.kind is NodeKind.SQL and len(used) > 1:
            named = ", ".join(f"{quote(t)} in {quote(storages.get(t) or 'the default')}" for t in tables)
            yield Diagnostic(
                code="mixed-storages",
                message=f"node {quote(node.name)} is one SQL statement over several storages: {named}.",
                where=node.where,
                hint="move the rows with a Python script between them",
            )


def unknown_runtimes(checked: Checked) -> Iterator[Diagnostic]:
    """Each runtime that a script names is in patterns.json."""
    runtimes = checked.configuration.runtimes if checked.configuration else ()
    known = tuple(runtime.name for runtime in runtimes)
    for node in checked.graph.nodes:
        runtime = node.spec.get("runtime")
        if runtime is not None and runtime not in known:
            yield Diagnostic(
                code="unknown-runtime",
                message=f"node {quote(node.name)} runs in runtime {quote(runtime)}, "
                "which patterns.json does not have.",
                where=node.places.get("runtime", node.where),
                known=("known runtimes", known),
                hint=did_you_mean(runtime, known),
            )


def circles(checked: Checked) -> Iterator[Diagnostic]:
    """No table triggers its own writer, directly or through others."""
    for path in cycles(checked.graph):
        edge = _closing_edge(checked.graph, path)
        shown = " → ".join(path)
        if len(path) == 3:  # noqa: PLR2004 - node, table and the node again
            yield Diagnostic(
                code="self-trigger",
                message=f"node {quote(path[0])} streams table {quote(path[1])}, which it writes: {shown}.",
                where=edge,
                hint=f"look at its rows with .read(), or write another table than {quote(path[1])}",
            )
        else:
            yield Diagnostic(
                code="cycle",
                message=f"tables trigger their own writers in a circle: {shown}.",
                where=edge,
                hint="let one of these nodes run by a cron and look at its table with .read()",
            )


def two_replacers(checked: Checked) -> Iterator[Diagnostic]:
    """A table that a select replaces has one such select."""
    replacing: dict[str, list[Edge]] = defaultdict(list)
    for node in checked.graph.nodes:
        if node.sql_kind == "select":
            for edge in checked.graph.edges_of(node.name):
                if edge.access is Access.WRITE:
                    replacing[edge.store].append(edge)
    for table, edges in replacing.items():
        for edge in edges[1:]:
            yield Diagnostic(
                code="two-replacers",
                message=f"nodes {quote(edges[0].node)} and {quote(edge.node)} both replace table "
                f"{quote(table)}, and each would undo the other.",
                where=edge.where,
                hint=f'append in one of them with insert into "{table}" select …',
            )


def missing_parameters(checked: Checked) -> Iterator[Diagnostic]:
    """Each parameter that a script asks for has a value or a default."""
    for node in checked.graph.nodes:
        for use in node.analysis.uses:
            needed = use.kind == "parameter" and use.detail.get("required", False)
            if needed and use.name not in node.parameters:
                yield Diagnostic(
                    code="missing-parameter",
                    message=f"node {quote(node.name)} asks for parameter {quote(use.name)}, "
                    "which has neither a value nor a default.",
                    where=use.where,
                    known=("given parameters", tuple(node.parameters)),
                    hint=did_you_mean(use.name, node.parameters)
                    or f'add "parameters": {{{quote(use.name)}: …}} to the script in manifest.json',
                )


def unknown_parameters(checked: Checked) -> Iterator[Diagnostic]:
    """Each parameter that the manifest gives is asked for."""
    for node in checked.graph.nodes:
        asked = tuple(sorted({use.name for use in node.analysis.uses if use.kind == "parameter"}))
        understood = node.file in checked.sources and not node.analysis.unknown and node.analysis.uses
        for name in node.parameters if understood else ():
            if name not in asked:
                yield Diagnostic(
                    code="unknown-parameter",
                    message=f"node {quote(node.name)} is given parameter {quote(name)}, "
                    "which its script never asks for.",
                    where=node.places.get("parameters", node.where),
                    known=("parameters of the script", asked),
                    hint=did_you_mean(name, asked),
                    severity=Severity.WARNING,
                )


def unwritten_outputs(checked: Checked) -> Iterator[Diagnostic]:
    """Each output that a script declares is written, as far as its code tells."""
    for node in checked.graph.nodes:
        if node.kind is not NodeKind.PYTHON or node.file not in checked.sources or node.analysis.unknown:
            continue
        stores = [use for use in node.analysis.uses if use.kind in {"table", "file"}]
        written = {use.name for use in stores if use.access in {Access.WRITE, None}}
        for edge in checked.graph.edges_of(node.name):
            if edge.access is Access.WRITE and edge.port not in written:
                yield Diagnostic(
                    code="output-not-written",
                    message=f"node {quote(node.name)} declares output {quote(edge.port)} and never "
                    "writes it.",
                    where=edge.where,
                    hint=did_you_mean(edge.port, written),
                    severity=Severity.WARNING,
                )


def unknown_models(checked: Checked) -> Iterator[Diagnostic]:
    """Each model that a script asks for is declared or bound; `import openai` needs a text model."""
    known = _models(checked)
    has_text = any(kind in TEXT_MODELS for kind in known.values())
    for node in checked.graph.nodes:
        for use in node.analysis.uses:
            if use.kind == "model" and use.name and use.name not in known:
                yield Diagnostic(
                    code="unknown-model",
                    message=f"node {quote(node.name)} asks for model {quote(use.name)}, "
                    "which neither manifest.json nor patterns.json knows.",
                    where=use.where,
                    known=("known models", tuple(sorted(known))),
                    hint=did_you_mean(use.name, known)
                    or f'add {{"name": {quote(use.name)}, "type": "chat"}} to "models" in manifest.json',
                    severity=Severity.WARNING,
                )
            elif use.kind == "model" and not use.name and not has_text:
                yield Diagnostic(
                    code="no-text-model",
                    message=f'node {quote(node.name)} imports "openai", which the app\'s text model answers, '
                    "and no text model is declared or bound: calls to it will fail.",
                    where=use.where,
                    hint="patterns add model text --provider echo (made-up answers, to try it offline)",
                    severity=Severity.WARNING,
                )


RULES: tuple[Rule, ...] = (
    missing_files,
    wrong_names,
    unknown_tables,
    unknown_trigger_tables,
    unknown_storages,
    repeated_inserts,
    mixed_storages,
    unknown_runtimes,
    circles,
    two_replacers,
    missing_parameters,
    unknown_parameters,
    unwritten_outputs,
    unknown_models,
)


def _known_tables(graph: Graph) -> tuple[str, ...]:
    declared = {store.name for store in graph.stores if store.declared and store.kind is StoreKind.TABLE}
    written = {
        edge.store for edge in graph.edges if edge.access is Access.WRITE and edge.kind is StoreKind.TABLE
    }
    return tuple(sorted(declared | written))


def _storages(checked: Checked, kind: StoreKind) -> tuple[str, ...]:
    if checked.configuration is None:
        return ()
    is_table = kind is StoreKind.TABLE
    storages = checked.configuration.databases if is_table else checked.configuration.file_storages
    return tuple(storage.name for storage in storages)


def _models(checked: Checked) -> dict[str, str]:
    bound = checked.configuration.models if checked.configuration else ()
    found = {binding.name: "chat" for binding in bound}
    return found | {name: str(data.get("type")) for name, data in checked.graph.models.items()}


def _closing_edge(graph: Graph, path: tuple[str, ...]) -> Location | None:
    """Give the place where the first node of the circle uses the table that closes it."""
    uses = [
        edge
        for edge in graph.edges_of(path[-1])
        if edge.store == path[-2] and edge.access is not Access.WRITE
    ]
    return min((edge.where for edge in uses), default=None)


def _table_fault(name: str) -> str | None:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        return None
    return "expected letters, digits and _, at most 63, the first not a digit"


def _file_fault(name: str) -> str | None:
    fault = path_fault(name)
    return None if fault is None else f"it {fault}"


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode() if not name.isprintable() else name
