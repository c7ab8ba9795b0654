"""Several places for secrets, looked through in order."""

from collections.abc import Sequence

from patterns_os.ports.secrets import SecretStore


class LayeredSecrets:
    """Gives the value of the first place that has one; writes to the last place only.

    Args:
        layers: The places, strongest first; at least one.
    """

    def __init__(self, layers: Sequence[SecretStore]) -> None:
        self._layers = tuple(layers)
        self._kept = self._layers[-1]

    def __repr__(self) -> str:
        """Show the places."""
        return f"LayeredSecrets({', '.join(map(repr, self._layers))})"

    @property
    def label(self) -> str:
        """The places' labels, strongest first."""
        return ", ".join(layer.label for layer in self._layers)

    def get(self, name: str) -> str | None:
        """Give the strongest value."""
        values = (layer.get(name) for layer in self._layers)
        return next((value for value in values if value is not None), None)

    def set(self, name: str, value: str) -> None:
        """Keep the value in the last place; a stronger place goes on answering with its own (`place_of`)."""
        self._kept.set(name, value)

    def delete(self, name: str) -> bool:
        """Forget the value of the last place."""
        return self._kept.delete(name)

    def names(self) -> tuple[str, ...]:
        """Give the names of all places."""
        return tuple(sorted({name for layer in self._layers for name in layer.names()}))

    def place_of(self, name: str) -> str | None:
        """Give the label of the place that answers, or `None` where none does."""
        return next((layer.label for layer in self._layers if layer.get(name) is not None), None)
