"""How much of a program the lifter follows. A program within them costs bounded time and stack to read.

How many operations there may be and how deep they are nested are the server's settings (`formats.bounds`).
"""

from __future__ import annotations

from typing import Final

DEEPEST_FOLLOWED: Final = 64
"""Regions in regions and calls in calls that are looked into in search of the counter of a loop."""

LARGEST_VALUE_BYTES: Final = 1 << 48
"""A value within a program: more than any device holds, and less than where XLA's counts overflow, which
ends the process."""

MOST_FOLLOWED: Final = 100_000
"""Operations that are looked at in search of the counters of one loop, calls written out."""

LARGEST_UNROLL: Final = 64
"""Repetitions of a loop's body that are compiled side by side; more are asked for in vain."""
