"""The conversation with one worker process: requests out, answers back, matched by their ids.

Knows asyncio and frames, not what the messages mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
from collections.abc import Awaitable, Callable

from pullback_server.model.devices import WorkerDescription
from pullback_server.model.frames import Frame, FrameError, decode, encode
from pullback_server.model.messages import Ready

_log = logging.getLogger(__name__)


class WorkerGoneError(Exception):
    """The worker process ended, or said what makes no sense, before it answered."""


class Channel:
    """Sends requests and hands each answer to the one who waits for it.

    One task writes and one reads, so that a caller that goes away in the middle tears no frame apart.

    Args:
        connection: The front's end of the socket, non-blocking.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._outgoing: asyncio.Queue[tuple[int, Frame]] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether the conversation goes on."""
        return not self._closed.is_set()

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return len(self._waiting)

    async def open(self) -> WorkerDescription:
        """Waits for the worker's first message, then begins to converse.

        Raises:
            WorkerGoneError: If the worker ends before, or begins with another message.
        """
        try:
            frame = await self._receive()
        except (OSError, EOFError, FrameError) as error:
            raise WorkerGoneError(f"the worker ended before it was ready: {error}") from error
        if not isinstance(frame.message, Ready):
            raise WorkerGoneError(f"the worker began with {type(frame.message).__name__}")
        self._tasks = [asyncio.create_task(self._ended_by(part)) for part in (self._read, self._write)]
        return frame.message.description

    async def ask(self, make: Callable[[int], Frame]) -> Frame:
        """Sends a request and waits for its answer.

        Args:
            make: Makes the request's frame with the id that it gets.

        Raises:
            WorkerGoneError: If the worker goes before it answers.
        """
        if not self.is_open:
            raise WorkerGoneError("the worker has gone")
        id_ = next(self._ids)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[id_] = answer
        self._outgoing.put_nowait((id_, make(id_)))
        try:
            return await answer
        finally:
            del self._waiting[id_]

    async def closed(self) -> None:
        """Returns when the conversation has ended, from whichever side."""
        await self._closed.wait()

    async def close(self) -> None:
        """Ends the conversation; whoever still waits gets a WorkerGoneError."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.break_off(WorkerGoneError("the worker was stopped"))

    def break_off(self, error: WorkerGoneError) -> None:
        """Ends the conversation with an error for everyone who still waits."""
        self._closed.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)

    async def _ended_by(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except (OSError, EOFError, FrameError) as error:
            self.break_off(WorkerGoneError(f"the worker has gone: {error}"))

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            id_, frame = await self._outgoing.get()
            if id_ not in self._waiting:
                continue
            for part in encode(frame):
                await loop.sock_sendall(self._connection, part)

    async def _read(self) -> None:
        while True:
            frame = await self._receive()
            if isinstance(frame.message, Ready):
                raise FrameError("the worker says a second time that it is ready")
            answer = self._waiting.get(frame.message.id)
            if answer is None:
                _log.debug("the caller of request %d has gone; its answer is dropped", frame.message.id)
            elif not answer.done():
                answer.set_result(frame)

    async def _receive(self) -> Frame:
        reader = decode()
        wanted = next(reader)
        with contextlib.closing(reader):
            while True:
                data = await self._receive_exactly(wanted)
                try:
                    wanted = reader.send(data)
                except StopIteration as finished:
                    frame: Frame = finished.value
                    return frame

    async def _receive_exactly(self, count: int) -> bytearray:
        loop = asyncio.get_running_loop()
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            received = await loop.sock_recv_into(self._connection, rest)
            if received == 0:
                raise EOFError("its end of the socket is closed")
            rest = rest[received:]
        return data
