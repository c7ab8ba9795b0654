import re
from pathlib import Path

import patterns_os.graph
from patterns_os.graph.codes import CODES

FOLDER = Path(patterns_os.graph.__file__).parent


def test_each_code_in_the_package_is_listed_and_used():
    sources = "".join(path.read_text() for path in FOLDER.rglob("*.py") if path.name != "codes.py")
    used = set(re.findall(r'(?:code(?:: str)? ?= ?|Rule\(\s*)"([a-z-]+)"', sources))

    assert used - {"missing-extra"} == set(CODES), "missing-extra is an error of usage"


def test_codes_are_kebab_case_and_sentences_end():
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in CODES)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in CODES.values())
