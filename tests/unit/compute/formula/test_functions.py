"""Every function of the table against JAX's of that name: value, dtype and traced Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn
from jax.scipy import special

from pullback_server.compute.formats.formula.functions.table import FUNCTIONS, GROUPS

TYPES = {"x": "[3,3]", "v": "[3]", "w": "[3]", "s": "[]"}
POINTS = {
    "x": np.array([[2.0, 0.3, 0.1], [0.4, 1.5, 0.2], [0.6, 0.1, 1.2]]),
    "v": np.array([0.2, 0.9, 0.5]),
    "w": np.array([1.4, 0.7, 2.3]),
    "s": np.array(0.6),
}
_ELEMENTWISE = (
    "exp expm1 exp2 log log1p log2 log10 sqrt cbrt square reciprocal sin cos tan sinh cosh tanh abs sign "
    "floor ceil isnan isfinite isinf real imag conj angle"
)
_BINARY = "logaddexp power hypot minimum maximum dot matmul inner outer vdot kron cross"
ELEMENTWISE = {
    jnp: _ELEMENTWISE.split(),
    nn: ["sigmoid", "log_sigmoid", "softplus", "relu"],
    special: ["logit", "erf", "erfc", "erfinv", "gamma", "digamma"],
}
BINARY = {jnp: _BINARY.split(), special: ["betaln", "xlogy"]}
EXAMPLES: dict[str, Callable[..., Any]] = {
    **{f"{name}(v)": getattr(module, name) for module, names in ELEMENTWISE.items() for name in names},
    **{f"{name}(v, w)": getattr(module, name) for module, names in BINARY.items() for name in names},
    # JAX has no second derivative in the first argument.
    "gammainc(0.5, v) * w": lambda v, w: special.gammainc(0.5, v) * w,
    "gammaincc(2, v) * w": lambda v, w: special.gammaincc(2, v) * w,
    "asin(v)": jnp.arcsin,
    "acos(v)": jnp.arccos,
    "atan(v)": jnp.arctan,
    "asinh(v)": jnp.arcsinh,
    "acosh(w + 1)": lambda w: jnp.arccosh(w + 1),
    "atanh(v)": jnp.arctanh,
    "atan2(v, w)": jnp.arctan2,
    "lgamma(v)": special.gammaln,
    "round(w, 1)": lambda w: jnp.round(w, 1),
    "clip(w, 0.8, max=s + 1)": lambda w, s: jnp.clip(w, min=0.8, max=s + 1),
    "clip(w, max=1)": lambda w: jnp.clip(w, max=1),
    "where(v > 0.4, v, w)": lambda v, w: jnp.where(v > 0.4, v, w),
    "stop_gradient(v) * v": lambda v: lax.stop_gradient(v) * v,
    "softmax(x, axis=0)": lambda x: nn.softmax(x, axis=0),
    "log_softmax(x)": nn.log_softmax,
    "logsumexp(x, axis=(0, 1), keepdims=True)": lambda x: special.logsumexp(x, axis=(0, 1), keepdims=True),
    "sum(x, axis=-1, keepdims=True)": lambda x: jnp.sum(x, axis=-1, keepdims=True),
    "prod(x, axis=0)": lambda x: jnp.prod(x, axis=0),
    "mean(x, axis=(0, 1))": lambda x: jnp.mean(x, axis=(0, 1)),
    "var(x, axis=1, ddof=1)": lambda x: jnp.var(x, axis=1, ddof=1),
    "std(v)": jnp.std,
    "min(x)": jnp.min,
    "max(x, axis=None)": jnp.max,
    "median(x, axis=1)": lambda x: jnp.median(x, axis=1),
    "any(x > 1, axis=0)": lambda x: jnp.any(x > 1, axis=0),
    "all(x > 0.2, axis=0)": lambda x: jnp.all(x > 0.2, axis=0),
    "argmin(x, axis=1)": lambda x: jnp.argmin(x, axis=1),
    "argmax(x)": jnp.argmax,
    "norm(x, ord=1)": lambda x: jnp.linalg.norm(x, ord=1),
    'norm(x, "fro")': lambda x: jnp.linalg.norm(x, "fro"),
    "norm(x, inf, axis=1)": lambda x: jnp.linalg.norm(x, np.inf, axis=1),
    "trapezoid(v, w)": jnp.trapezoid,
    "cumsum(x, axis=1)": lambda x: jnp.cumsum(x, axis=1),
    "cumprod(v)": jnp.cumprod,
    "diff(x, axis=0)": lambda x: jnp.diff(x, axis=0),
    "sort(x, axis=0, descending=True)": lambda x: jnp.sort(x, axis=0, descending=True),
    "argsort(v)": jnp.argsort,
    'einsum("ij,j->i", x, v)': lambda x, v: jnp.einsum("ij,j->i", x, v),
    'einsum("...i,ji,j", x, x, v)': lambda x, v: jnp.einsum("...i,ji,j", x, x, v),
    "trace(x, offset=1)": lambda x: jnp.trace(x, offset=1),
    "diag(x, 1)": lambda x: jnp.diag(x, 1),
    "diag(v, k=-1)": lambda v: jnp.diag(v, -1),
    "tril(x, -1)": lambda x: jnp.tril(x, -1),
    "triu(x)": jnp.triu,
    "det(x)": jnp.linalg.det,
    "slogdet(x)[0] * slogdet(x)[1]": lambda x: jnp.linalg.slogdet(x)[0] * jnp.linalg.slogdet(x)[1],
    "logdet(x)": lambda x: jnp.linalg.slogdet(x)[1],
    "inv(x)": jnp.linalg.inv,
    "solve(x, v)": jnp.linalg.solve,
    "cholesky(x @ x.T)": lambda x: jnp.linalg.cholesky(x @ x.T),
    "zeros(3) + v": lambda v: jnp.zeros(3, v.dtype) + v,
    "ones((2, 3)) * v": lambda v: jnp.ones((2, 3), v.dtype) * v,
    "full(v.shape, s)": lambda v, s: jnp.full(v.shape, s),
    "eye(2, 3, k=1) @ v": lambda v: jnp.eye(2, 3, 1, v.dtype) @ v,
    "arange(3) * v": lambda v: jnp.arange(3) * v,
    "arange(1, 2.2, step=0.5) * v": lambda v: jnp.arange(1, 2.2, 0.5, v.dtype) * v,
    "linspace(s, w, 4)": lambda s, w: jnp.linspace(s, w, 4),
    "reshape(x, (-1,))": lambda x: jnp.reshape(x, -1),
    "ravel(x)": jnp.ravel,
    "squeeze(v[newaxis], axis=0)": lambda v: jnp.squeeze(v[None], axis=0),
    "broadcast_to(v, (2, 3))": lambda v: jnp.broadcast_to(v, (2, 3)),
    "transpose(x, (1, 0))": lambda x: jnp.transpose(x, (1, 0)),
    "concatenate([x, v[newaxis]], axis=0)": lambda x, v: jnp.concatenate([x, v[None]]),
    "concatenate((v, w[:2]))": lambda v, w: jnp.concatenate((v, w[:2])),
    "stack([v, w], axis=1)": lambda v, w: jnp.stack([v, w], axis=1),
    "flip(x, axis=(0, 1))": lambda x: jnp.flip(x, axis=(0, 1)),
    "roll(x, (1, 2), axis=(0, 1))": lambda x: jnp.roll(x, (1, 2), axis=(0, 1)),
    "v * size(x)": lambda v, x: v * x.size,
    "v / len(x)": lambda v, x: v / len(x),
}


def _arguments(source: str) -> list[str]:
    """The names among x, v, w, s in the order in which they first stand in a formula."""
    words = "".join(c if c.isalnum() or c in "_\"'" else " " for c in source).split()
    return [word for word in dict.fromkeys(words) if word in TYPES]


@pytest.mark.parametrize("element", ["f64", "f32"])
@pytest.mark.parametrize("source", EXAMPLES)
def test_equals_jax(source: str, element: str, formula: Any) -> None:
    """The value has JAX's bits and dtype, and the traced Hessian is JAX's, equation by equation."""
    names = _arguments(source)
    expected = EXAMPLES[source]
    actual = formula(source, **{name: element + TYPES[name] for name in names})
    dtype = {"f64": jnp.float64, "f32": jnp.float32}[element]
    points = [jnp.asarray(POINTS[name], dtype) for name in names]
    value, reference = actual(*points), jnp.asarray(expected(*points))
    assert value.dtype == reference.dtype
    np.testing.assert_array_equal(value, reference)
    if not any(word in source for word in ("zeros", "ones", "eye", "arange", "full")):
        assert _hessian(actual, points) == _hessian(expected, points)


def _hessian(function: Callable[..., Any], points: list[Any]) -> str:
    def scalar(*given: Any) -> jax.Array:
        result = jnp.asarray(function(*given))
        return jnp.sum(result.astype(given[0].dtype) ** 2)

    return str(jax.make_jaxpr(jax.hessian(scalar, argnums=tuple(range(len(points)))))(*points))


def test_every_function_has_an_example() -> None:
    """No function of the table is without an example here."""
    called = " ".join(EXAMPLES)
    assert [name for group in GROUPS.values() for f in group if f"{(name := f.name)}(" not in called] == []


@pytest.mark.parametrize("alias", sorted({alias for f in FUNCTIONS.values() for alias in f.aliases}))
def test_aliases(alias: str) -> None:
    """An alias is the same entry as the name that it stands for."""
    assert FUNCTIONS[alias] is FUNCTIONS[FUNCTIONS[alias].name]


def test_names_are_unique() -> None:
    """No two entries share a name or an alias."""
    names = [name for group in GROUPS.values() for f in group for name in (f.name, *f.aliases)]
    assert len(names) == len(set(names))
