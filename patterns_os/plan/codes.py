"""The codes of what can be wrong with a plan and with an app folder, with one sentence for each."""

from typing import Final

CODES: Final[dict[str, str]] = {
    "cron-invalid": "A cron names no time that ever comes, or a time zone that does not exist.",
    "no-app": "The folder has no manifest.json.",
    "two-manifests": "The folder has a manifest.json and a graph.yml, and only the first is read.",
}
