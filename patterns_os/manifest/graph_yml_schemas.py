"""The schema files that a `graph.yml` lists: which names they define, for the stores that ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from patterns_os.diagnostics import Diagnostic, did_you_mean, quote
from patterns_os.manifest.document import Document
from patterns_os.manifest.syntax import Element, Member
from patterns_os.manifest.yaml_document import parse_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSchema:
    """A schema: its file, relative to the folder of the `graph.yml`, and the key columns that it names."""

    file: str
    unique_on: tuple[str, ...]


def read_schemas(
    written: Document, member: Member | None, files: Mapping[str, bytes]
) -> tuple[dict[str, GraphSchema], list[Diagnostic]]:
    """Give the schemas by name, and what is wrong with the list of their files.

    What is wrong inside a file is for whoever reads it for a table.

    Args:
        written: The `graph.yml`.
        member: Its `schemas`.
        files: The files of the app.
    """
    schemas: dict[str, GraphSchema] = {}
    found: list[Diagnostic] = []
    for item in (member.element.items or ()) if member else ():
        file = item.value.get("schema_file") if isinstance(item.value, dict) else item.value
        if not isinstance(file, str):
            where = written.location_at(item.start, item.pointer or "")
            found.append(Diagnostic(code="missing-key", message='a schema needs "schema_file"', where=where))
            continue
        path = str(PurePosixPath(written.file).parent / file)
        if path not in files:
            found.append(_missing(written, item, path, files))
            continue
        data = parse_yaml(path, files[path]).data
        data = data if isinstance(data, dict) else {}
        unique_on = data.get("unique_on")
        schema = GraphSchema(
            file=file,
            unique_on=tuple(map(str, unique_on)) if isinstance(unique_on, list) else (),
        )
        for name in (data.get("name"), PurePosixPath(file).stem):
            if isinstance(name, str):
                schemas.setdefault(name, schema)
    return schemas, found


def _missing(written: Document, item: Element, path: str, files: Mapping[str, bytes]) -> Diagnostic:
    known = tuple(name for name in files if name.endswith((".yml", ".yaml")) and name != written.file)
    return Diagnostic(
        code="missing-file",
        message=f"the schema file {quote(path)} does not exist.",
        where=written.location_at(item.start, item.pointer or ""),
        known=("known files", known),
        hint=did_you_mean(path, known),
    )
