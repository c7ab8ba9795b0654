"""What becomes of the nodes of included apps in the whole: settings passed on, names, and what must be connected."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Packed, Severity, did_you_mean, quote
from patterns_os.graph.parts import PASSED_ON, Part, unknown_port
from patterns_os.graph.vertices import Access, Edge, Node, NodeKind, Store, StoreKind, Use
from patterns_os.manifest.interpolation import CONNECTION, placeholders, secret_behind
from patterns_os.manifest.spec import (
    ScriptSpec,
    TableTriggerSpec,
    WebhookSpec,
)
from patterns_os.manifest.values import slug


@dataclass(frozen=True, slots=True)
class Built(Packed):
    """A node with its edges, and what is wrong with it.

    Attributes:
        own: The edges as the node's own app sees them: its names for the stores.
    """

    node: Node | None
    edges: tuple[Edge, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    own: tuple[Edge, ...] = ()


def as_included(part: Part, script: ScriptSpec) -> ScriptSpec:
    """Give a script of an included app with its path among all files and what the entry passes on."""
    if part.entry is None:
        return script
    given: dict[str, Any] = {}
    secrets = list(script.secrets or ())
    for entry in _entries(part):
        given |= {key: getattr(entry, key) for key in PASSED_ON if getattr(entry, key) is not None}
        secrets += entry.secrets or ()
    return script.model_copy(
        update={**given, "file": part.path(script.file), "secrets": tuple(dict.fromkeys(secrets)) or None}
    )


def _entries(part: Part) -> Iterator[ScriptSpec]:
    """Give the entries that lead to the part, the innermost first: what the outer ones set wins."""
    around: Part | None = part
    while around is not None and around.entry is not None:
        yield around.entry
        around = around.parent


def node_data(part: Part, script: ScriptSpec) -> dict[str, Any]:
    """Give the entry of a script as plain data, the tables that trigger it by their names in the whole."""
    data = script.to_data()
    data.pop("metadata", None)
    if part.parent is not None and isinstance(script.trigger, TableTriggerSpec):
        data["trigger"]["on"] = [part.store(table) for table in script.trigger.on]
    return data


def webhook_data(part: Part, webhook: WebhookSpec) -> dict[str, Any]:
    """Give a webhook as plain data; that of an included app has the app's name before its title and path."""
    data = webhook.to_data() | {"path": webhook.url_path}
    data.pop("metadata", None)
    if part.parent is not None:
        folders = "".join(f"/{slug(name, '-') or 'sub'}" for name in part.names)
        data |= {"path": folders + webhook.url_path, "title": part.node(webhook.title)}
        data["table"] = part.store(webhook.table)
    return data


def with_secrets(spec: Mapping[str, Any], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the node's data with the secrets that its parameters name among those that it gets."""
    named = [secret_behind(name) for name in placeholders(parameters)]
    if not named:
        return spec
    return {**spec, "secrets": list(dict.fromkeys([*(spec.get("secrets") or ()), *named]))}


def asked_secret(use: Use) -> str | None:
    """Give the secret that a use of a script asks for; a connection is kept as one."""
    if use.kind == "secret":
        return use.name
    return secret_behind(CONNECTION + use.name) if use.kind == "connection" else None


def secrets_in_sql(node: Node) -> Iterator[Diagnostic]:
    """Refuse secrets in the parameters of SQL: they would stand in the text of the query, for all to read."""
    if node.kind is NodeKind.SQL:
        for name in dict.fromkeys(placeholders(node.parameters)):
            yield Diagnostic(
                code="secret-in-sql",
                message=f"a parameter of the SQL script {quote(node.name)} holds {quote(f'${{{{ {name} }}}}')}, "
                "and a secret must not stand in the text of a query.",
                where=node.places.get("parameters", node.where),
                hint="do this step in a Python script",
            )


def sql_names(part: Part, script: ScriptSpec, source: bytes) -> dict[str, str]:
    """Give the whole's names of the tables that a SQL script may name, where they differ from its own."""
    ports = {**(script.declared_outputs or {})}
    ports |= {port: entry.table for port, entry in (script.declared_inputs or {}).items()}
    if part.parent is None:
        return ports
    # Which of the words are tables is known once the script is understood; a table has no other name than these.
    words = {
        word for found in _WORD.findall(source.decode(errors="replace")) for word in (found, found.lower())
    }
    return {name: part.store(ports.get(name, name)) for name in sorted(words | ports.keys())}


def in_whole(part: Part, edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Give edges with the whole's names of their stores."""
    if part.parent is None:
        return tuple(edges)
    return tuple(replace(edge, store=part.store(edge.store, edge.kind)) for edge in edges)


def start_included(parts: Sequence[Part], built: Sequence[Built]) -> list[Built]:
    """Give the trigger of an entry to the first nodes of the app that it includes.

    First are those that read nothing of what the app's nodes write.
    """
    found = list(built)
    # The outermost comes last, and wins.
    for part in reversed(parts):
        if part.entry is None or part.entry.trigger is None or part.parent is None:
            continue
        trigger = part.entry.to_data()["trigger"]
        if isinstance(part.entry.trigger, TableTriggerSpec):
            trigger["on"] = [part.parent.store(table) for table in part.entry.trigger.on]
        members = [index for index, one in enumerate(found) if one.node and _belongs(one.node, part)]
        written = {edge.store for index in members for edge in found[index].edges if _writes(edge)}
        for index in members:
            node, edges = found[index].node, found[index].edges
            inner = any(edge.store in written and not _writes(edge) for edge in edges)
            if node is not None and node.kind is not NodeKind.WEBHOOK and not inner:
                place = part.where or node.where
                node = replace(
                    node, spec={**node.spec, "trigger": trigger}, places={**node.places, "trigger": place}
                )
                found[index] = replace(found[index], node=node)
    return found


def taken_node(parts: Sequence[Part], first: Built, second: Built) -> list[Diagnostic]:
    """Say that two apps of the whole have nodes of one name; within one app the manifest's reader says so."""
    if len(parts) == 1 or first.node is None or second.node is None or first.node.group == second.node.group:
        return []
    name = first.node.name
    return [
        Diagnostic(
            code="taken-name",
            message=f"the node {quote(name)} of the app has the name of a node of an included app, "
            f"at {first.node.where.file}:{first.node.where.line}.",
            where=second.node.where,
            hint='give one of them another "name"',
        )
    ]


def check_included(
    parts: Sequence[Part], built: Sequence[Built], edges: Sequence[Edge], stores: tuple[Store, ...]
) -> tuple[tuple[Store, ...], list[Diagnostic]]:
    """Give the stores, those that an included app keeps to itself marked, and what is wrong between the apps."""
    check = _Check(parts, built, edges, stores)
    found = [*check.taken_stores(), *check.taken_paths(), *check.unknown_ports(), *check.unknown_exposed()]
    missing = dict(check.unconnected())
    marked = tuple(
        # What is said to be unconnected is not said again to be unknown.
        replace(
            store,
            group=check.private.get((store.kind, store.name)),
            declared=store.declared or (store.kind, store.name) in missing,
        )
        for store in stores
    )
    return marked, [*found, *missing.values()]


class _Check:
    def __init__(
        self, parts: Sequence[Part], built: Sequence[Built], edges: Sequence[Edge], stores: Iterable[Store]
    ) -> None:
        self.parts = parts
        self.stores = {(store.kind, store.name): store for store in stores}
        self.written = {(edge.kind, edge.store) for edge in edges if _writes(edge)}
        self.edges: dict[str | None, list[Edge]] = defaultdict(list)
        kept = {edge.node for edge in edges}
        for one in built:
            if one.node is not None and (one.node.name in kept or not one.own):
                self.edges[one.node.group] += one.own
        self.nodes: dict[str | None, list[Node]] = defaultdict(list)
        for one in built:
            if one.node is not None:
                self.nodes[one.node.group].append(one.node)
        self._stores_of: dict[str | None, list[tuple[StoreKind, str]]] = {}
        self.private: dict[tuple[StoreKind, str], str] = {}
        self.private_names: dict[tuple[StoreKind, str], tuple[str, str]] = {}
        for part in parts:
            for kind, name in self._own_stores(part) if part.parent else ():
                if not part.leads_out(name):
                    self.private[kind, part.store(name, kind)] = part.group or ""
                    self.private_names[kind, part.store(name, kind)] = (part.group or "", name)

    def taken_stores(self) -> Iterator[Diagnostic]:
        """No other app has a store of the name that the whole gives to a private one."""
        for part in self.parts:
            for kind, name in self._own_stores(part):
                whole = (kind, part.store(name, kind))
                owner = self.private_names.get(whole)
                if owner is None or part.owner(name) == owner[0]:
                    continue
                store = self.stores.get(whole)
                uses = [
                    edge.where for edge in self.edges[part.group] if (edge.kind, edge.store) == (kind, name)
                ]
                yield Diagnostic(
                    code="taken-name",
                    message=f"{quote(whole[1])} is the {kind} {quote(owner[1])} that the included app "
                    f"{quote(owner[0])} keeps to itself.",
                    where=min(uses) if uses else store.where if store else None,
                    hint=f'add {quote(owner[1])} to the "exposes" of the included app, or take another name',
                )

    def taken_paths(self) -> Iterator[Diagnostic]:
        """No two apps have webhooks of one path; within one app the manifest's reader says so."""
        first: dict[str, Node] = {}
        hooks = [node for nodes in self.nodes.values() for node in nodes if node.kind is NodeKind.WEBHOOK]
        for node in hooks:
            path = str(node.spec["path"])
            other = first.setdefault(path, node)
            if other.group != node.group:
                yield Diagnostic(
                    code="taken-name",
                    message=f"the webhooks {quote(other.name)} and {quote(node.name)} have the same path, "
                    f"{quote(path)}.",
                    where=min((other, node), key=lambda one: len((one.group or "").split("."))).where,
                    hint='give one of them another "path", or the included app another "name"',
                )

    def unknown_exposed(self) -> Iterator[Diagnostic]:
        """What an app exposes is something that it uses."""
        said: set[str] = set()
        for part in self.parts:
            exposes = part.spec.exposes
            if exposes is None or part.file in said or not self._is_understood(part):
                continue
            said.add(part.file)
            stores = {name for _, name in self._own_stores(part)}
            asked = self._asked(part)
            for key, given, known in (
                ("inputs", exposes.inputs, stores),
                ("outputs", exposes.outputs, stores),
                ("parameters", exposes.parameters, asked),
            ):
                for index, name in enumerate(given):
                    if name not in known:
                        yield Diagnostic(
                            code="unknown-port",
                            message=f"the app exposes the {key.removesuffix('s')} {quote(name)}, "
                            "which nothing in it uses.",
                            where=part.locate("exposes", key, index),
                            known=(
                                f"its {'parameters' if key == 'parameters' else 'tables and files'}",
                                tuple(sorted(known)),
                            ),
                            hint=did_you_mean(name, known),
                            severity=Severity.WARNING,
                        )

    def _is_understood(self, part: Part) -> bool:
        """Tell whether all is known that the app and those in it use: each was read, and no script hides a use."""
        inside = [one for one in self.parts if _within(one.group, part)]
        found = {id(one.entry) for one in self.parts}
        is_whole = all(id(entry) in found for one in inside for entry in one.spec.scripts if entry.includes)
        return is_whole and not any(
            node.analysis.unknown
            for group, nodes in self.nodes.items()
            if _within(group, part)
            for node in nodes
        )

    def _asked(self, part: Part) -> set[str]:
        """Give the parameters that the app and those in it ask for or set."""
        nodes = [node for group, nodes in self.nodes.items() if _within(group, part) for node in nodes]
        asked = {use.name for node in nodes for use in node.analysis.uses if use.kind == "parameter"}
        asked |= {parameter.name for parameter in part.spec.parameters}
        return asked | {name for script in part.spec.scripts for name in script.parameters or {}}

    def unknown_ports(self) -> Iterator[Diagnostic]:
        """What an entry connects or sets is something that the included app uses."""
        for part in self.parts:
            entry, parent = part.entry, part.parent
            if entry is None or parent is None:
                continue
            names = {name for _, name in self._own_stores(part)}
            index = next(index for index, other in enumerate(parent.spec.scripts) if other is entry)
            for key, noun, given in (
                ("inputs", "input", entry.declared_inputs or {}),
                ("outputs", "output", entry.declared_outputs or {}),
            ):
                for port in given:
                    exposed = getattr(part.spec.exposes, key) if part.spec.exposes else None
                    if port not in names and (exposed is None or port in exposed):
                        where = parent.locate("scripts", index, key)
                        yield unknown_port(part, noun, port, tuple(sorted(names)), where)
            yield from self._unknown_parameters(part, index)

    def unconnected(self) -> Iterator[tuple[tuple[StoreKind, str], Diagnostic]]:
        """What an included app needs filled is filled, or declared outside of it."""
        for part in self.parts:
            exposes, entry, parent = part.spec.exposes, part.entry, part.parent
            if entry is None or parent is None:
                continue
            given = entry.declared_inputs or {}
            index = next(index for index, other in enumerate(parent.spec.scripts) if other is entry)
            read = {(edge.kind, edge.store) for edge in self._reads(part)}
            for kind, name in sorted(read):
                whole = (kind, part.store(name, kind))
                needed = name in given or (exposes is not None and name in exposes.inputs)
                if not needed or whole in self.written or self._is_declared_outside(part, whole):
                    continue
                outer = given[name].table if name in given else name
                yield whole, self._unconnected(part, parent, index, name, outer, is_given=name in given)

    def _unconnected(
        self, part: Part, parent: Part, index: int, port: str, outer: str, *, is_given: bool
    ) -> Diagnostic:
        known = tuple(sorted(self._known(parent)))
        where = parent.locate("scripts", index, "inputs") if is_given else part.where
        connected = f"is connected to {quote(outer)}, which nothing declares and nothing writes"
        return Diagnostic(
            code="unconnected-input",
            message=f"the input {quote(port)} of the included app {quote(part.group or '')} "
            f"{connected if is_given else 'is not connected'}.",
            where=where,
            known=("tables to connect it to", known),
            hint=did_you_mean(outer, known)
            or f'add {{{quote(port)}: "…"}} to the "inputs" of the entry, with the name of a table',
        )

    def _unknown_parameters(self, part: Part, index: int) -> Iterator[Diagnostic]:
        given = (part.entry.parameters if part.entry else None) or {}
        if part.parent is None or not given or not self._is_understood(part):
            return
        asked = self._asked(part)
        exposed = part.spec.exposes.parameters if part.spec.exposes else None
        for name in given:
            if name not in asked and (exposed is None or name in exposed):
                where = part.parent.locate("scripts", index, "parameters")
                yield unknown_port(part, "parameter", name, tuple(sorted(asked)), where)

    def _own_stores(self, part: Part) -> list[tuple[StoreKind, str]]:
        """Give the stores that the app itself declares, uses or connects, by its own names."""
        known = self._stores_of.get(part.group)
        if known is not None:
            return known
        tables = {(StoreKind.TABLE, store.name) for store in part.spec.tables}
        files = {(StoreKind.FILE, store.name) for store in part.spec.files}
        used = {(edge.kind, edge.store) for edge in self.edges[part.group]}
        passed: set[tuple[StoreKind, str]] = set()
        for inner in self.parts:
            if inner.parent is part:
                passed |= {
                    (kind, inner.outer(name))
                    for kind, name in self._own_stores(inner)
                    if inner.leads_out(name)
                }
        found = self._stores_of[part.group] = sorted(tables | files | used | passed)
        return found

    def _reads(self, part: Part) -> Iterator[Edge]:
        optional = {
            (node.name, use.name)
            for node in self.nodes[part.group]
            for use in node.analysis.uses
            if use.kind == "table" and use.detail.get("required") is False
        }
        for edge in self.edges[part.group]:
            if not _writes(edge) and (edge.node, edge.port) not in optional:
                yield edge

    def _is_declared_outside(self, part: Part, whole: tuple[StoreKind, str]) -> bool:
        outer = part.parent
        while outer is not None:
            names = {(store_kind, outer.store(name, store_kind)) for store_kind, name in _declared(outer)}
            if whole in names:
                return True
            outer = outer.parent
        return False

    def _known(self, part: Part) -> set[str]:
        tables = {name for kind, name in self._own_stores(part) if kind is StoreKind.TABLE}
        return {
            name
            for name in tables
            if (StoreKind.TABLE, part.store(name)) in self.written
            or any(store.name == name for store in part.spec.tables)
        }


def _declared(part: Part) -> Iterator[tuple[StoreKind, str]]:
    yield from ((StoreKind.TABLE, store.name) for store in part.spec.tables)
    yield from ((StoreKind.FILE, store.name) for store in part.spec.files)


def _writes(edge: Edge) -> bool:
    return edge.access is Access.WRITE


def _belongs(node: Node, part: Part) -> bool:
    return _within(node.group, part)


def _within(group: str | None, part: Part) -> bool:
    if part.group is None:
        return True
    return group is not None and (group == part.group or group.startswith(f"{part.group}."))


_WORD: Final = re.compile(r"[A-Za-z_]\w*")
