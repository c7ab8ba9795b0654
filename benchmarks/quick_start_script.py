from patterns import File, Model, Parameter, Table  # noqa: F401 - the first users' script, as printed

import openai  # noqa: I001 - the same


messages = Table("slack_messages")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
