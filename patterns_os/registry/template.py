"""One version of a template: what it adds to a manifest, and the files that it brings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import Field

from patterns_os.manifest.spec import ModelSpec, ParameterSpec, ScriptSpec, StoreSpec, WebhookSpec
from patterns_os.manifest.values import FilePath, Items, SecretName, Spec

PLACEHOLDER: Final = "{template}"
"""Stands in `uses` for the template's own name and version."""


class AdditionsSpec(Spec):
    """Entries for the lists of `manifest.json`, as they are written there."""

    noun: ClassVar[str] = "what a template adds"

    scripts: Items[ScriptSpec] = ()
    webhooks: Items[WebhookSpec] = ()
    stores: Items[StoreSpec] = ()
    models: Items[ModelSpec] = ()
    parameters: Items[ParameterSpec] = ()
    secrets: Items[SecretName] = ()


class TemplateFileSpec(Spec):
    """A file that a template brings.

    Attributes:
        source: Where its content lies, relative to the folder of all templates; beside this description
            where it is left out. Thus an app brings the very script that a script template has.
    """

    noun: ClassVar[str] = "a file of a template"

    file: FilePath
    source: FilePath | None = Field(None, alias="from")


class TemplateSpec(Spec):
    """What `template.json` says.

    Attributes:
        manifest: What is added; an app brings its whole `manifest.json` as a file instead.
        after: What is left to do for the person, a line each.
    """

    noun: ClassVar[str] = "a template"

    manifest: AdditionsSpec = AdditionsSpec()
    files: Items[TemplateFileSpec] = ()
    after: Items[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template at hand.

    Attributes:
        reference: Name and version.
        additions: The manifest entries as plain data, in the order of the keys in `template.json`, `uses`
            filled in.
        files: Content by path in the app.
        after: What is left to do for the person.
        readme: What the template says about itself.
    """

    reference: str
    additions: Mapping[str, tuple[Any, ...]]
    files: Mapping[str, bytes]
    after: tuple[str, ...] = ()
    readme: str = ""
