"""Chunks under way: how many may be, which have to be sent again and when, and what comes next in order.

A chunk is launched, and then lands with its answer, or is lost. What was lost is sent again after a pause,
which doubles as long as nothing lands. Landed chunks are taken in the order in which they were launched;
until then they count, so that one that is late bounds what waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pullback._mapping.cutting import Chunk
from pullback._mapping.failures import at_points, passes
from pullback.errors import PullbackError

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Window:
    """How much may be under way at a time.

    Attributes:
        chunks: The most chunks.
        nbytes: The bytes of requests and results above which no more are launched.
    """

    chunks: int
    nbytes: int = 64 << 20


class Flight:
    """The chunks of a map that are under way.

    Args:
        window: How much may be.
        retries: How often lost chunks are sent again in a row, without one landing.
    """

    def __init__(self, window: Window, retries: int) -> None:
        self._window = window
        self._retries = retries
        self._chunks: dict[int, Chunk] = {}
        self._answers: dict[int, Any] = {}
        self._lost: dict[int, PullbackError] = {}
        self._launched = 0
        self._taken = 0
        self._nbytes = 0
        self._tries = 0

    @property
    def window(self) -> Window:
        """How much may be under way."""
        return self._window

    @property
    def empty(self) -> bool:
        """Whether everything that was launched was taken."""
        return not self._chunks

    @property
    def has_room(self) -> bool:
        """Whether another chunk may be launched: always if none is under way, and never while one is lost."""
        if not self._chunks:
            return True
        full = len(self._chunks) >= self._window.chunks or self._nbytes >= self._window.nbytes
        return not full and not self._lost

    @property
    def has_lost(self) -> bool:
        """Whether chunks have to be sent again."""
        return bool(self._lost)

    def launch(self, chunk: Chunk) -> int:
        """Counts a chunk as under way, and gives its number."""
        number = self._launched
        self._launched += 1
        self._chunks[number] = chunk
        self._nbytes += chunk.nbytes
        return number

    def land(self, number: int, answer: Any) -> None:
        """Keeps the answer to a chunk until its turn has come."""
        self._answers[number] = answer
        self._tries = 0

    def lose(self, number: int, error: PullbackError) -> None:
        """Notes that a chunk has to be sent again.

        Raises:
            PullbackError: If that would not help: the error with the chunk's points.
        """
        if not passes(error):
            raise at_points(error, self._chunks[number]) from error
        self._lost[number] = error

    def pause(self) -> float:
        """How many seconds to wait before lost chunks are sent again; to be asked once for each time.

        Raises:
            PullbackError: If that was done often enough: the error of the first chunk with its points.
        """
        first = min(self._lost)
        error = self._lost[first]
        if self._tries >= self._retries:
            raise at_points(error, self._chunks[first], self._tries + 1) from error
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self._tries)
        self._tries += 1
        return max(pause, *(each.retry_after or 0.0 for each in self._lost.values()))

    def again(self) -> list[tuple[int, Chunk]]:
        """The chunks that were lost, with their numbers, in order; they are under way again."""
        numbers = sorted(self._lost)
        self._lost.clear()
        return [(number, self._chunks[number]) for number in numbers]

    def take(self) -> tuple[Chunk, Any] | None:
        """The next chunk in order with its answer; None while that has not landed."""
        if self._taken not in self._answers:
            return None
        chunk, answer = self._chunks.pop(self._taken), self._answers.pop(self._taken)
        self._nbytes -= chunk.nbytes
        self._taken += 1
        return chunk, answer
