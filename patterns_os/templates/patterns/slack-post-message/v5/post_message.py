"""Post each row of "messages" to an incoming webhook of Slack, once."""

import json
import urllib.request

from patterns import Parameter, Table, once

messages = Table("messages")
slack_webhook_url = Parameter("slack_webhook_url", "Address of the incoming webhook; keep it as a secret")
message_template = Parameter(
    "message_template", "What is posted; {text} stands for that column of the row", default="{text}"
)


def post(text: str) -> int:
    """Post a text; an answer that refuses it raises, so that the row is tried again."""
    request = urllib.request.Request(
        slack_webhook_url,
        data=json.dumps({"text": text}).encode(),
        headers={"content-type": "application/json; charset=utf-8"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(response.status)


for row in messages.as_stream():
    text = message_template.format_map(row)
    # If the run fails later on and the row is tried again, the message is not posted a second time.
    once("post", lambda: post(text))
