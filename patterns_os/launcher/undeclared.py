"""What a script is told that uses what its node does not declare."""

from collections.abc import Iterable

from patterns.errors import ParameterError, TableError
from patterns_os.diagnostics import did_you_mean, quote


def undeclared_table(node: str, name: str, mode: str, known: Iterable[str]) -> TableError:
    """Give the error for a table that is opened to read (`r`) or write (`w`)."""
    names = sorted(known)
    verb, key = ("reads", "inputs") if mode == "r" else ("writes", "outputs")
    return TableError(
        f'Node "{node}" {verb} table "{name}", which it does not declare; '
        f"known: {', '.join(quote(known_name) for known_name in names) or 'none'}",
        code="undeclared-table",
        hint=did_you_mean(name, names) or f'add "{name}" to the "{key}" of the script in manifest.json',
    )


def undeclared_stream(node: str, table: str) -> TableError:
    """Give the error for a table that is streamed and no input."""
    return TableError(
        f'Node "{node}" streams table "{table}", which is not among its inputs',
        code="undeclared-table",
        hint=f'add "{table}" to the "inputs" of the script in manifest.json',
    )


def undeclared_secret(node: str, name: str) -> ParameterError:
    """Give the error for a secret."""
    return ParameterError(
        f'Node "{node}" uses secret "{name}", which it does not declare',
        code="undeclared-secret",
        hint=f'add "{name}" to the "secrets" of the script in manifest.json',
        family="permanent",
    )


def unset_secret(name: str) -> ParameterError:
    """Give the error for a secret that a parameter names and nobody has set."""
    return ParameterError(
        f'Secret "{name}", which a parameter names, is not set',
        code="secret-missing",
        hint=f"patterns secret set {name}",
        family="permanent",
    )
