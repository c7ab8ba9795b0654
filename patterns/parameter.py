"""Values that the manifest gives to a node."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from patterns import host
from patterns.errors import ParameterError

_MISSING = "MISSING"
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def Parameter(  # noqa: N802 - reads like the declaration that it is
    name: str,
    description: str | None = None,  # noqa: ARG001 - for people
    type: Any = str,  # noqa: A002, ANN401 - the signature that users know
    default: Any = _MISSING,  # noqa: ANN401 - a value of the type
) -> Any:  # noqa: ANN401 - the value itself
    """Give the value of a parameter of this node.

    Args:
        name: As in the manifest.
        description: For people.
        type: `str`, `int`, `float`, `bool`, `datetime`, `date` or `list`; the value is converted to it.
        default: Used if the manifest gives none; without it the parameter is required.

    Raises:
        ParameterError: There is no value, or it is not of the type.
    """
    given, value = host.current().parameter(name)
    if not given:
        if isinstance(default, str) and default == _MISSING:
            raise ParameterError(
                f'Parameter "{name}" has no default or value',
                code="parameter-without-value",
                hint=f'add "parameters": {{"{name}": …}} to the script in manifest.json',
                family="permanent",
            )
        return default
    try:
        return _convert(value, type)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f'Parameter "{name}" is {value!r}, expected {getattr(type, "__name__", type)}',
            code="parameter-type",
            family="permanent",
        ) from error


def _convert(value: Any, kind: Any) -> Any:  # noqa: ANN401, PLR0911 - a table of types
    if value is None or not isinstance(kind, type):
        return value
    if kind is bool and isinstance(value, str):
        if value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        raise ValueError(value)
    if kind is list:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    if kind is datetime:
        return value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if kind is date:
        return value if isinstance(value, date) else date.fromisoformat(value)
    if kind in {str, int, float, bool}:
        return kind(value)
    return value
