"""Names and defaults that several rooms share. Each says its unit and why it is what it is."""

from pathlib import Path

STATE_FOLDER = ".patterns"
"""Folder inside an app for everything that is the machine's and not the author's; git ignores it."""

DATABASE_URL_VARIABLE = "PATTERNS_DATABASE_URL"
"""Environment variable with the address of the default storage; wins over patterns.json."""

CACHE_VARIABLE = "PATTERNS_CACHE"
"""Environment variable with the folder where the compiler remembers its work; `off` for none."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 3000
"""Where `patterns dev` listens: what the first users' documents print."""

LEAST_FREE_BYTES = 200 * 1024 * 1024
"""Below this much free disk, webhooks answer 507: Postgres panics when its own disk is full."""

LARGEST_BODY_BYTES = 1024 * 1024
"""Largest webhook body in bytes; larger ones get 413."""

PATIENCE_S = 2.5
"""For how many seconds `patterns run` waits for a retry before it leaves it to the next start."""


def state_folder(app: Path) -> Path:
    """Give the app's state folder."""
    return app / STATE_FOLDER
