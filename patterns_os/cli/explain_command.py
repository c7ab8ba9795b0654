"""`patterns explain`: what a code means, why it matters, and how it is mended."""

from typing import Annotated, Any

import typer

from patterns_os.adapters.files.explanations import known_errors, load_explanation
from patterns_os.cli.console import pairs, print_json, say, width
from patterns_os.cli.markdown import render_markdown
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import UsageError
from patterns_os.graph.rules.registry import BY_CODE
from patterns_os.plan.catalog import ALL_CODES

app = typer.Typer(add_completion=False)


@app.command("explain", epilog="Example: patterns explain self-trigger")
def explain(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="What stands in brackets: error[CODE].")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what a code means, with an example that is wrong and one that is right. Without one, list all."""
    known = {**known_errors(), **ALL_CODES}
    if code is None:
        _list(known, json=json)
        return
    code = code.removeprefix("error[").removeprefix("warning[").removesuffix("]")
    if code not in known:
        raise UsageError(
            f"there is no code {quote(code)}",
            code="unknown-code",
            hint=did_you_mean(code, known) or "`patterns explain` lists them",
        )
    page = load_explanation(code) or f"# {code}\n\n{known[code]}\n"
    if json:
        print_json(_data(code, known[code]) | {"page": page})
    else:
        say(render_markdown(page, min(width(), 100)))


def _list(known: dict[str, str], *, json: bool) -> None:
    listed = {name: known[name] for name in sorted(known)}
    if json:
        print_json([_data(name, text) for name, text in listed.items()])
    else:
        say(pairs(listed))


def _data(code: str, summary: str) -> dict[str, Any]:
    rule = BY_CODE.get(code)
    return {
        "code": code,
        "summary": summary,
        "severity": (str(rule.severity) if rule.severity else "off") if rule else None,
        "can_be_ignored": rule.can_be_ignored if rule else None,
        "can_be_fixed": rule.fix is not None if rule else None,
    }


command = typer.main.get_command(app)
