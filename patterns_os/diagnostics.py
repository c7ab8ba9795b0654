"""What the compiler found: values with a stable code, a place, what was expected and known, and one hint.

A diagnostic is data first and text second: rules return diagnostics, the command line, the JSON output and
editors render them. Nothing here raises, prints or reads files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is: an error stops the compile, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Packed:
    """Base of frozen dataclasses with slots that are pickled by the thousand.

    The standard way asks for the fields of the class again for each object, which takes ten times as long.
    """

    __slots__: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Give the class and the values in the order of the fields."""
        return _unpacked, (type(self), tuple([getattr(self, name) for name in self.__slots__]))


def _unpacked(kind: type[Packed], values: tuple[object, ...]) -> Packed:
    made = object.__new__(kind)
    for name, value in zip(kind.__slots__, values, strict=False):
        object.__setattr__(made, name, value)
    return made


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Location(Packed):
    """A place in a file of the app.

    Attributes:
        file: Path relative to the app folder, with forward slashes.
        line: Line, from 1.
        column: Column in characters, from 1.
        pointer: JSON pointer into the document, empty where the file is not JSON.
    """

    file: str
    line: int = 1
    column: int = 1
    pointer: str = ""

    def __str__(self) -> str:
        """Give `file:line:column pointer`, the pointer only where there is one."""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place} {self.pointer}" if self.pointer else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic(Packed):
    """One finding.

    Attributes:
        code: Stable, kebab-case, documented.
        message: What happened and what was expected, present tense, names in double quotes.
        where: The place; `None` only where the finding is about the app as a whole.
        known: Label and names that would have been right (`("known tables", ("orders", …))`), or `None`.
        hint: One thing to do, or `None`.
        severity: Error unless said otherwise.
    """

    code: str
    message: str
    where: Location | None = None
    known: tuple[str, tuple[str, ...]] | None = None
    hint: str | None = None
    severity: Severity = Severity.ERROR

    def to_json(self) -> dict[str, Any]:
        """Give the finding as plain data; absent parts are `None`."""
        where = self.where
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "file": where.file if where else None,
            "line": where.line if where else None,
            "column": where.column if where else None,
            "pointer": where.pointer if where else None,
            "known": list(self.known[1]) if self.known else None,
            "hint": self.hint,
        }


def render_diagnostic(diagnostic: Diagnostic) -> str:
    """Give the finding as text: one line, then indented lines for known names and the hint."""
    place = f" {diagnostic.where}:" if diagnostic.where else ""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]{place} {diagnostic.message}"]
    if diagnostic.known is not None:
        label, names = diagnostic.known
        lines.append(f"  {label}: {', '.join(quote(name) for name in names) if names else 'none'}")
    if diagnostic.hint:
        lines.append(f"  hint: {diagnostic.hint}")
    return "\n".join(lines)


def sort_diagnostics(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Give the findings once each, ordered by file, line, column, code and message."""
    return tuple(
        sorted(
            set(diagnostics),
            key=lambda found: (
                found.where or Location(file="", line=0, column=0),
                found.code,
                found.message,
            ),
        )
    )


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether any finding is an error."""
    return any(found.severity is Severity.ERROR for found in diagnostics)


def quote(name: str) -> str:
    """Give the name in double quotes, as all messages do."""
    return f'"{name}"'


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that the author most likely meant, or `None` if nothing is near."""
    names = sorted(set(known))
    folded = {candidate.lower(): candidate for candidate in reversed(names)}
    found = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Give the hint `did you mean "x"?`, or `None` if nothing is near."""
    found = nearest(name, known)
    return f"did you mean {quote(found)}?" if found else None
