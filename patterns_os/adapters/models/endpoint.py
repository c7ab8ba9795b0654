"""Where an OpenAI-compatible model is asked, read from the `endpoint` that patterns.json names."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError

DEFAULT_ENDPOINT = "https://api.openai.com/v1"
"""Where a model is asked that names the provider and no endpoint."""

Wire = Literal["chat", "completion"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post, and which of the two wire forms is spoken there."""

    url: str
    wire: Wire

    @property
    def shown(self) -> str:
        """The address for messages: without its query, which may hold a key."""
        return self.url.partition("?")[0]


def target_of(endpoint: str, model_type: str) -> Target:
    """Give the target of an endpoint: a base (`…/v1`), or a whole address, whose ending wins over the type.

    Raises:
        PermanentError: `model-endpoint` where it is no http(s) address or holds a user name or password;
            `model-type` where models of this type don't answer with text.
    """
    parts = _split(endpoint)
    path = parts.path.rstrip("/")
    if path.endswith("/chat/completions"):
        return Target(urlunsplit(parts._replace(path=path)), "chat")
    if path.endswith("/completions"):
        return Target(urlunsplit(parts._replace(path=path)), "completion")
    wire = _wire_of(model_type)
    ending = "/chat/completions" if wire == "chat" else "/completions"
    return Target(urlunsplit(parts._replace(path=path + ending)), wire)


def _split(endpoint: str) -> SplitResult:
    try:
        parts = urlsplit(endpoint.strip())
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise PermanentError(
            f"endpoint {quote(_shown(endpoint))} is no http or https address",
            code="model-endpoint",
            hint=f"write it like {quote(DEFAULT_ENDPOINT)}",
        )
    if "@" in parts.netloc:
        raise PermanentError(
            f"endpoint {quote(_shown(endpoint))} holds a user name or password",
            code="model-endpoint",
            hint='keep the key in a secret, and name that as "secret" of the model',
        )
    return parts._replace(fragment="")


def _shown(endpoint: str) -> str:
    return re.sub(r"//.*@", "//", endpoint.partition("?")[0])


def _wire_of(model_type: str) -> Wire:
    if model_type == "chat":
        return "chat"
    if model_type == "next-token-text":
        return "completion"
    raise PermanentError(
        f'a model of type {quote(model_type)} answers with no text, expected "chat" or "next-token-text"',
        code="model-type",
    )
