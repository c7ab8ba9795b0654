"""A row, as a dict that also knows the older names of a webhook's payload."""

from typing import Any

_WHOLE = frozenset({"record", "payload"})


class Record(dict[str, Any]):
    """A row by column name.

    `row["record"]` and `row["payload"]` give the whole row without system columns and empty values, unless
    the row has a column of that name: apps of the older devkit read webhooks so. Iteration, equality and
    what `append(row)` writes know nothing of it.
    """

    __slots__ = ()

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - any value of a row
        """Give the whole row for the two older names."""
        if key in _WHOLE:
            return {
                name: value
                for name, value in self.items()
                if value is not None and not name.startswith("patterns_")
            }
        raise KeyError(key)
