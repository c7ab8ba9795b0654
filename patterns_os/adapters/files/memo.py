"""The compiler's memo in a file: outside the app's folder, so that a cloned folder never brings one.

Its answers are unpickled, and what unpickles can run code: the file lies in the user's own cache folder, which
only the user may write, and is not used if anybody else may.
"""

import contextlib
import gc
import marshal
import mmap
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NoReturn

from patterns_os.settings import CACHE_VARIABLE

_HEAD = b"patterns memo 3\n"
"""Changes when files of before can't be read any more."""

_POINTER_BYTES = 8

_MOST_HELD_BYTES = 4 << 20
"""So much that is new is held in memory; more is laid into a file without a name."""

_GENERATIONS = 10
"""So many writings an answer stays that nobody asks for: until the branch or the manifest of before is back."""

_LONGEST_UNUSED_S = 60 * 86400

_MOST_PROCESSES = 4

_WORTH_SHARING = 200
"""So many scripts take longer to look at than other processes take to start."""


class FileMemo:
    """Bytes by key, looked up in a file and written back at the end.

    Neither what is in the file nor much that is new is held in memory: an app of ten thousand nodes has a
    hundred megabytes of answers.
    """

    def __init__(self, path: Path, program: str) -> None:
        """Open the file; one that is missing, broken, of another program or not safe counts as empty.

        Args:
            path: The file.
            program: Hash of the program that asks: another one may give other answers.
        """
        self._path = path
        self._program = program
        self._content: mmap.mmap | bytes = b""
        self._spill: IO[bytes] | None = None
        self._open()

    def get(self, key: str) -> bytes | None:
        """Give what is kept under the key, or `None`."""
        found = self._new.get(key)
        if found is None and self._spill is not None and key in self._spilled:
            start, length = self._spilled[key]
            found = os.pread(self._spill.fileno(), length, start)
        if found is None and key in self._kept:
            _, start, length = self._kept[key]
            found = self._content[start : start + length]
            self._used.add(key)
        return found

    def put(self, key: str, answer: bytes) -> None:
        """Keep the answer; it is in the file after `save`."""
        self._new[key] = answer
        self._spilled.pop(key, None)
        self._new_bytes += len(answer)
        if self._new_bytes > _MOST_HELD_BYTES:
            self._put_down()

    @property
    def size(self) -> int:
        """How many answers there were at the start."""
        return len(self._kept)

    def added(self) -> bytes:
        """Give all answers that are new."""
        return marshal.dumps({key: self.get(key) for key in (*self._spilled, *self._new)})

    def add(self, answers: bytes) -> None:
        """Take what `added` gave in another process; half of a message counts as none."""
        with contextlib.suppress(ValueError, EOFError, TypeError):
            for key, answer in marshal.loads(answers).items():  # noqa: S302 - our own process wrote it
                self.put(key, answer)

    def save(self) -> None:
        """Write it, if anything is new, without what nobody has asked for lately; a full disk is no matter."""
        if not self._new and not self._spilled:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._kept:
                self._forget_others()
            self._write()
            self.close()
            self._open()

    def close(self) -> None:
        """Give back what it holds; what was not saved is gone."""
        if self._spill is not None:
            self._spill.close()
        if isinstance(self._content, mmap.mmap):
            self._content.close()

    def _open(self) -> None:
        self._content, self._generation, self._kept = _read(self._path, self._program)
        self._used: set[str] = set()
        self._new: dict[str, bytes] = {}
        self._spilled: dict[str, tuple[int, int]] = {}
        self._spill = None
        self._new_bytes = 0

    def _put_down(self) -> None:
        """Lay what is new into a file without a name, which is gone when the program is."""
        if self._spill is None:
            self._spill = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the memo
        end = self._spill.seek(0, os.SEEK_END)
        for key, answer in self._new.items():
            self._spilled[key] = (end, len(answer))
            end += self._spill.write(answer)
        self._spill.flush()
        self._new, self._new_bytes = {}, 0

    def _forget_others(self) -> None:
        """Delete the memos of apps that nobody has compiled for long; most of them are not there any more."""
        oldest = time.time() - _LONGEST_UNUSED_S
        for entry in os.scandir(self._path.parent):
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

    def _write(self) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".memo-")
        try:
            with open(handle, "wb") as opened:  # noqa: PTH123 - the handle that mkstemp made, owner only
                opened.write(_HEAD)
                index: dict[str, tuple[int, int, int]] = {}
                for key, generation in self._to_keep():
                    answer = self.get(key) or b""
                    index[key] = (generation, opened.tell(), len(answer))
                    opened.write(answer)
                start = opened.tell()
                opened.write(marshal.dumps((self._program, self._generation + 1, index)))
                opened.write(start.to_bytes(_POINTER_BYTES, "big"))
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _to_keep(self) -> Iterator[tuple[str, int]]:
        now = self._generation + 1
        yield from ((key, now) for key in (*self._spilled, *self._new))
        for key, (generation, _, _) in self._kept.items():
            if key in self._new or key in self._spilled:
                continue
            if key in self._used:
                yield key, now
            elif now - generation < _GENERATIONS:
                yield key, generation


def share(memo: FileMemo, work: Sequence[Callable[[], object]]) -> None:
    """Let other processes do the work, one a core, and put all answers into the memo.

    This process only waits: what parsing leaves behind in memory ends with the others. Small work, work that is
    mostly remembered, and a process with threads (which must not be copied) are left alone: whoever needs an
    answer works it out then.
    """
    cores = min(os.cpu_count() or 1, _MOST_PROCESSES)
    if len(work) - memo.size < _WORTH_SHARING or threading.active_count() > 1 or sys.platform != "linux":
        return
    started = [_start(memo, work[number::cores]) for number in range(cores)] if cores > 1 else []
    for child, reading in started:
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


def _start(memo: FileMemo, work: Sequence[Callable[[], object]]) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work_for(memo, work, writing)
    os.close(writing)
    return child, reading


def _work_for(memo: FileMemo, work: Sequence[Callable[[], object]], writing: int) -> NoReturn:
    """Be another process: whatever happens, nothing of the first one's is written, closed or said."""
    done = 1
    try:
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


def _read(path: Path, program: str) -> tuple["mmap.mmap | bytes", int, dict[str, tuple[int, int, int]]]:
    """Give the file's content, its generation, and where each answer stands: generation, start and length."""
    try:
        with path.open("rb") as opened:
            found = os.fstat(opened.fileno())
            if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return b"", 0, {}
            content = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
        start = int.from_bytes(content[-_POINTER_BYTES:], "big")
        if content[: len(_HEAD)] != _HEAD or not 0 < start < len(content):
            return b"", 0, {}
        index = marshal.loads(content[start:-_POINTER_BYTES])  # noqa: S302 - the user's own file, see above
        made_by, generation, kept = index
    except (OSError, ValueError, EOFError, TypeError):
        return b"", 0, {}
    return (content, generation, kept) if made_by == program else (b"", 0, {})
