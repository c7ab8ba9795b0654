"""Ask the app's text model about each row of "prompts", and append the row with its answer to "completions"."""

import openai  # type: ignore[import-not-found]  # the app's text model answers, no package is needed
from patterns import Parameter, Table

prompts = Table("prompts")
completions = Table("completions", "w")

# Where to ask, and with whose key, is patterns.json's to say; older apps give a connection all the same.
Parameter("connection", "Not used: bind the model in patterns.json", default=None)
prompt_template = Parameter(
    "prompt_template", "What is asked; {prompt} stands for that column of the row", default="{prompt}"
)
model = Parameter("model", "Name of the model at its provider; patterns.json has one too", default="")
max_tokens = Parameter("max_tokens", "Longest answer", type=int, default=None)
temperature = Parameter("temperature", "How freely it answers, from 0 on", type=float, default=None)

given = {"model": model or None, "max_tokens": max_tokens, "temperature": temperature}
options = {name: value for name, value in given.items() if value is not None}

for row in prompts.as_stream():
    question = prompt_template.format_map(row)
    # The row's other columns travel along: who reads the answer knows what it belongs to.
    completions.append({**row, "completion": openai.completion(question, **options)})
