"""Unix domain sockets: their files, and who is at the other end."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pullback.memory.handover import LONGEST_PATH

_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7)
_OTHERS: Final = 0o066
_PROBE_SECONDS: Final = 1.0


class SocketInUseError(OSError):
    """The path of a socket cannot be had: somebody listens there, or it is another kind of file."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as it was when it connected.

    Attributes:
        process: Its id; 0 where it cannot be seen from here.
        user: Its effective user.
    """

    process: int
    user: int


def clear(path: str) -> None:
    """Removes the file that a server left behind which was killed.

    Raises:
        SocketInUseError: If somebody listens there, if it is no socket, or if the path is too long for one.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SocketInUseError(
            f"the path {path} is longer than the {LONGEST_PATH} bytes that a socket's can have"
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise SocketInUseError(f"{path} is there and is no socket")
        if _answers(path):
            raise SocketInUseError(f"another process listens at {path}")
        Path(path).unlink()


def listening(path: str, mode: int) -> socket.socket:
    """A socket that listens at a path, non-blocking, with a file of this mode from the beginning.

    Raises:
        OSError: If it cannot.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(path)
        Path(path).chmod(mode)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def peer_of(connection: socket.socket) -> Peer:
    """Who is at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(credentials)
    return Peer(process, user)


def may_share(peer: Peer, mode: int) -> bool:
    """Whether a process may share memory through a socket of this mode.

    It may if it is of the server's user or root; if the mode lets others in, whoever got in may.
    """
    return peer.user in (0, os.geteuid()) or bool(mode & _OTHERS)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # such as a full backlog: somebody is there
            return True
        return True
