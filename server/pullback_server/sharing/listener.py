"""The side channel: a Unix domain socket over which clients hand over memory, one segment a connection.

The connection's life is the segment's: when the client closes it, or dies, the segment goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pullback.memory.handover import (
    MESSAGE_BYTES,
    HandoverError,
    decode_offer,
    encode_acceptance,
    encode_refusal,
)
from pullback_server.model.memory import Segment
from pullback_server.sharing.descriptors import RefusedError
from pullback_server.sharing.segments import Segments
from pullback_server.sharing.sockets import Peer, clear, listening, may_share, peer_of

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 10.0
_MOST_DESCRIPTORS: Final = 8
_MOST_CONNECTIONS: Final = 2048


class Listener:
    """Listens at a path until it is closed.

    Args:
        path: The path of the socket.
        mode: The mode of its file; who may share memory follows from it.
        segments: Where segments are kept.
    """

    def __init__(self, path: str, mode: int, segments: Segments) -> None:
        self.path = path
        self._mode = mode
        self._segments = segments
        self._socket: socket.socket | None = None
        self._guests: set[Guest] = set()

    def start(self) -> None:
        """Begins to listen on the running event loop.

        Raises:
            OSError: If it cannot, with SocketInUseError if somebody else listens there.
        """
        clear(self.path)
        self._socket = listening(self.path, self._mode)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept, self._socket)

    def close(self) -> None:
        """Gives up all segments, and the socket with its file; again does nothing."""
        for guest in tuple(self._guests):
            guest.leave()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            Path(self.path).unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError as error:  # the client has gone again, or descriptors ran out
            _log.warning("a client cannot be let in to share memory: %s", error)
            return
        connection.setblocking(False)
        if len(self._guests) >= _MOST_CONNECTIONS:
            connection.close()
            return
        guest = Guest(connection, self._mode, self._segments, self._guests.discard)
        self._guests.add(guest)


class Guest:
    """One connection, and the segment that came over it.

    Args:
        connection: The connection, non-blocking.
        mode: The mode of the socket's file.
        segments: Where segments are kept.
        left: Called with the guest when it has left.
    """

    def __init__(
        self, connection: socket.socket, mode: int, segments: Segments, left: Callable[[Guest], object]
    ) -> None:
        self._connection = connection
        self._mode = mode
        self._segments = segments
        self._left = left
        self._segment: Segment | None = None
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(_PATIENCE_SECONDS, self.leave)
        loop.add_reader(connection.fileno(), self._read)

    def leave(self) -> None:
        """Closes the connection and gives up its segment."""
        self._patience.cancel()
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._connection.close()
        if self._segment is not None:
            self._segments.drop(self._segment)
            self._segment = None
        self._left(self)

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._connection, MESSAGE_BYTES, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            self.leave()
            return
        if self._segment is not None or not data:
            _close(descriptors)
            self.leave()
            return
        self._answer(data, descriptors)

    def _answer(self, data: bytes, descriptors: list[int]) -> None:
        try:
            segment = self._take(data, descriptors)
        except (RefusedError, HandoverError) as error:
            _log.warning("shared memory of a client is refused: %s", error)
            self._say(encode_refusal(str(error)))
            self.leave()
            return
        self._segment = segment
        self._patience.cancel()
        self._say(encode_acceptance(segment.number))

    def _take(self, data: bytes, descriptors: list[int]) -> Segment:
        if len(descriptors) != 1:
            _close(descriptors)
            raise HandoverError(f"{len(descriptors)} descriptors came with the offer; send one")
        peer = peer_of(self._connection)
        try:
            size = self._offered(data, peer)
        except (HandoverError, RefusedError):
            _close(descriptors)
            raise
        segment = self._segments.add(descriptors[0], size, peer.process)
        _log.info("process %d shares %d bytes", peer.process, size)
        return segment

    def _offered(self, data: bytes, peer: Peer) -> int:
        if not may_share(peer, self._mode):
            raise RefusedError(f"the server does not share memory with processes of user {peer.user}")
        return decode_offer(data)

    def _say(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the client has gone; the reader sees it, too
            self._connection.send(message)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
