"""The codes of what can be wrong in `manifest.json` and `patterns.json`, with one sentence for each.

Codes are stable: scripts and editors filter by them, the documentation lists them.
"""

from typing import Final

CODES: Final[dict[str, str]] = {
    "bad-name": "A name of an app, node, table or column has characters that such names can't have.",
    "bad-path": "A file name leaves the app folder or has parts that don't work on every operating system.",
    "bad-variable": "A `${NAME}` in patterns.json is not closed or does not hold a plain name.",
    "duplicate-key": "One JSON object has the same key twice.",
    "duplicate-name": "Two things of one kind have the same name, and names are how they are found.",
    "empty-document": "The file holds nothing but blanks and comments.",
    "invalid-encoding": "The file is not UTF-8.",
    "invalid-text": "A text has an escape or a character that JSON or Postgres refuses.",
    "literal-secret": "A key takes the name of a secret and holds what can only be the secret itself.",
    "missing-key": "An object lacks a key that it needs.",
    "not-yet": "The key or value has a meaning that this version does not carry out.",
    "number-out-of-range": "A number is larger than 64 bits or a double can hold.",
    "syntax-error": "The file is not JSON, trailing commas and comments allowed.",
    "too-deep": "Brackets are nested more than 100 levels deep.",
    "unknown-key": "An object has a key that means nothing there.",
    "unknown-variable": "A `${NAME}` in patterns.json is neither in the environment nor a secret.",
    "wrong-type": "A value is of another kind than its key takes.",
    "wrong-value": "A value is of the right kind, but not one that its key takes.",
}
