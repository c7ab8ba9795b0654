"""The codes of what can be wrong with what a manifest means, with one sentence for each.

Codes are stable: scripts and editors filter by them, the documentation lists them.
"""

from typing import Final

CODES: Final[dict[str, str]] = {
    "cycle": "Tables trigger their own writers in a circle, so that no run would be the last.",
    "insert-repeats": "Each run of a SQL script inserts all rows of its inputs again.",
    "language-not-supported": "A script is written in a language that this version does not run.",
    "mixed-storages": "The tables of one SQL script are in different storages.",
    "missing-file": "A script of the manifest is not in the app folder.",
    "missing-parameter": "A script asks for a parameter that has neither a value nor a default.",
    "no-text-model": "A script imports openai, and no text model answers for it.",
    "output-not-written": "A script declares an output that it never writes.",
    "output-unknown": "A select has no table to fill.",
    "parameter-type": "A value of a parameter is not of its type.",
    "script-encoding": "A script is not UTF-8 or holds a NUL character.",
    "script-syntax": "A Python script does not parse.",
    "script-too-deep": "A script is nested too deeply to be analysed.",
    "self-trigger": "A node streams a table that it writes, and would trigger itself for ever.",
    "sql-statement": "A SQL script holds a statement that a node cannot be.",
    "sql-syntax": "A SQL script does not parse.",
    "sql-template": "The template part of a SQL script cannot be rendered.",
    "table-mode": "A table is opened in a mode that does not exist or does not fit its use.",
    "two-replacers": "Two selects replace the same table, and each would undo the other.",
    "undeclared-table": "A script that declares its inputs or outputs uses a table that is not among them.",
    "unknown-model": "A script asks for a model that neither file knows.",
    "unknown-parameter": "The manifest gives a parameter that the script never asks for.",
    "unknown-runtime": "A script names a runtime that patterns.json does not have.",
    "unknown-storage": "A store names a storage that patterns.json does not have.",
    "unknown-table": "A script reads a table that nothing declares and nothing writes.",
    "unknown-type": "A column of a table has a type that does not exist.",
    "wrong-name": "A script uses a table or file name that cannot be one.",
}
