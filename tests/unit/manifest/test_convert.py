import json

from patterns_os.manifest.convert import conversion_notes, manifest_text
from patterns_os.manifest.parse import parse_manifest
from patterns_os.manifest.schema import MANIFEST_SCHEMA_URL
from patterns_os.manifest.spelling import parse_app

GRAPH = b"""\
slug: bot
icon: x.png
requirements_file: requirements.txt
functions:
  - uses: patterns/openai-completion@v4
    parameter_values: {connection: "${{ connection.my-openai }}"}
  - node_file: a.py
    inputs: {x: y}
stores:
  - {table: y, storage: Default_ro}
"""


def spec():
    return parse_app("graph.yml", {"graph.yml": GRAPH}).spec


def test_the_text_says_what_the_graph_says_without_what_is_empty_or_implied():
    assert json.loads(manifest_text(spec())) == {
        "$schema": MANIFEST_SCHEMA_URL,
        "name": "bot",
        "scripts": [
            {
                "uses": "patterns/openai-completion@v4",
                "parameters": {"connection": "${{ connection.my-openai }}"},
            },
            {"file": "a.py", "inputs": {"x": "y"}, "open_ports": True},
        ],
        "stores": [{"table": "y", "metadata": {"storage": "Default_ro"}}],
        "secrets": ["CONNECTION_MY_OPENAI"],
        "metadata": {"icon": "x.png", "requirements_file": "requirements.txt"},
    }


def test_the_text_is_read_back_as_the_same_spec():
    written = parse_manifest(manifest_text(spec()).encode())

    assert written.diagnostics == ()
    assert written.spec.to_data() == spec().to_data() | {"$schema": MANIFEST_SCHEMA_URL}


def test_what_is_left_to_do_is_told():
    assert list(conversion_notes(spec())) == [
        'install what "requirements.txt" lists: pip install -r requirements.txt',
        'the connection "my-openai" is a secret now: patterns secret set CONNECTION_MY_OPENAI',
        'the tables of storage "Default_ro" are in the default one, as patterns.json has no other',
        'kept in "metadata", where nothing reads it: "icon"',
    ]
