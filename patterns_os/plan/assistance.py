"""What an editor offers at a place in an app's files: completions, definitions, descriptions.

Everything comes from the app as it last compiled, mistakes or not; the text may be newer than that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Final

from patterns_os.diagnostics import Location
from patterns_os.graph.vertices import Access, Edge, Graph, Node, Store
from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.parse import Parsed
from patterns_os.manifest.schema import configuration_schema, manifest_schema
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.values import Spec
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.compile import CONFIGURATION, MANIFEST, Compiled
from patterns_os.plan.mentions import CODE, Mention, mention_at
from patterns_os.rows.semantic import RECORD_TYPES, SEMANTIC_TYPES
from patterns_os.rows.types import ColumnType


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Something that could stand there.

    Attributes:
        kind: As in `Mention`.
        detail: A few words beside it: a type, what writes a table.
        description: A sentence, or empty.
    """

    label: str
    kind: str
    detail: str = ""
    description: str = ""


def completions(compiled: Compiled, file: str, mention: Mention) -> tuple[Completion, ...]:
    """Give what could stand in place of the mention, sorted by label; the editor filters by what is typed."""
    found: dict[str, Completion] = {}
    for offer in _OFFERS.get(mention.kind, _nothing)(compiled, file, mention):
        found.setdefault(offer.label, offer)
    return tuple(found[label] for label in sorted(found))


def definitions(compiled: Compiled, file: str, text: str, offset: int) -> tuple[Location, ...]:
    """Give where the name at the cursor is made: its declaration first, else what writes it.

    On its own declaration that is what uses it. Empty where there is nothing to go to.
    """
    mention = mention_at(file, text, offset)
    if mention is None or not mention.name:
        return ()
    places = _PLACES.get(mention.kind, _nowhere)(compiled, file, mention)
    return tuple(dict.fromkeys(place for place in places if place is not None))


def describe(compiled: Compiled, file: str, text: str, offset: int) -> str | None:
    """Give what is known of the name at the cursor as a few lines of Markdown, or `None`."""
    mention = mention_at(file, text, offset)
    if mention is None or not mention.name:
        return None
    if mention.kind in {"table", "store"}:
        table = _described_table(compiled, _store_name(compiled, file, mention.name))
        if table is not None:
            return table
    offer = next(
        (offer for offer in completions(compiled, file, mention) if offer.label == mention.name), None
    )
    if offer is None:
        return None
    return f"**{offer.label}** {offer.detail}".rstrip() + (
        f"\n\n{offer.description}" if offer.description else ""
    )


def _nothing(_compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    yield from ()


def _offer_stores(compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    graph = compiled.graph
    if graph is None:
        return
    yield from _ports(graph, file, mention.kind)
    writers: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.access is Access.WRITE:
            writers.setdefault(edge.store, []).append(edge.node)
    for store in graph.stores:
        if mention.kind in {store.kind, "store"}:
            names = ", ".join(dict.fromkeys(writers.get(store.name, ())))
            detail = f"written by {names}" if names else ""
            yield Completion(label=store.name, kind=str(store.kind), detail=detail)


def _ports(graph: Graph, file: str, kind: str) -> Iterator[Completion]:
    """Give the names that the manifest lets a script use for stores."""
    stores = {store.name: store for store in graph.stores}
    for node in _nodes_of(graph, file):
        for key in ("inputs", "outputs"):
            declared = node.spec.get(key)
            for port, entry in declared.items() if isinstance(declared, Mapping) else ():
                store = stores.get(entry["table"] if isinstance(entry, Mapping) else entry)
                if store is not None and kind in {store.kind, "store"} and port != store.name:
                    detail = f"{store.name}, for {node.name}"
                    yield Completion(label=str(port), kind=str(store.kind), detail=detail)


def _offer_columns(compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    if compiled.lineage is None:
        return
    for table in _tables_asked(compiled, file, mention):
        shape = compiled.lineage.shapes.get(table)
        for column in shape.columns.values() if shape else ():
            kind = column.semantic or column.type or ""
            yield Completion(label=column.name, kind="column", detail=f"{table} {kind}".rstrip())


def _offer_parameters(compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    spec = _manifest(compiled)
    if spec is None:
        return
    for script in spec.scripts:
        if script.file == file:
            for name, value in (script.parameters or {}).items():
                yield Completion(label=name, kind="parameter", detail=f"= {value!r}")
    for parameter in spec.parameters:
        description = parameter.description or ""
        yield Completion(
            label=parameter.name, kind="parameter", detail=parameter.type, description=description
        )
    asking = _script_of(compiled, mention)
    for node in _nodes_of(compiled.graph, asking) if asking else ():
        for use in node.analysis.uses:
            if use.kind == "parameter":
                yield Completion(label=use.name, kind="parameter", detail=f"asked for by {asking}")


def _offer_models(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    spec = _manifest(compiled)
    for model in spec.models if spec else ():
        yield Completion(
            label=model.name, kind="model", detail=model.type, description=model.description or ""
        )


def _offer_secrets(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    manifest, configuration = _manifest(compiled), _configuration(compiled)
    for name in (*(manifest.secrets if manifest else ()), *(configuration.secrets if configuration else ())):
        yield Completion(label=name, kind="secret")
    for script in manifest.scripts if manifest else ():
        yield from (Completion(label=name, kind="secret") for name in script.secrets or ())


def _offer_scripts(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    for path in compiled.sources:
        is_manifest = PurePosixPath(path).name in {MANIFEST, "graph.yml", "graph.yaml"}
        if PurePosixPath(path).suffix.lower() in CODE or (is_manifest and "/" in path):
            yield Completion(label=path, kind="script")


def _offer_drawings(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    for path in compiled.sources:
        if path.endswith(".json") and PurePosixPath(path).name not in {MANIFEST, CONFIGURATION}:
            yield Completion(label=path, kind="drawing")


def _offer_runtimes(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    spec = _configuration(compiled)
    for runtime in spec.runtimes if spec else ():
        base = runtime.image or runtime.dockerfile or runtime.requirements or ""
        yield Completion(label=runtime.name, kind="runtime", detail=base)


def _offer_storages(compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    spec = _configuration(compiled)
    for storage in spec.storages if spec else ():
        yield Completion(label=storage.name, kind="storage", detail=storage.type)


def _offer_types(compiled: Compiled, _file: str, mention: Mention) -> Iterator[Completion]:
    is_row = mention.path[-1:] == ("schema",)
    for record in RECORD_TYPES.values() if is_row else ():
        yield Completion(label=record.name, kind="type", description=record.description)
    for path in compiled.sources if is_row else ():
        if path.endswith(".json") and PurePosixPath(path).name not in {MANIFEST, CONFIGURATION}:
            yield Completion(label=path, kind="type", detail="JSON Schema")
    for column_type in () if is_row else ColumnType:
        yield Completion(label=str(column_type), kind="type")
    for semantic in () if is_row else SEMANTIC_TYPES.values():
        yield Completion(
            label=semantic.name, kind="type", detail=str(semantic.base), description=semantic.description
        )


def _offer_codes(_compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Completion]:
    for code, summary in ALL_CODES.items():
        yield Completion(label=code, kind="code", description=summary)


def _offer_keys(_compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    for part in _parts_of(file, mention):
        for name, inner in part.get("properties", {}).items():
            yield Completion(label=name, kind="key", description=str(inner.get("description", "")))


def _offer_values(_compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    for part in _parts_of(file, mention):
        description = str(part.get("description", ""))
        fixed = (*part.get("enum", ()), *([part["const"]] if "const" in part else []))
        for value in (value for value in fixed if isinstance(value, str)):
            yield Completion(label=value, kind="value", description=description)
        for value in (value for value in part.get("examples", ()) if isinstance(value, str)):
            yield Completion(label=value, kind="value", detail="example", description=description)


def _parts_of(file: str, mention: Mention) -> Iterator[dict[str, Any]]:
    schema = _schemas().get(PurePosixPath(file).name)
    return _parts_at(schema, schema, mention.path) if schema else iter(())


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return {MANIFEST: manifest_schema(), CONFIGURATION: configuration_schema()}


def _parts_at(root: dict[str, Any], part: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON Schema
    """Give all schemas that what stands there may follow."""
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        yield from _parts_at(root, root["$defs"][part["$ref"].rpartition("/")[2]], path)
    for key in ("anyOf", "oneOf", "allOf"):
        for choice in part.get(key, ()):
            yield from _parts_at(root, choice, path)
    if not path:
        yield part
        return
    inner = part.get("properties", {}).get(path[0]) or part.get("additionalProperties")
    yield from _parts_at(root, part.get("items") if path[0].isdecimal() else inner, path[1:])


def _nowhere(_compiled: Compiled, _file: str, _mention: Mention) -> Iterator[Location | None]:
    yield from ()


def _store_places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location | None]:
    if compiled.graph is None:
        return
    name = _store_name(compiled, file, mention.name)
    stores = (store for store in compiled.graph.stores if store.name == name)
    store = next((store for store in stores if mention.kind in {store.kind, "store"}), None)
    if store is None:
        return
    is_declaration = mention.path[:1] == ("stores",)
    if store.declared and not is_declaration:
        yield store.where
        return
    edges = [edge for edge in compiled.graph.edges if edge.store == name and edge.kind == store.kind]
    writing = [edge for edge in edges if edge.access is Access.WRITE]
    reading = [edge for edge in edges if edge.access is not Access.WRITE]
    yield from (edge.where for edge in (*writing, *(reading if is_declaration or not writing else ())))


def _column_places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location | None]:
    if compiled.lineage is None:
        return
    for table in _tables_asked(compiled, file, mention):
        shape = compiled.lineage.shapes.get(table)
        if shape is not None and mention.name in shape.columns:
            yield shape.columns[mention.name].where


def _parameter_places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location | None]:
    manifest, spec = compiled.manifest, _manifest(compiled)
    if manifest is None or spec is None:
        return
    asking = _script_of(compiled, mention)
    if asking is not None or mention.path[:1] == ("parameters",):
        yield from _uses(compiled, mention, asking)
        return
    for index, script in enumerate(spec.scripts):
        if script.file == file and mention.name in (script.parameters or {}):
            yield manifest.document.locate_key(f"/scripts/{index}/parameters/{mention.name}")
    yield _entry(manifest, "parameters", mention.name)


def _listed_places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location | None]:
    """Give where the files list what a script asks for; from the manifest's own list, who asks and who answers."""
    section = f"{mention.kind}s"
    if mention.path[:1] == (section,):
        yield from _uses(compiled, mention)
        yield from _entries(compiled, section, mention.name, file)
        return
    yield _entry(compiled.manifest, section, mention.name)
    yield _entry(compiled.configuration, section, mention.name)


def _entries(compiled: Compiled, section: str, name: str, file: str) -> Iterator[Location | None]:
    """Give the entries of that name in the other file."""
    for parsed in (compiled.manifest, compiled.configuration):
        if parsed is not None and parsed.document.file != file:
            yield _entry(parsed, section, name)


def _file_places(compiled: Compiled, _file: str, mention: Mention) -> Iterator[Location | None]:
    path = mention.name.partition(":")[0]
    if path in compiled.sources:
        yield Location(file=path)


def _uses(compiled: Compiled, mention: Mention, file: str | None = None) -> Iterator[Location]:
    for node in compiled.graph.nodes if compiled.graph else ():
        for use in node.analysis.uses if file in {None, node.file} else ():
            if (use.kind, use.name) == (mention.kind, mention.name):
                yield use.where


def _entry(parsed: Parsed[Any] | None, section: str, name: str) -> Location | None:
    spec: Spec | None = parsed.spec if parsed is not None else None
    if parsed is None or spec is None:
        return None
    for index, entry in enumerate(getattr(spec, section, ())):
        if name in {entry if isinstance(entry, str) else None, getattr(entry, "name", None)}:
            return parsed.document.locate(f"/{section}/{index}")
    return None


def _described_table(compiled: Compiled, name: str) -> str | None:
    graph, lineage = compiled.graph, compiled.lineage
    if graph is None or _table(graph, name) is None:
        return None
    lines = [f"**{name}** table", *_users(graph, name)]
    shape = lineage.shapes.get(name) if lineage else None
    if shape is not None and shape.columns:
        rows = [
            f"| {column.name} | {column.semantic or column.type or ''} |" for column in shape.columns.values()
        ]
        lines.append("\n".join(["| column | type |", "|---|---|", *rows]))
    return "\n\n".join(lines)


def _users(graph: Graph, table: str) -> Iterator[str]:
    for access, verb in _VERBS.items():
        nodes = dict.fromkeys(e.node for e in graph.edges if e.store == table and e.access is access)
        if nodes:
            yield f"{verb} {', '.join(nodes)}"


def _table(graph: Graph, name: str) -> Store | None:
    return next((store for store in graph.stores if store.name == name and store.kind == "table"), None)


def _tables_asked(compiled: Compiled, file: str, mention: Mention) -> Iterable[str]:
    """Give the tables that a column of the mention may be of: the one that it is asked of, else all that are read."""
    if mention.path:
        return (mention.owner,)
    edges = [edge for edge in _edges_of_file(compiled.graph, file) if edge.access is not Access.WRITE]
    asked = [edge.store for edge in edges if mention.owner in {edge.port, edge.store}]
    return dict.fromkeys(asked or [edge.store for edge in edges])


def _store_name(compiled: Compiled, file: str, port: str) -> str:
    """Give the store behind the name that a script uses."""
    edges = _edges_of_file(compiled.graph, file)
    return next((edge.store for edge in edges if edge.port == port), port)


def _script_of(compiled: Compiled, mention: Mention) -> str | None:
    """Give the script in whose entry of the manifest the mention stands."""
    spec = _manifest(compiled)
    if spec is None or mention.path[:1] != ("scripts",):
        return None
    index = int(mention.path[1])
    return spec.scripts[index].file if index < len(spec.scripts) else None


def _edges_of_file(graph: Graph | None, file: str) -> Iterator[Edge]:
    for node in _nodes_of(graph, file):
        if graph is not None:
            yield from graph.edges_of(node.name)


def _nodes_of(graph: Graph | None, file: str) -> Iterator[Node]:
    return (node for node in graph.nodes if node.file == file) if graph else iter(())


def _manifest(compiled: Compiled) -> ManifestSpec | None:
    return compiled.manifest.spec if compiled.manifest else None


def _configuration(compiled: Compiled) -> ConfigurationSpec | None:
    return compiled.configuration.spec if compiled.configuration else None


_VERBS: Final = {
    Access.WRITE: "written by",
    Access.STREAM: "streamed by",
    Access.READ: "read by",
}
_OFFERS: Final[dict[str, Callable[[Compiled, str, Mention], Iterator[Completion]]]] = {
    "table": _offer_stores,
    "file": _offer_stores,
    "store": _offer_stores,
    "column": _offer_columns,
    "parameter": _offer_parameters,
    "model": _offer_models,
    "secret": _offer_secrets,
    "script": _offer_scripts,
    "drawing": _offer_drawings,
    "runtime": _offer_runtimes,
    "storage": _offer_storages,
    "type": _offer_types,
    "code": _offer_codes,
    "key": _offer_keys,
    "value": _offer_values,
}
_PLACES: Final[dict[str, Callable[[Compiled, str, Mention], Iterator[Location | None]]]] = {
    "table": _store_places,
    "file": _store_places,
    "store": _store_places,
    "column": _column_places,
    "parameter": _parameter_places,
    "model": _listed_places,
    "secret": _listed_places,
    "runtime": _listed_places,
    "storage": _listed_places,
    "script": _file_places,
    "drawing": _file_places,
    "type": _file_places,
}
