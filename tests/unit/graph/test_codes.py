import re
from pathlib import Path

import patterns_os.graph
from patterns_os.graph.codes import CODES
from patterns_os.manifest.codes import CODES as MANIFEST_CODES

FOLDER = Path(patterns_os.graph.__file__).parent


def test_each_code_in_the_package_is_listed_and_used():
    sources = "".join(path.read_text() for path in FOLDER.rglob("*.py") if path.name != "codes.py")
    places = r"(?:code(?:: str)? ?= ?|Rule\(\s*|findings\.add\(|_wrong\(flow, field, )"
    used = set(re.findall(places + '"([a-z-]+)"', sources))

    # Schemas have names like those that the manifest has; missing-extra is an error of usage.
    assert used - {"missing-extra", *MANIFEST_CODES} == set(CODES)


def test_codes_are_kebab_case_and_sentences_end():
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in CODES)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in CODES.values())
