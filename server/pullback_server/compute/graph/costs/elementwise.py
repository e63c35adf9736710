"""Elementwise operations: one operation for each element, transcendental ones apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs.operands import is_complex, is_inexact, size_out

_ARITHMETIC: Final = (
    *("add", "add_any", "sub", "neg", "abs", "sign", "max", "min", "clamp", "rem"),
    *("floor", "ceil", "round", "nextafter", "eq", "ne", "lt", "le", "gt", "ge", "eq_to", "lt_to", "le_to"),
    "is_finite",
)
_MULTIPLICATIVE: Final = {"mul": 6, "square": 6, "div": 11}
_TRANSCENDENTAL: Final = (
    *("exp", "exp2", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "cbrt", "pow", "logistic"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "atan2", "asinh", "acosh"),
    *("atanh", "erf", "erfc", "erf_inv", "lgamma", "digamma", "polygamma", "zeta", "igamma", "igammac"),
    *("igamma_grad_a", "random_gamma_grad", "regularized_incomplete_beta", "bessel_i0e", "bessel_i1e"),
)


def _arithmetic(equation: core.JaxprEqn) -> Cost:
    if not is_inexact(equation):
        return Cost()
    return Cost(flops=size_out(equation) * (2 if is_complex(equation) else 1))


def _multiplicative(complex_flops: int) -> Callable[[core.JaxprEqn], Cost]:
    def cost(equation: core.JaxprEqn) -> Cost:
        if not is_inexact(equation):
            return Cost()
        return Cost(flops=size_out(equation) * (complex_flops if is_complex(equation) else 1))

    return cost


def _transcendental(equation: core.JaxprEqn) -> Cost:
    return Cost(transcendentals=size_out(equation)) if is_inexact(equation) else Cost()


def _integer_pow(equation: core.JaxprEqn) -> Cost:
    """By repeated squaring; a negative exponent takes a division more."""
    if not is_inexact(equation):
        return Cost()
    exponent = equation.params["y"]
    bits = abs(exponent)
    products = max(bits.bit_length() - 1 + bits.bit_count() - 1, 0)
    each = 6 if is_complex(equation) else 1
    inverse = (11 if is_complex(equation) else 1) if exponent < 0 else 0
    return Cost(flops=size_out(equation) * (products * each + inverse))


def _one_minus_square(equation: core.JaxprEqn) -> Cost:
    return Cost(flops=size_out(equation) * (8 if is_complex(equation) else 2))


RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = {
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **{name: _multiplicative(flops) for name, flops in _MULTIPLICATIVE.items()},
    **dict.fromkeys(_TRANSCENDENTAL, _transcendental),
    "integer_pow": _integer_pow,
    "one_minus_square": _one_minus_square,
}
