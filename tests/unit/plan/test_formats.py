import json

import jsonschema
import pytest

from patterns_os import __version__
from patterns_os.diagnostics import Diagnostic, Location, Severity
from patterns_os.plan.formats import Format, count_findings, render_findings

SUMMARIES = {"unknown-table": "A script reads a table that nothing declares and nothing writes."}
ERROR = Diagnostic(
    code="unknown-table",
    message='node "a" reads table "ordes", 100 % unknown.',
    where=Location(file="my scripts/a,b.py", line=3, column=7),
    known=("known tables", ("orders",)),
    hint='did you mean "orders"?',
)
WARNING = Diagnostic(code="no-text-model", message="nobody answers.", severity=Severity.WARNING)

# The parts of the published schema of SARIF 2.1.0 that these logs use, with what it demands of them.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
INDEX = {"type": "integer", "minimum": 0}
PLACE = {"type": "integer", "minimum": 1}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {"type": "array", "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "run": {
            "type": "object",
            "required": ["tool"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "properties": {"driver": {"$ref": "#/$defs/driver"}},
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
            },
        },
        "driver": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "version": {"type": "string"},
                "rules": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "additionalProperties": False,
                        "properties": {"id": {"type": "string"}, "shortDescription": TEXT, "help": TEXT},
                    },
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": INDEX,
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": TEXT,
                "locations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "physicalLocation": {
                                "type": "object",
                                "anyOf": [{"required": ["artifactLocation"]}],
                                "properties": {
                                    "artifactLocation": {
                                        "type": "object",
                                        "properties": {
                                            "uri": {"type": "string", "pattern": "^[^ ]*$"},
                                            "uriBaseId": {"type": "string"},
                                        },
                                    },
                                    "region": {
                                        "type": "object",
                                        "properties": {"startLine": PLACE, "startColumn": PLACE},
                                    },
                                },
                            }
                        },
                    },
                },
            },
        },
    },
}


def rendered(form, *found, base=""):
    return render_findings(found, form, summaries=SUMMARIES, base=base)


def test_people_read_the_findings_as_everywhere():
    assert rendered(Format.HUMAN, ERROR, WARNING) == (
        'error[unknown-table] my scripts/a,b.py:3:7: node "a" reads table "ordes", 100 % unknown.\n'
        '  known tables: "orders"\n'
        '  hint: did you mean "orders"?\n'
        "warning[no-text-model] nobody answers."
    )


def test_programs_read_a_list():
    assert json.loads(rendered(Format.JSON, ERROR, WARNING)) == [ERROR.to_json(), WARNING.to_json()]


def test_github_reads_commands_with_its_escapes():
    assert rendered(Format.GITHUB, ERROR, WARNING, base="apps/shop") == (
        "::error file=apps/shop/my scripts/a%2Cb.py,line=3,col=7,title=unknown-table::"
        'node "a" reads table "ordes", 100 %25 unknown.%0Aknown tables: "orders"%0A'
        'hint: did you mean "orders"?\n'
        "::warning title=no-text-model::nobody answers."
    )


def test_scanners_read_sarif():
    log = json.loads(rendered(Format.SARIF, ERROR, WARNING, base="apps/shop"))

    assert log["runs"] == [
        {
            "tool": {
                "driver": {
                    "name": "patterns",
                    "version": __version__,
                    "rules": [
                        {
                            "id": "no-text-model",
                            "help": {"text": "`patterns explain no-text-model` tells more."},
                        },
                        {
                            "id": "unknown-table",
                            "shortDescription": {"text": SUMMARIES["unknown-table"]},
                            "help": {"text": "`patterns explain unknown-table` tells more."},
                        },
                    ],
                }
            },
            "columnKind": "unicodeCodePoints",
            "results": [
                {
                    "ruleId": "unknown-table",
                    "ruleIndex": 1,
                    "level": "error",
                    "message": {
                        "text": 'node "a" reads table "ordes", 100 % unknown.\nknown tables: "orders"\n'
                        'hint: did you mean "orders"?'
                    },
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {
                                    "uri": "apps/shop/my%20scripts/a%2Cb.py",
                                    "uriBaseId": "%SRCROOT%",
                                },
                                "region": {"startLine": 3, "startColumn": 7},
                            }
                        }
                    ],
                },
                {
                    "ruleId": "no-text-model",
                    "ruleIndex": 0,
                    "level": "warning",
                    "message": {"text": "nobody answers."},
                },
            ],
        }
    ]


@pytest.mark.parametrize("found", [(), (ERROR,), (WARNING, ERROR)])
def test_sarif_has_the_shape_that_its_schema_demands(found):
    jsonschema.validate(json.loads(rendered(Format.SARIF, *found)), SARIF)


def test_where_nothing_is_found_there_is_nothing_to_say():
    assert [rendered(form) for form in (Format.HUMAN, Format.GITHUB)] == ["", ""]


def test_findings_are_counted():
    assert count_findings([ERROR, WARNING, WARNING]) == "1 error, 2 warnings"
    assert count_findings([]) == "no findings"
