"""From the graph to the plan: when each node runs, on what, and who answers for its models."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Literal

from patterns_os import __version__
from patterns_os.diagnostics import Diagnostic, has_errors, quote, sort_diagnostics
from patterns_os.graph.included import asked_secret
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import (
    Access,
    Edge,
    Graph,
    Node,
    NodeKind,
    Store,
    StoreKind,
)
from patterns_os.manifest.configuration import ConfigurationSpec, ModelBindingSpec
from patterns_os.plan.spec import (
    DEFAULT_BODY_BYTES,
    Plan,
    PlannedChart,
    PlannedCron,
    PlannedInput,
    PlannedModel,
    PlannedNode,
    PlannedOutput,
    PlannedSource,
    PlannedTable,
    PlannedWebhook,
)

CronParser = Callable[[str, str], object]
"""Reads a cron expression in a time zone; `ValueError` with a sentence if it never comes."""

_KINDS: Mapping[NodeKind, Literal["python", "sql", "javascript"]] = {
    NodeKind.PYTHON: "python",
    NodeKind.SQL: "sql",
    NodeKind.JAVASCRIPT: "javascript",
}
TEXT_MODELS = frozenset({"chat", "next-token-text"})


def build_plan(
    graph: Graph,
    configuration: ConfigurationSpec | None,
    parse_cron: CronParser | None = None,
    sources: Sources | None = None,
    *,
    lineage: Lineage | None = None,
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """Give the plan of an app, or `None` with what is wrong.

    The graph is taken to be free of errors: nodes without a script or a query are left out.

    Args:
        graph: The app, as `build_graph` gives it.
        configuration: patterns.json; `None` means defaults everywhere.
        parse_cron: Tells whether a cron can be kept: triggers know, and the plan does not. Without it only
            the shape of crons is checked, by whoever read the manifest.
        sources: The files of the app; without them the plan does not say which files its nodes run.
        lineage: Where columns come from; without it the plan does not say which columns its nodes give.
    """
    found: list[Diagnostic] = []
    files = _Files(sources if sources is not None else Sources({}), configuration)
    models = _models(graph, configuration)
    text_model = _text_model(graph, models)
    nodes = [node for node in graph.nodes if node.kind not in {NodeKind.WEBHOOK, NodeKind.CHART}]
    plan = Plan(
        app=graph.app,
        nodes=tuple(
            _node(graph, node, found, files, text_model=text_model, parse_cron=parse_cron, lineage=lineage)
            for node in nodes
        ),
        tables=tuple(_table(store) for store in graph.stores if store.kind is StoreKind.TABLE),
        webhooks=tuple(_webhook(node) for node in graph.nodes if node.kind is NodeKind.WEBHOOK),
        charts=tuple(_chart(node, files) for node in graph.nodes if node.kind is NodeKind.CHART),
        files=tuple(store.name for store in graph.stores if store.kind is StoreKind.FILE),
        models=models,
        toolchain=_toolchain(nodes),
    )
    return None if has_errors(found) else plan, sort_diagnostics(found)


def _node(
    graph: Graph,
    node: Node,
    found: list[Diagnostic],
    files: "_Files",
    *,
    text_model: str | None,
    parse_cron: CronParser | None,
    lineage: Lineage | None,
) -> PlannedNode:
    edges = graph.edges_of(node.name)
    cron = _cron(node, parse_cron, found)
    inputs = _inputs(node, edges)
    spec = node.spec
    trigger = spec.get("trigger")
    return PlannedNode(
        name=node.name,
        kind=_KINDS[node.kind],
        file=node.file or "",
        content=node.content,
        inputs=inputs,
        outputs=_outputs(edges, (lineage.given.get(node.name) if lineage else None) or {}),
        sources=files.run_by(node),
        runtime=files.runtime(node),
        files={edge.port: edge.store for edge in edges if edge.kind is StoreKind.FILE},
        when=trigger.get("when", "any") if isinstance(trigger, Mapping) else "any",
        cron=cron,
        manual=cron is None and not any(entry.triggering for entry in inputs),
        parameters=dict(node.parameters),
        secrets=_secrets(node),
        models=_models_of(node, text_model),
        sql=node.sql,
        sql_kind=node.sql_kind,
        **_settings(spec),
    )


class _Files:
    """What lies in the app folder for a node: the files that it runs, and its runtime with its own file."""

    def __init__(self, sources: Sources, configuration: ConfigurationSpec | None) -> None:
        self._sources = sources
        known = configuration.runtimes if configuration else ()
        self._runtimes = {runtime.name: runtime.to_data() for runtime in known}

    def run_by(self, node: Node) -> tuple[PlannedSource, ...]:
        """Give script and imports; a package's `__init__.py` runs with each of its modules."""
        paths = {path for path in (node.file, *node.analysis.imports) if path and path in self._sources}
        packages = {f"{folder}/__init__.py" for path in paths for folder in _folders(path)}
        paths |= {path for path in packages if path in self._sources and node.kind is NodeKind.PYTHON}
        return tuple(PlannedSource(path=path, content=self.digest(path)) for path in sorted(paths))

    def runtime(self, node: Node) -> dict[str, Any] | None:
        """Give what is known of the node's runtime; `content` is the hash of the file that it is built from."""
        name = node.spec.get("runtime")
        if name is None:
            return None
        runtime = self._runtimes.get(name, {"name": name})
        file = str(runtime.get("requirements") or runtime.get("dockerfile") or "")
        return {**runtime, "content": self.digest(file)} if file in self._sources else dict(runtime)

    def digest(self, path: str) -> str:
        """Give the hash of a file, empty where there is none."""
        return self._sources.digest(path) or ""


def _settings(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the author set, under the plan's names; everything else keeps the plan's default."""
    names = {"retries": "retries", "timeout": "timeout_s", "on_error": "on_error"}
    names |= {"start": "start", "isolation": "isolation", "max_hops": "max_hops"}
    return {name: spec[key] for key, name in names.items() if spec.get(key) is not None}


def _inputs(node: Node, edges: Iterable[Edge]) -> tuple[PlannedInput, ...]:
    tables = [edge for edge in edges if edge.kind is StoreKind.TABLE]
    written = {edge.store for edge in tables if edge.access is Access.WRITE}
    by_port: dict[tuple[str, str], Edge] = {}
    for edge in tables:
        key = (edge.store, edge.port)
        # One who streams a table and looks at it too has a cursor on it.
        if edge.access is Access.STREAM or (edge.access is Access.READ and key not in by_port):
            by_port[key] = edge
    triggering = _triggering(node, list(by_port.values()), written)
    return tuple(
        PlannedInput(
            table=edge.store,
            port=edge.port,
            access="stream" if edge.access is Access.STREAM else "read",
            triggering=edge.store in triggering,
        )
        for _, edge in sorted(by_port.items())
    )


def _triggering(node: Node, inputs: list[Edge], written: set[str]) -> set[str]:
    trigger = node.spec.get("trigger")
    streamed = {edge.store for edge in inputs if edge.access is Access.STREAM}
    # A node that says how often a row may come round can stream what it writes itself.
    own = written - streamed if node.spec.get("max_hops") else written
    tables = {edge.store for edge in inputs} - own
    if isinstance(trigger, Mapping) and "on" in trigger:
        return tables & set(trigger["on"])
    if trigger is not None:
        # A cron replaces the reactive trigger; "manual" is none at all.
        return set()
    return tables & streamed if streamed else tables


def _outputs(
    edges: Iterable[Edge], given: Mapping[str, Mapping[str, str | None] | None]
) -> tuple[PlannedOutput, ...]:
    written = {
        (edge.store, edge.port)
        for edge in edges
        if edge.kind is StoreKind.TABLE and edge.access is Access.WRITE
    }
    return tuple(
        PlannedOutput(table=store, port=port, columns=_columns(given.get(store)))
        for store, port in sorted(written)
    )


def _columns(given: Mapping[str, str | None] | None) -> dict[str, str | None] | None:
    return None if given is None else dict(given)


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _cron(node: Node, parse_cron: CronParser | None, found: list[Diagnostic]) -> PlannedCron | None:
    trigger = node.spec.get("trigger")
    rules: Mapping[str, Any] = {}
    if isinstance(trigger, Mapping) and "cron" in trigger:
        expression, timezone, rules = str(trigger["cron"]), str(trigger.get("timezone", "UTC")), trigger
    elif isinstance(trigger, str) and trigger != "manual":
        expression, timezone = trigger, "UTC"
    else:
        return None
    try:
        if parse_cron is not None:
            parse_cron(expression, timezone)
    except ValueError as error:
        found.append(
            Diagnostic(
                code="cron-invalid",
                message=f"the cron of node {quote(node.name)} cannot be kept: {str(error).rstrip('.')}.",
                where=node.places.get("trigger", node.where),
            )
        )
    return PlannedCron(
        expression=_normalised(expression),
        timezone=timezone,
        catchup=rules.get("catchup", "last"),
        overlap=rules.get("overlap", "queue"),
    )


def _normalised(expression: str) -> str:
    return _NAMED_CRONS.get(expression.strip().lower(), " ".join(expression.split()))


_NAMED_CRONS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def _secrets(node: Node) -> tuple[str, ...]:
    used = {name for use in node.analysis.uses if (name := asked_secret(use)) is not None}
    return tuple(sorted(used | set(node.spec.get("secrets") or ())))


def _models_of(node: Node, text_model: str | None) -> tuple[str, ...]:
    used = {use.name or text_model for use in node.analysis.uses if use.kind == "model"}
    return tuple(sorted(name for name in used if name is not None))


def _table(store: Store) -> PlannedTable:
    schema = store.schema
    return PlannedTable(
        name=store.name,
        columns={name: str(kind) for name, kind in schema.columns.items()} if schema else {},
        row_schema=schema.to_data() if schema else None,
        unique_on=store.unique_on,
        storage=store.storage,
        retention=dict(store.retention or {}),
    )


def _chart(node: Node, files: _Files) -> PlannedChart:
    file = node.file or ""
    return PlannedChart(
        name=node.name,
        file=file,
        table=str(node.spec["table"]),
        title=node.spec.get("title"),
        content=files.digest(file),
    )


def _webhook(node: Node) -> PlannedWebhook:
    spec = node.spec
    limits = spec.get("limits") or {}
    return PlannedWebhook(
        name=node.name,
        title=str(spec["title"]),
        path=str(spec["path"]),
        table=str(spec["table"]),
        verify=spec.get("verify"),
        dedupe=spec.get("dedupe"),
        respond=spec.get("respond"),
        max_body_bytes=limits.get("body", DEFAULT_BODY_BYTES),
        rate=limits.get("rate"),
    )


def _models(graph: Graph, configuration: ConfigurationSpec | None) -> tuple[PlannedModel, ...]:
    bindings = {binding.name: binding for binding in configuration.models} if configuration else {}
    names = sorted(set(graph.models) | set(bindings))
    return tuple(_model(name, graph.models.get(name), bindings.get(name)) for name in names)


def _model(name: str, declared: Mapping[str, Any] | None, binding: ModelBindingSpec | None) -> PlannedModel:
    kind = str(declared["type"]) if declared else "chat"
    if binding is None:
        return PlannedModel(name=name, type=kind)
    return PlannedModel(
        name=name,
        type=kind,
        provider=binding.provider,
        endpoint=binding.endpoint,
        model=binding.model,
        secret=binding.secret,
        options=dict(binding.options or {}),
    )


def _text_model(graph: Graph, models: Iterable[PlannedModel]) -> str | None:
    """Give what answers for `import openai`: the first declared model for text, else the first bound one."""
    declared = [name for name, data in graph.models.items() if data.get("type") in TEXT_MODELS]
    bound = [model.name for model in models if model.type in TEXT_MODELS and model.provider]
    return next(iter([*declared, *bound]), None)


def _toolchain(nodes: Iterable[Node]) -> dict[str, str]:
    tools = {"patterns-os": __version__}
    if any(node.kind is NodeKind.SQL for node in nodes):
        # Asking the library itself would load it.
        tools["sqlglot"] = version("sqlglot")
    return tools
