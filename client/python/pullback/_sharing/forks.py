"""What happens to shared memory when this process forks: parent and child must not write to the same.

After a fork, arrays are as if they had been copied, as all other memory is. Shared memory is not, by itself.
"""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod


class Forked(ABC):
    """What has to be told of forks."""

    @abstractmethod
    def before_fork(self) -> None:
        """The process is about to fork."""

    @abstractmethod
    def after_fork_in_parent(self) -> None:
        """It has."""

    @abstractmethod
    def after_fork_in_child(self) -> None:
        """This is the new process, with one thread."""


_watched: weakref.WeakSet[Forked] = weakref.WeakSet()
_holding: list[Forked] = []


def watch(forked: Forked) -> None:
    """Tells an object of forks for as long as it lives."""
    _watched.add(forked)


def _before() -> None:
    for forked in tuple(_watched):
        forked.before_fork()
        _holding.append(forked)


def _after_in_parent() -> None:
    while _holding:
        _holding.pop().after_fork_in_parent()


def _after_in_child() -> None:
    while _holding:
        _holding.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
