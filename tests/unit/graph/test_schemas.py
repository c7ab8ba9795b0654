"""All spellings of a schema, and everything that is told about them."""

import json
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.diagnostics import Location, render_diagnostic
from patterns_os.graph.codes import CODES
from patterns_os.graph.schemas import declared_schema, schema_from_common_model
from patterns_os.graph.sources import Sources
from patterns_os.manifest.codes import CODES as MANIFEST_CODES
from patterns_os.manifest.document import join_pointer
from patterns_os.manifest.parse import parse_manifest
from patterns_os.rows.schema import FieldSchema, TableSchema, schema_from_data
from patterns_os.rows.semantic import RECORD_TYPES
from patterns_os.rows.types import ColumnType

BIGINT, TEXT, JSONB = ColumnType.BIGINT, ColumnType.TEXT, ColumnType.JSONB


SPOT = re.compile(r"(manifest\.json):1:\d+")
"""A place in a manifest of one line, where only the pointer says something."""


def read(schema, files=None, **store):
    """Give the schema, and what is told about it as text."""
    data = {"name": "app", "stores": [{"table": "orders", "schema": schema} | store]}
    parsed = parse_manifest(json.dumps(data).encode())
    assert parsed.diagnostics == ()
    sources = Sources({name: text.encode() for name, text in (files or {}).items()})
    found, diagnostics = declared_schema(
        parsed.spec.stores[0],
        sources,
        lambda path: parsed.document.locate(join_pointer(("stores", 0, *path))),
    )
    return found, [SPOT.sub(r"\1", render_diagnostic(one)) for one in diagnostics]


def good(schema, files=None, **store):
    found, told = read(schema, files, **store)
    assert told == []
    return found


def columns(schema, files=None, **store):
    """Give what each column is, in a short form."""
    return {field.name: short(field) for field in good(schema, files, **store).fields}


def short(field):
    words = [str(field.type), *([] if field.nullable else ["NotNull"])]
    return " ".join([*words, *([field.semantic] if field.semantic else [])])


# --- columns in the manifest


def test_an_object_gives_each_column_its_type():
    assert columns(
        {"id": "integer NotNull", "name": "Text", "at": "Datetime Nullable", "x": "Decimal(16,2)"}
    ) == {
        "id": "bigint NotNull",
        "name": "text",
        "at": "timestamptz",
        "x": "numeric",
    }


def test_a_list_is_the_same_as_an_object():
    listed = good([{"name": "id", "type": "integer", "nullable": False}, {"name": "x", "type": "json"}])

    assert listed == good({"id": "integer NotNull", "x": "json"})
    assert [str(field.where) for field in listed.fields] == [
        "manifest.json:1:59 /stores/0/schema/0",
        "manifest.json:1:113 /stores/0/schema/1",
    ]


def test_more_can_be_said_of_a_column():
    schema = good(
        {
            "age": {
                "type": "int",
                "nullable": False,
                "description": "In years.",
                "minimum": 0,
                "maximum": 150,
            },
            "code": {"type": "text", "pattern": "^[A-Z]+$", "minLength": 2, "maxLength": 5},
            "status": {"type": "text", "enum": ["new", "paid"]},
        }
    )

    assert schema == TableSchema(
        fields=(
            FieldSchema(
                name="age",
                type=BIGINT,
                nullable=False,
                description="In years.",
                rules={"minimum": 0, "maximum": 150},
            ),
            FieldSchema(
                name="code", type=TEXT, rules={"pattern": "^[A-Z]+$", "minLength": 2, "maxLength": 5}
            ),
            FieldSchema(name="status", type=TEXT, rules={"enum": ["new", "paid"]}),
        )
    )


def test_what_an_object_says_of_null_wins_over_the_type():
    assert columns({"a": {"type": "text NotNull", "nullable": True}}) == {"a": "text"}


def test_a_length_of_a_text_is_a_rule():
    schema = good({"a": "varchar(20) NotNull", "b": "decimal(16, 2)"})

    assert [dict(field.rules) for field in schema.fields] == [{"maxLength": 20}, {}]


def test_a_semantic_type_brings_its_column_type_and_rules():
    schema = good({"mail": "common.Email NotNull", "share": "common.Percentage", "home": "common.Address"})

    assert [short(field) for field in schema.fields] == [
        "text NotNull common.Email",
        "double common.Percentage",
        "jsonb common.Address",
    ]
    assert [dict(field.rules) for field in schema.fields] == [
        {"format": "email"},
        {"minimum": 0, "maximum": 100},
        {},
    ]


def test_a_column_narrows_its_semantic_type_and_never_widens_it():
    schema, told = read(
        {
            "a": {"type": "common.Percentage", "minimum": 10, "maximum": 200},
            "b": {"type": "common.Slug", "pattern": "^x"},
        }
    )

    assert [dict(field.rules) for field in schema.fields] == [
        {"minimum": 10, "maximum": 100},
        {"minLength": 1, "pattern": r"^(?:[a-z0-9]+(?:[-_][a-z0-9]+)*)(?![\s\S])"},
    ]
    assert told == [
        (
            'error[schema-rule] manifest.json /stores/0/schema/a: "maximum" of column "a" of table "orders" '
            'cannot be kept: type "common.Percentage" has 100 already.'
        ),
        (
            'error[schema-rule] manifest.json /stores/0/schema/b: "pattern" of column "b" of table "orders" '
            "cannot be kept: type \"common.Slug\" has '^(?:[a-z0-9]+(?:[-_][a-z0-9]+)*)(?![\\\\s\\\\S])' already."
        ),
    ]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ({"type": "bool", "minimum": 1}, '"minimum" {} it means nothing for the type bool.'),
        ({"type": "int", "pattern": "a"}, '"pattern" {} it means nothing for the type bigint.'),
        ({"type": "date", "minimum": 1}, '"minimum" {} it is no text of the type date.'),
        ({"type": "int", "enum": [1, "b"]}, "\"enum\" {} 'b' is not of the type bigint."),
        ({"type": "int", "minimum": 5, "maximum": 3}, '"minimum" {} it is more than "maximum", 3.'),
        ({"type": "text", "minLength": 5, "maxLength": 3}, '"minLength" {} it is more than "maxLength", 3.'),
    ],
)
def test_a_rule_that_cannot_be_kept_is_an_error(column, reason):
    _, told = read({"a": column})

    cannot = 'of column "a" of table "orders" cannot be kept:'
    assert told == [f"error[schema-rule] manifest.json /stores/0/schema/a: {reason.format(cannot)}"]


def test_a_pattern_that_is_none_is_an_error():
    _, [told] = read({"a": {"type": "text", "pattern": "a("}})

    assert told.startswith(
        'error[schema-rule] manifest.json /stores/0/schema/a: "pattern" of column "a" of table "orders" '
        "cannot be kept: it is no regular expression, "
    )


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("integr", 'did you mean "integer"?'),
        ("Email", 'did you mean "common.Email"?'),
        ("common.email", 'did you mean "common.Email"?'),
        ("common.Monay", 'did you mean "common.Money"?'),
        ("strnig NotNull", 'did you mean "string"?'),
        ("flux capacitor", None),
    ],
)
def test_an_unknown_type_is_an_error_with_what_is_meant(written, hint):
    schema, told = read({"id": written, "x": "text"})

    assert columns({"x": "text"}) == {field.name: short(field) for field in schema.fields}
    assert told == [
        f'error[unknown-type] manifest.json /stores/0/schema/id: column "id" of table "orders" has the '
        f'unknown type "{written}".\n  known types: "bool", "bigint", "double", "text", "timestamptz", "date", '
        '"numeric", "bytea", "jsonb"' + (f"\n  hint: {hint}" if hint else "")
    ]


def test_a_name_that_no_column_can_have_and_one_given_twice_are_errors():
    schema, told = read(
        [{"name": "patterns_id", "type": "text"}, {"name": "a", "type": "text"}, {"name": "a", "type": "int"}]
    )

    assert [field.name for field in schema.fields] == ["a"]
    assert told == [
        (
            'error[bad-name] manifest.json /stores/0/schema/0: "patterns_id" cannot name a column of table '
            '"orders", expected 1 to 63 bytes without "%" and control characters that do not start with "patterns_"'
        ),
        (
            'error[duplicate-name] manifest.json /stores/0/schema/2: column "a" of table "orders" is declared '
            "twice."
        ),
    ]


def test_casting_is_soft_unless_the_store_says_otherwise():
    assert good({"a": "text"}).casting == "soft"
    assert good({"a": "text"}, casting="hard").casting == "hard"
    assert read(None, casting="hard") == (None, [])


# --- semantic types of rows


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_a_table_can_be_of_each_type_of_rows(name):
    schema = good(name)

    assert schema.name == name
    assert schema.fields == RECORD_TYPES[name].fields


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "common.Ordr",
            (
                'error[unknown-type] manifest.json /stores/0/schema: the schema of table "orders" is '
                '"common.Ordr", which does not exist.\n  known types of rows: '
                + ", ".join(f'"{known}"' for known in RECORD_TYPES)
                + '\n  hint: did you mean "common.Order"?'
            ),
        ),
        (
            "nothing",
            (
                'error[unknown-type] manifest.json /stores/0/schema: the schema of table "orders" is '
                '"nothing", which does not exist.\n  known types of rows: '
                + ", ".join(f'"{known}"' for known in RECORD_TYPES)
                + '\n  hint: write "common.Order", "models.py:Order" or "schemas/order.json"'
            ),
        ),
        (
            "common.Email",
            (
                'error[unknown-type] manifest.json /stores/0/schema: "common.Email" is the type of a value, '
                'not of a row, so it is no schema of table "orders".\n'
                '  hint: give it to a column: {"column": "common.Email"}'
            ),
        ),
        (
            "schema/order.json",
            (
                'error[schema-reference] manifest.json /stores/0/schema: the schema of table "orders" is in '
                '"schema/order.json", which is not in the app folder.\n  hint: did you mean "schemas/order.json"?'
            ),
        ),
        (
            "model.py:Order",
            (
                'error[schema-reference] manifest.json /stores/0/schema: the schema of table "orders" is in '
                '"model.py", which is not in the app folder.\n  hint: did you mean "models.py"?'
            ),
        ),
        (
            "models.py:Ordr",
            (
                'error[schema-reference] manifest.json /stores/0/schema: the schema of table "orders" is the '
                'class "Ordr", which "models.py" does not have.\n  hint: did you mean "Order"?'
            ),
        ),
        (
            "models.py:Order",
            'error[schema-form] models.py:1:1: "Order" in "models.py" is no pydantic model, dataclass or typed dict.',
        ),
        (
            "models.py:LIMIT",
            (
                'error[schema-form] manifest.json /stores/0/schema: "LIMIT" in "models.py" is no class of the '
                'app, so it is no schema of table "orders".'
            ),
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_an_error(name, expected):
    files = {"models.py": "class Order: ...\nLIMIT = 3\n", "schemas/order.json": "{}"}

    assert read(name, files) == (None, [expected])


# --- JSON Schema


def json_schema(properties, **more):
    return {"type": "object", "properties": properties} | more


def test_a_json_schema_is_read():
    schema = good(
        json_schema(
            {
                "id": {"type": "integer", "minimum": 1},
                "name": {"type": "string", "description": "Whole.", "maxLength": 5},
                "price": {"type": ["number", "null"], "exclusiveMinimum": 0},
                "paid": {"type": "boolean"},
                "at": {"type": "string", "format": "date-time"},
                "day": {"type": "string", "format": "date"},
                "mail": {"type": "string", "format": "email"},
                "page": {"type": "string", "format": "uri"},
                "key": {"type": "string", "format": "uuid"},
                "ip": {"type": "string", "format": "ipv4"},
                "status": {"enum": ["new", "paid", None]},
                "kind": {"const": "order"},
                "tags": {"type": "array"},
                "any": True,
            },
            title="Order",
            required=["id", "price", "status"],
        )
    )

    assert schema.name == "Order"
    assert {field.name: short(field) for field in schema.fields} == {
        "id": "bigint NotNull",
        "name": "text",
        "price": "double",
        "paid": "bool",
        "at": "timestamptz",
        "day": "date",
        "mail": "text common.Email",
        "page": "text common.Uri",
        "key": "text common.Uuid",
        "ip": "text common.IpAddress",
        "status": "text",
        "kind": "text",
        "tags": "jsonb",
        "any": "jsonb",
    }
    rules = {field.name: dict(field.rules) for field in schema.fields}
    assert rules["id"] == {"minimum": 1}
    assert rules["name"] == {"maxLength": 5}
    assert rules["price"] == {"exclusiveMinimum": 0}
    assert rules["ip"]["format"] == "ipv4"
    assert rules["status"] == {"enum": ["new", "paid"]}
    assert rules["kind"] == {"enum": ["order"]}
    assert schema.fields[1].description == "Whole."
    assert str(schema.fields[0].where) == "manifest.json:1:98 /stores/0/schema/properties/id"


def test_a_table_with_columns_called_type_and_properties_is_no_json_schema():
    assert columns({"type": "object", "properties": "text"}) == {"type": "jsonb", "properties": "text"}


def test_references_within_the_document_and_joined_schemas_are_followed():
    file = {
        "$defs": {
            "Id": {"type": "integer", "minimum": 1},
            "Base": json_schema({"id": {"$ref": "#/$defs/Id"}}, required=["id"]),
            "Order": {
                "allOf": [{"$ref": "#/$defs/Base"}, json_schema({"x": {"type": "string"}}, required=["x"])]
            },
        }
    }

    expected = {"id": "bigint NotNull", "x": "text NotNull"}
    assert columns("s.json#/$defs/Order", {"s.json": json.dumps(file)}) == expected
    assert columns("s.json", {"s.json": json.dumps(file | {"$ref": "#/$defs/Order"})}) == expected


def test_a_choice_with_null_may_be_null():
    choice = {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]}
    schema = good(json_schema({"a": choice}, required=["a"]))

    assert schema.fields == (FieldSchema(name="a", type=TEXT, rules={"maxLength": 3}),)


def test_bounds_of_older_drafts_are_understood():
    schema = good(json_schema({"a": {"type": "integer", "minimum": 3, "exclusiveMinimum": True}}))

    assert schema.fields[0].rules == {"exclusiveMinimum": 3}


@pytest.mark.parametrize(
    ("schema", "where", "expected"),
    [
        (
            {"a": {"type": "integer", "multipleOf": 5}},
            " /stores/0/schema/properties/a/multipleOf",
            '"multipleOf" of column "a" of table "orders" is not checked: a table has no rule like it.',
        ),
        (
            {"a": {"type": "array", "items": {"type": "string"}}},
            " /stores/0/schema/properties/a/items",
            '"items" of column "a" of table "orders" is not checked: a jsonb column takes any JSON value.',
        ),
        (
            {"a": {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}},
            " /stores/0/schema/properties/a/properties",
            '"properties" of column "a" of table "orders" is not checked: a jsonb column takes any JSON value.',
        ),
        (
            {"a": {"type": ["string", "integer"]}},
            " /stores/0/schema/properties/a/type",
            (
                '"type" of column "a" of table "orders" is not checked: a column has one type, so this one takes any '
                "JSON value."
            ),
        ),
        (
            {"a": {"type": "string", "format": "iban"}},
            " /stores/0/schema/properties/a/format",
            '"format" of column "a" of table "orders" is not checked: "iban" is not known.',
        ),
        (
            {"a": {"type": "integer", "minimun": 5}},
            " /stores/0/schema/properties/a/minimun",
            (
                '"minimun" of column "a" of table "orders" is not checked: it is no keyword of JSON Schema (did '
                'you mean "minimum"?).'
            ),
        ),
        (
            {"a": {"type": "integer", "minimum": "5"}},
            " /stores/0/schema/properties/a/minimum",
            '"minimum" of column "a" of table "orders" is not checked: it is not a number.',
        ),
        (
            {"a": {"type": "integr"}},
            " /stores/0/schema/properties/a/type",
            '"type" of column "a" of table "orders" is not checked: "integr" is nothing that JSON Schema knows there.',
        ),
        (
            {"a": {"$ref": "https://example.com/a.json"}},
            " /stores/0/schema/properties/a/$ref",
            (
                '"$ref" of column "a" of table "orders" is not checked: only references within the document are '
                "followed."
            ),
        ),
        (
            {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
            " /stores/0/schema/properties/a/anyOf",
            '"anyOf" of column "a" of table "orders" is not checked: a table has no rule like it.',
        ),
        (
            {"a": False},
            " /stores/0/schema/properties/a",
            (
                '"false" of column "a" of table "orders" is not checked: a column that no row may have cannot be '
                "declared."
            ),
        ),
        (
            {"patterns_id": {}},
            " /stores/0/schema/properties/patterns_id",
            (
                '"patterns_id" of table "orders" is not checked: no column can have that name, expected 1 to 63 bytes '
                'without "%" and control characters that do not start with "patterns_".'
            ),
        ),
    ],
)
def test_what_a_json_schema_says_of_a_column_and_no_table_checks_is_told(schema, where, expected):
    _, told = read(json_schema(schema))

    assert told == [f"warning[schema-keyword] manifest.json{where}: {expected}"]


@pytest.mark.parametrize(
    ("more", "where", "expected"),
    [
        (
            {"additionalProperties": False},
            " /stores/0/schema/additionalProperties",
            '"additionalProperties" of table "orders" is not checked: only "casting": "hard" refuses further columns.',
        ),
        (
            {"required": ["b"]},
            " /stores/0/schema/required",
            '"required" of table "orders" is not checked: it names "b", which is not among the properties.',
        ),
        (
            {"if": {"required": ["a"]}},
            " /stores/0/schema/if",
            '"if" of table "orders" is not checked: a table has no rule like it.',
        ),
        (
            {"minProperties": 1},
            " /stores/0/schema/minProperties",
            '"minProperties" of table "orders" is not checked: a table has no rule like it.',
        ),
    ],
)
def test_what_a_json_schema_says_of_the_row_and_no_table_checks_is_told(more, where, expected):
    _, told = read(json_schema({}, **more))

    assert told == [f"warning[schema-keyword] manifest.json{where}: {expected}"]


def test_annotations_and_what_asks_for_nothing_are_passed_by():
    annotated = {
        "type": "string",
        "title": "A",
        "examples": [1],
        "default": 3,
        "x-order": 1,
        "readOnly": True,
    }

    assert columns(
        json_schema(
            {"a": annotated, "b": {"type": "array", "items": {}}},
            **{
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "additionalProperties": True,
                "x-y": 1,
            },
        )
    ) == {"a": "text", "b": "jsonb"}
    assert columns(json_schema({}, additionalProperties=False), casting="hard") == {}
    assert columns(json_schema({}, additionalProperties=False), casting="soft") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"type": "array"}',
            (
                'error[schema-form] s.json:1:1: the schema of table "orders" is no JSON Schema of an object.\n'
                '  hint: give it "type": "object" and "properties"'
            ),
        ),
        (
            "[1]",
            (
                'warning[schema-keyword] s.json:1:1: "schema" of table "orders" is not checked: [1] is nothing that '
                "JSON Schema knows there."
            ),
        ),
        (
            '{"type": "object", "properties": {"a": {"$ref": "#/$defs/B"}}, "$defs": {"A": {}}}',
            (
                'error[schema-reference] s.json:1:49 /properties/a/$ref: the schema of table "orders" refers to '
                '"#/$defs/B", where nothing is.\n  hint: did you mean "#/$defs/A"?'
            ),
        ),
        ('{"type": "object"', 'error[syntax-error] s.json:1:1: "{" is not closed, expected "}"'),
    ],
)
def test_a_file_that_holds_no_schema_of_a_row_is_told_with_its_place(text, expected):
    _, told = read("s.json", {"s.json": text})

    assert told[0] == expected


def test_a_pointer_that_leads_nowhere_is_an_error():
    assert read("s.json#/$defs/A", {"s.json": "{}"}) == (
        None,
        [
            'error[schema-reference] s.json:1:1: the schema of table "orders" is at "#/$defs/A", where nothing is.',
        ],
    )


def test_a_schema_that_refers_to_itself_or_grows_without_end_is_cut():
    loop = json_schema({"a": {"$ref": "#/properties/a"}})
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}}

    for schema in (loop, json_schema({"a": {"$ref": "#/$defs/d0"}}, **{"$defs": doubling})):
        _, told = read("s.json", {"s.json": json.dumps(schema)})
        assert any("it refers too deeply or to itself" in one for one in told)
        assert len(told) < 50


KEYWORDS = [
    "type", "properties", "required", "$ref", "$defs", "allOf", "anyOf", "oneOf", "enum", "const", "format",
    "items", "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern", "title",
    "description", "additionalProperties", "a", "", "multipleOf",
]  # fmt: skip
WORDS = [
    "string",
    "integer",
    "number",
    "object",
    "array",
    "null",
    "#",
    "#/$defs/a",
    "#/properties/a",
    "date",
    "a(",
]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-5, 5)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.sampled_from(WORDS),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=6)
        ),
        max_leaves=40,
    )
)
def test_any_json_gives_a_schema_or_findings_and_never_an_exception(data):
    whole = {"type": "object", "properties": {"a": data, "b": {"allOf": [data, data]}}}
    for schema in (data, whole):
        found, told = read("s.json", {"s.json": json.dumps(schema)})
        assert found is not None or told
        if found is not None:
            assert schema_from_data(json.loads(json.dumps(found.to_data()))) == found


# --- classes


def model(body, head="", name="Order(BaseModel)"):
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return {"models.py": f"{HEAD}{head}\nclass {name}:\n{lines}\n"}


HEAD = """\
from __future__ import annotations
import datetime as dt
import enum
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Optional, Union
from pydantic import *
from pydantic import BaseModel, ConfigDict, EmailStr, Field, HttpUrl, PositiveInt, conint, field_validator
from pydantic import AfterValidator, StringConstraints
"""


def of_class(body, head="", name="Order(BaseModel)", **store):
    return columns("models.py:Order", model(body, head, name), **store)


def rules_of(body, head=""):
    return {field.name: dict(field.rules) for field in good("models.py:Order", model(body, head)).fields}


def test_a_pydantic_class_is_read_and_never_imported():
    assert of_class(
        """
        id: int
        name: str = "anonymous"
        note: Optional[str]
        other: str | None = None
        third: Union[None, str]
        price: Decimal
        share: float
        paid: bool
        at: datetime
        due: dt.date
        key: uuid.UUID
        mail: EmailStr
        page: HttpUrl
        raw: bytes
        tags: list[str]
        more: dict[str, Any]
        any: Any
        quoted: "int | None"
        count: PositiveInt
        _private: int
        CONSTANT: ClassVar[int] = 3
        model_config = ConfigDict(frozen=True)
        """.replace("        ", "")
    ) == {
        "id": "bigint NotNull",
        "name": "text",
        "note": "text",
        "other": "text",
        "third": "text",
        "price": "numeric NotNull",
        "share": "double NotNull",
        "paid": "bool NotNull",
        "at": "timestamptz NotNull",
        "due": "date NotNull",
        "key": "text NotNull common.Uuid",
        "mail": "text NotNull common.Email",
        "page": "text NotNull common.Url",
        "raw": "bytea NotNull",
        "tags": "jsonb NotNull",
        "more": "jsonb NotNull",
        "any": "jsonb NotNull",
        "quoted": "bigint",
        "count": "bigint NotNull",
    }


def test_fields_constraints_and_literals_are_rules():
    body = """
a: int = Field(ge=1, lt=10)
b: Annotated[str, Field(min_length=1, max_length=5, pattern="^x")] = "x"
c: Literal["new", "paid", None]
d: conint(gt=-3)
e: PositiveInt
f: Price
g: Annotated[str, StringConstraints(max_length=3)]
h: Level
i: Word
"""
    head = """
import annotated_types
from enum import StrEnum, auto
Price = Annotated[Decimal, Field(ge=Decimal("0.5")), annotated_types.Le(9)]
class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2
class Word(StrEnum):
    RED = auto()
    BLUE = "blue"
"""

    assert rules_of(body, head) == {
        "a": {"minimum": 1, "exclusiveMaximum": 10},
        "b": {"minLength": 1, "maxLength": 5, "pattern": "^x"},
        "c": {"enum": ["new", "paid"]},
        "d": {"exclusiveMinimum": -3},
        "e": {"exclusiveMinimum": 0},
        "f": {"minimum": 0.5, "maximum": 9},
        "g": {"maxLength": 3},
        "h": {"enum": [1, 2]},
        "i": {"enum": ["red", "blue"]},
    }


def test_a_column_is_called_by_its_alias_and_described():
    schema = good(
        "models.py:Order",
        model('user_id: int = Field(..., alias="userId", description="Who.")\nx: int = Field(3)'),
    )

    assert schema.name == "Order"
    assert schema.fields == (
        FieldSchema(name="userId", type=BIGINT, nullable=False, description="Who."),
        FieldSchema(name="x", type=BIGINT),
    )
    assert [str(field.where) for field in schema.fields] == ["models.py:13:5", "models.py:14:5"]


def test_what_is_inherited_within_the_app_is_read_too():
    files = {
        "models.py": "from .base import Base as B\nimport shared.kinds\nclass Order(B):\n    x: str\n"
        "    kind: shared.kinds.Kind\n    inner: 'Order | None'\n",
        "base.py": "import pydantic\nclass Root(pydantic.BaseModel):\n    id: int\n    x: int\n"
        "class Base(Root):\n    at: float\n",
        "shared/__init__.py": "",
        "shared/kinds.py": "import enum\nclass Kind(str, enum.Enum):\n    A = 'a'\n",
    }

    schema = good("models.py:Order", files)
    assert {field.name: short(field) for field in schema.fields} == {
        "id": "bigint NotNull",
        "x": "text NotNull",
        "at": "double NotNull",
        "kind": "text NotNull",
        "inner": "jsonb",
    }
    assert [str(field.where) for field in schema.fields[:2]] == ["base.py:3:5", "models.py:4:5"]


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        (
            "@dataclass\nclass Order",
            "from dataclasses import dataclass",
            {"a": "bigint NotNull", "b": "text"},
        ),
        ("class Order(NamedTuple)", "from typing import NamedTuple", {"a": "bigint NotNull", "b": "text"}),
    ],
)
def test_other_classes_of_records_are_read_too(name, head, expected):
    files = {"models.py": f"{head}\n{name}:\n    a: int\n    b: str = 'x'\n"}

    assert columns("models.py:Order", files) == expected


def test_a_typed_dict_says_what_may_be_missing():
    head = "from typing import NotRequired, Required, TypedDict\n"
    first = f"{head}class Order(TypedDict):\n    a: int\n    b: NotRequired[str]\n"
    second = f"{head}class Order(TypedDict, total=False):\n    a: int\n    b: Required[str]\n"

    assert columns("models.py:Order", {"models.py": first}) == {"a": "bigint NotNull", "b": "text"}
    assert columns("models.py:Order", {"models.py": second}) == {"a": "bigint", "b": "text NotNull"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            '@field_validator("a")\ndef check(cls, v): ...',
            (
                'models.py:13:6: "check" of table "orders" is not checked: validators are code, which the compiler '
                "never runs."
            ),
        ),
        (
            "a: Annotated[int, AfterValidator(abs)]",
            (
                'models.py:13:23: "AfterValidator" of table "orders" is not checked: validators are code, which the '
                "compiler never runs."
            ),
        ),
        (
            "a: int = Field(ge=LIMIT)",
            'models.py:13:23: "ge" of table "orders" is not checked: its value cannot be told from the text.',
        ),
        (
            "a: int = Field(multiple_of=5)",
            'models.py:13:32: "multiple_of" of table "orders" is not checked: a table has no rule like it.',
        ),
        (
            "a: list[int] = Field(ge=5)\nb: bool = Field(ge=1)",
            (
                'models.py:14:24: "ge" of column "b" of table "orders" is not checked: it means nothing for the type '
                "bool."
            ),
        ),
        (
            "a: Quaternion",
            (
                'models.py:13:8: "Quaternion" of table "orders" is not checked: the compiler does not know this type, '
                "so the column takes any JSON value."
            ),
        ),
        (
            "a: int | str",
            (
                'models.py:13:8: "int | str" of table "orders" is not checked: a column has one type, so this one '
                "takes any JSON value."
            ),
        ),
        (
            'model_config = ConfigDict(extra="forbid")',
            (
                'models.py:13:37: "extra="forbid"" of table "orders" is not checked: only "casting": "hard" refuses '
                "further columns."
            ),
        ),
        (
            "class Config:\n    alias_generator = to_camel",
            (
                'models.py:14:27: "alias_generator" of table "orders" is not checked: it is code, so columns are '
                "called as the fields are."
            ),
        ),
    ],
)
def test_what_a_class_says_and_no_table_checks_is_told(body, expected):
    schema, told = read("models.py:Order", model(body))

    assert schema is not None
    assert told == [f"warning[schema-keyword] {expected}"]


def test_a_base_outside_the_app_is_told():
    schema, told = read(
        "models.py:Order", {"models.py": "from company import Base\nclass Order(Base):\n    a: int\n"}
    )

    assert {field.name: short(field) for field in schema.fields} == {"a": "bigint NotNull"}
    assert told == [
        (
            'warning[schema-keyword] models.py:2:13: "Base" of table "orders" is not checked: class "company.Base" '
            "is not in the app, so what it has is not known."
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "class Order(Order): ...",
        "class A(B): ...\nclass B(A): ...\nOrder = A",
        "from models import Order",
        "from models import *\nOrder = Order",
        "import models\nOrder = models.Order",
        "X = Y\nY = X\nOrder = X",
        "from pydantic import BaseModel\nX = Y\nY = X | None\nX = Y\nclass Order(BaseModel):\n    a: X",
        "from pydantic import BaseModel\nclass Order(BaseModel):\n    a: '((('\n    b: ''\n    c: 'a.b.c[d]'",
        "from pydantic import BaseModel\nclass Order(BaseModel):\n    a: " + "list[" * 80 + "int" + "]" * 80,
        (
            "from typing import Optional, Union, Literal\nfrom pydantic import BaseModel, Field\n"
            "class Order(BaseModel):\n"
            "    a: Optional\n    b: Union\n    c: Literal\n    d: Literal[()]\n    e: Optional[()]\n"
            "    f: int = Field(1, 2, *x, **y)\n    g: int = Field(ge=None, pattern=3, le='a')\n    h: (lambda: 1)\n"
        ),
        "from pydantic import BaseModel\nclass Order(BaseModel):\n    a: '1if'\n    b: '3or'",
        "class Order(BaseModel",
        "\0",
    ],
)
def test_odd_modules_give_findings_and_never_an_exception(text):
    found, told = read("models.py:Order", {"models.py": text})

    assert found is not None or told


def test_a_class_that_is_nested_without_end_is_told():
    annotation = " | ".join(["int"] * 5000)
    text = f"from pydantic import BaseModel\nclass Order(BaseModel):\n    a: {annotation}\n"
    limit = sys.getrecursionlimit()

    found, told = read("models.py:Order", {"models.py": text})

    assert found is not None or told
    assert sys.getrecursionlimit() == limit


# --- CommonModel


WHERE = Location(file="schemas/order.yml")


def test_a_common_model_is_read():
    schema, told = schema_from_common_model(
        {
            "commonmodel": "0.3.0",
            "name": "Order",
            "unique_on": ["id"],
            "fields": {
                "id": "Text NotNull",
                "price": {"type": "Decimal(16,2)", "nullable": False, "description": "Each."},
                "at": "DateTime",
                "note": {"description": "Any."},
            },
            "field_roles": {"primary_identifier": "id"},
        },
        WHERE,
    )

    assert told == ()
    assert schema == TableSchema(
        name="Order",
        fields=(
            FieldSchema(name="id", type=TEXT, nullable=False),
            FieldSchema(name="price", type=ColumnType.NUMERIC, nullable=False, description="Each."),
            FieldSchema(name="at", type=ColumnType.TIMESTAMPTZ),
            FieldSchema(name="note", type=TEXT, description="Any."),
        ),
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"name": "Order"},
            (
                'error[schema-form] schemas/order.yml:1:1: the schema of table "Order" is no CommonModel: it has no '
                'object "fields".'
            ),
        ),
        (
            {"name": "Order", "fields": {"a": 3}},
            'error[unknown-type] schemas/order.yml:1:1: column "a" of table "Order" has no type that is a text.',
        ),
    ],
)
def test_what_is_wrong_with_a_common_model_is_told(data, expected):
    assert [render_diagnostic(one) for one in schema_from_common_model(data, WHERE)[1]] == [expected]


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from(["Text", "", "Int NotNull", "common.Email"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "fields", "type", "a"]) | st.integers(), inner, max_size=4
            )
        ),
        max_leaves=20,
    )
)
def test_any_data_gives_a_common_model_or_findings(data):
    schema, told = schema_from_common_model(data, WHERE)

    assert schema is not None or told
    assert all(one.code in {**CODES, **MANIFEST_CODES} for one in told)
