"""What the SDK needs from whoever runs the script, and the one that runs it now.

The SDK's classes hold no state of their own: each call goes to the current host. A launcher installs its
host for the time of a run; after the run every call raises `RunEndedError`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, Protocol

from patterns.errors import NoHostError

Row = Mapping[str, Any]


class StreamHost(Protocol):
    """A consumer's place in a table, for the time of a run."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the records of the run's range that were not given yet, in order of position."""
        ...

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Give the records as lists of at most `size`."""
        ...

    def checkpoint(self) -> None:
        """Commit everything up to the last record given, outputs and State included."""
        ...

    def rollback(self) -> None:
        """Go back to the last checkpoint, and drop what was written since."""
        ...

    def rewind(self) -> None:
        """Go back to the beginning of the table."""
        ...

    def seek(self, value: Any) -> None:  # noqa: ANN401 - a value of the order column
        """Skip records up to and including `value` of the order column."""
        ...


class Host(Protocol):
    """Everything a script can ask for. Table names are the names that the script uses."""

    def table_opened(self, name: str, mode: str, *, schema: Any, required: bool) -> None:  # noqa: ANN401 - any spelling
        """Check that the node may use the table so; raises `TableError` otherwise."""
        ...

    def is_connected(self, name: str) -> bool:
        """Tell whether the name leads to a table of the app."""
        ...

    def sql_name(self, name: str) -> str:
        """Give the table's qualified and quoted name for SQL."""
        ...

    def columns(self, name: str) -> dict[str, str]:
        """Give the table's columns, name → type."""
        ...

    def count(self, name: str) -> int:
        """Give the number of rows of the active version."""
        ...

    def read(self, name: str, chunk: int | None) -> Iterator[list[dict[str, Any]]]:
        """Give all rows of the active version in order of position, in lists."""
        ...

    def read_sql(self, statement: str, parameters: Any, chunk: int | None) -> Iterator[list[dict[str, Any]]]:  # noqa: ANN401 - binds
        """Give the rows of a read-only statement, in lists."""
        ...

    def stream(self, name: str, stream: str, order_by: str | None, starting_value: Any) -> StreamHost:  # noqa: ANN401 - a column's value
        """Give the node's stream of a table."""
        ...

    def write(self, name: str, kind: str, rows: Sequence[Row]) -> None:
        """Buffer rows: `append`, `upsert` or `replace`."""
        ...

    def empty(self, name: str, *, drop: bool) -> None:
        """Begin an empty version; with `drop`, do not keep the old one."""
        ...

    def flush(self, name: str) -> None:
        """Send buffered rows on their way; they become visible with the commit."""
        ...

    def init(self, name: str, schema: Any, unique_on: Sequence[str]) -> None:  # noqa: ANN401 - any spelling
        """Lay columns and key columns before the first row."""
        ...

    def state(self) -> dict[str, Any]:
        """Give the node's State; changes count with the commit."""
        ...

    def set_state(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Set a key of the State."""
        ...

    def reset_state(self) -> None:
        """Remove all keys of the State."""
        ...

    def should_continue(self) -> bool:
        """Tell whether the run's slice has time left."""
        ...

    def request_new_run(self, delay_s: float) -> None:
        """Ask for another run of this node after this one."""
        ...

    def tick(self) -> str | None:
        """Give the time that the run is for, as ISO 8601 with its offset, if a tick asked for it."""
        ...

    def parameter(self, name: str) -> tuple[bool, Any]:
        """Give whether a parameter has a value, and the value."""
        ...

    def secret(self, name: str) -> str | None:
        """Give a declared secret's value."""
        ...

    def complete(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask a model; gives `text`, `model`, `provider` and `usage`."""
        ...

    def open_file(self, name: str, mode: str) -> IO[Any]:
        """Open a file of the app's storage."""
        ...

    def file_exists(self, name: str) -> bool:
        """Tell whether the file is there."""
        ...

    def delete_file(self, name: str) -> None:
        """Remove the file; nothing happens if it is not there."""
        ...

    def once(self, key: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Run an outside effect at most once for the current record."""
        ...


_current: Host | None = None


def current() -> Host:
    """Give the host of the run.

    Raises:
        NoHostError: The script was started without Patterns OS.
    """
    if _current is None:
        raise NoHostError
    return _current


@contextmanager
def use(host: Host) -> Iterator[None]:
    """Make `host` the current one inside the block."""
    global _current  # noqa: PLW0603 - the process serves one run at a time
    before, _current = _current, host
    try:
        yield
    finally:
        _current = before
