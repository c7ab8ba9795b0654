"""The whole compiler in one call: files in, plan or diagnostics out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from patterns_os.diagnostics import Diagnostic, Location, Severity, has_errors, quote, sort_diagnostics
from patterns_os.graph.analyses import Analyses
from patterns_os.graph.build import Ahead, build_graph
from patterns_os.graph.contracts import check_contracts
from patterns_os.graph.lineage import Lineage, trace_lineage
from patterns_os.graph.memo import Forgetful, Memo
from patterns_os.graph.rules.exceptions import apply_exceptions
from patterns_os.graph.rules.registry import check_graph
from patterns_os.graph.rules.rule import Checked
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import Graph
from patterns_os.manifest.configuration import ConfigurationSpec, Lookup
from patterns_os.manifest.parse import Parsed, parse_configuration
from patterns_os.manifest.scripts import MANIFEST_NAMES
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.spelling import find_manifest, parse_app
from patterns_os.plan.build import CronParser, build_plan
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.spec import Plan

MANIFEST = "manifest.json"
CONFIGURATION = "patterns.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """An app, as far as it could be understood.

    Attributes:
        manifest: `None` if there is neither a manifest.json nor a graph.yml.
        configuration: `None` if there is no patterns.json.
        graph: `None` if the manifest has no shape; otherwise there, errors or not, to be drawn.
        lineage: The columns of the graph; `None` where there is no graph.
        plan: `None` if any finding is an error.
        diagnostics: All findings, sorted by place.
        sources: What was compiled; apps that mean the same are equal whatever else their files say.
    """

    manifest: Parsed[ManifestSpec] | None = None
    configuration: Parsed[ConfigurationSpec] | None = None
    graph: Graph | None = None
    lineage: Lineage | None = None
    plan: Plan | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Sources = field(default=Sources({}), compare=False, repr=False)

    @property
    def is_good(self) -> bool:
        """Whether there is a plan."""
        return self.plan is not None


def compile_app(
    sources: Sources,
    *,
    parse_cron: CronParser | None = None,
    lookup: Lookup | None = None,
    folder: str | None = None,
    memo: Memo | None = None,
    ahead: Ahead | None = None,
) -> Compiled:
    """Give everything that the files of an app mean and everything that is wrong with them, in one go.

    Args:
        sources: All files of the app.
        parse_cron: Tells whether a cron can be kept: `patterns_os.triggers.cron.parse_cron`; without it only
            the shape of crons is checked.
        lookup: Gives the values of `${NAME}` in patterns.json; without it they stay as written.
        folder: Name of the app's folder, for messages.
        memo: What earlier compiles worked out; the result is the same with any memo.
        ahead: May look at scripts before the compiler does, and leave what it finds in the memo.
    """
    file = find_manifest(sources)
    if file is None:
        return Compiled(diagnostics=(_no_app(folder),))
    configuration = (
        parse_configuration(sources[CONFIGURATION], lookup=lookup) if CONFIGURATION in sources else None
    )
    settings = configuration.spec if configuration else None
    storages = tuple(storage.name for storage in settings.storages) if settings else ()
    manifest = parse_app(file, sources, name=folder, storages=storages)
    found = [*manifest.diagnostics, *(configuration.diagnostics if configuration else ())]
    found += _passed_over(file, sources)
    analyses = Analyses(sources, Forgetful() if memo is None else memo)
    graph, built = build_graph(manifest, sources, settings, analyses, ahead)
    found += built
    plan: Plan | None = None
    lineage: Lineage | None = None
    if graph is not None:
        lineage, traced = trace_lineage(graph, analyses.trace, check_contracts, analyses.memo)
        found += traced
        checked = Checked(
            graph=graph,
            sources=sources,
            manifest=manifest,
            parsed_configuration=configuration,
            lineage=lineage,
        )
        found += check_graph(checked)
        plan, planned = build_plan(graph, settings, parse_cron, sources, lineage=lineage)
        found += planned
        found = list(apply_exceptions(found, checked, ALL_CODES.keys()))
    return Compiled(
        manifest=manifest,
        configuration=configuration,
        graph=graph,
        lineage=lineage,
        plan=None if has_errors(found) else plan,
        diagnostics=sort_diagnostics(found),
        sources=sources,
    )


def _passed_over(file: str, sources: Sources) -> Iterator[Diagnostic]:
    for other in MANIFEST_NAMES:
        if other != file and other in sources:
            yield Diagnostic(
                code="two-manifests",
                message=f"the folder has {quote(file)} and {quote(other)}: the first counts, "
                "the other is not read.",
                where=Location(file=other),
                hint=f"delete {quote(other)}, or move it to another folder",
                severity=Severity.WARNING,
            )


def _no_app(folder: str | None) -> Diagnostic:
    name = f"the folder {quote(folder)}" if folder else "this folder"
    return Diagnostic(
        code="no-app",
        message=f"{name} has no {quote(MANIFEST)}, so it is no app.",
        hint="`patterns create app NAME` makes one",
    )
