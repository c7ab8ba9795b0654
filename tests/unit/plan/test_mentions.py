"""Which name stands at the cursor, in texts as people type them; "|" marks the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.plan.mentions import CODE, mention_at

PIECES = [*"\"'`{}[]():,.\\\n\r\t aT1é😀\ud800", "Table(", "from ", "row.", "{{ ", '"scripts": ']


def at_cursor(file, marked):
    offset = marked.index("|")
    return mention_at(file, marked[:offset] + marked[offset + 1 :], offset)


@pytest.mark.parametrize(
    ("file", "marked", "kind", "name", "prefix"),
    [
        ("a.py", 'Table("ord|ers")', "table", "orders", "ord"),
        ("a.py", "Table('|", "table", "", ""),
        ("a.py", "Table('orders|')", "table", "orders", "orders"),
        ("a.py", 'p.Table(\n    "or|ders", "w")', "table", "orders", "or"),
        ("a.py", 'Table(name="or|")', "table", "or", "or"),
        ("a.py", 'File("re|port.csv", "w")', "file", "report.csv", "re"),
        ("a.py", 'Model("base-|llm")', "model", "base-llm", "base-"),
        ("a.py", 'Parameter("|", type=int)', "parameter", "", ""),
        ("a.py", 'Secret("TO|KEN")', "secret", "TOKEN", "TO"),
        ("a.py", 'os.environ["TO|', "secret", "TO", "TO"),
        ("a.py", 'os.getenv("TO|', "secret", "TO", "TO"),
        ("a.py", 'row["am|ount"]', "column", "amount", "am"),
        ("a.py", 'row.get("am|")', "column", "am", "am"),
        ("a.py", 'rows[0]["am|', "column", "am", "am"),
        ("a.py", 'print("é😀", row["am|"])', "column", "am", "am"),
        ("a.ts", 'new Table<Order>("or|ders")', "table", "orders", "or"),
        ("a.js", "new Table(`or|ders`)", "table", "orders", "or"),
        ("a.js", 'process.env["TO|"]', "secret", "TO", "TO"),
        ("a.js", "for await (const row of rows) { f(row.am|ount) }", "column", "amount", "am"),
        ("a.sql", '{{ Table("or|ders") }}', "table", "orders", "or"),
        ("a.sql", "select * from or|ders", "table", "orders", "or"),
        ("a.sql", "select * from\n  |", "table", "", ""),
        ("a.sql", 'select * from "or|ders"', "table", "orders", "or"),
        ("a.sql", "insert into or|ders", "table", "orders", "or"),
        ("a.sql", "select am|ount", "column", "amount", "am"),
        ("a.sql", "select |", "column", "", ""),
        ("manifest.json", '{"scripts": [{"fi|le": "a.py"}]}', "key", "file", "fi"),
        ("manifest.json", '{"scripts": [{"fi|', "key", "fi", "fi"),
        ("manifest.json", '{"scripts": [{"file": "a.|py"}]}', "script", "a.py", "a."),
        ("manifest.json", '{"scripts": [{"file": "a.|', "script", "a.", "a."),
        ("manifest.json", '{"scripts": [{"inputs": ["|"]}]}', "store", "", ""),
        ("manifest.json", '{"scripts": [{"inputs": {"a": "or|"}}]}', "store", "or", "or"),
        ("manifest.json", '{"scripts": [{"inputs": {"a": {"table": "or|"}}}]}', "store", "or", "or"),
        ("manifest.json", '{"scripts": [{"inputs": {"a": {"access": "|"}}}]}', "value", "", ""),
        ("manifest.json", '{"scripts": [{"runtime": "s|"}]}', "runtime", "s", "s"),
        ("manifest.json", '{"scripts": [{"parameters": {"li|": 1}}]}', "parameter", "li", "li"),
        ("manifest.json", '{"stores": [{"table": "t", "schema": {"a": "com|"}}]}', "type", "com", "com"),
        ("manifest.json", '{"webhooks": [{"verify": {"secret": "|"}}]}', "secret", "", ""),
        ("sub/manifest.json", '{"charts": [{"file": "|"}]}', "drawing", "", ""),
        ("patterns.json", '{"rules": {"|": "off"}}', "code", "", ""),
        ("patterns.json", '{"models": [{"secret": "K|"}]}', "secret", "K", "K"),
    ],
)
def test_a_name_is_found_by_what_stands_around_it(file, marked, kind, name, prefix):
    found = at_cursor(file, marked)

    assert (found.kind, found.name, found.prefix) == (kind, name, prefix)


@pytest.mark.parametrize(
    ("marked", "owner"),
    [
        ('select o.|id from {{ Table("orders") }} as o', "orders"),
        ('select o.|id from {{ Table("orders", "r") }} o', "orders"),
        ("select o.|id from orders o", "orders"),
        ("select orders.|id from orders", "orders"),
        ('select "o"."|id" from orders o', "orders"),
        ("with c as (select 1) select c.| from c", "c"),
        ("select i|d from orders", ""),
    ],
)
def test_a_column_of_sql_knows_what_it_is_asked_of(marked, owner):
    assert at_cursor("a.sql", marked).owner == owner


def test_a_key_column_knows_its_table():
    assert at_cursor("manifest.json", '{"stores": [{"table": "t", "unique_on": ["|"]}]}').owner == "t"


@pytest.mark.parametrize(
    ("file", "marked"),
    [
        ("a.py", "ta|ble"),
        ("a.py", 'print("or|ders")'),
        ("a.py", 'Table("orders")|'),
        ("a.py", '|Table("orders")'),
        ("a.js", "Math.ro|und(1)"),
        ("manifest.json", '{"retries": 3|}'),
        ("manifest.json", '|"name"'),
        ("notes.md", 'Table("or|ders")'),
        ("graph.yml", "table: or|ders"),
    ],
)
def test_elsewhere_there_is_none(file, marked):
    assert at_cursor(file, marked) is None


@given(
    st.sampled_from([*sorted(CODE), ".json"]),
    st.lists(st.sampled_from(PIECES)).map("".join),
    st.integers(-1, 60),
)
def test_any_text_has_a_name_around_the_cursor_or_none(ending, text, offset):
    found = mention_at(f"manifest{ending}", text, offset)

    if found is not None:
        assert 0 <= found.start <= found.end <= len(text)
        assert found.name.startswith(found.prefix)
        assert found.start + len(found.prefix) == min(max(offset, 0), len(text))
