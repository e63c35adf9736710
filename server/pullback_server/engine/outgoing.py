"""What goes out over a socket: at once where it takes it, else in order as soon as it does.

Knows asyncio and bytes, not what they mean.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pullback_server.model.evaluation import Buffer
from pullback_server.model.memory import Segment

# What the kernel takes at once (IOV_MAX is 1024).
_PARTS_AT_ONCE: Final = 512
# As long as so much waits to be written, callers wait before they add to it.
_ENOUGH_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Waiting:
    """What is not written yet.

    Attributes:
        parts: The bytes, in order.
        segment: The segment whose open file goes with the first of them.
        wanted: Says whether anybody still wants it, as long as nothing of it is written.
        nbytes: How many bytes it has.
    """

    parts: deque[memoryview]
    segment: Segment | None
    wanted: Callable[[], bool]
    nbytes: int


class Outgoing:
    """Writes to a non-blocking stream socket.

    Args:
        connection: The socket.
        failed: Called with the error when it can no longer be written to.
    """

    def __init__(self, connection: socket.socket, failed: Callable[[OSError], None]) -> None:
        self._connection = connection
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._nbytes = 0
        self._room: asyncio.Event = asyncio.Event()
        self._room.set()

    @property
    def crowded(self) -> bool:
        """Whether so much waits that nobody should add to it; then `room` tells when it is less."""
        return self._nbytes >= _ENOUGH_BYTES

    async def room(self) -> None:
        """Returns when it is not crowded."""
        while self.crowded:
            await self._room.wait()

    def send(
        self,
        parts: Sequence[Buffer],
        segment: Segment | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        """Writes, or has it written in turn.

        Args:
            parts: Bytes, which must not change until they are written.
            segment: A segment whose open file is passed along.
            wanted: Says whether it is still to be written; not asked once a part of it is.
        """
        if len(parts) == 1 and segment is None and not self._queue and self._sent_at_once(parts[0]):
            return
        views = deque(memoryview(part).cast("B") for part in parts)
        waiting = _Waiting(views, segment, wanted or _always, sum(map(len, views)))
        if self._queue:
            self._enqueue(waiting)
            return
        try:
            self._write(waiting)
        except OSError as error:
            self._failed(error)
            return
        if waiting.parts:
            self._enqueue(waiting)
            self._loop.add_writer(self._connection.fileno(), self._flush)

    def _sent_at_once(self, data: Buffer) -> bool:
        """Writes a small frame with one call; says whether it went, or never will."""
        try:
            written = self._connection.send(data)
        except BlockingIOError:
            return False
        except OSError as error:
            self._failed(error)
            return True
        if written < len(data):
            self._enqueue(_Waiting(deque([memoryview(data)[written:]]), None, _always, len(data) - written))
            self._loop.add_writer(self._connection.fileno(), self._flush)
        return True

    def close(self) -> None:
        """Writes no more, and lets those go on who wait for room."""
        if self._queue:
            self._loop.remove_writer(self._connection.fileno())
        self._queue.clear()
        self._nbytes = 0
        self._room.set()

    def _enqueue(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._nbytes += waiting.nbytes
        if self.crowded:
            self._room.clear()

    def _flush(self) -> None:
        try:
            while self._queue and self._advance(self._queue[0]):
                self._nbytes -= self._queue.popleft().nbytes
        except OSError as error:
            self._failed(error)
            return
        if not self.crowded:
            self._room.set()
        if not self._queue:
            self._loop.remove_writer(self._connection.fileno())

    def _advance(self, waiting: _Waiting) -> bool:
        """Writes what can be written now; says whether it was all."""
        if waiting.wanted():
            self._write(waiting)
        else:
            waiting.parts.clear()
        return not waiting.parts

    def _write(self, waiting: _Waiting) -> None:
        while waiting.parts:
            parts = list(itertools.islice(waiting.parts, _PARTS_AT_ONCE))
            try:
                written = self._connection.sendmsg(parts, _ancillary(waiting.segment))
            except BlockingIOError:
                return
            waiting.segment = None
            waiting.wanted = _always
            _drop(waiting.parts, written)


def _always() -> bool:
    return True


def _ancillary(segment: Segment | None) -> list[tuple[int, int, bytes]]:
    if segment is None:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [segment.descriptor]).tobytes())]


def _drop(parts: deque[memoryview], count: int) -> None:
    """Takes so many bytes off the front."""
    while parts and count >= len(parts[0]):
        count -= len(parts.popleft())
    if count:
        parts[0] = parts[0][count:]
