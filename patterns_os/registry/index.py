"""The index of templates: their names, versions and what they are for."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from patterns_os.manifest.values import Items, Spec

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*$"
VERSION_PATTERN: Final = r"^v(0|[1-9][0-9]{0,5})$"

TemplateName = Annotated[str, Field(pattern=NAME_PATTERN)]
VersionName = Annotated[str, Field(pattern=VERSION_PATTERN)]


class TemplateEntry(Spec):
    """A template of the index.

    Attributes:
        versions: Known versions, oldest first; a version never changes once it is published.
        kind: `script` is added to an app, `app` becomes one, `component` is only included by name.
        files: Files that the newest version brings, as the app will have them.
        components: Versions that a manifest includes by name (`uses`), oldest first.
    """

    noun: ClassVar[str] = "a template"

    name: TemplateName
    versions: Items[VersionName] = Field(min_length=1)
    kind: Literal["script", "app", "component"]
    title: str
    description: str
    tags: Items[str] = ()
    files: Items[str] = ()
    components: Items[VersionName] = ()

    @property
    def newest(self) -> str:
        """The version with the highest number."""
        return max(self.versions, key=version_number)


class Index(Spec):
    """All templates that are known, each name once."""

    noun: ClassVar[str] = "an index of templates"

    templates: Items[TemplateEntry] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names, sorted."""
        return tuple(sorted(entry.name for entry in self.templates))

    @property
    def components(self) -> tuple[str, ...]:
        """The components with their versions, as manifests use them, sorted by name, oldest first."""
        entries = sorted(self.templates, key=lambda entry: entry.name)
        return tuple(f"{entry.name}@{version}" for entry in entries for version in entry.components)

    def entry(self, name: str) -> TemplateEntry | None:
        """Give the template of that name, or `None`."""
        return next((entry for entry in self.templates if entry.name == name), None)

    def search(self, words: Iterable[str]) -> tuple[TemplateEntry, ...]:
        """Give the templates that mention every word, scripts before apps, by name; without words all."""
        wanted = [word.casefold() for word in words]
        found = [entry for entry in self.templates if all(word in _text(entry) for word in wanted)]
        return tuple(sorted(found, key=lambda entry: (entry.kind == "app", entry.name)))


def version_number(version: str) -> int:
    """Give the number of a version: 3 for `v3`."""
    return int(version[1:])


def _text(entry: TemplateEntry) -> str:
    return " ".join((entry.name, entry.kind, entry.title, entry.description, *entry.tags)).casefold()
