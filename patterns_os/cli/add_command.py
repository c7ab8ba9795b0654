"""`patterns add`: scripts, tables, webhooks, models, storages; the files keep their layout and comments."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from patterns_os.cli.add_script import add_file, add_template
from patterns_os.cli.console import say
from patterns_os.cli.editing import (
    Editing,
    configuration_with,
    open_for_editing,
    save,
    taken,
    tell_findings,
    tell_unchanged,
)
from patterns_os.cli.paths import app_file
from patterns_os.diagnostics import quote
from patterns_os.errors import UsageError
from patterns_os.manifest.values import slug
from patterns_os.manifest.webhooks import default_url_path
from patterns_os.registry.install import append_entries
from patterns_os.registry.storages import read_storage, storage_name

app = typer.Typer(
    no_args_is_help=True, help="Add a script, a table, a webhook, a model or a storage to the app."
)

Name = Annotated[str | None, typer.Option("--name", help="Name of the node. Default: the file's name.")]


class Provider(StrEnum):
    """Who answers for a model."""

    ECHO = "echo"
    OPENAI = "openai"


class ModelType(StrEnum):
    """What a model does."""

    CHAT = "chat"
    TEXT = "next-token-text"
    EMBEDDING = "text-embedding"
    IMAGE = "text-to-image"


@app.command(epilog="Example: patterns add script my_py.py")
def script(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="Script; a starter is made if there is no such file."),
    ] = None,
    from_template: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Take it from a template: `patterns search` lists them."),
    ] = None,
    name: Name = None,
    trigger: Annotated[
        str | None,
        typer.Option(metavar="CRON", help='Run by the clock: "@daily", "*/5 * * * *"; or "manual".'),
    ] = None,
) -> None:
    """Add a script, and print which tables it was seen to read and write."""
    editing = open_for_editing()
    if from_template is not None:
        add_template(editing, from_template, file, name, trigger)
    elif file is not None:
        add_file(editing, app_file(editing.app, file), name, trigger)
    else:
        raise UsageError(
            "there is no script to add",
            code="no-script",
            hint="patterns add script my_py.py, or --from-template=…",
        )


@app.command(epilog="Example: patterns add table orders --unique-on id")
def table(
    name: Annotated[str, typer.Argument(help="Name of the table.")],
    unique_on: Annotated[
        str | None, typer.Option(metavar="COLUMNS", help="Columns that tell rows apart in an upsert: a,b.")
    ] = None,
) -> None:
    """Declare a table."""
    editing = open_for_editing()
    columns = [column.strip() for column in unique_on.split(",") if column.strip()] if unique_on else []
    known = next((found for found in editing.spec.tables if found.name.casefold() == name.casefold()), None)
    if known is not None:
        if columns and columns != list(known.unique_on or ()):
            raise taken(f"table {quote(known.name)}", 'change its "unique_on" in manifest.json')
        tell_unchanged(f"table {quote(known.name)}")
        return
    entry: dict[str, Any] = {"table": name} | ({"unique_on": columns} if columns else {})
    compiled = save(editing, manifest=append_entries(editing.manifest, {"stores": (entry,)}))
    say(f"Added table {quote(name)}")
    tell_findings(editing, compiled)


@app.command(epilog='Example: patterns add webhook "New orders" --table orders')
def webhook(
    title: Annotated[str, typer.Argument(help="Name for people and commands.")],
    table: Annotated[
        str | None, typer.Option(help="Table that events go to. Default: made from the title.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="Path of its address. Default: made from the title.")
    ] = None,
) -> None:
    """Add an HTTP endpoint whose events become rows of a table."""
    editing = open_for_editing()
    target = table or slug(title)
    if not target:
        raise UsageError(
            f"{quote(title)} gives no name for a table", code="no-table", hint="say which: --table NAME"
        )
    for known in editing.spec.webhooks:
        if known.title.casefold() == title.casefold():
            if known.table == target and path in {None, known.url_path}:
                tell_unchanged(f"webhook {quote(known.title)}")
                return
            raise taken(
                f"webhook {quote(known.title)}", "change it in manifest.json, or choose another title"
            )
    entry = {"title": title, "path": path or default_url_path(title), "table": target}
    is_new = target not in {store.name for store in editing.spec.tables}
    entries: dict[str, tuple[Any, ...]] = {"webhooks": (entry,)} | (
        {"stores": ({"table": target},)} if is_new else {}
    )
    compiled = save(editing, manifest=append_entries(editing.manifest, entries))
    say(f"Added webhook {quote(title)}: POST {entry['path']} appends to table {quote(target)}")
    _tell_test(title)
    tell_findings(editing, compiled)


@app.command(
    epilog="Example: patterns add model base-llm --provider openai --model gpt-4o-mini --secret API_KEY"
)
def model(  # noqa: PLR0917 - typer takes the parameters as options, nobody calls it by position
    name: Annotated[str, typer.Argument(help="Name that scripts use.")],
    provider: Annotated[
        Provider, typer.Option(help="openai is any endpoint that speaks its protocol; echo answers offline.")
    ],
    endpoint: Annotated[str | None, typer.Option(metavar="URL", help="Default: OpenAI's own.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model there.")] = None,
    secret: Annotated[
        str | None, typer.Option(help="Name of the secret with the key, never the key.")
    ] = None,
    type: Annotated[ModelType, typer.Option(help="What the model does.")] = ModelType.CHAT,  # noqa: A002 - the manifest's word
) -> None:
    """Declare a model in manifest.json, and say in patterns.json who answers for it."""
    editing = open_for_editing()
    given = {"endpoint": endpoint, "model": model, "secret": secret}
    details = {key: value for key, value in given.items() if value is not None}
    if provider is Provider.ECHO and details:
        options = ", ".join(f"--{key}" for key in details)
        raise UsageError(
            f"the provider echo takes no {options}", code="model-options", hint="--provider openai does"
        )
    _refuse_key(secret)
    binding = {"name": name, "provider": provider.value, **details}
    bound = _bound_model(editing, name)
    is_declared = name.casefold() in {known.name.casefold() for known in editing.spec.models}
    if bound is not None:
        if bound != binding:
            raise taken(f"model {quote(name)}", 'change it under "models" in patterns.json', "patterns.json")
        if is_declared:
            tell_unchanged(f"model {quote(name)}")
            return
    compiled = save(
        editing,
        configuration=None if bound is not None else configuration_with(editing, "models", binding),
        manifest=None
        if is_declared
        else append_entries(editing.manifest, {"models": ({"name": name, "type": type.value},)}),
    )
    say(f"Added model {quote(name)}, answered by {provider.value}" + (f" ({model})" if model else ""))
    if secret is not None:
        say(f"  store its key: patterns secret set {secret}")
    tell_findings(editing, compiled)


@app.command(epilog="Example: patterns add storage postgresql://localhost")
def storage(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="postgresql://…, s3://…, or a folder such as ./files.")
    ],
    name: Annotated[str | None, typer.Option(help="Name that stores use.")] = None,
) -> None:
    """Add a database for tables or a place for files. Nothing is connected yet."""
    editing = open_for_editing()
    found = read_storage(url)
    storages = _configured(editing, "storages")
    for known in storages:
        if known.get("url") == url and name in {None, known.get("name")}:
            tell_unchanged(f"storage {quote(str(known.get('name')))}", "patterns.json")
            return
        if name is not None and str(known.get("name")).casefold() == name.casefold():
            raise taken(f"storage {quote(name)}", "choose another name", "patterns.json")
    chosen = name or storage_name(found.kind, {str(known.get("name")).casefold() for known in storages})
    entry = {"type": found.kind, "url": url, "name": chosen}
    compiled = save(editing, configuration=configuration_with(editing, "storages", entry))
    holds = "tables" if found.kind == "database" else "files"
    say(f"Added storage {quote(chosen)} for {holds}: {found.shown}")
    if found.is_bare_local:
        say("  where nothing listens there, the embedded Postgres serves the app")
    tell_findings(editing, compiled)


def _tell_test(title: str) -> None:
    say(f"""  try it: patterns webhook test --title={quote(title)} --data='{{"hello": "world"}}'""")


def _refuse_key(secret: str | None) -> None:
    # A key fits the rules for names; written into a file it would soon be in a repository.
    if secret is not None and secret.startswith(("sk-", "sk_")):
        raise UsageError(
            "--secret takes the name of a secret, and this looks like the key itself",
            code="literal-secret",
            hint="patterns secret set OPENAI_API_KEY asks for the key; then --secret OPENAI_API_KEY",
        )


def _bound_model(editing: Editing, name: str) -> dict[str, Any] | None:
    return next((known for known in _configured(editing, "models") if known.get("name") == name), None)


def _configured(editing: Editing, part: str) -> list[dict[str, Any]]:
    """Give the entries of a list in patterns.json, as they are written."""
    data = editing.configuration_data
    entries = data.get(part) if isinstance(data, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


command = typer.main.get_command(app)
