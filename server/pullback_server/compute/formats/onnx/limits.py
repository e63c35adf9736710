"""How much of a model is followed. A model within these limits costs bounded time and memory to read."""

from __future__ import annotations

from typing import Final

DEEPEST_NESTING: Final = 32
"""Graphs in graphs and calls in calls, if the server's setting does not say less."""

LARGEST_UNROLL: Final = 256
"""Repetitions of a loop whose values change their shapes; each is compiled beside the others."""

MOST_PIECES: Final = 4096
"""Pieces that one node cuts an array into."""

LARGEST_FIXED: Final = 2**16
"""Elements of an array that is computed while the model is read; larger ones are left to the device."""

MAX_ELEMENTS: Final = 2**27
"""Elements of an array that comes of no argument: one GiB in f64."""

MAX_RANK: Final = 32
"""Axes of an array: NumPy's older limit, which every client has."""
