"""The templates that are shipped with the package."""

import json
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

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


def _root() -> Traversable:
    return files("patterns_os").joinpath("templates")


def _content(folder: Traversable, file: str, source: str | None) -> bytes:
    place = folder.joinpath(*file.split("/")) if source is None else _root().joinpath(*source.split("/"))
    return place.read_bytes()
