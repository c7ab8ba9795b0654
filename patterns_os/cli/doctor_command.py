"""`patterns doctor`: what this machine has, and whether the app's promises hold."""

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.postgres.connect import connect
from patterns_os.adapters.postgres.invariants import check_invariants
from patterns_os.adapters.postgres.migrate import pending_steps
from patterns_os.adapters.postgres.server_binaries import find_binaries, major_version
from patterns_os.cli.console import note, print_json, say, styled
from patterns_os.cli.looking import Reached, reached
from patterns_os.diagnostics import quote, render_diagnostic
from patterns_os.errors import PatternsError, UsageError
from patterns_os.launcher.node_js import HINT, find_node, is_new_enough, node_version
from patterns_os.ports.reports import CheckReport
from patterns_os.settings import LEAST_FREE_BYTES

app = typer.Typer(add_completion=False)

_OURS = "patterns-os"
_OLDEST = (3, 11)


@app.command(epilog="Example: patterns doctor --json")
def doctor(json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> int:
    """Check this machine, the app's database, and the promises that its data keep.

    Changes nothing. Exit code 1 if a check fails.
    """
    checks = []
    for check in _checks():
        checks.append(check)
        if not json:
            _show(check)
    if json:
        print_json([{**asdict(check), "holds": check.holds} for check in checks])
    failed = sum(not check.holds for check in checks)
    if failed and not json:
        note(f"{failed} of {len(checks)} checks failed")
    return int(failed > 0)


def _checks() -> Iterator[CheckReport]:
    yield _python()
    yield _binaries()
    yield _disk()
    yield _node_js()
    yield names_check(_owners())
    try:
        with reached() as found:
            yield from _app_checks(found)
    except UsageError as error:
        if error.code != "no-app":
            raise
        note("no app here: only this machine is checked")
    except PatternsError as error:
        yield CheckReport(name="app", sentence="The app and its database are there.", offending=(str(error),))


def _app_checks(found: Reached) -> Iterator[CheckReport]:
    wrong = () if found.compiled.is_good else tuple(map(render_diagnostic, found.compiled.diagnostics))
    yield CheckReport(name="app", sentence=f"App {quote(found.name)} compiles.", offending=wrong)
    yield CheckReport(name="database", sentence=f"The database answers: {found.database.shown}.")
    with connect(found.database.conninfo) as connection:
        steps = pending_steps(connection)
    if found.reports is None:
        note(f"app {quote(found.name)} has not run yet: it has no data to check")
        return
    # What is missing is laid by the next start: nothing is broken.
    state = (
        f"older than this release ({', '.join(steps)}): the next start brings it up" if steps else "current"
    )
    yield CheckReport(name="schema", sentence=f"The control schema is {state}.")
    yield from check_invariants(found.database.conninfo, found.reports.app)


def _python() -> CheckReport:
    version = platform.python_version()
    old = () if sys.version_info >= _OLDEST else (f"Python 3.11 or newer is needed, this is {version}",)
    sentence = f"Python {version} on {platform.system()} {platform.machine()}."
    return CheckReport(name="python", sentence=sentence, offending=old)


def _binaries() -> CheckReport:
    try:
        folder = find_binaries()
        sentence = f"Postgres {major_version(folder)} for embedded databases: {folder}."
    except PatternsError as error:
        return CheckReport(name="postgres", sentence="An embedded Postgres is here.", offending=(str(error),))
    return CheckReport(name="postgres", sentence=sentence)


def _node_js() -> CheckReport:
    """Nobody needs it but apps with such scripts: where it is not, that is no fault."""
    program = find_node()
    version = node_version(program) if program else None
    if version is not None and is_new_enough(version):
        return CheckReport(
            name="node-js", sentence=f"Node.js {version} for JavaScript and TypeScript: {program}."
        )
    found = f"is too old: {version}" if version else "is not installed"
    return CheckReport(name="node-js", sentence=f"Node.js {found}; scripts in JavaScript need it: {HINT}.")


def _disk() -> CheckReport:
    free = shutil.disk_usage(Path.cwd()).free
    little = (
        (f"less than {LEAST_FREE_BYTES >> 20} MB: webhooks answer 507",) if free < LEAST_FREE_BYTES else ()
    )
    return CheckReport(name="disk", sentence=f"{free / 2**30:.1f} GB are free here.", offending=little)


def names_check(owners: set[str]) -> CheckReport:
    """Tell whether the import name and the command `patterns` are ours alone.

    Args:
        owners: Distributions that own either.
    """
    others = sorted(owners - {_OURS})
    return CheckReport(
        name="names",
        sentence='The import name and the command "patterns" belong to patterns-os.',
        offending=tuple(
            f'distribution "{other}" owns them too, and one hides the other: pip uninstall {other}, '
            f"then pip install --force-reinstall --no-deps {_OURS}"
            for other in others
        ),
    )


def _owners() -> set[str]:
    packages = {name.lower() for name in packages_distributions().get("patterns", [])}
    commands = {
        str(distribution.metadata["Name"]).lower()
        for distribution in distributions()
        for entry in distribution.entry_points
        if entry.group == "console_scripts" and entry.name == "patterns"
    }
    return packages | commands


def _show(check: CheckReport) -> None:
    mark = styled("OK    ", "good") if check.holds else styled("FAILED", "bad")
    say(f"{mark}  {check.name:<9} {check.sentence}")
    for line in check.offending:
        say("\n".join(f"        {part}" for part in line.split("\n")))


command = typer.main.get_command(app)
