"""Requests for small derivatives of whatever function was registered."""

from __future__ import annotations

from math import prod
from random import Random
from typing import Final

import numpy as np

from pullback.program.wire import element_from_wire
from pullback.v1 import evaluation_pb2, functions_pb2, tensor_pb2

_LARGEST_BYTES: Final = 1 << 20
_SMALL_ELEMENTS: Final = 64
_OPEN_SIZE: Final = 2
_POINTS: Final = 3


def request_for(function: functions_pb2.Function, chance: Random) -> evaluation_pb2.EvaluateRequest | None:
    """A request for a function by its signature; None where its arguments are too large to send."""
    leaves = [leaf for argument in function.signature.arguments for leaf in argument.leaves]
    points = _POINTS if leaves and chance.random() < 0.2 else None
    tensors = [_tensor(leaf, points, chance) for leaf in leaves]
    if any(tensor is None for tensor in tensors):
        return None
    elements = sum(prod(abs(size) for size in leaf.shape) for leaf in leaves)
    quantities = ["VALUE", "GRADIENT", "JVP"] + ["JACOBIAN", "HESSIAN", "LAPLACIAN"] * (
        elements <= _SMALL_ELEMENTS
    )
    quantity = chance.choice(quantities)
    request = evaluation_pb2.EvaluateRequest(
        function=function.name,
        wants=[evaluation_pb2.Want(quantity=f"QUANTITY_{quantity}")],
        arguments=[tensor for tensor in tensors if tensor is not None],
    )
    if quantity == "JVP":
        request.tangents.extend(request.arguments)
    return request


def _tensor(leaf: tensor_pb2.TensorType, points: int | None, chance: Random) -> tensor_pb2.Tensor | None:
    shape = [_OPEN_SIZE if size < 0 else size for size in leaf.shape]
    if points is not None:
        shape = [points, *shape]
    element = element_from_wire(leaf.element_type)
    if prod(shape) * element.itemsize > _LARGEST_BYTES:
        return None
    generator = np.random.default_rng(chance.getrandbits(32))
    return tensor_pb2.Tensor(
        element_type=leaf.element_type,
        shape=shape,
        data=_data(element.value, prod(shape), element.itemsize, generator),
    )


def _data(element: str, count: int, itemsize: int, generator: np.random.Generator) -> bytes:
    if element in {"f64", "c128"}:
        return generator.normal(size=count * itemsize // 8).tobytes()
    if element in {"f32", "c64"}:
        return generator.normal(size=count * itemsize // 4).astype(np.float32).tobytes()
    # Of a boolean 0 or 1; of the others small numbers, whatever they mean.
    small = np.zeros((count, itemsize), np.uint8)
    small[:, 0] = generator.integers(0, 2, count)
    return small.tobytes()
