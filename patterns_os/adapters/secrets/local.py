"""Secrets encrypted in a file of the app folder (`.patterns/secrets.json`, never in git).

Each value has a data key of its own (AES-256-GCM); the data key is wrapped by the key-encryption key. Both
bind the secret's name, so that no entry can pass for another. `docs/adr/0003-secrets-at-rest.md` says why.
"""

import base64
import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from patterns_os.adapters.secrets.keys import VARIABLE, KeySource
from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError, TemporaryError
from patterns_os.ports.secrets import check_secret_name, check_secret_value

FOLDER = ".patterns"
FILE = "secrets.json"
FORMAT = "patterns-secrets/1"

LOCK_TIMEOUT_S = 10.0
"""A write takes milliseconds: who holds the lock for longer is stopped or stuck."""

_NONCE_BYTES = 12
_KEY_BYTES = 32


class LocalSecrets:
    """The local store of one app.

    An older copy of the whole file, and an entry taken out of it, can't be told from the real thing.

    Args:
        app_folder: The app folder.
        environ: Environment variables, for the key.
    """

    label = "local store"

    def __init__(self, app_folder: Path, environ: Mapping[str, str]) -> None:
        self._file = app_folder / FOLDER / FILE
        self._keys = KeySource(environ, app_folder)

    def __repr__(self) -> str:
        """Show the place, no value."""
        return f"LocalSecrets({str(self._file)!r})"

    def get(self, name: str) -> str | None:
        """Give the decrypted value."""
        stored = self._read()
        entry = stored["secrets"].get(check_secret_name(name))
        if entry is None:
            return None
        try:
            return _unseal(entry, name, self._key_of(stored))
        except _BrokenError as error:
            raise self._damaged(f"secret {quote(name)} does not decrypt") from error

    def set(self, name: str, value: str) -> None:
        """Encrypt and keep the value; the first secret also makes the key, where none is given."""
        check_secret_value(check_secret_name(name), value)
        with self._locked():
            stored = self._read()
            key = self._key_of(stored) if stored["secrets"] else self._keys.find_or_make()
            sealed = {**stored["secrets"], name: _seal(value, name, key)}
            self._write({"format": FORMAT, "key": _key_id(key), "secrets": sealed})

    def delete(self, name: str) -> bool:
        """Forget the value; needs no key."""
        check_secret_name(name)
        if name not in self._read()["secrets"]:
            return False
        with self._locked():
            stored = self._read()
            found = stored["secrets"].pop(name, None)
            self._write(stored)
        return found is not None

    def names(self) -> tuple[str, ...]:
        """Give the names in the file; needs no key."""
        return tuple(sorted(self._read()["secrets"]))

    def _key_of(self, stored: Mapping[str, Any]) -> bytes:
        key = self._keys.find()
        if key is not None and _key_id(key) == stored["key"]:
            return key
        raise PermanentError(
            f"the secrets in {quote(str(self._file))} are encrypted with a key that "
            + ("is not here" if key is None else "is not the one given here"),
            code="secret-key",
            hint=f"give the former key in {VARIABLE}, or remove the file and set its secrets again: "
            + ", ".join(sorted(stored["secrets"])),
        )

    def _read(self) -> dict[str, Any]:
        try:
            stored = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {"format": FORMAT, "key": "", "secrets": {}}
        except OSError as error:
            raise self._denied("read", error) from error
        except (ValueError, RecursionError) as error:
            raise self._damaged("it is no JSON") from error
        if not _is_store(stored):
            raise self._damaged(f"it is not of the format {quote(FORMAT)}")
        return dict(stored)

    def _write(self, stored: Mapping[str, Any]) -> None:
        """Put the new file in the old one's place; `mkstemp` makes it readable by its owner only."""
        try:
            number, temporary = tempfile.mkstemp(prefix=".secrets-", dir=self._file.parent)
            try:
                with os.fdopen(number, "wb") as opened:
                    opened.write(json.dumps(stored, indent=2, sort_keys=True).encode() + b"\n")
                    opened.flush()
                    os.fsync(opened.fileno())
                Path(temporary).replace(self._file)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            _sync_folder(self._file.parent)
        except OSError as error:
            raise self._denied("written", error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock_file() as number:
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while not _try_lock(number):
                if time.monotonic() > deadline:
                    raise TemporaryError(
                        f"{quote(str(self._file))} is locked by another process", code="secret-busy"
                    )
                time.sleep(0.01)
            yield

    @contextmanager
    def _lock_file(self) -> Iterator[int]:
        try:
            _make_folder(self._file.parent)
            number = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._denied("written", error) from error
        try:
            yield number
        finally:
            os.close(number)

    def _damaged(self, reason: str) -> PermanentError:
        return PermanentError(
            f"{quote(str(self._file))} was changed or is not ours: {reason}",
            code="secret-file",
            hint="put back a good copy, or remove the file and set its secrets again",
        )

    def _denied(self, done: str, error: OSError) -> PermanentError:
        return PermanentError(
            f"{quote(str(self._file))} can't be {done}: {error.strerror}",
            code="secret-file",
            hint="check the owner and the mode of the file and its folder",
        )


class _BrokenError(Exception):
    """An entry is not what was written under this name with this key."""


def _seal(value: str, name: str, key: bytes) -> dict[str, str]:
    data_key = secrets.token_bytes(_KEY_BYTES)
    return {
        "key": _encrypt(key, data_key, _bound("key", name)),
        "value": _encrypt(data_key, value.encode(), _bound("value", name)),
    }


def _unseal(entry: Mapping[str, str], name: str, key: bytes) -> str:
    data_key = _decrypt(key, entry["key"], _bound("key", name))
    return _decrypt(data_key, entry["value"], _bound("value", name)).decode()


def _bound(part: str, name: str) -> bytes:
    return f"{FORMAT}/{part}/{name}".encode()


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64.b64encode(nonce + _cipher(key).encrypt(nonce, plain, bound)).decode()


def _decrypt(key: bytes, sealed: str, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as for `_cipher`

    try:
        packed = base64.b64decode(sealed, validate=True)
        return bytes(_cipher(key).decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], bound))
    except (InvalidTag, ValueError) as error:
        raise _BrokenError from error


def _cipher(key: bytes) -> Any:  # noqa: ANN401 - its type needs the import that waits
    from cryptography.hazmat.primitives.ciphers.aead import (  # noqa: PLC0415 - slow, and most commands need none
        AESGCM,
    )

    return AESGCM(key)


def _key_id(key: bytes) -> str:
    """Give a name of the key that tells nothing of it: 32 random bytes can't be guessed back from a hash."""
    return sha256(b"patterns-secrets key id " + key).hexdigest()[:16]


def _is_store(stored: object) -> bool:
    return (
        isinstance(stored, dict)
        and stored.get("format") == FORMAT
        and isinstance(stored.get("key"), str)
        and isinstance(stored.get("secrets"), dict)
        and all(map(_is_entry, stored["secrets"].values()))
    )


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(part), str) for part in ("key", "value"))


def _try_lock(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_folder(folder: Path) -> None:
    """Make the folder for its owner only, and have git ignore it whatever the app's own rules say."""
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
