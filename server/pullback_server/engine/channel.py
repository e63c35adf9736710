"""The conversation with one worker process: requests out, answers back, matched by their ids.

Knows asyncio and frames, not what the messages mean.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from pullback_server.engine.outgoing import Outgoing
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Buffer
from pullback_server.model.frames import Frame, FrameError, FrameReader, encode
from pullback_server.model.memory import Segment
from pullback_server.model.messages import Answer, Notice, Ready, Request

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_SOCKET_BYTES: Final = 1 << 20


class WorkerGoneError(Exception):
    """The worker process ended, or said what makes no sense, before it answered."""


class _Asked(NamedTuple):
    """A request in the worker's hands.

    Attributes:
        answer: Who waits for its answer; cancelled where nobody does any more.
        held: What has to live until then, whoever waits: the worker may still read and write it.
    """

    answer: asyncio.Future[Frame]
    held: object


class Channel:
    """Sends requests and hands each answer to the one who waits for it.

    Requests are written at once, in the order in which they are asked; no task stands in between.

    Args:
        connection: The front's end of the socket, non-blocking.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._outgoing = Outgoing(connection, self._lost)
        self._incoming = FrameReader()
        self._ready: asyncio.Future[WorkerDescription] = self._loop.create_future()
        self._asked: dict[int, _Asked] = {}
        self._closed = asyncio.Event()
        self._watching = False
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether the conversation goes on."""
        return not self._closed.is_set()

    @property
    def in_flight(self) -> int:
        """How many requests the worker has in hand, those included whose callers have gone."""
        return len(self._asked)

    async def open(self) -> WorkerDescription:
        """Waits for the worker's first message, then begins to converse.

        Raises:
            WorkerGoneError: If the worker ends before, or begins with another message.
        """
        self._loop.add_reader(self._connection.fileno(), self._read)
        self._watching = True
        return await self._ready

    @property
    def crowded(self) -> bool:
        """Whether requests would have to wait long in this process."""
        return self._outgoing.crowded

    async def room(self) -> None:
        """Returns when requests can be sent without having to wait long in this process.

        Raises:
            WorkerGoneError: If the worker has gone.
        """
        if self._outgoing.crowded:
            await self._outgoing.room()
        if not self.is_open:
            raise WorkerGoneError("the worker has gone")

    def ask(
        self, make: Callable[[int], Request], buffers: Sequence[Buffer] = (), held: object = None
    ) -> asyncio.Future[Frame]:
        """Sends a request; gives its answer, which fails with WorkerGoneError if the worker goes before.

        Args:
            make: Makes the request with the id that it gets.
            buffers: What follows it.
            held: What has to live until the worker has answered, or its process has ended.
        """
        answer: asyncio.Future[Frame] = self._loop.create_future()
        if not self.is_open:
            answer.set_exception(WorkerGoneError("the worker has gone"))
            return answer
        id_ = next(self._ids)
        parts = encode(Frame(make(id_), buffers))
        self._asked[id_] = _Asked(answer, held)
        self._outgoing.send(parts, wanted=lambda: self._wanted(id_))
        return answer

    def tell(self, notice: Notice, segment: Segment | None = None) -> None:
        """Sends what has no answer; with a segment, its open file as well."""
        if self.is_open:
            self._outgoing.send(encode(Frame(notice)), segment)

    async def closed(self) -> None:
        """Returns when the conversation has ended, from whichever side."""
        await self._closed.wait()

    def close(self) -> None:
        """Ends the conversation; whoever still waits gets a WorkerGoneError."""
        self.break_off(WorkerGoneError("the worker was stopped"))

    def break_off(self, error: WorkerGoneError) -> None:
        """Ends the conversation with an error for everyone who still waits.

        What requests hold stays held: the process may go on for a while. See `reaped`.
        """
        if not self.is_open:
            return
        self._closed.set()
        if self._watching:
            self._loop.remove_reader(self._connection.fileno())
        self._outgoing.close()
        _fail(self._ready, error)
        for asked in self._asked.values():
            _fail(asked.answer, error)

    def reaped(self) -> None:
        """Lets go of what requests hold, since the process has ended."""
        self._asked.clear()

    def _wanted(self, id_: int) -> bool:
        """Whether a request that is still to be written has a caller; without one it is forgotten."""
        if not self._asked[id_].answer.cancelled():
            return True
        del self._asked[id_]
        return False

    def _lost(self, error: Exception) -> None:
        self.break_off(WorkerGoneError(f"the worker has gone: {error}"))

    def _read(self) -> None:
        try:
            count = self._connection.recv_into(self._incoming.room)
            for frame in self._incoming.received(count):
                self._take(frame)
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, FrameError) as error:
            self._lost(error)
            return
        if count == 0:
            self._lost(EOFError("its end of the socket is closed"))

    def _take(self, frame: Frame) -> None:
        message = frame.message
        if not self._ready.done():
            if not isinstance(message, Ready):
                raise FrameError(f"the worker began with {type(message).__name__}")
            self._ready.set_result(message.description)
            return
        if not isinstance(message, Answer):
            raise FrameError(f"the worker says {type(message).__name__}")
        asked = self._asked.pop(message.id, None)
        if asked is None:
            raise FrameError(
                f"the worker answers request {message.id}, which was not asked or has its answer"
            )
        if not asked.answer.done():
            asked.answer.set_result(frame)


def _fail(waiting: asyncio.Future[_T], error: WorkerGoneError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # so that nobody has to be waiting
