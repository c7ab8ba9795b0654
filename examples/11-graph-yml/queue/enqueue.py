"""Pass on each item once, in order."""

from patterns import Table

queued = Table("queued", "w")

for item in Table("items").as_stream():
    queued.append({"user": item["user"], "text": item["completion"]})
