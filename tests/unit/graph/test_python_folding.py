import ast

import pytest

from patterns_os.graph.python_folding import (
    MOST_CHARACTERS,
    fold_binary,
    fold_compare,
    fold_format,
    fold_join,
    fold_method,
    fold_percent,
)
from patterns_os.graph.python_values import Known


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        (ast.Add, "a", "b", Known("ab")),
        (ast.Add, 1, 2, Known(3)),
        (ast.Mult, "ab", 2, Known("abab")),
        (ast.Mod, "t_%03d", 7, Known("t_007")),
        (ast.Div, 1, 0, None),
        (ast.Add, "a", 1, None),
        (ast.Mult, "a", 10**9, None),
        (ast.Mult, 10**30, 10**30, None),
        (ast.Pow, 9, 9, None),
    ],
)
def test_operators_of_constants(kind, left, right, expected):
    assert fold_binary(kind, left, right) == expected


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        (ast.Eq, 1, 1, True),
        (ast.NotEq, "a", "b", True),
        (ast.Lt, 1, 2, True),
        (ast.Lt, 1, "a", None),
        (ast.In, 1, 2, None),
    ],
)
def test_comparisons_of_constants(kind, left, right, expected):
    assert fold_compare(kind, left, right) is expected


def test_texts_that_would_be_huge_are_not_made():
    assert fold_percent("%999999999d", (1,)) is None
    assert fold_percent("%*d", (10**9, 1)) is None
    assert fold_format("a", -1, ">999999999") is None
    assert fold_method("{:>999999999}", "format", ("a",), {}) is None
    assert fold_method("{:>{}}", "format", ("a", 10**9), {}) is None
    assert fold_method("a", "zfill", (10**9,), {}) is None
    assert fold_method("a" * 5000, "replace", ("a", "b" * 4000), {}) is None
    assert fold_join("a" * MOST_CHARACTERS, ("b", "c")) is None
    assert fold_format(10**5000, -1, "") is None


def test_what_python_refuses_gives_nothing():
    assert fold_percent("%d", ("a",)) is None
    assert fold_method("{}", "format", (), {}) is None
    assert fold_format("a", -1, "d") is None
    assert fold_join(",", ("a", 1)) is None
