"""Arrays of fixed elements, and conversions of elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.elements import element_of
from pullback_server.compute.formats.onnx.failures import unsupported
from pullback_server.compute.formats.onnx.limits import MAX_ELEMENTS
from pullback_server.compute.formats.onnx.values import Fixed

_NARROW: Final = frozenset({"int2", "int4", "uint2", "uint4"})
_CONSTANTS: Final = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def _constant(call: Call) -> Fixed:
    if "value" in call.attributes:
        return np.asarray(call.attributes["value"])
    for name, dtype in _CONSTANTS.items():
        if name in call.attributes:
            return np.asarray(call.attributes[name], dtype)
    raise call.refuse("holds text or a sparse array")


def _constant_of_shape(call: Call) -> jax.Array:
    value = call.attribute("value", np.zeros(1, np.float32))
    return jnp.full(call.integers(0, "sizes"), value.reshape(()))


def _eye_like(call: Call) -> jax.Array:
    like = call.value(0)
    number = call.attribute("dtype", None)
    dtype = like.dtype if number is None else element_of(number).dtype
    rows, columns = like.shape
    return jnp.eye(rows, columns, call.attribute("k", 0), dtype)


def _range(call: Call) -> jax.Array:
    start, limit, delta = (call.fixed(place, "bounds").item() for place in range(3))
    count = max(0, int(np.ceil((limit - start) / delta))) if delta else 0
    if count > MAX_ELEMENTS:
        raise unsupported(
            "Range", f"would have {count} elements; {MAX_ELEMENTS} are served", "make it shorter"
        )
    dtype = call.value(0).dtype
    steps = jnp.arange(count, dtype=dtype) * np.asarray(delta, dtype)
    return jnp.asarray(start + steps, dtype)


def _one_hot(call: Call) -> jax.Array:
    indices, values = call.array(0), call.array(2)
    depth = int(call.integers(1, "the depth")[0])
    axis = call.attribute("axis", -1)
    axis = axis + indices.ndim + 1 if axis < 0 else axis
    indices = indices.astype(jnp.int64)
    wrapped = jnp.where(indices < 0, indices + depth, indices)
    places = jnp.arange(depth).reshape([depth if i == axis else 1 for i in range(indices.ndim + 1)])
    return jnp.where(jnp.expand_dims(wrapped, axis) == places, values[1], values[0])


def _cast(call: Call) -> jax.Array:
    return convert(call.array(0), element_of(call.attribute("to")).dtype, bool(call.attribute("saturate", 1)))


def _cast_like(call: Call) -> jax.Array:
    return convert(call.array(0), call.value(1).dtype, bool(call.attribute("saturate", 1)))


def convert(x: jax.Array, dtype: Any, saturate: bool = True) -> jax.Array:
    """The array with another element type; float8 types take their largest number for larger ones."""
    small = np.dtype(dtype).name.startswith("float8")
    if small and saturate and jnp.issubdtype(x.dtype, jnp.floating):
        largest = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
        x = jnp.clip(x.astype(jnp.promote_types(x.dtype, jnp.float32)), -largest, largest)
    if jnp.issubdtype(x.dtype, jnp.floating) and np.dtype(dtype).name in _NARROW:
        # What is too large loses its upper bits, as with wider integers.
        x = x.astype(jnp.int32)
    return x.astype(dtype)


def _bit_cast(call: Call) -> jax.Array:
    return jax.lax.bitcast_convert_type(call.array(0), element_of(call.attribute("to")).dtype)


OPERATORS: Final[Mapping[str, Rule]] = {
    "BitCast": _bit_cast,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye_like,
    "OneHot": _one_hot,
    "Range": _range,
}
