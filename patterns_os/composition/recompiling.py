"""Compiling one app again and again, as people edit it: what did not change is not worked out anew."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from patterns_os.adapters.files.memo import memo_of, rare_collection
from patterns_os.adapters.files.sources import load_sources
from patterns_os.composition.authoring import compile_sources
from patterns_os.graph.memo import Forgetful, Memo
from patterns_os.graph.sources import Sources
from patterns_os.plan.compile import Compiled

_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


class Recompiler:
    """Compiles an app's folder as often as one asks; not by two threads at once."""

    def __init__(self, app: Path) -> None:
        """Begin with what earlier processes worked out."""
        self._app = app
        self._kept = memo_of(app)
        self._memo = _RecentMemo(self._kept or Forgetful())
        self._is_saved = False

    def compile(self, texts: Mapping[str, bytes] = _NOTHING) -> Compiled:
        """Compile the folder as it is on disk now, with other content for some files.

        Raises:
            PatternsError: The folder is gone, or holds what can't be read.
        """
        sources = Sources({**load_sources(self._app), **texts})
        with rare_collection():
            compiled = compile_sources(self._app, sources, self._memo)
        # A manifest that is half typed asks for nothing; what it will ask for again must stay.
        if compiled.graph is not None:
            self._save()
            self._memo.turn()
        return compiled

    def _save(self) -> None:
        """Leave the first compile's work to later processes; what follows changes with every key."""
        if self._kept is not None and not self._is_saved:
            for key, answer in self._memo.recent():
                if self._kept.get(key) != answer:
                    self._kept.put(key, answer)
            self._kept.save()
        self._is_saved = True


class _RecentMemo:
    """Keeps the answers that the last two compiles used, and asks another memo for those that it lacks."""

    def __init__(self, before: Memo) -> None:
        self._before = before
        self._recent: dict[str, bytes] = {}
        self._older: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """Give what is kept under the key, or `None`."""
        found = self._recent.get(key) or self._older.get(key) or self._before.get(key)
        if found is not None:
            self._recent[key] = found
        return found

    def put(self, key: str, answer: bytes) -> None:
        """Keep the answer."""
        self._recent[key] = answer

    def recent(self) -> tuple[tuple[str, bytes], ...]:
        """Give the answers that were used since the last turn."""
        return tuple(self._recent.items())

    def turn(self) -> None:
        """Begin another compile: what is not used in it is forgotten at its end."""
        self._older, self._recent = self._recent, {}
