"""What all spellings of a schema share: which rules a type can have, and how what is wrong is told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location, Severity, did_you_mean, quote
from patterns_os.rows.columns import can_name_column
from patterns_os.rows.rules import FORMATS, pattern_problem
from patterns_os.rows.semantic import RECORD_TYPES, SEMANTIC_TYPES, SemanticType
from patterns_os.rows.types import ColumnType

LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength")
UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength")
RULES: Final = frozenset({*LOWER_BOUNDS, *UPPER_BOUNDS, "pattern", "format", "enum"})
"""The words of JSON Schema that a column can have as rules."""


@dataclass(slots=True)
class SchemaFindings:
    """Collects what is wrong with the schema of one table."""

    table: str
    found: list[Diagnostic] = field(default_factory=list)

    def subject(self, column: str | None = None) -> str:
        """Give the column, or else the table, as messages name it."""
        table = f"table {quote(self.table)}"
        return table if column is None else f"column {quote(column)} of {table}"

    def not_checked(self, part: str, column: str | None, where: Location, reason: str) -> None:
        """Tell that a part of the schema is not carried out, and why."""
        message = f"{quote(part)} of {self.subject(column)} is not checked: {reason}."
        self.found.append(
            Diagnostic(code="schema-keyword", message=message, where=where, severity=Severity.WARNING)
        )

    def refuse_rule(self, rule: str, column: str, where: Location, reason: str) -> None:
        """Tell that no value can keep a rule, or that it means nothing."""
        message = f"{quote(rule)} of {self.subject(column)} cannot be kept: {reason}."
        self.found.append(Diagnostic(code="schema-rule", message=message, where=where))

    def unknown_type(self, column: str, written: str, word: str, where: Location) -> None:
        """Tell that a column has a type, the word among what is written, that does not exist."""
        self.found.append(
            Diagnostic(
                code="unknown-type",
                message=f"{self.subject(column)} has the unknown type {quote(written)}.",
                where=where,
                known=("known types", tuple(str(known) for known in ColumnType)),
                hint=suggest_type(word),
            )
        )

    def bad_column(self, column: str, where: Location) -> None:
        """Tell that a name cannot be that of a column."""
        message = f"{quote(column)} cannot name a column of {self.subject()}, {_COLUMN_NAMES}"
        self.found.append(Diagnostic(code="bad-name", message=message, where=where))

    def lost_column(self, column: str, where: Location) -> None:
        """Tell that the rows may have a key that no column can be called like."""
        self.not_checked(column, None, where, f"no column can have that name, {_COLUMN_NAMES}")

    def add(self, code: str, message: str, where: Location, hint: str | None = None) -> None:
        """Tell anything else that makes the schema wrong."""
        self.found.append(Diagnostic(code=code, message=message, where=where, hint=hint))


def is_column_name(name: str) -> bool:
    """Tell whether a declared column may have the name."""
    return can_name_column(name) and name.isprintable()


def suggest_type(written: str) -> str | None:
    """Give the hint with the type of a column that the author most likely means, or `None`."""
    known = (*SEMANTIC_TYPES, *RECORD_TYPES)
    return _suggest(written, known) or did_you_mean(written, known if "." in written else _WORDS)


def suggest_record(written: str) -> str | None:
    """Give the hint with the type of a row that the author most likely means, or `None`."""
    return _suggest(written, RECORD_TYPES) or did_you_mean(written, RECORD_TYPES)


def _suggest(written: str, known: Iterable[str]) -> str | None:
    """Look past the case and a prefix that is left out."""
    folded = written.lower()
    meant = (name for name in known if folded in {name.lower(), name.partition(".")[2].lower()})
    return next((f"did you mean {quote(name)}?" for name in meant), None)


def rule_faults(rules: Mapping[str, Any], kind: ColumnType) -> Iterator[tuple[str, str]]:
    """Give each rule that a column of the type cannot have, with the reason."""
    for rule, value in rules.items():
        reason = _fault(rule, value, kind)
        if reason is not None:
            yield rule, reason
    for lower, upper in (("minimum", "maximum"), ("minLength", "maxLength")):
        least, most = rules.get(lower), rules.get(upper)
        if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
            yield lower, f"it is more than {quote(upper)}, {most}"


def narrowed_rules(
    semantic: SemanticType, own: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Give the rules of a semantic type with those that a column adds, and what is wrong with these.

    A column can be narrower than its type, never wider.
    """
    rules = dict(semantic.rules)
    faults: list[tuple[str, str]] = []
    for rule, value in own.items():
        if rule not in rules or _is_narrower(rule, value, rules[rule]):
            rules[rule] = value
        elif value != rules[rule]:
            faults.append((rule, f"type {quote(semantic.name)} has {rules[rule]!r} already"))
    return rules, tuple(faults)


def _is_narrower(rule: str, value: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    if rule in LOWER_BOUNDS:
        return bool(value >= other)
    return rule in UPPER_BOUNDS and bool(value <= other)


def _fault(rule: str, value: Any, kind: ColumnType) -> str | None:  # noqa: ANN401 - any JSON value
    if rule == "enum":
        return _enum_fault(value, kind)
    if rule in _OF_TEXTS:
        return _text_fault(rule, value) if kind in _TEXTS else f"it means nothing for the type {kind}"
    if kind in _MOMENTS:
        return None if isinstance(value, str) else f"it is no text of the type {kind}"
    if kind not in _NUMBERS:
        return f"it means nothing for the type {kind}"
    return None if _is_number(value) else "it is not a number"


def _text_fault(rule: str, value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    if rule == "pattern":
        problem = pattern_problem(value) if isinstance(value, str) else "it is not a text"
        return f"it is no regular expression, {problem}" if problem else None
    if rule == "format":
        return None if isinstance(value, str) and value in FORMATS else "the format is not known"
    return None if _is_number(value) and value >= 0 and value == int(value) else "it is no length"


def _enum_fault(value: Any, kind: ColumnType) -> str | None:  # noqa: ANN401 - any JSON value
    if not isinstance(value, list | tuple) or not value:
        return "it is not a list with values"
    types = _JSON_TYPES.get(kind)
    wrong = [one for one in value if types is not None and type(one) not in types]
    return f"{wrong[0]!r} is not of the type {kind}" if wrong else None


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)


_COLUMN_NAMES: Final = (
    'expected 1 to 63 bytes without "%" and control characters that do not start with "patterns_"'
)
_WORDS: Final = (
    "integer",
    "float",
    "number",
    "string",
    "boolean",
    "datetime",
    "timestamp",
    "decimal",
    "json",
)
_OF_TEXTS: Final = frozenset({"minLength", "maxLength", "pattern", "format"})
# A jsonb column may hold texts and numbers among other things; rules say nothing about those.
_NUMBERS: Final = frozenset({ColumnType.BIGINT, ColumnType.DOUBLE, ColumnType.NUMERIC, ColumnType.JSONB})
_TEXTS: Final = frozenset({ColumnType.TEXT, ColumnType.JSONB})
_MOMENTS: Final = frozenset({ColumnType.DATE, ColumnType.TIMESTAMPTZ})
_JSON_TYPES: Final[Mapping[ColumnType, frozenset[type]]] = {
    ColumnType.BOOL: frozenset({bool}),
    ColumnType.BIGINT: frozenset({int}),
    ColumnType.DOUBLE: frozenset({int, float}),
    ColumnType.NUMERIC: frozenset({int, float}),
    ColumnType.TEXT: frozenset({str}),
    ColumnType.TIMESTAMPTZ: frozenset({str}),
    ColumnType.DATE: frozenset({str}),
}
