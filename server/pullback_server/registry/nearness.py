"""Which name somebody may have meant who wrote one that is not there."""

from __future__ import annotations

import difflib
from bisect import bisect
from collections.abc import Callable, Sequence
from typing import Final

from pullback_server.registry.names import Key

# The event loop waits meanwhile: to compare two names takes time with the square of their length.
_MOST_COMPARED: Final = 16
_LONGEST: Final = 48


def near(key: Key, keys: Sequence[Key], seen: Callable[[Key], bool]) -> str:
    """The name that is most like another; empty if none is.

    Only those are compared that stand beside it in the order of names, and only if they are short.

    Args:
        key: What is not there.
        keys: What is there, in order.
        seen: Whether one may be told of.
    """
    if len(key.function) > _LONGEST:
        return ""
    first = max(0, min(bisect(keys, key), len(keys) - _MOST_COMPARED // 2) - _MOST_COMPARED // 2)
    names = [
        other.function
        for other in keys[first : first + _MOST_COMPARED]
        if other.tenant == key.tenant and len(other.function) <= _LONGEST and seen(other)
    ]
    return next(iter(difflib.get_close_matches(key.function, names, n=1)), "")
