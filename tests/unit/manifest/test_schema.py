"""The schemas that editors use say what the specs say."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from patterns_os.manifest.document import parse_document
from patterns_os.manifest.schema import configuration_schema, main, manifest_schema, schema_files
from patterns_os.manifest.starter import starter_files
from patterns_os.manifest.values import Spec

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.mark.parametrize("name", sorted(schema_files()))
def test_the_committed_schema_is_up_to_date(name):
    assert (SCHEMAS / name).read_text(encoding="utf-8") == schema_files()[name]


@pytest.mark.parametrize("schema", [manifest_schema(), configuration_schema()])
def test_a_schema_is_a_schema_and_each_key_is_described(schema):
    Draft202012Validator.check_schema(schema)

    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert all(value.get("description") for value in part["properties"].values())
        assert part["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('{"name": "a", "scripts": [{"file": "a.py", "trigger": "manual", "timeout": "10m"}]}', True),
        ('{"name": "a", "scripts": [{"file": "a.py", "inputs": {"p": {"table": "t"}}}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": {"a": "text"}}, {"file": "f"}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": [{"name": "a", "type": "text"}]}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": {"a": {"type": "text", "minimum": 1}}}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": {"type": "object", "properties": {}}}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": "models.py:Order", "casting": "hard"}]}', True),
        ('{"name": "a", "stores": [{"table": "t", "schema": {"a": 1}}]}', False),
        ('{"name": "a", "stores": [{"table": "t", "casting": "strict"}]}', False),
        ('{"name": "a", "models": [{"name": "m", "type": "chat", "fine-tunable": true}]}', True),
        ('{"scripts": []}', False),
        ('{"name": "a", "scripts": [{"file": "a.py", "triger": "manual"}]}', False),
        ('{"name": "a", "stores": [{"table": "my table"}]}', False),
    ],
)
def test_an_editor_accepts_what_the_parser_accepts(text, is_valid):
    data = parse_document("manifest.json", text.encode()).data

    assert Draft202012Validator(manifest_schema()).is_valid(data) is is_valid


def test_an_editor_accepts_the_placeholder_of_the_published_sample():
    assert Draft202012Validator(configuration_schema()).is_valid({"secrets": [{}, "A"]})


def test_the_files_of_a_new_app_fit_their_schemas():
    files = starter_files("quick-start")

    for name, schema in (("manifest.json", manifest_schema()), ("patterns.json", configuration_schema())):
        Draft202012Validator(schema).validate(parse_document(name, files[name].encode()).data)


def test_the_command_writes_and_then_finds_all_up_to_date(tmp_path, capsys):
    assert main(["--check"], tmp_path) == 1
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert capsys.readouterr().out == "".join(
        f"{tmp_path / name} {what}\n" for what in ("is not up to date", "written") for name in schema_files()
    )


def keys_of(schema):
    for name, part in (("", schema), *schema["$defs"].items()):
        for key, value in part.get("properties", {}).items():
            yield f"{name}/{key}", value


def shows_what_it_takes(part):
    """Tell whether an author sees what to write: by an example, a default, or by the few values there are."""
    if {"examples", "enum", "const", "default", "$ref"} & part.keys() or part.get("type") == "boolean":
        return True
    return part.get("type") == "array" and shows_what_it_takes(part["items"])


@pytest.mark.parametrize("schema", [manifest_schema(), configuration_schema()])
def test_each_key_is_described_and_shows_what_it_takes(schema):
    assert [key for key, part in keys_of(schema) if not part.get("description")] == []
    assert [key for key, part in keys_of(schema) if not shows_what_it_takes(part)] == []


@pytest.mark.parametrize("schema", [manifest_schema(), configuration_schema()])
def test_each_example_is_right(schema):
    wrong = [
        (key, example)
        for key, part in keys_of(schema)
        for example in part.get("examples", ())
        if not Draft202012Validator({**part, "$defs": schema["$defs"]}).is_valid(example)
    ]

    assert wrong == []


def specs(spec=Spec):
    for kind in spec.__subclasses__():
        yield kind
        yield from specs(kind)


@pytest.mark.parametrize(
    "spec", sorted(specs(), key=lambda spec: spec.__name__), ids=lambda spec: spec.__name__
)
def test_each_example_is_parsed(spec):
    for field in spec.model_fields.values():
        for example in field.examples or ():
            TypeAdapter(field.rebuild_annotation()).validate_python(example)
