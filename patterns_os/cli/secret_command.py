"""`patterns secret`: values that never stand in an app's files."""

import json as json_text
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import click
import typer

from patterns_os.adapters.secrets.local import LocalSecrets
from patterns_os.cli.console import box, note, print_json, say, width
from patterns_os.composition.authoring import find_app, load, secrets_of
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import PatternsError, UsageError
from patterns_os.graph.included import asked_secret
from patterns_os.manifest.webhooks import verifying_secrets
from patterns_os.plan.compile import Compiled
from patterns_os.ports.secrets import check_secret_name

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Keep secrets, encrypted. Values come from the environment, .env or the local store.",
    epilog="Example: patterns secret set OPENAI_API_KEY && patterns secret list",
)

_PLACES = {"environment": "the environment", ".env": ".env", "local store": "the local store"}
_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@app.command(
    "set",
    epilog="Examples: patterns secret set API_KEY  ·  patterns secret set API_KEY - < key.txt",
)
def set_secret(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Like an environment variable: OPENAI_API_KEY.")
    ],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE",
            help="Left out: you are asked for it, unseen. -: read from standard input.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Keep a secret, encrypted, in the local store of the app here; an older value is replaced.

    A value written on the command line stays in the shell's history: leave it out, or use -.
    """
    folder = find_app(Path.cwd())
    check_secret_name(name)
    secrets = secrets_of(folder)
    secrets.set(name, _given(name, value))
    say(f"{name} is kept, encrypted, in the local store of {folder.name}.")
    place = secrets.place_of(name)
    if place is not None and place != LocalSecrets.label:
        note(f'"{name}" is also set in {_PLACES[place]}, and that value wins')
    if name not in _uses_of(folder):
        note(f'nothing in this app uses "{name}" yet: name it under "secrets" in manifest.json')


@app.command("list", epilog="Example: patterns secret list --json")
def list_secrets(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List names of secrets, where each value comes from, and what uses it. Values are never shown."""
    folder = find_app(Path.cwd())
    secrets, uses = secrets_of(folder), _uses_of(folder)
    sources = {name: _source(folder, name) for name in sorted({*uses, *secrets.names()})}
    if json:
        print_json(
            [
                {"name": name, "source": source, "declared": name in uses, "used_by": uses.get(name, [])}
                for name, source in sources.items()
            ]
        )
    elif not sources:
        say("This app has no secrets and uses none.")
        note("hint: patterns secret set OPENAI_API_KEY")
    else:
        _show(sources, uses)


@app.command(epilog="Example: patterns secret delete OPENAI_API_KEY")
def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As listed by patterns secret list.")],
) -> None:
    """Delete a secret from the local store of the app here."""
    folder = find_app(Path.cwd())
    secrets = secrets_of(folder)
    if not secrets.delete(check_secret_name(name)):
        raise _not_kept(folder, name)
    say(f"{name} is deleted from the local store of {folder.name}.")
    place = secrets.place_of(name)
    if place is not None:
        note(f'"{name}" is still set in {_PLACES[place]}')


def _show(sources: Mapping[str, str | None], uses: Mapping[str, list[str]]) -> None:
    rows = [
        [name, source or "not set", ", ".join(uses.get(name, ())) or "nothing"]
        for name, source in sources.items()
    ]
    say(box(["name", "comes from", "used by"], rows, limit=width()))
    missing = [name for name, source in sources.items() if source is None]
    if missing:
        note(f"hint: patterns secret set {missing[0]}")


def _given(name: str, value: str | None) -> str:
    """Give the value from the command line, from standard input or from a person."""
    if value == "-":
        return _read_input()
    if value is not None:
        return value
    if not sys.stdin.isatty():
        raise UsageError(
            f'There is no value for "{name}", and nobody to ask for it',
            code="secret-value",
            hint=f"give it on standard input: … | patterns secret set {name} -",
        )
    return str(click.prompt(f"Value of {name} (not shown)", hide_input=True, err=True))


def _read_input() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError("The value on standard input is not UTF-8 text", code="secret-value") from error
    # `echo value |` ends with a line end that nobody means.
    return text.removesuffix("\n").removesuffix("\r")


def _not_kept(folder: Path, name: str) -> UsageError:
    secrets = secrets_of(folder)
    place = secrets.place_of(name)
    if place is not None:
        return UsageError(
            f'Secret "{name}" is set in {_PLACES[place]}, not in the local store',
            code="secret-elsewhere",
            hint=f"remove it from {_PLACES[place]}",
        )
    known = secrets.names()
    return UsageError(
        f'There is no secret "{name}"; known: {", ".join(map(quote, known)) or "none"}',
        code="unknown-secret",
        hint=did_you_mean(name, known),
    )


def _source(folder: Path, name: str) -> str | None:
    """Give where the value comes from; one that is there and can't be read must not hide the others."""
    try:
        return secrets_of(folder).place_of(name)
    except PatternsError as error:
        return f"unreadable: {error.message}"


def _uses_of(folder: Path) -> dict[str, list[str]]:
    """Give the names of the secrets that the app uses, with their users; an app with mistakes counts too."""
    compiled = load(folder)
    uses: dict[str, list[str]] = {}
    for name, user in [*_uses_in_graph(compiled), *_uses_in_files(compiled)]:
        users = uses.setdefault(name, [])
        if user not in users:
            users.append(user)
    return uses


def _uses_in_graph(compiled: Compiled) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for node in compiled.graph.nodes if compiled.graph else ():
        user = node.file or f"webhook {quote(node.name)}"
        names = [name for use in node.analysis.uses if (name := asked_secret(use)) is not None]
        names += node.spec.get("secrets") or ()
        names += verifying_secrets(node.spec.get("verify"))
        found += [(name, user) for name in names]
    return found


def _uses_in_files(compiled: Compiled) -> list[tuple[str, str]]:
    names: list[tuple[str, str]] = []
    if compiled.manifest and compiled.manifest.spec:
        names += [(name, "manifest.json") for name in compiled.manifest.spec.secrets]
    if compiled.configuration:
        spec = compiled.configuration.spec
        if spec:
            models = [model.secret for model in spec.models if model.secret]
            names += [(name, "patterns.json") for name in (*spec.secrets, *models)]
        text = json_text.dumps(compiled.configuration.document.data)
        names += [(name, "patterns.json") for name in _VARIABLE.findall(text)]
    return names


command = typer.main.get_command(app)
