"""From the app's folder and its database to what deploying would do, and to doing exactly that."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from patterns_os.adapters.postgres.versions import PostgresVersions
from patterns_os.adapters.postgres.wakeups import notify
from patterns_os.composition.running import Database, deploy, source_contents
from patterns_os.errors import PermanentError, TemporaryError
from patterns_os.plan.compile import Compiled
from patterns_os.plan.diff import PlanDiff, diff_plans, likely_renames
from patterns_os.plan.downstream import ColumnUses, column_uses
from patterns_os.plan.facts import DeployedFacts
from patterns_os.plan.file import PlanFile
from patterns_os.plan.spec import Plan
from patterns_os.ports.deployments import DeployedVersion, Deployment, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A plan, and what deploying it would change.

    Attributes:
        sources: Bytes of the plan's source files by their hash.
        uses: Which columns its nodes are seen to ask for.
        renamed: Old node name → new one of nodes that keep their place.
        forgotten: Nodes that are gone, whatever looks like them.
    """

    plan: Plan
    sources: Mapping[str, bytes] = field(repr=False)
    diff: PlanDiff
    uses: ColumnUses = field(default_factory=dict, repr=False)
    renamed: Mapping[str, str] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()

    @property
    def file(self) -> PlanFile:
        """The proposal as it is kept."""
        return PlanFile(plan=self.plan, sources=self.sources, expected=self.diff.expected, uses=self.uses)


def versions_of(database: Database) -> Versions:
    """Give what is deployed in a database."""
    return PostgresVersions(database.conninfo)


def propose(
    compiled: Compiled,
    plan: Plan,
    database: Database | None,
    *,
    drop: Collection[str] = (),
    against: str | None = None,
) -> Proposal:
    """Compare the app's folder with what is deployed.

    Args:
        compiled: The app.
        plan: Its plan.
        database: Where it is deployed, `None` if there is no database yet.
        drop: Tables to delete.
        against: Number or hash of another version to compare with, `None` for the active one.
    """
    sources = source_contents(plan, compiled.sources)
    graph, lineage = compiled.graph, compiled.lineage
    uses = column_uses(graph, lineage) if graph is not None and lineage is not None else {}
    before, facts = _deployed(database, plan.app, against)
    contents = {**(before.sources if before else {}), **sources}
    diff = diff_plans(before.plan if before else None, plan, facts, contents=contents, uses=uses, drop=drop)
    return Proposal(plan=plan, sources=sources, diff=diff, uses=uses)


def propose_again(kept: PlanFile, database: Database) -> Proposal:
    """Compare a plan that was made earlier with what is deployed now.

    Raises:
        TemporaryError: What it relies on is not so any more (`world-moved`).
    """
    before, facts = _deployed(database, kept.plan.app, None)
    moved = kept.expected.moved(facts)
    if moved:
        raise TemporaryError(
            f"The world moved since the plan was made: {'; '.join(moved)}",
            code="world-moved",
            hint="nothing is changed: make the plan again with `patterns plan --out FILE`",
        )
    contents = {**(before.sources if before else {}), **kept.sources}
    diff = diff_plans(
        before.plan if before else None,
        kept.plan,
        facts,
        contents=contents,
        uses=kept.uses,
        drop=kept.expected.dropped,
    )
    return Proposal(plan=kept.plan, sources=kept.sources, diff=diff, uses=kept.uses)


def propose_version(wanted: DeployedVersion, database: Database) -> Proposal:
    """Compare an earlier version with the active one.

    Raises:
        PermanentError: Its source files were not kept (`version-without-sources`).
    """
    missing = {
        source.content for node in wanted.plan.nodes for source in node.sources
    } - wanted.sources.keys()
    if missing or any(node.file and not node.sources for node in wanted.plan.nodes):
        raise PermanentError(
            f"Deployment {wanted.number} was made by a release that did not keep source files",
            code="version-without-sources",
            hint="check that version's files out, then `patterns deploy`",
        )
    before, facts = _deployed(database, wanted.plan.app, None)
    contents = {**(before.sources if before else {}), **wanted.sources}
    active = before.plan if before else None
    # What was deployed keeps its name for ever, unless it was renamed since: who is not known any more was.
    likely = likely_renames(active, wanted.plan) if active else {}
    renamed = {old: new for old, new in likely.items() if new not in facts.nodes}
    forgotten = tuple(old for old in likely if old not in renamed)
    diff = diff_plans(active, wanted.plan, facts, contents=contents, renamed=renamed, forgotten=forgotten)
    return Proposal(plan=wanted.plan, sources=wanted.sources, diff=diff, renamed=renamed, forgotten=forgotten)


def apply(app: Path, database: Database, proposal: Proposal, *, how: str) -> Deployment:
    """Do what the proposal says, or nothing at all.

    Raises:
        TemporaryError: Something that it relies on has changed meanwhile (`world-moved`).
        PermanentError: A node looks renamed (`node-renamed`).
    """
    deployment = deploy(
        app,
        database,
        proposal.plan,
        renamed=proposal.renamed,
        forgotten=proposal.forgotten,
        sources=proposal.sources,
        expected=proposal.diff.expected,
        drop=tuple(proposal.diff.dropped),
        how=how,
    )
    notify(database.conninfo, deployment.app)
    return deployment


def _deployed(
    database: Database | None, app: str, against: str | None
) -> tuple[DeployedVersion | None, DeployedFacts]:
    """Give a version and the deployed world, both of one moment where it is the active version."""
    if database is None:
        return None, DeployedFacts()
    versions = versions_of(database)
    while True:
        before = versions.active(app) if against is None else versions.find(app, against)
        facts = versions.facts(app)
        if against is not None or facts.deployment == (before.number if before else None):
            return before, facts
