"""The side channel: what is handed over, what is refused, and that nothing stays when a client goes."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sharing_memory import Make, open_descriptors

from pullback.memory.handover import HandoverError, decode_answer, encode_offer
from pullback_server.model.memory import Segment
from pullback_server.sharing.channels import SideChannels
from pullback_server.sharing.listener import Listener
from pullback_server.sharing.segments import Bounds, Segments
from pullback_server.sharing.sockets import Peer, SocketInUseError, may_share

pytestmark = pytest.mark.usefixtures("small_heap")


def table() -> Segments:
    """A table of segments, without an engine that takes them."""

    def ignore(segment: Segment) -> None:
        del segment

    return Segments(Bounds(1 << 20, 1 << 20), ignore, ignore)


@pytest.fixture
async def listener(tmp_path: Path, memfd: Make) -> AsyncIterator[tuple[Listener, Segments]]:
    """A side channel that listens, and its segments."""
    del memfd  # whose end comes after this
    segments = table()
    channel = Listener(str(tmp_path / "channel"), 0o600, segments)
    channel.start()
    yield channel, segments
    channel.close()


async def hand_over(path: str, data: bytes, descriptors: list[int]) -> tuple[socket.socket, bytes]:
    """Says something with descriptors; gives the connection and what was answered."""
    loop = asyncio.get_running_loop()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    await loop.sock_connect(connection, path)
    socket.send_fds(connection, [data], descriptors)
    return connection, await asyncio.wait_for(loop.sock_recv(connection, 4096), 10)


async def until(segments: Segments, count: int) -> None:
    """Waits until there are so many segments."""
    async with asyncio.timeout(10):
        while len(segments) != count:  # noqa: ASYNC110 -- nothing else tells when a peer has gone
            await asyncio.sleep(0.01)


async def test_the_connection_is_the_segment(listener: tuple[Listener, Segments], memfd: Make) -> None:
    """A segment is there while its connection is, and leaves nothing."""
    channel, segments = listener
    before = open_descriptors()
    descriptor = memfd(8192)
    connection, answer = await hand_over(channel.path, encode_offer(8192), [descriptor])
    place = segments.place(decode_answer(answer), 64, 3)
    place.view[:] = b"abc"
    assert os.pread(descriptor, 3, 64) == b"abc"
    del place
    connection.close()
    await until(segments, 0)
    os.close(descriptor)
    gc.collect()
    assert open_descriptors() == before


async def test_two_clients(listener: tuple[Listener, Segments], memfd: Make) -> None:
    """Each has its own number, and one that goes leaves the other."""
    channel, segments = listener
    offers = [await hand_over(channel.path, encode_offer(4096), [memfd()]) for _ in range(2)]
    first, second = (decode_answer(answer) for _, answer in offers)
    offers[0][0].close()
    await until(segments, 1)
    assert segments.place(second, 0, 4096).nbytes == 4096
    assert first != second
    offers[1][0].close()
    await until(segments, 0)


@pytest.mark.parametrize(
    ("size", "seals", "count", "words"),
    [
        (4096, 0, 1, "F_SEAL_SHRINK"),
        (4097, 7, 1, "4096 bytes"),
        (4096, 7, 0, "0 desc"),
        (4096, 7, 2, "2 desc"),
    ],
)
async def test_refusals(
    listener: tuple[Listener, Segments], memfd: Make, size: int, seals: int, count: int, words: str
) -> None:
    """What will not do is refused with a reason, closed, and the connection ends."""
    channel, segments = listener
    descriptors = [memfd(4096, seals) for _ in range(count)]
    before = open_descriptors()
    connection, answer = await hand_over(channel.path, encode_offer(size), descriptors)
    with pytest.raises(HandoverError, match=words):
        decode_answer(answer)
    assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""
    connection.close()
    assert (len(segments), open_descriptors()) == (0, before)


@pytest.mark.parametrize("data", [b"?", b"PBM2" + bytes(12), struct.pack("<4sIQ", b"PBM1", 1, 4096)])
async def test_what_is_no_offer(listener: tuple[Listener, Segments], memfd: Make, data: bytes) -> None:
    """Other words are refused, with whatever comes along."""
    channel, segments = listener
    connection, answer = await hand_over(channel.path, data, [memfd()])
    with pytest.raises(HandoverError, match="offer"):
        decode_answer(answer)
    connection.close()
    assert len(segments) == 0


async def test_a_second_offer_ends_the_connection(listener: tuple[Listener, Segments], memfd: Make) -> None:
    """One connection, one segment."""
    channel, segments = listener
    connection, answer = await hand_over(channel.path, encode_offer(4096), [memfd()])
    assert decode_answer(answer) > 0
    socket.send_fds(connection, [encode_offer(4096)], [memfd()])
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 1), 10) == b""
    connection.close()
    assert len(segments) == 0


async def test_files_of_sockets(tmp_path: Path) -> None:
    """What a killed server left is replaced; another's socket or file is not touched."""
    path = tmp_path / "channel"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    first = Listener(str(path), 0o660, table())
    first.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(SocketInUseError, match="another process listens"):
        Listener(str(path), 0o600, table()).start()
    first.close()
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(SocketInUseError, match="no socket"):
        Listener(str(path), 0o600, table()).start()
    assert path.read_text() == "mine"


async def test_paths_that_are_too_long(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the side channel's path would be too long, there is none, and the log says so."""
    channels = SideChannels([str(tmp_path / ("x" * 100)), str(tmp_path / "y")], 0o600, table())
    with channels.listening():
        assert channels.address == str(tmp_path / "y.memory")
    assert channels.address == ""
    assert "107 bytes" in caplog.text


def test_who_may_share() -> None:
    """The server's own user and root may; others where the socket's mode lets them in."""
    own, other = os.geteuid(), os.geteuid() + 1
    assert [may_share(Peer(1, user), 0o600) for user in (own, 0, other)] == [True, True, False]
    assert may_share(Peer(1, other), 0o660)
