"""`patterns db`: the app's database as an address, and as a file."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.local.folder import own_folder
from patterns_os.adapters.postgres.backup import dump
from patterns_os.adapters.postgres.backup import restore as restore_database
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import note, print_json, say
from patterns_os.composition.authoring import find_app, load
from patterns_os.composition.running import open_database
from patterns_os.errors import UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Back up the app's database, restore it, or get its address.",
)

_Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command(epilog='Example: psql "$(patterns db url)"')
def url(json: _Json = False) -> None:
    """Print the address of the app's database for psql and other tools, with its password."""
    folder = find_app(Path.cwd())
    with open_database(folder, load(folder)) as database:
        if json:
            print_json({"conninfo": database.conninfo, "embedded": database.embedded})
            return
        say(database.conninfo)
        if database.embedded:
            note("the embedded Postgres runs as long as a patterns command does: keep `patterns dev` running")


@app.command(epilog="Example: patterns db backup monday.dump")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    json: _Json = False,
) -> None:
    """Write the app's whole database into a file, while it is in use or not."""
    if file.exists() and not force:
        raise UsageError(f'The file "{file}" is there already', code="file-exists", hint="add --force")
    folder = find_app(Path.cwd())
    with open_database(folder, load(folder)) as database:
        dump(database.conninfo, file)
    if json:
        print_json({"file": str(file), "bytes": file.stat().st_size})
        return
    say(f"{file}: {file.stat().st_size:,} bytes")
    note(f"hint: patterns db restore {file}")


@app.command(epilog="Example: patterns db restore monday.dump --yes")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `patterns db backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: _Json = False,
) -> None:
    """Make the app's database what a backup holds: what is in it now is gone."""
    if not file.is_file():
        raise UsageError(f'There is no file "{file}"', code="file-missing")
    folder = find_app(Path.cwd())
    compiled = load(folder)
    with own_folder(folder, "patterns db restore"), open_database(folder, compiled) as database:
        confirm(f"Replace everything in {database.shown} by what {file} holds?", yes=yes)
        restore_database(database.conninfo, file)
    if json:
        print_json({"file": str(file), "restored": True})
        return
    say(f"restored from {file}")


command = typer.main.get_command(app)
