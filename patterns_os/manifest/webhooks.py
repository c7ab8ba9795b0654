"""Webhooks in `manifest.json`."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from patterns_os.manifest.values import (
    METADATA,
    Duration,
    Metadata,
    PlainName,
    SecretName,
    Spec,
    TableName,
    UrlPath,
    slug,
)


class VerifySpec(Spec):
    """How a webhook tells true senders from others."""

    noun: ClassVar[str] = "a verification"

    preset: Literal["slack", "github", "stripe", "standard-webhooks", "hmac", "token"] = Field(
        "hmac", description="Whose signatures these are; hmac and token are described by the other keys."
    )
    secret: SecretName = Field(
        description="Name of the secret, never the secret itself.", examples=["SLACK_SIGNING_SECRET"]
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
