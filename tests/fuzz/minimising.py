"""Makes a found case smaller while it stays a case: delta debugging on bytes.

Source: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE Transactions on
Software Engineering 28 (2002), algorithm ddmin.
"""

from __future__ import annotations

from collections.abc import Callable


def minimised(data: bytes, still: Callable[[bytes], bool], tries: int = 800) -> bytes:
    """The smallest part of some bytes that was found to be a case still.

    Args:
        data: A case.
        still: Whether bytes are a case.
        tries: How often to ask at most.
    """
    parts = 2
    while len(data) > 1 and tries > 0:
        size = -(-len(data) // parts)
        for start in range(0, len(data), size):
            tries -= 1
            rest = data[:start] + data[start + size :]
            if tries < 0 or still(rest):
                break
        else:
            if size == 1:
                break
            parts = min(len(data), parts * 2)
            continue
        if tries >= 0:
            data, parts = rest, max(parts - 1, 2)
    return data
