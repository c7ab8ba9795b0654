"""Signatures of webhook senders: checked on what comes in, made for local tests.

`verify` is what the manifest declares (`manifest.webhooks.VerifySpec` as data). The presets of providers are
fixed but for their `tolerance`; the general ones are described by the other keys:

    hmac     header (X-Signature) holds prefix + encoding(HMAC of the body), or of `TIME.BODY` where a
             `timestamp_header` is given
    basic    Authorization holds "Basic " and the base64 of the secret, which is `USER:PASSWORD`
    api-key  header (X-API-Key) holds the secret itself
    token    header (Authorization, there with the prefix "Bearer ") holds the secret itself

A signed time may differ from ours by `tolerance` seconds in either direction, 300 unless given.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from patterns_os.triggers import twilio
from patterns_os.triggers.pointers import parsed, value_at, with_member

DEFAULT_TOLERANCE_S = 300.0

Field = Literal["id", "time", "body"]


def verify_signature(
    verify: Mapping[str, Any],
    secret: str,
    body: bytes,
    headers: Mapping[str, str],
    now_s: float,
    *,
    target: str = "",
) -> str | None:
    """Say why a request does not come from somebody who has the secret, or give `None` if it does.

    Secrets and right signatures are compared in constant time and never part of the reason.

    Args:
        verify: What the webhook declares.
        secret: The secret's value.
        body: The bytes as they came.
        headers: Names in any case.
        now_s: Seconds since 1970.
        target: Path and query of the request; `twilio` signs them.
    """
    if not secret:
        return "the secret is empty"
    given = {name.lower(): value for name, value in headers.items()}
    preset = _preset(verify)
    if preset == "twilio":
        return twilio.verify(secret, body, given, twilio.addresses(verify.get("url"), given, target))
    if preset == "basic":
        return _verify_basic(secret, given)
    if preset in _TOKENS:
        return _verify_token(verify, secret, given)
    return _verify_hmac(verify, secret, body, given, now_s)


def sign(
    verify: Mapping[str, Any],
    secret: str,
    body: bytes,
    now_s: float,
    delivery_id: str,
    *,
    url: str = "",
) -> dict[str, str]:
    """Give the headers that the sender would add to a request with this body.

    Args:
        verify: What the webhook declares.
        secret: The secret's value.
        body: The bytes to send, as `dressed` gives them.
        now_s: Seconds since 1970; whole seconds are signed.
        delivery_id: Names the delivery, where the sender's scheme has a place for that.
        url: The whole address that is posted to; `twilio` signs it.

    Raises:
        ValueError: The secret is not of the form that the scheme wants.
    """
    preset = _preset(verify)
    if preset == "twilio":
        return twilio.sign(secret, body, verify.get("url") or url)
    if preset == "basic":
        return {"Authorization": _basic(secret)}
    if preset in _TOKENS:
        header, prefix = token_header(verify)
        return {header: f"{prefix}{secret}"}
    scheme = _scheme(verify)
    time = str(int(now_s))
    signature = scheme.prefix + scheme.signature(secret, {"id": delivery_id, "time": time}, body)
    headers = {scheme.id_header: delivery_id} if scheme.id_header else {}
    if scheme.time_header:
        headers[scheme.time_header] = time
    return {**headers, scheme.header: f"t={time},{signature}" if scheme.time_within else signature}


def dressed(verify: Mapping[str, Any] | None, body: bytes, now_s: float) -> tuple[bytes, str]:
    """Give a body (JSON) in the form in which the sender would send it, and its content type.

    Twilio posts forms; Linear puts the time that it signs into the body.
    """
    value = parsed(body)
    preset = _preset(verify) if verify else ""
    if preset == "twilio" and isinstance(value, dict):
        return twilio.form(value), "application/x-www-form-urlencoded"
    pointer = _PRESETS[preset].time_at if preset in _PRESETS else None
    if pointer and isinstance(value, dict) and pointer[1:] not in value:
        return with_member(body, pointer[1:], int(now_s * 1000)), "application/json"
    return body, "application/json"


def token_header(verify: Mapping[str, Any]) -> tuple[str, str]:
    """Give the header in which an API key or a token is sent, and what stands before it."""
    header = verify.get("header") or _TOKENS[_preset(verify)]
    prefix = verify.get("prefix")
    if prefix is None:
        prefix = "Bearer " if header.lower() == "authorization" else ""
    return header, prefix


def credential_headers(verify: Mapping[str, Any] | None) -> frozenset[str]:
    """Give the headers, in lower case, that hold the secret itself and must not be kept."""
    is_token = verify is not None and _preset(verify) in _TOKENS
    return frozenset({token_header(verify)[0].lower()}) if verify and is_token else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scheme:
    """How an HMAC of a request is made, and where it is written.

    Attributes:
        header: Where the signature stands.
        prefix: What stands before it.
        several: What separates several signatures in the header, `None` if there is only one.
        signed: The fields that are signed, between `opening` and the end, joined by `joint`.
        time_header: Where the signed time stands; with `time_within` it is a part `t=…` of `header` instead,
            with `time_at` it is at that JSON pointer of the body.
        base64_secret: Whether the secret is the base64 of the key, after an optional `whsec_`.
    """

    header: str
    prefix: str = ""
    several: str | None = None
    algorithm: str = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signed: tuple[Field, ...] = ("body",)
    opening: str = ""
    joint: str = "."
    time_header: str | None = None
    time_within: bool = False
    time_at: str | None = None
    id_header: str | None = None
    base64_secret: bool = False

    def signature(self, secret: str, texts: Mapping[Field, str], body: bytes) -> str:
        """Give the right signature, without its prefix."""
        fields = [body if field == "body" else texts[field].encode() for field in self.signed]
        message = self.opening.encode() + self.joint.encode().join(fields)
        return self.written(hmac.digest(self._key(secret), message, self.algorithm))

    def written(self, digest: bytes) -> str:
        """Give a digest as it stands in the header."""
        return digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()

    def normal(self, signature: str) -> str:
        """Give a signature as `written` would: some senders use capitals, or base64 for addresses."""
        if self.encoding == "hex":
            return signature.lower()
        plain = signature.translate(_URL_SAFE).rstrip("=")
        return plain + "=" * (-len(plain) % 4)

    def claimed(self, given: Mapping[str, str]) -> list[str]:
        """Give the signatures that the headers claim."""
        value = self._text(given, self.header)
        parts = (part.strip() for part in ([value] if self.several is None else value.split(self.several)))
        found = [
            self.normal(part.removeprefix(self.prefix)) for part in parts if part.startswith(self.prefix)
        ]
        if not found:
            raise ValueError(f'header "{self.header}" has no signature that begins with "{self.prefix}"')
        return found

    def texts(self, given: Mapping[str, str]) -> dict[Field, str]:
        """Give the signed fields that the headers hold."""
        found: dict[Field, str] = {}
        if self.id_header:
            found["id"] = self._text(given, self.id_header)
        if self.time_header:
            found["time"] = self._text(given, self.time_header)
        elif self.time_within:
            parts = (part.strip() for part in self._text(given, self.header).split(","))
            times = [part.removeprefix("t=") for part in parts if part.startswith("t=")]
            if not times:
                raise ValueError(f'header "{self.header}" has no time, expected "t=…"')
            found["time"] = times[0]
        return found

    def time(self, texts: Mapping[Field, str], body: bytes) -> str | None:
        """Give the signed time as it is written, `None` where the scheme has none."""
        if self.time_at is None:
            return texts.get("time")
        return str(value_at(parsed(body), self.time_at))

    def _key(self, secret: str) -> bytes:
        if not self.base64_secret:
            return secret.encode()
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError('the secret is not base64, with or without "whsec_" before it') from error
        if not key:
            raise ValueError("the secret is empty")
        return key

    def _text(self, given: Mapping[str, str], header: str) -> str:
        value = given.get(header.lower())
        if value is None:
            raise ValueError(_missing(header))
        return value


def _preset(verify: Mapping[str, Any]) -> str:
    return str(verify.get("preset") or "hmac")


def _tolerance_s(verify: Mapping[str, Any]) -> float:
    return float(verify.get("tolerance") or DEFAULT_TOLERANCE_S)


def _scheme(verify: Mapping[str, Any]) -> _Scheme:
    preset = _preset(verify)
    if preset in _PRESETS:
        return _PRESETS[preset]
    time_header = verify.get("timestamp_header")
    return _Scheme(
        header=verify.get("header") or "X-Signature",
        prefix=verify.get("prefix") or "",
        algorithm=verify.get("algorithm") or "sha256",
        encoding=verify.get("encoding") or "hex",
        signed=("time", "body") if time_header else ("body",),
        time_header=time_header,
    )


def _verify_token(verify: Mapping[str, Any], secret: str, given: Mapping[str, str]) -> str | None:
    header, prefix = token_header(verify)
    value = given.get(header.lower())
    if value is None:
        return _missing(header)
    if value[: len(prefix)].lower() != prefix.lower():
        return f'header "{header}" does not begin with "{prefix.strip()}"'
    return None if _same(value[len(prefix) :], secret) else f'the token in header "{header}" is wrong'


def _verify_basic(secret: str, given: Mapping[str, str]) -> str | None:
    value = given.get("authorization")
    if value is None:
        return _missing("Authorization")
    kind, _, credentials = value.partition(" ")
    if kind.lower() != "basic":
        return 'header "Authorization" does not begin with "Basic"'
    right = _basic(secret).partition(" ")[2]
    return None if _same(credentials.strip(), right) else "user or password are wrong"


def _basic(secret: str) -> str:
    return f"Basic {base64.b64encode(secret.encode()).decode()}"


def _verify_hmac(
    verify: Mapping[str, Any], secret: str, body: bytes, given: Mapping[str, str], now_s: float
) -> str | None:
    scheme = _scheme(verify)
    try:
        claimed, texts = scheme.claimed(given), scheme.texts(given)
        right = scheme.signature(secret, texts, body)
    except ValueError as error:
        return str(error)
    # All are compared, whichever fits: the time taken tells nothing.
    if not any([_same(one, right) for one in claimed]):  # noqa: C419 - see above
        return f'the signature in header "{scheme.header}" does not fit the body'
    # Only now, so that the reason tells a true sender about the clocks.
    time = scheme.time(texts, body)
    return None if time is None else _verify_time(time, _tolerance_s(verify), now_s)


def _verify_time(text: str, tolerance_s: float, now_s: float) -> str | None:
    if not _TIME.fullmatch(text):
        return "the signed time is not a number of seconds since 1970"
    time_s = int(text) / (1000 if len(text) >= _MILLISECOND_DIGITS else 1)
    off_s = now_s - time_s
    if abs(off_s) <= tolerance_s:
        return None
    side = "old" if off_s > 0 else "far in the future"
    return f"the signed time is too {side}: {abs(off_s):.0f} seconds off, {tolerance_s:.0f} are tolerated"


def _missing(header: str) -> str:
    return f'header "{header}" is missing'


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))


_TIME = re.compile(r"[0-9]{1,15}")
_MILLISECOND_DIGITS = 13
_URL_SAFE = str.maketrans("-_", "+/")
# Kinds that send the secret itself, with the header that they use unless another is given.
_TOKENS = {"token": "Authorization", "api-key": "X-API-Key"}
_PRESETS = {
    "slack": _Scheme(
        header="X-Slack-Signature",
        prefix="v0=",
        signed=("time", "body"),
        opening="v0:",
        joint=":",
        time_header="X-Slack-Request-Timestamp",
    ),
    "github": _Scheme(header="X-Hub-Signature-256", prefix="sha256="),
    "stripe": _Scheme(
        header="Stripe-Signature", prefix="v1=", several=",", signed=("time", "body"), time_within=True
    ),
    "shopify": _Scheme(header="X-Shopify-Hmac-SHA256", encoding="base64"),
    "linear": _Scheme(header="Linear-Signature", time_at="/webhookTimestamp"),
    "standard-webhooks": _Scheme(
        header="webhook-signature",
        prefix="v1,",
        several=" ",
        encoding="base64",
        signed=("id", "time", "body"),
        time_header="webhook-timestamp",
        id_header="webhook-id",
        base64_secret=True,
    ),
}
