"""From the spellings of a schema to the one form that everybody else knows.

A schema is written as columns with their types, as a JSON Schema (in the manifest or in a file of its own), as a
class in the app's Python (read, never imported), or as the name of a semantic type. What a spelling says and a
table cannot keep is told, never left out in silence.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote
from patterns_os.graph.json_schema import read_json_schema
from patterns_os.graph.schema_classes import read_class
from patterns_os.graph.schema_findings import (
    RULES,
    SchemaFindings,
    is_column_name,
    narrowed_rules,
    rule_faults,
    suggest_record,
)
from patterns_os.graph.sources import Sources
from patterns_os.manifest.document import Document, Part, join_pointer, parse_document, split_pointer
from patterns_os.manifest.spec import TableStoreSpec
from patterns_os.manifest.stores import FieldSpec, is_json_schema
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.semantic import RECORD_TYPES, find_record, find_type
from patterns_os.rows.types import ColumnType, parse_type

Locate = Callable[[tuple[Part, ...]], Location]
"""Gives the place of a part of a value by its path, keys and indexes."""


def declared_schema(
    spec: TableStoreSpec, sources: Sources, locate: Locate, path_of: Callable[[str], str] = str
) -> tuple[TableSchema | None, tuple[Diagnostic, ...]]:
    """Give what the manifest declares of a table's rows, and what is wrong with it.

    Columns that cannot be understood are left out. `None` where nothing is declared or nothing could be read.

    Args:
        spec: The table.
        sources: All files of the app; a schema may be in another one than the manifest.
        locate: Gives the places of the parts of the table's entry in the manifest.
        path_of: Gives the path among all files of a file that the entry names.
    """
    findings = SchemaFindings(spec.name)
    reading = _Reading(spec, sources, lambda path: locate(("schema", *path)), path_of, findings)
    schema = reading.read()
    if schema is not None and spec.casting is not None:
        schema = replace(schema, casting=spec.casting)
    return schema, tuple(findings.found)


def schema_from_common_model(
    data: Any,  # noqa: ANN401 - plain YAML data
    where: Location,
    table: str | None = None,
) -> tuple[TableSchema | None, tuple[Diagnostic, ...]]:
    """Give the schema that a CommonModel describes, and what is wrong with it.

    Never raises for what is in the data. What says nothing of a row's values is passed by: `field_roles`,
    `immutable`, `documentation`, `unique_on` (which is the store's).

    Args:
        data: The content of the file: `name`, `fields` as texts (`"Text NotNull"`) or objects, and the rest.
        where: Where the model is; its parts have no places of their own.
        table: The table that has the schema, for messages; else the model's name.
    """
    name = data.get("name") if isinstance(data, Mapping) else None
    findings = SchemaFindings(table or str(name or "?"))
    fields = data.get("fields") if isinstance(data, Mapping) else None
    if not isinstance(fields, Mapping):
        message = f'the schema of {findings.subject()} is no CommonModel: it has no object "fields".'
        findings.add("schema-form", message, where)
        return None, tuple(findings.found)
    written = (_common_field(str(column), entry, where, findings) for column, entry in fields.items())
    found = TableSchema(
        fields=tuple(field for field in written if field is not None),
        name=str(name) if name is not None else None,
    )
    return found, tuple(findings.found)


@dataclass(frozen=True, slots=True)
class _Reading:
    spec: TableStoreSpec
    sources: Sources
    locate: Locate
    path_of: Callable[[str], str]
    findings: SchemaFindings

    def read(self) -> TableSchema | None:
        match self.spec.row_schema:
            case None:
                return None
            case str() as name:
                return self._named(name)
            case tuple() as entries:
                listed = [(entry.name, entry, (index,)) for index, entry in enumerate(entries)]
                return TableSchema(fields=tuple(_columns(listed, self.locate, self.findings)))
            case schema if is_json_schema(schema):
                casting = self.spec.casting
                return read_json_schema(schema, (), self.locate, self.findings, casting=casting)
            case columns:
                given = [(name, entry, (name,)) for name, entry in columns.items()]
                return TableSchema(fields=tuple(_columns(given, self.locate, self.findings)))

    def _named(self, name: str) -> TableSchema | None:
        """Give the schema that a text leads to: a class, a file, or a semantic type."""
        in_module = _CLASS.fullmatch(name)
        if in_module is not None:
            return self._class(self.path_of(in_module["file"]), in_module["name"])
        file, _, pointer = name.partition("#")
        if file.endswith(".json"):
            return self._file(self.path_of(file), pointer)
        if file.endswith((".yml", ".yaml")):
            return self._common_model(self.path_of(file))
        record = find_record(name)
        if record is None:
            self._unknown(name)
        return record.schema() if record else None

    def _class(self, file: str, name: str) -> TableSchema | None:
        if file not in self.sources:
            self._missing(file)
            return None
        casting = self.spec.casting
        return read_class(file, name, self.sources, self.locate(()), self.findings, casting=casting)

    def _file(self, file: str, pointer: str) -> TableSchema | None:
        if file not in self.sources:
            self._missing(file)
            return None
        document = _parsed(file, self.sources[file])
        self.findings.found += document.diagnostics
        if not document.is_readable:
            return None
        return read_json_schema(
            document.data,
            split_pointer(pointer),
            lambda path: document.locate(join_pointer(path)),
            self.findings,
            casting=self.spec.casting,
        )

    def _common_model(self, file: str) -> TableSchema | None:
        if file not in self.sources:
            self._missing(file)
            return None
        # Only apps with such schemas pay for loading the parser.
        from patterns_os.manifest.yaml_document import parse_yaml  # noqa: PLC0415 - yaml is slow to load

        document = parse_yaml(file, self.sources[file])
        self.findings.found += document.diagnostics
        if not document.is_readable:
            return None
        schema, found = schema_from_common_model(document.data, document.locate(""), self.findings.table)
        self.findings.found += found
        return schema

    def _missing(self, file: str) -> None:
        ending = file[file.rfind(".") :]
        hint = did_you_mean(file, [path for path in self.sources if path.endswith(ending)])
        message = (
            f"the schema of {self.findings.subject()} is in {quote(file)}, which is not in the app folder."
        )
        self.findings.add("schema-reference", message, self.locate(()), hint)

    def _unknown(self, name: str) -> None:
        table = self.findings.subject()
        if find_type(name) is not None:
            message = f"{quote(name)} is the type of a value, not of a row, so it is no schema of {table}."
            hint = f'give it to a column: {{"column": "{name}"}}'
            self.findings.add("unknown-type", message, self.locate(()), hint)
            return
        self.findings.found.append(
            Diagnostic(
                code="unknown-type",
                message=f"the schema of {table} is {quote(name)}, which does not exist.",
                where=self.locate(()),
                known=("known types of rows", tuple(RECORD_TYPES)),
                hint=suggest_record(name)
                or 'write "common.Order", "models.py:Order" or "schemas/order.json"',
            )
        )


# Many tables may have their schemas in one file.
@lru_cache(maxsize=32)
def _parsed(file: str, text: bytes) -> Document:
    return parse_document(file, text)


def _columns(
    given: Iterable[tuple[str, str | FieldSpec, tuple[Part, ...]]], locate: Locate, findings: SchemaFindings
) -> Iterator[FieldSchema]:
    seen: set[str] = set()
    for name, entry, path in given:
        where = locate(path)
        if name in seen:
            findings.add("duplicate-name", f"{findings.subject(name)} is declared twice.", where)
            continue
        seen.add(name)
        if isinstance(entry, str):
            field = _field(name, entry, {}, where, findings)
        else:
            field = _field_of_object(name, entry, where, findings)
        if field is not None:
            yield field


def _field_of_object(
    name: str, entry: FieldSpec, where: Location, findings: SchemaFindings
) -> FieldSchema | None:
    rules = {key: value for key, value in entry.to_data().items() if key in RULES}
    field = _field(name, entry.type, rules, where, findings)
    if field is None:
        return None
    nullable = field.nullable if entry.nullable is None else entry.nullable
    return replace(field, nullable=nullable, description=entry.description)


def _common_field(name: str, entry: object, where: Location, findings: SchemaFindings) -> FieldSchema | None:
    if isinstance(entry, str):
        return _field(name, entry, {}, where, findings)
    written = entry.get("type", "Text") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(written, str):
        findings.add("unknown-type", f"{findings.subject(name)} has no type that is a text.", where)
        return None
    field = _field(name, written, {}, where, findings)
    if field is None:
        return None
    nullable, description = entry.get("nullable"), entry.get("description")
    return replace(
        field,
        nullable=nullable if isinstance(nullable, bool) else field.nullable,
        description=description if isinstance(description, str) else None,
    )


def _field(
    name: str, written: str, rules: Mapping[str, Any], where: Location, findings: SchemaFindings
) -> FieldSchema | None:
    """Give the column, `None` where its name or type is none."""
    if not is_column_name(name):
        findings.bad_column(name, where)
        return None
    word, nullable = _split_nullability(written)
    semantic, record = find_type(word), find_record(word)
    kind = ColumnType.JSONB if record else semantic.base if semantic else parse_type(word)
    if kind is None:
        findings.unknown_type(name, written, word, where)
        return None
    own = _sound_rules(name, _length_rule(word) | dict(rules), kind, where, findings)
    if semantic is not None:
        own, faults = narrowed_rules(semantic, own)
        for rule, reason in faults:
            findings.refuse_rule(rule, name, where, reason)
    is_semantic = semantic is not None or record is not None
    return FieldSchema(
        name=name,
        type=kind,
        nullable=nullable is not False,
        semantic=word if is_semantic else None,
        rules=own,
        where=where,
    )


def _sound_rules(
    name: str, rules: Mapping[str, Any], kind: ColumnType, where: Location, findings: SchemaFindings
) -> dict[str, Any]:
    if not rules:
        return {}
    faults = dict(rule_faults(rules, kind))
    for rule, reason in faults.items():
        findings.refuse_rule(rule, name, where, reason)
    return {rule: value for rule, value in rules.items() if rule not in faults}


def _split_nullability(written: str) -> tuple[str, bool | None]:
    """Give the type without `NotNull` or `Nullable`, and what these say."""
    found = _NULLABILITY.search(written)
    if found is None:
        return written.strip(), None
    return written[: found.start()].strip(), not found["word"].lower().startswith("not")


def _length_rule(word: str) -> dict[str, Any]:
    found = _LENGTH.fullmatch(word)
    return {"maxLength": int(found["length"])} if found else {}


_CLASS: Final = re.compile(r"(?P<file>[^:]+\.py):(?P<name>[^\W\d]\w*)")
_NULLABILITY: Final = re.compile(r"\s(?P<word>not\s*null|nullable|null)\s*$", re.IGNORECASE)
_LENGTH: Final = re.compile(
    r"(?:text|string|str|varchar|character varying|char|character)\s*\(\s*(?P<length>[0-9]{1,9})\s*\)",
    re.IGNORECASE,
)
