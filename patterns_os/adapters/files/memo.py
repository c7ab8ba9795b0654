"""The compiler's memo in a file: outside the app's folder, so that a cloned folder never brings one.

Its answers are unpickled, and what unpickles can run code: the file lies in the user's own cache folder, which
only the user may write, and is not used if anybody else may.
"""

import contextlib
import gc
import marshal
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NoReturn

from patterns_os.settings import CACHE_VARIABLE

Entry = tuple[str, tuple[int, bytes]]

_FORM = 2
"""Changes when files of before can't be read any more."""

_GENERATIONS = 10
"""So many writings an answer stays that nobody asks for: until the branch or the manifest of before is back."""

_PIECE = 1_000
"""So many answers are written at once."""

_LONGEST_UNUSED_S = 60 * 86400

_WORTH_SHARING = 200
"""So many scripts take longer to look at than a second process takes to start."""


class FileMemo:
    """Bytes by key, read from a file at the start and written back at the end."""

    def __init__(self, path: Path, program: str) -> None:
        """Read the file; one that is missing, broken, of another program or not safe counts as empty.

        Args:
            path: The file.
            program: Hash of the program that asks: another one may give other answers.
        """
        self._path = path
        self._program = program
        self._generation, self._kept = _read(path, program)
        self._used: dict[str, bytes] = {}
        self._is_changed = False

    def get(self, key: str) -> bytes | None:
        """Give what is kept under the key, or `None`."""
        found = self._used.get(key)
        if found is None and (kept := self._kept.get(key)) is not None:
            found = self._used[key] = kept[1]
        return found

    def put(self, key: str, answer: bytes) -> None:
        """Keep the answer; it is on disk after `save`."""
        self._used[key] = answer
        self._is_changed = True

    @property
    def size(self) -> int:
        """How many answers there were at the start."""
        return len(self._kept)

    def added(self) -> bytes:
        """Give all answers that are new."""
        return marshal.dumps({key: answer for key, answer in self._used.items() if key not in self._kept})

    def add(self, answers: bytes) -> None:
        """Take what `added` gave in another process; half of a message counts as none."""
        with contextlib.suppress(ValueError, EOFError, TypeError):
            self._used |= marshal.loads(answers)  # noqa: S302 - our own process wrote it
            self._is_changed = True

    def save(self) -> None:
        """Write it, if anything is new, without what nobody has asked for lately; a full disk is no matter."""
        if not self._is_changed:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._kept:
                self._forget_others()
            now = self._generation + 1
            kept = {key: entry for key, entry in self._kept.items() if now - entry[0] < _GENERATIONS}
            kept |= {key: (now, answer) for key, answer in self._used.items()}
            self._write(now, kept)

    def _forget_others(self) -> None:
        """Delete the memos of apps that nobody has compiled for long; most of them are not there any more."""
        oldest = time.time() - _LONGEST_UNUSED_S
        for entry in os.scandir(self._path.parent):
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

    def _write(self, generation: int, kept: dict[str, tuple[int, bytes]]) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".memo-")
        try:
            with open(handle, "wb") as opened:  # noqa: PTH123 - the handle that mkstemp made, owner only
                marshal.dump((_FORM, self._program, generation), opened)
                # In pieces: all of a large app's at once would double what the program needs of memory.
                for piece in _batched(kept.items()):
                    marshal.dump(dict(piece), opened)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _batched(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    rest = iter(entries)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def share(memo: FileMemo, work: Sequence[Callable[[], object]]) -> None:
    """Do half of the work in a second process, and the other half here; all answers go into the memo.

    Small work, work that is mostly remembered, and a process with threads (which must not be copied) are left
    alone: whoever needs an answer works it out then.
    """
    if len(work) - memo.size < _WORTH_SHARING or threading.active_count() > 1 or sys.platform != "linux":
        return
    if os.cpu_count() == 1:
        return
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _work_for(memo, work[1::2], reading, writing)
    os.close(writing)
    for task in work[::2]:
        task()
    with open(reading, "rb") as answers:  # noqa: PTH123 - the end of a pipe
        memo.add(answers.read())
    os.waitpid(child, 0)


@contextlib.contextmanager
def rare_collection() -> Iterator[None]:
    """Look for cycles of garbage less often, and put the usual way back at the end."""
    usual = gc.get_threshold()
    gc.set_threshold(30_000, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _work_for(memo: FileMemo, work: Sequence[Callable[[], object]], reading: int, writing: int) -> NoReturn:
    """Be the second process: whatever happens, nothing of the first one's is written, closed or said."""
    done = 1
    try:
        os.close(reading)
        for task in work:
            task()
        with open(writing, "wb") as answers:
            answers.write(memo.added())
        done = 0
    finally:
        os._exit(done)


def memo_of(app: Path, environ: Mapping[str, str] = os.environ) -> FileMemo | None:
    """Give the memo of an app, or `None` where none is wanted or there is no place for it.

    It lies in `$PATTERNS_CACHE`, else in `$XDG_CACHE_HOME/patterns-os`, else in `~/.cache/patterns-os`;
    `PATTERNS_CACHE=off` means none.
    """
    folder = _folder(environ)
    if folder is None:
        return None
    name = sha256(os.fsencode(app.resolve())).hexdigest()[:32]
    return FileMemo(folder / "compile" / name, _program())


def _folder(environ: Mapping[str, str]) -> Path | None:
    wanted = environ.get(CACHE_VARIABLE)
    if wanted is not None:
        return None if wanted in {"", "off"} else Path(wanted)
    base = environ.get("XDG_CACHE_HOME") or (f"{environ['HOME']}/.cache" if environ.get("HOME") else None)
    return Path(base, "patterns-os") if base else None


def _program() -> str:
    """Give a hash of the compiler itself: its files, and the parsers that it uses, with sizes and times."""
    root = Path(__file__).parents[2]
    digest = sha256(sys.version.encode())
    for library in ("jinja2", "sqlglot", "tree_sitter_javascript", "tree_sitter_typescript"):
        spec = find_spec(library)
        if spec is not None and spec.origin is not None:
            digest.update(f"{spec.origin} {Path(spec.origin).stat().st_mtime_ns}\n".encode())
    for room in ("graph", "manifest", "plan", "rows"):
        for entry in sorted(os.scandir(root / room), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                found = entry.stat()
                digest.update(f"{entry.path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read(path: Path, program: str) -> tuple[int, dict[str, tuple[int, bytes]]]:
    kept: dict[str, tuple[int, bytes]] = {}
    try:
        with path.open("rb") as opened:
            found = os.fstat(opened.fileno())
            if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return 0, {}
            form, made_by, generation = marshal.load(opened)  # noqa: S302 - the user's own file, see above
            if (form, made_by) != (_FORM, program):
                return 0, {}
            while opened.tell() < found.st_size:
                kept |= marshal.load(opened)  # noqa: S302 - the same
    except (OSError, ValueError, EOFError, TypeError):
        return 0, {}
    return generation, kept
