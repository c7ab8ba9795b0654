"""JSON bodies looked into, for a time that is signed within them or an id that tells deliveries apart."""

from typing import Any

import orjson


def parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Give the JSON value of a body, `None` if it has none."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def value_at(value: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    """Give what a JSON pointer (RFC 6901) leads to, `None` if it leads nowhere."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def with_member(body: bytes, name: str, value: int) -> bytes:
    """Give the text of a JSON object with one more member at its end; the others stay as they are written."""
    inner = body.rstrip()[:-1].rstrip()
    joint = b"" if inner.endswith(b"{") else b", "
    return inner + joint + orjson.dumps(name) + b": " + orjson.dumps(value) + b"}"
