"""Composites: what the exporter writes, the server reads as the very same operation of JAX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.ad_checkpoint
import jax.custom_derivatives
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun

from pullback.export import export
from pullback.program.composites import COMPLEX, LIBRARY, STRUCTURED, composite_name
from pullback.program.container import StableHlo
from pullback_server.compute.formats.stablehlo import composites
from pullback_server.compute.formats.stablehlo.lift import lift
from pullback_server.errors import Reason, ServiceError

_X = np.array([0.4, 0.7, 0.2])
_A = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, 0.2], [0.1, 0.2, 1.1]])
_DOCUMENT = Path(__file__).parents[4] / "docs" / "stablehlo.md"


def _primitives(function: Callable[..., Any], *examples: Any) -> set[str]:
    """The primitives that a function uses, calls looked into."""

    def names(jaxpr: Any) -> set[str]:
        found = set()
        for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
            if equation.primitive.name == "jit":
                found |= names(equation.params["jaxpr"])
            else:
                found.add(equation.primitive.name)
        return found

    return names(jax.make_jaxpr(function)(*examples))


def _lifted(function: Callable[..., Any], *examples: Any) -> Callable[..., Any]:
    program = export(function, *examples)
    assert isinstance(program.body, StableHlo)
    flat = lift(program.body, program.signature)
    return lambda *arguments: flat(arguments)


@pytest.mark.parametrize("name", [*LIBRARY, *STRUCTURED])
def test_every_composite_is_read_and_documented(name: str) -> None:
    """The three tables agree: what is written, what is read, what is documented."""
    assert f"`{name}`" in _DOCUMENT.read_text()
    assert name in composites.TABLE


def test_no_other_composites_are_read() -> None:
    """What is read is documented."""
    assert set(composites.TABLE) == {*LIBRARY, *STRUCTURED}
    assert composite_name("sort") == "pullback.sort"


@pytest.mark.parametrize(
    "function",
    [
        *(getattr(lax, name) for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh")),
        *(getattr(lax, name) for name in ("tan", "exp2", "logistic", "square", "stop_gradient", "cumsum")),
        *(getattr(lax, name) for name in ("bessel_i0e", "bessel_i1e", "digamma", "erf", "erf_inv", "erfc")),
        *(getattr(lax, name) for name in ("lgamma", "cumprod", "cummax", "cummin", "cumlogsumexp", "sort")),
        *(getattr(lax, name) for name in ("abs", "cbrt", "ceil", "cos", "exp", "expm1", "floor", "log")),
        *(getattr(lax, name) for name in ("log1p", "neg", "round", "rsqrt", "sign", "sin", "sqrt", "tanh")),
        lambda x: lax.integer_pow(x, -3),
        lambda x: lax.pow(x, x),
        lambda x: lax.pow(x, np.arange(3)),
        lambda x: lax.nextafter(x, x),
        lambda x: lax.polygamma(x, x),
        lambda x: lax.zeta(x + 1.5, x),
        lambda x: lax.igamma(x, x),
        lambda x: lax.igammac(x, x),
        lambda x: lax.igamma_grad_a(x, x),
        lambda x: lax.betainc(x, x, x),
        lambda x: lax.atan2(x, x),
        lambda x: lax.rem(x, x),
        lambda x: lax.clamp(0.3, x, 0.5),
        lambda x: lax.complex(x, x),
        lambda x: lax.conj(lax.complex(x, x)),
        lambda x: lax.sort((x, x), num_keys=2),
        lambda x: lax.top_k(x, 2),
        lambda x: lax.argmax(x, 0, np.int32),
        lambda x: lax.argmin(x, 0, np.uint8),
        lambda x: lax.split(x, (1, 2)),
        lambda x: lax.stack([x, x], axis=1),
        lax.unstack,
        lambda x: lax.tile(x, (2,)),
        lambda x: lax.reduce_prod(x, (0,)),
        lambda x: lax.reduce_max(x, (0,)),
        lambda x: lax.reduce_window(x, 0.0, lax.add, (2,), (1,), "VALID"),
        lambda x: lax.fft(lax.complex(x, x), "FFT", (3,)),
        lambda x: lax.dynamic_slice(x, (1,), (2,)),
        lambda x: lax.reduce_precision(x, 5, 10),
        lax.optimization_barrier,
        lambda x: lax.scan(lambda c, e: (c * e, c), x[0], x, reverse=True),
        lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: c * 2.0, x),
        lambda x: lax.cond(x[0] > 0, lambda y: y, lambda y: y * 2.0, x),
        jax.nn.relu,
        jax.checkpoint(jnp.sin),
        lambda x: jnp.linalg.solve(jnp.diag(x), x),
    ],
)
def test_operation_survives(function: Callable[..., Any]) -> None:
    """The primitives of the function are those of the lifted program."""
    lifted = _primitives(_lifted(function, _X), _X)
    # Literals become constants that are broadcast; the index of a branch is clamped.
    assert _primitives(function, _X) - lifted <= {"broadcast_in_dim", "squeeze", "convert_element_type"}


@pytest.mark.parametrize(
    "function",
    [
        jnp.linalg.cholesky,
        lax.linalg.lu,
        lambda a: lax.linalg.qr(a, full_matrices=False),
        lambda a: lax.linalg.qr(a, pivoting=True),
        jnp.linalg.eigh,
        lambda a: lax.linalg.eig(a, compute_left_eigenvectors=False),
        lambda a: jnp.linalg.svd(a, full_matrices=True),
        lambda a: jnp.linalg.svd(a, compute_uv=False),
        lax.linalg.schur,
        lambda a: lax.linalg.schur(a, compute_schur_vectors=False),
        lax.linalg.hessenberg,
        lambda a: lax.linalg.tridiagonal(a, lower=True),
        lambda a: lax.linalg.householder_product(a, a[0]),
        lambda a: lax.linalg.triangular_solve(a, a, left_side=True, transpose_a=True, unit_diagonal=True),
        lambda a: lax.linalg.tridiagonal_solve(a[0], a[1] + 3.0, a[2], a),
        lambda a: lax.linalg.lu_pivots_to_permutation(lax.linalg.lu(a)[1], 3),
    ],
)
def test_linear_algebra_gives_equal_results(function: Callable[..., Any]) -> None:
    """Results come in the same order, to the last bit."""
    expected = jax.tree.leaves(jax.jit(function)(_A))
    actual = jax.jit(_lifted(function, _A))(_A)
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(other, one)


def test_derivative_with_respect_to_what_a_function_closed_over() -> None:
    """A custom JVP leaves it out, and a custom VJP refuses it, as in JAX."""

    @jax.jit
    def forward(x: jax.Array) -> jax.Array:
        inner = jax.custom_jvp(lambda y: y * x)
        inner.defjvp(lambda p, t: (p[0], 3.0 * t[0]))
        return jnp.sum(inner(x))

    @jax.jit
    def backward(x: jax.Array) -> jax.Array:
        inner = jax.custom_vjp(lambda y: y * x)
        inner.defvjp(lambda y: (y, None), lambda _, ct: (ct,))
        return jnp.sum(inner(x))

    lifted = _lifted(forward, _X)
    np.testing.assert_array_equal(jax.grad(lambda x: lifted(x)[0])(_X), jax.grad(forward)(_X))
    with pytest.raises(Exception, match="closed-over"):
        jax.grad(backward)(_X)
    with pytest.raises(ServiceError, match="closed over") as refused:
        jax.grad(lambda x: _lifted(backward, _X)(x)[0])(_X)
    assert refused.value.reason is Reason.DERIVATIVE_UNDEFINED


def test_operands_that_a_backward_rule_refuses() -> None:
    """They are constants: a forward rule that takes symbolic zeros sees what it is asked for."""
    inner = jax.custom_vjp(lambda bound, x, flag: jnp.where(flag, jnp.sin(x), x) * bound)

    def forward(bound: Any, x: Any, flag: Any) -> Any:
        if bound.perturbed:
            raise ValueError("no derivative in the bound")
        return inner(bound.value, x.value, flag.value), (bound.value, x.value)

    inner.defvjp(forward, lambda saved, ct: (None, 3.0 * saved[0] * saved[1] * ct, None), symbolic_zeros=True)

    def function(x: jax.Array, bound: jax.Array) -> jax.Array:
        return jnp.sum(lax.scan(lambda c, e: (inner(bound, c, e > 0.0), None), x, jnp.arange(3.0))[0])

    lifted = _lifted(function, _X, 2.0)
    np.testing.assert_array_equal(
        jax.jit(jax.grad(lambda x: lifted(x, 2.0)[0]))(_X), jax.jit(jax.grad(function))(_X, 2.0)
    )
    with pytest.raises(ValueError, match="no derivative"):
        jax.grad(function, 1)(_X, 2.0)
    with pytest.raises(ServiceError, match="closed over"):
        jax.grad(lambda bound: lifted(_X, bound)[0])(2.0)


def _captures(x: jax.Array, y: jax.Array, which: int, around: Callable[..., Any]) -> jax.Array:
    """Two functions whose rules use different values from around them."""
    first, second = jnp.sin(y), jnp.cos(y)
    forward = jax.custom_jvp(lambda a: a * first * second)
    forward.defjvp(lambda p, t: (forward(*p), t[0] * (first if which else second)))
    backward = jax.custom_vjp(lambda a: jnp.sin(a) * first)
    backward.defvjp(lambda a: (jnp.sin(a) * first, a), lambda a, ct: (ct * a * (second if which else y),))
    return jnp.sum(around(forward)(x) * backward(x))


def test_rules_use_what_they_closed_over() -> None:
    """As in JAX, with a derivative in what is not closed over; also in a jitted call, where JAX fails."""

    def function(x: jax.Array, y: jax.Array, around: Callable[..., Any] = lambda f: f) -> jax.Array:
        return _captures(x, y, 0, around) + _captures(x, y, 1, around)

    lifted = _lifted(lambda x, y: function(x, y, jax.jit), _X, 2 * _X)
    for transform in (jax.grad, lambda f: jax.jacrev(jax.grad(f))):
        expected = jax.jit(transform(function))
        actual = jax.jit(transform(lambda x, y: lifted(x, y)[0]))(_X, 2 * _X)
        np.testing.assert_allclose(actual, expected(_X, 2 * _X), rtol=1e-14)


def test_rule_that_closed_over_what_is_differentiated() -> None:
    """It has no derivative in that, as in JAX."""

    def function(x: jax.Array) -> jax.Array:
        inner = jax.custom_jvp(lambda y: y * x)
        inner.defjvp(lambda p, t: (inner(*p), t[0] * x))
        return jnp.sum(inner(x))

    lifted = _lifted(function, _X)
    with pytest.raises(jax.errors.UnexpectedTracerError):
        jax.grad(function)(_X)
    with pytest.raises(ServiceError, match="closed over"):
        jax.grad(lambda x: lifted(x)[0])(_X)


@pytest.mark.parametrize("outer", [lambda x: jnp.arange(3.0), lambda x: lax.stop_gradient(jnp.cos(x))])
def test_rule_that_closed_over_what_is_computed(outer: Callable[..., Any]) -> None:
    """It has its value also where the lifted function was traced before, as a server traces it."""

    def function(x: jax.Array) -> jax.Array:
        factor = outer(x)
        inner = jax.custom_jvp(lambda y: factor * jnp.sin(y))
        inner.defjvp(lambda p, t: (inner(*p), 5.0 * factor * jnp.cos(p[0]) * t[0]))
        return inner(x)

    lifted = _lifted(function, _X)
    traced = jaxpr_as_fun(jax.make_jaxpr(lambda x: lifted(x)[0])(_X))
    for transform in (jax.jacfwd, jax.jacrev, jax.hessian):
        np.testing.assert_array_equal(
            jax.jit(transform(lambda x: traced(x)[0])).lower(_X).compile()(_X),
            jax.jit(transform(function))(_X),
        )


def test_linear_call_keeps_its_transpose() -> None:
    """Forward it is the function, backward the transpose it was given; a batch is no hindrance."""

    def function(x: jax.Array, y: jax.Array) -> jax.Array:
        call = jax.custom_derivatives.linear_call
        return call(lambda r, v: (r * v)[:2], lambda r, ct: 5.0 * r * jnp.pad(ct, (0, 1)), x, y)

    lifted = _lifted(function, _X, 2 * _X)
    backward = jax.jacrev(lambda x, y: lifted(x, y)[0], 1)(_X, 2 * _X)
    np.testing.assert_array_equal(backward, np.diag(5.0 * _X)[:2])
    forward = jax.jacfwd(lambda x, y: lifted(x, y)[0], 1)(_X, 2 * _X)
    np.testing.assert_array_equal(forward, np.diag(_X)[:2])
    with pytest.raises(ServiceError) as refused:
        jax.grad(lambda x: lifted(x, _X)[0].sum())(_X)
    assert refused.value.reason is Reason.DERIVATIVE_UNDEFINED


def test_draws_of_gamma_have_derivatives() -> None:
    """They are differentiated implicitly, whatever the key."""
    for impl in ("threefry2x32", "rbg"):
        key = jax.random.key_data(jax.random.key(3, impl=impl))

        def function(data: jax.Array, a: jax.Array, impl: str = impl) -> jax.Array:
            return jax.random.gamma(jax.random.wrap_key_data(data, impl=impl), a)

        lifted = _lifted(function, key, _X)
        expected = jax.jit(jax.jacfwd(function, 1))(key, _X)
        actual = jax.jit(jax.jacfwd(lambda *given: lifted(*given)[0], 1))(key, _X)  # noqa: B023 -- used here
        np.testing.assert_array_equal(actual, expected)


def test_branches_of_platforms_are_chosen_by_the_server() -> None:
    """The branch is that of the platform on which the program runs, though the export is for another one."""

    def function(x: jax.Array) -> jax.Array:
        return lax.platform_dependent(x, tpu=jnp.sin, cpu=jnp.cos, default=jnp.tan)

    np.testing.assert_array_equal(jax.jit(_lifted(function, _X))(_X)[0], jax.jit(function)(_X))


@pytest.mark.parametrize(
    "policy",
    [
        None,
        jax.checkpoint_policies.everything_saveable,
        jax.checkpoint_policies.save_only_these_names("hidden"),
        lambda prim, *_, **__: prim.name == "dot_general",
    ],
)
def test_policies_are_kept(policy: Any) -> None:
    """What is computed again in reverse mode is what JAX would compute again."""
    name = jax.ad_checkpoint.checkpoint_name

    def function(x: jax.Array) -> jax.Array:
        inner: Callable[..., jax.Array] = jax.checkpoint(
            lambda y: jnp.sin(_A @ name(jnp.tanh(_A @ y), "hidden")), policy=policy
        )
        return jnp.sum(inner(x))

    lifted = _lifted(function, _X)
    local, remote = (str(jax.make_jaxpr(jax.grad(f))(_X)) for f in (function, lambda x: lifted(x)[0]))
    assert remote.count("dot_general") == local.count("dot_general")
    assert remote.count("tanh") == local.count("tanh")


def test_derivative_beyond_the_exported_rules() -> None:
    """Is refused with the limit, not computed wrongly."""

    def series(order: int) -> Any:
        term = jax.custom_jvp(lambda x: jnp.sin(x) / (order + 1.0))
        term.defjvp(lambda p, t: (term(*p), series(order + 1)(p[0]) * t[0]))
        return term

    lifted = _lifted(series(0), np.float64(0.3))
    function: Callable[..., Any] = lambda x: lifted(x)[0]  # noqa: E731 -- it grows below
    local: Callable[..., Any] = series(0)
    for _ in range(5):
        function, local = jax.grad(function), jax.grad(local)
    np.testing.assert_allclose(function(0.3), local(0.3), rtol=1e-14)
    for _ in range(5):
        function = jax.grad(function)
    with pytest.raises(ServiceError) as caught:
        function(0.3)
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED


def test_types_of_single_precision_stay() -> None:
    """A float32 program computes in float32 although 64-bit types are on."""
    example = np.arange(3, dtype=np.float32)
    (out,) = _lifted(lambda x: jnp.cumsum(x * 2.0) / 3, example)(example)
    assert out.dtype == np.float32


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_operations_keep_their_derivatives(name: str) -> None:
    """Where StableHLO would have them taken apart, also at zero and where parts of them overflow."""
    function = getattr(lax, name)
    z = np.array([0.0, 1.5 - 0.5j, 3.0 + 800.0j])
    lifted = _lifted(function, z)
    assert _primitives(lifted, z) == {name}
    actual = jax.jvp(lambda given: lifted(given)[0], (z,), (z + 0.3,))
    for one, other in zip(actual, jax.jvp(function, (z,), (z + 0.3,)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", COMPLEX)
def test_real_operations_stay_those_of_stablehlo(name: str) -> None:
    """No composite stands where the plain operation says all."""
    program = export(getattr(lax, name), _X)
    assert isinstance(program.body, StableHlo)
    assert composite_name(name).encode() not in program.body.entry
