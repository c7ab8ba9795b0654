"""Both files from bytes to specs, with everything that is wrong found in one go."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from patterns_os.diagnostics import Diagnostic, has_errors, sort_diagnostics
from patterns_os.manifest.configuration import ConfigurationSpec, Lookup, interpolate
from patterns_os.manifest.document import Document, Part, parse_document
from patterns_os.manifest.names import duplicate_names_in_configuration, duplicate_names_in_manifest
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.values import Spec
from patterns_os.manifest.violations import explain_violations, violated_paths

Kind = TypeVar("Kind", bound=Spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed(Generic[Kind]):
    """What a file says.

    Attributes:
        spec: `None` only where the file has no shape that could be used. With mended mistakes, duplicate
            names, or keys that had to be left out there is one, so that what else is wrong is found in the
            same go: look at `is_good` before acting on it.
        document: Where everything stands.
        diagnostics: All findings, sorted by place.
    """

    spec: Kind | None
    document: Document
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_good(self) -> bool:
        """Whether there is a spec and no finding is an error."""
        return self.spec is not None and not has_errors(self.diagnostics)


def parse_manifest(text: bytes, file: str = "manifest.json") -> Parsed[ManifestSpec]:
    """Read a manifest; never raises for what is in it."""
    return read_manifest(parse_document(file, text))


def read_manifest(document: Document) -> Parsed[ManifestSpec]:
    """Give what a document that has the shape of a manifest says, whatever its file looks like."""
    return _parse(ManifestSpec, document, document.data, duplicate_names_in_manifest)


def parse_configuration(
    text: bytes, file: str = "patterns.json", lookup: Lookup | None = None
) -> Parsed[ConfigurationSpec]:
    """Read a configuration; never raises for what is in it.

    Args:
        text: The file.
        file: Its path, for messages.
        lookup: Gives the values of variables. Without it each `${NAME}` stays in the spec as written.
    """
    document = parse_document(file, text)
    if lookup is None or not document.is_readable:
        return _parse(ConfigurationSpec, document, document.data, duplicate_names_in_configuration)
    data, found = interpolate(document, lookup)
    return _parse(ConfigurationSpec, document, data, duplicate_names_in_configuration, found)


def _parse(
    kind: type[Kind],
    document: Document,
    data: Any,  # noqa: ANN401 - plain JSON data
    find_duplicates: Callable[[Document], tuple[Diagnostic, ...]],
    found: tuple[Diagnostic, ...] = (),
) -> Parsed[Kind]:
    # After a bracket that is not closed everything else would be a consequence.
    if not document.is_readable:
        return Parsed(spec=None, document=document, diagnostics=sort_diagnostics(document.diagnostics))
    findings = [*document.diagnostics, *found, *find_duplicates(document)]
    spec: Kind | None = None
    try:
        spec = kind.model_validate(data)
    except ValidationError as error:
        findings += explain_violations(error, kind, document)
        spec = _mended(kind, data, violated_paths(error, kind))
    return Parsed(spec=spec, document=document, diagnostics=sort_diagnostics(findings))


def _mended(kind: type[Kind], data: Any, paths: Sequence[tuple[Part, ...]]) -> Kind | None:  # noqa: ANN401 - plain JSON data
    """Give the spec of the data without the keys that are wrong, `None` where that is no spec either.

    Only keys of objects are left out: the places of list items must stay what they are in the document.
    """
    mended = deepcopy(data)
    for path in paths:
        parent: Any = mended
        for part in path[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else (parent or {}).get(part)
        if isinstance(parent, dict) and path:
            parent.pop(path[-1], None)
    try:
        return kind.model_validate(mended)
    except ValidationError:
        return None
