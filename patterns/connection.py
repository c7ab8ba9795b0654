"""Accounts of other services, by the name that the app gives them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from patterns import host
from patterns.errors import NoHostError, ParameterError, PatternsError

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView

_NAMES_OF_A_KEY = ("api_key", "token", "access_token")


class Connection(dict[str, Any]):
    """The keys of an account of another service: `Connection("openai")["api_key"]`.

    They are kept as the secret `CONNECTION_OPENAI`: a JSON object of keys, or the key itself, which then is its
    `api_key`, `token` and `access_token`. A connection that is not kept may be named, as the `type` of a parameter
    is; asking it for anything is an error.

    Args:
        connection_type: Its name.
    """

    def __init__(self, connection_type: str) -> None:
        super().__init__()
        self.connection_type = connection_type
        self._error: PatternsError | None = None
        secret = "CONNECTION_" + re.sub(r"[^A-Za-z0-9]+", "_", connection_type).strip("_").upper()
        try:
            text = host.current().secret(secret)
        except NoHostError:
            raise
        except PatternsError as error:
            self._error = error
            return
        if text is None:
            self._error = ParameterError(
                f'Connection "{connection_type}" is not kept: secret "{secret}" is not set',
                code="secret-missing",
                hint=f"patterns secret set {secret}",
                family="permanent",
            )
        else:
            self.update(_keys(text))

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - whatever is kept; here never
        """Say why there is no such key."""
        self._check()
        known = ", ".join(f'"{name}"' for name in sorted(dict.keys(self))) or "none"
        raise ParameterError(
            f'Connection "{self.connection_type}" has no key "{key}"; its keys: {known}',
            code="connection-key",
            family="permanent",
        )

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as of any dict
        """Give the value of a key, or the default if the connection has no such key."""
        self._check()
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        """Tell whether it has a key of that name."""
        self._check()
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        """Give the names of its keys, one after the other."""
        self._check()
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override] # the view is that of a dict
        """Give the names of its keys."""
        self._check()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override] # the view is that of a dict
        """Give the values of its keys."""
        self._check()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override] # the view is that of a dict
        """Give names and values of its keys."""
        self._check()
        return super().items()

    def __repr__(self) -> str:
        """Give its name: what is printed is kept in logs."""
        return f'Connection("{self.connection_type}")'


def _keys(text: str) -> dict[str, Any]:
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    return keys if isinstance(keys, dict) else dict.fromkeys(_NAMES_OF_A_KEY, text)
