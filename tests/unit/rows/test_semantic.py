"""The library of semantic types: what belongs to each, and what does not."""

import pytest

from patterns_os.rows.rules import compile_rules
from patterns_os.rows.semantic import (
    RECORD_TYPES,
    SEMANTIC_TYPES,
    find_record,
    find_type,
    is_kind_of,
    semantic_field,
)
from patterns_os.rows.types import ColumnType


def holds(name, value):
    found = SEMANTIC_TYPES[name]
    return all(rule.holds(value) for rule in compile_rules(found.base, found.rules))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("Identifier", ["x", " "], [""]),
        ("Email", ["a@example.com", "jan.de+vries@mail.example.nl"], ["a", "a@", "@b.nl", "a b@c.nl", "a@b.nl\n"]),
        ("Uri", ["mailto:a@b.nl", "urn:isbn:1", "https://a.nl/b"], ["a.nl", "", "http://a b"]),
        ("Url", ["https://a.nl", "HTTP://a.nl/b?c=d"], ["ftp://a.nl", "mailto:a@b.nl", "a.nl", "https://"]),
        ("ImageUrl", ["https://a.nl/b.png"], ["b.png"]),
        ("PhoneNumber", ["+31 20 123 4567", "020-1234567", "(020) 123-4567", "tel:+31-20-1234567"], ["a", "+"]),
        ("Uuid", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], ["6ba7b8109dad11d180b400c04fd430c8", "x"]),
        ("Slug", ["my-first-post", "a_b"], ["My post", "-a", "a-", "a\n"]),
        ("Username", ["jan"], ["jan de", ""]),
        ("Title", ["A title"], ["a\nb", ""]),
        ("PersonName", ["Zoë de Vries"], ["", "a\nb"]),
        ("HostName", ["a", "www.example.com", "a-b.nl."], ["-a", "a..b", "a b", "a_b"]),
        ("IpAddress", ["127.0.0.1", "255.255.255.255", "::1", "2001:db8::8a2e:370:7334"], ["256.1.1.1", "1.2.3", "a"]),
        ("Country", ["NL"], ["nl", "NLD", "N"]),
        ("Currency", ["EUR"], ["eur", "EURO", "€"]),
        ("Language", ["en", "pt-BR", "zh-Hant-TW"], ["english", "e", "en-"]),
        ("Timezone", ["UTC", "Europe/Amsterdam", "America/Argentina/Buenos_Aires", "Etc/GMT+5"], ["", "Europe/", "+1"]),
        ("PostalCode", ["1012 AB", "90210", "SW1A 1AA"], ["", "x" * 20]),
        ("MimeType", ["image/png", "text/html; charset=utf-8"], ["png", "/", "a/"]),
        ("Colour", ["#fff", "#ff8800", "#ff880080"], ["fff", "#ff", "#fffff", "red"]),
        ("Count", [0, 5], [-1]),
        ("Bytes", [0], [-1]),
        ("Percentage", [0, 12.5, 100], [-0.1, 100.1]),
        ("Probability", [0, 1], [1.1]),
        ("Latitude", [-90, 52.37], [90.1]),
        ("Longitude", [-180, 180], [180.1]),
        ("Seconds", [0, 1.5], [-1]),
        ("Year", [2024, -44], [10000]),
    ],
)  # fmt: skip
def test_a_type_takes_its_values_and_no_others(name, good, bad):
    name = f"common.{name}"

    assert [value for value in good if not holds(name, value)] == []
    assert [value for value in bad if holds(name, value)] == []


@pytest.mark.parametrize("name", SEMANTIC_TYPES)
def test_a_type_keeps_the_column_type_and_the_rules_of_those_above(name):
    found = SEMANTIC_TYPES[name]

    assert found.name == name
    assert found.description.endswith(".")
    if found.of is not None:
        above = SEMANTIC_TYPES[found.of]
        assert found.base is above.base
        assert above.rules.keys() <= found.rules.keys()


def test_each_column_type_has_exactly_one_root():
    roots = [found.base for found in SEMANTIC_TYPES.values() if found.of is None]

    assert sorted(roots) == sorted(ColumnType)


def test_kinds_are_told_along_the_whole_way():
    assert is_kind_of("common.ImageUrl", "common.ImageUrl")
    assert is_kind_of("common.ImageUrl", "common.Url")
    assert is_kind_of("common.ImageUrl", "common.Text")
    assert not is_kind_of("common.Url", "common.ImageUrl")
    assert not is_kind_of("common.Email", "common.Url")
    assert is_kind_of("common.Person", "common.Person")
    assert not is_kind_of("common.Nothing", "common.Nothing")


def test_no_name_is_of_a_value_and_of_a_row():
    assert set(SEMANTIC_TYPES) & set(RECORD_TYPES) == set()
    assert find_type("common.Order") is None
    assert find_record("common.Email") is None


@pytest.mark.parametrize("name", RECORD_TYPES)
def test_a_row_has_columns_of_semantic_types_the_first_of_which_is_never_null(name):
    record = RECORD_TYPES[name]
    names = [field.name for field in record.fields]

    assert len(set(names)) == len(names)
    assert not record.fields[0].nullable
    for field in record.fields:
        semantic = SEMANTIC_TYPES[field.semantic]
        assert field == semantic_field(field.name, semantic, nullable=field.nullable)
