"""The kernel evaluates points and batches, refuses what does not fit, and holds nobody up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.program.tensors import parse_tensor_type
from pullback_server.compute.compiler.tiles import Tiling
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Compilation, Evaluation, Tensor, Timing
from pullback_server.model.quantities import Mode, Quantity, Want

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=3)
A = RANDOM.normal(size=(2, 3))


def quadratic(a: jax.Array, x: jax.Array) -> jax.Array:
    """f64[2,3], f64[3] -> f64[]."""
    return jnp.sum(jnp.sin(a @ x) ** 2)


def refused(bench: Any, evaluation: Evaluation) -> ServiceError:
    """The error that an evaluation is refused with."""
    with pytest.raises(ServiceError) as caught:
        evaluated(bench.kernel, evaluation)
    return caught.value


@pytest.fixture(scope="module")
def name(bench: Any) -> str:
    """The quadratic, loaded."""
    return bench.load(quadratic, A, X)


@pytest.mark.parametrize("points", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("shared", [(), (0,), (1,)])
def test_batches(bench: Any, want: Any, close: Any, name: str, points: int, shared: tuple[int, ...]) -> None:
    """A batch equals jax.vmap, whatever is shared, and a batch of one stays a batch."""
    arguments = [A if 0 in shared else RANDOM.normal(size=(points, 2, 3))]
    arguments.append(X if 1 in shared else RANDOM.normal(size=(points, 3)))
    axes = tuple(None if i in shared else 0 for i in range(2))
    wants = [want("value"), want("gradient", 1, 0), want("hessian", 1)]
    value, gradient, hessian = bench.evaluate(name, wants, *arguments, points=points)
    close(value, jax.vmap(quadratic, axes)(*arguments))
    close(gradient, jax.vmap(jax.grad(quadratic, (1, 0)), axes)(*arguments))
    close(hessian, jax.vmap(jax.hessian(quadratic, 1), axes)(*arguments))


def test_a_batch_is_bit_equal_to_vmap(bench: Any, want: Any, same: Any, name: str) -> None:
    """At the size of a bucket, the numbers are those of jax.jit(jax.vmap(jax.grad))."""
    xs = RANDOM.normal(size=(8, 3))
    expected = jax.jit(jax.vmap(jax.grad(quadratic, 1), (None, 0)))(A, xs)
    same(bench.evaluate(name, [want("gradient", 1)], A, xs, points=8)[0], expected)


@pytest.mark.parametrize("batched", [("x",), ("tangent",), ("x", "tangent"), ("x", "cotangent")])
def test_batched_and_shared_directions(
    bench: Any, want: Any, close: Any, name: str, batched: tuple[str, ...]
) -> None:
    """Tangents and cotangents are batched or shared, each for itself."""
    given = {"x": X, "tangent": X + 1, "cotangent": np.float64(0.5)}
    given |= {key: RANDOM.normal(size=(5, *given[key].shape)) for key in batched}
    axes = tuple(0 if key in batched else None for key in given)
    pushed, pulled = bench.evaluate(
        name,
        [want("jvp", 1), want("vjp", 1)],
        A,
        given["x"],
        tangents=[given["tangent"]],
        cotangents=[given["cotangent"]],
        points=5,
    )

    def local(x: Any, tangent: Any, cotangent: Any) -> Any:
        function = lambda x: quadratic(A, x)  # noqa: E731 -- the function of one argument
        return jax.jvp(function, (x,), (tangent,))[1], jax.vjp(function, x)[1](cotangent)[0]

    close([*pushed, *pulled], jax.vmap(local, axes)(*given.values()))


def test_a_batch_of_nothing(bench: Any, want: Any, name: str) -> None:
    """No points give no results, in the right types, and nothing is compiled for them."""
    wants = [want("value"), want("gradient", 0), want("hessian", 1)]
    results = bench.evaluate(name, wants, A, np.empty((0, 3)), points=0)
    assert [[leaf.shape for leaf in result] for result in results] == [[(0,)], [(0, 2, 3)], [(0, 3, 3)]]
    assert all(leaf.dtype == np.float64 for result in results for leaf in result)


def test_padding_repeats_the_last_point(bench: Any, want: Any) -> None:
    """A loop that would never end at zero ends, since no point is zero."""
    name = bench.load(lambda x: jax.lax.while_loop(lambda v: v < 8, lambda v: v * 2, x), np.float64(1))
    (value,) = bench.evaluate(name, [want("value")], np.array([1.0, 3.0, 5.0]), points=3)
    np.testing.assert_array_equal(value[0], [8.0, 12.0, 10.0])


@pytest.mark.parametrize("points", [4, 5, 8, 11, 31])
def test_large_batches_run_in_tiles(make_bench: Any, want: Any, close: Any, points: int) -> None:
    """Tiles of at most four points give what one run would give, in order."""
    bench = make_bench(tiling=Tiling(2**20, points=4))
    name = bench.load(lambda x, n: (x * n, n + 1, n > 2), X, np.int32(1))
    xs, ns = RANDOM.normal(size=(points, 3)), np.arange(points, dtype=np.int32)
    value, jacobian = bench.evaluate(name, [want("value"), want("jvp")], xs, ns, tangents=[X], points=points)
    close(value, (xs * ns[:, None], ns + 1, ns > 2))
    close(jacobian, [X * ns[:, None]])


def test_few_executables_serve_all_sizes(bench: Any, want: Any) -> None:
    """After 5 points, 6 to 8 find their executable; 9 do not."""
    name = bench.load(lambda x: jnp.cos(x).sum(), X)

    def compiled(points: int) -> bool:
        outcome = bench.outcome(name, [want("gradient")], np.ones((points, 3)), points=points)
        assert outcome.timing.execute > 0
        return outcome.timing.compile > 0

    assert [compiled(points) for points in (5, 6, 8, 7, 9)] == [True, False, False, False, True]


def test_compiling_ahead(bench: Any, want: Any) -> None:
    """What was compiled ahead is there when it is evaluated, for points and for batches."""
    name = bench.load(lambda a, x: jnp.sum(a @ x) ** 3, A, X)
    wants = (want("gradient", 1),)
    point, batch = Compilation(name, wants), Compilation(name, wants, points=6, shared_leaves=(0,))
    assert [bench.kernel.compile(request) for request in (point, batch, point, batch)] == [False] * 2 + [
        True
    ] * 2
    assert bench.outcome(name, wants, A, X).timing.compile == 0
    assert bench.outcome(name, wants, A, np.ones((7, 3)), points=7).timing.compile == 0
    assert bench.outcome(name, wants, np.ones((7, 2, 3)), X, points=7).timing.compile > 0


def test_results_do_not_lie_in_the_request(bench: Any, want: Any) -> None:
    """A result that equals an argument is a copy: the argument's memory is used again."""
    name = bench.load(lambda x: x, np.zeros(4096))
    shared = bytearray(np.arange(4096.0).tobytes())
    for points, nominal in ((None, "f64[4096]"), (1, "f64[1,4096]")):
        argument = Tensor(parse_tensor_type(nominal), memoryview(shared))
        outcome = evaluated(bench.kernel, evaluation(name, (want("value"),), (argument,), points=points))
        before = bytes(outcome.results[0][0].data)
        shared[:] = bytes(len(shared))
        assert bytes(outcome.results[0][0].data) == before
        shared[:] = np.arange(4096.0).tobytes()


def test_unaligned_arguments(bench: Any, want: Any) -> None:
    """Elements may lie anywhere in a frame."""
    name = bench.load(lambda x: x * 2, X)
    data = memoryview(b"?" + X.tobytes())[1:]
    outcome = evaluated(
        bench.kernel, evaluation(name, (want("value"),), (Tensor(parse_tensor_type("f64[3]"), data),))
    )
    np.testing.assert_array_equal(np.frombuffer(outcome.results[0][0].data), X * 2)


@pytest.mark.parametrize(
    "dtype", ["int4", "uint4", "bool", "bfloat16", "float8_e4m3fn", "float8_e5m2", "complex64"]
)
@pytest.mark.parametrize("points", [None, 3])
def test_unusual_elements(bench: Any, want: Any, dtype: str, points: int | None) -> None:
    """Elements that numpy does not have come out as they go in."""
    values = jnp.array([1, 0, 1, -1] if dtype == "int4" else [1, 0, 1, 1]).astype(dtype)
    name = bench.load(jnp.flip, values)
    given = np.asarray(values if points is None else jnp.stack([values] * points))
    (result,) = bench.evaluate(name, [want("value")], given, points=points)
    assert result[0].dtype == given.dtype
    np.testing.assert_array_equal(result[0], np.flip(given, -1))


def test_constants_as_results(bench: Any, want: Any) -> None:
    """A result that depends on nothing is there for each point of a batch."""
    name = bench.load(lambda x: (jnp.arange(2.0), x), X)
    value, jacobian = bench.evaluate(name, [want("value"), want("jacobian")], np.ones((3, 3)), points=3)
    np.testing.assert_array_equal(value[0], np.tile(np.arange(2.0), (3, 1)))
    np.testing.assert_array_equal(jacobian[0], np.zeros((3, 2, 3)))


WRONG_TENSORS = [
    ({"arguments": 1}, Reason.ARGUMENT_COUNT_MISMATCH),
    ({"arguments": 3}, Reason.ARGUMENT_COUNT_MISMATCH),
    ({"tangents": 0}, Reason.ARGUMENT_COUNT_MISMATCH),
    ({"cotangents": 1}, Reason.ARGUMENT_COUNT_MISMATCH),
    ({"type": "f64[4]"}, Reason.SHAPE_MISMATCH),
    ({"type": "f64[5,3]"}, Reason.SHAPE_MISMATCH),
    ({"type": "f32[3]"}, Reason.ELEMENT_TYPE_MISMATCH),
    ({"type": "f64[4,3]", "points": 5}, Reason.SHAPE_MISMATCH),
    ({"points": 5}, Reason.MALFORMED_REQUEST),
    ({"points": -1}, Reason.MALFORMED_REQUEST),
    ({"data": b"12345678"}, Reason.MALFORMED_REQUEST),
]


@pytest.mark.parametrize(("change", "reason"), WRONG_TENSORS)
def test_tensors_that_do_not_fit_are_refused(
    bench: Any, want: Any, name: str, change: dict[str, Any], reason: Reason
) -> None:
    """An evaluation that the front should not have let through is refused, not computed."""
    x = parse_tensor_type(change.get("type", "f64[3]"))
    data = change.get("data", bytes(x.nbytes))
    a = Tensor(parse_tensor_type("f64[2,3]"), bytes(48))
    tensors = (a, Tensor(x, data), a)[: change.get("arguments", 2)]
    tangents = (Tensor(parse_tensor_type("f64[3]"), bytes(24)),) * change.get("tangents", 1)
    cotangents = (Tensor(parse_tensor_type("f64[]"), bytes(8)),) * change.get("cotangents", 0)
    asked = evaluation(name, (want("jvp", 1),), tensors, tangents, cotangents, change.get("points"))
    assert refused(bench, asked).reason is reason


def test_bytes_that_are_no_boolean_are_refused(bench: Any, want: Any) -> None:
    """A boolean is 0 or 1."""
    name = bench.load(lambda b: ~b, np.array([True, False]))
    tensor = Tensor(parse_tensor_type("i1[2]"), b"\x01\x02")
    assert refused(bench, evaluation(name, (want("value"),), (tensor,))).reason is Reason.MALFORMED_REQUEST


WRONG_WANTS = [
    ((), Reason.MALFORMED_REQUEST),
    ((Want(Quantity.DERIVATIVE, argnums=(1,)),), Reason.MALFORMED_REQUEST),
    ((Want(Quantity.GRADIENT, order=1, argnums=(1,)),), Reason.MALFORMED_REQUEST),
    ((Want(Quantity.HESSIAN, mode=Mode.FORWARD, argnums=(1,)),), Reason.MALFORMED_REQUEST),
    ((Want(Quantity.VALUE, argnums=(1,)),), Reason.INVALID_ARGNUMS),
    ((Want(Quantity.GRADIENT),), Reason.INVALID_ARGNUMS),
    ((Want(Quantity.GRADIENT, argnums=(2,)),), Reason.INVALID_ARGNUMS),
    ((Want(Quantity.GRADIENT, argnums=(-1,)),), Reason.INVALID_ARGNUMS),
    ((Want(Quantity.GRADIENT, argnums=(1, 1)),), Reason.INVALID_ARGNUMS),
    ((Want(Quantity.JVP, argnums=(0,)), Want(Quantity.HVP, argnums=(1,))), Reason.INVALID_ARGNUMS),
]


@pytest.mark.parametrize(("wants", "reason"), WRONG_WANTS)
def test_wants_that_do_not_fit_are_refused(
    bench: Any, name: str, wants: tuple[Want, ...], reason: Reason
) -> None:
    """Wants that no function with this signature has are refused."""
    with pytest.raises(ServiceError) as caught:
        bench.kernel.compile(Compilation(name, wants))
    assert caught.value.reason is reason


def test_shared_leaves_that_do_not_fit_are_refused(bench: Any, want: Any, name: str) -> None:
    """A leaf that does not exist cannot be shared, and a batch with everything shared is none."""
    for shared in ((2,), (0, 1)):
        with pytest.raises(ServiceError) as caught:
            bench.kernel.compile(Compilation(name, (want("value"),), points=4, shared_leaves=shared))
        assert caught.value.reason is Reason.MALFORMED_REQUEST


REAL, COMPLEX, INTEGER = X, X + 1j, np.arange(3)
UNDEFINED = [
    (lambda x: x, REAL, "gradient", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: (x[0], x[1]), REAL, "gradient", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: (x * 1j).sum(), REAL, "gradient", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x.astype(int).sum(), REAL, "gradient", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x * 2.0, INTEGER, "gradient", "planned", Reason.INVALID_ARGNUMS),
    (lambda x: x * 2.0, INTEGER, "jacobian", "planned", Reason.INVALID_ARGNUMS),
    (lambda x: x * 2.0, INTEGER, "hvp", "planned", Reason.INVALID_ARGNUMS),
    (lambda x: x.astype(int), REAL, "jacobian", "forward", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x.astype(int), REAL, "jacobian", "reverse", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x**2, COMPLEX, "jacobian", "planned", Reason.DERIVATIVE_UNDEFINED),
    (jnp.abs, COMPLEX, "jacobian", "forward", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x * 1j, REAL, "jacobian", "reverse", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: jnp.abs(x).sum(), COMPLEX, "hessian", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x * 1j, REAL, "hessian", "planned", Reason.DERIVATIVE_UNDEFINED),
    (lambda x: x * 1j, REAL, "hvp", "planned", Reason.DERIVATIVE_UNDEFINED),
]


@pytest.mark.parametrize(("function", "example", "quantity", "mode", "reason"), UNDEFINED)
def test_derivatives_that_jax_refuses_are_refused(
    bench: Any, want: Any, function: Any, example: Any, quantity: str, mode: str, reason: Reason
) -> None:
    """What jax.grad, jax.jacfwd, jax.jacrev and jax.hessian refuse is refused with a reason."""
    name = bench.load(function, example)
    with pytest.raises(ServiceError) as caught:
        bench.kernel.compile(Compilation(name, (want(quantity, mode=mode),)))
    assert caught.value.reason is reason


def test_a_derivative_that_fails_while_it_is_traced(bench: Any, want: Any) -> None:
    """A loop without a known end has no reverse mode; JAX's words reach the caller, on one line."""
    name = bench.load(lambda x: jax.lax.while_loop(lambda v: v < 9, lambda v: v * v, x), np.float64(2))
    with pytest.raises(ServiceError, match="Reverse-mode differentiation") as caught:
        bench.kernel.compile(Compilation(name, (want("gradient"),)))
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("points", [None, 4])
def test_a_reverse_rule_alone_has_no_forward_mode(bench: Any, want: Any, points: int | None) -> None:
    """JAX may notice it only when the derivative is lowered; the reason is the same."""
    reverse_only = jax.custom_vjp(jnp.sin)
    reverse_only.defvjp(lambda x: (jnp.sin(x), x), lambda x, cotangent: (cotangent * jnp.cos(x),))
    name = bench.load(lambda x: reverse_only(x).sum(), X)
    with pytest.raises(ServiceError) as caught:
        bench.kernel.compile(Compilation(name, (want("jvp"),), points=points))
    assert caught.value.reason is Reason.DERIVATIVE_UNDEFINED


def test_results_that_are_too_large_are_refused_before_they_are_computed(make_bench: Any, want: Any) -> None:
    """The limit counts all points."""
    bench = make_bench(options={"output_bytes": 80})
    name = bench.load(lambda x: jnp.outer(x, x), X)
    assert bench.evaluate(name, [want("value")], X)[0][0].nbytes == 72
    for wants, points in (([want("jacobian")], None), ([want("value")], 2)):
        given = X if points is None else np.ones((points, 3))
        with pytest.raises(ServiceError, match=r"\(max_result_bytes\) is 80") as caught:
            bench.evaluate(name, wants, given, points=points)
        assert caught.value.reason is Reason.RESULT_TOO_LARGE
        assert caught.value.metadata["limit"] == "80"


def test_a_run_that_needs_too_much_memory_fails_with_a_reason(bench: Any, want: Any) -> None:
    """What the device says when its memory is out reaches the caller."""
    name = bench.load(lambda x: jnp.cumsum(jnp.sin(x + jnp.arange(2.0**47)))[7], np.float64(1))
    with pytest.raises(ServiceError, match="Out of memory") as caught:
        bench.evaluate(name, [want("value")], np.float64(1))
    assert caught.value.reason is Reason.DEVICE_MEMORY_EXCEEDED


def test_runs_that_would_need_too_much_memory(make_bench: Any, want: Any) -> None:
    """What XLA says that a run needs is held to the limit before it runs, and is found out once."""
    bench = make_bench(options={"device_bytes": 500_000})
    name = bench.load(lambda x: jnp.sum(jnp.sort(jnp.outer(x, x), axis=0)[0]), np.ones(300))
    small = np.ones(300)
    bench.evaluate(bench.load(lambda x: jnp.sum(jnp.sin(x)), small), [want("value")], small)
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        with pytest.raises(ServiceError, match=r"\(max_device_memory_bytes\) is 500000;") as caught:
            bench.evaluate(name, [want("value")], small)
        seconds.append(time.perf_counter() - began)
        assert caught.value.reason is Reason.DEVICE_MEMORY_EXCEEDED
        assert int(caught.value.metadata["value"]) > 720_000
    assert seconds[1] < seconds[0] / 2


def test_fewer_points_may_fit(make_bench: Any, want: Any) -> None:
    """The limit is one on what runs at a time: fewer points need less."""
    bench = make_bench(options={"device_bytes": 2_000_000})
    name = bench.load(lambda x: jnp.sum(jnp.sort(jnp.outer(x, x), axis=0)[0]), np.ones(200))
    with pytest.raises(ServiceError) as caught:
        bench.evaluate(name, [want("value")], np.ones((16, 200)), points=16)
    assert caught.value.reason is Reason.DEVICE_MEMORY_EXCEEDED
    assert bench.evaluate(name, [want("value")], np.ones((2, 200)), points=2)[0][0].shape == (2,)


def test_describe(bench: Any) -> None:
    """The description names the device and the versions."""
    description = bench.kernel.describe()
    assert description.device.platform in {"cpu", "cuda", "tpu"}
    assert description.device.ordinal == 0
    assert description.versions["jax"] == jax.__version__
    assert set(description.versions) == {"jax", "jaxlib", "numpy", "python"}


def unrolled(x: jax.Array) -> jax.Array:
    """A function that takes XLA seconds to compile."""
    for i in range(400):
        x = jnp.tanh(x @ x.T + i) @ jnp.cos(x)
    return jnp.sum(x)


def test_compiling_holds_up_no_evaluation(bench: Any, want: Any, name: str) -> None:
    """While one thread compiles for seconds, another evaluates, many times."""
    slow = bench.load(unrolled, np.eye(4))
    wants = [want("gradient", 1)]
    bench.evaluate(name, wants, A, X)
    with ThreadPoolExecutor(1) as threads:
        compiling = threads.submit(bench.kernel.compile, Compilation(slow, (want("gradient"),)))
        done = 0
        while not compiling.done():
            bench.evaluate(name, wants, A, X)
            done += 1
        assert compiling.result() is False
    assert done > 100


def test_threads_compile_the_same_once(bench: Any, want: Any) -> None:
    """Four threads that want the same new executable get the same numbers."""
    traces: list[int] = []

    def counted(x: jax.Array) -> jax.Array:
        traces.append(threading.get_ident())
        return jnp.sum(jnp.sin(x))

    name = bench.load(counted, X)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: bench.evaluate(name, [want("gradient")], X)[0][0], range(4)))
    for result in results:
        np.testing.assert_array_equal(result, np.cos(X))
    assert len(traces) <= 2  # once for its signature, once when it was loaded


def test_timing_is_the_models(bench: Any, want: Any, name: str) -> None:
    """The timing splits into compiling and running, in seconds."""
    bench.outcome(name, [want("value")], A, X)
    timing = bench.outcome(name, [want("value")], A, X).timing
    assert isinstance(timing, Timing)
    assert replace(timing, execute=0.0) == Timing()
    timing = bench.outcome(name, [want("value")], A, np.ones((5, 3)), points=5).timing
    assert (timing.batch, timing.padding) == (8, 3)
