"""The tables of `docs/types.md`, written from the library and the compiler themselves.

`python tests/docs/types_reference.py` (`make docs`) writes them into the page; a test compares.
"""

import re
from collections.abc import Callable
from pathlib import Path

from patterns_os.graph.contracts import Verdict, assignable
from patterns_os.rows.schema import FieldSchema
from patterns_os.rows.semantic import RECORD_TYPES, SEMANTIC_TYPES, SemanticType
from patterns_os.rows.types import ColumnType

PAGE = Path(__file__).parents[2] / "docs" / "types.md"
MARKED = re.compile(r"(<!-- written: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Give the page with its tables as they must be."""
    return MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def values() -> str:
    """Give the table of the types of values."""
    rows = [
        f"| `{kind.name}` | {_above(kind)} | {kind.description} | {_rules(kind)} |"
        for kind in SEMANTIC_TYPES.values()
    ]
    return "\n".join(["| type | a kind of | meaning | rules |", "|---|---|---|---|", *rows])


def records() -> str:
    """Give the table of the types of rows."""
    rows = [
        f"| `{record.name}` | {record.description} | {', '.join(_column(field) for field in record.fields)} |"
        for record in RECORD_TYPES.values()
    ]
    return "\n".join(["| type | meaning | columns |", "|---|---|---|", *rows])


def verdicts() -> str:
    """Give the table of what fits under soft and hard casting."""
    head = f"| written | {' | '.join(ColumnType)} |"
    rows = [
        f"| **{given}** | {' | '.join(_verdict(given, column) for column in ColumnType)} |"
        for given in ColumnType
    ]
    return "\n".join([head, f"|{'---|' * (len(ColumnType) + 1)}", *rows])


def _above(kind: SemanticType) -> str:
    return f"`{kind.of}`" if kind.of else f"{kind.base}"


def _rules(kind: SemanticType) -> str:
    own = {
        rule: value
        for rule, value in kind.rules.items()
        if kind.of is None or SEMANTIC_TYPES[kind.of].rules.get(rule) != value
    }
    shown = (f"`{rule}` " + ("" if rule == "pattern" else str(value)) for rule, value in own.items())
    return ", ".join(one.strip() for one in shown)


def _column(field: FieldSchema) -> str:
    meaning = (field.semantic or "").removeprefix("common.")
    return f"{field.name} {meaning}{'' if field.nullable else ' NotNull'}"


def _verdict(given: ColumnType, column: ColumnType) -> str:
    return " ".join(_SIGNS[assignable(given, column, casting)] for casting in ("soft", "hard"))


_SIGNS = {Verdict.COMPATIBLE: "✓", Verdict.UNKNOWN: "?", Verdict.INCOMPATIBLE: "✗"}
TABLES: dict[str, Callable[[], str]] = {"values": values, "records": records, "verdicts": verdicts}

if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), encoding="utf-8", newline="\n")
