"""A starter script fits the app that it is made for."""

import pytest

from patterns_os.errors import UsageError
from patterns_os.graph.sources import Sources
from patterns_os.manifest.parse import parse_manifest
from patterns_os.plan.compile import compile_app
from patterns_os.registry.install import append_entries
from patterns_os.registry.scripts import starter_entry, starter_script

SLACK = b'{"name": "a", "webhooks": [{"title": "Slack messages", "table": "slack_messages"}]}'
QUICK_START = """\
messages = Table("slack_messages")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
"""


def test_after_the_slack_template_it_is_the_quick_start():
    text = starter_script("my_py.py", parse_manifest(SLACK).spec)

    assert text.endswith(QUICK_START)
    assert "from patterns import File, Model, Parameter, Table\n\nimport openai\n" in text


@pytest.mark.parametrize(
    ("manifest", "reads"),
    [
        pytest.param(SLACK, {"slack_messages"}, id="Slack"),
        pytest.param(
            b'{"name": "a", "stores": [{"table": "x"}], "webhooks": [{"title": "Or", "table": "orders"}]}',
            {"orders"},
            id="another webhook",
        ),
        pytest.param(b'{"name": "a", "stores": [{"table": "x"}, {"table": "y"}]}', {"x"}, id="tables"),
        pytest.param(b'{"name": "a"}', set(), id="nothing"),
    ],
)
@pytest.mark.parametrize("file", ["sub/my-script.py", "my-script.sql", "my-script.ts", "sub/my-script.cjs"])
def test_every_starter_compiles_and_streams_or_reads_the_first_table(manifest, reads, file):
    starter = starter_script(file, parse_manifest(manifest).spec).encode()

    compiled = compile_app(
        Sources(
            {"manifest.json": append_entries(manifest, {"scripts": (starter_entry(file),)}), file: starter}
        )
    )

    # What the rest of the manifest lacks is no fault of the starter.
    known = {"no-text-model", "unused-store", "never-started"}
    assert [found.code for found in compiled.diagnostics if found.code not in known] == []
    edges = compiled.graph.edges_of("my-script")
    assert {edge.store for edge in edges if edge.access != "write"} == reads
    assert len([edge for edge in edges if edge.access == "write"]) == 1


@pytest.mark.parametrize(
    ("file", "told"),
    [
        pytest.param("x.tsx", "scripts in JSX are not supported yet", id="later"),
        pytest.param("notes.md", '"notes.md" is no script that can run', id="never"),
    ],
)
def test_other_languages_are_refused(file, told):
    with pytest.raises(UsageError) as caught:
        starter_entry(file)

    assert (
        str(caught.value)
        == f"error[script-ending] {told}, expected a name that ends with .py, .sql, .js or .ts"
    )


def test_a_forgotten_ending_is_suggested():
    with pytest.raises(UsageError) as caught:
        starter_entry("my_py")

    assert caught.value.hint == "patterns add script my_py.py"
