"""Following an app's folder: which changes can change the app."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watchfiles import Change, DefaultFilter, watch

from patterns_os.adapters.files.sources import is_source
from patterns_os.settings import STATE_FOLDER

SETTLE_MS: Final = 80
"""So long nothing changes before changes count as one."""
FIRST_LOOK_MS: Final = 500
"""After so long a watch has surely begun; what was edited before shows in no change."""


class AppFiles(DefaultFilter):
    """Changes that can change the app: sources and settings, not our own state, not what tools leave behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(ignore_dirs=(*DefaultFilter.ignore_dirs, STATE_FOLDER, "venv"))

    def __call__(self, change: Change, path: str) -> bool:
        """Tell whether the change matters."""
        *folders, name = Path(path).relative_to(self._folder).parts
        hidden = any(folder.startswith(".") for folder in folders)
        return not hidden and (is_source(name) or name == ".env") and super().__call__(change, path)


def changes_of(folder: Path) -> Iterator[None]:
    """Wait for changes of the app, for ever; the first one comes soon, whether there was any or not.

    Raises:
        KeyboardInterrupt: Somebody pressed Ctrl-C.
    """
    is_begun = False
    for changes in watch(
        folder,
        watch_filter=AppFiles(folder),
        debounce=SETTLE_MS * 5,
        step=SETTLE_MS,
        rust_timeout=FIRST_LOOK_MS,
        yield_on_timeout=True,
    ):
        if changes or not is_begun:
            yield None
        is_begun = True
