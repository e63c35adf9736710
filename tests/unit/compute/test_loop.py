"""The worker's loop over a real socket: answers, shared memory, and what holds nothing up."""

from __future__ import annotations

import array
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.loop import Loop
from pullback_server.model.board import Board, open_board
from pullback_server.model.evaluation import Buffer, Kind
from pullback_server.model.frames import Frame, FrameReader, encode
from pullback_server.model.messages import (
    Abandon,
    AttachSegment,
    Compiled,
    DefineKind,
    DetachSegment,
    Failed,
    ForgetKind,
    MakeWay,
    Message,
    ProgramMissing,
    Ran,
    Ready,
    Run,
    Warm,
)
from pullback_server.model.quantities import Quantity, Want

VALUE = (Want(Quantity.VALUE),)
I64, X = TensorType(ElementType.I64, ()), TensorType(ElementType.F64, (5001,))


class Front:
    """The other end of a worker's socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()

    def send(self, message: Message, buffers: Sequence[Buffer] = (), descriptor: int | None = None) -> None:
        """Sends a message, with an open file."""
        rights = [] if descriptor is None else [array.array("i", [descriptor])]
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, right) for right in rights]
        self._connection.sendmsg([b"".join(encode(Frame(message, buffers)))], ancillary)

    def receive(self) -> Frame:
        """The next frame."""
        while not self._frames:
            count = self._connection.recv_into(self._reader.room)
            assert count
            self._frames.extend(self._reader.received(count))
        return self._frames.popleft()


@pytest.fixture
def board() -> Board:
    """Where a loop notes what it is at."""
    descriptor = open_board()
    board = Board(descriptor)
    os.close(descriptor)
    return board


@pytest.fixture
def front(bench: object, board: Board) -> Iterator[Front]:
    """A loop on a thread of its own; it has ended when the test has."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    thread = threading.Thread(target=Loop(theirs, bench.kernel, board).serve)  # type: ignore[attr-defined]
    thread.start()
    front = Front(ours)
    assert isinstance(front.receive().message, Ready)
    yield front
    ours.close()
    thread.join(20)
    assert not thread.is_alive()
    theirs.close()


def count_down(n: jax.Array) -> jax.Array:
    """Takes as long as its argument is large."""
    return jax.lax.while_loop(lambda n: n > 0, lambda n: n - 1, n)


def i64(value: int) -> bytes:
    """A scalar's bytes."""
    return np.int64(value).tobytes()


def test_a_run_that_is_long_once(front: Front, bench: object) -> None:
    """A program that was short before and is long now holds up no other."""
    digest = bench.load(count_down, jnp.int64(0))  # type: ignore[attr-defined]
    front.send(DefineKind(1, Kind(digest, VALUE, (I64,))))
    for id_ in range(10):
        front.send(Run(id_, 1, None), [i64(3)])
        assert front.receive().message.id == id_
    front.send(Run(100, 1, None), [i64(2_000_000_000)])
    front.send(Run(101, 1, None), [i64(3)])
    for id_ in range(102, 110):
        assert front.receive().message.id == id_ - 1
        front.send(Run(id_, 1, None), [i64(3)])


def test_the_board_tells_what_runs(front: Front, bench: object, board: Board) -> None:
    """While a program runs, the board tells; what waits for it is not there, nor what is done."""
    digest = bench.load(count_down, jnp.int64(0))  # type: ignore[attr-defined]
    front.send(DefineKind(1, Kind(digest, VALUE, (I64,))))
    front.send(Run(7, 1, None), [i64(500_000_000)])
    front.send(Run(8, 1, None), [i64(3)])
    seen = set()
    beats = board.beats
    while (7, False) not in seen:
        seen |= {(work.id, work.preparing) for work in board.works()}
    assert (8, False) not in seen
    assert {front.receive().message.id for _ in range(2)} == {7, 8}
    assert board.works() == []
    deadline = time.monotonic() + 5
    while board.beats == beats:
        assert time.monotonic() < deadline


def test_making_way(front: Front, bench: object) -> None:
    """After it was told to, a run that is long has a thread of a lower priority than this one."""
    digest = bench.load(count_down, jnp.int64(0))  # type: ignore[attr-defined]
    front.send(DefineKind(1, Kind(digest, VALUE, (I64,))))
    front.send(Run(1, 1, None), [i64(3)])
    front.receive()
    front.send(MakeWay())
    for id_ in (2, 3):
        front.send(Run(id_, 1, None), [i64(20_000_000)])
        assert isinstance(front.receive().message, Ran)
    threads = [each.native_id for each in threading.enumerate() if each.name.startswith("evaluate")]
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert any(os.getpriority(os.PRIO_PROCESS, each) > ours for each in threads if each is not None)


def test_what_is_abandoned_is_not_begun(front: Front, bench: object) -> None:
    """What nobody waits for is answered without being run, as long as it waits itself."""
    digest = bench.load(count_down, jnp.int64(0))  # type: ignore[attr-defined]
    front.send(DefineKind(1, Kind(digest, VALUE, (I64,))))
    front.send(Run(7, 1, None), [i64(300_000_000)])
    front.send(Run(8, 1, None), [i64(9_000_000_000_000)])
    front.send(Abandon(8))
    front.send(Abandon(6))
    answers = {message.id: message for message in (front.receive().message for _ in range(2))}
    assert isinstance(answers[7], Ran)
    assert isinstance(answers[8], Failed)
    assert answers[8].reason == "DEADLINE_EXCEEDED"
    front.send(Run(9, 1, None), [i64(3)])
    assert isinstance(front.receive().message, Ran)


def test_tensors_in_shared_memory(front: Front, bench: object) -> None:
    """Inputs are read where they lie, and large results written where there is room; the rest follows.

    Each is written at a multiple of 64 bytes.
    """
    digest = bench.load(lambda x: (2 * x, x[:3], 3 * x, 4 * x), jnp.zeros(5001))  # type: ignore[attr-defined]
    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, 1 << 20)
    x = np.arange(5001.0)
    os.pwrite(descriptor, x.tobytes(), 128)
    front.send(AttachSegment(9, 1 << 20), descriptor=descriptor)
    front.send(DefineKind(1, Kind(digest, VALUE, (X,))))
    for id_ in range(3):
        front.send(Run(id_, 1, None, ((9, 128, 40_008),), (9, 1 << 18, 90_000)))
        answer = front.receive()
        assert isinstance(answer.message, Ran)
        assert answer.message.offsets == (1 << 18, None, (1 << 18) + 40_064, None)
        types = msgspec.msgpack.decode(answer.message.types, type=list[list[TensorType]])
        assert [[leaf.shape for leaf in want] for want in types] == [[(5001,), (3,), (5001,), (5001,)]]
        placed = [np.frombuffer(os.pread(descriptor, 40_008, (1 << 18) + at)) for at in (0, 40_064)]
        assert np.array_equal(placed[0], 2 * x)
        assert np.array_equal(placed[1], 3 * x)
        assert [np.frombuffer(buffer)[2] for buffer in answer.buffers] == [2.0, 8.0]
    front.send(DetachSegment(9))
    front.send(Run(7, 1, None, ((9, 128, 40_008),)))
    refused = front.receive().message
    assert isinstance(refused, Failed)
    assert (refused.id, refused.reason) == (7, "SEGMENT_NOT_FOUND")
    os.close(descriptor)


def test_warming_and_batches(front: Front, bench: object) -> None:
    """A kind that was warmed is not compiled again, and batches tell what ran."""
    digest = bench.load(jnp.sin, jnp.float64(0))  # type: ignore[attr-defined]
    kind = Kind(digest, VALUE, (TensorType(ElementType.F64, ()),), batched=(True,))
    front.send(DefineKind(4, kind))
    for id_, cached in ((1, False), (2, True)):
        front.send(Warm(id_, 4, 5))
        assert front.receive().message == Compiled(id_, cached)
    front.send(Run(3, 4, 6), [np.zeros(6).tobytes()])
    ran = front.receive().message
    assert isinstance(ran, Ran)
    assert (ran.compile, ran.batch, ran.padding) == (0.0, 8, 2)
    front.send(ForgetKind(4))
    front.send(DefineKind(5, kind))
    front.send(Run(6, 5, 0), [b""])
    assert isinstance(front.receive().message, Ran)


@pytest.mark.parametrize("message", [lambda kind: Run(1, kind, None), lambda kind: Warm(1, kind, None)])
def test_a_program_that_is_not_there(front: Front, message: Callable[[int], Message]) -> None:
    """What needs a program that was never loaded says so."""
    front.send(DefineKind(3, Kind("0" * 64, VALUE, ())))
    front.send(message(3))
    assert front.receive().message == ProgramMissing(1)
