from patterns import Table

drafts = Table("drafts", "w")

for request in Table("requests").as_stream():
    drafts.append({"text": request["text"], "wishes": request["wishes"]})

for critique in Table("critiques").as_stream():
    better = f"{critique['text']}, with {critique['missing']}"
    drafts.append({"text": better, "wishes": critique["wishes"]})
