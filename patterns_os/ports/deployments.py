"""What the control database knows of an app: its identity, versions, nodes and tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from patterns_os.plan.facts import DeployedFacts, Expected
from patterns_os.plan.spec import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An app as deployed.

    Attributes:
        app: Number of the app in its database.
        version: Number of the active version.
        changed: Whether this deploy made the version, `False` if it was active already.
        nodes: Node name → number, webhooks included.
        tables: Table name → number.
        conninfo: Address for launchers, with the app's own role where there is one.
        schema: Schema with the app's tables as views.
    """

    app: int
    version: int
    changed: bool
    plan: Plan
    nodes: Mapping[str, int]
    tables: Mapping[str, int]
    conninfo: str = field(repr=False)
    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a deployment comes from.

    Attributes:
        deployed_by: Who, as people write it: `ada@laptop`.
        how: The command: `deploy`, `dev`, `run`, `rollback to 3`.
    """

    deployed_by: str = ""
    how: str = ""


NOBODY = Origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A deployment as it is remembered.

    Attributes:
        number: Of the deployment, in its database.
        hash: Of the plan: deployments of one version share it.
        parent: Number of the deployment that was active before, `None` for the first.
        active: Whether it is the active one.
    """

    number: int
    hash: str
    at: datetime
    parent: int | None
    origin: Origin
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedVersion:
    """A version as it can be compared with and deployed again.

    Attributes:
        sources: Bytes of its source files by their hash; those that the database does not have are left out.
    """

    number: int
    plan: Plan
    sources: Mapping[str, bytes] = field(repr=False)


class Versions(Protocol):
    """What is deployed, and what was. Nothing is written, whatever state the database is in."""

    def facts(self, app: str) -> DeployedFacts:
        """Give the deployed world of an app; that of one that was never deployed is empty."""
        ...

    def active(self, app: str) -> DeployedVersion | None:
        """Give the active version, `None` before the first."""
        ...

    def find(self, app: str, wanted: str) -> DeployedVersion:
        """Give a version by its number, or by the first digits of its hash (the newest deployment of it).

        Raises:
            UsageError: There is none, or the digits fit several (`unknown-deployment`).
        """
        ...

    def history(self, app: str, limit: int) -> list[Version]:
        """Give the newest deployments, the newest first."""
        ...


class Deployments(Protocol):
    """Versions of apps as rows. All methods may be repeated."""

    def deploy(
        self,
        plan: Plan,
        *,
        first_ticks: Mapping[str, datetime],
        renamed: Mapping[str, str] | None = None,
        forgotten: Collection[str] = (),
        sources: Mapping[str, bytes] | None = None,
        expected: Expected | None = None,
        drop: Collection[str] = (),
        origin: Origin = NOBODY,
    ) -> Deployment:
        """Make the plan the active version; what is not in it is retired, and dropped only if it is named.

        Args:
            plan: What shall run.
            first_ticks: For each node with a cron, its next tick if the schedule is new or changed.
            renamed: Old node name → new one: cursors, State, held records and history move along.
            forgotten: Nodes that are gone for good: what looks like one of them under a new name is new.
            sources: Bytes of the plan's source files by their hash.
            expected: What the caller has seen and relies on; all of it must still be so. `None` for nothing.
            drop: Tables to delete with all their rows.
            origin: Who deploys, and how.

        Raises:
            TemporaryError: What was expected is not so any more (`world-moved`); nothing is changed.
            UsageError: A table to be dropped is not there or in use (`unknown-table`, `table-in-use`).
            PermanentError: A node looks renamed (`node-renamed`), one to be renamed or forgotten is not
                deployed (`unknown-node`), or the app's role cannot be made.
        """
        ...

    def active(self, name: str) -> Deployment | None:
        """Give the app as it is deployed, with an address for launchers; `None` before the first deploy."""
        ...
