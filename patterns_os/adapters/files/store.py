"""Files of an app on a local folder or on anything that fsspec reaches (S3, GCS, memory, …)."""

from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from patterns_os.adapters.files.local import LocalFiles
from patterns_os.adapters.files.remote import RemoteFiles
from patterns_os.ports.files import Files, check_file_name, check_mode


class FileStore:
    """All files below one root. Several stores of one root, also in several processes, are fine.

    Args:
        root: A folder, made when first written to, or an address such as `s3://bucket/path` or `file:///data`.
    """

    def __init__(self, root: str | Path) -> None:
        self._place = _place_of(root)

    def __repr__(self) -> str:
        """Show where the files are."""
        return f"FileStore({self._place!r})"

    def open(self, name: str, mode: str = "r") -> IO[Any]:
        """Open a file, as `ports.files` says."""
        return self._place.open(check_file_name(name), check_mode(name, mode))

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return self._place.exists(check_file_name(name))

    def delete(self, name: str) -> bool:
        """Delete the file and tell whether there was one."""
        return self._place.delete(check_file_name(name))

    def list(self) -> tuple[str, ...]:
        """Give the names of all files, sorted."""
        return self._place.list()

    def read(self, name: str) -> bytes:
        """Give the whole content."""
        with self.open(name, "rb") as opened:
            return bytes(opened.read())


def _place_of(root: str | Path) -> Files:
    if isinstance(root, Path):
        return LocalFiles(root)
    if root.startswith("file://"):
        return LocalFiles(Path(unquote(urlsplit(root).path)))
    return RemoteFiles(root) if "://" in root else LocalFiles(Path(root))
