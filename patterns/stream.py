"""A node's place in a table: each row once, over all runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patterns.host import StreamHost


class Stream:
    """Rows that this node has not consumed, in the order they were written.

    The loop may end before all rows are given (a run is kept short): the rest comes with the next run.
    When the script ends, everything that was given counts as done, with all that was written; when it raises,
    nothing does.
    """

    def __init__(self, place: StreamHost, order_by: str | None = None) -> None:
        self._place = place
        self.order_by_field = order_by or "patterns_id"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the rows."""
        return iter(self._place)

    def consume_records(self, with_metadata: bool = False) -> Iterator[dict[str, Any]]:  # noqa: ARG002, FBT001, FBT002 - the signature users know
        """Iterate over the rows."""
        return iter(self._place)

    def batches(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """Iterate over lists of at most `size` rows; a list is done when the next is asked for."""
        return self._place.batches(size)

    @contextmanager
    def consume_with_rollback(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Commit after each row of the loop inside; when it raises, go back to the last one."""
        try:
            yield self._committing()
        except BaseException:
            self._place.rollback()
            raise
        self._place.checkpoint()

    def checkpoint(self) -> None:
        """Commit everything up to the last row given, outputs and State included."""
        self._place.checkpoint()

    def rollback(self) -> None:
        """Go back to the last checkpoint or the start of the run, and drop what was written since."""
        self._place.rollback()

    def rewind(self) -> None:
        """Go back to the beginning of the table."""
        self._place.rewind()

    def seek(self, value: Any) -> None:  # noqa: ANN401 - a value of the order column
        """Skip rows up to and including `value` of the order column (`patterns_id` without `order_by`)."""
        self._place.seek(value)

    def _committing(self) -> Iterator[dict[str, Any]]:
        for record in self._place:
            yield record
            self._place.checkpoint()
