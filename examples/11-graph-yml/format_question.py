"""Pick the question out of each message that mentions the bot."""

from patterns import Parameter, Table

messages = Table("messages")
questions = Table("questions", "w")
name = Parameter("Bot Name", type=str)

for row in messages.as_stream():
    event = row["record"]["event"]
    mention = f"@{name}"
    if mention in event["text"]:
        questions.append({"user": event["user"], "question": event["text"].replace(mention, "").strip()})
