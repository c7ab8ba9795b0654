"""`docs/lineage.md`: its files are those of the example, its output is what the commands print there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "10-lineage"
TEXT = (ROOT / "docs" / "lineage.md").read_text("utf-8")
FILES = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
RUNS = re.findall(
    r"^```sh\npatterns (.*?)\n```\n\n```(text|json)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("apps") / "lineage"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".patterns"))
    return folder


def printed(app, command):
    done = subprocess.run(
        [sys.executable, "-m", "patterns_os", *shlex.split(command)],
        cwd=app,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATTERNS_CACHE": "off", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_page_shows_scripts_and_what_the_commands_print():
    assert len(FILES) == 4
    assert len(RUNS) == 4


@pytest.mark.parametrize(("name", "content"), FILES, ids=[name for name, _ in FILES])
def test_the_scripts_are_those_of_the_example(name, content):
    assert (EXAMPLE / name).read_text("utf-8") == content


@pytest.mark.parametrize(("command", "form", "told"), RUNS, ids=[run[0] for run in RUNS])
def test_the_commands_print_what_the_page_says(app, command, form, told):
    found = printed(app, command)

    if form == "json":
        assert json.loads(found) == json.loads(told)
    else:
        assert found == told
