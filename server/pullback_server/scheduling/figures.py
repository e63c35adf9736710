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


@dataclass(slots=True)
class TenantFigures:
    """What one tenant has now, and sums since the server's start or the tenant's first request.

    Attributes:
        in_flight: Its requests in flight.
        queued: How many of its evaluations wait for a worker, each piece of one that was cut counted.
        queued_bytes: The bytes of what these ask and will get.
        requests: Its requests that were let in.
        device_seconds: The time that devices worked for it; a run for several is shared by points.
        queue_seconds: What its evaluations waited for a worker.
        shed: Its requests that were refused, or dropped while they waited, for want of room.
        late: Its evaluations that were dropped while they waited, since their deadline had passed.
    """

    in_flight: int = 0
    queued: int = 0
    queued_bytes: int = 0
    requests: int = 0
    device_seconds: float = 0.0
    queue_seconds: float = 0.0
    shed: int = 0
    late: int = 0
