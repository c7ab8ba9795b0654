"""The fields of data classes and models: which a class has, and what an object that is made of it holds.

A data class keeps what it is given. A pydantic model turns it into the types of its fields, so that only those
types are certain; and it may take a field under another name.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from patterns_os.graph.python_engine import UNPACKED, Given
from patterns_os.graph.python_values import (
    Class,
    Known,
    Opaque,
    Value,
    computed,
    each,
    either,
    lost,
)

MOST_DEPTH = 24
"""Bases looked at behind each other."""

_DATA_CLASSES = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "s"})
_VALIDATING = frozenset({"pydantic", "pydantic_settings", "sqlmodel"})
_WITH_FIELDS = frozenset({*_VALIDATING, "typing", "typing_extensions", "msgspec"})
_TYPES = {"str": "text", "int": "bigint", "float": "double", "bool": "bool"}
_EXACT = {"int": int, "float": float, "bool": bool}
_NOT_FIELDS = frozenset({"ClassVar", "KW_ONLY"})


@dataclass(frozen=True, slots=True)
class ClassField:
    """A field as a class declares it."""

    name: str
    annotation: ast.expr
    owner: Class


def fields_of(owner: Class) -> tuple[ClassField, ...]:
    """Give the fields in the order of the arguments: those of the bases, then the class's own."""
    return tuple({found.name: found for found in _fields(owner, 0)}.values())


def made(owner: Class, given: Given) -> dict[str, Value]:
    """Give what an object holds that is made with these arguments, by a class without an `__init__` of its own."""
    fields = fields_of(owner)
    names = [found.name for found in fields]
    values: dict[str, Value] = dict(zip(names, given.arguments, strict=False)) | given.keywords
    validates = _has_root(owner, _VALIDATING)
    others = [name for name in values if name not in names]
    if validates and others:
        # An alias: which field it means stands in a form that is not looked at.
        reason = f'"{others[0]}" may be another name of it'
        values = {name: values.get(name, lost(reason)) for name in names}
    if given.is_open:
        values = dict.fromkeys(names, lost(UNPACKED)) | values
    if validates or _has_root(owner, _WITH_FIELDS) or _is_data_class(owner):
        values = {
            found.name: default for found in fields if (default := _default(found)) is not None
        } | values
    if not validates:
        return values
    annotations = {found.name: found.annotation for found in fields}
    return {name: _validated(value, annotations.get(name)) for name, value in values.items()}


def _fields(owner: Class, depth: int) -> Iterator[ClassField]:
    for base in owner.bases if depth < MOST_DEPTH else ():
        if isinstance(base, Class):
            yield from _fields(base, depth + 1)
    for node in owner.node.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_field(node):
            yield ClassField(node.target.id, node.annotation, owner)


def _is_field(node: ast.AnnAssign) -> bool:
    annotation = node.annotation
    text = ""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        text = annotation.value.partition("[")[0]
    inner = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    word = text.rpartition(".")[2] or _last_word(inner)
    return word not in _NOT_FIELDS and not (
        isinstance(node.target, ast.Name) and node.target.id == "model_config"
    )


def _last_word(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_data_class(owner: Class, depth: int = 0) -> bool:
    if any(_last_word(node) in _DATA_CLASSES for node in owner.node.decorator_list):
        return True
    bases = owner.bases if depth < MOST_DEPTH else ()
    return any(isinstance(base, Class) and _is_data_class(base, depth + 1) for base in bases)


def _has_root(owner: Class, roots: frozenset[str], depth: int = 0) -> bool:
    for base in owner.bases if depth < MOST_DEPTH else ():
        if isinstance(base, Class) and _has_root(base, roots, depth + 1):
            return True
        if isinstance(base, Opaque) and base.path.partition(".")[0] in roots:
            return True
    return False


def _default(field: ClassField) -> Value | None:
    found = field.owner.look_up(field.name)
    return None if found is None else found[1]


def _validated(value: Value, annotation: ast.expr | None) -> Value:
    """Give what a model makes of a value that it is given."""
    written = ast.unparse(annotation) if annotation is not None else ""
    return either([_turned(part, written) for part in each(value)])


def _turned(value: Value, annotation: str) -> Value:
    column_type = _TYPES.get(annotation)
    if isinstance(value, Known):
        return value if _is_kept(value, annotation) else computed(_REASON, (), column_type)
    if isinstance(value, Opaque) and (value.is_lost or value.type == column_type is not None):
        return value
    return computed(_REASON, (value,), column_type)


def _is_kept(value: Known, annotation: str) -> bool:
    if isinstance(value.value, str):
        return "str" in annotation or "Literal" in annotation
    return type(value.value) is _EXACT.get(annotation)


_REASON = "a model may turn what it is given into another value"
