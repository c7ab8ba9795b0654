"""What was worked out before: answers by a hash of all that they depend on.

The same question never has two answers, so a memo can be lost, shared or stale without harm: whoever asks
checks that everything an answer depended on is still the same.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Generic, Protocol, TypeVar, overload

from patterns_os.graph.sources import Sources

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Memo(Protocol):
    """Bytes by key. Only what this program wrote itself may come back: answers are unpickled."""

    def get(self, key: str) -> bytes | None:
        """Give what is kept under the key, or `None`."""

    def put(self, key: str, answer: bytes) -> None:
        """Keep the answer."""


class Forgetful:
    """A memo that keeps nothing."""

    def get(self, key: str) -> bytes | None:  # noqa: ARG002 - the protocol's signature
        """Give `None`."""
        return None

    def put(self, key: str, answer: bytes) -> None:
        """Let it go."""


class Stored(Sequence[Item], Generic[Item]):
    """A sequence that is unpickled each time it is looked at.

    Most compiles never look at most columns, those that do look once, and as objects they are ten times as large.
    """

    __slots__ = ("_bytes",)

    def __init__(self, pickled: bytes) -> None:
        self._bytes = pickled

    @classmethod
    def of(cls, items: Sequence[Item]) -> "Sequence[Item]":
        """Give the items in stored form; none and stored ones stay as they are."""
        if isinstance(items, Stored) or not items:
            return items
        return cls(pickle.dumps(tuple(items), pickle.HIGHEST_PROTOCOL))

    @property
    def pickled(self) -> bytes:
        """The items as bytes."""
        return self._bytes

    def __reduce__(self) -> tuple[type["Stored[Item]"], tuple[bytes]]:
        """Pickle as it is."""
        return Stored, (self._bytes,)

    def __bool__(self) -> bool:
        """Be true: nothing is never stored."""
        return True

    def __len__(self) -> int:
        """Give the number of items."""
        return len(self._all())

    def __iter__(self) -> Iterator[Item]:
        """Give the items."""
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        """Give an item, or several."""
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        """Be equal to any sequence of the same items."""
        return isinstance(other, Stored | tuple) and self._all() == tuple(other)

    def __hash__(self) -> int:
        """Hash as the tuple of the items does."""
        return hash(self._all())

    def __repr__(self) -> str:
        """Show the items."""
        return repr(self._all())

    def _all(self) -> tuple[Item, ...]:
        items: tuple[Item, ...] = pickle.loads(self._bytes)  # noqa: S301 - what `of` made, here or in an earlier run
        return items


class WatchedSources(Sources):
    """The files of an app, noting which of them somebody looks at."""

    __slots__ = ("_watched", "listed", "seen")

    def __init__(self, watched: Sources) -> None:
        self._files = watched._files  # noqa: SLF001 - the same files, not a copy
        self._digests = watched._digests  # noqa: SLF001 - and what is known of them
        self._watched = watched
        self.seen: dict[str, str | None] = {}
        self.listed = False

    def __getitem__(self, path: str) -> bytes:
        """Give the content of the file and note that it counts."""
        self.digest(path)
        return self._watched[path]

    def __contains__(self, path: object) -> bool:
        """Tell whether there is such a file and note that this counts."""
        if isinstance(path, str):
            self.digest(path)
        return path in self._watched

    def __iter__(self) -> Iterator[str]:
        """Give the paths; from now on every file counts."""
        self.listed = True
        return iter(self._watched)

    def digest(self, path: str) -> str | None:
        """Give the hash of the file and note that it counts."""
        found = self.seen[path] = self._watched.digest(path)
        return found

    @property
    def listing(self) -> str:
        """A hash over the paths; from now on every file counts."""
        self.listed = True
        return self._watched.listing


def digest(items: Sequence[object]) -> str:
    """Give a hash (hex) over items that were stored once; others are stored first."""
    stored = Stored.of(items)
    return sha256(stored.pickled if isinstance(stored, Stored) else b"").hexdigest()


def remember(memo: Memo, question: bytes, sources: Sources, work_out: Callable[[Sources], Answer]) -> Answer:
    """Give what `work_out` gives, from the memo where nothing that it looked at has changed.

    Args:
        memo: Where to look first.
        question: All that the answer depends on besides files.
        sources: The files of the app.
        work_out: A pure function of the question and of the files that it looks at.
    """
    key = sha256(question).hexdigest()
    kept = memo.get(key)
    if kept is not None:
        seen, listing, pickled = pickle.loads(kept)  # noqa: S301 - the memo's promise: only what was put below
        current = all(sources.digest(path) == digest for path, digest in seen.items())
        if current and (listing is None or listing == sources.listing):
            answer: Answer = pickle.loads(pickled)  # noqa: S301 - the same
            return answer
    watched = WatchedSources(sources)
    answer = work_out(watched)
    pickled = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
    listing = sources.listing if watched.listed else None
    memo.put(key, pickle.dumps((watched.seen, listing, pickled), pickle.HIGHEST_PROTOCOL))
    return answer
