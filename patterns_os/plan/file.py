"""A plan kept in a file: what was looked at, with all that is needed to deploy exactly that later.

It holds the plan, the bytes of its source files, and what it relies on. The same input gives the same bytes.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from patterns_os.errors import UsageError
from patterns_os.plan.downstream import ColumnUse, ColumnUses
from patterns_os.plan.facts import Expected
from patterns_os.plan.spec import Plan

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that was made earlier.

    Attributes:
        sources: Bytes of the plan's source files by their hash.
        expected: What must still be so when it is deployed; the tables to be dropped are among it.
        uses: Which columns its nodes ask for, so that it says the same of them when it is deployed.
    """

    plan: Plan
    sources: Mapping[str, bytes] = field(repr=False)
    expected: Expected
    uses: ColumnUses = field(default_factory=dict, repr=False)

    def to_bytes(self) -> bytes:
        """Give the file's content: JSON, keys sorted, with a hash over the rest."""
        data: dict[str, Any] = {
            "patterns_plan": FORMAT,
            "plan": self.plan.model_dump(mode="json"),
            "expected": self.expected.to_data(),
            "uses": [
                {"node": node, "table": table, "columns": sorted(use.columns), "is_whole": use.is_whole}
                for (node, table), use in sorted(self.uses.items())
            ],
            "sources": {name: b64encode(content).decode() for name, content in self.sources.items()},
        }
        return _json(data | {"sha256": _hash(data)}) + b"\n"


def read_plan_file(content: bytes, name: str) -> PlanFile:
    """Read what `PlanFile.to_bytes` gives.

    Raises:
        UsageError: It is no plan, of another release's format, or was changed (`plan-file`).
    """
    try:
        data = dict(orjson.loads(content))
        told = data.pop("sha256")
        if data["patterns_plan"] == FORMAT and told == _hash(data):
            return PlanFile(plan=Plan.model_validate(data["plan"]), **_parts(data))
    except (ValueError, TypeError, KeyError):
        pass
    raise UsageError(
        f'"{name}" is no plan that this release can deploy, or was changed by hand',
        code="plan-file",
        hint=f"make it again: patterns plan --out {name}",
    )


def _parts(data: Mapping[str, Any]) -> dict[str, Any]:
    sources = {name: b64decode(text, validate=True) for name, text in data["sources"].items()}
    if any(sha256(bytes_).hexdigest() != name for name, bytes_ in sources.items()):
        raise ValueError("a source file has another hash than its name says")
    uses = {
        (use["node"], use["table"]): ColumnUse(
            columns=frozenset(use["columns"]), is_whole=bool(use["is_whole"])
        )
        for use in data["uses"]
    }
    return {"sources": sources, "expected": Expected(**data["expected"]), "uses": uses}


def _hash(data: Mapping[str, Any]) -> str:
    return sha256(_json(data)).hexdigest()


def _json(data: Mapping[str, Any]) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
