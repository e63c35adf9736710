"""Elementwise functions, reductions, and shapes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_POSITIVE = [0.4, 1.3, 2.6]
_UNIT = [0.21, 0.55, 0.83]
_MATRIX = [[0.9, -0.3, 0.2], [0.4, 1.4, -0.6]]

CASES = [
    case("sin_cos", lambda x: jnp.sin(x) * jnp.cos(x), _X),
    case("exp_log", lambda x: jnp.log(1.5 + jnp.exp(x)) - jnp.expm1(0.1 * x), _X),
    case("tan_tanh", lambda x: jnp.tan(0.4 * x) + jnp.tanh(x), _X),
    case("hyperbolic", lambda x: jnp.sinh(x) * jnp.cosh(0.5 * x), _X),
    case("inverse_trigonometric", lambda x: jnp.arcsin(x) + jnp.arccos(0.5 * x) + jnp.arctan(x), _UNIT),
    case("inverse_hyperbolic", lambda x: jnp.arcsinh(x) + jnp.arctanh(0.5 * x) + jnp.arccosh(1 + x), _UNIT),
    case("roots", lambda x: jnp.sqrt(x) + jnp.cbrt(x) + lax.rsqrt(x), _POSITIVE),
    case("powers", lambda x: x**2 + x**3 - x**-2 + x**0.5 + x**7, _POSITIVE),
    case("power_of_two_arrays", lambda x, y: x**y, _POSITIVE, _X),
    case("power_with_integer_array", lambda x: x ** jnp.arange(3), _POSITIVE),
    case("exp2_log2", lambda x: jnp.exp2(x) + jnp.log2(x) + jnp.log10(x), _POSITIVE),
    case("log1p_softplus", lambda x: jnp.log1p(jnp.exp(x)) + jax.nn.softplus(x), _X),
    case("logaddexp", jnp.logaddexp, _X, _POSITIVE),
    case("logistic", lambda x: jax.nn.sigmoid(x) * jax.nn.log_sigmoid(x), _X),
    case("arctan2_hypot", lambda x, y: jnp.arctan2(x, y) + jnp.hypot(x, y), _X, _POSITIVE),
    case("sinc", jnp.sinc, _X),
    case("abs_sign", lambda x: jnp.abs(x) * jnp.sign(x) + jnp.abs(x) ** 3, _X),
    case("floor_round_mod", lambda x: x * jnp.floor(x) + jnp.round(x) * x + jnp.mod(x, 0.7), _X),
    case("maximum_minimum", lambda x: jnp.maximum(x, 0.5) * jnp.minimum(x, x**2), _X),
    case("clip", lambda x: jnp.clip(x, -0.5, 1.0) * x, _X),
    case("where", lambda x: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), x**2), _X),
    case("select", lambda x: jnp.select([x < 0, x < 1], [x**2, jnp.sin(x)], x**3), _X),
    case("nan_to_num", lambda x: jnp.nan_to_num(x) * x, _X),
    case("heaviside_gate", lambda x: jnp.heaviside(x, 0.5) * x**2, _X),
    case("erf_family", lambda x: special.erf(x) + special.erfc(0.3 * x) + special.erfinv(0.4 * x), _X),
    case("gamma_family", lambda x: special.gammaln(x) + special.digamma(x), _POSITIVE),
    case("polygamma", lambda x: special.polygamma(1, x), _POSITIVE, third=False),
    case("bessel", lambda x: special.i0(x) + special.i1(x) + special.i0e(x), _POSITIVE, heavy=True),
    case("normal_cdf", lambda x: special.ndtr(x) + special.log_ndtr(x), _X, third=False),
    case("entropy", lambda x: special.entr(x) + special.xlogy(x, x) + special.logit(x), _UNIT),
    case("igamma", lambda x: special.gammainc(2.5, x) + special.gammaincc(1.5, x), _POSITIVE, third=False),
    case("betainc", lambda x: special.betainc(1.5, 2.5, x), _UNIT, third=False),
    case("relu_family", lambda x: jax.nn.relu(x) + jax.nn.leaky_relu(x) + jax.nn.relu6(x), _X),
    case("elu_family", lambda x: jax.nn.elu(x) + jax.nn.celu(x) + jax.nn.selu(x), _X),
    case("silu_gelu", lambda x: jax.nn.silu(x) + jax.nn.gelu(x) + jax.nn.gelu(x, approximate=False), _X),
    case("mish_swish", lambda x: jax.nn.mish(x) + jax.nn.hard_swish(x) + jax.nn.soft_sign(x), _X),
    case("softmax", lambda x: jax.nn.softmax(x) ** 2, _X),
    case("log_softmax", lambda x: jax.nn.log_softmax(x) * jnp.arange(3.0), _X),
    case("logsumexp", lambda x: special.logsumexp(x) + special.logsumexp(x, b=jnp.arange(1.0, 4.0)), _X),
    case("sum_mean_var", lambda x: jnp.sum(x) * jnp.mean(x**2) + jnp.var(x) + jnp.std(x), _X),
    case("prod", lambda x: jnp.prod(x) + jnp.prod(jnp.stack([x, x**2]), axis=0), _X),
    case("max_min", lambda x: jnp.max(x) * jnp.min(x) + jnp.max(x**2), _X),
    case("max_with_ties", lambda x: jnp.max(jnp.concatenate([x, x])) ** 2, _X),
    case("argmax_argmin", lambda x: x[jnp.argmax(x)] ** 2 * x[jnp.argmin(x)], _X),
    case("norms", lambda x: jnp.linalg.norm(x) + jnp.linalg.norm(x, 1) + jnp.linalg.norm(x, 3), _X),
    case("matrix_axes", lambda a: jnp.sum(a, 0) * jnp.max(a, 0) + jnp.mean(a**2, 0), _MATRIX, third=False),
    case("reshape_transpose", lambda a: (a.T.reshape(2, 3) * a)[::-1, ::-1] ** 2, _MATRIX, third=False),
    case("concatenate_pad", lambda x: jnp.pad(jnp.concatenate([x, x**2]), (1, 2), mode="edge"), _X),
    case("stack_split", lambda x: jnp.stack(jnp.split(x**2, 3)).squeeze() * jnp.tile(x, 2)[2:5], _X),
    case("roll_flip", lambda x: jnp.roll(x, 1) * jnp.flip(x) + jnp.repeat(x, 2)[1:4], _X),
    case("diff_interp", lambda x: jnp.diff(x) ** 2 + jnp.interp(x[:2], jnp.arange(3.0), x), _X),
    case("stop_gradient", lambda x: x * lax.stop_gradient(x**2) + jnp.sin(x), _X),
    case("stop_gradient_trick", lambda x: x + lax.stop_gradient(jnp.round(x) - x), _X),
    case("reduce_precision", lambda x: lax.reduce_precision(x, 8, 20) ** 2, _X),
    case("integer_conversion", lambda x: x * x.astype(int).astype(x.dtype) + (x > 0), _X),
    case("empty", lambda x: jnp.sum(x[:0]) + jnp.concatenate([x[:0], x]) ** 2, _X),
    case("polynomial", lambda x: jnp.polyval(jnp.array([1.0, -2.0, 0.5]), x), _X),
]
