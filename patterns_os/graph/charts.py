"""What a chart asks of its table: the columns that a Vega-Lite file names, read from its text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location, Severity, quote
from patterns_os.graph.vertices import Access, Analysis, ColumnRead, Use
from patterns_os.manifest.document import Document, Part, join_pointer, parse_document

VEGA_LITE: Final = "https://vega.github.io/schema/vega-lite/v5.json"


def analyse_chart(file: str, source: bytes, table: str, where: Location) -> tuple[Analysis, list[Diagnostic]]:
    """Give the columns that the chart asks of its table, and what is wrong with the file.

    Columns that the chart's own transforms make are not the table's. After a transform whose columns depend on
    the rows (`pivot`) nothing is told of what it may have made.

    Args:
        file: Its path, for places.
        source: Its bytes.
        table: The table that it draws.
        where: Where the manifest says so.
    """
    document = parse_document(file, source)
    found = list(document.diagnostics)
    use = Use(kind="table", name=table, access=Access.READ, where=where)
    if not document.is_readable:
        return Analysis(uses=(use,)), found
    if not isinstance(document.data, dict):
        found.append(_wrong(document, (), "is no object, expected a Vega-Lite chart"))
        return Analysis(uses=(use,)), found
    found += _essentials(document)
    reader = _Reader(document, table)
    reader.view(document.data, (), _Known())
    reads = sorted(reader.reads.values(), key=lambda read: read.where)
    return Analysis(uses=(use,), reads=tuple(reads)), found


def with_rows(chart: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the chart with the rows that it draws inside; what else it says of its data stays."""
    data = chart.get("data")
    return {**chart, "data": {**(data if isinstance(data, dict) else {}), "values": list(rows)}}


def _essentials(document: Document) -> Iterator[Diagnostic]:
    chart = document.data
    schema = chart.get("$schema")
    if not isinstance(schema, str):
        message = "does not say that it is Vega-Lite"
        yield _wrong(document, (), message, f'add "$schema": "{VEGA_LITE}"', Severity.WARNING)
    elif "/vega-lite/" not in schema:
        message = f"is written for {quote(schema)}, expected Vega-Lite"
        yield _wrong(document, ("$schema",), message, f"convert it to {VEGA_LITE}")
    for path, view in _views(chart, ()):
        if "mark" not in view:
            message = 'has a view without "mark": nothing says what is drawn'
            yield _wrong(document, path, message, 'add "mark": "bar", "line" or "point"')
        elif not _encodes(chart, path):
            message = 'has a view without "encoding": no column is drawn'
            hint = 'add "encoding": {"x": {"field": "…", "type": "…"}}'
            yield _wrong(document, path, message, hint, Severity.WARNING)
    for path in _given_data(chart, ()):
        message = "brings its own data, and the manifest gives it a table: only one of them can be drawn"
        yield _wrong(document, path, message, 'take out "data"')


def _views(
    view: Mapping[str, Any], path: tuple[Part, ...]
) -> Iterator[tuple[tuple[Part, ...], Mapping[str, Any]]]:
    inner = list(_inner(view, path))
    if not inner:
        yield path, view
    for place, child in inner:
        yield from _views(child, place)


def _inner(
    view: Mapping[str, Any], path: tuple[Part, ...]
) -> Iterator[tuple[tuple[Part, ...], Mapping[str, Any]]]:
    for key in _COMPOSED:
        for index, child in enumerate(view[key] if isinstance(view.get(key), list) else ()):
            if isinstance(child, dict):
                yield (*path, key, index), child
    if isinstance(view.get("spec"), dict):
        yield (*path, "spec"), view["spec"]


def _encodes(chart: Mapping[str, Any], path: tuple[Part, ...]) -> bool:
    """Tell whether the view or one around it has an encoding: layers share that of the whole."""
    part: Any = chart
    for step in (*path, None):
        if isinstance(part, dict) and part.get("encoding"):
            return True
        part = part[step] if step is not None else None
    return False


def _given_data(view: Mapping[str, Any], path: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    data = view.get("data")
    if isinstance(data, dict) and {"values", "url", "sequence", "sphere", "graticule"} & data.keys():
        yield (*path, "data")
    for place, child in _inner(view, path):
        yield from _given_data(child, place)


def _wrong(
    document: Document,
    path: tuple[Part, ...],
    message: str,
    hint: str | None = None,
    severity: Severity = Severity.ERROR,
) -> Diagnostic:
    return Diagnostic(
        code="chart-invalid",
        message=f"the chart {quote(document.file)} {message}.",
        where=document.locate(join_pointer(path)),
        hint=hint,
        severity=severity,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """Columns that transforms have made so far; with `open` they may have made any."""

    made: frozenset[str] = frozenset()
    open: bool = False

    def with_made(self, names: Iterator[str]) -> "_Known":
        return _Known(self.made | frozenset(names), self.open)


@dataclass(slots=True)
class _Reader:
    document: Document
    table: str
    reads: dict[tuple[str, Location], ColumnRead] = field(default_factory=dict)

    def view(self, view: Mapping[str, Any], path: tuple[Part, ...], known: _Known) -> None:
        """Note what a view and those in it read; each sees what the transforms around it made."""
        transforms = view.get("transform")
        for index, transform in enumerate(transforms if isinstance(transforms, list) else ()):
            if isinstance(transform, dict):
                known = self._transform(transform, (*path, "transform", index), known)
        for key in ("encoding", "facet", "params"):
            if isinstance(view.get(key), dict | list):
                self._fields(view[key], (*path, key), known)
        self._repeated(view.get("repeat"), (*path, "repeat"), known)
        for place, child in _inner(view, path):
            self.view(child, place, known)

    def _transform(self, transform: Mapping[str, Any], path: tuple[Part, ...], known: _Known) -> _Known:
        kind = next((key for key in _TRANSFORMS if key in transform), None)
        if kind is None:
            return known
        self._named(transform, path, known, _TRANSFORMS[kind])
        if kind in {"filter", "calculate"}:
            self._fields(transform[kind], (*path, kind), known, is_predicate=True)
        if kind == "lookup":
            # The rows that are looked up are another table's.
            return known.with_made(_outputs(transform.get("from"), ("fields",))).with_made(
                _outputs(transform, ("as",))
            )
        for key in ("aggregate", "joinaggregate", "window", "sort"):
            self._fields(transform.get(key), (*path, key), known)
        if kind == "pivot":
            return _Known(known.made, open=True)
        made = [*_outputs(transform, ("as",)), *_DEFAULTS.get(kind, ())]
        for key in ("aggregate", "joinaggregate", "window"):
            entries = transform.get(key)
            for entry in entries if isinstance(entries, list) else ():
                made += _outputs(entry, ("as",))
        return known.with_made(iter(made))

    def _named(
        self, transform: Mapping[str, Any], path: tuple[Part, ...], known: _Known, keys: tuple[str, ...]
    ) -> None:
        for key in keys:
            given = transform.get(key)
            if isinstance(given, str):
                self._read(given, (*path, key), known)
            for index, name in enumerate(given if isinstance(given, list) else ()):
                if isinstance(name, str):
                    self._read(name, (*path, key, index), known)

    def _fields(
        self, part: object, path: tuple[Part, ...], known: _Known, *, is_predicate: bool = False
    ) -> None:
        """Note each `"field": "…"` within, and what expressions take from the row."""
        if isinstance(part, str) and (is_predicate or path[-1] in _EXPRESSIONS):
            for found in _DATUM.finditer(part):
                self._read(next(filter(None, found.groups())), path, known, is_plain=True)
        elif isinstance(part, list):
            for index, item in enumerate(part):
                self._fields(item, (*path, index), known, is_predicate=is_predicate)
        elif isinstance(part, dict):
            for key, item in part.items():
                if key == "field" and isinstance(item, str):
                    self._read(item, (*path, key), known)
                elif key != "value":
                    self._fields(item, (*path, key), known, is_predicate=is_predicate and key in _LOGICAL)

    def _repeated(self, repeat: object, path: tuple[Part, ...], known: _Known) -> None:
        if isinstance(repeat, dict):
            for key, inner in repeat.items():
                self._repeated(inner, (*path, key), known)
        for index, name in enumerate(repeat if isinstance(repeat, list) else ()):
            if isinstance(name, str):
                self._read(name, (*path, index), known)

    def _read(self, name: str, path: tuple[Part, ...], known: _Known, *, is_plain: bool = False) -> None:
        column = name if is_plain else _column(name)
        if column in known.made or name in known.made or known.open or not column:
            return
        where = self.document.locate(join_pointer(path))
        self.reads[column, where] = ColumnRead(table=self.table, column=column, where=where)


def _outputs(part: object, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        given = part.get(key) if isinstance(part, dict) else None
        if isinstance(given, str):
            yield given
        yield from (name for name in (given if isinstance(given, list) else ()) if isinstance(name, str))


def _column(path: str) -> str:
    """Give the column that a path into a row begins with: `a.b` and `a[0]` lead into column `a`."""
    found = _PATH.match(path)
    return found[0].replace("\\", "") if found else ""


_COMPOSED: Final = ("layer", "concat", "hconcat", "vconcat")
_TRANSFORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "filter": (),
    "calculate": (),
    "aggregate": ("groupby",),
    "joinaggregate": ("groupby",),
    "window": ("groupby",),
    "bin": ("field",),
    "timeUnit": ("field",),
    "stack": ("stack", "groupby"),
    "fold": ("fold",),
    "flatten": ("flatten",),
    "impute": ("impute", "key", "groupby"),
    "lookup": ("lookup",),
    "density": ("density", "groupby"),
    "loess": ("loess", "on", "groupby"),
    "regression": ("regression", "on", "groupby"),
    "quantile": ("quantile", "groupby"),
    "pivot": ("pivot", "value", "groupby"),
    "extent": ("extent",),
}
"""What each transform reads, apart from expressions and nested fields."""
_DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "fold": ("key", "value"),
    "density": ("value", "density"),
    "quantile": ("prob", "value"),
}
_EXPRESSIONS: Final = frozenset({"test", "expr", "calculate", "filter"})
_LOGICAL: Final = frozenset({"and", "or", "not", "test", "expr", "filter"})
_DATUM: Final = re.compile(r"""\bdatum(?:\.([A-Za-z_$][\w$]*)|\[\s*(?:'([^']+)'|"([^"]+)")\s*\])""")
_PATH: Final = re.compile(r"(?:\\.|[^.\[\\])+")
