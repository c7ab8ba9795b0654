"""What an editor offers at a place in an app's files: completions, definitions, descriptions.

Everything comes from the app as it last compiled, mistakes or not; the text may be newer than that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Final

from patterns_os.diagnostics import Location
from patterns_os.graph.vertices import Access, Edge, Graph, Node, Store
from patterns_os.manifest.parse import Parsed
from patterns_os.manifest.schema import configuration_schema, manifest_schema
from patterns_os.manifest.values import Spec
from patterns_os.plan.compile import CONFIGURATION, MANIFEST, Compiled
from patterns_os.plan.mentions import Mention, mention_at


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


def completions(compiled: Compiled, file: str, text: str, offset: int) -> tuple[Completion, ...]:
    """Give what could stand at the cursor, sorted by label; the editor filters by what is typed."""
    mention = mention_at(file, text, offset)
    if mention is None:
        return ()
    found = {offer.label: offer for offer in _offers(compiled, file, mention)}
    return tuple(found[label] for label in sorted(found))


def definitions(compiled: Compiled, file: str, text: str, offset: int) -> tuple[Location, ...]:
    """Give where the name at the cursor is made: its declaration first, else what writes it.

    On a table's own declaration that is what writes and reads it. Empty where there is nothing to go to.
    """
    mention = mention_at(file, text, offset)
    if mention is None or not mention.name:
        return ()
    places = _places(compiled, file, mention)
    return tuple(dict.fromkeys(place for place in places if place is not None))


def describe(compiled: Compiled, file: str, text: str, offset: int) -> str | None:
    """Give what is known of the name at the cursor as a few lines of Markdown, or `None`."""
    mention = mention_at(file, text, offset)
    if mention is None or not mention.name:
        return None
    if mention.kind == "table":
        return _described_table(compiled, _store_name(compiled, file, mention.name))
    offers = [offer for offer in _offers(compiled, file, mention) if offer.label == mention.name]
    lines = [f"**{offer.label}** {offer.detail}\n\n{offer.description}".strip() for offer in offers[:1]]
    return lines[0] if lines else None


def _offers(compiled: Compiled, file: str, mention: Mention) -> Iterator[Completion]:
    graph = compiled.graph
    match mention.kind:
        case "table" | "file" if graph is not None:
            yield from _stores(graph, mention.kind)
        case "column":
            yield from _columns(compiled, file)
        case "parameter":
            yield from _parameters(compiled, file)
        case "model" if graph is not None:
            for name, data in graph.models.items():
                yield Completion(label=name, kind="model", detail=str(data.get("type", "")))
        case "secret":
            yield from (Completion(label=name, kind="secret") for name in _secrets(compiled))
        case "script":
            yield from _scripts(compiled)
        case "runtime" | "storage":
            yield from _configured(compiled, mention.kind)
        case "key" | "value":
            yield from _by_shape(file, mention)
        case _:
            return


def _stores(graph: Graph, kind: str) -> Iterator[Completion]:
    writers: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.access is Access.WRITE:
            writers.setdefault(edge.store, []).append(edge.node)
    for store in graph.stores:
        if store.kind == kind:
            names = ", ".join(dict.fromkeys(writers.get(store.name, ())))
            yield Completion(label=store.name, kind=kind, detail=f"written by {names}" if names else "")


def _columns(compiled: Compiled, file: str) -> Iterator[Completion]:
    if compiled.graph is None or compiled.lineage is None:
        return
    for edge in _edges_of_file(compiled.graph, file):
        shape = compiled.lineage.shapes.get(edge.store)
        if shape is None or edge.access is Access.WRITE:
            continue
        for column in shape.columns.values():
            kind = column.semantic or column.type or ""
            yield Completion(label=column.name, kind="column", detail=f"{edge.store} {kind}".rstrip())


def _parameters(compiled: Compiled, file: str) -> Iterator[Completion]:
    spec = compiled.manifest.spec if compiled.manifest else None
    for parameter in spec.parameters if spec else ():
        description = parameter.description or ""
        yield Completion(
            label=parameter.name, kind="parameter", detail=parameter.type, description=description
        )
    for script in spec.scripts if spec else ():
        if script.file == file:
            for name, value in (script.parameters or {}).items():
                yield Completion(label=name, kind="parameter", detail=f"= {value!r}")


def _secrets(compiled: Compiled) -> Iterable[str]:
    manifest = compiled.manifest.spec if compiled.manifest else None
    configuration = compiled.configuration.spec if compiled.configuration else None
    return {*(manifest.secrets if manifest else ()), *(configuration.secrets if configuration else ())}


def _scripts(compiled: Compiled) -> Iterator[Completion]:
    for path in compiled.sources:
        if PurePosixPath(path).suffix.lower() in _SCRIPTS:
            yield Completion(label=path, kind="script")


def _configured(compiled: Compiled, kind: str) -> Iterator[Completion]:
    spec = compiled.configuration.spec if compiled.configuration else None
    entries: Iterable[Any] = () if spec is None else spec.runtimes if kind == "runtime" else spec.storages
    for entry in entries:
        yield Completion(label=entry.name, kind=kind)


def _by_shape(file: str, mention: Mention) -> Iterator[Completion]:
    schema = _schemas().get(PurePosixPath(file).name)
    if schema is None:
        return
    for part in _parts_at(schema, schema, mention.path):
        if mention.kind == "key":
            for name, inner in part.get("properties", {}).items():
                yield Completion(label=name, kind="key", description=str(inner.get("description", "")))
        else:
            for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else [])):
                yield Completion(label=str(value), kind="value", description=str(part.get("description", "")))


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    return {MANIFEST: manifest_schema(), CONFIGURATION: configuration_schema()}


def _parts_at(root: dict[str, Any], part: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON Schema
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
    yield from _parts_at(root, part.get("items") if path[0].isdigit() else inner, path[1:])


def _places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location | None]:
    match mention.kind:
        case "table" | "file":
            yield from _store_places(compiled, file, mention)
        case "column":
            yield from _column_places(compiled, file, mention.name)
        case "script":
            if mention.name in compiled.sources:
                yield Location(file=mention.name)
        case "parameter":
            yield from _parameter_places(compiled, file, mention.name)
        case "model" | "secret" | "runtime" | "storage":
            yield _entry(compiled.manifest, f"{mention.kind}s", mention.name)
            yield _entry(compiled.configuration, f"{mention.kind}s", mention.name)
        case _:
            return


def _store_places(compiled: Compiled, file: str, mention: Mention) -> Iterator[Location]:
    if compiled.graph is None:
        return
    name = _store_name(compiled, file, mention.name)
    store = next((s for s in compiled.graph.stores if s.name == name and s.kind == mention.kind), None)
    if store is None:
        return
    if store.declared and mention.path[:1] != ("stores",):
        yield store.where
        return
    edges = [edge for edge in compiled.graph.edges if edge.store == name and edge.kind == store.kind]
    yield from (edge.where for edge in sorted(edges, key=lambda edge: edge.access is not Access.WRITE))


def _column_places(compiled: Compiled, file: str, name: str) -> Iterator[Location]:
    if compiled.graph is None or compiled.lineage is None:
        return
    for edge in _edges_of_file(compiled.graph, file):
        shape = compiled.lineage.shapes.get(edge.store)
        if shape is not None and edge.access is not Access.WRITE and name in shape.columns:
            yield shape.columns[name].where


def _parameter_places(compiled: Compiled, file: str, name: str) -> Iterator[Location | None]:
    manifest = compiled.manifest
    if manifest is None or manifest.spec is None:
        return
    for index, script in enumerate(manifest.spec.scripts):
        if script.file == file and name in (script.parameters or {}):
            yield manifest.document.locate_key(f"/scripts/{index}/parameters/{name}")
    yield _entry(manifest, "parameters", name)


def _entry(parsed: Parsed[Any] | None, section: str, name: str) -> Location | None:
    spec: Spec | None = parsed.spec if parsed is not None else None
    if parsed is None or spec is None:
        return None
    for index, entry in enumerate(getattr(spec, section, ())):
        if name in {entry, getattr(entry, "name", None)}:
            return parsed.document.locate(f"/{section}/{index}")
    return None


def _described_table(compiled: Compiled, name: str) -> str | None:
    graph, lineage = compiled.graph, compiled.lineage
    store = _store(graph, name)
    if graph is None or store is None:
        return None
    lines = [f"**{name}** table"]
    for access, verb in (
        (Access.WRITE, "written by"),
        (Access.STREAM, "streamed by"),
        (Access.READ, "read by"),
    ):
        nodes = dict.fromkeys(e.node for e in graph.edges if e.store == name and e.access is access)
        if nodes:
            lines.append(f"{verb} {', '.join(nodes)}")
    shape = lineage.shapes.get(name) if lineage else None
    if shape is not None and shape.columns:
        rows = [
            f"| {column.name} | {column.semantic or column.type or ''} |" for column in shape.columns.values()
        ]
        lines.append("\n".join(["| column | type |", "|---|---|", *rows]))
    return "\n\n".join(lines)


def _store(graph: Graph | None, name: str) -> Store | None:
    return next((s for s in graph.stores if s.name == name and s.kind == "table"), None) if graph else None


def _store_name(compiled: Compiled, file: str, port: str) -> str:
    """Give the store behind the name that a script uses."""
    edges = _edges_of_file(compiled.graph, file) if compiled.graph else ()
    return next((edge.store for edge in edges if edge.port == port), port)


def _edges_of_file(graph: Graph, file: str) -> Iterator[Edge]:
    nodes: Iterable[Node] = (node for node in graph.nodes if node.file == file)
    for node in nodes:
        yield from graph.edges_of(node.name)


_SCRIPTS: Final = frozenset({".py", ".sql", ".js", ".mjs", ".ts", ".mts"})
