"""Effects on the outside world that must not be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patterns import host

if TYPE_CHECKING:
    from collections.abc import Callable


def once(key: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Run `effect` at most once for the current record and key, and remember its result.

    At most one *recorded* call succeeds: if a process dies between the effect and its record, the next
    attempt runs it again. Give the service an idempotency key of its own where it takes one.

    Args:
        key: Names the effect within the record.
        effect: Called without arguments; its result must be a JSON value.
    """
    return host.current().once(key, effect)
