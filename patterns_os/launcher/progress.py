"""A page of memory that a node process writes and its supervisor reads, also after the process's death.

It tells how many records the run was given and which one is open; in the other direction it tells the run to
stop at the next record boundary. Eight bytes are written at once, so no reader sees half a number.
"""

import mmap
import os
import struct
import sys
import tempfile
from dataclasses import dataclass

_SIZE = 4096
_NUMBER = struct.Struct("q")
_RECORD = struct.Struct("6q")
_NAME_LENGTH, _NAME = 64, 72
_BOUNDARIES, _POSITION, _TABLE, _FIRST, _YIELDED, _AFTER_LOOP, _STOP = range(0, 56, 8)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the page says now. `boundaries` changes with every boundary; `position` 0: no record was opened."""

    boundaries: int
    position: int
    table: int
    first: int
    yielded: int
    after_loop: bool
    stream: str = ""


class Progress:
    """The page, on either side. `descriptor` is inherited by the node process."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._page = mmap.mmap(descriptor, _SIZE)
        self._boundaries = 0
        self._stream = ""

    @classmethod
    def create(cls) -> "Progress":
        """Make a new page of zeros."""
        if sys.platform == "linux":
            descriptor = os.memfd_create("patterns-progress")
        else:
            descriptor, path = tempfile.mkstemp(prefix="patterns-progress-")
            os.unlink(path)  # noqa: PTH108 - the descriptor stays, the name goes
        os.ftruncate(descriptor, _SIZE)
        return cls(descriptor)

    def begin(self) -> None:
        """Forget the run before; a boundary is reached."""
        for field in (_POSITION, _TABLE, _FIRST, _YIELDED, _AFTER_LOOP, _STOP):
            self._set(field, 0)
        self.stream = ""
        self.boundary()

    @property
    def stream(self) -> str:
        """Name of the stream that the next records come from; set before they are opened."""
        return self._stream

    @stream.setter
    def stream(self, name: str) -> None:
        text = name.encode()[: _SIZE - _NAME]
        self._page[_NAME : _NAME + len(text)] = text
        self._set(_NAME_LENGTH, len(text))
        self._stream = name

    def open_record(self, table: int, first: int, position: int, yielded: int) -> None:
        """Say which record is being worked on; a boundary is reached."""
        self._boundaries += 1
        _RECORD.pack_into(self._page, 0, self._boundaries, position, table, first, yielded, 0)

    def end_of_stream(self) -> None:
        """Say that the loop is over: the last record stays named."""
        self._set(_AFTER_LOOP, 1)
        self.boundary()

    def boundary(self) -> None:
        """Say that a boundary was reached: the time-out begins anew."""
        self._boundaries += 1
        self._set(_BOUNDARIES, self._boundaries)

    def ask_to_stop(self) -> None:
        """Ask the run to end at the next record boundary."""
        self._set(_STOP, 1)

    @property
    def stop_asked(self) -> bool:
        """Whether the run shall end at the next record boundary."""
        return self._get(_STOP) != 0

    def snapshot(self) -> Snapshot:
        """Read the page."""
        get = self._get
        return Snapshot(
            get(_BOUNDARIES),
            get(_POSITION),
            get(_TABLE),
            get(_FIRST),
            get(_YIELDED),
            get(_AFTER_LOOP) != 0,
            self._page[_NAME : _NAME + get(_NAME_LENGTH)].decode("utf-8", "replace"),
        )

    def close(self) -> None:
        """Give the page back."""
        self._page.close()
        os.close(self.descriptor)

    def _get(self, field: int) -> int:
        return int(_NUMBER.unpack_from(self._page, field)[0])

    def _set(self, field: int, value: int) -> None:
        _NUMBER.pack_into(self._page, field, value)
