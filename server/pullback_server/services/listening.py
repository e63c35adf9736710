"""Addresses that a gRPC server listens on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc

from pullback.memory.handover import socket_path
from pullback_server.sharing.sockets import clear

Credentials = Callable[[], grpc.ServerCredentials | None]
"""Gives the credentials for one more port, which are of no use to another; None without TLS."""


def plain() -> None:
    """No credentials."""


class ListenError(Exception):
    """The address cannot be listened on."""


def listen(
    server: grpc.aio.Server,
    addresses: Sequence[str],
    mode: int,
    credentials: Credentials = plain,
) -> tuple[str, ...]:
    """Has a server listen, once it is started.

    Args:
        server: The server.
        addresses: Where: `host:port` or `unix:/path`; at least one.
        mode: The mode of the files of Unix domain sockets.
        credentials: Gives those for TLS at a `host:port`.

    Returns:
        The addresses, with the ports that they got.

    Raises:
        ListenError: If an address cannot be listened on.
    """
    if not addresses:
        raise ListenError("there is no address to listen on; give --listen one, such as 127.0.0.1:7450")
    return tuple(_listen(server, address, mode, credentials) for address in addresses)


def _listen(server: grpc.aio.Server, address: str, mode: int, credentials: Credentials) -> str:
    path = socket_path(address)
    try:
        if path is None:
            return f"{address.rpartition(':')[0]}:{_port(server, address, credentials())}"
        _require_folder(path, address)
        clear(path)
        with _masked(mode):
            server.add_insecure_port(address)
    except (OSError, RuntimeError) as error:
        raise ListenError(
            f"cannot listen on {address}, which may be in use or no address of this machine; "
            f"choose another --listen ({error})"
        ) from error
    return address


def _require_folder(path: str, address: str) -> None:
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise ListenError(
            f"cannot listen on {address}, because there is no folder {folder}; make it, or choose another "
            "--listen"
        )


def _port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    if credentials is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, credentials)


@contextlib.contextmanager
def _masked(mode: int) -> Iterator[None]:
    """Has files made inside the block get this mode at most."""
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)
