"""`patterns convert`: a graph.yml of the older devkit as manifest.json."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.files.authored import Change, read_authored, write_changes
from patterns_os.adapters.files.sources import load_sources
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import note, say
from patterns_os.composition.authoring import find_app
from patterns_os.diagnostics import quote, render_diagnostic
from patterns_os.errors import CompileError, UsageError
from patterns_os.manifest.convert import conversion_notes, manifest_text
from patterns_os.manifest.parse import parse_configuration
from patterns_os.manifest.spec import ManifestSpec
from patterns_os.manifest.spelling import YAML_ENDINGS, parse_app
from patterns_os.plan.compile import CONFIGURATION

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns convert graph.yml")
def convert(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The graph to convert. Default: the app's graph.yml."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; - prints. Default: manifest.json beside FILE.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace a file without asking.")] = False,
) -> None:
    """Write a graph.yml of the older devkit as manifest.json: the same app in the spelling of today.

    Both compile to the same graph. What a manifest has no key for is kept in `metadata`; what is left to do is
    told. The graph.yml stays; once there is a manifest.json, only that is read.
    """
    path = _graph_file(file)
    spec = _read(path)
    text = manifest_text(spec)
    if output is not None and str(output) == "-":
        say(text.rstrip("\n"))
        return
    target = output or path.with_name("manifest.json")
    if target.resolve().parent != path.resolve().parent:
        raise UsageError(
            f"{quote(str(target))} is in another folder than {quote(str(path))}, whose paths it would have",
            code="convert-folder",
            hint=f"write it beside: --output {path.with_name(target.name)}",
        )
    before = read_authored(target)
    if before is not None and before != text.encode():
        confirm(f"Replace {target}?", yes=yes)
    write_changes((Change(path=target, before=before, after=text.encode()),))
    say(f"Wrote {target}")
    for told in conversion_notes(spec):
        note(told)
    note(f"{path.name} is not read any more: delete it when you have seen that all is well")


def _graph_file(file: Path | None) -> Path:
    if file is not None:
        if not file.is_file():
            raise UsageError(f"There is no file {quote(str(file))}", code="convert-file")
        if file.suffix.lower() not in YAML_ENDINGS:
            raise UsageError(
                f"{quote(str(file))} is no graph.yml: expected a name with {' or '.join(YAML_ENDINGS)}",
                code="convert-file",
            )
        return file
    app_folder = find_app(Path.cwd())
    found = next((path for ending in YAML_ENDINGS if (path := app_folder / f"graph{ending}").is_file()), None)
    if found is None:
        raise UsageError(
            "This app has no graph.yml",
            code="convert-file",
            hint="name the file: patterns convert other.yml",
        )
    return found


def _read(path: Path) -> ManifestSpec:
    """Give what the file says, or raise with all that is wrong with it."""
    folder = path.resolve().parent
    sources = load_sources(folder)
    sources[path.name] = path.read_bytes()
    settings = parse_configuration(sources.get(CONFIGURATION, b"{}")).spec
    storages = [storage.name for storage in settings.storages] if settings else []
    parsed = parse_app(path.name, sources, name=folder.name, storages=storages)
    if parsed.spec is None or not parsed.is_good:
        raise CompileError(parsed.diagnostics)
    for found in parsed.diagnostics:
        note(render_diagnostic(found))
    return parsed.spec


command = typer.main.get_command(app)
