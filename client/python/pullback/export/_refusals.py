"""What cannot be served, refused by name before anything is emitted."""

from __future__ import annotations

from typing import Final

from jax.extend import core

from pullback.export._checks import is_left_out
from pullback.export._equations import all_equations, nested_jaxprs
from pullback.export.errors import UnsupportedOperationError

_CALLBACK: Final = (
    "it would call Python code of this process, which a server does not have; compute it with jax.numpy"
)
_DEVICES: Final = (
    "it speaks to other devices; a server places work by itself, so write the function for one device"
)
_STATE: Final = "it changes state in place, and served functions are pure; return the new values instead"
_KERNEL: Final = "it is bound to one kind of device; use the operations of jax.numpy and jax.lax"

_ADVICE: Final = {
    **dict.fromkeys(("pure_callback", "io_callback"), _CALLBACK),
    **dict.fromkeys(
        ("shard_map", "all_gather", "all_to_all", "axis_index", "pmax", "pmin", "ppermute", "psum", "infeed"),
        _DEVICES,
    ),
    **dict.fromkeys(("get", "swap", "addupdate", "new_ref", "run_state", "freeze"), _STATE),
    **dict.fromkeys(("pallas_call", "ffi_call", "tpu_custom_call"), _KERNEL),
}


def refuse_unservable(jaxpr: core.ClosedJaxpr) -> None:
    """Refuses callbacks, printing, collectives, mutable state and device kernels.

    Raises:
        UnsupportedOperationError: Names the operation and says what to do instead.
    """
    equations = [equation for equation in all_equations(jaxpr) if not is_left_out(equation)]
    for name in (equation.primitive.name for equation in equations):
        if name in _ADVICE:
            raise UnsupportedOperationError(
                f"the function uses {name}, which cannot be served: {_ADVICE[name]}"
            )
    for equation in equations:
        if equation.effects and not nested_jaxprs(equation):
            effects = ", ".join(sorted(type(effect).__name__ for effect in equation.effects))
            raise UnsupportedOperationError(
                f"the function uses {equation.primitive.name}, which has side effects ({effects}); "
                "served functions are pure"
            )
