"""`patterns compile --watch`, as somebody watches it."""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

PATIENCE_S = 60
MANIFEST = '{"name": "shop", "scripts": [{"file": "a.py"}], "stores": [{"table": "orders"}]}'
GOOD = 'from patterns import Table\n\nfor row in Table("orders").as_stream():\n    print(row)\n'


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "manifest.json").write_text(MANIFEST)
    (tmp_path / "a.py").write_text(GOOD)
    return tmp_path


@contextmanager
def watching(folder, *options):
    process = subprocess.Popen(
        [sys.executable, "-m", "patterns_os", "-C", str(folder), "compile", "--watch", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = queue.Queue()
    reader = threading.Thread(
        target=lambda: [lines.put(line.rstrip("\n")) for line in process.stdout], daemon=True
    )
    reader.start()
    try:
        yield process, lambda: lines.get(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
        reader.join(5)
        process.stdout.close()


def read_until(next_line, pattern):
    lines = []
    while not lines or not re.search(pattern, lines[-1]):
        lines.append(next_line())
    return lines


def test_each_change_is_told_with_its_findings(shop):
    with watching(shop) as (process, next_line):
        assert re.fullmatch(r"\d\d:\d\d:\d\d  ok, version [0-9a-f]{8}, in \d+ ms", next_line())

        (shop / "a.py").write_text(GOOD.replace("orders", "oders"))
        lines = read_until(next_line, r" ms$")
        assert lines[0].startswith('error[unknown-table] a.py:3:12: node "a" reads table "oders"')
        assert re.fullmatch(r"\d\d:\d\d:\d\d  1 error(, \d warnings?)?, in \d+ ms", lines[-1])

        (shop / "a.py").write_text(GOOD)
        assert "  ok, version " in read_until(next_line, r" ms$")[-1]

        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert read_until(next_line, "interrupted") == ["", "interrupted"]


def test_each_compile_is_one_line_of_json(shop):
    with watching(shop, "--json") as (_, next_line):
        first = json.loads(next_line())
        (shop / "manifest.json").write_text("{")
        second = json.loads(next_line())
        (shop / "manifest.json").write_text(MANIFEST)
        third = json.loads(next_line())

    assert (first["ok"], second["ok"], third["ok"]) == (True, False, True)
    assert [found["code"] for found in second["diagnostics"]] == ["syntax-error"]
    assert first["version"] == third["version"]
    assert isinstance(first["ms"], int)
    assert first["at"].endswith("+00:00")


def test_a_folder_that_is_no_app_any_more_is_told_and_watched_on(shop):
    with watching(shop, "--json") as (_, next_line):
        next_line()
        (shop / "manifest.json").unlink()
        gone = json.loads(next_line())
        (shop / "manifest.json").write_text(MANIFEST)
        back = json.loads(next_line())

    assert [found["code"] for found in gone["diagnostics"]] == ["no-app"]
    assert back["ok"]
