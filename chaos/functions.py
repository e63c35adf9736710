"""The functions that clients ask for, with what each has to give, in closed form and float64."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]

WIDTH: Final = 6
WAVE: Final = "wave"
BOWL: Final = "bowl"
TYPES: Final = {WAVE: {"x": f"f64[{WIDTH}]", "y": f"f64[{WIDTH}]"}, BOWL: {"x": f"f64[{WIDTH}]"}}
# Sums and products of a handful of numbers near 1, in another order.
TOLERANCE: Final = 1e-12


CUBE: Final = "{factor!r} * sum(x**3)"
"""What comes and goes: registered, evaluated and deleted."""


def sources(factor: float) -> dict[str, str]:
    """The text of each function; every tenant has its own factor under the same names."""
    return {WAVE: f"sum(sin({factor} * x) * y)", BOWL: f"{factor} * x**3"}


def wave(x: Array, y: Array, factor: float) -> Array:
    """The value of a wave, of a point or of many."""
    return np.asarray(np.sum(np.sin(factor * x) * y, axis=-1))


def wave_gradient(x: Array, y: Array, factor: float) -> Array:
    """Its gradient with respect to x."""
    return factor * np.cos(factor * x) * y


def wave_hessian(x: Array, y: Array, factor: float) -> Array:
    """Its Hessian with respect to x, of one point."""
    return np.diag(-(factor**2) * np.sin(factor * x) * y)


def bowl_jacobian(x: Array, factor: float) -> Array:
    """The Jacobian of a bowl at one point."""
    return np.diag(3 * factor * x**2)


def cube_gradient(x: Array, factor: float) -> Array:
    """The gradient of a cube at one point."""
    return 3 * factor * x**2


def right(actual: Any, expected: Array) -> bool:
    """Whether an answer is what it has to be."""
    given = np.asarray(actual)
    return given.shape == expected.shape and bool(
        np.all(np.abs(given - expected) <= TOLERANCE * (1 + np.abs(expected)))
    )


# What does harm. Each text has a number in it that makes it another program each time, since one that has
# killed workers is not let in again.

ENDLESS: Final = """
func.func @main(%a: tensor<f64>) -> tensor<f64> {{
  %one = stablehlo.constant dense<1.{number}> : tensor<f64>
  %r = stablehlo.while(%x = %a) : tensor<f64>
  cond {{
    %go = stablehlo.compare EQ, %one, %one : (tensor<f64>, tensor<f64>) -> tensor<i1>
    stablehlo.return %go : tensor<i1>
  }} do {{
    %y = stablehlo.add %x, %one : tensor<f64>
    stablehlo.return %y : tensor<f64>
  }}
  return %r : tensor<f64>
}}
"""
"""A loop that never ends."""

GREEDY: Final = """
func.func @main(%a: tensor<f64>) -> tensor<1250000000000xf64> {{
  %c = stablehlo.constant dense<1.{number}> : tensor<f64>
  %s = stablehlo.add %a, %c : tensor<f64>
  %wide = stablehlo.broadcast_in_dim %s, dims = [] : (tensor<f64>) -> tensor<1250000000000xf64>
  return %wide : tensor<1250000000000xf64>
}}
"""
"""Its value has 10^13 bytes."""

WIDE: Final = "{number} * sum(x**4)"
"""Its Hessian at `WIDE_SIZE` variables is 10^13 bytes."""

WIDE_SIZE: Final = 1_118_034


def lethal(number: int) -> bytes:
    """What kills a process that has MLIR read it: bytecode whose producer is no UTF-8."""
    return b"ML\xefR\r" + bytes([0x80 + number % 64, *f"{number}".encode(), 0])
