"""Secrets that the manifest declares for a node."""

from __future__ import annotations

from patterns import host
from patterns.errors import ParameterError


def Secret(name: str) -> str:  # noqa: N802 - reads like the declaration that it is
    """Give the value of a secret.

    Raises:
        ParameterError: It is not set.
    """
    value = host.current().secret(name)
    if value is None:
        raise ParameterError(
            f'Secret "{name}" is not set',
            code="secret-missing",
            hint=f"patterns secret set {name}",
            family="permanent",
        )
    return value
