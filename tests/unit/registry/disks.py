"""Disks that fail: the system calls of `registry.operations`, one of which goes wrong, or is the last."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from pullback_server.registry import operations

_CALLS: Final = ("create", "write", "sync", "rename", "unlink", "make_folder", "sync_folder")
_NEED_ROOM: Final = frozenset({"create", "write", "sync", "rename", "make_folder"})


class Ended(BaseException):
    """The process was killed: no exception that anybody may catch, and nothing is done after it."""


class Disk:
    """Counts system calls, and has them go wrong from one on.

    Args:
        at: The number of the call that goes wrong, from 0.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Puts this disk in the place of the real one."""
        for name in _CALLS:
            patch.setattr(operations, name, self._call(name, getattr(operations, name)))

    @property
    def reached(self) -> bool:
        """Whether it came to the call that goes wrong."""
        return self.calls > self.at

    def _call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if number >= self.at:
                self.fail(name, number, *arguments)
            result = real(*arguments)
            self.done(name, *arguments, result)
            return result

        return call

    def fail(self, name: str, number: int, *arguments: Any) -> None:
        """Raises, if this call goes wrong."""
        raise NotImplementedError

    def done(self, name: str, *arguments: Any) -> None:
        """Sees a call that went well, with its result."""


class FullDisk(Disk):
    """From one call on there is no room; what a write can still place is placed."""

    def fail(self, name: str, number: int, *arguments: Any) -> None:
        """Fails what needs room."""
        if name == "write" and number == self.at:
            os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
        if name in _NEED_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class BadDisk(Disk):
    """One call fails, before or after it was done: nobody knows.

    Args:
        at: The number of the call.
        after: Whether it was done.
    """

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__(at)
        self._after = after

    def fail(self, _: str, number: int, *__: Any) -> None:
        """Fails the one before it is done."""
        if number == self.at and not self._after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def done(self, name: str, *_: Any) -> None:
        """Fails the one after it was done; a file that nobody knows of would be nobody's fault."""
        if self.calls == self.at + 1 and self._after and name != "create":
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class LastDisk(Disk):
    """The process ends at one call, and the machine with it: what was not made durable may be lost.

    Args:
        at: The number of the call.
        folder: What is all durable to begin with.
    """

    def __init__(self, at: int, folder: Path) -> None:
        super().__init__(at)
        self._content: dict[int, bytes] = {}
        self._names: dict[Path, dict[str, int]] = {}
        self._renamed: list[tuple[Path, Path, int]] = []
        for each in (folder, *folder.rglob("*")):
            if each.is_dir():
                self._sync_names(each)
            else:
                self._content[each.stat().st_ino] = each.read_bytes()

    def fail(self, name: str, number: int, *arguments: Any) -> None:
        """Ends the process, as often as it tries to go on."""
        if name == "write" and number == self.at:
            os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
        raise Ended

    def done(self, name: str, *arguments: Any) -> None:
        """Notes what is durable from now on."""
        match name:
            case "create":
                self._content.pop(arguments[1][1].stat().st_ino, None)
            case "sync":
                size = os.fstat(arguments[0]).st_size
                self._content[os.fstat(arguments[0]).st_ino] = os.pread(arguments[0], size, 0)
            case "rename":
                self._renamed.append((arguments[0], arguments[1], arguments[1].stat().st_ino))
            case "sync_folder":
                self._sync_renamed(arguments[0])
                self._sync_names(arguments[0])

    def _sync_renamed(self, folder: Path) -> None:
        """Makes both names of a renamed file durable: that is one step of a file system's journal."""
        for path, to, number in self._renamed:
            if folder in (path.parent, to.parent):
                self._names.setdefault(path.parent, {}).pop(path.name, None)
                self._names.setdefault(to.parent, {})[to.name] = number
        self._renamed = [each for each in self._renamed if folder not in (each[0].parent, each[1].parent)]

    def _sync_names(self, folder: Path) -> None:
        self._names[folder] = {each.name: each.stat().st_ino for each in folder.iterdir()}
        for each in folder.iterdir():
            if each.is_dir():
                self._names.setdefault(each, {})

    def what_is_left(self, folder: Path, to: Path) -> None:
        """Writes what a loss of power has left, if it takes all that was not made durable."""
        to.mkdir()
        for name, number in self._names[folder].items():
            if folder / name in self._names:
                self.what_is_left(folder / name, to / name)
            else:
                (to / name).write_bytes(self._content.get(number, b""))
