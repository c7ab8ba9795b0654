"""A `graph.yml` written as `manifest.json`: the same app in the other spelling."""

from collections.abc import Iterator
from typing import Any, Final

from patterns_os.diagnostics import quote
from patterns_os.manifest.interpolation import CONNECTION, placeholders, secret_behind
from patterns_os.manifest.layout import write_value
from patterns_os.manifest.schema import MANIFEST_SCHEMA_URL
from patterns_os.manifest.scripts import component_file
from patterns_os.manifest.spec import ManifestSpec


def manifest_text(spec: ManifestSpec) -> str:
    """Give the text of a `manifest.json` that says what the spec says."""
    data = {"$schema": MANIFEST_SCHEMA_URL, **spec.to_data()}
    given = {key: value for key, value in data.items() if value not in ([], {})}
    if "scripts" in given:
        given["scripts"] = [_script(entry) for entry in given["scripts"]]
    return write_value(given, "", "  ", "\n", flat=False) + "\n"


def conversion_notes(spec: ManifestSpec) -> Iterator[str]:
    """Say what the author has to know of what has no place in a manifest, or has to be done by hand."""
    kept = spec.metadata or {}
    if "requirements_file" in kept:
        yield f"install what {quote(str(kept['requirements_file']))} lists: pip install -r {kept['requirements_file']}"
    connections = {
        name: secret_behind(name)
        for script in spec.scripts
        for name in placeholders(script.parameters or {})
        if name.startswith(CONNECTION)
    }
    for name, secret in sorted(connections.items()):
        service = name.removeprefix(CONNECTION)
        yield f"the connection {quote(service)} is a secret now: patterns secret set {secret}"
    storages = {
        str(store.metadata["storage"])
        for store in spec.stores
        if store.metadata and "storage" in store.metadata
    }
    for storage in sorted(storages):
        yield f"the tables of storage {quote(storage)} are in the default one, as patterns.json has no other"
    shown = sorted(set(kept) - _TOLD)
    if shown:
        yield f'kept in "metadata", where nothing reads it: {", ".join(map(quote, shown))}'


def _script(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out the file that a component has anyway."""
    own = "uses" in entry and entry.get("file") == component_file(entry["uses"])
    return {key: value for key, value in entry.items() if not (own and key == "file")}


_TOLD: Final = frozenset({"requirements_file", "schemas", "storages"})
