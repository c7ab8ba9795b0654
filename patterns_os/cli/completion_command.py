"""`patterns completion`: completion scripts for shells."""

import click
from click.shell_completion import get_completion_class


@click.command(epilog='Example: eval "$(patterns completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell, to be evaluated by it."""
    from patterns_os.cli.main import cli  # noqa: PLC0415 - main finds this module by name

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(cli, {}, "patterns", "_PATTERNS_COMPLETE").source())
