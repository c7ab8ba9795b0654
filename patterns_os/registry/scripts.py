"""Starter files for new scripts: small, useful, and compiling in the app that they are made for."""

from pathlib import PurePosixPath
from typing import Final

from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.scripts import file_stem
from patterns_os.manifest.spec import ManifestSpec, WebhookSpec
from patterns_os.manifest.values import slug

_JAVASCRIPT_ENDINGS: Final = (".js", ".mjs", ".ts", ".mts")
ENDINGS: Final = (".py", ".sql", *_JAVASCRIPT_ENDINGS, ".cjs", ".cts")
_LATER: Final = {".jsx": "JSX", ".tsx": "JSX"}
_EXPECTED: Final = "expected a name that ends with .py, .sql, .js or .ts"


def check_ending(file: str) -> str:
    """Give the ending of a script that can run.

    Raises:
        UsageError: `script-ending`, it is written in something else.
    """
    ending = PurePosixPath(file).suffix.lower()
    if ending in ENDINGS:
        return ending
    message = f"{quote(file)} is no script that can run, {_EXPECTED}"
    if ending in _LATER:
        message = f"scripts in {_LATER[ending]} are not supported yet, {_EXPECTED}"
    hint = f"patterns add script {file}.py" if not ending else None
    raise UsageError(message, code="script-ending", hint=hint)


def starter_script(file: str, manifest: ManifestSpec) -> str:
    """Give the text of a new script. It reads the first webhook's table, else the first table of the app."""
    ending = check_ending(file)
    source = _source(manifest)
    if ending == ".sql":
        return _SQL.format(table=source) if source else _SQL_ALONE
    if ending != ".py":
        return _starter_javascript(file, ending, source)
    if source and any(_is_slack(webhook) for webhook in manifest.webhooks if webhook.table == source):
        return _PYTHON_SLACK.format(table=source)
    output = f"{slug(file_stem(file)) or 'script'}_output"
    return _PYTHON.format(table=source, output=output) if source else _PYTHON_ALONE.format(output=output)


def starter_entry(file: str) -> dict[str, object]:
    """Give the manifest entry of a script; a select fills a table that is named for its file."""
    if check_ending(file) != ".sql":
        return {"file": file}
    return {"file": file, "outputs": [f"{slug(file_stem(file)) or 'script'}_output"]}


def _starter_javascript(file: str, ending: str, source: str | None) -> str:
    output = f"{slug(file_stem(file)) or 'script'}_output"
    text = (
        _JAVASCRIPT.format(table=source, output=output) if source else _JAVASCRIPT_ALONE.format(output=output)
    )
    is_module = ending in _JAVASCRIPT_ENDINGS
    return text if is_module else text.replace(_IMPORT, _REQUIRE)


def _source(manifest: ManifestSpec) -> str | None:
    tables = [webhook.table for webhook in manifest.webhooks] or [table.name for table in manifest.tables]
    return tables[0] if tables else None


def _is_slack(webhook: WebhookSpec) -> bool:
    return "slack" in f"{webhook.title} {webhook.table} {webhook.url_path}".casefold()


_PYTHON_SLACK: Final = """\
# Runs whenever "{table}" has new rows, and gets each of them once.
from patterns import File, Model, Parameter, Table

import openai


messages = Table("{table}")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
"""

_PYTHON: Final = """\
# Runs whenever "{table}" has new rows, and gets each of them once.
from patterns import File, Model, Parameter, Table


rows = Table("{table}")
output = Table("{output}", "w")


for row in rows.as_stream():
    # A row is a dict by column. Rows of a webhook also have the whole event as row["payload"].
    output.append({{**row, "checked": True}})
"""

_PYTHON_ALONE: Final = """\
# Reads no table, so it runs when asked (`patterns trigger`), or by "trigger" in manifest.json: "@daily".
from patterns import File, Model, Parameter, Table


output = Table("{output}", "w")

output.append({{"text": "hello world"}})
"""

_IMPORT: Final = 'import { Table } from "patterns";'
_REQUIRE: Final = 'const { Table } = require("patterns");'

_JAVASCRIPT: Final = """\
// Runs whenever "{table}" has new rows, and gets each of them once.
import {{ Table }} from "patterns";

const rows = new Table("{table}");
const output = new Table("{output}", "w");

for (const row of rows.asStream()) {{
  output.append({{ ...row, checked: true }});
}}
"""

_JAVASCRIPT_ALONE: Final = """\
// Reads no table, so it runs when asked (`patterns trigger`), or by "trigger" in manifest.json: "@daily".
import {{ Table }} from "patterns";

const output = new Table("{output}", "w");

output.append({{ text: "hello world" }});
"""

_SQL: Final = """\
-- Runs whenever "{table}" has new rows; the result replaces the output table, which manifest.json names.
select count(*) as total
from {{{{ Table("{table}") }}}}
"""

_SQL_ALONE: Final = """\
-- Reads no table, so it runs when asked (`patterns trigger`), or by "trigger" in manifest.json: "@daily".
-- {{ Table("name") }} reads a table of the app.
select 'hello world' as text
"""
