"""A SQL script, understood: plain data, apart from the parser, which takes long to load."""

from dataclasses import dataclass
from typing import Literal

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.sql_text import TracedSql
from patterns_os.graph.vertices import Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlScript:
    """A SQL script, understood.

    Attributes:
        analysis: What it touches; the output of a bare select is the port `output_table`.
        statements: The query to run, without the target of the write; empty if there are errors.
        kind: `select` replaces the output, `insert` appends to it; `None` if there are errors.
        traced: What `trace_sql` needs to follow its columns; `None` where the text does not parse.
    """

    analysis: Analysis
    statements: tuple[str, ...] = ()
    kind: Literal["select", "insert"] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    traced: TracedSql | None = None
