"""Requests in shared memory: what goes there, what comes back, and what is done when something fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import mmap
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pullback._sharing.lender import LARGE, Lender, lender_for
from pullback._sharing.pool import Pool
from pullback._sharing.segments import Segment
from pullback.codec.evaluation import Request, Response, Timing
from pullback.codec.tensors import Shared, Tensor
from pullback.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    NotFoundError,
    PullbackError,
    ServerError,
)

pytestmark = pytest.mark.usefixtures("small_heap")

ROOM = 2 * LARGE


class Server:
    """Has the client's memory, and answers with what it was sent, twice as large."""

    def __init__(self) -> None:
        self.memories: dict[int, mmap.mmap] = {}
        self.ends: list[socket.socket] = []
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self.moved = 0

    def make(self, size: int) -> Segment:
        """Takes a segment."""
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        number = len(self.ends)
        self.memories[number] = mmap.mmap(-1, size)
        return Segment(number, self.memories[number], ours)

    def send(self, request: Request) -> Response:
        """Answers, or fails with the next of the failures."""
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        (tensor,) = request.arguments
        result = (np.frombuffer(self._bytes(tensor)) * 2).tobytes()
        return Response("r", Timing(), ((self._placed(tensor, result, request.results),),))

    async def send_async(self, request: Request) -> Response:
        """As `send`, after a while."""
        await asyncio.sleep(0)
        return self.send(request)

    def _bytes(self, tensor: Tensor) -> Any:
        if tensor.shared is None:
            return tensor.data
        segment, offset, length = tensor.shared
        return self.memories[segment][offset : offset + length]

    def _placed(self, tensor: Tensor, result: bytes, room: Shared | None) -> Tensor:
        if room is None or len(result) > room.length:
            return Tensor(tensor.element, tensor.shape, result)
        self.memories[room.segment][room.offset : room.offset + len(result)] = result
        place = Shared(room.segment, room.offset + self.moved, len(result))
        return Tensor(tensor.element, tensor.shape, b"", place)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server; its ends of connections are closed after the test."""
    server = Server()
    yield server
    for end in server.ends:
        end.close()


def lender_of(server: Server, **bounds: int) -> Lender:
    """A lender of small segments."""
    return Lender("nowhere", Pool(server.make, **{"smallest": 2 * ROOM, **bounds}))


def request(count: int = ROOM // 8) -> Request:
    """A request with one array of F64."""
    values = np.arange(float(count))
    return Request(b"head", (Tensor(15, (count,), values.view(np.uint8).data),))


def values(response: Response) -> Any:
    """The array of a response."""
    return np.frombuffer(response.results[0][0].data)


def test_there_and_back(server: Server) -> None:
    """A large array crosses in memory, its result is that memory, and comes back with the last view."""
    lender = lender_of(server)
    response = lender.carry(request(), ROOM, server.send)
    sent = server.requests[0]
    assert sent.arguments[0].data == b""
    assert sent.arguments[0].shared == Shared(1, 0, ROOM)
    assert sent.results == Shared(1, ROOM, ROOM)
    array = values(response)
    np.testing.assert_array_equal(array, np.arange(ROOM // 8) * 2.0)
    array[0] = 7.0
    assert np.frombuffer(server.memories[1], np.float64, 1, ROOM)[0] == 7.0
    assert lender.pool.in_use == ROOM
    del response, array
    gc.collect()
    assert lender.pool.in_use == 0


def test_small_requests_stay_as_they_are(server: Server) -> None:
    """Below the threshold nothing is taken, and the request is the very same."""
    lender, small = lender_of(server), request(LARGE // 8 - 1)
    lender.carry(small, LARGE - 8, server.send)
    assert server.requests == [small]
    assert server.requests[0] is small
    assert server.memories == {}


def test_large_results_of_small_requests(server: Server) -> None:
    """Results alone may be large, and a small one among them is a copy."""
    lender = lender_of(server)
    response = lender.carry(request(10), ROOM, server.send)
    assert server.requests[0].arguments == request(10).arguments
    assert server.requests[0].results == Shared(1, 0, ROOM)
    np.testing.assert_array_equal(values(response), np.arange(10) * 2.0)
    assert lender.pool.in_use == 0


def test_without_room(server: Server) -> None:
    """Where the pool is full, requests go as they are; with room for the arguments alone, these are moved."""
    lender = lender_of(server, smallest=ROOM, most=ROOM)
    first = lender.carry(request(), ROOM, server.send)
    assert (server.requests[0].arguments[0].shared is None, server.requests[0].results) == (False, None)
    kept = lender.pool.take(64)
    second = lender.carry(request(), ROOM, server.send)
    assert server.requests[1] == request()
    np.testing.assert_array_equal(values(first), values(second))
    assert kept is not None
    assert lender.pool.in_use == 64


def test_errors_of_the_server(server: Server) -> None:
    """After an answer with a reason the memory is used again."""
    lender = lender_of(server)
    server.failures = [InvalidArgumentError("no", reason="SHAPE_MISMATCH")]
    with pytest.raises(InvalidArgumentError):
        lender.carry(request(), ROOM, server.send)
    lender.carry(request(), ROOM, server.send)
    assert [each.results for each in server.requests] == [Shared(1, ROOM, ROOM)] * 2


@pytest.mark.parametrize("failure", [DeadlineExceededError("late"), KeyboardInterrupt()])
def test_calls_without_an_answer(server: Server, failure: BaseException) -> None:
    """Without an answer the server may still write there: the memory is never used again."""
    lender = lender_of(server)
    server.failures = [failure]
    with pytest.raises(type(failure)):
        lender.carry(request(), ROOM, server.send)
    del failure
    server.failures.clear()
    gc.collect()
    assert lender.pool.nbytes == 0
    assert server.ends[0].recv(1) == b""
    lender.carry(request(), ROOM, server.send)
    assert server.requests[-1].results == Shared(2, ROOM, ROOM)


def test_a_server_that_has_forgotten(server: Server) -> None:
    """A segment that the server does not know is given up, and the request goes in a message."""
    lender = lender_of(server)
    server.failures = [NotFoundError("what?", reason="SEGMENT_NOT_FOUND")]
    response = lender.carry(request(), ROOM, server.send)
    assert server.requests[1] == request()
    np.testing.assert_array_equal(values(response), np.arange(ROOM // 8) * 2.0)
    assert lender.pool.nbytes == 0


@pytest.mark.parametrize("moved", [64, -64, 1 << 40])
def test_results_elsewhere(server: Server, moved: int) -> None:
    """A server that names another place is not believed."""
    lender = lender_of(server)
    server.moved = moved
    with pytest.raises(ServerError, match="not to write"):
        lender.carry(request(), ROOM, server.send)
    gc.collect()
    assert lender.pool.in_use == 0


def test_no_memory(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens, calls go in messages; the log says so once, and it is not tried each time."""
    lender = Lender("/nowhere/at/all")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            lender.carry(request(), ROOM, server.send)
    assert server.requests == [request()] * 3
    assert len(caplog.records) == 1
    assert "/nowhere/at/all" in caplog.text


async def test_asynchronously(server: Server) -> None:
    """The twin does the same, with failures and without."""
    lender = lender_of(server)
    server.failures = [NotFoundError("what?", reason="SEGMENT_NOT_FOUND")]
    for _ in range(2):
        response = await lender.carry_async(request(), ROOM, server.send_async)
        np.testing.assert_array_equal(values(response), np.arange(ROOM // 8) * 2.0)
    assert [each.results is None for each in server.requests] == [False, True, False]
    server.failures = [PullbackError("broken")]
    with pytest.raises(PullbackError):
        await lender.carry_async(request(), ROOM, server.send_async)
    await lender.carry_async(request(1), 8, server.send_async)
    assert server.requests[-1] == request(1)


async def test_cancelled_calls(server: Server) -> None:
    """A task that is cancelled leaves its memory to the server."""
    lender = lender_of(server)

    async def never(sent: Request) -> Response:
        del sent
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    started = asyncio.Event()
    task = asyncio.create_task(lender.carry_async(request(), ROOM, never))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    gc.collect()
    assert lender.pool.nbytes == 0


@pytest.mark.parametrize("address", ["localhost:7450", "dns:///host:1", "unix-abstract:name", "[::1]:7450"])
def test_servers_elsewhere(address: str) -> None:
    """Only Unix domain sockets with a path have a side channel."""
    assert lender_for(address) is None
    assert lender_for("unix:///run/socket") is not None
