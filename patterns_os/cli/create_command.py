"""`patterns create`: a new app in a new folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.files.authored import create_files
from patterns_os.adapters.files.templates import load_index, load_template
from patterns_os.cli.console import say
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.document import parse_document
from patterns_os.manifest.edit import set_value
from patterns_os.manifest.starter import app_name, app_title, starter_files
from patterns_os.registry.resolve import resolve

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make a new app in a new folder.")

_NOT_CONTENT = frozenset({".git", ".DS_Store"})


@app.callback()
def create() -> None:
    """Make a new app in a new folder."""


@app.command("app", epilog="Example: patterns create app quick-start && cd quick-start")
def create_app(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the app and its folder; a path works too.")
    ] = None,
    from_template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Start with a whole app: `patterns search` lists them."),
    ] = None,
) -> None:
    """Make a new app in a new folder: manifest.json, patterns.json, readme.md and .gitignore."""
    given = name if name is not None else _ask()
    folder = Path(given)
    # The folder is named as it was typed, for the `cd` that comes next; the manifest takes plain names only.
    plain = app_name(folder.resolve().name)
    _require_empty(folder)
    files = {key: text.encode() for key, text in starter_files(plain).items()}
    origin = ""
    after: tuple[str, ...] = ()
    if from_template is not None:
        template = load_template(resolve(load_index(), from_template, "app"))
        files |= template.files
        files["manifest.json"] = _named(template.files["manifest.json"], plain)
        origin, after = f" from {template.reference}", template.after
    # The manifest comes last: a folder without one is no app, should this be cut short.
    manifest = files.pop("manifest.json")
    create_files(folder, {**files, "manifest.json": manifest})
    _tell(plain, folder, origin, after)


def _ask() -> str:
    if not sys.stdin.isatty():
        raise UsageError("the app has no name", code="no-name", hint="patterns create app my-app")
    return str(typer.prompt("Name of the app")).strip()


def _require_empty(folder: Path) -> None:
    if folder.is_dir():
        content = sorted(path.name for path in folder.iterdir() if path.name not in _NOT_CONTENT)
        if not content:
            return
        shown = ", ".join(map(quote, content[:3])) + (", …" if len(content) > 3 else "")  # noqa: PLR2004 - enough to know it by
        message = f"the folder {quote(str(folder))} is not empty, it holds {shown}"
    elif folder.exists():
        message = f"{quote(str(folder))} is a file, expected a folder or nothing"
    else:
        return
    raise UsageError(message, code="folder-not-empty", hint="choose another name")


def _named(manifest: bytes, name: str) -> bytes:
    for pointer, value in (("/name", name), ("/title", app_title(name))):
        manifest = set_value(parse_document("manifest.json", manifest), pointer, value)
    return manifest


def _tell(name: str, folder: Path, origin: str, after: tuple[str, ...]) -> None:
    say(f"Created the app {quote(name)}{origin} in {folder}\n")
    steps = after or (
        "patterns add script --from-template=patterns/slack-receive-messages@v0",
        "patterns dev",
    )
    if folder.resolve() != Path.cwd():
        shown = quote(str(folder)) if " " in str(folder) else str(folder)
        steps = (f"cd {shown}", *steps)
    for step in steps:
        say(f"  {step}")
    if not after:
        say("\n`patterns search` lists templates.")


command = typer.main.get_command(app)
