"""How many evaluations may be without an answer on a stream: a window by number and by bytes; without I/O."""

from __future__ import annotations

from typing import Final

MOST_BYTES: Final = 64 << 20
"""The bytes of messages, there or back, that may be without an answer; one may always be, however large."""


class Places:
    """The places on a stream.

    Args:
        most: The most evaluations without an answer.
        nbytes: The most bytes.
    """

    __slots__ = ("_bytes", "_most", "_most_bytes", "_taken")

    def __init__(self, most: int, nbytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = nbytes
        self._taken = 0
        self._bytes = 0

    def fit(self, nbytes: int) -> bool:
        """Whether there is a place for a message of so many bytes."""
        if not self._taken:
            return True
        return self._taken < self._most and self._bytes + nbytes <= self._most_bytes

    def take(self, nbytes: int) -> None:
        """Takes a place."""
        self._taken += 1
        self._bytes += nbytes

    def leave(self, nbytes: int) -> None:
        """Gives a place back."""
        self._taken -= 1
        self._bytes -= nbytes
