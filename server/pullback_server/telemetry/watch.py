"""Everything that watches requests where they pass, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pullback_server.telemetry.calls import Calls
from pullback_server.telemetry.crashes import Crashes
from pullback_server.telemetry.evaluations import Evaluations
from pullback_server.telemetry.recorder import Recorder
from pullback_server.telemetry.tenants import Labels
from pullback_server.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Watch:
    """What watches.

    Attributes:
        labels: The labels of tenants.
        calls: All calls.
        evaluations: The evaluations among them, and those in streams.
        crashes: Where is written what was in hand.
        tracing: What tells of them in traces; None where there are none.
    """

    labels: Labels
    calls: Calls
    evaluations: Evaluations
    crashes: Crashes
    tracing: Tracing | None = None

    @property
    def recorder(self) -> Recorder:
        """The last requests."""
        return self.evaluations.recorder


def watch(
    folder: Path, *, tenants: int, recorded: int, slow_seconds: float, tracing: Tracing | None = None
) -> Watch:
    """Makes what watches.

    Args:
        folder: Where files go.
        tenants: How many tenants are told apart.
        recorded: How many requests are kept.
        slow_seconds: What takes longer is told in the log; 0 tells of nothing.
        tracing: What tells of requests in traces; None where there are none.
    """
    labels = Labels(tenants)
    recorder = Recorder(recorded)
    crashes = Crashes(folder, recorder)
    evaluations = Evaluations(labels, recorder, crashes, slow_seconds, tracing)
    return Watch(labels, Calls(labels, slow_seconds), evaluations, crashes, tracing)
