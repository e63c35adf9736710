"""Calls that a full disk may refuse, with a reason, and that are tried again until there is room."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import pullback
from pullback.errors import NotFoundError, PullbackError

_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.5

Result = TypeVar("Result")


def while_the_disk_is_full(call: Callable[[], Result]) -> Result:
    """What a call gives once there is room.

    Raises:
        PullbackError: What else goes wrong; or that there is no room for long.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return call()
        except PullbackError as error:
            if error.reason != "STORAGE_FULL" or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def delete(client: pullback.Client, name: str) -> None:
    """Deletes a function, if it is there: a first try may have done it, and its answer been lost.

    Raises:
        PullbackError: If it cannot be deleted.
    """
    try:
        while_the_disk_is_full(lambda: client.delete(name))
    except NotFoundError:
        return
