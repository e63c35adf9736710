"""The side channels of a server: one beside each Unix domain socket that it listens on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pullback.memory.handover import memory_path
from pullback_server.sharing.listener import Listener
from pullback_server.sharing.segments import Segments

_log = logging.getLogger(__name__)


class SideChannels:
    """Where clients hand over memory, and what they have handed over.

    Args:
        paths: The paths of the sockets that the server listens on.
        mode: The mode of the sockets' files.
        segments: Keeps what comes.
    """

    def __init__(self, paths: Sequence[str], mode: int, segments: Segments) -> None:
        self._paths = tuple(map(memory_path, paths))
        self._mode = mode
        self._listeners: list[Listener] = []
        self.segments = segments

    @property
    def address(self) -> str:
        """The path of one of them; empty where there is none."""
        return next((listener.path for listener in self._listeners), "")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens inside the block, on the running event loop; gives everything up when it ends."""
        self._listeners = [listener for path in self._paths if (listener := self._listen(path))]
        try:
            yield
        finally:
            while self._listeners:
                self._listeners.pop().close()

    def _listen(self, path: str) -> Listener | None:
        listener = Listener(path, self._mode, self.segments)
        try:
            listener.start()
        except OSError as error:  # clients then send everything in messages
            _log.warning("clients cannot share memory at %s: %s", path, error)
            return None
        return listener
