"""`patterns search`: templates for scripts and apps."""

from typing import Annotated

import typer

from patterns_os.adapters.files.templates import load_index, load_template
from patterns_os.cli.console import box, note, print_json, say, width
from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.registry.index import Index, TemplateEntry
from patterns_os.registry.resolve import resolve

app = typer.Typer(add_completion=False)

_USE = "use one: patterns add script --from-template=NAME, or patterns create app APP --from-template=NAME"


@app.command(epilog="Example: patterns search slack")
def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="What the templates must mention, all of it."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List templates for scripts and apps. With the whole name of one, show what it is and how to use it."""
    index = load_index()
    wanted = words or []
    if len(wanted) == 1 and index.entry(wanted[0].partition("@")[0]) and not json:
        _show(index, wanted[0])
        return
    found = index.search(wanted)
    if json:
        print_json([entry.to_data() | {"newest": entry.newest} for entry in found])
    elif found:
        rows = [(f"{entry.name}@{entry.newest}", entry.kind, entry.description) for entry in found]
        say(box(("template", "for", "what it does"), rows, limit=width()))
        note(_USE)
    else:
        say(f"No template mentions {' and '.join(map(quote, wanted))}.")
        tags = {tag for entry in index.templates for tag in entry.tags}
        note(f"hint: {did_you_mean(wanted[-1], tags) or '`patterns search` lists them all'}")


def _show(index: Index, reference: str) -> None:
    resolved = resolve(index, reference)
    say(f"{resolved.reference}, for {_noun(resolved.entry)}\n")
    say(load_template(resolved).readme.rstrip())
    verb = "create app my-app" if resolved.entry.kind == "app" else "add script"
    say(f"\n  patterns {verb} --from-template={resolved.reference}")


def _noun(entry: TemplateEntry) -> str:
    return "an app" if entry.kind == "app" else "a script"


command = typer.main.get_command(app)
