"""How large a formula and what it builds may be.

The limits keep reading and tracing a formula within bounded time and memory, whatever its text is. How
deep it may be nested and how many nodes it may have are the server's settings (`formats.bounds`).
"""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 65_536
MAX_TOKENS: Final = 16_384
MAX_RANK: Final = 32  # NumPy's older limit, which every client has
MAX_ELEMENTS: Final = 2**27  # one GiB in f64
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1
