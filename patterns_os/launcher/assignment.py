"""What a node process is told about its node: a part of the plan, as plain frozen values.

The plan's own types check everything that is written by people, and are slow to import; what arrives here was
checked when the plan was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedPort:
    """A name in the script, and the table that it leads to. `access` is `stream`, `read` or `write`."""

    port: str
    table: str
    access: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedNode:
    """The node as its process needs it; see `plan.spec.PlannedNode`."""

    name: str
    file: str
    inputs: tuple[AssignedPort, ...]
    outputs: tuple[AssignedPort, ...]
    parameters: Mapping[str, Any]
    secrets: tuple[str, ...]
    isolation: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "AssignedNode":
        """Give the node from the JSON form of a planned one."""
        return cls(
            name=data["name"],
            file=data["file"],
            inputs=tuple(
                AssignedPort(port=given["port"], table=given["table"], access=given["access"])
                for given in data["inputs"]
            ),
            outputs=tuple(
                AssignedPort(port=given["port"], table=given["table"], access="write")
                for given in data["outputs"]
            ),
            parameters=data["parameters"],
            secrets=tuple(data["secrets"]),
            isolation=data["isolation"],
        )
