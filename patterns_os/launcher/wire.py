"""Messages between a supervisor and a node process: four bytes of length, then JSON."""

import socket
import struct
from typing import Any

import orjson

_LENGTH = struct.Struct("!I")


def frame(message: dict[str, Any]) -> bytes:
    """Give the bytes of one message. Lone surrogates in its texts are shown escaped."""
    try:
        body = orjson.dumps(message, default=str)
    except TypeError:
        body = orjson.dumps(_storable(message), default=str)
    return _LENGTH.pack(len(body)) + body


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Wait for one message; `None` when the other side is gone."""
    head = _exactly(connection, _LENGTH.size)
    if head is None:
        return None
    body = _exactly(connection, _LENGTH.unpack(head)[0])
    return None if body is None else orjson.loads(body)


def length_of(head: bytes) -> int:
    """Give the length of the message that follows these four bytes."""
    return int(_LENGTH.unpack(head)[0])


def _storable(value: Any) -> Any:  # noqa: ANN401 - any part of a message
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list) else value


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = connection.recv(count - len(parts))
        except OSError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)
