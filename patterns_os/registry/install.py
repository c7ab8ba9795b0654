"""What adding a template does to a manifest: the new text, or why it doesn't fit."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from patterns_os.diagnostics import quote
from patterns_os.errors import CompileError, UsageError
from patterns_os.manifest.document import parse_document
from patterns_os.manifest.edit import append_item
from patterns_os.manifest.parse import parse_manifest
from patterns_os.manifest.scripts import file_stem
from patterns_os.manifest.spec import ManifestSpec, ScriptSpec
from patterns_os.manifest.webhooks import default_url_path
from patterns_os.registry.template import Template

Entries = Mapping[str, tuple[Any, ...]]
"""Entries for the lists of a manifest, by the key of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is to be written.

    Attributes:
        manifest: The new text; the old one where nothing changes.
        added: Entries that are new, as plain data, by the key of their list.
        files: Content by path in the app.
        present: What stands for the template in the manifest already, such as `node "openai_completion"`;
            `None` if it is new. Nothing changes then.
    """

    manifest: bytes
    added: Entries
    files: Mapping[str, bytes]
    present: str | None = None


def install(
    manifest: bytes,
    template: Template,
    *,
    file: str | None = None,
    name: str | None = None,
    trigger: str | None = None,
) -> Installation:
    """Put a template into a manifest, whose comments and layout stay.

    Tables, models, parameters and secrets that the manifest has already are shared. Scripts and webhooks are
    the template's own.

    Args:
        manifest: The text of `manifest.json`.
        template: What is added.
        file: Another name for the template's script.
        name: Another name for its node.
        trigger: Another trigger for its script.

    Raises:
        CompileError: The manifest has mistakes of its own, which come first.
        UsageError: `template-clash`, a name is taken; `template-script`, `file`, `name` or `trigger` is given
            and the template has not exactly one script.
    """
    parsed = parse_manifest(manifest)
    if parsed.spec is None:
        raise CompileError(parsed.diagnostics)
    wanted, files = _as_asked(template, file, name, trigger)
    present = _present(parsed.spec, template.reference, wanted)
    if present is not None:
        return Installation(manifest=manifest, added={}, files={}, present=present)
    for clash in _clashes(parsed.spec, wanted):
        raise _clash(template.reference, *clash)
    added = _new_entries(parsed.spec, wanted)
    return Installation(manifest=append_entries(manifest, added), added=added, files=files)


def append_entries(text: bytes, entries: Entries, file: str = "manifest.json") -> bytes:
    """Give the file with entries at the end of its lists; a list that is missing is made.

    Raises:
        CompileError: The file has mistakes, which must be mended first.
    """
    for part, items in entries.items():
        for item in items:
            text = append_item(parse_document(file, text), f"/{part}", item)
    return text


def _as_asked(
    template: Template, file: str | None, name: str | None, trigger: str | None
) -> tuple[Entries, Mapping[str, bytes]]:
    """Give entries and files with the script named as the person wants it."""
    given = {"file": file, "name": name, "trigger": trigger}
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        return template.additions, template.files
    scripts = template.additions.get("scripts", ())
    if len(scripts) != 1:
        options = ", ".join(quote(key) for key in changes)
        message = (
            f"template {quote(template.reference)} adds {len(scripts) or 'no'} scripts, so that {options}"
        )
        raise UsageError(f"{message} can't be chosen", code="template-script", hint="leave them out")
    script = scripts[0]
    files = {
        (file if file and path == script["file"] else path): text for path, text in template.files.items()
    }
    # "file" stays the first key, as people write it.
    return {**template.additions, "scripts": ({**script, **changes},)}, files


def _present(manifest: ManifestSpec, reference: str, wanted: Entries) -> str | None:
    for entry in wanted.get("scripts", ()):
        for script in manifest.scripts:
            if script.uses == reference and script.file == entry["file"]:
                return f"node {quote(script.node_name)}"
    for entry in () if wanted.get("scripts") else wanted.get("webhooks", ()):
        for webhook in manifest.webhooks:
            if (webhook.title, webhook.table) == (entry["title"], entry["table"]):
                return f"webhook {quote(webhook.title)}"
    return None


def _clashes(manifest: ManifestSpec, wanted: Entries) -> Iterator[tuple[str, str, str]]:
    """Give what the template adds, what has that already, and the hint."""
    nodes = {script.node_name.casefold(): _script(script) for script in manifest.scripts}
    nodes |= {hook.node_name.casefold(): f"webhook {quote(hook.title)}" for hook in manifest.webhooks}
    files = {script.file.casefold(): _script(script) for script in manifest.scripts}
    paths = {hook.url_path: f"webhook {quote(hook.title)}" for hook in manifest.webhooks}
    models = {model.name: model.type for model in manifest.models}
    for entry in wanted.get("scripts", ()):
        if entry["file"].casefold() in files:
            yield f"script {quote(entry['file'])}", files[entry["file"].casefold()], _OTHER_FILE
        node = entry.get("name") or file_stem(entry["file"])
        if node.casefold() in nodes:
            yield f"node {quote(node)}", nodes[node.casefold()], _OTHER_NAME
    for entry in wanted.get("webhooks", ()):
        path = entry.get("path") or default_url_path(entry["title"])
        if entry["title"].casefold() in nodes:
            yield f"webhook {quote(entry['title'])}", nodes[entry["title"].casefold()], _RENAME
        if path in paths:
            yield f"a webhook at {quote(path)}", paths[path], 'give that one another "path"'
    for entry in wanted.get("models", ()):
        if models.get(entry["name"], entry["type"]) not in _SHARED_MODELS.get(entry["type"], {entry["type"]}):
            has = f"model {quote(entry['name'])} of type {quote(models[entry['name']])}"
            yield f"model {quote(entry['name'])} of type {quote(entry['type'])}", has, _RENAME


def _new_entries(manifest: ManifestSpec, wanted: Entries) -> dict[str, tuple[Any, ...]]:
    known = {
        "stores": {store.name.casefold() for store in manifest.stores},
        "models": {model.name.casefold() for model in manifest.models},
        "parameters": {parameter.name.casefold() for parameter in manifest.parameters},
        "secrets": {secret.casefold() for secret in manifest.secrets},
    }
    kept = {
        part: tuple(entry for entry in entries if _name(entry).casefold() not in known.get(part, set()))
        for part, entries in wanted.items()
    }
    return {part: entries for part, entries in kept.items() if entries}


def _name(entry: Any) -> str:  # noqa: ANN401 - an entry of any list of a manifest
    if isinstance(entry, str):
        return entry
    keys: Iterable[str] = ("table", "file", "name") if "title" not in entry else ("title",)
    return str(next(entry[key] for key in keys if key in entry))


def _script(script: ScriptSpec) -> str:
    return f"script {quote(script.file)}"


def _clash(reference: str, adds: str, has: str, hint: str) -> UsageError:
    message = f"template {quote(reference)} adds {adds}, and manifest.json has {has} already"
    return UsageError(message, code="template-clash", hint=hint)


_SHARED_MODELS: Final = {kind: frozenset({"chat", "next-token-text"}) for kind in ("chat", "next-token-text")}
_OTHER_FILE: Final = "name another file: patterns add script OTHER.py --from-template=…"
_OTHER_NAME: Final = "name the node with --name"
_RENAME: Final = "rename that one in manifest.json"
