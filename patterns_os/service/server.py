"""The HTTP server: one port for webhooks and for what local commands ask of a running app."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from patterns_os.errors import PermanentError
from patterns_os.service.webhooks import WebhookEndpoint

CONTROL_PATH = "/_patterns"


def build_app(webhooks: WebhookEndpoint, status: Callable[[], Awaitable[dict[str, object]]]) -> Starlette:
    """Give the ASGI app: `/_patterns/status`, and everything else is a webhook's path.

    The status is answered to names of this machine only: a page in a browser can't reach it through a name
    that points here.
    """

    async def answer_status(_: Request) -> Response:
        return JSONResponse(await status())

    local_only = [
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"])
    ]
    return Starlette(
        routes=[
            Route(f"{CONTROL_PATH}/status", answer_status, methods=["GET"], middleware=local_only),
            Route(
                "/{path:path}",
                webhooks.answer,
                methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
            ),
        ]
    )


def bind(host: str, port: int) -> socket.socket:
    """Take the address, before anything else is started.

    Raises:
        PermanentError: Somebody else has it (`port-taken`), or it is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named are small answers sent at once: else each waits 40 ms for the one before.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise PermanentError(
            f"The address {host}:{port} can't be used: {error.strerror or error}",
            code="port-taken",
            hint=f"stop what listens there, or choose another port: patterns dev --port {port + 1}",
        ) from error
    return taken


class _QuietServer(uvicorn.Server):
    """uvicorn without signal handling of its own: Ctrl-C is the command's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class Server:
    """An ASGI app answering on a socket, in our event loop."""

    def __init__(self, app: Starlette, taken: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=5
        )
        self._server = _QuietServer(config)
        self._socket = taken
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer requests from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.005)  # uvicorn has no event for it

    async def stop(self) -> None:
        """Finish what is being answered, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
