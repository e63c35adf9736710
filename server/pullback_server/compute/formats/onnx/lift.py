"""From an ONNX body to a signature, and to a JAX-traceable function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp

from pullback.program.container import Onnx
from pullback.program.signature import Signature
from pullback_server.compute.formats.onnx.evaluation import require_served
from pullback_server.compute.formats.onnx.reading import read_model
from pullback_server.compute.formats.onnx.signature import results_of, signature_of
from pullback_server.compute.formats.onnx.syntax import Model


def onnx_signature(body: Onnx) -> Signature:
    """The signature that a model says.

    Raises:
        ServiceError: MALFORMED_PROGRAM or UNSUPPORTED_OPERATION, with the name of the operator.
    """
    return signature_of(_model(body.model))


def lift(body: Onnx) -> Callable[[Sequence[jax.Array]], list[jax.Array]]:
    """A function of the inputs that gives the outputs, for inputs of any sizes that the model takes.

    All of JAX's transformations apply to it. 64-bit types need `jax_enable_x64`.

    Raises:
        ServiceError: As `onnx_signature`.
    """
    model = _model(body.model)
    # Arrays of NumPy would be taken for constants of the model.
    return lambda leaves: results_of(model, [jnp.asarray(leaf) for leaf in leaves])


@lru_cache(maxsize=2)
def _model(data: bytes) -> Model:
    """A model, read once for its signature, its function and functions of other sizes."""
    return read_model(data, require_served)
