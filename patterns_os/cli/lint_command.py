"""`patterns lint`: what is wrong with the app, as a list for people and for programs; and mending it."""

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from patterns_os.adapters.files.authored import Change, write_changes
from patterns_os.cli.console import note, say
from patterns_os.composition.authoring import compile_sources, find_app, load
from patterns_os.diagnostics import Diagnostic, Severity, did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.plan.catalog import ALL_CODES
from patterns_os.plan.compile import Compiled
from patterns_os.plan.formats import Format, count_findings, render_findings
from patterns_os.plan.repairs import Mended, mend, repairs_of

app = typer.Typer(add_completion=False)


@app.command("lint", epilog="Example: patterns lint --fix --strict")
def lint(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without a doubt.")] = False,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="CODE", help="Look at these codes only.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODE", help="Leave these codes out.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.HUMAN,
    strict: Annotated[bool, typer.Option("--strict", help="Take warnings for errors.")] = False,
) -> int:
    """List the findings of the app, warnings too. Exit code 1 if one is an error.

    `--fix` edits manifest.json and patterns.json, never code, and shows each change. `--select` and `--ignore`
    take codes separated by commas, and may be given several times. For severities that last see "rules" in
    patterns.json and the comment `patterns: ignore[CODE]`.
    """
    wanted = _wanted(_codes(select), _codes(ignore))
    folder = find_app(Path.cwd())
    compiled = load(folder)
    if fix:
        mended = mend(compiled, lambda sources: compile_sources(folder, sources), wanted)
        _save(folder, compiled, mended)
        compiled = mended.compiled
    found = [diagnostic for diagnostic in compiled.diagnostics if wanted(diagnostic)]
    text = render_findings(found, form, summaries=ALL_CODES, base=repository_path(folder))
    if text:
        say(text)
    if form is Format.HUMAN:
        _sum_up(compiled, found, wanted, fixed=fix)
    return int(any(strict or diagnostic.severity is Severity.ERROR for diagnostic in found))


def repository_path(folder: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Give the app's folder within the repository that a workflow of GitHub works on, "" elsewhere."""
    workspace = environ.get("GITHUB_WORKSPACE")
    if not workspace or not folder.is_relative_to(Path(workspace).resolve()):
        return ""
    path = folder.relative_to(Path(workspace).resolve()).as_posix()
    return "" if path == "." else path


def _wanted(selected: frozenset[str], ignored: frozenset[str]) -> Callable[[Diagnostic], bool]:
    return lambda found: (not selected or found.code in selected) and found.code not in ignored


def _codes(given: list[str] | None) -> frozenset[str]:
    codes = frozenset(code.strip() for text in given or () for code in text.split(",") if code.strip())
    for code in sorted(codes - ALL_CODES.keys()):
        raise UsageError(
            f"there is no code {quote(code)}",
            code="unknown-code",
            hint=did_you_mean(code, ALL_CODES) or "`patterns explain` lists them",
        )
    return codes


def _save(folder: Path, before: Compiled, mended: Mended) -> None:
    """Write what was mended, and show it on standard error: standard output is for what is left."""
    write_changes(
        tuple(
            Change(path=folder / name, before=before.sources.get(name), after=text)
            for name, text in mended.files.items()
        )
    )
    for name, text in mended.files.items():
        old = before.sources[name].decode("utf-8", "replace").splitlines()
        new = text.decode("utf-8", "replace").splitlines()
        for line in difflib.unified_diff(old, new, name, name, lineterm=""):
            note(line)
    for found in mended.mended:
        note(f"mended {found.code}: {found.message}")


def _sum_up(
    compiled: Compiled, found: list[Diagnostic], wanted: Callable[[Diagnostic], bool], *, fixed: bool
) -> None:
    line = count_findings(found)
    mendable = 0 if fixed else sum(wanted(diagnostic) for diagnostic, _ in repairs_of(compiled))
    note(f"{line}; `patterns lint --fix` mends {mendable} of them" if mendable else line)


command = typer.main.get_command(app)
