"""`${{ NAME }}` in the values of parameters: a secret, or `${{ connection.NAME }}` for a connection.

The manifest and the plan keep the text as it is written; whoever runs the node fills in the values. Until
connections are granted by the services themselves, one is a secret too, named `CONNECTION_NAME`: a JSON object
of keys, or the key itself.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

CONNECTION: Final = "connection."
_PLACEHOLDER: Final = re.compile(r"\$\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")
_KEYS_OF_A_CONNECTION: Final = ("api_key", "token", "access_token")


def placeholders(value: object) -> Iterator[str]:
    """Give the names between `${{` and `}}` in all texts of a value, in their order, each time they occur."""
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from placeholders(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from placeholders(inner)


def secret_behind(name: str) -> str:
    """Give the name of the secret that a placeholder needs, of characters that every store of secrets takes."""
    if not name.startswith(CONNECTION):
        return re.sub(r"[^A-Za-z0-9_]", "_", name)
    return "CONNECTION_" + re.sub(r"[^A-Za-z0-9]+", "_", name.removeprefix(CONNECTION)).strip("_").upper()


def fill(value: Any, secret: Callable[[str], str]) -> Any:  # noqa: ANN401 - plain JSON data
    """Give the value with every placeholder replaced.

    A text that is one placeholder of a connection becomes the connection's keys; elsewhere a placeholder
    becomes a part of the text.

    Args:
        value: Plain data.
        secret: Gives a secret's value by name; what it raises goes through.
    """
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        if whole and whole[1].startswith(CONNECTION):
            return _keys(secret(secret_behind(whole[1])))
        return _PLACEHOLDER.sub(lambda found: secret(secret_behind(found[1])), value)
    if isinstance(value, Mapping):
        return {key: fill(inner, secret) for key, inner in value.items()}
    return [fill(inner, secret) for inner in value] if isinstance(value, list | tuple) else value


def _keys(text: str) -> dict[str, Any]:
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    return keys if isinstance(keys, dict) else dict.fromkeys(_KEYS_OF_A_CONNECTION, text)
