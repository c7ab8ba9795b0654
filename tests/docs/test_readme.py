"""What `README.md` says that the compiler tells, told by the compiler of the very files that it shows."""

import re
from pathlib import Path

from patterns_os.diagnostics import render_diagnostic
from patterns_os.graph.lineage_paths import downstream, upstream
from patterns_os.graph.lineage_render import render_paths
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import ColumnSource
from patterns_os.plan.compile import compile_app
from patterns_os.triggers.cron import parse_cron

TEXT = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(language, start):
    """Give the one block of the page that begins like this."""
    [found] = [body for kind, body in BLOCKS if kind == language and body.startswith(start)]
    return found


def compiled(script):
    files = {"manifest.json": block("json", '{\n  "name": "quick-start"'), "my_py.py": script}
    return compile_app(Sources({name: text.encode() for name, text in files.items()}), parse_cron=parse_cron)


def test_a_mistyped_table_is_told_as_the_page_says():
    script = block("python", "from patterns import").replace('"slack_messages"', '"slack_mesages"')
    errors = [found for found in compiled(script).diagnostics if found.code == "unknown-table"]

    assert "".join(f"{render_diagnostic(found)}\n" for found in errors) == block(
        "text", "error[unknown-table]"
    )


def test_the_lineage_of_the_quick_start_is_as_the_page_says():
    app = compiled(block("python", "from patterns import"))
    start = ColumnSource(table="completions", column="gpt3_completion")
    up, down = upstream(app.graph, app.lineage, start), downstream(app.graph, app.lineage, start)

    assert render_paths(up, down, app.lineage) + "\n" == block("text", "completions.gpt3_completion")
