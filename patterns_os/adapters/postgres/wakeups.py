"""Hints over LISTEN/NOTIFY that there may be work. Nothing correct depends on them: everyone also polls."""

import asyncio
from collections.abc import Callable

from patterns_os.adapters.postgres.connect import connect, connect_async, translated
from patterns_os.errors import PatternsError

_RETRY_S = 2.0


async def listen(conninfo: str, app: int, wake: Callable[[], None]) -> None:
    """Call `wake` for every hint about the app, for ever; the connection comes back by itself."""
    while True:
        try:
            connection = await connect_async(conninfo)
        except PatternsError:
            await asyncio.sleep(_RETRY_S)
            continue
        try:
            with translated():
                await connection.execute(f"listen {_channel(app)}".encode())
                wake()
                async for _ in connection.notifies():
                    wake()
        except PatternsError:
            await asyncio.sleep(_RETRY_S)
        finally:
            await connection.close()


def notify(conninfo: str, app: int) -> None:
    """Send a hint."""
    with connect(conninfo) as connection, translated():
        connection.execute(f"notify {_channel(app)}".encode())


def _channel(app: int) -> str:
    return f"patterns_os_{int(app)}"
