"""What a Tesseract serves, as its recipe for JAX lays it out, with inputs of any number of leading axes."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from pydantic import BaseModel
from tesseract_core.runtime import Array, Differentiable, Float64
from tesseract_core.runtime.jax_recipes import jax_apply, jax_vjp

jax.config.update("jax_enable_x64", True)


class InputSchema(BaseModel):
    """The points."""

    x: Differentiable[Array[..., Float64]]


class OutputSchema(BaseModel):
    """Their values."""

    y: Differentiable[Array[..., Float64]]


@eqx.filter_jit
def apply_jit(inputs: dict[str, Any]) -> dict[str, Any]:
    """The Rosenbrock function over the last axis."""
    left, right = inputs["x"][..., :-1], inputs["x"][..., 1:]
    return {"y": jnp.sum(100.0 * (right - left**2) ** 2 + (1.0 - left) ** 2, axis=-1)}


def apply(inputs: InputSchema) -> OutputSchema:
    """The values."""
    return OutputSchema(**jax_apply(apply_jit, inputs))


def vector_jacobian_product(
    inputs: InputSchema,
    vjp_inputs: set[str],
    vjp_outputs: set[str],
    cotangent_vector: dict[str, Any],
) -> dict[str, Any]:
    """The product of cotangents with the Jacobian."""
    product: dict[str, Any] = jax_vjp(apply_jit, inputs, vjp_inputs, vjp_outputs, cotangent_vector)
    return product
