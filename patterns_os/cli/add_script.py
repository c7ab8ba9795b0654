"""Adding scripts: a file of the author's, a starter, or a template."""

from patterns_os.adapters.files.templates import load_index, load_template
from patterns_os.cli.console import note, say
from patterns_os.cli.editing import (
    Editing,
    missing_models,
    save,
    taken,
    tell_findings,
    tell_missing_models,
    tell_node,
    tell_unchanged,
)
from patterns_os.cli.paths import app_file
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.scripts import ScriptSpec, file_stem
from patterns_os.plan.compile import Compiled
from patterns_os.registry.install import Installation, append_entries, install
from patterns_os.registry.resolve import Resolved, resolve
from patterns_os.registry.scripts import check_ending, starter_entry, starter_script


def add_file(editing: Editing, file: str, name: str | None, trigger: str | None) -> None:
    """Put a script into the manifest; where there is no such file, a starter is made."""
    path = editing.app / file
    if path.is_dir():
        raise UsageError(f"{quote(file)} is a folder, expected a script", code="script-ending")
    check_ending(file)
    registered = next((found for found in editing.spec.scripts if found.file == file), None)
    if registered is not None:
        _registered(editing, registered, name, trigger)
        return
    _require_free_name(editing, name or file_stem(file))
    entry = starter_entry(file) if not path.exists() else {"file": file}
    entry |= {key: value for key, value in (("name", name), ("trigger", trigger)) if value is not None}
    files = {} if path.exists() else {file: starter_script(file, editing.spec).encode()}
    compiled = save(editing, files=files, manifest=append_entries(editing.manifest, {"scripts": (entry,)}))
    say(f"Added script {quote(file)}" + (", a starter file to edit" if files else ""))
    _tell_script(editing, compiled, str(name or file_stem(file)))


def add_template(
    editing: Editing, reference: str, file: str | None, name: str | None, trigger: str | None
) -> None:
    """Put a template into the app; its script may get another file, name or trigger."""
    resolved = resolve(load_index(), reference, "script")
    template = load_template(resolved)
    file = app_file(editing.app, file) if file is not None else None
    if file is not None:
        check_ending(file)
    installation = install(editing.manifest, template, file=file, name=name, trigger=trigger)
    if installation.present is not None:
        note(f"{resolved.reference} is in the app already, as {installation.present}; nothing has changed")
        return
    files = {path: text for path, text in installation.files.items() if not _is_there(editing, path, text)}
    compiled = save(editing, manifest=installation.manifest, files=files)
    _tell_template(resolved, installation)
    nodes = [ScriptSpec.model_validate(entry).node_name for entry in installation.added.get("scripts", ())]
    for node in nodes:
        _tell_script(editing, compiled, node)
    for line in template.after:
        say(f"  {line}")
    if not nodes:
        tell_findings(editing, compiled)


def _registered(editing: Editing, script: ScriptSpec, name: str | None, trigger: str | None) -> None:
    if name not in {None, script.name} or trigger not in {None, script.trigger}:
        raise taken(f"script {quote(script.file)}", "change it in manifest.json")
    if (editing.app / script.file).exists():
        tell_unchanged(f"script {quote(script.file)}")
        return
    compiled = save(editing, files={script.file: starter_script(script.file, editing.spec).encode()})
    say(f"Wrote {quote(script.file)}, a starter file to edit: manifest.json had the script already")
    _tell_script(editing, compiled, script.node_name)


def _tell_template(resolved: Resolved, installation: Installation) -> None:
    pinned = "" if resolved.was_pinned else ", the newest version"
    say(f"Added {resolved.reference}{pinned}")
    for hook in installation.added.get("webhooks", ()):
        say(f"  webhook {quote(hook['title'])}: POST {hook['path']} appends to table {quote(hook['table'])}")


def _tell_script(editing: Editing, compiled: Compiled, node: str) -> None:
    tell_node(compiled.graph, node)
    missing = missing_models(compiled, node)
    tell_missing_models(missing)
    tell_findings(editing, compiled, models_told=bool(missing))


def _is_there(editing: Editing, file: str, text: bytes) -> bool:
    """Tell whether the template's file is in the app as the template has it."""
    path = editing.app / file
    if not path.exists():
        return False
    if path.is_file() and path.read_bytes() == text:
        return True
    raise UsageError(
        f"the template brings a file {quote(file)}, and the app has another one of that name",
        code="template-clash",
        hint="name another file: patterns add script OTHER.py --from-template=…",
    )


def _require_free_name(editing: Editing, name: str) -> None:
    owners = {script.node_name.casefold(): f"script {quote(script.file)}" for script in editing.spec.scripts}
    owners |= {hook.node_name.casefold(): f"webhook {quote(hook.title)}" for hook in editing.spec.webhooks}
    owner = owners.get(name.casefold())
    if owner is not None:
        message = f"the node {quote(name)} would have the name that {owner} has already"
        raise UsageError(message, code="name-taken", hint="choose another: --name NAME")
