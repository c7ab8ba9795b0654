from patterns import Table

critiques = Table("critiques", "w")
letters = Table("letters", "w")

for draft in Table("drafts").as_stream():
    missing = [wish for wish in draft["wishes"] if wish not in draft["text"]]
    if missing:
        critiques.append({"text": draft["text"], "wishes": draft["wishes"], "missing": missing[0]})
    else:
        letters.append({"text": draft["text"]})
