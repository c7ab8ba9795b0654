"""Codes are stable names, each with a sentence for the documentation."""

import re

from patterns_os.manifest.codes import CODES


def test_codes_are_kebab_case_in_order_and_have_a_sentence():
    assert list(CODES) == sorted(CODES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in CODES.values())
