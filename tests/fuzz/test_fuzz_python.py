"""The short form of `tests/fuzz/fuzz_python.py`."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "fuzz_python.py"


@pytest.fixture(scope="module")
def fuzz():
    specification = importlib.util.spec_from_file_location("fuzz_python", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_mutated_real_files_never_raise_and_always_end(fuzz):
    assert [(number, name, fault) for number, name, _, fault in fuzz.faults(seed=0, cases=60)] == []
