"""Passwords of database roles, kept in the state folder, readable by its owner only."""

import json
import os
from pathlib import Path


class Credentials:
    """Role name → password in one file of mode 0600. They are made here and never leave this machine."""

    def __init__(self, state_folder: Path) -> None:
        self._file = state_folder / "credentials.json"

    def __call__(self, role: str, fresh: str) -> str:
        """Give the role's password; the first time it is `fresh`, which is kept."""
        known = self._read()
        if role not in known:
            known[role] = fresh
            self._write(known)
        return known[role]

    def _read(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    def _write(self, known: dict[str, str]) -> None:
        draft = self._file.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(known, file)
        draft.replace(self._file)
