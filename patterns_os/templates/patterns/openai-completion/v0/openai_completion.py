"""Ask the model about each row of "prompts", and append its answer to "completions"."""

from patterns import Model, Parameter, Table

prompts = Table("prompts")
completions = Table("completions", "w")

model = Model("base-llm")
prompt_template = Parameter(
    "prompt_template", "What the model is asked; {prompt} stands for that column of the row", default="{prompt}"
)

for row in prompts.as_stream():
    question = prompt_template.format_map(row)
    # The row's other columns travel along: who reads the answer knows what it belongs to.
    completions.append({**row, "completion": model.complete(question)})
