"""Running one script as `__main__`: what it prints becomes lines, what it changes around it is put back."""

from __future__ import annotations

import io
import linecache
import logging
import os
import signal
import sys
import threading
import traceback
import types
from contextlib import ExitStack, suppress
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from patterns import host
from patterns_os.launcher import node_js, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patterns_os.launcher.javascript_script import JavaScriptCode
    from patterns_os.launcher.services import Services

_LONGEST_LINE = 16_384
_OURS = tuple(str(Path(module.__file__ or "").parent) + os.sep for module in (host, wire))
_DATABASE_FAMILIES = {"PT001": ("stale", "stale-token"), "PT002": ("permanent", "table-without-key")}


def compile_script(folder: Path, file: str, source: bytes) -> types.CodeType:
    """Give the code of a script of the app. Its trace-backs show this source, whatever the file says by then."""
    path = str(folder / file)
    code = compile(source, path, "exec", dont_inherit=True)
    text = decode_source(source)
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    return code


def prepare(
    folder: Path, file: str, source: bytes, modules: Mapping[str, bytes]
) -> types.CodeType | JavaScriptCode:
    """Give a script of the app, ready to be executed again and again.

    Args:
        folder: The app's folder.
        file: The script, relative to it; its ending tells the language.
        source: What runs, whatever the file says by now.
        modules: The same for the app's modules that it imports; what is left out is read from the folder.
    """
    if not file.lower().endswith(node_js.ENDINGS):
        return compile_script(folder, file, source)
    from patterns_os.launcher.javascript_script import JavaScriptCode  # noqa: PLC0415 - only nodes that need it

    sources = {path: content.decode("utf-8-sig") for path, content in {**modules, file: source}.items()}
    return JavaScriptCode(folder, file, sources)


def execute(
    code: types.CodeType | JavaScriptCode,
    folder: Path,
    session: host.Host,
    services: Services,
    lines: Lines,
) -> None:
    """Run the script as `__main__`, then put everything back."""
    if not isinstance(code, types.CodeType):
        code.execute(session)
        return
    before = _Surroundings.remember()
    main = types.ModuleType("__main__")
    main.__file__ = code.co_filename
    main.__builtins__ = __builtins__  # type: ignore[attr-defined] # what the interpreter does for scripts
    sys.modules["__main__"] = main
    sys.argv = [main.__file__]
    sys.stdout, sys.stderr = lines.stream("stdout"), lines.stream("stderr")
    with ExitStack() as put_back:
        put_back.callback(before.restore, folder)
        put_back.enter_context(host.use(session))
        services.install(session)
        try:
            exec(code, main.__dict__)  # noqa: S102 - running the author's script is the purpose
        except SystemExit as end:
            if end.code not in (None, 0):
                raise


class Lines:
    """What a script prints, as lines with their run, sent in the order they were printed.

    Threads print too: the process sends one message at a time.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], run: int) -> None:
        self._send = send
        self._run = run
        self._streams: list[_Stream] = []

    def stream(self, name: str) -> io.TextIOBase:
        """Give a text stream for `sys.stdout` or `sys.stderr`."""
        made = _Stream(lambda line: self.write(name, line))
        self._streams.append(made)
        return made

    def write(self, stream: str, line: str) -> None:
        """Send one line."""
        with suppress(OSError):
            self._send({"type": "log", "run": self._run, "stream": stream, "line": line[:_LONGEST_LINE]})

    def close(self) -> None:
        """Send what has no line end."""
        for stream in self._streams:
            stream.end()


def described(error: BaseException, app: Path, log: Callable[[str, str], None]) -> dict[str, Any]:
    """Give an error as data; its trace-back, of the author's frames, goes to the log if it is the author's turn."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(app) + os.sep)]
    family, code = _family(error)
    if family not in {"infrastructure", "stale"}:
        for line in _trace(error, frames, own):
            log("stderr", line)
    place = own[-1] if own else None
    return {
        "family": family,
        "code": code,
        "message": _message(error),
        "hint": getattr(error, "hint", None) or _database_hint(error),
        "retry_after_s": getattr(error, "retry_after_s", None),
        "where": f"{Path(place.filename).relative_to(app)}:{place.lineno}"
        if place
        else getattr(error, "where", None),
    }


def _trace(
    error: BaseException, frames: traceback.StackSummary, own: list[traceback.FrameSummary]
) -> list[str]:
    """Give the trace-back from the author's first frame on, without ours at its end: those are noise.

    An error of a script in another language brings its own.
    """
    if (told := getattr(error, "trace", None)) is not None:
        return list(told)
    shown = frames[frames.index(own[0]) :] if own else []
    while shown and shown[-1].filename.startswith(_OURS):
        shown.pop()
    head = ["Traceback (most recent call last):\n", *traceback.format_list(shown)] if shown else []
    return "".join([*head, *traceback.format_exception_only(error)]).rstrip().split("\n")


class _Stream(io.TextIOBase):
    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = ""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, *more = (self._rest + text).split("\n")
        while more:
            self._line(whole)
            whole, *more = more
        self._rest = whole
        return len(text)

    def end(self) -> None:
        if self._rest:
            self._line(self._rest)
            self._rest = ""


class _Surroundings:
    """What a script may change and the next run must not see."""

    def __init__(self) -> None:
        self._environment = dict(os.environ)
        self._folder = str(Path.cwd())
        self._path = list(sys.path)
        self._arguments = list(sys.argv)
        self._main = sys.modules["__main__"]
        self._streams = (sys.stdout, sys.stderr, sys.stdin)
        self._hooks = (sys.excepthook, sys.displayhook, threading.excepthook)
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        root = logging.getLogger()
        self._logging = (list(root.handlers), root.level)

    @classmethod
    def remember(cls) -> _Surroundings:
        return cls()

    def restore(self, app: Path) -> None:
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(self._folder)
        sys.path[:] = self._path
        sys.argv = self._arguments
        sys.modules["__main__"] = self._main
        sys.stdout, sys.stderr, sys.stdin = self._streams
        sys.excepthook, sys.displayhook, threading.excepthook = self._hooks
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        root = logging.getLogger()
        root.handlers[:], root.level = self._logging
        for name in [name for name, module in sys.modules.items() if _belongs_to(module, app)]:
            del sys.modules[name]


def _belongs_to(module: Any, app: Path) -> bool:  # noqa: ANN401 - sys.modules holds anything
    """Tell whether a module is the app's own: those are imported anew in each run."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.startswith(str(app) + os.sep):
        return False
    parts = Path(path).relative_to(app).parts
    return "site-packages" not in parts and not parts[0].startswith(".")


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the script called sys.exit({error.code!r})"
    text = getattr(error, "message", None) if hasattr(error, "family") else None
    return str(text) if text else f"{type(error).__name__}: {error}".rstrip(": ")


def _family(error: BaseException) -> tuple[str, str]:
    """Say whose turn it is."""
    if isinstance(error, psycopg.OperationalError) and (error.sqlstate or "")[:2] in {"", "08", "53", "57"}:
        return "infrastructure", "storage-unreachable"
    if isinstance(error, psycopg.Error):
        return _DATABASE_FAMILIES.get(error.sqlstate or "", ("node", "database"))
    family = getattr(error, "family", None)
    if family in {"node", "temporary", "permanent"}:
        return family, getattr(error, "code", "node")
    return "node", "script-failed"


def _database_hint(error: BaseException) -> str | None:
    if isinstance(error, psycopg.Error) and error.sqlstate == "PT002":
        return 'declare "unique_on" for the table in manifest.json, or call init(unique_on=[…])'
    return None
