"""All codes that a compile can give, with one sentence for each."""

from collections.abc import Mapping
from typing import Final

from patterns_os.graph.codes import CODES as GRAPH_CODES
from patterns_os.manifest.codes import CODES as MANIFEST_CODES
from patterns_os.plan.codes import CODES as PLAN_CODES

ALL_CODES: Final[Mapping[str, str]] = {**MANIFEST_CODES, **GRAPH_CODES, **PLAN_CODES}
