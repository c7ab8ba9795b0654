"""`patterns reset`: delete the app's data."""

from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.local.folder import own_folder
from patterns_os.adapters.postgres.reset import delete_app
from patterns_os.cli.confirm import confirm
from patterns_os.cli.console import print_json, say
from patterns_os.cli.looking import reached
from patterns_os.composition.authoring import find_app
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns reset --data")
def reset(
    data: Annotated[bool, typer.Option("--data", help="Say that it is the data that shall go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Delete all tables, runs, logs, State and positions of the app. Its files and secrets stay."""
    if not data:
        raise UsageError("Say what shall be reset", code="reset", hint="patterns reset --data")
    with own_folder(find_app(Path.cwd()), "patterns reset"), reached() as found:
        tables = found.reports.tables() if found.reports else []
        rows = sum(table.rows for table in tables)
        counted = f"{len(tables)} table{'' if len(tables) == 1 else 's'} with {rows} rows"
        if found.reports is not None:
            confirm(f"Delete {counted} and the history of app {quote(found.name)}?", yes=yes)
            delete_app(found.database.conninfo, found.reports.app)
    if json:
        print_json({"tables": len(tables), "rows": rows})
        return
    say(f"{counted}: deleted" if tables else "There was nothing to delete")


command = typer.main.get_command(app)
