"""What a rule is, and what rules look at."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from patterns_os.diagnostics import Diagnostic, Location, Severity
from patterns_os.graph.codes import CODES
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.sources import Sources
from patterns_os.graph.topology import cycles
from patterns_os.graph.vertices import Access, ColumnFlow, Edge, Graph, Node, NodeKind, StoreKind, Use
from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.parse import Parsed
from patterns_os.manifest.spec import ManifestSpec


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What rules look at.

    Attributes:
        parsed_configuration: `None` where there is no patterns.json.
        lineage: The columns of the app; without it no rule about columns finds anything.
    """

    graph: Graph
    sources: Sources
    manifest: Parsed[ManifestSpec]
    parsed_configuration: Parsed[ConfigurationSpec] | None = None
    lineage: Lineage | None = None

    @property
    def configuration(self) -> ConfigurationSpec | None:
        """What patterns.json says, `None` where there is none or it has no shape."""
        return self.parsed_configuration.spec if self.parsed_configuration else None

    @property
    def spec(self) -> ManifestSpec:
        """What the manifest says; the empty app where it has no shape."""
        return self.manifest.spec or ManifestSpec(name=self.graph.app)

    @cached_property
    def is_understood(self) -> bool:
        """Whether all that the scripts touch is known, so that "nobody uses it" can be said."""
        # What an app that is included makes of the names of this one is not looked into.
        built = all(self.graph.node(script.node_name) and not script.includes for script in self.spec.scripts)
        return bool(self.graph.nodes) and built and all(self.understands(node) for node in self.graph.nodes)

    @cached_property
    def writers(self) -> Mapping[tuple[StoreKind, str], tuple[Edge, ...]]:
        """The edges that write each store."""
        return _by_store(edge for edge in self.graph.edges if edge.access is Access.WRITE)

    @cached_property
    def readers(self) -> Mapping[tuple[StoreKind, str], tuple[Edge, ...]]:
        """The edges that read or stream each store."""
        return _by_store(edge for edge in self.graph.edges if edge.access is not Access.WRITE)

    @cached_property
    def circles(self) -> tuple[tuple[str, ...], ...]:
        """Tables that trigger their own writers, but for circles where a node says how often."""
        bounded = {node.name for node in self.graph.nodes if node.spec.get("max_hops") is not None}
        return cycles(self.graph, without=bounded)

    def understands(self, node: Node) -> bool:
        """Tell whether all that the node touches is known; of an empty or broken script nothing is."""
        if node.file is None:
            return True
        is_read = bool(node.sql) if node.kind is NodeKind.SQL else bool(node.analysis.uses)
        return node.file in self.sources and is_read and not node.analysis.unknown

    def flows(self, node: Node) -> Sequence[ColumnFlow]:
        """Give the columns that the node writes, by the tables of the app."""
        return self.lineage.flows.get(node.name, ()) if self.lineage else ()

    def uses(self, kind: str) -> Iterator[tuple[Node, Use]]:
        """Give each mention of that kind in a script, with its node."""
        for node in self.graph.nodes:
            for use in node.analysis.uses:
                if use.kind == kind:
                    yield node, use

    def in_manifest(self, pointer: str) -> Location:
        """Give a place in manifest.json."""
        return self.manifest.document.locate(pointer)

    def in_configuration(self, pointer: str) -> Location | None:
        """Give a place in patterns.json, `None` where there is none."""
        parsed = self.parsed_configuration
        return parsed.document.locate(pointer) if parsed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule found; the parts are those of a `Diagnostic`.

    Attributes:
        subject: The name that it is about, for what mends it.
    """

    message: str
    where: Location | None
    known: tuple[str, tuple[str, ...]] | None = None
    hint: str | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One edit of `manifest.json` or `patterns.json` that mends a finding.

    Attributes:
        action: `set` a value, `append` an item to a list (made if missing), `remove` a key or an item,
            `rename` a key.
        pointer: JSON pointer of what changes.
        value: The new value, item or key; nothing for `remove`.
    """

    file: str
    action: Literal["set", "append", "remove", "rename"]
    pointer: str
    value: Any = None


Check = Callable[[Checked], Iterator[Finding]]
Fix = Callable[[Checked, Finding], Repair | None]
"""Gives the edit that mends a finding without a doubt, or `None`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        code: Stable, kebab-case; its sentence is in `graph.codes`, its page in `explanations`.
        severity: `None` is off until patterns.json turns it on: a matter of taste.
        can_be_ignored: False where an app with such a finding cannot run.
    """

    code: str
    severity: Severity | None
    check: Check
    fix: Fix | None = None
    can_be_ignored: bool = True

    @property
    def summary(self) -> str:
        """What it finds, in one sentence."""
        return CODES[self.code]

    def diagnostic(self, finding: Finding) -> Diagnostic:
        """Give a finding as everybody else wants it."""
        return Diagnostic(
            code=self.code,
            message=finding.message,
            where=finding.where,
            known=finding.known,
            hint=finding.hint,
            severity=self.severity or Severity.WARNING,
        )


def _by_store(edges: Iterator[Edge]) -> dict[tuple[StoreKind, str], tuple[Edge, ...]]:
    found: dict[tuple[StoreKind, str], list[Edge]] = defaultdict(list)
    for edge in edges:
        found[edge.kind, edge.store].append(edge)
    return {key: tuple(same) for key, same in found.items()}
