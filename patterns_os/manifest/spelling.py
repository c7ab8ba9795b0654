"""The spellings of a manifest: which file of a folder is the one, and reading it into one and the same spec."""

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Final

from patterns_os.manifest.parse import Parsed, parse_manifest
from patterns_os.manifest.scripts import MANIFEST_NAMES
from patterns_os.manifest.spec import ManifestSpec

YAML_ENDINGS: Final = (".yml", ".yaml")


def find_manifest(files: Collection[str]) -> str | None:
    """Give the file that makes the folder an app, `None` where it is none; `manifest.json` goes first."""
    return next((name for name in MANIFEST_NAMES if name in files), None)


def parse_app(
    file: str, files: Mapping[str, bytes], *, name: str | None = None, storages: Collection[str] = ()
) -> Parsed[ManifestSpec]:
    """Read the manifest of an app, whatever its spelling; never raises for what is in it.

    Args:
        file: Its path, one of `files`.
        files: The files of the app.
        name: The app's name where the file gives none; a `manifest.json` always does.
        storages: Names of the storages in patterns.json.
    """
    if PurePosixPath(file).suffix.lower() not in YAML_ENDINGS:
        return parse_manifest(files[file], file)
    # Only apps of that spelling pay for loading the parser.
    from patterns_os.manifest.graph_yml import parse_graph_yml  # noqa: PLC0415 - yaml is slow to load

    return parse_graph_yml(file, files, name=name, storages=storages)
