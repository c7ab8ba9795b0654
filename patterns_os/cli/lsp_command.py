"""`patterns lsp`: the language server for editors."""

import typer

from patterns_os.errors import PermanentError

app = typer.Typer(add_completion=False)


@app.command(epilog="Example (Neovim): vim.lsp.start({ name = 'patterns', cmd = { 'patterns', 'lsp' } })")
def lsp() -> None:
    """Answer an editor over standard input and output: mistakes while you type, completion, definitions.

    Works in manifest.json, patterns.json and in Python, SQL and JavaScript files of an app. It needs the extra
    "lsp": pip install "patterns-os[lsp]". docs/editors.md shows the set-up of common editors.
    """
    try:
        from patterns_os.editor.server import make_server  # noqa: PLC0415 - its libraries are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"pygls", "lsprotocol"}:
            raise
        raise PermanentError(
            "The language server needs a library that is not installed",
            code="missing-extra",
            hint='pip install "patterns-os[lsp]"',
        ) from error
    make_server().start_io()


command = typer.main.get_command(app)
