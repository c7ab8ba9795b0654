"""Turn the model's answers into messages for the channels that the questions came from."""

from patterns import Table

completions = Table("completions")
messages = Table("messages", "w")

for row in completions.as_stream():
    messages.append({"channel": row["channel"], "text": row["completion"], "thread_ts": row["thread_ts"]})
