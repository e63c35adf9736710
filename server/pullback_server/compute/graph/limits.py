"""How large a graph may become."""

from __future__ import annotations

from typing import Final

MOST_NODES: Final = 10_000
"""The most nodes of a graph that is given."""
MOST_BUILT: Final = 5 * MOST_NODES
"""The most nodes that are made, before what is trivial is merged."""
LONGEST_TEXT: Final = 80
"""The most characters of an attribute."""
