"""How much of a device's memory a run needs, as XLA says it of an executable, and how much there is.

XLA says it for CPUs and GPUs alike, of what was compiled and of what was read from disk.
"""

from __future__ import annotations

from typing import Final

import jax
from jax.stages import Compiled

from pullback_server.errors import Reason, ServiceError, exceeded

_CPU: Final = "cpu"


def needed_bytes(compiled: Compiled) -> int | None:
    """The bytes that a run needs at one time: arguments, results, what lies between, and code.

    None where XLA does not say.
    """
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    parts = (
        analysis.argument_size_in_bytes,
        analysis.output_size_in_bytes,
        analysis.temp_size_in_bytes,
        analysis.generated_code_size_in_bytes,
    )
    return int(sum(parts) - analysis.alias_size_in_bytes)


def device_memory() -> int | None:
    """The bytes that JAX may use of this process's device; None on a CPU, or if the device does not say."""
    device = jax.local_devices()[0]
    if device.platform == _CPU:
        return None
    limit = (device.memory_stats() or {}).get("bytes_limit")
    return None if limit is None else int(limit)


def too_much_memory(needed: int, limit: int) -> ServiceError:
    """The error of a run that would need more than there is."""
    return exceeded(
        Reason.DEVICE_MEMORY_EXCEEDED,
        f"a run would need {needed} bytes of the device's memory",
        value=needed,
        limit=limit,
        setting="max_device_memory_bytes",
        advice="send fewer points at a time, or ask for products (jvp, vjp, hvp) in place of a matrix",
    )
