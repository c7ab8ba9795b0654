"""Webhooks in `manifest.json`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PlainValidator, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from patterns_os.manifest.values import (
    METADATA,
    Duration,
    Items,
    Metadata,
    PlainName,
    SecretName,
    Spec,
    TableName,
    UrlPath,
    either,
    slug,
    tag,
)


class VerifySpec(Spec):
    """How a webhook tells true senders from others."""

    noun: ClassVar[str] = "a verification"

    preset: Literal[
        "slack",
        "github",
        "stripe",
        "shopify",
        "twilio",
        "linear",
        "standard-webhooks",
        "hmac",
        "basic",
        "api-key",
        "token",
    ] = Field(
        "hmac",
        description="Whose signatures these are; hmac, api-key and token are described by the other keys.",
    )
    secret: SecretName = Field(
        description="Name of the secret, never the secret itself.", examples=["SLACK_SIGNING_SECRET"]
    )
    previous: Items[SecretName] | None = Field(
        None,
        description="Names of secrets that are good too, while senders change to the new one.",
        examples=[["SLACK_SIGNING_SECRET_2024"]],
    )
    header: str | None = Field(
        None, description="Header with the signature or token.", examples=["X-Signature"]
    )
    algorithm: Literal["sha256", "sha1", "sha512"] | None = Field(
        None, description="Hash of the HMAC. Default: sha256."
    )
    encoding: Literal["hex", "base64"] | None = Field(
        None, description="How the signature is written. Default: hex."
    )
    prefix: str | None = Field(None, description="Text before the signature.", examples=["sha256="])
    timestamp_header: str | None = Field(
        None, description="Header with the time, signed before the body.", examples=["X-Timestamp"]
    )
    tolerance: Duration | None = Field(
        None, description="How old a signed time may be. Default: 5m.", examples=["5m"]
    )
    url: str | None = Field(
        None,
        description="The address that senders know, where it is part of what they sign (twilio).",
        examples=["https://hooks.example.com/calls"],
    )


class RespondSpec(Spec):
    """What a webhook answers when it has stored a delivery."""

    noun: ClassVar[str] = "an answer"

    status: int = Field(200, ge=200, le=299, description="HTTP status.")
    body: Any = Field(
        None, description="Body: a text as it is, all else as JSON.", examples=["ok", {"ok": True}]
    )
    headers: dict[str, str] | None = Field(
        None, description="Further headers.", examples=[{"Cache-Control": "no-store"}]
    )


class HeaderDedupeSpec(Spec):
    """Deliveries are the same if a header of theirs is."""

    noun: ClassVar[str] = "a dedupe"

    header: str = Field(description="Header with the id of the delivery.", examples=["X-Delivery-Id"])


class PointerDedupeSpec(Spec):
    """Deliveries are the same if a value in their bodies is."""

    noun: ClassVar[str] = "a dedupe"

    pointer: str = Field(
        pattern=r"^(/[^/]*)+$", description="JSON pointer to the id of the delivery.", examples=["/event_id"]
    )


def _dedupe_form(value: object) -> str | None:
    if isinstance(value, str):
        return tag("text")
    if isinstance(value, HeaderDedupeSpec) or (isinstance(value, dict) and "pointer" not in value):
        return tag("HeaderDedupeSpec")
    return tag("PointerDedupeSpec") if isinstance(value, dict | PointerDedupeSpec) else None


DedupeSpelling = Annotated[
    Annotated[Literal["body", "off"], Tag(tag("text"))]
    | Annotated[HeaderDedupeSpec, Tag(tag("HeaderDedupeSpec"))]
    | Annotated[PointerDedupeSpec, Tag(tag("PointerDedupeSpec"))],
    either('"body", "off", or an object with "header" or "pointer"', _dedupe_form),
]


def parse_size(value: object) -> int:
    """Give the bytes (1 to 64 MB) of a number of bytes or a text like `500KB` or `5MB`."""
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        size = int(found[1]) * _SIZE_UNITS[found[2]] if found else 0
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise PydanticCustomError(
            "wrong-type", "expected {expected}", {"expected": 'bytes or a text like "500KB" or "5MB"'}
        )
    if not 0 < size <= _LARGEST_BODY:
        raise PydanticCustomError(
            "wrong-value", '{value} is not a size, expected 1 to 64 MB, in bytes or like "500KB" or "5MB"'
        )
    return size


def parse_rate(value: object) -> str:
    """Give a text like `100/s`, `600/m` or `5000/h` as it is; see `per_second`."""
    if not isinstance(value, str):
        raise PydanticCustomError(
            "wrong-type", "expected {expected}", {"expected": 'a text like "100/s", "600/m" or "5000/h"'}
        )
    found = _RATE.fullmatch(value)
    if found is None or int(found[1]) == 0:
        raise PydanticCustomError(
            "wrong-value", '{value} is not a rate, expected a text like "100/s", "600/m" or "5000/h"'
        )
    return value


def per_second(rate: str) -> tuple[float, int]:
    """Give how many requests a second a rate lets in for long, and how many of them at once."""
    count, _, unit = rate.partition("/")
    return int(count) / _RATE_UNITS[unit.strip()], int(count)


Size = Annotated[
    int,
    PlainValidator(parse_size),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[0-9]+ ?[KM]?B$"}]}
    ),
]
Rate = Annotated[
    str,
    PlainValidator(parse_rate),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]+ ?/ ?[smh]$"}),
]


class LimitsSpec(Spec):
    """What a webhook takes in at most."""

    noun: ClassVar[str] = "limits"

    body: Size | None = Field(
        None, description="The largest body; larger ones are answered 413. Default: 1MB.", examples=["5MB"]
    )
    rate: Rate | None = Field(
        None, description="How many requests; more are answered 429. Default: no limit.", examples=["100/s"]
    )


class WebhookSpec(Spec):
    """An HTTP endpoint that appends what it receives to a table."""

    noun: ClassVar[str] = "a webhook"

    title: PlainName = Field(description="Name for people, and for commands.", examples=["Slack messages"])
    name: PlainName | None = Field(
        None, description="Name of the node. Default: the title.", examples=["slack"]
    )
    description: str | None = Field(
        None, description="Who sends what.", examples=["Slack, for each message of the channel."]
    )
    path: UrlPath | None = Field(
        None, description="Path of its address. Default: made from the title.", examples=["/slack-messages"]
    )
    table: TableName = Field(
        description="Table that deliveries are appended to.", examples=["slack_messages"]
    )
    verify: VerifySpec | None = Field(None, description="How senders are checked. Default: not at all.")
    dedupe: DedupeSpelling | None = Field(
        None,
        description="What tells that a delivery came before. Default: the id that the preset of verify sends.",
        examples=["body", {"header": "X-Delivery-Id"}, {"pointer": "/event_id"}],
    )
    limits: LimitsSpec | None = Field(None, description="What it takes in at most.")
    respond: RespondSpec | None = Field(
        None, description="What it answers. Default: 200 and the number of rows."
    )
    metadata: Metadata | None = Field(None, description=METADATA)

    @property
    def node_name(self) -> str:
        """The name of the node in the graph: `name`, else the title."""
        return self.name or self.title

    @property
    def url_path(self) -> str:
        """The path of the address: `path`, else one made from the title."""
        return self.path or default_url_path(self.title)


def default_url_path(title: str) -> str:
    """Give the path of a webhook that names none: `/slack-messages` for `Slack messages`."""
    return f"/{slug(title, '-') or 'webhook'}"


def verifying_secrets(verify: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Give the names of the secrets that a verification (as data) takes, the current one first."""
    if not verify:
        return ()
    return (str(verify["secret"]), *map(str, verify.get("previous") or ()))


_LARGEST_BODY: Final = 64 * 1024 * 1024
_SIZE: Final = re.compile(r"([0-9]{1,9}) ?(B|KB|MB)")
_SIZE_UNITS: Final = {"B": 1, "KB": 1024, "MB": 1024 * 1024}
_RATE: Final = re.compile(r"([0-9]{1,7}) ?/ ?[smh]")
_RATE_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
