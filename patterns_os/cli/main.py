"""The entry point: finds the command, and turns what goes wrong into one clear message and an exit code.

Exit codes: 0 done · 1 the app has errors or a node failed · 2 called wrongly · 70 our fault · 75 the world does
not answer now · 78 the configuration is wrong · 130 interrupted.
"""

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from patterns_os import __version__
from patterns_os.errors import PatternsError

# Section → command → (module, what it does). Modules are imported when their command is used.
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Write an app": {
        "create": ("create", "Make a new app in a new folder."),
        "add": ("add", "Add a script, a table, a webhook or a storage to the app."),
        "search": ("search", "Find templates for scripts and apps."),
        "convert": ("convert", "Write a graph.yml of the older devkit as manifest.json."),
        "compile": ("compile", "Check the app: all mistakes at once, and its graph."),
        "lint": ("lint", "List what is wrong or doubtful, and mend what can be."),
        "explain": ("explain", "Say what a code like self-trigger means."),
        "graph": ("graph", "Draw the app's graph."),
        "lineage": ("lineage", "Tell where a table or column comes from and goes to."),
        "test": ("test", "Run a node on given rows, touching no table."),
    },
    "Run it": {
        "dev": ("dev", "Serve webhooks, run crons and nodes, reload what you edit."),
        "run": ("run", "Process everything that is due, then stop."),
        "trigger": ("trigger", "Run a node now."),
        "backfill": ("backfill", "Run a node for ticks of the past."),
        "webhook": ("webhook", "Send test events to webhooks, and list them."),
        "rename": ("rename", "Tell that a node has a new name, so that it keeps its place."),
    },
    "Deploy it": {
        "plan": ("plan", "Show what deploying the app would change."),
        "deploy": ("deploy", "Make the app the active version, exactly as its plan says."),
        "serve": ("serve", "Run the active version, and each that is deployed after it."),
        "deployments": ("deployments", "List what was deployed, when and by whom."),
        "rollback": ("rollback", "Make an earlier version the active one again."),
    },
    "Look at it": {
        "table": ("table", "Show tables: their rows, columns and sizes."),
        "chart": ("chart", "Print a chart with the rows that it draws."),
        "row": ("row", "Say which run wrote a row, from what, and who took it."),
        "runs": ("runs", "Show what ran, why, and how it ended."),
        "logs": ("logs", "Show what a node printed."),
        "why": ("why", "Say why a node is running, waiting or failing."),
        "held": ("held", "Show records that were set aside, try them again, or drop them."),
        "doctor": ("doctor", "Check this machine and the app's promises."),
    },
    "Keep it": {
        "secret": ("secret", "Keep secrets, encrypted."),
        "db": ("db", "Back up the app's database, restore it, or get its address."),
        "reset": ("reset", "Delete the app's data."),
    },
    "More": {
        "lsp": ("lsp", "Answer an editor: mistakes, completion, definitions."),
        "completion": ("completion", "Print the completion script of a shell."),
    },
}


class LazyGroup(click.Group):
    """Commands that are imported when they are used; the list needs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Give all names."""
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command, `None` if there is none of that name."""
        for section in COMMANDS.values():
            if cmd_name in section:
                module = import_module(f"patterns_os.cli.{section[cmd_name][0]}_command")
                command: click.Command = module.command
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for an unknown one say which was probably meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from patterns_os.diagnostics import did_you_mean  # noqa: PLC0415 - only for the unhappy

            hint = did_you_mean(args[0], self.list_commands(ctx))
            message = f'There is no command "{args[0]}"' + (f", {hint}" if hint else ".")
            raise click.UsageError(message, error.ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands by section."""
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in section.items()], col_max=12)


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"patterns-os {__version__}")
        ctx.exit()


def _enter(_: click.Context, __: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        try:
            os.chdir(folder)
        except OSError as error:
            raise click.BadParameter(f'the folder "{folder}" can\'t be entered: {error.strerror}') from error


cli = LazyGroup(
    "patterns",
    help="Patterns OS: compile an app folder into a graph and run it, every row exactly once.",
    epilog="Start here: patterns create app my-app && cd my-app && patterns dev",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    params=[
        click.Option(
            ["-C", "--folder"], expose_value=False, is_eager=True, callback=_enter, metavar="FOLDER",
            help="Work in this folder instead of the current one.",
        ),
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
            help="Show the version.",
        ),
    ],
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; give the exit code."""
    try:
        result: Any = cli.main(arguments, prog_name="patterns", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PatternsError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # Somebody closed the pipe (`| head`): that is no mistake, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - a user never sees a trace-back that was not asked for
        ending = _ending(error)
        return _internal(error) if ending is None else ending
    return result if isinstance(result, int) else 0


def _ending(error: Exception) -> int | None:
    """Give the exit code of an ending that typer's own copy of click raised, having shown it; else `None`.

    Newer typers bring their own click, whose exceptions are not those of the click imported here.
    """
    if not type(error).__module__.startswith("typer"):
        return None
    if type(error).__name__ == "Abort":
        click.echo("interrupted", err=True)
        return 130
    show = getattr(error, "show", None)
    if show is not None:
        show()
    return int(getattr(error, "exit_code", 1))


def _internal(error: Exception) -> int:
    if os.environ.get("PATTERNS_DEBUG"):
        traceback.print_exc()
    click.echo(
        f"error[internal] {type(error).__name__}: {error}\n"
        "  hint: this is a bug of Patterns OS; run again with PATTERNS_DEBUG=1 and report what it prints",
        err=True,
    )
    return 70
