"""Asking before something is lost."""

import sys

import click

from patterns_os.errors import UsageError


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless the answer was given; a machine that can't be asked must give it.

    Raises:
        UsageError: There is nobody to ask (`needs-yes`), or the answer is no (`not-confirmed`).
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"Nobody is there to answer: {question}", code="needs-yes", hint="add --yes")
    if not click.confirm(question, default=False, err=True):
        raise UsageError("Nothing is changed", code="not-confirmed")
