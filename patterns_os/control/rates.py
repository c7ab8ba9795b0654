"""How often something may happen: a rate for long, and how much of it at once."""


class Rate:
    """A bucket that fills steadily; each time that something happens takes one out.

    Args:
        per_second: How fast it fills.
        at_once: How many it holds; it is full at first.
    """

    def __init__(self, per_second: float, at_once: int) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = float(at_once)
        self._at_s: float | None = None

    def take(self, now_s: float) -> float:
        """Take one out and give 0, or give the seconds until there is one again.

        Args:
            now_s: A clock that only goes forward.
        """
        if self._at_s is not None:
            filled = (now_s - self._at_s) * self._per_second
            self._left = min(self._at_once, self._left + filled)
        self._at_s = now_s
        if self._left < 1:
            return (1 - self._left) / self._per_second
        self._left -= 1
        return 0.0
