"""Ports for servers that cannot choose one themselves."""

from __future__ import annotations

import socket
import time

_START_SECONDS = 60.0
_PAUSE_SECONDS = 0.05


def free_port() -> int:
    """A port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int) -> None:
    """Waits until somebody listens on a port.

    Raises:
        TimeoutError: If nobody does within a minute.
    """
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(_PAUSE_SECONDS)
    raise TimeoutError(f"nobody listens on port {port}")
