"""What tells that a delivery came before: an id that its sender gives it, or its bytes.

Senders deliver again whatever they got no answer for, and some deliver twice anyway. The id is what the webhook's
`dedupe` says, else what the preset of `verify` is known to send.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from patterns_os.triggers.pointers import value_at

KEPT_DAYS = 7
_DEFAULTS: dict[str, dict[str, str]] = {
    "slack": {"pointer": "/event_id"},
    "github": {"header": "X-GitHub-Delivery"},
    "stripe": {"pointer": "/id"},
    "shopify": {"header": "X-Shopify-Webhook-Id"},
    "twilio": {"header": "I-Twilio-Idempotency-Token"},
    "linear": {"header": "Linear-Delivery"},
    "standard-webhooks": {"header": "webhook-id"},
}


def dedupe_of(
    verify: Mapping[str, Any] | None, dedupe: str | Mapping[str, str] | None
) -> str | Mapping[str, str] | None:
    """Give what tells deliveries of a webhook apart, `None` if nothing does.

    Args:
        verify: What the webhook declares of its senders.
        dedupe: What it declares itself; `off` turns the preset's off.
    """
    if dedupe == "off":
        return None
    return dedupe or _DEFAULTS.get(str((verify or {}).get("preset") or ""))


def delivery_key(
    dedupe: str | Mapping[str, str] | None,
    body: bytes,
    headers: Mapping[str, str],
    payload: Any,  # noqa: ANN401 - any JSON value
) -> bytes | None:
    """Give the 32 bytes that are the same for deliveries that are the same, `None` if nothing tells.

    Args:
        dedupe: From `dedupe_of`.
        body: The bytes as they came.
        headers: Names in lower case.
        payload: The value of the body, for pointers.
    """
    if dedupe is None:
        return None
    if isinstance(dedupe, str):
        return sha256(body).digest()
    found = headers.get(dedupe["header"].lower()) if "header" in dedupe else _id(payload, dedupe["pointer"])
    return sha256(found.encode("utf-8", "surrogatepass")).digest() if found else None


def _id(payload: Any, pointer: str) -> str | None:  # noqa: ANN401 - any JSON value
    value = value_at(payload, pointer)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
