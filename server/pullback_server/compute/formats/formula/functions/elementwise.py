"""Functions that work element by element, and those along an axis that neural networks use."""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp

from pullback_server.compute.formats.formula.functions.entry import (
    AXIS_OR_AXES,
    KEEPDIMS,
    A,
    B,
    Function,
    Parameter,
    X,
    binary,
    option,
    unary,
)
from pullback_server.compute.formats.formula.functions.kinds import ARRAY, DECIMALS

EXPONENTIALS: Final = (
    unary("exp", jnp.exp, "jnp.exp", "exponential"),
    unary("expm1", jnp.expm1, "jnp.expm1", "exp(x) - 1, exact near 0"),
    unary("exp2", jnp.exp2, "jnp.exp2", "2**x"),
    unary("log", jnp.log, "jnp.log", "natural logarithm"),
    unary("log1p", jnp.log1p, "jnp.log1p", "log(1 + x), exact near 0"),
    unary("log2", jnp.log2, "jnp.log2", "logarithm to base 2"),
    unary("log10", jnp.log10, "jnp.log10", "logarithm to base 10"),
    binary("logaddexp", jnp.logaddexp, "jnp.logaddexp", "log(exp(a) + exp(b))"),
)
POWERS: Final = (
    unary("sqrt", jnp.sqrt, "jnp.sqrt", "square root"),
    unary("cbrt", jnp.cbrt, "jnp.cbrt", "cube root"),
    unary("square", jnp.square, "jnp.square", "x * x"),
    unary("reciprocal", jnp.reciprocal, "jnp.reciprocal", "1 / x"),
    binary("power", jnp.power, "jnp.power", "a ** b", "pow"),
    binary("hypot", jnp.hypot, "jnp.hypot", "sqrt(a**2 + b**2)"),
)
TRIGONOMETRY: Final = (
    unary("sin", jnp.sin, "jnp.sin", "sine"),
    unary("cos", jnp.cos, "jnp.cos", "cosine"),
    unary("tan", jnp.tan, "jnp.tan", "tangent"),
    unary("asin", jnp.arcsin, "jnp.arcsin", "inverse sine", "arcsin"),
    unary("acos", jnp.arccos, "jnp.arccos", "inverse cosine", "arccos"),
    unary("atan", jnp.arctan, "jnp.arctan", "inverse tangent", "arctan"),
    binary("atan2", jnp.arctan2, "jnp.arctan2", "angle of the point (b, a)", "arctan2"),
    unary("sinh", jnp.sinh, "jnp.sinh", "hyperbolic sine"),
    unary("cosh", jnp.cosh, "jnp.cosh", "hyperbolic cosine"),
    unary("tanh", jnp.tanh, "jnp.tanh", "hyperbolic tangent"),
    unary("asinh", jnp.arcsinh, "jnp.arcsinh", "inverse hyperbolic sine", "arcsinh"),
    unary("acosh", jnp.arccosh, "jnp.arccosh", "inverse hyperbolic cosine", "arccosh"),
    unary("atanh", jnp.arctanh, "jnp.arctanh", "inverse hyperbolic tangent", "arctanh"),
)
ROUNDING: Final = (
    unary("abs", jnp.abs, "jnp.abs", "absolute value", "fabs"),
    unary("sign", jnp.sign, "jnp.sign", "-1, 0 or 1"),
    unary("floor", jnp.floor, "jnp.floor", "rounded down"),
    unary("ceil", jnp.ceil, "jnp.ceil", "rounded up"),
    Function("round", jnp.round, (X, option("decimals", DECIMALS)), "jnp.round", "rounded, halves to even"),
    binary("minimum", jnp.minimum, "jnp.minimum", "the smaller of two"),
    binary("maximum", jnp.maximum, "jnp.maximum", "the larger of two"),
    Function(
        "clip",
        jnp.clip,
        (X, option("min", ARRAY), option("max", ARRAY)),
        "jnp.clip",
        "held between two bounds",
    ),
)
CHOICES: Final = (
    Function(
        "where",
        jnp.where,
        (Parameter("condition", ARRAY), A, B),
        "jnp.where",
        "a where the condition is nonzero, b elsewhere",
    ),
    unary("isnan", jnp.isnan, "jnp.isnan", "whether it is not a number"),
    unary("isfinite", jnp.isfinite, "jnp.isfinite", "whether it is neither infinite nor nan"),
    unary("isinf", jnp.isinf, "jnp.isinf", "whether it is infinite"),
    unary("stop_gradient", jax.lax.stop_gradient, "jax.lax.stop_gradient", "x, as a constant to derivatives"),
)
COMPLEX: Final = (
    unary("real", jnp.real, "jnp.real", "real part"),
    unary("imag", jnp.imag, "jnp.imag", "imaginary part"),
    unary("conj", jnp.conj, "jnp.conj", "complex conjugate", "conjugate"),
    unary("angle", jnp.angle, "jnp.angle", "angle in the complex plane"),
)
ACTIVATIONS: Final = (
    unary("sigmoid", jax.nn.sigmoid, "jax.nn.sigmoid", "1 / (1 + exp(-x))", "expit"),
    unary("log_sigmoid", jax.nn.log_sigmoid, "jax.nn.log_sigmoid", "log(sigmoid(x))"),
    unary("logit", jax.scipy.special.logit, "jax.scipy.special.logit", "log(x / (1 - x))"),
    unary("softplus", jax.nn.softplus, "jax.nn.softplus", "log(1 + exp(x))"),
    unary("relu", jax.nn.relu, "jax.nn.relu", "maximum(x, 0), with derivative 0 at 0"),
    Function(
        "softmax", jax.nn.softmax, (X, AXIS_OR_AXES), "jax.nn.softmax", "exp(x) normed, along the last axis"
    ),
    Function("log_softmax", jax.nn.log_softmax, (X, AXIS_OR_AXES), "jax.nn.log_softmax", "log(softmax(x))"),
    Function(
        "logsumexp",
        jax.scipy.special.logsumexp,
        (X, AXIS_OR_AXES, KEEPDIMS),
        "jax.scipy.special.logsumexp",
        "log(sum(exp(x)))",
    ),
)
