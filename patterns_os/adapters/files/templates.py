"""The templates and components that are shipped with the package."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from patterns_os.manifest.scripts import COMPONENTS_FOLDER
from patterns_os.registry.components import mentioned_components
from patterns_os.registry.index import Index
from patterns_os.registry.resolve import Resolved
from patterns_os.registry.template import PLACEHOLDER, Template, TemplateSpec

README = "readme.md"


@cache
def load_index() -> Index:
    """Give the index of the shipped templates."""
    return Index.model_validate_json(_root().joinpath("index.json").read_bytes())


def load_template(resolved: Resolved) -> Template:
    """Give a shipped template with the content of its files."""
    folder = _root().joinpath(*resolved.entry.name.split("/"), resolved.version)
    text = folder.joinpath("template.json").read_text("utf-8").replace(PLACEHOLDER, resolved.reference)
    spec = TemplateSpec.model_validate_json(text)
    # The entries are given as they are written, not as the specs would write them: order and spelling stay.
    entries: dict[str, list[Any]] = json.loads(text).get("manifest", {})
    return Template(
        reference=resolved.reference,
        additions={part: tuple(items) for part, items in entries.items()},
        files={given.file: _content(folder, given.file, given.source) for given in spec.files},
        after=spec.after,
        readme=folder.joinpath(README).read_text("utf-8"),
    )


def with_components(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the files of an app with those of the components that its manifests use, and of theirs.

    They stand under a folder that is no author's, with a list of all components, so that whoever compiles the app
    can say what there is.
    """
    found = dict(files)
    loaded: set[str] = set()
    waiting: Mapping[str, bytes] = files
    while waiting:
        wanted, mentions_any = mentioned_components(waiting, load_index().components)
        if mentions_any:
            found[f"{COMPONENTS_FOLDER}/index.txt"] = "\n".join(load_index().components).encode()
        waiting = {}
        for reference in (reference for reference in wanted if reference not in loaded):
            loaded.add(reference)
            waiting |= _component(reference)
        found |= waiting
    return found


def _component(reference: str) -> dict[str, bytes]:
    name, _, version = reference.partition("@")
    folder = _root().joinpath(*name.split("/"), version)
    own = [
        entry for entry in folder.iterdir() if entry.is_file() and entry.name not in {README, "template.json"}
    ]
    files = {f"{COMPONENTS_FOLDER}/{reference}/{entry.name}": entry.read_bytes() for entry in own}
    return dict(sorted(files.items()))


def _root() -> Traversable:
    return files("patterns_os").joinpath("templates")


def _content(folder: Traversable, file: str, source: str | None) -> bytes:
    place = folder.joinpath(*file.split("/")) if source is None else _root().joinpath(*source.split("/"))
    return place.read_bytes()
