"""What workers may take, and how long the front waits for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a worker; all times in seconds.

    Attributes:
        run_seconds: How long an evaluation may run; 0 for as long as it takes.
        compile_seconds: How long reading, tracing and compiling may take; 0 for as long as it takes.
        abandoned_seconds: How long a worker may go on with what nobody waits for.
        common_seconds: How much longer, where others wait there for the same program.
        kept_seconds: How much longer, where it prepares what whoever asks again will find done.
        silent_seconds: How long a worker may show no sign of life.
        memory_bytes: The most memory of its own that a worker process may have; 0 for as much as there is.
        probe_seconds: How long a worker that gives no answers goes unprobed.
        replays: How often a request is repeated after it ran where a worker died.
    """

    run_seconds: float = 600.0
    compile_seconds: float = 600.0
    abandoned_seconds: float = 1.0
    common_seconds: float = 10.0
    kept_seconds: float = 30.0
    silent_seconds: float = 10.0
    memory_bytes: int = 0
    probe_seconds: float = 10.0
    replays: int = 2
