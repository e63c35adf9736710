"""Tenants as values of a label: so many have their own, the others share one."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
"""The tenants that have no value of their own."""


class Labels:
    """Gives each of the first so many names a label of its own.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """The label of a name: itself, or `other`."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name
