"""Turn Slack messages into prompts."""

from patterns import Table

slack_messages = Table("slack_messages")
prompts = Table("prompts", "w")

for row in slack_messages.as_stream():
    event = row.get("event") or {}
    # The bot's own messages come back as events: answering those would never end.
    if event.get("text") and not event.get("bot_id"):
        prompts.append(
            {
                "prompt": event["text"],
                "channel": event.get("channel"),
                "thread_ts": event.get("thread_ts") or event.get("ts"),
            }
        )
