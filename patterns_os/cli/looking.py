"""What the commands share that look at an app: they find it and its database, and deploy nothing."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patterns_os.adapters.local.folder import Holder, holder
from patterns_os.adapters.postgres.reports import PostgresReports, open_reports
from patterns_os.cli.console import note
from patterns_os.composition.authoring import find_app, load
from patterns_os.composition.running import Database, open_database
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import CompileError, UsageError
from patterns_os.plan.compile import Compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """An app and its database.

    Attributes:
        name: The app's name.
        reports: What can be told about it, `None` if it was never deployed.
        running: Who runs the app now, if anybody.
    """

    app: Path
    name: str
    compiled: Compiled
    database: Database
    reports: PostgresReports | None
    running: Holder | None


@contextmanager
def reached() -> Iterator[Reached]:
    """Reach the database of the app here, whether it was ever deployed or not.

    Mistakes in the app's files do not matter as long as its name can be read.
    """
    app = find_app(Path.cwd())
    compiled = load(app)
    if compiled.graph is None:
        raise CompileError(compiled.diagnostics)
    name = compiled.graph.app
    with open_database(app, compiled) as database, open_reports(database.conninfo, name) as reports:
        if database.notice:
            note(database.notice)
        yield Reached(
            app=app, name=name, compiled=compiled, database=database, reports=reports, running=holder(app)
        )


@contextmanager
def looking() -> Iterator[PostgresReports]:
    """Give what can be told about the app here.

    Raises:
        UsageError: It was never deployed (`not-deployed`).
    """
    with reached() as found:
        if found.reports is None:
            raise not_deployed(found.name)
        yield found.reports


def not_deployed(app: str, hint: str = "patterns run, or patterns dev") -> UsageError:
    """Give the error for an app that has no tables, runs or logs because it never ran."""
    return UsageError(
        f"App {quote(app)} has not run yet: there is nothing to show",
        code="not-deployed",
        hint=hint,
    )


def word(name: str) -> str:
    """Give a name as people type it into a shell."""
    return (
        name
        if shlex.quote(name) == name
        else f'"{name}"'
        if name.replace(" ", "").isalnum()
        else shlex.quote(name)
    )


def known_node(reports: PostgresReports, given: str) -> str:
    """Give the name of the node that somebody means: by its name, or by its script's file.

    Raises:
        UsageError: There is none (`unknown-node`).
    """
    names = reports.node_names()
    if given in names:
        return given
    for node in reports.plan.nodes if reports.plan else ():
        if node.file == given:
            return node.name
    raise unknown_node(given, names)


def unknown_node(given: str, known: list[str]) -> UsageError:
    """Give the error for a name that no node has."""
    shown = ", ".join(map(quote, known)) or "none"
    return UsageError(
        f"No node has the name {quote(given)}; known nodes: {shown}",
        code="unknown-node",
        hint=did_you_mean(given, known),
    )
