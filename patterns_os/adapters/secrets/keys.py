"""The key-encryption key of local secrets: 32 bytes that never lie beside what they protect.

It comes from `PATTERNS_SECRET_KEY`, else from `patterns/key` in the user's configuration folder
(`$XDG_CONFIG_HOME`, else `~/.config`).
"""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError

VARIABLE = "PATTERNS_SECRET_KEY"
SIZE = 32

_HOW = 'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'


class KeySource:
    """Finds the key, and makes one when the first secret is kept.

    Args:
        environ: Environment variables.
        app_folder: The folder whose secrets the key protects; a key inside it is refused.
    """

    def __init__(self, environ: Mapping[str, str], app_folder: Path) -> None:
        self._environ = environ
        self._app_folder = app_folder

    def find(self) -> bytes | None:
        """Give the key, or `None` where there is none yet.

        Raises:
            PermanentError: `secret-key` where it is no key, lies in the app folder, or others can read it.
        """
        given = self._environ.get(VARIABLE)
        if given:
            return _decode(given, VARIABLE)
        return _read(self._file())

    def find_or_make(self) -> bytes:
        """Give the key; without one, make a random one in the user's configuration folder.

        Of several that do so at once all get the same.

        Raises:
            PermanentError: As for `find`, or the folder can't be written.
        """
        return self.find() or _make(self._file())

    def _file(self) -> Path:
        folder = Path(self._environ.get("XDG_CONFIG_HOME") or "")
        # A relative one is to be ignored, says the specification of these folders.
        file = (folder if folder.is_absolute() else _home(self._environ) / ".config") / "patterns" / "key"
        if file.resolve().is_relative_to(self._app_folder.resolve()):
            raise PermanentError(
                f"the key of the secrets, {quote(str(file))}, is inside the app folder that it protects",
                code="secret-key",
                hint=f"give the key in {VARIABLE}: {_HOW}",
            )
        return file


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME")
    if home:
        return Path(home)
    try:
        return Path.home()
    except RuntimeError as error:
        raise PermanentError(
            "there is no home folder to keep the key of the secrets in",
            code="secret-key",
            hint=f"give the key in {VARIABLE}: {_HOW}",
        ) from error


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(4096)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreachable(file, "read", error) from error
    if mode & 0o077:
        raise PermanentError(
            f"the key of the secrets, {quote(str(file))}, can be read by others",
            code="secret-key",
            hint=f"chmod 600 {file}",
        )
    return _decode(content.decode("ascii", "replace"), str(file))


def _make(file: Path) -> bytes:
    """Write a new key beside its place and link it there: the link fails if somebody was faster."""
    made = file.with_name(f".key.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write_new(made, base64.urlsafe_b64encode(secrets.token_bytes(SIZE)) + b"\n")
            os.link(made, file)
        except FileExistsError:
            pass
        finally:
            made.unlink(missing_ok=True)
    except OSError as error:
        raise _unreachable(file, "written", error) from error
    key = _read(file)
    if key is None:
        raise _unreachable(file, "read", FileNotFoundError())
    return key


def _write_new(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())


def _decode(text: str, place: str) -> bytes:
    """Give the bytes of a key in hex or in either alphabet of base64, with or without its padding."""
    plain = text.strip()
    try:
        if len(plain) == 2 * SIZE:
            return bytes.fromhex(plain)
        key = base64.b64decode(plain.translate(str.maketrans("-_", "+/")).rstrip("=") + "=", validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) == SIZE:
        return key
    raise PermanentError(
        f"{quote(place)} holds no key: expected {SIZE} random bytes in base64 or hex",
        code="secret-key",
        hint=_HOW,
    )


def _unreachable(file: Path, done: str, error: OSError) -> PermanentError:
    return PermanentError(
        f"the key of the secrets, {quote(str(file))}, can't be {done}: {error.strerror or 'it is gone'}",
        code="secret-key",
        hint=f"give the key in {VARIABLE}: {_HOW}",
    )
