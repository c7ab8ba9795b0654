"""An app and the apps that it includes: which there are, and what their names mean in the whole.

Included apps become one flat graph with the outermost one. A node `clean` of the included app `sub` is called
`sub.clean`. A table leads out of its app where it is connected or exposed; else it is private, and the whole
calls it `sub__orders`.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, nearest, quote
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import StoreKind
from patterns_os.manifest.document import join_pointer
from patterns_os.manifest.parse import Parsed
from patterns_os.manifest.scripts import COMPONENTS_FOLDER, ScriptSpec
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.spelling import parse_app
from patterns_os.manifest.values import slug

MOST_PARTS: Final = 1_000
"""Apps that include others several times, which include others several times, grow without end."""

COMPONENTS_INDEX: Final = f"{COMPONENTS_FOLDER}/index.txt"
"""Lists the components that there are, a line each; whoever loads an app puts it there."""

PASSED_ON: Final = frozenset(
    {"runtime", "retries", "timeout", "on_error", "start", "resources", "isolation", "concurrency"}
)
"""Settings of an entry that hold for each node of the app that it includes."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One app of the whole: the outermost one, or one that an entry of another includes.

    Attributes:
        names: The names of the entries that lead to it, outermost first; empty for the outermost app.
        file: Its manifest.
        parent: The app that includes it, `None` for the outermost.
        entry: What includes it, `None` for the outermost.
        where: Place of that entry.
        ports: The names that lead out of it, with the whole's name of each.
        parameters: Values that the apps around it give; those of the outermost win.
    """

    names: tuple[str, ...] = ()
    file: str
    manifest: Parsed[ManifestSpec]
    spec: ManifestSpec
    parent: "Part | None" = field(default=None, repr=False)
    entry: ScriptSpec | None = None
    where: Location | None = None
    ports: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str | None:
        """Its name in the whole: `sub`, `sub.inner`; `None` for the outermost app."""
        return ".".join(self.names) or None

    def path(self, file: str) -> str:
        """Give the path of a file of this app among all files."""
        folder = PurePosixPath(self.file).parent
        if file.startswith(f"{COMPONENTS_FOLDER}/") or folder == PurePosixPath():
            return file
        return str(folder / file)

    def node(self, name: str) -> str:
        """Give what the whole calls a node of this app."""
        return ".".join((*self.names, name))

    def leads_out(self, store: str) -> bool:
        """Tell whether a store of this app is one of the app around it too."""
        if self.parent is None:
            return False
        if store in self.ports:
            return True
        exposes = self.spec.exposes
        if exposes is None:
            return store in self.parent.connectable
        return store in exposes.inputs or store in exposes.outputs

    def store(self, name: str, kind: StoreKind = StoreKind.TABLE) -> str:
        """Give what the whole calls a store of this app."""
        if self.parent is None:
            return name
        if not self.leads_out(name):
            return self._private(name, kind)
        return self.ports[name] if name in self.ports else self.parent.store(name, kind)

    def owner(self, store: str) -> str | None:
        """Give the group of the app that a store belongs to in the end, `None` for the outermost."""
        if self.parent is None:
            return None
        if not self.leads_out(store):
            return self.group
        return self.parent.owner(self.outer(store))

    def outer(self, store: str) -> str:
        """Give what the app around this one calls a store that leads out."""
        inputs = (self.entry.declared_inputs if self.entry else None) or {}
        outputs = (self.entry.declared_outputs if self.entry else None) or {}
        return inputs[store].table if store in inputs else outputs.get(store, store)

    def locate(self, *parts: str | int) -> Location:
        """Give the place of a part of the manifest."""
        return self.manifest.document.locate(join_pointer(parts))

    @cached_property
    def connectable(self) -> AbstractSet[str]:
        """The stores that this app names itself: those meet what an included app exposes by their names."""
        spec = self.spec
        names = {store.name for store in spec.stores} | {webhook.table for webhook in spec.webhooks}
        for script in spec.scripts:
            names |= {given.table for given in (script.declared_inputs or {}).values()}
            names |= set((script.declared_outputs or {}).values())
        return names

    def _private(self, name: str, kind: StoreKind) -> str:
        if kind is StoreKind.FILE:
            return "/".join((*self.names, name))
        whole = "__".join((*(slug(part) or "sub" for part in self.names), name))
        whole = f"_{whole}" if whole[0].isdigit() else whole
        if len(whole) <= _LONGEST_TABLE:
            return whole
        mark = sha256("\0".join((*self.names, name)).encode()).hexdigest()[:_MARK]
        return f"{whole[: _LONGEST_TABLE - _MARK - 1]}_{mark}"


def find_parts(manifest: Parsed[ManifestSpec], sources: Sources) -> tuple[tuple[Part, ...], list[Diagnostic]]:
    """Give the app and all that it includes, each after the one that includes it, and what is wrong with that.

    What is wrong inside the manifests of included apps is given once for each file.
    """
    assert manifest.spec is not None  # noqa: S101 - without one there is nothing to build
    parts = [Part(file=manifest.document.file, manifest=manifest, spec=manifest.spec)]
    finder = _Finder(sources)
    for part in parts:
        for index, entry in enumerate(part.spec.scripts):
            if entry.includes:
                found = finder.included(part, index, entry)
                parts += [found] if found else []
        if len(parts) > MOST_PARTS:
            finder.diagnostics.append(_too_many(part))
            break
    return tuple(parts), finder.diagnostics


@dataclass(slots=True)
class _Finder:
    sources: Sources
    diagnostics: list[Diagnostic] = field(default_factory=list)
    parsed: dict[str, Parsed[ManifestSpec]] = field(default_factory=dict)

    def included(self, parent: Part, index: int, entry: ScriptSpec) -> Part | None:
        """Give the app that the entry includes, `None` where that is not possible."""
        file = parent.path(entry.file)
        where = parent.locate("scripts", index)
        place = parent.locate("scripts", index, "uses" if _is_component(entry) else "file")
        wrong = self._missing(entry, file, place) or _circle(parent, file, place)
        if wrong is not None:
            self.diagnostics.append(wrong)
            return None
        manifest = self._parse(file, entry.node_name)
        if manifest.spec is None:
            return None
        part = Part(
            names=(*parent.names, entry.node_name),
            file=file,
            manifest=manifest,
            spec=manifest.spec,
            parent=parent,
            entry=entry,
            where=where,
            ports=_ports(parent, entry),
            parameters=(entry.parameters or {}) | _handed_down(parent, manifest.spec),
        )
        self.diagnostics += _unexposed(part, index)
        return part

    def _parse(self, file: str, name: str) -> Parsed[ManifestSpec]:
        if file not in self.parsed:
            self.parsed[file] = parse_app(file, self.sources, name=slug(name, "-") or None)
            self.diagnostics += self.parsed[file].diagnostics
        return self.parsed[file]

    def _missing(self, entry: ScriptSpec, file: str, where: Location) -> Diagnostic | None:
        if file in self.sources:
            return None
        if _is_component(entry) and entry.uses:
            return _unknown_component(entry.uses, self.sources, where)
        endings = tuple(PurePosixPath(name).name for name in (entry.file,))
        known = tuple(path for path in self.sources if PurePosixPath(path).name in endings)
        return Diagnostic(
            code="missing-file",
            message=f"the app {quote(file)} to include does not exist.",
            where=where,
            known=("known manifests", known),
            hint=did_you_mean(file, known),
        )


def _handed_down(parent: Part, spec: ManifestSpec) -> dict[str, Any]:
    """Give what the app around the parent sets, of what the app inside lets be set: it goes on inwards, and wins."""
    exposes = spec.exposes
    return {
        name: value
        for name, value in parent.parameters.items()
        if exposes is None or name in exposes.parameters
    }


def _ports(parent: Part, entry: ScriptSpec) -> dict[str, str]:
    outputs = {port: parent.store(store) for port, store in (entry.declared_outputs or {}).items()}
    inputs = {port: parent.store(given.table) for port, given in (entry.declared_inputs or {}).items()}
    return outputs | inputs


def _is_component(entry: ScriptSpec) -> bool:
    return entry.file.startswith(f"{COMPONENTS_FOLDER}/")


def _unknown_component(reference: str, sources: Sources, where: Location) -> Diagnostic:
    known = tuple(sources.get(COMPONENTS_INDEX, b"").decode().split())
    name, _, version = reference.partition("@")
    versions = [other for other in known if other.partition("@")[0] == name]
    if versions:
        message = f"component {quote(name)} has no version {quote(version)}."
        label, names = "known versions", tuple(other.partition("@")[2] for other in versions)
        return Diagnostic(
            code="unknown-component",
            message=message,
            where=where,
            known=(label, names),
            hint=f"write {quote(versions[-1])}, and see whether its ports are what you need",
        )
    # A name under another vendor is more likely meant than one that is spelled alike.
    same = [other for other in known if other.partition("@")[0].endswith(f"/{name.partition('/')[2]}")]
    meant = same[-1] if same else nearest(reference, known)
    return Diagnostic(
        code="unknown-component",
        message=f"there is no component {quote(reference)}.",
        where=where,
        known=("known components", known),
        hint=f"did you mean {quote(meant)}?"
        if meant
        else "put an app that does it into a folder, and include that by the path of its manifest",
    )


def _circle(parent: Part, file: str, where: Location) -> Diagnostic | None:
    chain = [file]
    part: Part | None = parent
    while part is not None:
        chain.append(part.file)
        if part.file == file:
            shown = " → ".join(reversed(chain))
            return Diagnostic(
                code="include-cycle",
                message=f"apps include each other in a circle: {shown}.",
                where=where,
                hint="take out one of these inclusions",
            )
        part = part.parent
    return None


def _too_many(part: Part) -> Diagnostic:
    return Diagnostic(
        code="include-cycle",
        message=f"more than {MOST_PARTS} apps are included, the rest is not looked at.",
        where=part.where,
    )


def _unexposed(part: Part, index: int) -> Iterator[Diagnostic]:
    """Give what the entry connects or sets and the included app does not expose."""
    exposes, entry, parent = part.spec.exposes, part.entry, part.parent
    if exposes is None or entry is None or parent is None:
        return
    given: tuple[tuple[str, str, Mapping[str, Any], tuple[str, ...]], ...] = (
        ("inputs", "input", entry.declared_inputs or {}, exposes.inputs),
        ("outputs", "output", entry.declared_outputs or {}, exposes.outputs),
        ("parameters", "parameter", entry.parameters or {}, exposes.parameters),
    )
    for key, noun, names, known in given:
        for name in names:
            if name not in known:
                yield unknown_port(part, noun, name, known, parent.locate("scripts", index, key))


def unknown_port(part: Part, noun: str, name: str, known: tuple[str, ...], where: Location) -> Diagnostic:
    """Give the finding that an included app has no input, output or parameter of that name."""
    return Diagnostic(
        code="unknown-port",
        message=f"the included app {quote(part.group or '')} has no {noun} {quote(name)}.",
        where=where,
        known=(f"its {noun}s", known),
        hint=did_you_mean(name, known),
    )


_LONGEST_TABLE: Final = 63
_MARK: Final = 8
