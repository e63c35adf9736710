"""Reads what the front sends: frames, and the open files that come with some of them."""

from __future__ import annotations

import array
import socket
from collections import deque
from typing import Final

from pullback_server.model.frames import Frame, FrameError, FrameReader

_DESCRIPTORS_AT_ONCE: Final = 16
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_DESCRIPTORS_AT_ONCE * array.array("i").itemsize)
_FLAGS: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Reading:
    """Reads frames from a blocking stream socket.

    Args:
        connection: The socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader()
        self._descriptors: deque[int] = deque()

    def frames(self) -> list[Frame] | None:
        """Waits for what comes next: the frames that are complete with it; None if the other side has closed.

        Raises:
            FrameError: If what comes is no frame.
        """
        count = self._receive()
        return self._reader.received(count) if count else None

    def descriptor(self) -> int:
        """The open file that came with a frame: of those that nobody has asked for yet, the first.

        Raises:
            FrameError: If none came.
        """
        if not self._descriptors:
            raise FrameError("a segment came without its open file")
        return self._descriptors.popleft()

    def _receive(self) -> int:
        try:
            count, ancillary, _, _ = self._connection.recvmsg_into(
                [self._reader.room], _ANCILLARY_BYTES, _FLAGS
            )
        except ConnectionResetError:  # the front was killed
            return 0
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._descriptors.extend(array.array("i", data))
        return count
