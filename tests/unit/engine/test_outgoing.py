"""What goes out over a real socket: in order, all of it, and not more than is wanted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from pullback_server.engine.outgoing import Outgoing


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a socket, non-blocking."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    with ours, theirs:
        yield ours, theirs


async def read(connection: socket.socket, count: int) -> bytes:
    """Reads so many bytes."""
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < count:
        data += await loop.sock_recv(connection, 1 << 20)
    return data


def never(error: OSError) -> None:
    """Fails where nothing should fail."""
    raise AssertionError(error)


async def test_what_the_socket_takes_goes_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """Small parts are there before anything else runs."""
    outgoing = Outgoing(pair[0], never)
    outgoing.send([b"one"])
    outgoing.send([b"two", memoryview(b""), b"three"])
    assert pair[1].recv(100) == b"onetwothree"
    outgoing.close()


async def test_what_it_does_not_take_goes_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    """Behind large parts, which go bit by bit, everything keeps its order."""
    outgoing = Outgoing(pair[0], never)
    sent = [bytes([number]) * size for number, size in enumerate((3, 3_000_000, 5, 0, 2_000_000, 1))]
    outgoing.send([sent[0], sent[1]])
    for part in sent[2:]:
        outgoing.send([part])
    outgoing.send([b"x"] * 2_000)
    expected = b"".join(sent) + b"x" * 2_000
    assert await read(pair[1], len(expected)) == expected
    outgoing.close()


async def test_nobody_waits_for_what_is_not_wanted(pair: tuple[socket.socket, socket.socket]) -> None:
    """What nobody wants any more is left out, unless a part of it went already."""
    outgoing = Outgoing(pair[0], never)
    wanted = [True, True, True]
    for number in range(3):
        outgoing.send([bytes([number]) * 1_000_000], wanted=lambda number=number: wanted[number])
    wanted[:] = [False, False, True]
    assert await read(pair[1], 2_000_000) == b"\0" * 1_000_000 + b"\2" * 1_000_000
    outgoing.close()


async def test_room(pair: tuple[socket.socket, socket.socket]) -> None:
    """While much waits it is crowded; whoever waits for room gets it when that was read, or at the end."""
    outgoing = Outgoing(pair[0], never)
    outgoing.send([bytes(5_000_000)])
    assert outgoing.crowded
    waiting = asyncio.create_task(outgoing.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await read(pair[1], 5_000_000)
    await asyncio.wait_for(waiting, 10)
    outgoing.send([bytes(5_000_000)])
    waiting = asyncio.create_task(outgoing.room())
    await asyncio.sleep(0.01)
    outgoing.close()
    await asyncio.wait_for(waiting, 10)


@pytest.mark.parametrize("large", [False, True])
async def test_the_other_end_goes(pair: tuple[socket.socket, socket.socket], *, large: bool) -> None:
    """An error is told once it is seen, at once or later."""
    errors: list[OSError] = []
    outgoing = Outgoing(pair[0], errors.append)
    if large:
        outgoing.send([bytes(5_000_000)])
    pair[1].close()
    outgoing.send([b"late"])
    await asyncio.sleep(0.05)
    assert errors
    outgoing.close()
