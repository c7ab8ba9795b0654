"""What is shipped compiles without a finding: a warning that nobody heeds hides those that matter."""

from pathlib import Path

import pytest

from patterns_os.adapters.files.sources import load_sources
from patterns_os.adapters.files.templates import load_index, load_template
from patterns_os.graph.sources import Sources
from patterns_os.manifest.starter import starter_files
from patterns_os.plan.compile import compile_app
from patterns_os.registry.install import install
from patterns_os.registry.resolve import resolve
from patterns_os.triggers.cron import parse_cron

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted({path.parent for path in (ROOT / "examples").glob("*/manifest.json")})
TEMPLATES = load_index().templates


def findings(files):
    compiled = compile_app(Sources(files), parse_cron=parse_cron, lookup=lambda _: "value")
    return [(found.code, str(found.where), found.message) for found in compiled.diagnostics]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_no_findings(example):
    assert findings(load_sources(example)) == []


@pytest.mark.parametrize("entry", TEMPLATES, ids=lambda entry: entry.name)
def test_a_template_has_no_findings(entry):
    template = load_template(resolve(load_index(), f"{entry.name}@{entry.newest}"))
    files = {name: text.encode() for name, text in starter_files("my-app").items() if "." in name[1:]}
    if entry.kind == "app":
        files = dict(template.files)
    else:
        installation = install(files["manifest.json"], template)
        files |= installation.files | {"manifest.json": installation.manifest}

    assert findings(files) == []


def test_a_new_app_has_no_findings():
    assert findings({name: text.encode() for name, text in starter_files("my-app").items()}) == []
