"""Files of an app: whole contents by name, below one root that nothing leaves.

Names are relative paths with forward slashes. A written file appears whole when it is closed, or not at all.
"""

import unicodedata
from typing import IO, Any, Protocol

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError

MODES = ("r", "rb", "w", "wb", "a", "ab")

# Control and format-breaking characters: controls, lone surrogates, line and paragraph separators.
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})


class MissingFileError(PermanentError, FileNotFoundError):
    """There is no file of that name; also a `FileNotFoundError`, so that a script can catch what it knows."""


class Files(Protocol):
    """A place that holds files.

    Errors of all calls: `PermanentError` (`file-name`, `file-outside`, `file-kind`, `file-denied`), and
    `TemporaryError` (`file-storage`) where the place does not answer or is full.
    """

    def open(self, name: str, mode: str = "r") -> IO[Any]:
        """Open a file: `r` reads, `w` replaces, `a` goes on after what is there; UTF-8 text, bytes with `b`.

        Line ends are left as they are. What is written becomes visible on close, all at once; a `with` block
        that ends in an exception, and a file that is never closed, change nothing. Of two writers the last to
        close wins, also with `a`.

        Raises:
            MissingFileError: `file-missing`, when reading.
            PermanentError: `file-mode` where the mode is another.
        """

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name (a folder is none)."""

    def delete(self, name: str) -> bool:
        """Delete the file and tell whether there was one; may be repeated."""

    def list(self) -> tuple[str, ...]:
        """Give the names of all files, in all folders, sorted."""


def check_file_name(name: str) -> str:
    """Give the name back.

    Raises:
        PermanentError: `file-name` where it could mean a place outside the root, or different places on
            different systems. Parts that begin with a dot are ours.
    """
    reason = _fault(name)
    if reason is None:
        return name
    shown = name.encode("unicode_escape").decode("ascii") if _has_control(name) else name
    raise PermanentError(
        f"file name {quote(shown)} {reason}",
        code="file-name",
        hint='name a file relative to its storage with forward slashes, for example "reports/today.csv"',
    )


def check_mode(name: str, mode: str) -> str:
    """Give the mode as one of `MODES`; `rt` is `r`.

    Raises:
        PermanentError: `file-mode`.
    """
    plain = mode.replace("t", "", 1) if "b" not in mode else mode
    if plain in MODES:
        return plain
    known = ", ".join(quote(known) for known in MODES)
    raise PermanentError(
        f"file {quote(name)} can't be opened with mode {quote(mode)}, expected one of {known}",
        code="file-mode",
    )


def missing_file(name: str) -> MissingFileError:
    """Give the error of a file that isn't there."""
    return MissingFileError(
        f"file {quote(name)} doesn't exist", code="file-missing", hint="write it first, or check its name"
    )


def _fault(name: str) -> str | None:
    parts = name.split("/")
    faults = (
        (not name, "is empty"),
        (_has_control(name), "has a control character"),
        ("\\" in name, "has a backslash, expected forward slashes"),
        (name.startswith("/"), "is absolute, expected a relative one"),
        (".." in parts, 'has "..", which leaves its folder'),
        ("" in parts or "." in parts, "has an empty part"),
        (any(part.startswith(".") for part in parts), "has a part that begins with a dot"),
        (any(part.endswith((".", " ")) for part in parts), "has a part that ends with a dot or a space"),
        (not unicodedata.is_normalized("NFC", name), "is not in Unicode normal form C"),
    )
    return next((reason for is_fault, reason in faults if is_fault), None)


def _has_control(name: str) -> bool:
    return any(unicodedata.category(character) in _CONTROLS for character in name)
