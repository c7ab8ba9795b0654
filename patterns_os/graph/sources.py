"""The files of an app as a value: relative path → bytes. Loading them is somebody else's job."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import PurePosixPath


class Sources(Mapping[str, bytes]):
    """The files of an app, sorted by path.

    Paths are relative to the app folder, with forward slashes and without `.` or `..` parts. Equal content is
    equal value, whatever order it was given in.

    Raises:
        ValueError: A path is absolute, empty, or leaves the app folder.
    """

    __slots__ = ("_digests", "_files")

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {path: bytes(files[path]) for path in sorted(files)}
        self._digests: dict[str, str] = {}
        for path in self._files:
            if normalise_path(path) != path:
                raise ValueError(f'"{path}" is not a path inside the app folder')

    def __getitem__(self, path: str) -> bytes:
        """Give the content of the file; `KeyError` if there is none."""
        return self._files[path]

    def __contains__(self, path: object) -> bool:
        """Tell whether there is such a file."""
        return path in self._files

    def __iter__(self) -> Iterator[str]:
        """Give the paths in order."""
        return iter(self._files)

    def digest(self, path: str) -> str | None:
        """Give the SHA-256 (hex) of the file's content, `None` if there is no such file."""
        found = self._digests.get(path)
        if found is None and path in self._files:
            found = self._digests[path] = sha256(self._files[path]).hexdigest()
        return found

    @property
    def listing(self) -> str:
        """A hash (hex) over the paths, whatever the files hold."""
        return sha256("\0".join(self._files).encode("utf-8", "surrogatepass")).hexdigest()

    def __len__(self) -> int:
        """Give the number of files."""
        return len(self._files)

    def __repr__(self) -> str:
        """Give the paths; content would be long and may be secret."""
        return f"Sources({', '.join(self._files)})"

    def __hash__(self) -> int:
        """Hash by paths; equality compares content too."""
        return hash(tuple(self._files))


def normalise_path(path: str) -> str | None:
    """Give the path without `.` and doubled slashes, or `None` if it is empty or leaves the app folder."""
    if _PLAIN.fullmatch(path):
        return path
    if not path or path.startswith("/") or "\\" in path or "\x00" in path:
        return None
    parts = PurePosixPath(path).parts
    return None if ".." in parts or not parts else "/".join(parts)


_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
"""What nearly all paths look like; the others are taken apart."""
