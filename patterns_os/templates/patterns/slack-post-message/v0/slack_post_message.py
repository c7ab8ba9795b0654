"""Post each row of "messages" to Slack, once, and note in "posted_messages" where it went."""

import json
import urllib.request

from patterns import Parameter, Secret, Table, once

messages = Table("messages")
posted_messages = Table("posted_messages", "w")

api_url = Parameter("api_url", "Address of Slack's web API", default="https://slack.com/api")
dry_run = Parameter("dry_run", "Print the messages instead of posting them", type=bool, default=False)


def post(message: dict[str, str]) -> dict[str, str]:
    """Post a message; give Slack's answer, or raise so that the row is tried again."""
    request = urllib.request.Request(
        f"{api_url}/chat.postMessage",
        data=json.dumps(message).encode(),
        headers={
            "authorization": f"Bearer {Secret('SLACK_BOT_TOKEN')}",
            "content-type": "application/json; charset=utf-8",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    # Slack answers 200 also when it refuses; the reason is in the body.
    if not answer.get("ok"):
        raise RuntimeError(f"Slack refuses the message: {answer.get('error', 'no reason given')}")
    return {"channel": answer["channel"], "ts": answer["ts"]}


for row in messages.as_stream():
    message = {"channel": row["channel"], "text": row["text"]}
    if row.get("thread_ts"):
        message["thread_ts"] = row["thread_ts"]
    if dry_run:
        print(f"would post to {message['channel']}: {message['text']}")
        posted_messages.append({**message, "posted": False})
    else:
        # If this row fails later on and is tried again, the message is not posted a second time.
        answer = once("post", lambda: post(message))
        posted_messages.append({**message, **answer, "posted": True})
