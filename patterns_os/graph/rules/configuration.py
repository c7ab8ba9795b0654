"""Rules about patterns.json: what the app runs on, and whether all of it is there and is used."""

import re
from collections.abc import Iterator
from typing import Final

from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.graph.rules.mending import meant, renamed_in_scripts
from patterns_os.graph.rules.rule import Checked, Finding, Repair
from patterns_os.graph.vertices import StoreKind

_HERE: Final = re.compile(
    r"postgres(?:ql)?://(?:[^@/]*@)?(?:localhost|127\.0\.0\.1|\[::1\]|)(?::\d+)?(?:/|$)"
)


def unknown_storages(checked: Checked) -> Iterator[Finding]:
    """Each storage that a store names is in patterns.json, and holds such stores."""
    for store in checked.graph.stores:
        known = _storages(checked, store.kind)
        if store.storage is not None and store.storage not in known:
            yield Finding(
                message=f"{store.kind} {quote(store.name)} is in storage {quote(store.storage)}, "
                f"which is not a {'database' if store.kind is StoreKind.TABLE else 'file'} storage "
                "of patterns.json.",
                where=store.where,
                known=("known storages", known),
                hint=did_you_mean(store.storage, known),
                subject=store.storage,
            )


def rename_storage(checked: Checked, finding: Finding) -> Repair | None:
    """Write the name of the storage that is there and nearly the same."""
    name = meant(finding.subject, finding.known[1]) if finding.known else None
    if name is None or finding.where is None:
        return None
    file, pointer = checked.manifest.document.file, f"{finding.where.pointer}/storage"
    return Repair(file=file, action="set", pointer=pointer, value=name)


def unknown_runtimes(checked: Checked) -> Iterator[Finding]:
    """Each runtime that a script names is in patterns.json."""
    known = _runtimes(checked)
    for node in checked.graph.nodes:
        runtime = node.spec.get("runtime")
        if runtime is not None and runtime not in known:
            yield Finding(
                message=f"node {quote(node.name)} runs in runtime {quote(runtime)}, "
                "which patterns.json does not have.",
                where=node.places.get("runtime", node.where),
                known=("known runtimes", known),
                hint=did_you_mean(runtime, known),
                subject=runtime,
            )


def rename_runtime(checked: Checked, finding: Finding) -> Repair | None:
    """Write the name of the runtime that is there and nearly the same."""
    return renamed_in_scripts(checked, finding, ("runtime",))


def unused_runtimes(checked: Checked) -> Iterator[Finding]:
    """Each runtime of patterns.json is named by a script."""
    used = {script.runtime for script in checked.spec.scripts}
    for index, name in enumerate(_runtimes(checked)):
        if name not in used:
            yield Finding(
                message=f"no script runs in runtime {quote(name)}.",
                where=checked.in_configuration(f"/runtimes/{index}"),
                hint=f'remove it, or add "runtime": {quote(name)} to the script that needs it',
                subject=name,
            )


def remove_runtime(checked: Checked, finding: Finding) -> Repair | None:
    """Take the runtime out of patterns.json, unless a script names one that is nearly the same."""
    named = [script.runtime for script in checked.spec.scripts if script.runtime is not None]
    parsed = checked.parsed_configuration
    if parsed is None or meant(finding.subject, named) is not None:
        return None
    pointer = f"/runtimes/{_runtimes(checked).index(finding.subject)}"
    return Repair(file=parsed.document.file, action="remove", pointer=pointer)


def unused_storages(checked: Checked) -> Iterator[Finding]:
    """Each storage is the default for its kind, or a store names it."""
    settings = checked.configuration
    if settings is None:
        return
    used = {store.storage for store in checked.graph.stores}
    defaults = {storage.name for storage in (*settings.databases[:1], *settings.file_storages[:1])}
    for index, storage in enumerate(settings.storages):
        if storage.name not in used | defaults:
            yield Finding(
                message=f"no store is in storage {quote(storage.name)}, and it is not the first "
                f"{storage.type} storage, which is the default.",
                where=checked.in_configuration(f"/storages/{index}"),
                hint=f'add "storage": {quote(storage.name)} to the stores that belong there, or remove it',
            )


def unreachable_storages(checked: Checked) -> Iterator[Finding]:
    """Launchers in containers and on other hosts can reach the database."""
    settings = checked.configuration
    if settings is None or settings.deployment.engine == "local":
        return
    engine = settings.deployment.engine
    if not settings.databases:
        yield Finding(
            message=f"launchers of the engine {quote(engine)} cannot reach the embedded database, "
            "which only this machine's processes can.",
            where=checked.in_configuration("/deployment/engine"),
            hint="patterns add storage postgresql://HOST/DATABASE",
        )
    for index, storage in enumerate(settings.storages):
        if storage.type == "database" and _HERE.match(storage.url):
            yield Finding(
                message=f"storage {quote(storage.name)} is on this machine, and launchers of the engine "
                f"{quote(engine)} run in containers, where that name is the container itself.",
                where=checked.in_configuration(f"/storages/{index}/url"),
                hint="give the address that other machines use for this one",
            )


def _storages(checked: Checked, kind: StoreKind) -> tuple[str, ...]:
    if checked.configuration is None:
        return ()
    is_table = kind is StoreKind.TABLE
    storages = checked.configuration.databases if is_table else checked.configuration.file_storages
    return tuple(storage.name for storage in storages)


def _runtimes(checked: Checked) -> tuple[str, ...]:
    found = checked.configuration.runtimes if checked.configuration else ()
    return tuple(runtime.name for runtime in found)
