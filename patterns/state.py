"""What a node remembers between runs, and how it asks for another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from patterns import host


class State:
    """Values of this node, kept between runs. Changes count when the run commits."""

    def __init__(self) -> None:
        self._host = host.current()

    def get(self) -> dict[str, Any]:
        """Give all values."""
        return dict(self._host.state())

    def set(self, state: dict[str, Any]) -> None:
        """Make these the only values."""
        self._host.reset_state()
        for key, value in state.items():
            self._host.set_state(key, value)

    def get_value(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON value
        """Give the value of a key, or `default`."""
        return self._host.state().get(key, default)

    def set_value(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Set the value of a key."""
        self._host.set_state(key, value)

    def get_datetime(self, key: str, default: datetime | None = None) -> datetime | None:
        """Give a value as a datetime, or `default`."""
        value = self._host.state().get(key)
        if value is None:
            return default
        return value if isinstance(value, datetime) else datetime.fromisoformat(value)

    def reset(self) -> None:
        """Remove all values."""
        self._host.reset_state()

    def should_continue(
        self,
        pct_of_limit: float | None = None,  # noqa: ARG002 - the slice decides
        seconds_till_limit: float | None = None,  # noqa: ARG002 - the same
    ) -> bool:
        """Tell whether the run has time left; a loop that ends on `False` goes on in the next run."""
        return self._host.should_continue()

    def request_new_run(
        self,
        trigger_downstream: bool = True,  # noqa: ARG002, FBT001, FBT002 - the signature that users know
        wait_atleast_seconds: float | None = None,
    ) -> None:
        """Ask for another run of this node after this one."""
        self._host.request_new_run(wait_atleast_seconds or 0.0)
