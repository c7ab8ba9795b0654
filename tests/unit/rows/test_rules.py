import datetime as dt
import time
from decimal import Decimal

import pytest

from patterns_os.rows.rules import compile_rules, holds_all, pattern_problem
from patterns_os.rows.semantic import SEMANTIC_TYPES
from patterns_os.rows.types import ColumnType as C

NOON = dt.datetime(2024, 5, 6, 12, tzinfo=dt.UTC)
NAN = float("nan")

# column, rules, values that keep them, values that do not, the rule in words
CASES = [
    (C.BIGINT, {"minimum": 2}, [2, 3], [1], "at least 2"),
    (C.BIGINT, {"maximum": 2.5}, [2], [3], "at most 2.5"),
    (C.DOUBLE, {"exclusiveMinimum": 0}, [0.1], [0.0, -1.0, NAN], "more than 0"),
    (C.DOUBLE, {"exclusiveMaximum": 1}, [0.9], [1.0, NAN], "less than 1"),
    (C.NUMERIC, {"minimum": 0.1}, [Decimal("0.1")], [Decimal("0.09"), Decimal("NaN")], "at least 0.1"),
    (
        C.DATE,
        {"minimum": "2024-01-01"},
        [dt.date(2024, 1, 1)],
        [dt.date(2023, 1, 1)],
        'at least "2024-01-01"',
    ),
    (C.TIMESTAMPTZ, {"maximum": "2024-05-06T12:00:00Z"}, [NOON], [NOON + dt.timedelta(seconds=1)], None),
    (C.TEXT, {"minLength": 2}, ["äö"], ["ä"], "2 characters or more"),
    (C.TEXT, {"maxLength": 1}, ["ä", ""], ["äö"], "at most 1 character"),
    (C.TEXT, {"pattern": "b"}, ["abc"], ["ac", "\n"], 'a match of "b"'),
    (C.TEXT, {"pattern": "^b$"}, ["b"], ["ab", "b\n"], 'a match of "^b$"'),
    (C.TEXT, {"pattern": r"^(?:b)(?![\s\S])"}, ["b"], ["ab", "b\n"], None),
    (C.TEXT, {"enum": ["a", "b"]}, ["a", "b"], ["c"], 'one of "a", "b"'),
    (C.TEXT, {"enum": ["a"]}, ["a"], ["b"], '"a"'),
    (C.TEXT, {"enum": [*"abcdefg"]}, ["g"], ["h"], 'one of "a", "b", "c", "d", "e" or 2 others'),
    (C.NUMERIC, {"enum": [0.1, 2]}, [Decimal("0.1"), Decimal("2.0")], [Decimal(3)], "one of 0.1, 2"),
    (C.BIGINT, {"enum": [1, True]}, [1], [0], "one of 1, true"),
    (C.TIMESTAMPTZ, {"enum": ["2024-05-06T14:00:00+02:00"]}, [NOON], [NOON.replace(hour=1)], None),
    (C.JSONB, {"enum": [1, [2]]}, [1, [2]], [True, [3]], "one of 1, [2]"),
    (C.JSONB, {"minimum": 3}, [3, "text", [1], True], [2, Decimal(1)], "at least 3"),
    (C.JSONB, {"minLength": 1}, ["a", 1], [""], "1 character or more"),
    (
        C.TEXT,
        {"format": "date-time"},
        ["2024-05-06T07:08:09Z"],
        ["2024-05-06T07:08:09", "x"],
        "a date and time with an offset (2024-12-31T23:59:59Z)",
    ),
    (C.TEXT, {"format": "date"}, ["2024-05-06"], ["2024-5-6"], "a date (2024-12-31)"),
    (
        C.TEXT,
        {"format": "email"},
        ["a.b+c@example.co.uk", "ä@exämple.com"],
        ["a", "@b.c", "a@b", "a b@c.d", "a@-b.c", "a@b..c", "a@b.c\n", "x" * 65 + "@b.c"],
        "an e-mail address",
    ),
    (
        C.TEXT,
        {"format": "uri"},
        ["https://example.com/a?b#c", "mailto:a@b.c", "urn:x"],
        ["example.com", "https:", "a b:c", "http://[x"],
        "an address with a scheme (https://example.com)",
    ),
    (
        C.TEXT,
        {"format": "uuid"},
        ["123E4567-e89b-12d3-a456-426614174000"],
        ["123E4567e89b12d3a456426614174000", "x"],
        "a UUID",
    ),
    (C.TEXT, {"format": "ipv4"}, ["127.0.0.1"], ["127.1", "::1"], "an IPv4 address"),
    (C.TEXT, {"format": "ipv6"}, ["::1"], ["127.0.0.1"], "an IPv6 address"),
]


@pytest.mark.parametrize(("column", "rules", "kept", "broken", "words"), CASES)
def test_a_rule_holds_or_not_and_has_words(column, rules, kept, broken, words):
    (rule,) = compile_rules(column, rules)

    assert [value for value in kept if not rule.holds(value)] == []
    assert [value for value in broken if rule.holds(value)] == []
    assert words is None or rule.expected == words


@pytest.mark.parametrize(
    ("column", "rules"),
    [
        (C.TEXT, {"minimum": 3}),
        (C.BIGINT, {"minimum": "a"}),
        (C.DATE, {"minimum": 3}),
        (C.DATE, {"minimum": "some day"}),
        (C.TEXT, {"format": "colour"}),
        (C.TEXT, {"title": "a"}),
        (C.BOOL, {}),
    ],
)
def test_a_rule_that_means_nothing_here_is_none(column, rules):
    assert compile_rules(column, rules) == ()


def test_all_rules_are_one_question():
    holds = holds_all(compile_rules(C.BIGINT, {"minimum": 1, "maximum": 3}))

    assert holds is not None
    assert [value for value in range(5) if holds(value)] == [1, 2, 3]
    assert holds_all(()) is None


def test_no_pattern_hangs():
    (rule,) = compile_rules(C.TEXT, {"pattern": "^(a+)+$"})
    began = time.perf_counter()

    assert not rule.holds("a" * 100_000 + "b")
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("a", None),
        (r"^\p{L}+$", None),
        ("(", "error: unclosed group"),
        ("(?=a)b", "error: look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "error: backreferences are not supported"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_told(pattern, problem):
    assert pattern_problem(pattern) == problem


def test_every_semantic_type_can_be_checked():
    for semantic in SEMANTIC_TYPES.values():
        assert len(compile_rules(semantic.base, semantic.rules)) == len(semantic.rules), semantic.name
