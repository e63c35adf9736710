"""What of StableHLO and CHLO is refused, why, and what to do instead. Every other operation is served.

docs/stablehlo-coverage.md is made from this table; a test holds it to the dialects of JAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

QUANTIZED_ADVICE: Final = "quantized types are not served: dequantize first, and compute with floats"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operation is refused.

    Attributes:
        reason: As the rest of a sentence that starts with the operation's name.
        advice: What to do instead.
    """

    reason: str
    advice: str


_COLLECTIVE: Final = Refusal(
    "talks to other devices, and a function runs on one",
    "export the function for one device, without a mesh; batches are spread over devices by the server",
)
_IDENTITY: Final = Refusal(
    "asks which of several devices this is, and a function runs on one",
    "export the function for one device, without a mesh",
)
_ASYNCHRONOUS: Final = Refusal(
    "starts or awaits a collective operation, and a function runs on one device",
    "export the function for one device, without a mesh",
)
_STREAM: Final = Refusal(
    "exchanges data with the host while it runs, and served functions are pure",
    "pass the data as an argument, or return it as a result",
)
_HIDDEN_STATE: Final = Refusal(
    "draws numbers from hidden state, and served functions give the same result each time",
    "pass a key as an argument, and use stablehlo.rng_bit_generator",
)
_QUANTIZATION: Final = Refusal("computes with quantized types", QUANTIZED_ADVICE)

REFUSED: Final[Mapping[str, Refusal]] = MappingProxyType(
    {
        f"stablehlo.{name}": refusal
        for refusal, names in (
            (
                _COLLECTIVE,
                (
                    *("all_gather", "all_reduce", "all_to_all", "collective_broadcast", "collective_permute"),
                    *("collective_reduce", "cross-replica-sum", "reduce_scatter"),
                ),
            ),
            (_IDENTITY, ("partition_id", "replica_id")),
            (_ASYNCHRONOUS, ("async_done", "async_start")),
            (_STREAM, ("infeed", "outfeed", "recv", "send")),
            (_HIDDEN_STATE, ("rng",)),
            (_QUANTIZATION, ("uniform_dequantize", "uniform_quantize")),
        )
        for name in names
    }
)
"""The operations that are refused, by their names with the dialect."""
