"""Secrets: values by name that never stand in an app's files.

Names are ASCII letters, digits and underscores, not beginning with a digit. A value is a non-empty text
without NUL; an empty one counts as not set, because an empty password is always a mistake.
"""

import re
from typing import Protocol

from patterns_os.diagnostics import quote
from patterns_os.errors import PermanentError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretStore(Protocol):
    """A place that holds secrets.

    Reading may be repeated at will and changes nothing. Values are looked up anew each time, so that a change
    is seen at once. No error and no `repr` shows a value.

    Attributes:
        label: What a person calls the place: `environment`, `.env`, `local store`.
    """

    @property
    def label(self) -> str:
        """What a person calls the place."""

    def get(self, name: str) -> str | None:
        """Give the value, or `None` where this place has none of that name.

        Raises:
            PermanentError: `secret-name`; or the place can't be read as it is (`secret-file`, `secret-key`,
                `secret-value`). A value that is there and can't be read is never `None`.
        """

    def set(self, name: str, value: str) -> None:
        """Keep the value, in place of an older one; may be repeated. Readers see the old or the new, whole.

        Raises:
            PermanentError: `secret-name`, `secret-value`, `secret-read-only`, and what `get` raises.
            TemporaryError: `secret-busy` where somebody else has been writing for too long.
        """

    def delete(self, name: str) -> bool:
        """Forget the value and tell whether there was one; may be repeated.

        Raises:
            PermanentError: As for `set`.
            TemporaryError: As for `set`.
        """

    def names(self) -> tuple[str, ...]:
        """Give the names of the secrets held here, sorted, each once."""


def check_secret_name(name: str) -> str:
    """Give the name back.

    Raises:
        PermanentError: `secret-name` where it isn't one.
    """
    if _NAME.fullmatch(name):
        return name
    raise PermanentError(
        f"{quote(name)} is no name for a secret: expected letters, digits and underscores, no digit first",
        code="secret-name",
        hint="name it like an environment variable, for example OPENAI_API_KEY",
    )


def check_secret_value(name: str, value: str) -> str:
    """Give the value back.

    Raises:
        PermanentError: `secret-value` where no store can hold it.
    """
    if not value:
        raise _refused(name, "is empty, expected a text")
    if "\0" in value:
        raise _refused(name, "has a NUL character, which no environment can hold")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _refused(name, "is not valid UTF-8")
    return value


def read_only(label: str, name: str) -> PermanentError:
    """Give the error of a place that is only read."""
    return PermanentError(
        f"secret {quote(name)} can't be changed in the {label}, which is only read",
        code="secret-read-only",
        hint="change it where it is set; `patterns secret set` keeps it in the local store",
    )


def _refused(name: str, reason: str) -> PermanentError:
    return PermanentError(f"the value of secret {quote(name)} {reason}", code="secret-value")
