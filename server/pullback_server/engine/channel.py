"""The conversation with one worker process: requests out, answers back, matched by their ids.

Knows asyncio and frames, not what the messages mean.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from pullback_server.engine.deadlines import too_late
from pullback_server.engine.deaths import Fate, WorkerGoneError, gone
from pullback_server.engine.outgoing import Outgoing
from pullback_server.errors import ServiceError
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Buffer
from pullback_server.model.frames import Frame, FrameError, FrameReader, encode
from pullback_server.model.memory import Segment
from pullback_server.model.messages import Answer, Notice, Ready, Request
from pullback_server.model.tickets import ticket

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_SOCKET_BYTES: Final = 1 << 20


class Asked(NamedTuple):
    """A request in the worker's hands.

    Attributes:
        answer: Who waits for its answer; done where nobody does any more.
        held: What has to live until then, whoever waits: the worker may still read and write it.
        digest: The program that it is about; empty for none.
        until: When nobody waits any more, on the clock of `time.monotonic`; None if never.
        tenant: Who asks.
    """

    answer: asyncio.Future[Frame]
    held: object
    digest: str
    until: float | None
    tenant: str


class Channel:
    """Sends requests and hands each answer to the one who waits for it.

    Requests are written at once, in the order in which they are asked; no task stands in between.

    Args:
        connection: The front's end of the socket, non-blocking.

    Attributes:
        answered: How many requests were answered.
        nonsense: What the worker said that makes no sense; empty if nothing.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._outgoing = Outgoing(connection, self._lost)
        self._incoming = FrameReader()
        self._ready: asyncio.Future[WorkerDescription] = self._loop.create_future()
        self._asked: dict[int, Asked] = {}
        self._closed = asyncio.Event()
        self._watching = False
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.answered = 0
        self.nonsense = ""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether the conversation goes on."""
        return not self._closed.is_set()

    @property
    def in_flight(self) -> int:
        """How many requests the worker has in hand, those included whose callers have gone."""
        return len(self._asked)

    @property
    def asked(self) -> Mapping[int, Asked]:
        """The requests that the worker has in hand, by their numbers."""
        return self._asked

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
            raise gone("its socket is closed")

    def ask(
        self,
        make: Callable[[int], Request],
        buffers: Sequence[Buffer] = (),
        held: object = None,
        digest: str = "",
        until: float | None = None,
    ) -> asyncio.Future[Frame]:
        """Sends a request; gives its answer, which fails with WorkerGoneError if the worker goes before.

        Args:
            make: Makes the request with the id that it gets.
            buffers: What follows it.
            held: What has to live until the worker has answered, or its process has ended.
            digest: The program that it is about.
            until: When the answer fails with DEADLINE_EXCEEDED, and the worker goes on for nobody.
        """
        answer: asyncio.Future[Frame] = self._loop.create_future()
        if not self.is_open:
            answer.set_exception(gone("its socket is closed"))
            return answer
        id_ = next(self._ids)
        parts = encode(Frame(make(id_), buffers))
        self._asked[id_] = Asked(answer, held, digest, until, ticket.get().tenant)
        if until is not None and until < self._due:
            self._wait_until(until)
        self._outgoing.send(parts, wanted=lambda: self._wanted(id_))
        return answer

    def tell(self, notice: Notice, segment: Segment | None = None) -> None:
        """Sends what has no answer; with a segment, its open file as well."""
        if self.is_open:
            self._outgoing.send(encode(Frame(notice)), segment)

    async def closed(self) -> None:
        """Returns when the conversation has ended, from whichever side."""
        await self._closed.wait()

    def fail(self, id_: int, error: ServiceError) -> None:
        """Tells the caller of a request that is in the worker's hands an error, as if it were the answer."""
        asked = self._asked.get(id_)
        if asked is not None:
            _fail(asked.answer, error)

    def break_off(self, nonsense: str) -> None:
        """Ends the conversation, since the worker makes no sense."""
        self.nonsense = self.nonsense or nonsense
        self.close(nonsense)

    def reaped(self, fate: Callable[[int], Fate]) -> None:
        """Tells everybody who still waits, and lets go of what requests hold, since the process has ended.

        Args:
            fate: What the end means for the request of a number.
        """
        self.close("its process has ended")
        if self._timer is not None:
            self._timer.cancel()
        for id_, asked in self._asked.items():
            _fail(asked.answer, WorkerGoneError(fate(id_)))
        self._asked.clear()

    def close(self, how: str) -> None:
        """Ends the conversation.

        Nobody is told yet, and what requests hold stays held, since the process may go on for a while: see
        `reaped`.
        """
        if not self.is_open:
            return
        self._closed.set()
        if self._watching:
            self._loop.remove_reader(self._connection.fileno())
        self._outgoing.close()
        _fail(self._ready, gone(how))

    def _wait_until(self, until: float) -> None:
        """Has a timer end at the earliest of all times; there is one for all requests."""
        if self._timer is not None:
            self._timer.cancel()
        self._due = until
        self._timer = self._loop.call_later(max(0.0, until - time.monotonic()), self._expire)

    def _expire(self) -> None:
        """Tells those whose time is over, and waits for the next one."""
        self._due, self._timer = math.inf, None
        now, due = time.monotonic(), math.inf
        for asked in self._asked.values():
            if asked.until is None or asked.answer.done():
                continue
            if asked.until <= now:
                _fail(asked.answer, too_late())
            else:
                due = min(due, asked.until)
        if due < math.inf:
            self._wait_until(due)

    def _wanted(self, id_: int) -> bool:
        """Whether a request that is still to be written has a caller; without one it is forgotten."""
        asked = self._asked.get(id_)  # a worker that makes no sense may have answered it already
        if asked is not None and not asked.answer.done():
            return True
        self._asked.pop(id_, None)
        return False

    def _lost(self, error: Exception) -> None:
        self.close(str(error))

    def _read(self) -> None:
        try:
            count = self._connection.recv_into(self._incoming.room)
            for frame in self._incoming.received(count):
                self._take(frame)
        except (BlockingIOError, InterruptedError):
            return
        except FrameError as error:
            self.break_off(str(error))
            return
        except OSError as error:
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
        self.answered += 1
        if not asked.answer.done():
            asked.answer.set_result(frame)


def _fail(waiting: asyncio.Future[_T], error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # so that nobody has to be waiting
