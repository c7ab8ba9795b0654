"""The short form of the fuzzing that is run by hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_sql import faults


def test_mutated_sql_never_raises_and_always_ends():
    assert list(faults(seed=0, cases=400)) == []
