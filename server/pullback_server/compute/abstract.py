"""Between tensor types and JAX's arrays without elements."""

from __future__ import annotations

import jax

from pullback.program.elements import element_of
from pullback.program.tensors import TensorType


def abstract(tensor_type: TensorType) -> jax.ShapeDtypeStruct:
    """What stands for an array of a type while tracing."""
    return jax.ShapeDtypeStruct(tensor_type.shape, tensor_type.element.dtype)  # type: ignore[no-untyped-call]


def tensor_type_of(value: jax.ShapeDtypeStruct) -> TensorType:
    """The type of an array, or of what stands for one while tracing."""
    return TensorType(element_of(value.dtype), tuple(value.shape))
