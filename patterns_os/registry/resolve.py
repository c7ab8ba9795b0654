"""From what a person types to one version of one template."""

from dataclasses import dataclass
from typing import Literal

from patterns_os.diagnostics import did_you_mean, nearest, quote
from patterns_os.errors import UsageError
from patterns_os.registry.index import Index, TemplateEntry, version_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A version of a template.

    Attributes:
        was_pinned: Whether the version was asked for; otherwise it is the newest one.
    """

    entry: TemplateEntry
    version: str
    was_pinned: bool

    @property
    def reference(self) -> str:
        """The name with its version, as manifests keep it: `patterns/openai-completion@v0`."""
        return f"{self.entry.name}@{self.version}"


def resolve(index: Index, reference: str, kind: Literal["script", "app"] | None = None) -> Resolved:
    """Give the template that `vendor/name` or `vendor/name@vN` means; without a version the newest.

    Args:
        index: What is known.
        reference: What was typed.
        kind: The kind that is of use here; `None` takes both.

    Raises:
        UsageError: `unknown-template`, `unknown-version`, `template-kind`.
    """
    name, mark, version = reference.partition("@")
    entry = index.entry(name)
    if entry is None:
        raise _unknown(index, name, kind)
    if kind is not None and entry.kind != kind:
        raise _wrong_kind(entry)
    if mark and version not in entry.versions:
        raise _unknown_version(entry, version)
    return Resolved(entry=entry, version=version or entry.newest, was_pinned=bool(mark))


def _unknown(index: Index, name: str, kind: str | None) -> UsageError:
    known = [entry.name for entry in index.search(()) if kind in {None, entry.kind}]
    # A name without its vendor is the most likely slip, and too short to be near by spelling.
    same = [full for full in index.names if full.partition("/")[2] == name.rpartition("/")[2]]
    meant = same[0] if same else nearest(name, index.names)
    return UsageError(
        f"there is no template {quote(name)}; known templates: {_listed(known)}",
        code="unknown-template",
        hint=f"did you mean {quote(meant)}?" if meant else "`patterns search` lists them all",
    )


def _unknown_version(entry: TemplateEntry, version: str) -> UsageError:
    versions = sorted(entry.versions, key=version_number)
    return UsageError(
        f"template {quote(entry.name)} has no version {quote(version)}; known versions: {_listed(versions)}",
        code="unknown-version",
        hint=did_you_mean(version, versions) or f"leave it out for the newest, {quote(entry.newest)}",
    )


def _wrong_kind(entry: TemplateEntry) -> UsageError:
    if entry.kind == "component":
        message = f"{quote(entry.name)} is a component, expected a template"
        hint = f'include it: add {{"uses": "{entry.name}@{entry.newest}"}} to "scripts" in manifest.json'
    elif entry.kind == "app":
        message = f"template {quote(entry.name)} is a whole app, expected one for a script"
        hint = f"patterns create app NAME --from-template={entry.name}"
    else:
        message = f"template {quote(entry.name)} is for a script, expected one for an app"
        hint = f"create the app, then in it: patterns add script --from-template={entry.name}"
    return UsageError(message, code="template-kind", hint=hint)


def _listed(names: list[str]) -> str:
    return ", ".join(map(quote, names)) or "none"
