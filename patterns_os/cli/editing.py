"""What the commands share that edit the author's files: read, change, write, compile, tell."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from patterns_os.adapters.files.authored import Change, read_authored, write_changes
from patterns_os.cli.console import note, say
from patterns_os.composition.authoring import find_app, load
from patterns_os.diagnostics import Diagnostic, Severity, has_errors, quote, render_diagnostic
from patterns_os.errors import CompileError, UsageError
from patterns_os.graph.vertices import Access, Graph
from patterns_os.manifest.document import parse_document
from patterns_os.manifest.parse import Parsed, parse_configuration, parse_manifest
from patterns_os.manifest.schema import CONFIGURATION_SCHEMA_URL
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.plan.compile import CONFIGURATION, MANIFEST, Compiled
from patterns_os.registry.install import append_entries

_NEW_CONFIGURATION = f'{{\n  "$schema": "{CONFIGURATION_SCHEMA_URL}"\n}}\n'.encode()

# What a new script lacks of models is told with the command that mends it.
_ABOUT_MODELS = frozenset({"no-text-model", "unknown-model"})

# What has just been added is not used yet: that is for `patterns compile` to tell, when all is there.
_NOT_USED_YET = frozenset(
    {
        "unlisted-script",
        "unused-model",
        "unused-parameter",
        "unused-runtime",
        "unused-storage",
        "unused-store",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Editing:
    """An app whose files are about to change.

    Attributes:
        manifest: Text of `manifest.json`.
        configuration: Text of `patterns.json`, `None` where there is none.
        spec: What the manifest says.
        known: What the app's files were said to lack before the change.
    """

    app: Path
    manifest: bytes
    configuration: bytes | None
    spec: ManifestSpec
    known: tuple[Diagnostic, ...]

    @property
    def configuration_data(self) -> Any:  # noqa: ANN401 - plain JSON data
        """What `patterns.json` says, as it is written; `None` where there is none."""
        return None if self.configuration is None else parse_document(CONFIGURATION, self.configuration).data


def open_for_editing() -> Editing:
    """Read the app here.

    Raises:
        UsageError: No app is here (`no-app`), or one without a manifest.json (`no-manifest`).
        CompileError: Its manifest.json has no shape that could be edited.
    """
    app = find_app(Path.cwd())
    manifest = read_authored(app / MANIFEST)
    if manifest is None:
        raise UsageError(
            f'The app in "{app}" has no manifest.json to add to',
            code="no-manifest",
            hint="`patterns convert` writes it, from the graph.yml",
        )
    parsed = parse_manifest(manifest)
    if parsed.spec is None or has_errors(parsed.document.diagnostics):
        raise CompileError(parsed.diagnostics)
    configuration = read_authored(app / CONFIGURATION)
    return Editing(
        app=app, manifest=manifest, configuration=configuration, spec=parsed.spec, known=load(app).diagnostics
    )


def save(
    editing: Editing,
    *,
    manifest: bytes | None = None,
    configuration: bytes | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Compiled:
    """Write what is given, compile the app and tell what is new in its findings.

    New files come first and the manifest last: until that is written, the app is what it was.

    Raises:
        CompileError: The edit itself would make a mistake; nothing is written.
        UsageError: A file has changed or appeared since it was read.
    """
    changes = [
        Change(path=editing.app / name, before=None, after=text) for name, text in (files or {}).items()
    ]
    if configuration is not None:
        _refuse_mistakes(
            parse_configuration(editing.configuration or b"{}"), parse_configuration(configuration)
        )
        path = editing.app / CONFIGURATION
        changes.append(Change(path=path, before=editing.configuration, after=configuration))
    if manifest is not None:
        _refuse_mistakes(parse_manifest(editing.manifest), parse_manifest(manifest))
        changes.append(Change(path=editing.app / MANIFEST, before=editing.manifest, after=manifest))
    write_changes(tuple(changes))
    return load(editing.app)


def configuration_with(editing: Editing, part: str, entry: dict[str, Any]) -> bytes:
    """Give `patterns.json` with one more entry in a list; a file that is missing begins with its schema."""
    text = _NEW_CONFIGURATION if editing.configuration is None else editing.configuration
    return append_entries(text, {part: (entry,)}, CONFIGURATION)


def tell_findings(editing: Editing, compiled: Compiled, *, models_told: bool = False) -> None:
    """Print findings that were not there before, to standard error.

    Args:
        editing: The app before.
        compiled: The app after.
        models_told: Whether missing models have been told about already.
    """
    known = {(found.code, found.message) for found in editing.known}
    for found in compiled.diagnostics:
        is_told = (models_told and found.code in _ABOUT_MODELS) or found.code in _NOT_USED_YET
        if (found.code, found.message) not in known and not is_told:
            click.echo(render_diagnostic(found), err=True)
    errors = [found for found in compiled.diagnostics if found.severity is Severity.ERROR]
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        click.echo(f"The app does not compile yet: {count}, see `patterns compile`.", err=True)


def tell_node(graph: Graph | None, node: str) -> None:
    """Print what a node reads and writes."""
    edges = graph.edges_of(node) if graph else ()
    reads = sorted({edge.store for edge in edges if edge.access is not Access.WRITE})
    writes = sorted({edge.store for edge in edges if edge.access is Access.WRITE})
    say(f"  reads   {', '.join(reads) or 'nothing'}")
    say(f"  writes  {', '.join(writes) or 'nothing'}")


def missing_models(compiled: Compiled, node: str) -> tuple[str, ...]:
    """Give the models that a node asks for and nobody answers for; the empty name is the app's text model."""
    if compiled.graph is None or (found := compiled.graph.node(node)) is None:
        return ()
    spec = compiled.configuration.spec if compiled.configuration else None
    bound = {binding.name for binding in spec.models} if spec else set()
    asked = dict.fromkeys(use.name for use in found.analysis.uses if use.kind == "model")
    return tuple(name for name in asked if (name not in bound if name else not bound))


def tell_missing_models(names: tuple[str, ...]) -> None:
    """Print how to give each model somebody who answers."""
    for name in names:
        if name:
            say(f"Nobody answers for the model {quote(name)} yet. Offline, or for real:")
        else:
            say("`openai.completion` needs a text model, and the app has none yet. Offline, or for real:")
        shown = name or "base-llm"
        shown = f'"{shown}"' if " " in shown else shown
        say(f"  patterns add model {shown} --provider echo")
        say(f"  patterns add model {shown} --provider openai --model gpt-4o-mini --secret OPENAI_API_KEY")


def tell_unchanged(what: str, where: str = "manifest.json") -> None:
    """Print that there was nothing to do."""
    note(f"{where} has {what} already; nothing has changed")


def taken(what: str, hint: str, where: str = "manifest.json") -> UsageError:
    """Give the error for a name that stands for something else."""
    message = f"{where} has {what} already, with other settings"
    return UsageError(message, code="name-taken", hint=hint)


def _refuse_mistakes(before: Parsed[Any], after: Parsed[Any]) -> None:
    known = {(found.code, found.message) for found in before.diagnostics}
    new = [found for found in after.diagnostics if (found.code, found.message) not in known]
    if has_errors(new):
        # The place would be one in a text that is never written.
        raise CompileError([replace(found, where=None) for found in new])
