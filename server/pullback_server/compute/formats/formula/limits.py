"""How large a formula and what it builds may be.

The limits keep reading and tracing a formula within bounded time and memory, whatever its text is.
"""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 65_536
MAX_TOKENS: Final = 16_384
MAX_NESTING: Final = 64  # the parser recurses, and Python's stack is finite
MAX_RANK: Final = 32  # NumPy's older limit, which every client has
MAX_ELEMENTS: Final = 2**27  # one GiB in f64
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1
