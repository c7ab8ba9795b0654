"""JSON Schemas of both files, for editors; generated from the specs.

`python -m patterns_os.manifest.schema` writes them into `schemas/`; with `--check` it changes nothing and
ends with 1 where a file there is not what it would write. Only that command touches files.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from patterns_os.manifest.configuration import ConfigurationSpec
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.values import SCHEMA_BASE, Spec

MANIFEST_SCHEMA_URL: Final = f"{SCHEMA_BASE}/manifest.schema.json"
CONFIGURATION_SCHEMA_URL: Final = f"{SCHEMA_BASE}/patterns.schema.json"


def manifest_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of `manifest.json`."""
    return _schema(ManifestSpec, MANIFEST_SCHEMA_URL, "manifest.json of a Patterns app")


def configuration_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of `patterns.json`."""
    return _schema(ConfigurationSpec, CONFIGURATION_SCHEMA_URL, "patterns.json of a Patterns app")


def schema_files() -> dict[str, str]:
    """Give the text of each schema file by its name."""
    schemas = {"manifest.schema.json": manifest_schema(), "patterns.schema.json": configuration_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main(arguments: Iterable[str], folder: Path) -> int:
    """Write the files into a folder, or with `--check` compare them; give the exit code."""
    is_check = "--check" in arguments
    stale = [name for name, text in schema_files().items() if not _holds(folder / name, text)]
    for name in stale:
        sys.stdout.write(f"{folder / name} {'is not up to date' if is_check else 'written'}\n")
        if not is_check:
            (folder / name).write_text(schema_files()[name], encoding="utf-8", newline="\n")
    return int(is_check and bool(stale))


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _schema(spec: type[Spec], url: str, title: str) -> dict[str, Any]:
    schema = _plain(spec.model_json_schema(by_alias=True))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": url}
    return {**head, **schema, "title": title}


def _plain(part: Any) -> Any:  # noqa: ANN401 - JSON Schema
    """Leave out what says nothing to an editor: generated titles, and `null` as a default or a choice."""
    if isinstance(part, list):
        return [_plain(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    plain = {key: _plain(inner) for key, inner in part.items() if not _is_noise(key, inner)}
    choices = [choice for choice in plain.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del plain["anyOf"]
        plain = {**choices[0], **plain}
    elif choices:
        plain["anyOf"] = choices
    return plain


def _is_noise(key: str, value: object) -> bool:
    # A property may be called "title" too; then its value is an object.
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path("schemas")))
