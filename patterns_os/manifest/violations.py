"""What pydantic found, in our words: with the place, what was expected, what is known, and a hint."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from patterns_os.diagnostics import Diagnostic, Location, did_you_mean, quote
from patterns_os.manifest.document import Document, Part, join_pointer
from patterns_os.manifest.values import Spec, tag

Path = tuple[Part, ...]


def explain_violations(error: ValidationError, kind: type[Spec], document: Document) -> list[Diagnostic]:
    """Give a diagnostic for each violation of the spec `kind` by the document.

    Values in messages are taken from the document, so that what a variable stands for is never shown.
    """
    details = error.errors(include_url=False, include_input=False)
    return [_explain(detail, kind, document) for detail in details]


def violated_paths(error: ValidationError, kind: type[Spec]) -> list[Path]:
    """Give the path into the document of each violation."""
    details = error.errors(include_url=False, include_input=False)
    return [_follow(kind, detail["loc"])[1] for detail in details]


def _explain(detail: ErrorDetails, kind: type[Spec], document: Document) -> Diagnostic:
    spec, path = _follow(kind, detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(spec, path, document)
        case "missing":
            return _missing_key(spec, path, document)
        case "literal_error":
            return _unknown_literal(detail, path, document)
        case code if code in _EXPECTED or code == "wrong-type":
            return _wrong_type(detail, path, document)
        case _:
            return _wrong_value(detail, path, document)


def _unknown_key(spec: type[Spec], path: Path, document: Document) -> Diagnostic:
    key = str(path[-1])
    where = document.locate_key(join_pointer(path))
    if key in spec.later:
        message = f"{quote(key)} is not possible yet, it is kept for {spec.later[key]}"
        return Diagnostic(code="not-yet", message=message, where=where, hint="leave it out")
    known = tuple(field.alias or name for name, field in spec.model_fields.items())
    return Diagnostic(
        code="unknown-key",
        message=f"{quote(key)} is not a key of {spec.noun}",
        where=where,
        known=("known keys", known),
        hint=did_you_mean(key, known),
    )


def _missing_key(spec: type[Spec], path: Path, document: Document) -> Diagnostic:
    message = f"{spec.noun} needs {quote(str(path[-1]))}"
    return Diagnostic(code="missing-key", message=message, where=document.locate(join_pointer(path[:-1])))


def _unknown_literal(detail: ErrorDetails, path: Path, document: Document) -> Diagnostic:
    known = tuple(_LITERAL.findall(detail["ctx"]["expected"]))
    value = _written(document, path)
    expected = " or ".join(filter(None, (", ".join(map(quote, known[:-1])), quote(known[-1]))))
    is_text = isinstance(value, str)
    return Diagnostic(
        code="wrong-value" if is_text else "wrong-type",
        message=f"{_named(path)} is {_shown(value) if is_text else _kind_of(value)}, expected {expected}",
        where=document.locate(join_pointer(path)),
        hint=did_you_mean(value, known) if is_text else None,
    )


def _wrong_type(detail: ErrorDetails, path: Path, document: Document) -> Diagnostic:
    expected = _EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("expected ")
    # A key that JSON can't hold in another type than text is never reported here, so the path is the value's.
    found = _kind_of(_written(document, path))
    message = f"{_named(path)} is {found}, expected {expected}"
    return Diagnostic(code="wrong-type", message=message, where=document.locate(join_pointer(path)))


def _wrong_value(detail: ErrorDetails, path: Path, document: Document) -> Diagnostic:
    context = detail.get("ctx", {})
    is_key = path[-1:] == (_KEY,)
    path = path[:-1] if is_key else path
    pointer = join_pointer(path)
    value = path[-1] if is_key else _written(document, path)
    where: Location = document.locate_key(pointer) if is_key else document.locate(pointer)
    template = _BOUNDS.get(detail["type"])
    if template is not None:
        message = f"{_named(path)} is {_shown(value)}, expected {template.format(**context)}"
        return Diagnostic(code="wrong-value", message=message, where=where)
    if "-" not in detail["type"] or "_" in detail["type"]:
        message = f"{_named(path)} is {_shown(value)}, which is not possible there: {detail['msg']}"
        return Diagnostic(code="wrong-value", message=message, where=where)
    message = detail["msg"].replace("{value}", _shown(value))
    if detail["type"] == "literal-secret":
        message = f"{_named(path)} is not a name, {message}"
    return Diagnostic(code=detail["type"], message=message, where=where, hint=context.get("hint"))


def _follow(kind: type[Spec], location: tuple[int | str, ...]) -> tuple[type[Spec], Path]:
    """Give the spec whose key the end of the path is, and the path without the tags of unions."""
    specs = {tag(spec.__name__): spec for spec in _specs_below(Spec)}
    spec: type[Spec] = kind
    inner: type[Spec] | None = kind
    path: list[Part] = []
    for part in location:
        if isinstance(part, str) and part in specs:
            inner = specs[part]
        elif isinstance(part, str) and part.startswith(tag("")):
            inner = None
        else:
            path.append(part)
            if isinstance(part, str) and inner is not None:
                spec, inner = inner, _inner_spec(inner, part)
    return spec, tuple(path)


def _specs_below(base: type[Spec]) -> Iterator[type[Spec]]:
    for spec in base.__subclasses__():
        yield spec
        yield from _specs_below(spec)


def _inner_spec(spec: type[Spec], key: str) -> type[Spec] | None:
    """Give the spec of a key's value or items, where there is exactly one."""
    for name, field in spec.model_fields.items():
        if key == (field.alias or name):
            found = set(_specs_in(field.annotation))
            return found.pop() if len(found) == 1 else None
    return None


def _specs_in(annotation: Any) -> list[type[Spec]]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return [annotation]
    return [spec for argument in get_args(annotation) for spec in _specs_in(argument)]


def _written(document: Document, path: Path) -> Any:  # noqa: ANN401 - plain JSON data
    element = document.element(join_pointer(path))
    return element.value if element else None


def _named(path: Path) -> str:
    if not path:
        return "the file"
    if isinstance(path[-1], int):
        return f"item {path[-1] + 1} of {quote(str(path[-2]))}" if len(path) > 1 else f"item {path[-1] + 1}"
    return quote(path[-1])


def _kind_of(value: object) -> str:
    match value:
        case bool() | None:
            return json.dumps(value)
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN: Final = 80
_KEY: Final = "[key]"
_LITERAL: Final = re.compile(r"'([^']*)'")
_EXPECTED: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_BOUNDS: Final = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "a text that is not empty",
    "too_short": "a list that is not empty",
    "string_pattern_mismatch": "a text that matches {pattern}",
}
