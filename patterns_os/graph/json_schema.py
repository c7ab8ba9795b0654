"""JSON Schemas as schemas of tables.

A column has a type, may be null, and has rules; a JSON Schema can say more. Whatever it says beyond that is told
as not checked, with its place. Annotations (`title`, `examples`, `$comment`, …) ask for nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from patterns_os.diagnostics import Location, did_you_mean, quote
from patterns_os.graph.schema_findings import (
    RULES,
    SchemaFindings,
    is_column_name,
    narrowed_rules,
    rule_faults,
)
from patterns_os.manifest.document import Part, split_pointer
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.semantic import find_type
from patterns_os.rows.types import ColumnType

Path = tuple[Part, ...]


def read_json_schema(
    data: Any,  # noqa: ANN401 - any JSON value
    start: Path,
    locate: Callable[[Path], Location],
    findings: SchemaFindings,
    *,
    casting: str | None,
) -> TableSchema | None:
    """Give the schema, `None` where it is none of an object; never raises for what is in the data.

    Args:
        data: The whole document, in which references are looked up.
        start: The path to the schema of the row; empty for the document itself.
        locate: Gives the place of a part of the document.
        findings: Takes what is wrong and what is not checked.
        casting: What the store says, `None` if nothing: only hard casting keeps further columns out.
    """
    return _Reader(data, locate, findings, casting).read(start)


@dataclass(frozen=True, slots=True)
class _Part:
    """A value in the document, and its path."""

    value: Any
    path: Path


_Flat = dict[str, _Part]
"""The keywords of a schema, those of what it refers to included."""


@dataclass(slots=True)
class _Reader:
    data: Any
    locate: Callable[[Path], Location]
    findings: SchemaFindings
    casting: str | None
    _steps: int = 0
    _required: set[str] = field(default_factory=set)
    _cut: set[str | None] = field(default_factory=set)

    def read(self, start: Path) -> TableSchema | None:
        value, is_there = _look_up(self.data, start)
        if not is_there:
            message = (
                f"the schema of {self.findings.subject()} is at {quote(_fragment(start))}, where nothing is."
            )
            self.findings.add("schema-reference", message, self.locate(()))
            return None
        flat = self._flatten(_Part(value, start), None)
        if not _describes_object(flat):
            message = f"the schema of {self.findings.subject()} is no JSON Schema of an object."
            hint = 'give it "type": "object" and "properties"'
            self.findings.add("schema-form", message, self.locate(start), hint)
            return None
        self._required = _texts(flat.get("required"))
        properties = flat["properties"].value if "properties" in flat else {}
        fields = tuple(self._fields(properties))
        self._look_at_rest(flat, properties)
        title = flat.get("title")
        name = title.value if title and isinstance(title.value, str) and title.value else None
        return TableSchema(fields=fields, name=name)

    def _fields(self, properties: Mapping[str, _Part]) -> Iterator[FieldSchema]:
        for name, part in properties.items():
            if not is_column_name(name):
                self.findings.lost_column(name, self.locate(part.path))
                continue
            found = self._field(name, part)
            if found is not None:
                yield found

    def _field(self, name: str, part: _Part) -> FieldSchema | None:
        where = self.locate(part.path)
        if part.value is False:
            reason = "a column that no row may have cannot be declared"
            self.findings.not_checked("false", name, where, reason)
            return None
        flat = self._chosen(self._flatten(part, name), name)
        types, is_null = self._types(flat, name)
        kind, semantic = self._kind(flat, types, name)
        description = flat.get("description")
        rules, enum_has_null = self._rules(flat, kind, semantic, name)
        self._look_at_keywords(flat, kind, name)
        return FieldSchema(
            name=name,
            type=kind,
            nullable=is_null or enum_has_null or name not in self._required,
            semantic=semantic,
            description=description.value if description and isinstance(description.value, str) else None,
            rules=rules,
            where=where,
        )

    def _flatten(self, part: _Part, column: str | None, depth: int = 0) -> _Flat:
        """Give the keywords of a schema together with those of `$ref` and `allOf`."""
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            if column not in self._cut:
                self._cut.add(column)
                self.findings.not_checked(
                    "$ref", column, self.locate(part.path), "it refers too deeply or to itself"
                )
            return {}
        if not isinstance(part.value, dict):
            if not isinstance(part.value, bool):
                self._malformed(part, column)
            return {}
        flat: _Flat = {}
        for keyword, value in part.value.items():
            if keyword not in _JOINED:
                flat[keyword] = self._keyword(keyword, _Part(value, (*part.path, keyword)), column)
        for inner in self._joined(part, column):
            self._merge(flat, self._flatten(inner, column, depth + 1), column)
        return flat

    def _keyword(self, keyword: str, part: _Part, column: str | None) -> _Part:
        """Give properties as parts of their own: those of two schemas that are joined are in two places."""
        if keyword != "properties" or column is not None:
            return part
        if not isinstance(part.value, dict):
            self._malformed(part, column)
            return _Part({}, part.path)
        parts = {name: _Part(value, (*part.path, name)) for name, value in part.value.items()}
        return _Part(parts, part.path)

    def _joined(self, part: _Part, column: str | None) -> Iterator[_Part]:
        reference = part.value.get("$ref")
        if reference is not None:
            found = self._referred(_Part(reference, (*part.path, "$ref")), column)
            if found is not None:
                yield found
        every = part.value.get("allOf")
        if isinstance(every, list):
            for index, value in enumerate(every):
                yield _Part(value, (*part.path, "allOf", index))
        elif every is not None:
            self._malformed(_Part(every, (*part.path, "allOf")), column)

    def _referred(self, part: _Part, column: str | None) -> _Part | None:
        where = self.locate(part.path)
        if not isinstance(part.value, str) or not part.value.startswith("#"):
            reason = "only references within the document are followed"
            self.findings.not_checked("$ref", column, where, reason)
            return None
        fragment = part.value[1:]
        path = split_pointer(fragment) if fragment.startswith("/") else ()
        value, is_there = _look_up(self.data, path)
        if not is_there or (fragment and not path):
            message = (
                f"the schema of {self.findings.subject()} refers to {quote(part.value)}, where nothing is."
            )
            definitions = _definitions(self.data)
            self.findings.add("schema-reference", message, where, did_you_mean(part.value, definitions))
            return None
        return _Part(value, path)

    def _merge(self, flat: _Flat, other: _Flat, column: str | None) -> None:
        for keyword, part in other.items():
            known = flat.get(keyword)
            if known is None or keyword in _ANNOTATIONS:
                flat.setdefault(keyword, part)
            elif keyword == "properties" and column is None:
                self._merge_properties(known, part)
            elif keyword == "required":
                flat[keyword] = _Part(sorted(_texts(known) | _texts(part)), known.path)
            elif not _is_same(known.value, part.value):
                where = self.locate(part.path)
                self.findings.not_checked(keyword, column, where, "schemas that are joined differ in it")

    def _merge_properties(self, known: _Part, other: _Part) -> None:
        for name, part in other.value.items():
            if not _is_same(known.value.setdefault(name, part).value, part.value):
                where = self.locate(part.path)
                self.findings.not_checked("properties", name, where, "schemas that are joined differ in it")

    def _chosen(self, flat: _Flat, column: str) -> _Flat:
        """Take the only choice of `anyOf` or `oneOf` that is not null; others stay to be told."""
        for keyword in ("anyOf", "oneOf"):
            part = flat.get(keyword)
            if part is None or not isinstance(part.value, list):
                continue
            choices = [_Part(value, (*part.path, index)) for index, value in enumerate(part.value)]
            real = [choice for choice in choices if choice.value != {"type": "null"}]
            if len(real) == 1:
                del flat[keyword]
                chosen = self._chosen(self._flatten(real[0], column), column)
                self._merge(flat, chosen, column)
                if len(choices) > 1:
                    flat["type"] = _Part([*_listed(flat.get("type")), "null"], part.path)
        return flat

    def _types(self, flat: _Flat, column: str) -> tuple[list[str], bool]:
        """Give the types but null, and whether null is one."""
        part = flat.get("type")
        names = _listed(part)
        wrong = [
            name for name in names if not isinstance(name, str) or (name not in _TYPES and name != "null")
        ]
        if part is not None and wrong:
            self._malformed(part, column)
        types = [name for name in names if isinstance(name, str) and name in _TYPES]
        if "number" in types and "integer" in types:
            types.remove("integer")
        if not types:
            types = _types_of_values(flat)
        is_null = "null" in names and not wrong
        return types, is_null or (part is None and not types and "const" not in flat and "enum" not in flat)

    def _kind(self, flat: _Flat, types: list[str], column: str) -> tuple[ColumnType, str | None]:
        """Give the column type, and the semantic type that a format stands for."""
        if len(types) != 1:
            if types:
                part = flat.get("type") or next(iter(flat.values()))
                reason = "a column has one type, so this one takes any JSON value"
                self.findings.not_checked("type", column, self.locate(part.path), reason)
            return ColumnType.JSONB, None
        kind = _TYPES[types[0]]
        written = flat.get("format")
        if kind is not ColumnType.TEXT or written is None:
            return kind, None
        if isinstance(written.value, str) and written.value in _FORMATS:
            return _FORMATS[written.value]
        self.findings.not_checked(
            "format", column, self.locate(written.path), f"{_shown(written.value)} is not known"
        )
        return kind, None

    def _rules(
        self, flat: _Flat, kind: ColumnType, semantic: str | None, column: str
    ) -> tuple[dict[str, Any], bool]:
        """Give the rules, and whether null is among the values that there are."""
        given = {keyword: part for keyword, part in _with_bounds(flat).items() if keyword in RULES}
        wanted = given.get("format", _NOTHING).value
        is_checked = isinstance(wanted, str) and wanted in _CHECKED_FORMATS
        if kind is not ColumnType.TEXT or not is_checked:
            given.pop("format", None)
        has_null = False
        values = given.get("enum")
        if values is not None and isinstance(values.value, list) and None in values.value:
            has_null = True
            given["enum"] = _Part([value for value in values.value if value is not None], values.path)
        rules = {keyword: part.value for keyword, part in given.items()}
        faults = list(rule_faults(rules, kind))
        rules = {keyword: value for keyword, value in rules.items() if keyword not in dict(faults)}
        meant = find_type(semantic) if semantic else None
        if meant is not None:
            rules, more = narrowed_rules(meant, rules)
            faults += more
        for keyword, reason in faults:
            self.findings.not_checked(keyword, column, self.locate(given[keyword].path), reason)
        return rules, has_null

    def _look_at_keywords(self, flat: _Flat, kind: ColumnType, column: str) -> None:
        """Tell what is said of a column and not checked; what is within a jsonb column once."""
        is_within_told = kind is not ColumnType.JSONB
        for keyword, part in flat.items():
            if keyword in RULES or keyword in _OF_COLUMNS or keyword in _ANNOTATIONS or _is_idle(part):
                continue
            reason = _unknown_reason(keyword)
            if keyword in _WITHIN:
                if kind is ColumnType.JSONB and is_within_told:
                    continue
                is_within_told = True
                reason = "a jsonb column takes any JSON value" if kind is ColumnType.JSONB else _IDLE
            if not keyword.startswith("x-"):
                self.findings.not_checked(keyword, column, self.locate(part.path), reason)

    def _look_at_rest(self, flat: _Flat, properties: Mapping[str, _Part]) -> None:
        """Tell what is said of the row as a whole and not checked."""
        for keyword, part in flat.items():
            where = self.locate(part.path)
            if keyword == "additionalProperties" and part.value is False and self.casting is None:
                reason = 'only "casting": "hard" refuses further columns'
                self.findings.not_checked(keyword, None, where, reason)
            elif keyword == "required":
                for name in sorted(_texts(part) - properties.keys()):
                    reason = f"it names {quote(name)}, which is not among the properties"
                    self.findings.not_checked(keyword, None, where, reason)
            elif keyword not in _OF_ROWS and keyword not in _ANNOTATIONS and not _is_idle(part):
                is_open = keyword == "additionalProperties" and isinstance(part.value, bool)
                if not is_open and not keyword.startswith("x-"):
                    self.findings.not_checked(keyword, None, where, _unknown_reason(keyword))

    def _malformed(self, part: _Part, column: str | None) -> None:
        name = str(part.path[-1]) if part.path else "schema"
        reason = f"{_shown(part.value)} is nothing that JSON Schema knows there"
        self.findings.not_checked(name, column, self.locate(part.path), reason)


def _look_up(data: Any, path: Iterable[Part]) -> tuple[Any, bool]:  # noqa: ANN401 - any JSON value
    """Give what is at the path, and whether there is something."""
    for part in path:
        if isinstance(data, dict) and str(part) in data:
            data = data[str(part)]
        elif isinstance(data, list) and str(part).isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None, False
    return data, True


def _fragment(path: Path) -> str:
    return "#" + "".join(f"/{part}" for part in path)


def _definitions(data: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    found = []
    for key in ("$defs", "definitions"):
        inner = data.get(key) if isinstance(data, dict) else None
        if isinstance(inner, dict):
            found += [f"#/{key}/{name}" for name in inner]
    return found


def _describes_object(flat: _Flat) -> bool:
    types = _listed(flat.get("type"))
    return "object" in types or (not types and "properties" in flat)


def _listed(part: _Part | None) -> list[Any]:
    if part is None:
        return []
    return list(part.value) if isinstance(part.value, list) else [part.value]


def _texts(part: _Part | None) -> set[str]:
    return {value for value in _listed(part) if isinstance(value, str)}


def _types_of_values(flat: _Flat) -> list[str]:
    """Give the types of the values that `enum` or `const` names, null left out."""
    values = _listed(flat.get("enum")) if "enum" in flat else []
    if "const" in flat:
        values = [flat["const"].value]
    found = {_TYPE_NAMES[type(value)] for value in values if value is not None}
    if found == {"integer", "number"}:
        return ["number"]
    return sorted(found) if found or values else []


def _with_bounds(flat: _Flat) -> _Flat:
    """Give the keywords with `const` as `enum`, and the bounds of the older drafts in the words of today."""
    changed = dict(flat)
    if "const" in changed:
        part = changed.pop("const")
        changed.setdefault("enum", _Part([part.value], part.path))
    for word, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        part = changed.get(word, _NOTHING)
        if isinstance(part.value, bool):
            del changed[word]
            if part.value and bound in changed:
                changed[word] = changed.pop(bound)
    return changed


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    return bool(one == other)


def _is_idle(part: _Part) -> bool:
    """Tell whether a schema within asks for nothing."""
    return part.value is True or part.value == {}


def _unknown_reason(keyword: str) -> str:
    if keyword in _WITHIN or keyword in _LOGIC:
        return "a table has no rule like it"
    near = did_you_mean(keyword, (*RULES, *_OF_COLUMNS, *_OF_ROWS, *_WITHIN, *_LOGIC))
    return f"it is no keyword of JSON Schema ({near})" if near else "it is no keyword of JSON Schema"


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON value
    shown = quote(value) if isinstance(value, str) else repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"


_DEEPEST: Final = 60
_MOST_STEPS: Final = 20_000
_LONGEST_SHOWN: Final = 40
_IDLE: Final = "it means nothing for the type of the column"
_NOTHING: Final = _Part(None, ())
_TYPES: Final[Mapping[str, ColumnType]] = {
    "string": ColumnType.TEXT,
    "integer": ColumnType.BIGINT,
    "number": ColumnType.DOUBLE,
    "boolean": ColumnType.BOOL,
    "object": ColumnType.JSONB,
    "array": ColumnType.JSONB,
}
_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}
_FORMATS: Final[Mapping[str, tuple[ColumnType, str | None]]] = {
    "date-time": (ColumnType.TIMESTAMPTZ, None),
    "date": (ColumnType.DATE, None),
    "decimal": (ColumnType.NUMERIC, None),
    "email": (ColumnType.TEXT, "common.Email"),
    "uuid": (ColumnType.TEXT, "common.Uuid"),
    "uri": (ColumnType.TEXT, "common.Uri"),
    "url": (ColumnType.TEXT, "common.Url"),
    "hostname": (ColumnType.TEXT, "common.HostName"),
    "ipv4": (ColumnType.TEXT, "common.IpAddress"),
    "ipv6": (ColumnType.TEXT, "common.IpAddress"),
    # It tells editors to hide what is typed.
    "password": (ColumnType.TEXT, None),
}
_CHECKED_FORMATS: Final = frozenset({"ipv4", "ipv6"})
_JOINED: Final = frozenset({"$ref", "allOf"})
_ANNOTATIONS: Final = frozenset(
    {
        "$anchor", "$comment", "$defs", "$id", "$schema", "$vocabulary", "default", "definitions", "deprecated",
        "description", "discriminator", "example", "examples", "externalDocs", "id", "readOnly", "title",
        "writeOnly", "xml",
    }
)  # fmt: skip
_OF_COLUMNS: Final = frozenset({"type", "const"})
_OF_ROWS: Final = frozenset({"type", "properties", "required"})
_WITHIN: Final = frozenset(
    {
        "additionalItems", "additionalProperties", "contains", "dependencies", "dependentRequired",
        "dependentSchemas", "items", "maxContains", "maxItems", "maxProperties", "minContains", "minItems",
        "minProperties", "patternProperties", "prefixItems", "properties", "propertyNames", "required",
        "unevaluatedItems", "unevaluatedProperties", "uniqueItems",
    }
)  # fmt: skip
_LOGIC: Final = frozenset(
    {
        "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "anyOf", "contentEncoding", "contentMediaType",
        "contentSchema", "else", "if", "multipleOf", "not", "oneOf", "then",
    }
)  # fmt: skip
