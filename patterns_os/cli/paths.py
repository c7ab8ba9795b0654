"""Paths as people type them, from wherever they are, as names of files of the app."""

import os.path
from pathlib import Path

from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.values import path_fault


def app_file(app: Path, typed: str) -> str:
    """Give the path relative to the app folder, with forward slashes, of what was typed here.

    Raises:
        UsageError: `bad-path`, it is not inside the app, or hidden, or no name for every system.
    """
    path = Path(os.path.normpath(Path.cwd().resolve() / typed))
    if not path.is_relative_to(app):
        raise _bad(typed, "is not inside the app folder")
    name = path.relative_to(app).as_posix()
    fault = path_fault(name)
    if fault is not None:
        raise _bad(typed, fault)
    if any(part.startswith(".") for part in name.split("/")):
        raise _bad(typed, "is hidden: no part of a script's path may begin with a dot")
    return name


def _bad(typed: str, reason: str) -> UsageError:
    return UsageError(f"{quote(typed)} {reason}", code="bad-path")
