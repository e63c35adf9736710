"""What `jax.export` gives, lifted, and derivatives of it and of the function itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from pullback.program.container import StableHlo
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import Leaf
from pullback_server.compute.formats.stablehlo.lift import lift

Flat = Callable[..., list[Any]]
"""A function of leaves."""

# JAX promises nothing for these, and its harnesses use them.
_UNPROMISED = (
    "mhlo.topk",
    *(f"lapack_{letter}{name}_ffi" for letter in "sdcz" for name in ("gesvd", "geqp3")),
)


@dataclass(frozen=True)
class Served:
    """A lifted program.

    Attributes:
        forward: What is evaluated, and differentiated in forward mode.
        reverse: What is differentiated in reverse mode.
    """

    forward: Flat
    reverse: Flat


def serve(data: bytes, types: Sequence[TensorType]) -> Served:
    """Lifts a module with arguments of these types."""
    arguments = tuple(Argument(f"x{index}", Leaf(), (kind,)) for index, kind in enumerate(types))
    lifted = lift(StableHlo(data), Signature(arguments, None))
    return Served(lambda *leaves: list(lifted.forward(leaves)), lambda *leaves: list(lifted.reverse(leaves)))


def serve_exported(function: Flat, examples: Sequence[Any], platform: str = "cpu") -> Served:
    """Exports a function of leaves with plain `jax.export`, and lifts the result."""
    checks = [export.DisabledSafetyCheck.custom_call(name) for name in _UNPROMISED]
    make: Callable[..., Any] = jax.ShapeDtypeStruct
    exported = export.export(jax.jit(function), platforms=[platform], disabled_checks=checks)(
        *[make(np.shape(example), jax.typeof(example).dtype) for example in examples]
    )
    kept = exported.module_kept_var_idx
    served = serve(exported.mlir_module_serialized, [type_of(examples[index]) for index in kept])

    def chosen(flat: Flat) -> Flat:
        return lambda *leaves: flat(*[key_data(leaves[index]) for index in kept])

    return Served(chosen(served.forward), chosen(served.reverse))


def key_data(value: Any) -> Any:
    """The payload of keys; other values as they are."""
    return jax.random.key_data(value) if is_key(value) else value


def is_key(value: Any) -> bool:
    """Whether a value holds random keys."""
    return isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)


def type_of(value: Any) -> TensorType:
    """The type of an array, of keys that of their payload."""
    array = jax.eval_shape(lambda: key_data(value)) if is_key(value) else np.asarray(value)
    return TensorType(element_of(np.dtype(array.dtype)), tuple(array.shape))


def is_inexact(value: Any) -> bool:
    """Whether a value has derivatives."""
    return not is_key(value) and bool(jnp.issubdtype(jnp.result_type(value), jnp.inexact))


def pushed(function: Flat, leaves: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """The directional derivative, along tangents of the inexact leaves."""
    inputs, smooth = _smooth(function, leaves)
    derivative = jax.jit(lambda xs, ts: jax.jvp(smooth, (xs,), (ts,))[1])
    return list(derivative(inputs, list(tangents)))


def pulled(function: Flat, leaves: Sequence[Any], cotangents: Sequence[Any]) -> list[Any]:
    """The gradient of a combination of the inexact results, by the inexact leaves."""
    inputs, smooth = _smooth(function, leaves)
    derivative = jax.jit(lambda xs, cs: jax.vjp(smooth, xs)[1](cs)[0])
    return list(derivative(inputs, list(cotangents)))


def _smooth(function: Flat, leaves: Sequence[Any]) -> tuple[list[Any], Callable[[list[Any]], list[Any]]]:
    """The inexact leaves, and the inexact results as a function of them."""
    places = [index for index, leaf in enumerate(leaves) if is_inexact(leaf)]

    def smooth(inputs: list[Any]) -> list[Any]:
        full = list(leaves)
        for place, value in zip(places, inputs, strict=True):
            full[place] = value
        return [result for result in function(*full) if is_inexact(result)]

    return [leaves[place] for place in places], smooth


def directions(values: Sequence[Any], seed: int) -> list[np.ndarray[Any, Any]]:
    """A random direction for each inexact value."""
    random = np.random.default_rng(seed)

    def direction(value: Any) -> np.ndarray[Any, Any]:
        dtype = jnp.result_type(value)
        drawn = random.standard_normal(np.shape(value))
        if jnp.issubdtype(dtype, jnp.complexfloating):
            drawn = drawn + 1j * random.standard_normal(np.shape(value))
        return np.asarray(drawn).astype(dtype)

    return [direction(value) for value in values if is_inexact(value)]
