"""When those who are refused may come back, and how often somebody may come. Without I/O.

All times are in seconds, on the clock of `time.monotonic`.
"""

from __future__ import annotations

from typing import Final

SHORTEST_DELAY: Final = 0.02
LONGEST_DELAY: Final = 10.0


class Returns:
    """Gives each who is refused a time of its own to come back, at the pace at which places come free.

    A delay that is the same for all would have all come back at once.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0.0

    def delay(self, now: float, pace: float) -> float:
        """In how many seconds to come back.

        Args:
            now: The time.
            pace: How many seconds pass between two places.
        """
        self._last = min(max(self._last, now) + pace, now + LONGEST_DELAY)
        return max(self._last - now, SHORTEST_DELAY)


class Rate:
    """Lets so many in a second, on average, and some more at once after a pause: a token bucket.

    Args:
        per_second: How many on average; more than 0.
        burst: How many at once, at least 1.
        now: The time.
    """

    __slots__ = ("_burst", "_filled", "_returns", "_tokens", "per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self.per_second = per_second
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._filled = now
        self._returns = Returns()

    def take(self, now: float) -> float | None:
        """Lets one in, which gives None; else gives in how many seconds to come back."""
        tokens = min(self._burst, self._tokens + (now - self._filled) * self.per_second)
        self._filled = now
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return None
        self._tokens = tokens
        return max(self._returns.delay(now, 1.0 / self.per_second), (1.0 - tokens) / self.per_second)
