"""The one form of a schema, as a value and as plain data."""

import json

from hypothesis import given
from hypothesis import strategies as st

from patterns_os.diagnostics import Location
from patterns_os.rows.schema import FieldSchema, TableSchema, schema_from_data
from patterns_os.rows.types import ColumnType

JSON = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.builds(
    FieldSchema,
    name=st.text(min_size=1),
    type=st.sampled_from(ColumnType),
    nullable=st.booleans(),
    semantic=st.none() | st.just("common.Email"),
    description=st.none() | st.text(min_size=1),
    rules=st.dictionaries(st.sampled_from(["minimum", "maxLength", "enum"]), JSON, max_size=3),
    where=st.none() | st.just(Location(file="manifest.json", line=3)),
)
SCHEMAS = st.builds(
    TableSchema,
    fields=st.lists(FIELDS, unique_by=lambda field: field.name, max_size=5).map(tuple),
    name=st.none() | st.text(min_size=1),
    casting=st.sampled_from(["soft", "hard"]),
)


@given(SCHEMAS)
def test_plain_data_gives_an_equal_schema_back(schema):
    assert schema_from_data(json.loads(json.dumps(schema.to_data()))) == schema


def test_plain_data_says_nothing_that_is_so_by_itself():
    field = FieldSchema(name="a", type=ColumnType.TEXT)
    strict = FieldSchema(
        name="b",
        type=ColumnType.TEXT,
        nullable=False,
        semantic="common.Email",
        description="Whose.",
        rules={"format": "email"},
    )

    assert TableSchema(fields=(field,)).to_data() == {"fields": [{"name": "a", "type": "text"}]}
    assert TableSchema(fields=(strict,), name="Person", casting="hard").to_data() == {
        "name": "Person",
        "casting": "hard",
        "fields": [
            {
                "name": "b",
                "type": "text",
                "nullable": False,
                "semantic": "common.Email",
                "description": "Whose.",
                "rules": {"format": "email"},
            }
        ],
    }


def test_a_place_is_no_part_of_a_schema():
    here = FieldSchema(name="a", type=ColumnType.TEXT, where=Location(file="manifest.json", line=3))

    assert here == FieldSchema(name="a", type=ColumnType.TEXT)
    assert here.to_data() == {"name": "a", "type": "text"}
