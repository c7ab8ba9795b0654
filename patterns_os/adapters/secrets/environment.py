"""Secrets from the process's own environment, under their plain names."""

from collections.abc import Collection, Mapping

from patterns_os.ports.secrets import check_secret_name, check_secret_value, read_only

OURS = "PATTERNS_"


class EnvironmentSecrets:
    """Reads environment variables.

    Names that begin with `PATTERNS_` are settings of ours, the key of the local store among them, and are
    never answered.

    Args:
        environ: The variables, looked up anew each time.
        declared: Names that the app declares as secrets: `names` gives those of them that are set. An
            environment has many variables, and few of them are secrets.
    """

    label = "environment"

    def __init__(self, environ: Mapping[str, str], declared: Collection[str] = ()) -> None:
        self._environ = environ
        self._declared = frozenset(declared)

    def __repr__(self) -> str:
        """Show no value."""
        return f"EnvironmentSecrets(declared={sorted(self._declared)})"

    def get(self, name: str) -> str | None:
        """Give the variable's value; an empty one is not set."""
        if check_secret_name(name).startswith(OURS):
            return None
        value = self._environ.get(name)
        return check_secret_value(name, value) if value else None

    def set(self, name: str, value: str) -> None:
        """Refuse: an environment belongs to whoever started us."""
        check_secret_value(check_secret_name(name), value)
        raise read_only(self.label, name)

    def delete(self, name: str) -> bool:
        """Refuse, as `set` does."""
        raise read_only(self.label, check_secret_name(name))

    def names(self) -> tuple[str, ...]:
        """Give the declared names that are set."""
        return tuple(sorted(name for name in self._declared if self.get(name) is not None))
