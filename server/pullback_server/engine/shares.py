"""How much of the machine's memory each worker on a CPU may need for a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pullback_server.engine.devices import Placement
from pullback_server.engine.machine import Machine, this_machine

# The rest is for the front, for what workers keep, and for the clients' memory.
_SHARE: Final = 0.75


def memory_share(placed: Sequence[Placement], machine: Machine | None = None) -> int | None:
    """The bytes for each worker; None where workers have memory of their own, as on a GPU.

    Args:
        placed: All workers.
        machine: What they share; this one where left out.
    """
    if not all(placement.environment.get("JAX_PLATFORMS") == "cpu" for placement in placed):
        return None
    machine = machine or this_machine()
    return int(machine.memory_bytes * _SHARE) // max(1, len(placed))
