"""From what the author wrote to the graph: nodes, stores and the edges between them.

Names in scripts are *ports*. A declared port leads to the store it is declared with, every other port to the
store of its own name. What a script declares wins over what its code shows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Any

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote, sort_diagnostics
from patterns_os.graph.analyses import Analyses
from patterns_os.graph.charts import analyse_chart
from patterns_os.graph.fingerprint import fingerprint
from patterns_os.graph.included import (
    Built,
    as_included,
    check_included,
    in_whole,
    node_data,
    secrets_in_sql,
    sql_names,
    start_included,
    taken_node,
    webhook_data,
    with_secrets,
)
from patterns_os.graph.memo import remember
from patterns_os.graph.parts import Part, find_parts
from patterns_os.graph.schemas import declared_schema
from patterns_os.graph.sources import Sources
from patterns_os.graph.sql_script import SqlScript
from patterns_os.graph.sql_text import POSTGRES
from patterns_os.graph.topology import topological_order
from patterns_os.graph.vertices import (
    Access,
    Analysis,
    Edge,
    Graph,
    Node,
    NodeKind,
    Origin,
    Store,
    StoreKind,
    Use,
)
from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.parse import Parsed
from patterns_os.manifest.scripts import file_ending
from patterns_os.manifest.spec import FileStoreSpec, ManifestSpec, ScriptSpec, TableStoreSpec, WebhookSpec

LANGUAGES: Mapping[str, NodeKind] = {
    ".py": NodeKind.PYTHON,
    ".sql": NodeKind.SQL,
    **dict.fromkeys((".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"), NodeKind.JAVASCRIPT),
}
LATER = {".jsx": "JSX", ".tsx": "JSX"}
OUTPUT_PORT = "output_table"
"""The port of a select that names no target."""


Ahead = Callable[[Sequence[Callable[[], object]]], None]
"""Does some of the given work before it is needed, in any order; what it leaves is done when it is."""


def build_graph(
    manifest: Parsed[ManifestSpec],
    sources: Sources,
    configuration: ConfigurationSpec | None,
    analyses: Analyses | None = None,
    ahead: Ahead | None = None,
) -> tuple[Graph | None, tuple[Diagnostic, ...]]:
    """Give the graph of the app and everything that is wrong with its scripts and ports.

    The order in which the manifest lists things plays no part. `None` only where the manifest has no spec.
    What needs the whole graph (circles, unknown tables, …) is for `check_graph`.
    """
    if manifest.spec is None:
        return None, ()
    parts, found = find_parts(manifest, sources)
    analyses = analyses or Analyses(sources)
    builders = [_Builder(part, sources, configuration, analyses) for part in parts]
    if ahead is not None:
        ahead([work for builder in builders for work in builder.analyses_to_make()])
    built = [one for builder in builders for one in builder.all()]
    if len(parts) > 1:
        built = start_included(parts, built)
    first: dict[str, Built] = {}
    for one in built:
        if one.node is not None and first.setdefault(one.node.name, one) is not one:
            found += taken_node(parts, first[one.node.name], one)
    nodes = tuple(sorted((one.node for one in first.values() if one.node), key=lambda node: node.name))
    declared = {part.store(store.name) for part in parts for store in part.spec.tables}
    led_to = _that_lead_somewhere(nodes, {edge for one in first.values() for edge in one.edges}, declared)
    edges = tuple(sorted(led_to, key=_edge_order))
    stores, wrong = _stores(parts, sources, edges)
    found += wrong
    if len(parts) > 1 or manifest.spec.exposes is not None:
        stores, wrong = check_included(parts, built, edges, stores)
        found += wrong
    graph = Graph(
        app=manifest.spec.name,
        nodes=nodes,
        stores=stores,
        edges=edges,
        models=_models(parts),
        order=topological_order(nodes, edges),
    )
    return graph, sort_diagnostics([*(one for done in built for one in done.diagnostics), *found])


@dataclass(frozen=True)
class _Builder:
    """Builds the nodes of one app of the whole."""

    part: Part
    sources: Sources
    configuration: ConfigurationSpec | None
    analyses: Analyses

    @property
    def spec(self) -> ManifestSpec:
        return self.part.spec

    def analyses_to_make(self) -> Iterator[Callable[[], object]]:
        """Give the work of each script that takes long, to be done in any order."""
        for script in self.spec.scripts:
            if not script.includes and script.file in self.sources:
                yield partial(self._analysed, as_included(self.part, script))

    def all(self) -> Iterator[Built]:
        scripts = enumerate(self.spec.scripts)
        yield from (self.script(index) for index, script in scripts if not script.includes)
        yield from (self.webhook(index) for index in range(len(self.spec.webhooks)))
        yield from (self.chart(index) for index in range(len(self.spec.charts)))

    def locate(self, *parts: str | int) -> Location:
        return self.part.locate(*parts)

    def script(self, index: int) -> Built:
        """Give the node of a script, from the memo where neither manifest nor files have changed."""
        if self.part.parent is not None:
            # What an included app's nodes become depends on the apps around it, too.
            return self._script(index)
        question = f"built {self.key} {index}".encode()
        return remember(self.analyses.memo, question, self.sources, partial(self._watched_script, index))

    @cached_property
    def key(self) -> str:
        """A hash (hex) of all that the nodes of the app depend on besides files."""
        document, configuration = self.part.manifest.document, self.configuration
        names = [(one.name, one.dialect) for one in configuration.storages] if configuration else []
        runtimes = [runtime.to_data() for runtime in configuration.runtimes] if configuration else []
        facts = (document.file, self.part.file, self.spec.name, names, runtimes)
        return sha256(document.text + repr(facts).encode("utf-8", "surrogatepass")).hexdigest()

    def _watched_script(self, index: int, seen: Sources) -> Built:
        analyses = replace(self.analyses, sources=seen)
        return replace(self, sources=seen, analyses=analyses)._script(index)  # noqa: SLF001 - itself, watched

    def _script(self, index: int) -> Built:
        script = as_included(self.part, self.spec.scripts[index])
        where = self.locate("scripts", index)
        kind = LANGUAGES.get(file_ending(script.file).lower())
        if kind is None:
            return Built(None, diagnostics=(self._language(script, index),))
        node = Node(
            name=self.part.node(script.node_name),
            kind=kind,
            where=where,
            file=script.file,
            spec=node_data(self.part, script),
            places=self._places(self.spec.scripts[index], index),
            group=self.part.group,
        )
        if script.file not in self.sources:
            # The rule about missing files tells the author.
            return Built(replace(node, parameters=script.parameters or {}))
        if kind is NodeKind.SQL:
            return self._sql(node, script)
        javascript = kind is NodeKind.JAVASCRIPT
        look = self.analyses.javascript if javascript else self.analyses.python
        return self._finish(node, script, *look(script.file))

    def webhook(self, index: int) -> Built:
        webhook = self.spec.webhooks[index]
        where = self.locate("webhooks", index)
        data = webhook_data(self.part, webhook)
        node = Node(
            name=self.part.node(webhook.node_name),
            kind=NodeKind.WEBHOOK,
            where=where,
            spec=data,
            content=fingerprint((), self.sources, data, None),
            group=self.part.group,
        )
        own = (self._webhook_edge(webhook, node, index),)
        return Built(node, in_whole(self.part, own), (), own)

    def chart(self, index: int) -> Built:
        chart = self.spec.charts[index]
        file, where = self.part.path(chart.file), self.locate("charts", index, "table")
        node = Node(
            name=self.part.node(chart.node_name),
            kind=NodeKind.CHART,
            where=self.locate("charts", index),
            file=file,
            spec=chart.to_data() | {"table": self.part.store(chart.table)},
            places={key: self.locate("charts", index, key) for key in ("file", "table")},
            group=self.part.group,
        )
        found: list[Diagnostic] = []
        if file in self.sources:
            analysis, found = analyse_chart(file, self.sources[file], chart.table, where)
            content = fingerprint((file,), self.sources, {}, None)
            node = replace(node, analysis=analysis, content=content)
        edge = Edge(
            node=node.name,
            store=chart.table,
            port=chart.table,
            kind=StoreKind.TABLE,
            access=Access.READ,
            origin=Origin.DECLARED,
            where=where,
        )
        return Built(node, in_whole(self.part, (edge,)), tuple(found), (edge,))

    def _webhook_edge(self, webhook: WebhookSpec, node: Node, index: int) -> Edge:
        return Edge(
            node=node.name,
            store=webhook.table,
            port=webhook.table,
            kind=StoreKind.TABLE,
            access=Access.WRITE,
            origin=Origin.DECLARED,
            where=self.locate("webhooks", index, "table"),
        )

    def _analysed(self, script: ScriptSpec) -> object:
        match LANGUAGES.get(file_ending(script.file).lower()):
            case NodeKind.SQL:
                return self._analysed_sql(script)
            case NodeKind.JAVASCRIPT:
                return self.analyses.javascript(script.file)
            case NodeKind.PYTHON:
                return self.analyses.python(script.file)
            case _:
                return None

    def _analysed_sql(self, script: ScriptSpec) -> SqlScript:
        ports = sql_names(self.part, script, self.sources[script.file])
        values = self._app_parameters() | (script.parameters or {}) | dict(self.part.parameters)
        return self.analyses.sql(script.file, values, ports, self._dialect(script))

    def _dialect(self, script: ScriptSpec) -> str:
        """Give the dialect of the storage that the script's declared tables are in: all are in one."""
        databases = self.configuration.databases if self.configuration else ()
        known = {storage.name: storage.dialect for storage in databases}
        inputs = [given.table for given in (script.declared_inputs or {}).values()]
        used = {*(script.declared_outputs or {}).values(), *inputs}
        named = [
            store.storage_name for store in self.spec.tables if store.name in used and store.storage_name
        ]
        default = databases[0].dialect if databases else None
        return (known.get(named[0]) if named else default) or POSTGRES

    def _sql(self, node: Node, script: ScriptSpec) -> Built:
        result = self._analysed_sql(script)
        output = self._sql_output(script, result)
        node = replace(node, sql=result.statements, sql_kind=result.kind)
        if isinstance(output, Diagnostic):
            return self._finish(node, script, _without_output(result.analysis), [*result.diagnostics, output])
        node = replace(node, traced=replace(result.traced, output=output) if result.traced else None)
        analysis = _with_output(result.analysis, output)
        return self._finish(node, script, analysis, list(result.diagnostics))

    def _finish(
        self, node: Node, script: ScriptSpec, analysis: Analysis, diagnostics: list[Diagnostic]
    ) -> Built:
        parameters = self._parameters(script, analysis)
        files = (script.file, *analysis.imports)
        content = fingerprint(files, self.sources, parameters, self._runtime(script))
        spec = with_secrets(node.spec, parameters)
        node = replace(node, analysis=analysis, parameters=parameters, content=content, spec=spec)
        ports = _Ports(node, script, {store.name for store in self.spec.files})
        own = tuple(ports.edges())
        found = (*diagnostics, *ports.undeclared(), *secrets_in_sql(node))
        return Built(node, in_whole(self.part, own), found, own)

    def _sql_output(self, script: ScriptSpec, result: SqlScript) -> str | Diagnostic:
        """Give the port that a select fills; the port of the SQL itself if it names a target."""
        outputs = script.declared_outputs or {}
        implicit = [use for use in result.analysis.uses if use.detail.get("implicit")]
        if not implicit or OUTPUT_PORT in outputs:
            return OUTPUT_PORT
        if len(outputs) == 1:
            return next(iter(outputs))
        if not outputs and any(store.name == OUTPUT_PORT for store in self.spec.tables):
            return OUTPUT_PORT
        declares = f"declares {len(outputs)} outputs" if outputs else "declares no output"
        return Diagnostic(
            code="output-unknown",
            message=f'the select in "{script.file}" has no table to fill: the script {declares}.',
            where=implicit[0].where,
            hint='add "outputs": ["name_of_a_table"] to the script in manifest.json',
        )

    def _language(self, script: ScriptSpec, index: int) -> Diagnostic:
        ending = file_ending(script.file)
        language = LATER.get(ending.lower())
        reason = f"scripts in {language} are not supported yet" if language else "its language is not known"
        return Diagnostic(
            code="language-not-supported",
            message=f"script {quote(script.file)} cannot run: {reason}.",
            where=self.locate("scripts", index, "file"),
            known=("known endings", tuple(sorted(LANGUAGES))),
        )

    def _places(self, script: ScriptSpec, index: int) -> dict[str, Location]:
        given = sorted(script.model_fields_set & set(type(script).model_fields))
        return {key: self.locate("scripts", index, key) for key in given}

    def _app_parameters(self) -> dict[str, Any]:
        given = [entry for entry in self.spec.parameters if "default" in entry.model_fields_set]
        return {entry.name: entry.default for entry in given}

    def _parameters(self, script: ScriptSpec, analysis: Analysis) -> dict[str, Any]:
        asked = {use.name for use in analysis.uses if use.kind == "parameter"}
        shared = {name: value for name, value in self._app_parameters().items() if name in asked}
        merged = shared | (script.parameters or {})
        # What the app around this one gives wins, and goes to the nodes that ask for it.
        meant = merged.keys() | asked
        merged |= {
            name: value for name, value in self.part.parameters.items() if name in meant or analysis.unknown
        }
        return {name: merged[name] for name in sorted(merged)}

    def _runtime(self, script: ScriptSpec) -> Mapping[str, Any] | None:
        if script.runtime is None:
            return None
        known = self.configuration.runtimes if self.configuration else ()
        found = [runtime.to_data() for runtime in known if runtime.name == script.runtime]
        return found[0] if found else {"name": script.runtime}


@dataclass(frozen=True, slots=True)
class _Ports:
    """Maps the names that a script uses to stores."""

    node: Node
    script: ScriptSpec
    files: set[str]

    def edges(self) -> Iterator[Edge]:
        seen: set[tuple[str, Access]] = set()
        for use in _store_uses(self.node.analysis):
            access = use.access or Access.READ
            if access is not Access.WRITE:
                access = self._declared_access(use.name) or access
            seen.add((use.name, Access.WRITE if access is Access.WRITE else Access.READ))
            yield self._edge(self._store(use.name, access), use.name, access, Origin.INFERRED, use)
        yield from self._unseen_inputs(seen)
        yield from self._unseen_outputs(seen)

    def undeclared(self) -> Iterator[Diagnostic]:
        """Give the tables that the code proves and the declaration lacks."""
        reported: set[tuple[str, bool]] = set()
        for use in _store_uses(self.node.analysis):
            writes = use.access is Access.WRITE
            if not writes and _is_optional(use):
                continue
            if not self._is_declared(use.name, writes=writes) and (use.name, writes) not in reported:
                reported.add((use.name, writes))
                yield self._undeclared(use, writes=writes)

    def _undeclared(self, use: Use, *, writes: bool) -> Diagnostic:
        part, verb = ("outputs", "writes") if writes else ("inputs", "reads")
        known = sorted(self._outputs() if writes else self._inputs())
        return Diagnostic(
            code="undeclared-table",
            message=f"node {quote(self.node.name)} {verb} {use.kind} {quote(use.name)}, which its "
            f'"{part}" do not declare.',
            where=use.where,
            known=(f"declared {part}", tuple(known)),
            hint=did_you_mean(use.name, known) or f'add {quote(use.name)} to the "{part}" of the script',
        )

    def _is_declared(self, port: str, *, writes: bool) -> bool:
        if self.script.open_ports:
            return True
        if writes:
            return self.script.outputs is None or port in self._outputs()
        if self.script.inputs is None or port in self._inputs():
            return True
        # A node may look at what it writes.
        return port in self._outputs() or (self.script.outputs is None and port in self._written())

    def _store(self, port: str, access: Access) -> str:
        inputs, outputs = self._inputs(), self._outputs()
        if access is Access.WRITE:
            return outputs.get(port, port)
        return inputs[port][0] if port in inputs else outputs.get(port, port)

    def _edge(self, store: str, port: str, access: Access, origin: Origin, use: Use | Location) -> Edge:
        known = {seen.name for seen in _store_uses(self.node.analysis) if seen.kind == "file"}
        is_file = use.kind == "file" if isinstance(use, Use) else store in self.files or port in known
        declared = port in (self._outputs() if access is Access.WRITE else self._inputs())
        return Edge(
            node=self.node.name,
            store=store,
            port=port,
            kind=StoreKind.FILE if is_file else StoreKind.TABLE,
            access=access,
            origin=Origin.DECLARED if declared else origin,
            where=use.where if isinstance(use, Use) else use,
        )

    def _unseen_inputs(self, seen: set[tuple[str, Access]]) -> Iterator[Edge]:
        # Where the code hides what it opens, a declared input may be a stream, and needs a cursor then.
        hidden = self.node.kind is not NodeKind.SQL and bool(self.node.analysis.unknown)
        for port, (store, access) in self._inputs().items():
            if (port, Access.READ) not in seen:
                guess = Access.STREAM if hidden and store not in self.files else Access.READ
                where = self.node.places.get("inputs", self.node.where)
                yield self._edge(store, port, access or guess, Origin.DECLARED, where)

    def _unseen_outputs(self, seen: set[tuple[str, Access]]) -> Iterator[Edge]:
        for port, store in self._outputs().items():
            if (port, Access.WRITE) not in seen:
                where = self.node.places.get("outputs", self.node.where)
                yield self._edge(store, port, Access.WRITE, Origin.DECLARED, where)

    def _declared_access(self, port: str) -> Access | None:
        entry = self._inputs().get(port)
        return entry[1] if entry else None

    def _inputs(self) -> dict[str, tuple[str, Access | None]]:
        entries = self.script.declared_inputs or {}
        return {
            port: (entry.table, Access(entry.access) if entry.access else None)
            for port, entry in entries.items()
        }

    def _outputs(self) -> dict[str, str]:
        return self.script.declared_outputs or {}

    def _written(self) -> set[str]:
        return {use.name for use in _store_uses(self.node.analysis) if use.access is Access.WRITE}


def _that_lead_somewhere(
    nodes: Iterable[Node], edges: AbstractSet[Edge], declared: AbstractSet[str]
) -> Iterator[Edge]:
    """Leave out reads of tables that a script says need not be there, and that are not."""
    known = declared | {edge.store for edge in edges if edge.access is Access.WRITE}
    optional = {(node.name, use.name) for node in nodes for use in node.analysis.uses if _is_optional(use)}
    for edge in edges:
        if edge.access is Access.WRITE or edge.store in known or (edge.node, edge.port) not in optional:
            yield edge


def _is_optional(use: Use) -> bool:
    return use.kind == "table" and use.detail.get("required") is False


def _store_uses(analysis: Analysis) -> Iterator[Use]:
    return (use for use in analysis.uses if use.kind in {"table", "file"})


def _with_output(analysis: Analysis, port: str) -> Analysis:
    uses = (replace(use, name=port) if use.detail.get("implicit") else use for use in analysis.uses)
    return replace(analysis, uses=tuple(uses))


def _without_output(analysis: Analysis) -> Analysis:
    return replace(analysis, uses=tuple(use for use in analysis.uses if not use.detail.get("implicit")))


def _stores(
    parts: Iterable[Part], sources: Sources, edges: Iterable[Edge]
) -> tuple[tuple[Store, ...], list[Diagnostic]]:
    stores: dict[tuple[StoreKind, str], Store] = {}
    diagnostics: list[Diagnostic] = []
    for part in parts:
        for index, spec in enumerate(part.spec.stores):
            store, found = _declared_store(spec, part, sources, index)
            if part.parent is not None:
                store = replace(store, name=part.store(spec.name, store.kind), group=part.owner(spec.name))
            stores.setdefault((store.kind, store.name), store)
            diagnostics += found
    undeclared = [edge for edge in edges if (edge.kind, edge.store) not in stores]
    for edge in sorted(undeclared, key=lambda edge: (edge.access is not Access.WRITE, edge.where)):
        implied = Store(name=edge.store, kind=edge.kind, declared=False, where=edge.where)
        stores.setdefault((edge.kind, edge.store), implied)
    return tuple(sorted(stores.values(), key=lambda store: (store.name, store.kind))), diagnostics


def _declared_store(
    spec: TableStoreSpec | FileStoreSpec, part: Part, sources: Sources, index: int
) -> tuple[Store, tuple[Diagnostic, ...]]:
    where = part.locate("stores", index)
    if not isinstance(spec, TableStoreSpec):
        kind = StoreKind.FILE
        return Store(name=spec.name, kind=kind, declared=True, where=where, storage=spec.storage_name), ()
    locate = partial(part.locate, "stores", index)
    schema, found = declared_schema(spec, sources, lambda path: locate(*path), part.path)
    store = Store(
        name=spec.name,
        kind=StoreKind.TABLE,
        declared=True,
        where=where,
        schema=schema,
        unique_on=tuple(spec.unique_on or ()),
        storage=spec.storage_name,
        retention=spec.retention.to_data() if spec.retention else None,
    )
    return store, found


def _models(parts: Iterable[Part]) -> dict[str, Mapping[str, Any]]:
    """Give the models of all apps, the outermost one's first: of two of one name its own counts."""
    models: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        for model in part.spec.models:
            models.setdefault(model.name, model.to_data())
    return models


def _edge_order(edge: Edge) -> tuple[str, str, str, str, Location]:
    return edge.node, edge.store, edge.access, edge.port, edge.where
