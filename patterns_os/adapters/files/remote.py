"""Files wherever fsspec reaches: what is written is collected locally and sent when it is complete."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from patterns_os.adapters.files.pending import Pending, pending_file
from patterns_os.diagnostics import quote
from patterns_os.errors import PatternsError, PermanentError, TemporaryError
from patterns_os.ports.files import missing_file


class RemoteFiles:
    """Files below an address; names and modes come checked.

    Whether a file is replaced at once is the storage's to say: object stores do so.

    Args:
        root: Such as `s3://bucket/path`.

    Raises:
        PermanentError: `file-storage` where there is no such storage, or its driver is not installed.
    """

    def __init__(self, root: str) -> None:
        self._address = root
        self._storage, path = _storage_of(root)
        self._root = path.rstrip("/")

    def __repr__(self) -> str:
        """Show the address, without what may be a key in it."""
        return _shown(self._address)

    def open(self, name: str, mode: str = "r") -> IO[Any]:
        """Open a file."""
        with _translated(name):
            return self._reading(name, mode) if mode.startswith("r") else self._writing(name, mode)

    def exists(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        with _translated(name):
            return bool(self._storage.isfile(self._path(name)))

    def delete(self, name: str) -> bool:
        """Delete the file."""
        with _translated(name):
            if not self._storage.isfile(self._path(name)):
                return False
            self._storage.rm_file(self._path(name))
            return True

    def list(self) -> tuple[str, ...]:
        """Give the names of all files, sorted."""
        with _translated(""):
            found = self._storage.find(self._root)
        names = (path.removeprefix(self._root).lstrip("/") for path in found)
        return tuple(sorted(name for name in names if not name.startswith(".") and "/." not in name))

    def _reading(self, name: str, mode: str) -> IO[Any]:
        if self._storage.isdir(self._path(name)):
            raise _no_file(name)
        binary = self._storage.open(self._path(name), "rb")
        opened: IO[Any] = binary if "b" in mode else io.TextIOWrapper(binary, encoding="utf-8", newline="")
        return opened

    def _writing(self, name: str, mode: str) -> IO[Any]:
        if self._storage.isdir(self._path(name)):
            raise _no_file(name)
        number, temporary = tempfile.mkstemp(prefix="patterns-")
        discard = Path(temporary).unlink

        def commit(_: int) -> None:
            with _translated(name):
                self._send(temporary, name)
            discard()

        opened = pending_file(number, mode, Pending(commit, discard))
        try:
            if mode.startswith("a") and self.exists(name):
                self._storage.get_file(self._path(name), temporary)
            opened.seek(0, io.SEEK_END)
        except BaseException:
            opened.abandon()
            raise
        return opened

    def _send(self, temporary: str, name: str) -> None:
        path = self._path(name)
        self._storage.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._storage.put_file(temporary, path)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"


def _storage_of(root: str) -> tuple[Any, str]:
    import fsspec  # type: ignore[import-untyped]  # it has no stubs  # noqa: PLC0415 - local files do without

    try:
        storage, path = fsspec.url_to_fs(root, use_listings_cache=False)
    except ImportError as error:
        raise PermanentError(
            f"storage {quote(_shown(root))} needs a driver that is not installed",
            code="file-storage",
            hint=str(error),
        ) from error
    except ValueError as error:
        raise PermanentError(
            f"storage {quote(_shown(root))} is of no known kind",
            code="file-storage",
            hint="for example s3://bucket/path",
        ) from error
    return storage, path


def _shown(address: str) -> str:
    scheme, _, rest = address.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn what drivers raise into our errors."""
    try:
        yield
    except PatternsError:
        raise
    except FileNotFoundError as error:
        raise missing_file(name) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise _no_file(name) from error
    except PermissionError as error:
        raise PermanentError(
            f"file {quote(name)} is denied", code="file-denied", hint="check the storage's credentials"
        ) from error
    except Exception as error:
        raise TemporaryError(
            f"file {quote(name)} fails: {type(error).__name__}", code="file-storage"
        ) from error


def _no_file(name: str) -> PermanentError:
    return PermanentError(f"{quote(name)} is no file", code="file-kind")
