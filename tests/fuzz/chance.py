"""Chance that can be repeated: a case is made by its seed and its number alone, whatever ran before it."""

from __future__ import annotations

from random import Random


def dice(seed: int, number: int) -> Random:
    """The dice of one case."""
    return Random(f"{seed}/{number}")  # noqa: S311 -- nothing is kept secret here
