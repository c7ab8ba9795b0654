"""`patterns compile --watch`: the findings again after each change."""

import json as json_library
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from patterns_os.cli.announcing import stamped
from patterns_os.cli.compile_command import as_data, sum_up
from patterns_os.cli.console import json_default, note, say
from patterns_os.cli.lint_command import repository_path
from patterns_os.cli.watching import changes_of
from patterns_os.composition.recompiling import Recompiler
from patterns_os.diagnostics import render_diagnostic
from patterns_os.errors import PatternsError
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.compile import Compiled
from patterns_os.plan.formats import Format, render_findings


def follow(folder: Path, form: Format, *, json: bool) -> None:
    """Compile the app now and after each change, and print what is found, until somebody presses Ctrl-C."""
    before: Compiled | None = None
    for compiled, seconds in _compiles(folder):
        if before is not None and compiled.sources == before.sources and compiled == before:
            continue
        before = compiled
        if form is Format.HUMAN:
            _say(compiled, round(seconds * 1000), json=json)
        else:
            base = repository_path(folder)
            say(render_findings(compiled.diagnostics, form, summaries=ALL_CODES, base=base))


def _say(compiled: Compiled, taken_ms: int, *, json: bool) -> None:
    if json:
        said = {"at": datetime.now(UTC).isoformat(), "ms": taken_ms, **as_data(compiled)}
        say(json_library.dumps(said, default=json_default, ensure_ascii=False))
        return
    for found in compiled.diagnostics:
        click.echo(render_diagnostic(found), err=True)
    version = f", version {compiled.plan.version_hash[:8]}" if compiled.plan else ""
    say(stamped(f"{sum_up(compiled)}{version}, in {taken_ms} ms"))


def _compiles(folder: Path) -> Iterator[tuple[Compiled, float]]:
    """Give the app as it is now, and after each change, with the seconds that it took."""
    recompiler = Recompiler(folder)
    began = time.perf_counter()
    yield recompiler.compile(), time.perf_counter() - began
    for _ in changes_of(folder):
        began = time.perf_counter()
        try:
            compiled = recompiler.compile()
        except PatternsError as error:
            note(str(error))
        else:
            yield compiled, time.perf_counter() - began
