"""The reference of the command line, written from the commands themselves.

`python tests/docs/cli_reference.py > docs/cli.md` (`make docs`) writes the page; a test compares.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from patterns_os.cli.main import COMMANDS, cli

INTRODUCTION = """\
# Commands

Written by `make docs` from the commands themselves: change the commands, not this page.

All take `--help`. `patterns --folder FOLDER COMMAND` works in another folder; inside an app, any folder below it will
do. `--json` prints data for programs; everything else is for people and may change. Exit codes: 0 done, 1 the app is
wrong or a node failed, 2 called wrongly, 70 our fault, 75 the world does not answer now, 78 the configuration is wrong,
130 interrupted."""


def reference() -> str:
    """Give the whole page."""
    return "\n\n".join([INTRODUCTION, *_sections()]) + "\n"


def command_names() -> set[str]:
    """Give the names of all commands, subcommands by both words: `run`, `table data`."""
    return {name for section in COMMANDS.values() for top in section for name, _ in _walk(top, _command(top))}


def _sections() -> Iterator[str]:
    for title, section in COMMANDS.items():
        yield f"## {title}"
        for top in section:
            for name, command in _walk(top, _command(top)):
                yield from _described(name, command)


def _command(name: str) -> Any:
    return cli.get_command(None, name)  # type: ignore[arg-type] # it asks the context for nothing


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Give the command with its name, or its subcommands if it has any."""
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
        return
    for key, sub in inner.items():
        yield from _walk(f"{name} {key}", sub)


def _described(name: str, command: Any) -> Iterator[str]:
    shown = [
        parameter
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and parameter.name != "help"
    ]
    words = [_usage(parameter) for parameter in shown if not _is_option(parameter)]
    yield f"### patterns {' '.join([name, *words])}"
    yield from (" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    rows = [f"| `{_spelling(parameter)}` | {_meaning(parameter)} |" for parameter in shown]
    if rows:
        yield "\n".join(["| | |", "|---|---|", *rows])
    if command.epilog:
        yield f"`{command.epilog.removeprefix('Example: ')}`"


def _is_option(parameter: Any) -> bool:
    return bool(parameter.opts[0].startswith("-"))


def _usage(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()).strip("[]")
    return name if parameter.required else f"[{name}]"


def _spelling(parameter: Any) -> str:
    if not _is_option(parameter):
        return _usage(parameter).strip("[]")
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.opts[0].lstrip('-').upper()}"
    return names + value


def _meaning(parameter: Any) -> str:
    text = " ".join((parameter.help or "").split()).replace("|", "\\|")
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if (
        not _is_option(parameter)
        or parameter.is_flag
        or default is None
        or callable(default)
        or "[default" in text
    ):
        return text
    return f"{text} Default: {default}."


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - it is a program, too
