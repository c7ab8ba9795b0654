"""`patterns row`: which run wrote a row, from what, and which runs took it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from patterns_os.adapters.postgres.provenance import row_provenance
from patterns_os.cli.console import print_json, say
from patterns_os.cli.looking import not_deployed, reached
from patterns_os.cli.provenance_text import row_lines

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: patterns row orders 01k9v2m3x7001000000000003a")
def row(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table's name.")],
    patterns_id: Annotated[str, typer.Argument(metavar="PATTERNS_ID", help="The row's id, of table data.")],
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say which run wrote a row, from which rows and deliveries, and which runs have taken it.

    Where a run took one row that row is named, else the range that it took. What is followed is bounded: what is
    left out is said.
    """
    with reached() as found:
        if found.reports is None:
            raise not_deployed(found.name)
        told = row_provenance(
            found.database.conninfo, found.reports.app, found.reports.table(table), patterns_id
        )
    if json:
        print_json({**asdict(told), "deliveries": [asdict(one) for one in told.deliveries()]})
        return
    for line in row_lines(told, datetime.now(UTC)):
        say(line)


command = typer.main.get_command(app)
