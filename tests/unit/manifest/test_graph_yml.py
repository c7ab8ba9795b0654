"""A graph.yml of the older devkit means what a manifest means."""

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.manifest.spelling import find_manifest, parse_app

WHOLE = """\
title: Crunch bot
slug: crunch_bot
version: 1.10
description_file: readme.md
icon: bot.png
tags: [beta]
functions:
  - id: ab12cd34
    title: Slack mentions
    webhook: mentions
  - id: bc12cd34
    title: Format
    node_file: format.py
    trigger: 0 9 * * *
    inputs: {questions: mentions}
    outputs: {prompts: my_prompts}
    parameter_values:
      token: ${{ slack_token }}
      "Sender Name": Ann
    display: {x: 1, y: 2, style: form}
  - node_file: sub/graph.yml
    inputs: {items: my_prompts}
  - uses: patterns/openai-completion@v4
    parameters: {connection: "${{ connection.my-openai }}"}
  - node_file: chart_abc.json
    chart_input: totals
    title: Totals
  - node_file: other/format.sql
    outputs: {output_table: totals}
stores:
  - table: mentions
    id: cd12cd34
  - table: totals
    schema: Total
    storage: Default_ro
  - stream: old_stream
storages:
  - {database: Default_ro, engines: [postgres], namespace: [public], read_only: true}
schemas:
  - schema_file: schemas/total.yml
exposes:
  inputs: [mentions]
  outputs: [totals]
  parameters: [token]
  schemas: [Total]
dashboards:
  - {id: de12cd34, title: Main, items: []}
docs:
  - {id: ef12cd34, markdown_file: notes.md}
requirements_file: requirements.txt
"""
SCHEMA = "name: Total\nunique_on: [user]\nfields:\n  user: Text NotNull\n"


def parse(text, **files):
    given_files = {"graph.yml": text.encode(), "schemas/total.yml": SCHEMA.encode()} | files
    return parse_app("graph.yml", given_files, name="folder")


def told(text, **files):
    return [render_diagnostic(found) for found in parse(text, **files).diagnostics]


def test_every_key_becomes_its_part_of_the_manifest():
    parsed = parse(WHOLE)

    assert [render_diagnostic(found) for found in parsed.diagnostics] == [
        (
            'warning[unknown-storage] graph.yml:35:14 /stores/1/storage: the storage "Default_ro" is not one of '
            "patterns.json: the default one is taken.\n  known storages: none"
        )
    ]
    assert parsed.spec.to_data() == {
        "name": "crunch-bot",
        "title": "Crunch bot",
        "version": "1.10",
        "scripts": [
            {
                "file": "format.py",
                "title": "Format",
                "trigger": "0 9 * * *",
                "inputs": {"questions": "mentions"},
                "outputs": {"prompts": "my_prompts"},
                "open_ports": True,
                "parameters": {"token": "${{ slack_token }}", "Sender Name": "Ann"},
                "metadata": {"id": "bc12cd34", "display": {"x": 1, "y": 2, "style": "form"}},
            },
            {"file": "sub/graph.yml", "inputs": {"items": "my_prompts"}},
            {
                "file": ".components/patterns/openai-completion@v4/manifest.json",
                "uses": "patterns/openai-completion@v4",
                "parameters": {"connection": "${{ connection.my-openai }}"},
            },
            {
                "file": "other/format.sql",
                "name": "format_6",
                "outputs": {"output_table": "totals"},
                "open_ports": True,
            },
        ],
        "stores": [
            {"table": "mentions", "metadata": {"id": "cd12cd34"}},
            {
                "table": "totals",
                "schema": "schemas/total.yml",
                "unique_on": ["user"],
                "metadata": {"storage": "Default_ro"},
            },
            {"table": "old_stream", "metadata": {"stream": "old_stream"}},
        ],
        "models": [],
        "webhooks": [{"title": "Slack mentions", "table": "mentions", "metadata": {"id": "ab12cd34"}}],
        "parameters": [],
        "secrets": ["CONNECTION_MY_OPENAI", "slack_token"],
        "charts": [{"file": "chart_abc.json", "table": "totals", "title": "Totals"}],
        "exposes": {"inputs": ["mentions"], "outputs": ["totals"], "parameters": ["token"]},
        "metadata": {
            "description_file": "readme.md",
            "icon": "bot.png",
            "tags": ["beta"],
            "storages": [
                {
                    "database": "Default_ro",
                    "engines": ["postgres"],
                    "namespace": ["public"],
                    "read_only": True,
                }
            ],
            "schemas": [{"schema_file": "schemas/total.yml"}],
            "dashboards": [{"id": "de12cd34", "title": "Main", "items": []}],
            "docs": [{"id": "ef12cd34", "markdown_file": "notes.md"}],
            "requirements_file": "requirements.txt",
        },
    }


def test_default_names_are_the_files_or_the_folders():
    nodes = parse(WHOLE).spec.scripts

    assert [node.node_name for node in nodes] == ["format", "sub", "openai-completion", "format_6"]


def test_a_taken_name_gives_way_to_the_title_then_to_the_id():
    text = """\
functions:
  - node_file: a.py
  - {node_file: b/a.py, title: Other}
  - {node_file: c/a.py, title: Other, id: zz}
"""

    assert [node.node_name for node in parse(text).spec.scripts] == ["a", "Other", "a_zz"]


def test_an_app_without_slug_is_called_by_its_title_or_its_folder():
    assert parse("title: My Bot!").spec.name == "my-bot"
    assert parse("functions: []").spec.name == "folder"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "functions:\n  - title: x\n",
            [
                'error[missing-key] graph.yml:2:5 /functions/0: a function needs "node_file", "uses" or "webhook"'
            ],
        ),
        (
            "functions:\n  - node_file: a.py\n    webhook: t\n",
            [
                (
                    'error[wrong-value] graph.yml:3:5 /functions/0/webhook: a function has "node_file" and '
                    '"webhook", expected one of them'
                )
            ],
        ),
        (
            "functions:\n  - node_file: c.json\n",
            [
                'error[missing-key] graph.yml:2:5 /functions/0/node_file: a chart needs "chart_input", its table'
            ],
        ),
        (
            "functions:\n  - node_file: a.py\n    trigger: 0 9 * *\n",
            [
                (
                    'error[wrong-value] graph.yml:3:14 /functions/0/trigger: "0 9 * *" is not a cron, expected '
                    "five fields (minute hour day month weekday) or @daily"
                )
            ],
        ),
        (
            "stores:\n  - table: bad name\n",
            [
                (
                    'error[bad-name] graph.yml:2:12 /stores/0/table: "bad name" is not a table name, expected '
                    'letters, digits and _, at most 63, the first not a digit\n  hint: write "bad_name"'
                )
            ],
        ),
        (
            "functions: x",
            ['error[wrong-type] graph.yml:1:12 /functions: "functions" is a text, expected a list'],
        ),
        ("- a", ["error[wrong-type] graph.yml:1:1: a graph.yml is a list, expected an object"]),
        (
            "functions:\n  - node_file: a.py\n    parameter_values: {p: 1}\n    parameters: {p: 2}\n",
            [
                (
                    'error[duplicate-key] graph.yml:4:18 /functions/0/parameters/p: parameter "p" is in '
                    '"parameter_values" already'
                )
            ],
        ),
        (
            "schemas:\n  - schema_file: nope.yml\n",
            [
                (
                    'error[missing-file] graph.yml:2:5 /schemas/0: the schema file "nope.yml" does not exist.\n'
                    '  known files: "schemas/total.yml"'
                )
            ],
        ),
        (
            "slug: a\nfunctons: []\n",
            [
                (
                    'warning[unknown-key] graph.yml:2:1 /functons: "functons" is not a key of a graph.yml: it is '
                    'kept, and means nothing\n  known keys: "dashboards", "description", "description_file", '
                    '"docs", "exposes", "functions", "icon", "icon_url", "requirements_file", "schemas", "slug", '
                    '"storages", "stores", "tags", "title", "version"\n  hint: did you mean "functions"?'
                )
            ],
        ),
    ],
)
def test_a_mistake_is_told_in_the_words_and_at_the_place_of_the_file(text, expected):
    assert told(text) == expected


def test_the_first_of_the_names_makes_a_folder_an_app():
    assert find_manifest(["graph.yml", "manifest.json"]) == "manifest.json"
    assert find_manifest(["graph.yaml", "graph.yml"]) == "graph.yml"
    assert find_manifest(["other.yml"]) is None


@settings(max_examples=100, deadline=None)
@given(st.integers(), st.integers(1, 4))
def test_a_mutated_graph_gives_findings_and_never_an_exception(seed, times):
    source = random.Random(seed)
    data = yaml.safe_load(WHOLE)
    for _ in range(times):
        _mutate(data, source)

    parsed = parse(yaml.safe_dump(data, sort_keys=False))

    assert parsed.spec is not None or parsed.diagnostics


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 40), st.text(max_size=6))
def test_a_cut_file_gives_findings_and_never_an_exception(start, length, put):
    parsed = parse(WHOLE[:start] + put + WHOLE[start + length :])

    assert parsed.spec is not None or parsed.diagnostics


def _mutate(data, source):
    place = data
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = source.choice(keys)
        if isinstance(place[key], dict | list) and source.random() < 0.7:
            place = place[key]
            continue
        place[key] = source.choice([None, 3, "x", [], {}, ["a"], {"table": "a"}, True, "${{ a }}", -1.5])
        return
