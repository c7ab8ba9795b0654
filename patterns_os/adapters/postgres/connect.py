"""Connections, and the one door where errors of the driver become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads

from patterns_os.errors import InternalError, PatternsError, PermanentError, TemporaryError

CONNECT_TIMEOUT_S = 10
_PASSWORDS = frozenset({"password", "sslpassword"})

set_json_loads(orjson.loads)


class StaleTokenError(PatternsError):
    """The run no longer owns its lane: somebody else has taken over, and nothing was written."""


def connect(conninfo: str) -> psycopg.Connection[DictRow]:
    """Open a connection in autocommit mode that gives rows as dicts.

    Raises:
        TemporaryError: The server cannot be reached now (`storage-unreachable`).
        PermanentError: It refuses us (`storage-refused`), or the address makes no sense.
    """
    with translated(conninfo):
        return psycopg.connect(
            conninfo, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S
        )


async def connect_async(conninfo: str) -> psycopg.AsyncConnection[DictRow]:
    """Open an async connection like `connect`."""
    with translated(conninfo):
        return await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S
        )


@contextmanager
def translated(conninfo: str = "") -> Iterator[None]:
    """Turn errors of the driver raised inside into errors of ours, the original as cause."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, conninfo) from error


def translate(error: psycopg.Error, conninfo: str = "") -> PatternsError:  # noqa: PLR0911 - a table of states
    """Give the error of ours that says the same."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    state = error.sqlstate or ""
    if state == "PT001":
        return StaleTokenError(text, code="stale-token")
    if state == "PT002":
        return PermanentError(
            f"{text}, which upsert needs",
            code="table-without-key",
            hint='declare "unique_on" for the table in manifest.json, or call init(unique_on=[…])',
        )
    if isinstance(error, pg.DiskFull):
        return TemporaryError(f"The database has no disk space left: {text}", code="disk-full")
    if state[:2] in {"28", "3D"} or _is_refusal(text):
        return PermanentError(
            f'The database "{_shown(conninfo)}" refuses the connection: {text}',
            code="storage-refused",
            hint="check user, password and database name of the storage in patterns.json",
        )
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and state[:2] in {
        "",
        "08",
        "53",
        "57",
        "55",
        "40",
    }:
        return TemporaryError(
            f'The database "{_shown(conninfo)}" cannot be reached: {text}' if conninfo else text,
            code="storage-unreachable",
            hint="start the server, or remove the storage from patterns.json to use the embedded one"
            if conninfo
            else None,
        )
    if isinstance(error, psycopg.ProgrammingError) and not state:
        return PermanentError(f"The database address makes no sense: {text}", code="storage-url")
    return InternalError(f"The database answered: {text}", code="database")


def without_password(address: str) -> str:
    """Give the address of a database, a URL or settings such as `host=… dbname=…`, without its passwords."""
    if "://" not in address:
        return _settings_without_password(address)
    parts = urlsplit(address)
    query = [(name, "***" if name in _PASSWORDS else value) for name, value in parse_qsl(parts.query)]
    shown = parts._replace(query=urlencode(query, safe="*/")) if parts.query else parts
    if parts.password is not None:
        host = parts.netloc.rpartition("@")[2]
        shown = shown._replace(netloc=f"{parts.username}:***@{host}")
    return urlunsplit(shown)


def _settings_without_password(address: str) -> str:
    try:
        settings = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        return "postgres"
    return make_conninfo("", **{name: value for name, value in settings.items() if name not in _PASSWORDS})


def _is_refusal(text: str) -> bool:
    return any(word in text for word in ("authentication failed", "does not exist", "no pg_hba.conf entry"))


def _shown(conninfo: str) -> str:
    if "://" in conninfo:
        return without_password(conninfo)
    parts = dict(part.split("=", 1) for part in conninfo.split() if "=" in part)
    return parts.get("dbname", "") or "postgres"
