"""Both files as their authors write them: what is taken, and every complaint as a whole."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.diagnostics import render_diagnostic
from patterns_os.manifest.codes import CODES
from patterns_os.manifest.configuration import interpolate, variables
from patterns_os.manifest.document import parse_document
from patterns_os.manifest.parse import parse_configuration, parse_manifest
from patterns_os.manifest.spec import (
    CronTriggerSpec,
    EngineSpec,
    InputSpec,
    ManifestSpec,
    TableTriggerSpec,
)

SEED_MANIFEST = b"""{
    "name": "my-app",
    "scripts": [
        {
            "file": "my_script.py",
        }
    ],
    "models": [
        {
            "name": "base-llm",
            "type": "next-token-text"
        },
        {
            "name": "fine-tuned-llm",
            "type": "next-token-text",
            "fine-tunable": true
        },
        {
            "name": "base-image-gen",
            "type": "text-to-image"
        }
    ],
    "stores": [
        {
            "table": "my_table",
            "storage": {
                "engine": "postgres"
            }
        },
        {
            "file": "my_file",
        }
    ]
}
"""
SEED_CONFIGURATION = b"""{
    "storages": [
        {
            "type": "database",
            "url": "postgresql://localhost/db",
            "name": "local-pg"
        },
        {
            "type": "file",
            "url": "s3://bucket/path",
            "name": "local-fs"
        }
    ],
    "runtimes": [
        {
            "dockerfile": "docker/DOCKERFILE",
            "name": "custom-python"
        }
    ],
    "secrets": [
        {}
    ]

}
"""


def manifest(**parts):
    """Give the findings of a manifest on one line, with a name."""
    return parse_manifest(as_json({"name": "a", **parts}))


def as_json(data):
    return json.dumps(data, ensure_ascii=False).encode()


def findings(parsed):
    return "\n".join(re.sub(r" manifest\.json:\d+:\d+", "", render_diagnostic(x)) for x in parsed.diagnostics)


def test_the_first_published_manifest_is_read_as_printed():
    parsed = parse_manifest(SEED_MANIFEST)

    assert parsed.is_good
    assert [script.node_name for script in parsed.spec.scripts] == ["my_script"]
    assert [table.name for table in parsed.spec.tables] == ["my_table"]
    assert parsed.spec.tables[0].storage == EngineSpec(engine="postgres")
    assert parsed.spec.tables[0].storage_name is None
    assert [file.name for file in parsed.spec.files] == ["my_file"]
    assert [model.fine_tunable for model in parsed.spec.models] == [False, True, False]


def test_the_first_published_configuration_is_read_as_printed():
    parsed = parse_configuration(SEED_CONFIGURATION)

    assert parsed.is_good
    assert [storage.name for storage in parsed.spec.databases] == ["local-pg"]
    assert [storage.name for storage in parsed.spec.file_storages] == ["local-fs"]
    assert parsed.spec.runtimes[0].dockerfile == "docker/DOCKERFILE"
    assert parsed.spec.secrets == ()
    assert parsed.spec.deployment.engine == "local"


def test_a_spec_written_out_is_read_as_the_same_spec():
    spec = manifest(
        scripts=[{"file": "a.py", "trigger": {"cron": "@daily"}, "timeout": "10m", "inputs": {"x": "t"}}],
        stores=[{"table": "t", "schema": {"id": "integer"}, "retention": {"age": "30d"}}],
        webhooks=[{"title": "T", "table": "t", "verify": {"preset": "slack", "secret": "S"}}],
    ).spec

    assert ManifestSpec.model_validate(spec.to_data()) == spec


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("manual", "manual"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("@daily", "@daily"),
        (
            {"cron": "0 9 * * *", "timezone": "Europe/Berlin"},
            CronTriggerSpec(cron="0 9 * * *", timezone="Europe/Berlin"),
        ),
        ({"when": "all", "on": ["a", "b"]}, TableTriggerSpec(when="all", on=("a", "b"))),
    ],
)
def test_a_trigger_has_four_forms(trigger, expected):
    assert manifest(scripts=[{"file": "a.py", "trigger": trigger}]).spec.scripts[0].trigger == expected


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (None, None),
        ([], {}),
        (["orders"], {"orders": InputSpec(table="orders")}),
        ({"rows": "orders"}, {"rows": InputSpec(table="orders")}),
        (
            [{"table": "orders", "access": "read"}, "other"],
            {"orders": InputSpec(table="orders", access="read"), "other": InputSpec(table="other")},
        ),
        ({"rows": {"table": "o", "access": "stream"}}, {"rows": InputSpec(table="o", access="stream")}),
    ],
)
def test_inputs_are_a_list_or_ports(inputs, expected):
    assert manifest(scripts=[{"file": "a.py", "inputs": inputs}]).spec.scripts[0].declared_inputs == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [(None, None), (["a", "b"], {"a": "a", "b": "b"}), ({"out": "a"}, {"out": "a"})],
)
def test_outputs_are_a_list_or_ports(outputs, expected):
    assert (
        manifest(scripts=[{"file": "a.py", "outputs": outputs}]).spec.scripts[0].declared_outputs == expected
    )


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(5, 5.0), (0.5, 0.5), ("30s", 30.0), ("10m", 600.0), ("1.5 h", 5400.0), ("1d", 86400.0)],
)
def test_a_timeout_is_seconds_or_a_text_with_a_unit(timeout, seconds):
    assert manifest(scripts=[{"file": "a.py", "timeout": timeout}]).spec.scripts[0].timeout == seconds


def test_a_webhook_gets_its_path_from_its_title():
    spec = manifest(webhooks=[{"title": "Slack messages", "table": "t"}]).spec

    assert spec.webhooks[0].url_path == "/slack-messages"
    assert spec.webhooks[0].node_name == "Slack messages"


SCRIPT_KEYS = (
    '"file", "uses", "name", "title", "description", "runtime", "trigger", "inputs", "outputs", '
    '"open_ports", "parameters", "secrets", "retries", "timeout", "concurrency", "on_error", "start", '
    '"max_hops", "resources", "isolation", "metadata"'
)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"triger": "manual"},
            (
                'error[unknown-key] /scripts/0/triger: "triger" is not a key of a script\n'
                f'  known keys: {SCRIPT_KEYS}\n  hint: did you mean "trigger"?'
            ),
        ),
        (
            {"retries": "3"},
            'error[wrong-type] /scripts/0/retries: "retries" is a text, expected a whole number',
        ),
        (
            {"retries": 1.5},
            'error[wrong-type] /scripts/0/retries: "retries" is a number, expected a whole number',
        ),
        (
            {"retries": True},
            'error[wrong-type] /scripts/0/retries: "retries" is true, expected a whole number',
        ),
        ({"retries": -1}, 'error[wrong-value] /scripts/0/retries: "retries" is -1, expected at least 0'),
        (
            {"concurrency": 2},
            (
                "error[not-yet] /scripts/0/concurrency: "
                '"concurrency" above 1 is not possible yet, a node runs once at a time\n'
                '  hint: write 1, or leave "concurrency" out'
            ),
        ),
        (
            {"concurrency": 0},
            'error[wrong-value] /scripts/0/concurrency: "concurrency" is 0, expected at least 1',
        ),
        (
            {"isolation": "worm"},
            (
                'error[wrong-value] /scripts/0/isolation: "isolation" is "worm", expected "warm" or "run"\n'
                '  hint: did you mean "warm"?'
            ),
        ),
        (
            {"on_error": 1},
            'error[wrong-type] /scripts/0/on_error: "on_error" is a number, expected "hold" or "stop"',
        ),
        (
            {"timeout": "soon"},
            (
                'error[wrong-value] /scripts/0/timeout: "soon" is not a duration, '
                'expected seconds or a text like "30s", "10m" or "2h"'
            ),
        ),
        (
            {"timeout": True},
            (
                'error[wrong-type] /scripts/0/timeout: "timeout" is true, '
                'expected seconds or a text like "30s", "10m" or "2h"'
            ),
        ),
        (
            {"trigger": "manul"},
            (
                'error[wrong-value] /scripts/0/trigger: "manul" is not a cron, '
                "expected five fields (minute hour day month weekday) or @daily\n"
                '  hint: did you mean "manual"?'
            ),
        ),
        (
            {"trigger": 5},
            (
                'error[wrong-type] /scripts/0/trigger: "trigger" is a number, '
                'expected "manual", a cron text, or an object with "cron" or with "when" and "on"'
            ),
        ),
        (
            {"trigger": {"when": "any", "on": []}},
            'error[wrong-value] /scripts/0/trigger/on: "on" is [], expected a list that is not empty',
        ),
        (
            {"inputs": "orders"},
            (
                'error[wrong-type] /scripts/0/inputs: "inputs" is a text, '
                "expected a list of stores or an object of stores"
            ),
        ),
        (
            {"inputs": {"p": {"tabel": "t", "table": "t"}}},
            (
                'error[unknown-key] /scripts/0/inputs/p/tabel: "tabel" is not a key of an input\n'
                '  known keys: "table", "access"\n  hint: did you mean "table"?'
            ),
        ),
        (
            {"inputs": [3]},
            (
                'error[wrong-type] /scripts/0/inputs/0: item 1 of "inputs" is a number, '
                'expected the name of a store or an object with "table"'
            ),
        ),
        (
            {"partition_by": "id"},
            (
                'error[not-yet] /scripts/0/partition_by: "partition_by" is not possible yet, '
                "it is kept for running by key\n  hint: leave it out"
            ),
        ),
        (
            {"uses": "slack"},
            (
                'error[bad-name] /scripts/0/uses: "slack" is not a component, expected vendor/name@v1: lower-case '
                'letters, digits and -, then its version\n  hint: write "patterns/slack@v1"'
            ),
        ),
        (
            {"uses": "Patterns/Slack Post@4.0.1"},
            (
                'error[bad-name] /scripts/0/uses: "Patterns/Slack Post@4.0.1" is not a component, expected '
                "vendor/name@v1: lower-case letters, digits and -, then its version\n"
                '  hint: write "patterns/slack-post@v4"'
            ),
        ),
    ],
)
def test_a_mistake_in_a_script_is_explained(entry, expected):
    assert findings(manifest(scripts=[{"file": "a.py", **entry}])) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({}, 'error[missing-key] /scripts/0: a script needs "file"'),
        ("a.py", 'error[wrong-type] /scripts/0: item 1 of "scripts" is a text, expected an object'),
        ({"uses": "patterns/x@v0"}, ""),
    ],
)
def test_a_script_is_an_object_with_a_file(script, expected):
    assert findings(manifest(scripts=[script])) == expected


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        ("../a.py", 'holds ".."'),
        ("/a.py", "is absolute"),
        ("C:/a.py", "is absolute"),
        ("a\\b.py", "holds a backslash"),
        ("a\u0007.py", "holds a control character"),
        ("a//b.py", 'holds an empty part or "."'),
        ("a.py.", "has a part that ends with a dot or a blank"),
        ("e\u0301.py", "is not in Unicode form NFC"),
        ("a" * 256, "is too long"),
    ],
)
def test_a_path_must_stay_inside_and_work_everywhere(path, reason):
    found = manifest(scripts=[{"file": path}]).diagnostics

    assert [diagnostic.code for diagnostic in found] == ["bad-path"]
    assert found[0].message.endswith(f" {reason}, expected a path inside the app folder")


TABLE = "is not a table name, expected letters, digits and _, at most 63, the first not a digit"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("my table", "my_table"),
        ('say "hi"', "say_hi"),
        ("1st", "t_1st"),
        ("straße", "strasse"),
        ("a" * 64, "a" * 63),
    ],
)
def test_a_table_name_is_plain_and_a_hint_gives_one(name, hint):
    found = manifest(stores=[{"table": name}]).diagnostics

    assert [diagnostic.message for diagnostic in found] == [f"{json.dumps(name, ensure_ascii=False)} {TABLE}"]
    assert found[0].hint == f'write "{hint}"'


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ({"table": "日本"}, f'error[bad-name] /stores/0/table: "日本" {TABLE}'),
        (
            3,
            (
                'error[wrong-type] /stores/0: item 1 of "stores" is a number, '
                'expected an object with "table" or "file"'
            ),
        ),
        ({}, 'error[missing-key] /stores/0: a table needs "table"'),
        (
            {"table": "t", "storage": {"engine": "mysql"}},
            'error[wrong-value] /stores/0/storage/engine: "engine" is "mysql", expected "postgres"',
        ),
        (
            {"file": "f", "unique_on": ["a"]},
            (
                'error[unknown-key] /stores/0/unique_on: "unique_on" is not a key of a file\n'
                '  known keys: "file", "title", "description", "storage", "metadata"'
            ),
        ),
        (
            {"table": "t", "schema": {"": "text"}},
            (
                'error[bad-name] /stores/0/schema/: "" is not a column name, '
                "expected 1 to 63 bytes without control characters"
            ),
        ),
        (
            {"table": "t", "schema": {"a": 1}},
            'error[wrong-type] /stores/0/schema/a: "a" is a number, expected a text or an object with "type"',
        ),
        (
            {"table": "t", "schema": {"a": {"type": "text", "nulable": True}}},
            (
                'error[unknown-key] /stores/0/schema/a/nulable: "nulable" is not a key of a column\n'
                '  known keys: "type", "nullable", "description", "minimum", "maximum", "exclusiveMinimum", '
                '"exclusiveMaximum", "minLength", "maxLength", "pattern", "enum"\n'
                '  hint: did you mean "nullable"?'
            ),
        ),
        (
            {"table": "t", "schema": [{"name": "a"}]},
            'error[missing-key] /stores/0/schema/0: a column needs "type"',
        ),
        (
            {"table": "t", "schema": [{"name": "a", "type": "text", "minLength": -1}]},
            'error[wrong-value] /stores/0/schema/0/minLength: "minLength" is -1, expected at least 0',
        ),
        (
            {"table": "t", "schema": 3},
            (
                'error[wrong-type] /stores/0/schema: "schema" is a number, expected an object with columns, '
                "a list of columns, a JSON Schema, or the name of one"
            ),
        ),
        (
            {"table": "t", "casting": "strict"},
            'error[wrong-value] /stores/0/casting: "casting" is "strict", expected "soft" or "hard"',
        ),
    ],
)
def test_a_mistake_in_a_store_is_explained(store, expected):
    assert findings(manifest(stores=[store])) == expected


def test_a_literal_secret_is_refused_and_never_shown():
    found = findings(manifest(webhooks=[{"title": "T", "table": "t", "verify": {"secret": "whsec_a+b/c="}}]))

    assert found == (
        'error[literal-secret] /webhooks/0/verify/secret: "secret" is not a name, expected the name '
        "of a secret (letters, digits, - and _), not the secret itself\n"
        "  hint: store the secret with `patterns secret set NAME` and write its name here"
    )


HOOK = {"title": "T", "table": "t"}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            {"scripts": [{"file": "a.py"}, {"file": "x/a.sql"}]},
            (
                '/scripts/1/file: the node "a" is here a second time, it is first on line 1\n'
                '  hint: give one of them another "name"'
            ),
        ),
        (
            {"scripts": [{"file": "a.py", "name": "T"}], "webhooks": [HOOK]},
            (
                '/webhooks/0/title: the node "T" is here a second time, it is first on line 1\n'
                '  hint: give one of them another "name"'
            ),
        ),
        (
            {"stores": [{"table": "t"}, {"table": "t"}]},
            '/stores/1/table: the table "t" is here a second time, it is first on line 1',
        ),
        (
            {"stores": [{"file": "t"}, {"file": "T"}, {"table": "t"}]},
            '/stores/1/file: the file "T" differs only by case from "t" on line 1',
        ),
        (
            {"models": [{"name": "m", "type": "chat"}, {"name": "m", "type": "chat"}]},
            '/models/1/name: the model "m" is here a second time, it is first on line 1',
        ),
        (
            {"webhooks": [HOOK, {**HOOK, "name": "u", "path": "/u"}]},
            '/webhooks/1/title: the webhook title "T" is here a second time, it is first on line 1',
        ),
        (
            {"webhooks": [HOOK, {"title": "U", "path": "/t", "table": "t"}]},
            (
                '/webhooks/1/path: the webhook path "/t" is here a second time, it is first on line 1\n'
                '  hint: give one of them another "path"'
            ),
        ),
    ],
)
def test_a_name_is_given_once(parts, expected):
    parsed = manifest(**parts)

    assert findings(parsed) == f"error[duplicate-name] {expected}"
    assert parsed.spec is not None
    assert not parsed.is_good


def test_everything_is_found_in_one_go_in_order():
    text = b"""{
  "nam": "a",
  "scripts": [
    {"file": "a.py" "retries": "3"},
    {"file": "a.py"}
  ],
  "agents": []
}"""

    parsed = parse_manifest(text)

    assert parsed.spec is None
    assert "\n".join(map(render_diagnostic, parsed.diagnostics)) == (
        'error[missing-key] manifest.json:1:1: a manifest needs "name"\n'
        'error[unknown-key] manifest.json:2:3 /nam: "nam" is not a key of a manifest\n'
        '  known keys: "$schema", "name", "title", "description", "version", "scripts", "stores", "models", '
        '"webhooks", "parameters", "secrets", "charts", "exposes", "metadata"\n'
        '  hint: did you mean "name"?\n'
        'error[syntax-error] manifest.json:4:20: a comma is missing before "retries"\n'
        'error[wrong-type] manifest.json:4:32 /scripts/0/retries: "retries" is a text, '
        "expected a whole number\n"
        'error[duplicate-name] manifest.json:5:14 /scripts/1/file: the node "a" is here a second time, '
        "it is first on line 4\n"
        '  hint: give one of them another "name"\n'
        'error[not-yet] manifest.json:7:3 /agents: "agents" is not possible yet, it is kept for agents\n'
        "  hint: leave it out"
    )


def test_after_an_unclosed_bracket_consequences_are_not_told():
    parsed = parse_manifest(b'{"name": "a", "scripts": [{"file": 3]}')

    assert [found.code for found in parsed.diagnostics] == ["syntax-error"]
    assert parsed.spec is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "the file is a list, expected an object"),
        (b"null", "the file is null, expected an object"),
        (b"", "the file is empty, expected an object"),
    ],
)
def test_a_file_is_an_object(text, message):
    assert [found.message for found in parse_manifest(text).diagnostics] == [message]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"storages": [{"type": "databse", "url": "postgresql://x", "name": "a"}]}',
            (
                'error[wrong-value] patterns.json:1:24 /storages/0/type: "type" is "databse", '
                'expected "database" or "file"\n  hint: did you mean "database"?'
            ),
        ),
        (
            '{"storages": [{"type": "database", "url": "mysql://u:pass@x", "name": "a"}]}',
            (
                'error[wrong-value] patterns.json:1:43 /storages/0/url: "url" is not the address of '
                'a Postgres database, expected "postgresql://…"'
            ),
        ),
        (
            '{"runtimes": [{"name": "r"}]}',
            (
                "error[wrong-value] patterns.json:1:15 /runtimes/0: "
                'a runtime needs one of "dockerfile", "image" and "requirements", none are given'
            ),
        ),
        (
            '{"secrets": [{}, "A B"]}',
            (
                'error[literal-secret] patterns.json:1:18 /secrets/1: item 2 of "secrets" is not a name, '
                "expected the name of a secret (letters, digits, - and _), not the secret itself\n"
                "  hint: store the secret with `patterns secret set NAME` and write its name here"
            ),
        ),
        (
            '{"deployment": {"port": 70000}}',
            'error[wrong-value] patterns.json:1:25 /deployment/port: "port" is 70000, expected at most 65535',
        ),
        (
            '{"models": [{"name": "m", "provider": "echo"}, {"name": "m", "provider": "echo"}]}',
            (
                'error[duplicate-name] patterns.json:1:57 /models/1/name: the model "m" is here a second '
                "time, it is first on line 1"
            ),
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_explained(text, expected):
    assert "\n".join(map(render_diagnostic, parse_configuration(text.encode()).diagnostics)) == expected


def test_variables_are_replaced_in_all_texts():
    text = b'{"storages": [{"type": "database", "url": "${SCHEME}://${HOST}/d", "name": "$${x}"}]}'

    parsed = parse_configuration(text, lookup={"SCHEME": "postgresql", "HOST": "db"}.get)

    assert parsed.is_good
    assert parsed.spec.storages[0].url == "postgresql://db/d"
    assert parsed.spec.storages[0].name == "${x}"


def test_a_missing_or_broken_variable_is_told_with_its_place():
    document = parse_document("patterns.json", b'{"a": ["${DB}", "x${A-B}", "${open"]}')

    data, found = interpolate(document, lambda _name: None)

    assert data == {"a": ["${DB}", "x${A-B}", "${open"]}
    assert variables(document) == ("DB",)
    assert "\n".join(map(render_diagnostic, found)) == (
        'error[unknown-variable] patterns.json:1:8 /a/0: the variable "DB" is neither set in the environment '
        "nor a secret\n  hint: `patterns secret set DB` stores it, or set it in .env\n"
        'error[bad-variable] patterns.json:1:17 /a/1: "${A-B}" is not a variable, expected a name like '
        '"${DATABASE_URL}"\n  hint: write `$${` for a plain `${`\n'
        'error[bad-variable] patterns.json:1:28 /a/2: "${open" is not a variable, expected a name like '
        '"${DATABASE_URL}"\n  hint: write `$${` for a plain `${`'
    )


def test_the_value_of_a_variable_is_never_shown():
    text = b'{"deployment": {"engine": "${ENGINE}", "port": "${ENGINE}"}}'

    parsed = parse_configuration(text, lookup=lambda _name: "hush")

    assert not parsed.is_good
    assert "hush" not in "\n".join(map(render_diagnostic, parsed.diagnostics))


ANY_KEYS = ["name", "file", "table", "scripts", "stores", "webhooks", "title", "inputs", "trigger", "cron"]
ANY_KEYS += ["timeout", "verify", "secret", "storages", "url", "type", "secrets", "uses", "schema", "[key]"]
WORDS = ["a", "a.py", "", "${A}", "manual", "<list>", "database", "chat"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ANY_KEYS), inner, max_size=5)
        ),
        max_leaves=25,
    )
)
def test_any_json_gives_a_spec_or_findings_with_known_codes(data):
    for parsed in (
        parse_manifest(as_json(data)),
        parse_configuration(as_json(data), lookup=lambda _name: None),
    ):
        assert parsed.spec is not None or parsed.diagnostics
        assert all(found.code in CODES and found.where is not None for found in parsed.diagnostics)


def test_keys_that_are_wrong_do_not_hide_the_rest() -> None:
    parsed = parse_manifest(
        b'{"name": "a", "titel": 1, "scripts": [{"file": "a.py", "retrys": 1, "timeout": "soon"}]}'
    )

    assert parsed.spec is not None
    assert [script.file for script in parsed.spec.scripts] == ["a.py"]
    assert not parsed.is_good
