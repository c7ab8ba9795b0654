"""The address of a storage as a person types it: what it is, and whether it may stand in a file."""

import re
from collections.abc import Container
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError

DATABASES: Final = ("postgresql", "postgres")
FILES: Final = ("s3", "gs", "gcs", "az", "abfs", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedStorage:
    """An address without secrets.

    Attributes:
        shown: As messages may show it.
        is_bare_local: Whether it says no more than "Postgres on this machine".
    """

    kind: Literal["database", "file"]
    shown: str
    is_bare_local: bool


def read_storage(url: str) -> TypedStorage:
    """Give what an address means.

    Raises:
        UsageError: `storage-url`, it is none that is known; `literal-secret`, it holds a password.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        if not url.startswith(("/", "./", "../")):
            raise _unknown(url)
        return TypedStorage(kind="file", shown=url, is_bare_local=False)
    if scheme not in (*DATABASES, *FILES):
        raise _unknown_scheme(scheme)
    _refuse_password(url)
    kind: Literal["database", "file"] = "database" if scheme in DATABASES else "file"
    if kind == "file" and not rest:
        raise UsageError(f"{quote(url)} names no place", code="storage-url", hint=f"{scheme}://bucket/path")
    is_bare = kind == "database" and rest.rstrip("/") in {"", "localhost", "127.0.0.1"}
    return TypedStorage(kind=kind, shown=url, is_bare_local=is_bare)


def storage_name(kind: str, taken: Container[str]) -> str:
    """Give a name that is free: `postgres` or `files`, then with a number."""
    base = "postgres" if kind == "database" else "files"
    numbered = (f"{base}-{number}" for number in count(2))
    return base if base not in taken else next(name for name in numbered if name not in taken)


def _refuse_password(url: str) -> None:
    try:
        parts = urlsplit(url)
        user, password = parts.username, parts.password
        in_query = [
            value for key, value in parse_qsl(parts.query, keep_blank_values=True) if key in _SECRET_KEYS
        ]
    except ValueError as error:
        raise UsageError(
            "the address can't be read, expected postgresql://user@host:5432/name", code="storage-url"
        ) from error
    if password == "":
        raise UsageError(
            "the address has an empty password: the shell has put in the value of a variable that isn't set",
            code="storage-url",
            hint="put the address in single quotes, then ${NAME} is read when the app runs",
        )
    given = [value for value in (password, *in_query) if value is not None]
    if any(not _VARIABLE.fullmatch(value) for value in given):
        scheme = parts.scheme
        example = f"{scheme}://{user or 'user'}:${{DATABASE_PASSWORD}}@{parts.hostname or 'host'}{parts.path}"
        raise UsageError(
            "the address holds a password, which must not stand in patterns.json",
            code="literal-secret",
            hint=f"patterns secret set DATABASE_PASSWORD, then: patterns add storage '{example}'",
        )


def _unknown(url: str) -> UsageError:
    shown = quote(url) if "@" not in url and "password" not in url else "this"
    return UsageError(
        f"{shown} is no address of a storage, expected postgresql://…, s3://…, or a folder like ./files",
        code="storage-url",
        hint="patterns add storage postgresql://localhost",
    )


def _unknown_scheme(scheme: str) -> UsageError:
    known = (*DATABASES, *FILES)
    listed = ", ".join(f"{name}://" for name in known)
    return UsageError(
        f"storages at {scheme}:// are not possible, expected one of {listed}",
        code="storage-url",
        hint=did_you_mean(scheme, known),
    )


_SECRET_KEYS: Final = frozenset({"password", "sslpassword", "secret", "key"})
_VARIABLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
