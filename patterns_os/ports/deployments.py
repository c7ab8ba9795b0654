"""What the control database knows of an app: its identity, versions, nodes and tables."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

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


class Deployments(Protocol):
    """Versions of apps as rows. All methods may be repeated."""

    def deploy(
        self,
        plan: Plan,
        *,
        first_ticks: Mapping[str, datetime],
        renamed: Mapping[str, str] | None = None,
        forgotten: Collection[str] = (),
    ) -> Deployment:
        """Make the plan the active version; what is not in it is retired, nothing is dropped.

        Args:
            plan: What shall run.
            first_ticks: For each node with a cron, its next tick if the schedule is new or changed.
            renamed: Old node name → new one: cursors, State, held records and history move along.
            forgotten: Nodes that are gone for good: what looks like one of them under a new name is new.

        Raises:
            PermanentError: A node looks renamed (`node-renamed`), one to be renamed or forgotten is not
                deployed (`unknown-node`), or the app's role cannot be made.
        """
        ...
