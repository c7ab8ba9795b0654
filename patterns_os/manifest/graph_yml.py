"""`graph.yml` of the older devkit, read into the spec of a manifest.

The file's own keys are checked here, in its own words; the values are the manifest's then, each with its place
in this file. What the file says only for those who draw it (`display`, `dashboards`, `docs`, icons) is kept in
`metadata`, untouched. Keys that nobody knows are kept there too, with a warning: the file may be newer than we know.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Severity, did_you_mean, quote, sort_diagnostics
from patterns_os.manifest.document import Document
from patterns_os.manifest.graph_yml_schemas import GraphSchema, read_schemas
from patterns_os.manifest.interpolation import placeholders, secret_behind
from patterns_os.manifest.parse import Parsed, read_manifest
from patterns_os.manifest.scripts import MANIFEST_NAMES, component_file, default_name
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.syntax import Element, Member
from patterns_os.manifest.values import slug
from patterns_os.manifest.yaml_document import parse_yaml


def parse_graph_yml(
    file: str, files: Mapping[str, bytes], *, name: str | None = None, storages: Collection[str] = ()
) -> Parsed[ManifestSpec]:
    """Read a `graph.yml`; never raises for what is in it.

    Args:
        file: Its path, one of `files`.
        files: The files of the app: the schemas are in others.
        name: The app's name where the file gives neither a slug nor a title.
        storages: Names of the storages in patterns.json: others that tables name are the default one.
    """
    written = parse_yaml(file, files[file])
    if not written.is_readable or written.root is None:
        return Parsed(spec=None, document=written, diagnostics=sort_diagnostics(written.diagnostics))
    reader = _Reader(written, files, name, frozenset(storages))
    root = reader.app(written.root)
    parsed = read_manifest(
        Document(
            file=file,
            text=written.text,
            content=written.content,
            root=root,
            diagnostics=(),
            is_readable=True,
            line_starts=written.line_starts,
        )
    )
    found = (*written.diagnostics, *reader.diagnostics, *parsed.diagnostics)
    return Parsed(spec=parsed.spec, document=parsed.document, diagnostics=sort_diagnostics(found))


Members = dict[str, Member]

_APP_KEYS: Final = frozenset({"title", "slug", "version", "description", "exposes", "functions", "stores"})
_APP_KEPT: Final = frozenset(
    {"description_file", "icon", "icon_url", "tags", "schemas", "storages", "dashboards", "docs"}
    | {"requirements_file"}
)
_FUNCTION_KINDS: Final = ("node_file", "uses", "webhook")
_FUNCTION_KEYS: Final = frozenset(
    {*_FUNCTION_KINDS, "title", "description", "trigger", "inputs", "outputs", "parameter_values"}
    | {"parameters", "chart_input"}
)
_KEPT: Final = frozenset({"id", "description_file", "icon_url", "display"})
_STORE_KEYS: Final = frozenset({"table", "stream", "title", "description", "schema", "storage", "unique_on"})
_EXPOSED: Final = ("inputs", "outputs", "parameters")


@dataclass(slots=True)
class _Reader:
    """Builds the tree of a manifest out of the tree of the file."""

    written: Document
    files: Mapping[str, bytes]
    name: str | None
    storages: frozenset[str]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    schemas: Mapping[str, GraphSchema] = field(default_factory=dict)
    own_storages: frozenset[str] = frozenset()
    secrets: dict[str, Element] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def app(self, root: Element) -> Element:
        """Give the whole manifest."""
        given = self._members(root, "a graph.yml", _APP_KEYS, _APP_KEPT)
        self.schemas, found = read_schemas(self.written, given.get("schemas"), self.files)
        self.diagnostics += found
        self.own_storages = self._storage_names(given.get("storages"))
        made: Members = {"name": self._app_name(root, given)}
        for key in ("title", "version", "description"):
            self._copy_text(given, key, made)
        nodes = [self._function(item, index) for index, item in enumerate(self._items(given, "functions"))]
        for part in ("scripts", "webhooks", "charts"):
            self._put(made, part, given.get("functions"), [node for kind, node in nodes if kind == part])
        stores = [self._store(item) for item in self._items(given, "stores")]
        self._put(made, "stores", given.get("stores"), [store for store in stores if store])
        if "exposes" in given:
            made["exposes"] = self._exposes(given["exposes"])
        secrets = [_text(name, at) for name, at in sorted(self.secrets.items())]
        self._put(made, "secrets", given.get("functions"), secrets)
        self._keep(given, made, _APP_KEYS)
        return _object(root, made)

    # -- the app

    def _app_name(self, root: Element, given: Members) -> Member:
        for key in ("slug", "title"):
            if key in given and isinstance(given[key].element.value, str):
                plain = _slug(given[key].element.value)
                if plain:
                    return _member(given[key], _text(plain, given[key].element))
        return _at(_text(_slug(self.name or "") or "app", root, pointer=""))

    def _storage_names(self, member: Member | None) -> frozenset[str]:
        items = (member.element.items or ()) if member else ()
        found = [item.value for item in items if isinstance(item.value, dict)]
        return frozenset(str(entry.get(key)) for entry in found for key in ("database", "storage", "name"))

    def _exposes(self, member: Member) -> Member:
        known = frozenset((*_EXPOSED, "schemas"))
        given = self._members(member.element, '"exposes"', known, frozenset(), keeps=False)
        made: Members = {}
        for key in _EXPOSED:
            names = [item for item in self._items(given, key) if self._is_text(item, "a name")]
            self._put(made, key, given.get(key), names, always=key in given)
        return _member(member, _object(member.element, made))

    # -- functions

    def _function(self, item: Element, index: int) -> tuple[str, Element | None]:
        given = self._members(item, "a function", _FUNCTION_KEYS, _KEPT)
        kinds = [key for key in _FUNCTION_KINDS if key in given]
        if len(kinds) != 1:
            self._kind_of_function(item, given, kinds)
            return "", None
        kind = given[kinds[0]]
        if not self._is_text(kind.element, quote(kinds[0])):
            return "", None
        if kinds[0] == "webhook":
            return "webhooks", self._webhook(item, given, kind, index)
        file = str(kind.element.value)
        is_chart = file.lower().endswith(".json") and PurePosixPath(file).name not in MANIFEST_NAMES
        if kinds[0] == "node_file" and (is_chart or "chart_input" in given):
            return "charts", self._chart(item, given, kind, index)
        return "scripts", self._script(item, given, kind, index)

    def _kind_of_function(self, item: Element, given: Members, kinds: Sequence[str]) -> None:
        if kinds:
            both = " and ".join(map(quote, kinds))
            message = f"a function has {both}, expected one of them"
            self._report("wrong-value", message, given[kinds[1]].start, given[kinds[1]].element)
        elif item.members is not None:
            message = 'a function needs "node_file", "uses" or "webhook"'
            self._report("missing-key", message, item.start, item)

    def _script(self, item: Element, given: Members, kind: Member, index: int) -> Element:
        made: Members = {}
        is_component = "uses" in given
        made["uses" if is_component else "file"] = _member(kind, kind.element)
        file = component_file(str(kind.element.value)) if is_component else str(kind.element.value)
        self._named(made, given, default_name(file), index, kind)
        self._copy_text(given, "title", made)
        self._copy_text(given, "description", made)
        if "trigger" in given:
            made["trigger"] = given["trigger"]
        for key in ("inputs", "outputs"):
            if key in given:
                made[key] = self._map(given[key], key)
        has_ports = bool({"inputs", "outputs"} & given.keys())
        if has_ports and PurePosixPath(file).suffix.lower() not in _INCLUDED:
            made["open_ports"] = _at(kind.element._replace(value=True))
        self._parameters(given, made)
        self._keep(given, made, _FUNCTION_KEYS)
        return _object(item, made)

    def _webhook(self, item: Element, given: Members, kind: Member, index: int) -> Element:
        table = str(kind.element.value)
        title = given["title"] if "title" in given and given["title"].element.value else kind
        made: Members = {"title": _member(title, self._as_text(title.element))}
        name = self._free_name(str(made["title"].element.value), given, index)
        if name != made["title"].element.value:
            made["title"] = _at(_text(name, title.element))
        made["table"] = _member(kind, _text(table, kind.element))
        self._copy_text(given, "description", made)
        self._keep(given, made, _FUNCTION_KEYS)
        return _object(item, made)

    def _chart(self, item: Element, given: Members, kind: Member, index: int) -> Element | None:
        made: Members = {"file": _member(kind, kind.element)}
        if "chart_input" not in given:
            self._report("missing-key", 'a chart needs "chart_input", its table', kind.start, kind.element)
            return None
        made["table"] = _member(given["chart_input"], given["chart_input"].element)
        self._named(made, given, default_name(str(kind.element.value)), index, kind)
        self._copy_text(given, "title", made)
        self._copy_text(given, "description", made)
        self._keep(given, made, _FUNCTION_KEYS)
        return _object(item, made)

    def _named(self, made: Members, given: Members, default: str, index: int, kind: Member) -> None:
        """Give the node a name of its own where the one that its file gives is taken."""
        name = self._free_name(default, given, index)
        if name != default:
            at = given["title"] if name == _plain(given, "title") else kind
            made["name"] = _at(_text(name, at.element))

    def _free_name(self, wanted: str, given: Members, index: int) -> str:
        others = [
            _plain(given, "title"),
            f"{wanted}_{_plain(given, 'id') or index + 1}",
            f"{wanted}_{index + 1}",
        ]
        free = (name for name in (wanted, *others) if name and name.casefold() not in self.taken)
        name = next(free, wanted)
        self.taken.add(name.casefold())
        return name

    def _parameters(self, given: Members, made: Members) -> None:
        merged: Members = {}
        for key in ("parameter_values", "parameters"):
            if key not in given or given[key].element.value is None:
                continue
            for name, member in self._members_of_map(given[key], key).items():
                if name in merged:
                    message = f'parameter {quote(name)} is in "parameter_values" already'
                    self._report("duplicate-key", message, member.start, member.element)
                else:
                    merged[name] = member
        for member in merged.values():
            for name in placeholders(member.element.value):
                self.secrets.setdefault(secret_behind(name), member.element)
        if merged:
            first = given.get("parameter_values") or given["parameters"]
            made["parameters"] = _member(first, _object(first.element, merged))

    # -- stores

    def _store(self, item: Element) -> Element | None:
        given = self._members(item, "a store", _STORE_KEYS, _KEPT)
        # Streams were stores of their own once; here each table can be streamed.
        name = given.get("table") or given.get("stream")
        if name is None:
            if item.members is not None:
                self._report("missing-key", 'a store needs "table"', item.start, item)
            return None
        made: Members = {"table": name}
        self._copy_text(given, "title", made)
        self._copy_text(given, "description", made)
        if "unique_on" in given:
            made["unique_on"] = given["unique_on"]
        self._schema(given, made)
        self._storage(given, made)
        self._keep(given, made, _STORE_KEYS | ({"storage"} if "storage" in made else set()))
        return _object(item, made)

    def _schema(self, given: Members, made: Members) -> None:
        if "schema" not in given or given["schema"].element.value is None:
            return
        member = given["schema"]
        schema = self.schemas.get(str(member.element.value))
        if isinstance(member.element.value, dict):
            made["schema"] = member
        elif schema is not None:
            made["schema"] = _member(member, _text(schema.file, member.element))
            if schema.unique_on and "unique_on" not in made:
                items = [_text(column, member.element) for column in schema.unique_on]
                made["unique_on"] = _at(_list(member.element, items))
        else:
            self.diagnostics.append(
                Diagnostic(
                    code="unknown-type",
                    message=f"the schema {quote(str(member.element.value))} is in none of the files of "
                    '"schemas": the table takes any rows.',
                    where=self.written.location_at(member.element.start, member.element.pointer or ""),
                    known=("known schemas", tuple(sorted(self.schemas))),
                    hint=did_you_mean(str(member.element.value), self.schemas),
                    severity=Severity.WARNING,
                )
            )

    def _storage(self, given: Members, made: Members) -> None:
        if "storage" not in given or given["storage"].element.value is None:
            return
        member = given["storage"]
        name = str(member.element.value)
        if name in self.storages or (name not in self.own_storages and not name.startswith("Default")):
            made["storage"] = _member(member, self._as_text(member.element))
            return
        self.diagnostics.append(
            Diagnostic(
                code="unknown-storage",
                message=f"the storage {quote(name)} is not one of patterns.json: the default one is taken.",
                where=self.written.location_at(member.element.start, member.element.pointer or ""),
                known=("known storages", tuple(sorted(self.storages))),
                hint=did_you_mean(name, self.storages),
                severity=Severity.WARNING,
            )
        )

    # -- parts of the file

    def _members(
        self, item: Element, noun: str, keys: frozenset[str], kept: frozenset[str], *, keeps: bool = True
    ) -> Members:
        if item.members is None:
            self._report(
                "wrong-type", f"{noun} is {_kind_of(item.value)}, expected an object", item.start, item
            )
            return {}
        known = tuple(sorted(keys | kept))
        for key, member in item.members.items():
            if key not in known:
                self.diagnostics.append(
                    Diagnostic(
                        code="unknown-key",
                        message=f"{quote(key)} is not a key of {noun}"
                        + (": it is kept, and means nothing" if keeps else ""),
                        where=self.written.location_at(member.start, member.element.pointer or ""),
                        known=("known keys", known),
                        hint=did_you_mean(key, known),
                        severity=Severity.WARNING,
                    )
                )
        return dict(item.members)

    def _items(self, given: Members, key: str) -> tuple[Element, ...]:
        if key not in given or given[key].element.value is None:
            return ()
        element = given[key].element
        if element.items is None:
            message = f"{quote(key)} is {_kind_of(element.value)}, expected a list"
            self._report("wrong-type", message, element.start, element)
        return element.items or ()

    def _members_of_map(self, member: Member, key: str) -> Mapping[str, Member]:
        if member.element.members is None:
            message = f"{quote(key)} is {_kind_of(member.element.value)}, expected an object"
            self._report("wrong-type", message, member.element.start, member.element)
        return member.element.members or {}

    def _map(self, member: Member, key: str) -> Member:
        """Give a map of ports to stores; a port without a store leads to the one of its own name."""
        given = {} if member.element.value is None else self._members_of_map(member, key)
        named = {name: port for name, port in given.items() if port.element.value is not None}
        return _member(member, _object(member.element, named))

    def _is_text(self, item: Element, noun: str) -> bool:
        if isinstance(item.value, str):
            return True
        message = f"{noun} is {_kind_of(item.value)}, expected a text"
        self._report("wrong-type", message, item.start, item)
        return False

    def _copy_text(self, given: Members, key: str, made: Members) -> None:
        if key in given and given[key].element.value is not None:
            made[key] = _member(given[key], self._as_text(given[key].element))

    def _as_text(self, element: Element) -> Element:
        """Give a number or a truth value as it is written: `version: 1.10` is no number."""
        is_plain = isinstance(element.value, int | float)
        return (
            element._replace(value=self.written.content[element.start : element.end]) if is_plain else element
        )

    def _keep(self, given: Members, made: Members, used: Collection[str]) -> None:
        """Keep what has no meaning here."""
        kept = {key: member for key, member in given.items() if key not in used}
        if "storage" in given and "storage" not in made:
            kept["storage"] = given["storage"]
        if "stream" in given:
            kept["stream"] = given["stream"]
        if kept:
            made["metadata"] = _at(_object(next(iter(kept.values())).element, kept))

    def _put(
        self,
        made: Members,
        key: str,
        source: Member | None,
        items: list[Element | None] | list[Element],
        *,
        always: bool = False,
    ) -> None:
        there = [item for item in items if item is not None]
        if source is not None and (there or always):
            made[key] = _member(source, _list(source.element, there))

    def _report(self, code: str, message: str, start: int, element: Element) -> None:
        where = self.written.location_at(start, element.pointer or "")
        self.diagnostics.append(Diagnostic(code=code, message=message, where=where))


def _member(origin: Member, element: Element) -> Member:
    return Member(start=origin.start, end=origin.end, element=element)


def _at(element: Element) -> Member:
    return Member(start=element.start, end=element.end, element=element)


def _text(value: str, at: Element, pointer: str | None = None) -> Element:
    return Element(at.start, at.end, value, pointer=at.pointer if pointer is None else pointer)


def _object(at: Element, members: Mapping[str, Member]) -> Element:
    value = {name: member.element.value for name, member in members.items()}
    return Element(at.start, at.end, value, members=dict(members), pointer=at.pointer)


def _list(at: Element, items: list[Element]) -> Element:
    return Element(at.start, at.end, [item.value for item in items], items=tuple(items), pointer=at.pointer)


def _plain(given: Members, key: str) -> str:
    value = given[key].element.value if key in given else None
    return value.strip() if isinstance(value, str) else ""


def _slug(text: str) -> str:
    """Give a name of an app: blanks and `_` become `-`, other signs go, letters are small."""
    plain = re.sub(r"[^a-z0-9-]", "", slug(text.replace("_", "-"), "-"))
    return plain[:_LONGEST_NAME].strip("-")


def _kind_of(value: Any) -> str:  # noqa: ANN401 - plain data
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


_LONGEST_NAME: Final = 63
_INCLUDED: Final = frozenset({".json", ".yml", ".yaml"})
