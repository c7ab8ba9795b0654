"""Files of the app, on the storage that patterns.json names."""

from __future__ import annotations

from typing import IO, Any, cast

from patterns import host


class File:
    """A file of the app.

    What is written becomes visible when the file is closed, all at once; a `with` block that ends in an
    exception leaves the old content. Files are outside of a run's transaction: a run that is tried again
    writes them again.

    Args:
        name: Relative, with forward slashes, as in the manifest's `stores`.
        mode: `r` reads, `w` replaces, `a` goes on after what is there; with `b` bytes, else UTF-8 text.
    """

    def __init__(self, name: str, mode: str = "r") -> None:
        self.name = name
        self.mode = mode

    def __repr__(self) -> str:
        """Show it as it is written in a script."""
        return f"File({self.name!r})" if self.mode == "r" else f"File({self.name!r}, {self.mode!r})"

    def open(self, mode: str | None = None) -> IO[Any]:
        """Give the opened file, in its own mode unless one is given; the caller closes it, best by `with`.

        Raises:
            FileError: The name is none, or there is no such file to read.
        """
        return host.current().open_file(self.name, mode or self.mode)

    def read(self) -> str | bytes:
        """Give the whole content: bytes where the mode has `b`, else text."""
        return self.read_bytes() if "b" in self.mode else self.read_text()

    def read_text(self) -> str:
        """Give the whole content as text."""
        with self.open("r") as opened:
            return cast("str", opened.read())

    def read_bytes(self) -> bytes:
        """Give the whole content as bytes."""
        with self.open("rb") as opened:
            return cast("bytes", opened.read())

    def write(self, data: str | bytes) -> None:
        """Replace the content, or go on after it where the mode is `a`."""
        kind = "a" if self.mode.startswith("a") else "w"
        with self.open(kind if isinstance(data, str) else f"{kind}b") as opened:
            opened.write(data)

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return host.current().file_exists(self.name)

    def delete(self) -> None:
        """Remove the file; nothing happens if it is not there."""
        host.current().delete_file(self.name)
