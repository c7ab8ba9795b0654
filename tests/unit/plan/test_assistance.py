"""What is offered, found and told at the cursor, which "|" marks."""

import json

import pytest

from patterns_os.graph.sources import Sources
from patterns_os.plan.assistance import completions, definitions, describe
from patterns_os.plan.compile import compile_app
from patterns_os.plan.mentions import mention_at

MANIFEST = """{
  "name": "shop",
  "scripts": [
    {"file": "clean.py", "inputs": {"raw": "orders"}, "outputs": {"out": "clean", "report.csv": "report.csv"},
     "parameters": {"limit": 3}},
    {"file": "total.sql", "outputs": ["totals"]}
  ],
  "stores": [
    {"table": "orders", "schema": {"id": "integer", "mail": "common.Email"}},
    {"table": "clean", "unique_on": ["id"]},
    {"file": "report.csv"}
  ],
  "parameters": [{"name": "city", "type": "str", "description": "Where."}],
  "models": [{"name": "base-llm", "type": "chat"}],
  "secrets": ["TOKEN"],
  "charts": [{"file": "bars.json", "table": "totals"}]
}
"""
CONFIGURATION = """{
  "runtimes": [{"name": "slim", "image": "python:3.12-slim"}],
  "storages": [{"name": "pg", "type": "database", "url": "postgresql://localhost/db"}],
  "models": [{"name": "base-llm", "provider": "echo"}],
  "rules": {"unused-store": "off"}
}
"""
CLEAN = """from patterns import File, Model, Parameter, Secret, Table

out = Table("out", "w")
limit = Parameter("limit", type=int)
city = Parameter("city")
llm = Model("base-llm")
token = Secret("TOKEN")
report = File("report.csv", "w")
for row in Table("raw").as_stream():
    out.append({"id": row["id"], "mail": row["mail"]})
"""
TOTAL = 'select c.id from {{ Table("clean") }} as c\n'
FILES = {
    "manifest.json": MANIFEST,
    "patterns.json": CONFIGURATION,
    "clean.py": CLEAN,
    "total.sql": TOTAL,
    "bars.json": "{}",
}
COMPILED = compile_app(Sources({name: text.encode() for name, text in FILES.items()}))


def ask(file, before, after):
    text = FILES[file]
    assert before in text
    marked = text.replace(before, after, 1)
    return marked.replace("|", "", 1), marked.index("|")


def labels(file, before, after):
    text, offset = ask(file, before, after)
    return [offer.label for offer in completions(COMPILED, file, mention_at(file, text, offset))]


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        ("clean.py", '"raw"', '"|"', ["clean", "orders", "out", "raw", "totals"]),
        ("clean.py", '"report.csv"', '"|"', ["report.csv"]),
        ("clean.py", '"limit"', '"|"', ["city", "limit"]),
        ("clean.py", '"base-llm"', '"|"', ["base-llm"]),
        ("clean.py", '"TOKEN"', '"|"', ["TOKEN"]),
        ("clean.py", 'row["id"]', 'row["|"]', ["id", "mail"]),
        ("total.sql", '"clean"', '"|"', ["clean", "orders", "totals"]),
        ("total.sql", "c.id", "c.|", ["id", "mail"]),
        ("manifest.json", '"clean.py"', '"|"', ["clean.py", "total.sql"]),
        ("manifest.json", '"bars.json"', '"|"', ["bars.json"]),
        ("manifest.json", '["totals"]', '["|"]', ["clean", "orders", "report.csv", "totals"]),
        ("manifest.json", '{"limit"', '{"|"', ["city", "limit"]),
        ("manifest.json", '"unique_on": ["id"]', '"unique_on": ["|"]', ["id", "mail"]),
        (
            "manifest.json",
            '"type": "str"',
            '"type": "|"',
            ["bool", "date", "datetime", "float", "int", "list", "str"],
        ),
        ("patterns.json", '"off"', '"|"', ["error", "off", "warning"]),
        ("patterns.json", '"name": "slim"', '"name": "|"', ["slim"]),
        ("patterns.json", '"name": "pg"', '"name": "|"', ["pg"]),
    ],
)
def test_what_could_stand_there_is_offered(file, before, after, expected):
    assert labels(file, before, after) == expected


def test_types_of_columns_and_of_rows_are_offered_where_each_can_stand():
    assert {"bigint", "common.Email"} <= set(labels("manifest.json", '"integer"', '"|"'))
    row = '{"id": "integer", "mail": "common.Email"}'
    assert {"common.Order", "bars.json"} <= set(labels("manifest.json", row, '"|"'))
    assert "bigint" not in labels("manifest.json", row, '"|"')


def test_keys_and_codes_are_offered_with_what_they_mean():
    text, offset = ask("manifest.json", '{"file": "clean.py"', '{"|": "clean.py"')
    offers = {
        offer.label: offer
        for offer in completions(COMPILED, "manifest.json", mention_at("manifest.json", text, offset))
    }
    assert offers["retries"].description == "How often a record is tried again. Default: 3."
    assert "unused-store" in labels("patterns.json", '"unused-store"', '"|"')


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        ("clean.py", '"raw"', '"ra|w"', [("manifest.json", 9)]),
        ("clean.py", '"limit"', '"li|mit"', [("manifest.json", 5)]),
        ("clean.py", '"city"', '"ci|ty"', [("manifest.json", 13)]),
        ("clean.py", '"base-llm"', '"base|-llm"', [("manifest.json", 14), ("patterns.json", 4)]),
        ("clean.py", '"TOKEN"', '"TO|KEN"', [("manifest.json", 15)]),
        ("clean.py", 'row["mail"]', 'row["ma|il"]', [("manifest.json", 9)]),
        ("clean.py", '"report.csv"', '"rep|ort.csv"', [("manifest.json", 11)]),
        ("clean.py", "import", "imp|ort", []),
        ("total.sql", '"clean"', '"cl|ean"', [("manifest.json", 10)]),
        ("total.sql", "c.id", "c.i|d", [("clean.py", 10)]),
        ("manifest.json", '"clean.py"', '"cl|ean.py"', [("clean.py", 1)]),
        ("manifest.json", '"bars.json"', '"ba|rs.json"', [("bars.json", 1)]),
        ("manifest.json", '"limit"', '"li|mit"', [("clean.py", 4)]),
        ("manifest.json", '"city"', '"ci|ty"', [("clean.py", 5)]),
        ("manifest.json", '"TOKEN"', '"TO|KEN"', [("clean.py", 7)]),
        (
            "manifest.json",
            '"name": "base-llm"',
            '"name": "ba|se-llm"',
            [("clean.py", 6), ("patterns.json", 4)],
        ),
        ("patterns.json", '"base-llm"', '"ba|se-llm"', [("clean.py", 6), ("manifest.json", 14)]),
    ],
)
def test_the_place_where_a_name_is_made_is_found(file, before, after, expected):
    text, offset = ask(file, before, after)

    places = definitions(COMPILED, file, text, offset)

    assert [(place.file, place.line) for place in places] == expected


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        (
            "clean.py",
            '"raw"',
            '"ra|w"',
            (
                "**orders** table\n\nstreamed by clean\n\n"
                "| column | type |\n|---|---|\n| id | bigint |\n| mail | common.Email |"
            ),
        ),
        ("clean.py", '"city"', '"ci|ty"', "**city** str\n\nWhere."),
        ("clean.py", '"limit"', '"li|mit"', "**limit** = 3"),
        ("clean.py", '"report.csv"', '"rep|ort.csv"', "**report.csv** written by clean"),
        (
            "manifest.json",
            '"unique_on"',
            '"uni|que_on"',
            "**unique_on**\n\nColumns that tell rows apart in an upsert.",
        ),
        ("patterns.json", '"slim"', '"sl|im"', "**slim** python:3.12-slim"),
    ],
)
def test_what_a_name_means_is_told(file, before, after, expected):
    text, offset = ask(file, before, after)

    assert describe(COMPILED, file, text, offset) == expected


def test_of_a_name_that_the_app_does_not_know_nothing_is_told():
    assert describe(COMPILED, "clean.py", 'Table("lost")', 8) is None
    assert definitions(COMPILED, "clean.py", 'Table("lost")', 8) == ()


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"scripts": 3}', '{"name": "a", "scripts": [{}]}'])
def test_an_app_that_is_not_understood_offers_what_it_can(manifest):
    compiled = compile_app(Sources({"manifest.json": manifest.encode(), "a.py": b""}))

    for file, text in (
        ("a.py", 'Table("'),
        ("manifest.json", json.dumps({"scripts": [{"parameters": {"a": 1}}]})),
    ):
        for offset in range(len(text) + 1):
            mention = mention_at(file, text, offset)
            assert mention is None or completions(compiled, file, mention) is not None
            definitions(compiled, file, text, offset)
            describe(compiled, file, text, offset)
