"""The analyses of an app's scripts, worked out once and remembered.

The analysers of the languages are loaded when the first script of theirs has to be looked at: an app that was
compiled before needs none of them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.lineage import Shapes, Traced
from patterns_os.graph.memo import Answer, Forgetful, Memo, Stored, remember
from patterns_os.graph.sources import Sources
from patterns_os.graph.sql_script import SqlScript
from patterns_os.graph.vertices import Analysis, Node


@dataclass(frozen=True, slots=True)
class Analyses:
    """Gives what each analyser gives, from the memo where it is there."""

    sources: Sources
    memo: Memo = field(default_factory=Forgetful)

    def python(self, file: str) -> tuple[Analysis, list[Diagnostic]]:
        """Give what a Python script touches (`analyse_python`)."""
        return self._of_file("python", file, _python)

    def javascript(self, file: str) -> tuple[Analysis, list[Diagnostic]]:
        """Give what a JavaScript or TypeScript script touches (`analyse_javascript`)."""
        return self._of_file("javascript", file, _javascript)

    def sql(
        self, file: str, parameters: Mapping[str, Any], ports: Mapping[str, str], dialect: str
    ) -> SqlScript:
        """Give what a SQL script touches and runs (`analyse_sql`)."""
        question = _question("sql", file, parameters, ports, dialect)
        look = partial(_sql, file, parameters=parameters, ports=ports, dialect=dialect)
        return remember(self.memo, question, self.sources, look)

    def trace(self, node: Node, shapes: Shapes) -> Traced:
        """Give the columns of a SQL node (`trace_sql`), by port; whoever asks keeps them."""
        from patterns_os.graph.sql_columns import trace_sql  # noqa: PLC0415 - sqlglot is slow to load

        if node.traced is None:
            return (), (), ()
        found = trace_sql(node.traced, shapes)
        return found.flows, found.reads, found.diagnostics

    def _of_file(self, kind: str, file: str, look: Callable[[str, Sources], Answer]) -> Answer:
        return remember(self.memo, _question(kind, file), self.sources, lambda seen: look(file, seen))


def _question(kind: str, *rest: object) -> bytes:
    return json.dumps([kind, *rest], sort_keys=True, default=str).encode("utf-8", "surrogatepass")


def _python(file: str, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    from patterns_os.graph.python import analyse_python  # noqa: PLC0415 - a large interpreter

    analysis, found = analyse_python(file, sources[file], sources)
    return _packed(analysis), found


def _javascript(file: str, sources: Sources) -> tuple[Analysis, list[Diagnostic]]:
    from patterns_os.graph.javascript import analyse_javascript  # noqa: PLC0415 - loads grammars

    analysis, found = analyse_javascript(file, sources[file], sources)
    return _packed(analysis), found


def _sql(
    file: str, sources: Sources, *, parameters: Mapping[str, Any], ports: Mapping[str, str], dialect: str
) -> SqlScript:
    from patterns_os.graph.sql import analyse_sql  # noqa: PLC0415 - sqlglot and jinja2 are slow to load

    return analyse_sql(file, sources[file], parameters, ports, dialect)


def _packed(analysis: Analysis) -> Analysis:
    return replace(analysis, flows=Stored.of(analysis.flows), reads=Stored.of(analysis.reads))
