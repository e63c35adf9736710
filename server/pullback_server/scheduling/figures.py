"""What the batcher did, summed, for those who watch a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """Sums since the server's start.

    Attributes:
        requests: Evaluations that were admitted.
        runs: What was sent to workers for them.
        joined: Evaluations that travelled with others.
        cut: Evaluations that were cut into pieces.
        batch: Points that ran in batches, padding included.
        padding: How many of these were padding.
        queue_seconds: What evaluations waited for others to finish.
        warmed: Buckets that were compiled in the background.
        repeated: Evaluations that ran alone, since they failed together with others.
    """

    requests: int = 0
    runs: int = 0
    joined: int = 0
    cut: int = 0
    batch: int = 0
    padding: int = 0
    queue_seconds: float = 0.0
    warmed: int = 0
    repeated: int = 0
