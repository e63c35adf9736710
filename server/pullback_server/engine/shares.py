"""How much of the machine's memory each worker may need for a run, and may take in all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pullback_server.engine.devices import Placement
from pullback_server.engine.machine import Machine, this_machine

# The rest is for the front, for what workers keep, and for the clients' memory.
_SHARE: Final = 0.75
# With what a worker keeps, and what it needs to read and to compile.
_WHOLE_SHARE: Final = 0.9


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


def process_share(placed: Sequence[Placement], machine: Machine | None = None) -> int:
    """The bytes that the process of each worker may take, so that all of them leave room for the front.

    Args:
        placed: All workers.
        machine: What they share; this one where left out.
    """
    machine = machine or this_machine()
    return int(machine.memory_bytes * _WHOLE_SHARE) // max(1, len(placed))
