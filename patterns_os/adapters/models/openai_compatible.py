"""Models behind an OpenAI-compatible endpoint, as most servers of language models speak it.

The HTTP client is imported with the first question: a node that asks none starts without it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson

from patterns_os.adapters.models.endpoint import Target
from patterns_os.diagnostics import quote
from patterns_os.errors import PatternsError, PermanentError, TemporaryError
from patterns_os.ports.models import Answer, Completion, content_text

if TYPE_CHECKING:
    import httpx

RETRIES = 3
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
"""A server that asks for a longer pause is not waited for: the run ends, and its retry waits better."""

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 120.0
"""Seconds without a byte: a large model thinks a minute before its first one."""

_SHOWN_REASON = 300
_TRANSIENT = frozenset({408, 409, 425, 429})


class OpenAICompatibleModel:
    """One model at one endpoint.

    Args:
        name: The app's name of the model, for messages.
        model: The endpoint's name of the model; `None` sends the one of the call's options.
        target: Where to ask.
        key: Value of the secret, sent as a bearer token; `None` sends none.
        key_name: Name of the secret, for messages.
        options: Sent with every question; options of the call win. `timeout_s` is the longest silence.
        sleep: Waits that many seconds.
        jitter: Gives a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str | None,
        target: Target,
        key: str | None = None,
        key_name: str | None = None,
        options: Mapping[str, Any] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._model = model
        self._target = target
        self._key = _checked_key(name, key, key_name)
        self._key_name = key_name
        self._options = dict(options or {})
        self._sleep = sleep
        self._jitter = jitter
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()

    def __repr__(self) -> str:
        """Show name and address, never the key."""
        return f"OpenAICompatibleModel(name={self._name!r}, url={self._target.shown!r})"

    def complete(self, request: Completion) -> Answer:
        """Ask, again up to `RETRIES` times where that may help, and give the first choice of the reply."""
        options = {**self._options, **request.options}
        timeout_s = self._timeout(options.pop("timeout_s", READ_TIMEOUT_S))
        body = self._body(request, options)
        for delay in self._delays():
            try:
                return self._answer(self._post(body, timeout_s))
            except _AgainError as again:
                self._wait(again, delay)
        message = "the loop of attempts ends with an answer or an error"
        raise AssertionError(message)

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _body(self, request: Completion, options: dict[str, Any]) -> bytes:
        if options.get("stream"):
            raise self._permanent(
                "model-request", "gives whole answers only", 'leave out the option "stream"'
            )
        question: dict[str, Any] = (
            {"messages": request.as_messages()}
            if self._target.wire == "chat"
            else {"prompt": request.as_prompt()}
        )
        if self._model is not None:
            options["model"] = self._model
        try:
            return orjson.dumps({**options, **question})
        except TypeError as error:
            raise self._permanent(
                "model-request", f"can't be asked, as the request is no JSON: {error}"
            ) from error

    def _delays(self) -> Iterator[float | None]:
        """Give how long to wait after each attempt, `None` for the last."""
        for attempt in range(RETRIES):
            yield FIRST_DELAY_S * 2**attempt * (0.5 + self._jitter() / 2)
        yield None

    def _wait(self, again: _AgainError, delay: float | None) -> None:
        if delay is None or (again.after_s or 0) > LONGEST_DELAY_S:
            asked = f" and asks for {again.after_s:.0f} s" if again.after_s else ""
            raise self._temporary(
                "model-unavailable", f"is not available: {again.reason}{asked}"
            ) from again.__cause__
        self._sleep(max(delay, again.after_s or 0))

    def _post(self, body: bytes, timeout_s: float) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        timeout = _httpx().Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        try:
            return self._opened().post(self._target.url, content=body, headers=headers, timeout=timeout)
        except _httpx().ReadTimeout as error:
            # Asked again at once, a server that is too slow would only get slower.
            raise self._temporary("model-unavailable", f"has not answered for {timeout_s:g} s") from error
        except _httpx().TransportError as error:
            raise _AgainError(self._masked(_sentence(error))) from error
        except (_httpx().HTTPError, _httpx().InvalidURL, ValueError) as error:
            raise self._permanent(
                "model-endpoint", f"can't be asked: {self._masked(_sentence(error))}"
            ) from error

    def _answer(self, response: httpx.Response) -> Answer:
        if response.status_code in _TRANSIENT or response.status_code >= 500:  # noqa: PLR2004 - server errors
            raise _AgainError(
                f"status {response.status_code}{self._reason(response)}", _retry_after(response)
            )
        if not response.is_success:
            raise self._refusal(response)
        try:
            return self._read(orjson.loads(response.content))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._temporary("model-answer", "gives a reply without a text") from error

    def _read(self, reply: Any) -> Answer:  # noqa: ANN401 - any JSON may come back
        choice = reply["choices"][0]
        content = choice["message"]["content"] if "message" in choice else choice["text"]
        if not isinstance(content, str | list):
            raise TypeError(type(content).__name__)
        return Answer(
            text=content_text(content),
            model=str(reply.get("model") or self._model or ""),
            provider="openai",
            usage=_counts(reply.get("usage")),
            raw=reply,
        )

    def _refusal(self, response: httpx.Response) -> PatternsError:
        status = response.status_code
        if status in {401, 403}:
            return self._no_credentials(status)
        if status == 404:  # noqa: PLR2004 - not found
            return self._permanent(
                "model-not-found",
                f'is not found there (it asks for "model": {quote(self._model or "")})',
                'check "endpoint" and "model" in patterns.json; a model that only chats has the type "chat"',
            )
        if response.is_redirect:
            return self._permanent(
                "model-endpoint", f"is not there: status {status}", 'write the final address as "endpoint"'
            )
        return self._permanent(
            "model-request", f"refuses the request: status {status}{self._reason(response)}"
        )

    def _no_credentials(self, status: int) -> PermanentError:
        if self._key_name is None:
            return self._permanent(
                "model-credentials",
                f"wants a key and gets none: status {status}",
                'add "secret": "NAME" to the model in patterns.json, then `patterns secret set NAME`',
            )
        return self._permanent(
            "model-credentials",
            f"does not accept the key in secret {quote(self._key_name)}: status {status}",
            f"set the right one with `patterns secret set {self._key_name}`",
        )

    def _reason(self, response: httpx.Response) -> str:
        """Give the server's own sentence, without the key should it repeat it, or nothing."""
        try:
            error = orjson.loads(response.content)["error"]
            text = error if isinstance(error, str) else error["message"]
            shown = self._masked(" ".join(str(text).split()))
        except (ValueError, LookupError, TypeError):
            return ""
        return f" ({shown[:_SHOWN_REASON]})" if shown else ""

    def _masked(self, text: str) -> str:
        return text.replace(self._key, f"***{self._key_name}***") if self._key else text

    def _timeout(self, seconds: object) -> float:
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
            return float(seconds)
        raise self._permanent("model-request", f'has "timeout_s": {seconds!r}, expected seconds above 0')

    def _opened(self) -> httpx.Client:
        with self._opening:
            if self._client is None:
                self._client = _httpx().Client()
            return self._client

    def _temporary(self, code: str, what: str) -> TemporaryError:
        return TemporaryError(f"model {quote(self._name)} at {self._target.shown} {what}", code=code)

    def _permanent(self, code: str, what: str, hint: str | None = None) -> PermanentError:
        return PermanentError(
            f"model {quote(self._name)} at {self._target.shown} {what}", code=code, hint=hint
        )


class _AgainError(Exception):
    """One attempt failed in a way that the next one may not; `after_s` is what the server asks to wait."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


@cache
def _httpx() -> ModuleType:
    import httpx  # noqa: PLC0415 - takes longer to import than a node process takes to start

    return httpx


def _checked_key(name: str, key: str | None, key_name: str | None) -> str | None:
    """Give the key without outer white space; refuse what the HTTP client would print in its own error."""
    plain = key.strip() if key is not None else None
    if plain is None or (plain.isascii() and plain.isprintable() and " " not in plain):
        return plain
    raise PermanentError(
        f"model {quote(name)} can't use the key in secret {quote(key_name or '')}: "
        "it has characters that no HTTP header can hold",
        code="model-credentials",
        hint=f"set the right one with `patterns secret set {key_name}`",
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Give the seconds that the server asks to wait; a date counts from its own clock, where it tells it."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
        told = response.headers.get("date")
        now = parsedate_to_datetime(told) if told else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _counts(usage: object) -> dict[str, int]:
    if not isinstance(usage, Mapping):
        return {}
    return {name: count for name, count in usage.items() if isinstance(count, int)}


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
