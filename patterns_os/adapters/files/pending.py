"""Written files that nobody sees before they are closed.

The bytes go to a temporary file. Closing it hands it over; an exception in its `with` block, or never closing
it, throws it away.
"""

import io
from collections.abc import Callable
from types import TracebackType


class Pending:
    """What becomes of a temporary file: exactly one of the two is called, once.

    Args:
        commit: Puts the file, completely written, in its place.
        discard: Removes it.
    """

    def __init__(self, commit: Callable[[int], None], discard: Callable[[], None]) -> None:
        self._commit = commit
        self._discard = discard
        self._is_settled = False

    def settle(self, number: int) -> None:
        """Commit the file that is open under this number; discard it where that fails."""
        if self._is_settled:
            return
        try:
            self._commit(number)
        except BaseException:
            self.drop()
            raise
        self._is_settled = True

    def drop(self) -> None:
        """Discard the file, unless it is settled."""
        if not self._is_settled:
            self._is_settled = True
            self._discard()


class PendingBytes(io.BufferedRandom):
    """A binary file that appears on close."""

    def __init__(self, number: int, pending: Pending) -> None:
        self._pending = pending
        super().__init__(io.FileIO(number, "r+"))

    def close(self) -> None:
        """Write out, hand over, close; a second call does nothing."""
        if self.closed:
            return
        try:
            self.flush()
            self._pending.settle(self.fileno())
        except BaseException:
            self.abandon()
            raise
        super().close()

    def abandon(self) -> None:
        """Close and throw away."""
        self._pending.drop()
        # Not `super().close()`, which would first write out what is to be thrown away.
        self.raw.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hand over, or throw away after an exception."""
        self.close() if kind is None else self.abandon()

    def __del__(self) -> None:
        """Throw away what was never closed."""
        if not self.closed:
            self.abandon()


class PendingText(io.TextIOWrapper):
    """A UTF-8 text file that appears on close; line ends stay as they are written."""

    def __init__(self, binary: PendingBytes) -> None:
        self._binary = binary
        super().__init__(binary, encoding="utf-8", newline="")

    def close(self) -> None:
        """Write out, hand over, close; a second call does nothing."""
        if self.closed:
            return
        try:
            self.flush()
        except BaseException:
            # The inherited one would go on and hand over the half that was written.
            self.abandon()
            raise
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hand over, or throw away after an exception."""
        self.close() if kind is None else self.abandon()

    def abandon(self) -> None:
        """Close and throw away."""
        self._binary.abandon()

    def __del__(self) -> None:
        """Throw away what was never closed."""
        if not self._binary.closed:
            self.abandon()


def pending_file(number: int, mode: str, pending: Pending) -> PendingBytes | PendingText:
    """Give the file that writes to the descriptor `number`: bytes where the mode has `b`, else text."""
    binary = PendingBytes(number, pending)
    return binary if "b" in mode else PendingText(binary)
