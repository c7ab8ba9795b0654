"""Webhook requests over HTTP: the body is read up to its limit, stored, and only then acknowledged."""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from patterns_os.control.ingest import Answer, Ingest
from patterns_os.plan.spec import PlannedWebhook

# How a body travels is the server's to say.
_OURS = frozenset({"connection", "content-length", "transfer-encoding"})

Lookup = Callable[[str], tuple[PlannedWebhook, int] | None]


class WebhookEndpoint:
    """Answers requests to the paths of webhooks, as `lookup` knows them now.

    Args:
        ingest: Takes the requests in.
        lookup: Gives webhook and table number of a path, or `None`.
    """

    def __init__(self, ingest: Ingest, lookup: Lookup) -> None:
        self._ingest = ingest
        self._lookup = lookup

    async def answer(self, request: Request) -> Response:
        """Take a request in."""
        found = self._lookup(request.url.path)
        if found is None:
            return _json(
                404, {"error": "no-webhook", "message": f'no webhook has the path "{request.url.path}"'}
            )
        if request.method != "POST":
            refusal = _json(405, {"error": "method", "message": "webhooks take POST"})
            refusal.headers["allow"] = "POST"
            return refusal
        webhook, table = found
        headers = {name: value for name, value in request.headers.items()}  # noqa: C416 - a multidict becomes a dict
        answer = await self._ingest.receive_parts(webhook, table, request.stream(), headers, _target(request))
        return _answered(answer)


def _target(request: Request) -> str:
    """Give path and query as they were asked for: some senders sign them."""
    path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope.get("query_string") or b""
    return (path + b"?" + query if query else path).decode("latin-1")


def _answered(answer: Answer) -> Response:
    response = _response(answer)
    if answer.retry_after_s is not None:
        response.headers["retry-after"] = str(answer.retry_after_s)
    if answer.is_repeat:
        response.headers["patterns-repeat"] = "true"
    for name, value in answer.headers.items():
        if name.lower() not in _OURS:
            # A header that can't be sent must not fail a request that is stored: it would come again.
            response.headers[name] = value.encode("latin-1", "replace").decode("latin-1")
    return response


def _response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status)
    if isinstance(answer.body, str):
        return Response(answer.body, status_code=answer.status, media_type="text/plain")
    return _json(answer.status, answer.body)


def _json(status: int, body: Any) -> Response:  # noqa: ANN401 - any JSON value
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
