"""Loops: counted ones are scans, and those whose end depends on data have reverse mode all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from pullback.export import export as export_function
from pullback.program.container import StableHlo
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import Leaf, TupleNode
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.formats.stablehlo.lift import lift
from pullback_server.compute.formats.stablehlo.loops.schedule import Schedule
from pullback_server.errors import Reason, ServiceError

_A = np.array([[0.3, -0.2, 0.5], [0.1, 0.6, -0.4], [0.2, 0.3, 0.1]])
_X = np.array([0.4, -0.7, 0.2])
_ROWS = np.array([[0.4, -0.7, 0.2], [0.1, 0.3, -0.5], [0.9, 0.2, 0.6], [-0.3, 0.8, 0.5], [0.7, -0.1, 0.4]])


def _lifted(function: Callable[..., Any], *examples: Any, max_trips: int | None = None) -> Lifted:
    """A function through jax.export, which leaves no trace of scans."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), np.asarray(leaf).dtype), examples)
    exported = export.export(jax.jit(function))(*shapes)

    def types(avals: Any) -> tuple[TensorType, ...]:
        return tuple(TensorType(element_of(np.dtype(aval.dtype)), aval.shape) for aval in avals)

    results = types(exported.out_avals)
    signature = Signature(
        tuple(Argument(f"x{i}", Leaf(), (type_,)) for i, type_ in enumerate(types(exported.in_avals))),
        Result(TupleNode((Leaf(),) * len(results)), results),
    )
    return lift(StableHlo(exported.mlir_module_serialized), signature, max_trips)


def _scalar(traceable: Callable[..., Any]) -> Callable[..., jax.Array]:
    return lambda *arguments: traceable(arguments)[0]


def _primitives(function: Callable[..., Any], *examples: Any) -> set[str]:
    def names(jaxpr: Any) -> set[str]:
        found = set()
        for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
            found.add(equation.primitive.name)
            for value in equation.params.values():
                for leaf in value if isinstance(value, tuple | list) else (value,):
                    if hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr"):
                        found |= names(leaf)
        return found

    return names(jax.make_jaxpr(function)(*examples))


def _assert_equal(actual: Any, expected: Any, tolerance: float = 0.0) -> None:
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def _recurrent(rows: Any, matrix: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        carry = jnp.tanh(matrix @ carry) + row
        return carry, carry.sum()

    carry, sums = lax.scan(step, rows[0], rows)
    return (carry**2).sum() + (sums**3).sum()


def _backwards(rows: Any, matrix: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        carry = jnp.sin(matrix @ carry) * row
        return carry, carry

    carry, all_ = lax.scan(step, rows[1], rows, reverse=True)
    return carry.sum() + (all_**2).sum()


def _updating(rows: Any, matrix: Any) -> Any:
    def step(i: Any, state: Any) -> Any:
        return state.at[i].set(jnp.tanh(matrix @ state[i - 1]) + state[i])

    return lax.fori_loop(1, 5, step, rows).sum()


def _strided(rows: Any, matrix: Any) -> Any:
    def step(state: Any) -> Any:
        i, total = state
        return i + 2, total * jnp.cos(rows[i]) + matrix[0] * i

    return lax.while_loop(lambda state: state[0] <= 4, step, (0, rows[4]))[1].sum()


def _nested(rows: Any, matrix: Any) -> Any:
    def outer(carry: Any, row: Any) -> Any:
        return lax.fori_loop(0, 3, lambda i, inner: jnp.sin(matrix @ inner) + i * row, carry), None

    return lax.scan(outer, rows[0], rows)[0].sum()


_COUNTED = [_recurrent, _backwards, _updating, _nested]


@pytest.mark.parametrize("function", [*_COUNTED, _strided])
def test_counted_loops_are_scans(function: Callable[..., Any]) -> None:
    """One callable serves every mode, since nothing is left that JAX cannot reverse."""
    lifted = _lifted(function, _ROWS, _A)
    assert lifted.forward is lifted.reverse
    primitives = _primitives(_scalar(lifted), _ROWS, _A)
    assert "scan" in primitives
    assert "while" not in primitives


@pytest.mark.parametrize("function", _COUNTED)
def test_counted_loops_have_the_derivatives_of_the_scan(function: Callable[..., Any]) -> None:
    """Value, gradient, Hessian and a batch of gradients are those of local JAX."""
    lifted = _scalar(_lifted(function, _ROWS, _A))
    _assert_equal(lifted(_ROWS, _A), function(jnp.asarray(_ROWS), _A), 1e-15)
    _assert_equal(
        jax.jit(jax.grad(lifted, (0, 1)))(_ROWS, _A), jax.jit(jax.grad(function, (0, 1)))(_ROWS, _A), 1e-14
    )
    _assert_equal(jax.jit(jax.hessian(lifted))(_ROWS, _A), jax.jit(jax.hessian(function))(_ROWS, _A), 1e-13)
    batch = np.stack([_ROWS, 0.5 * _ROWS])
    over = jax.vmap(jax.grad(lifted), (0, None)), jax.vmap(jax.grad(function), (0, None))
    _assert_equal(jax.jit(over[0])(batch, _A), jax.jit(over[1])(batch, _A), 1e-14)


def test_a_counted_loop_that_jax_cannot_reverse() -> None:
    """A while_loop over every second row, with a condition of `<=`, has the gradient of its unrolled form."""

    def unrolled(rows: Any, matrix: Any) -> Any:
        total = rows[4]
        for i in (0, 2, 4):
            total = total * jnp.cos(rows[i]) + matrix[0] * i
        return total.sum()

    lifted = _scalar(_lifted(_strided, _ROWS, _A))
    _assert_equal(jax.grad(lifted, (0, 1))(_ROWS, _A), jax.grad(unrolled, (0, 1))(_ROWS, _A), 1e-15)


def test_what_a_scan_goes_through_is_sliced() -> None:
    """The rows are scanned over and the results stacked: none of them is carried whole from trip to trip."""
    lifted = _lifted(_recurrent, _ROWS, _A)
    jaxpr = jax.make_jaxpr(lambda *leaves: lifted(leaves))(_ROWS, _A)
    (scan,) = (equation for equation in jaxpr.eqns if equation.primitive.name == "scan")
    assert [variable.aval.shape for variable in scan.invars] == [(3, 3), (3,), (5, 3)]
    assert [variable.aval.shape for variable in scan.outvars] == [(3,), (5,)]


_COUNTERS = {
    "up": ("i32", 0, 5, 1, "LT", "SIGNED", 5),
    "inclusive": ("i64", 2, 8, 3, "LE", "SIGNED", 3),
    "down": ("i32", 7, 0, -1, "GT", "SIGNED", 7),
    "down to": ("i8", 7, -1, -4, "GE", "SIGNED", 3),
    "until": ("ui32", 3, 9, 2, "NE", "UNSIGNED", 3),
    "never": ("i32", 5, 5, 1, "LT", "SIGNED", 0),
    "once": ("i32", 4, 4, 1, "EQ", "SIGNED", 1),
}


def _counting(element: str, start: int, bound: int, step: int, direction: str, kind: str) -> str:
    """A loop that multiplies by x, with its condition and its counter in functions of their own."""
    pair = f"(tensor<{element}>, tensor<{element}>)"
    return f"""
    func.func private @goes_on(%i: tensor<{element}>, %n: tensor<{element}>) -> tensor<i1> {{
      %0 = stablehlo.compare {direction}, %i, %n, {kind} : {pair} -> tensor<i1>
      return %0 : tensor<i1>
    }}
    func.func private @next(%i: tensor<{element}>) -> tensor<{element}> {{
      %step = stablehlo.constant dense<{step}> : tensor<{element}>
      %0 = stablehlo.add %i, %step : tensor<{element}>
      return %0 : tensor<{element}>
    }}
    func.func public @main(%x: tensor<f64>) -> (tensor<f64>, tensor<{element}>) {{
      %one = stablehlo.constant dense<1.0> : tensor<f64>
      %start = stablehlo.constant dense<{start}> : tensor<{element}>
      %bound = stablehlo.constant dense<{bound}> : tensor<{element}>
      %0:4 = stablehlo.while(%y = %one, %n = %bound, %i = %start, %z = %x)
          : tensor<f64>, tensor<{element}>, tensor<{element}>, tensor<f64>
      cond {{
        %c = func.call @goes_on(%i, %n) : {pair} -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      }} do {{
        %j = func.call @next(%i) : (tensor<{element}>) -> tensor<{element}>
        %p = stablehlo.multiply %y, %z : tensor<f64>
        stablehlo.return %p, %n, %j, %z : tensor<f64>, tensor<{element}>, tensor<{element}>, tensor<f64>
      }}
      return %0#0, %0#2 : tensor<f64>, tensor<{element}>
    }}
    """


@pytest.mark.parametrize("name", _COUNTERS)
def test_counters_of_every_kind(name: str) -> None:
    """Any comparison, step and integer type is counted, behind calls and in any position."""
    element, start, bound, step, direction, kind, trips = _COUNTERS[name]
    signature = Signature((Argument("x", Leaf(), (parse_tensor_type("f64[]"),)),))
    lifted = lift(StableHlo(_counting(element, start, bound, step, direction, kind).encode()), signature)
    assert lifted.forward is lifted.reverse
    value, counter = lifted([jnp.float64(1.5)])
    assert float(value) == 1.5**trips
    assert int(counter) == start + trips * step
    gradient = jax.grad(lambda x: lifted([x])[0])(jnp.float64(1.5))
    np.testing.assert_allclose(gradient, trips * 1.5 ** (trips - 1) if trips else 0.0, rtol=1e-15)


def test_a_counter_that_overflows_is_not_counted() -> None:
    """A loop whose counter wraps around ends otherwise than its numbers say."""
    text = _counting("i8", 100, -100, 50, "GT", "SIGNED")
    signature = Signature((Argument("x", Leaf(), (parse_tensor_type("f64[]"),)),))
    lifted = lift(StableHlo(text.encode()), signature)
    value, counter = lifted([jnp.float64(1.5)])
    assert lifted.forward is not lifted.reverse
    assert (float(value), int(counter)) == (1.5, -106)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("callee", ["@f0", "@loop"])
def test_calls_without_end_are_given_up(callee: str) -> None:
    """Functions that call each other twice, or themselves, hold up no search for a counter."""
    functions = "".join(
        f"""
        func.func private @f{k}(%i: tensor<i32>) -> tensor<i32> {{
          %0 = func.call @f{k + 1}(%i) : (tensor<i32>) -> tensor<i32>
          %1 = func.call @f{k + 1}(%0) : (tensor<i32>) -> tensor<i32>
          return %1 : tensor<i32>
        }}"""
        for k in range(50)
    )
    text = f"""
    {functions}
    func.func private @f50(%i: tensor<i32>) -> tensor<i32> {{
      return %i : tensor<i32>
    }}
    func.func private @loop(%i: tensor<i32>) -> tensor<i32> {{
      %0 = func.call @loop(%i) : (tensor<i32>) -> tensor<i32>
      return %0 : tensor<i32>
    }}
    func.func public @main() -> tensor<i32> {{
      %one = stablehlo.constant dense<1> : tensor<i32>
      %ten = stablehlo.constant dense<10> : tensor<i32>
      %0:2 = stablehlo.while(%i = %one, %s = %one) : tensor<i32>, tensor<i32>
      cond {{
        %c = stablehlo.compare LT, %i, %ten, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      }} do {{
        %t = func.call {callee}(%i) : (tensor<i32>) -> tensor<i32>
        %j = stablehlo.add %i, %one : tensor<i32>
        stablehlo.return %j, %t : tensor<i32>, tensor<i32>
      }}
      return %0#1 : tensor<i32>
    }}
    """
    with pytest.raises(ServiceError) as raised:
        lift(StableHlo(text.encode()), Signature(()))
    assert raised.value.reason in (
        Reason.TOO_MANY_OPERATIONS,
        Reason.NESTING_TOO_DEEP,
        Reason.MALFORMED_PROGRAM,
    )


def _until(run: Callable[..., Any]) -> Callable[..., Any]:
    """A loop of `trips` trips, which it takes as data; it carries an integer and a boolean, too."""

    def function(x: Any, matrix: Any, trips: Any) -> Any:
        def trip(state: Any) -> Any:
            y, k, odd = state
            return jnp.tanh(matrix @ y) * 1.02 + jnp.where(odd, 0.1, 0.2) * x, k + 1, ~odd

        y, k, _ = run(lambda state: state[1] < trips, trip, (x, 0, False), trips)
        return (y**2).sum() + y[0] * k

    return function


def _looped(goes_on: Any, trip: Any, state: Any, _: Any) -> Any:
    return lax.while_loop(goes_on, trip, state)


def _masked(length: int) -> Callable[..., Any]:
    """The same as a scan of a fixed length, which JAX reverses."""

    def run(goes_on: Any, trip: Any, state: Any, _: Any) -> Any:
        def step(now: Any, __: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(goes_on(now), a, b), trip(now), now), None

        return lax.scan(step, state, length=length)[0]

    return run


@pytest.fixture(scope="module", name="uncounted")
def uncounted_fixture() -> Lifted:
    """The loop, lifted."""
    with jax.enable_x64(True):
        return _lifted(_until(_looped), _X, _A, 3)


@pytest.mark.parametrize("trips", [0, 1, 15, 16, 17, 256, 257, 700])
def test_gradients_of_loops_that_data_ends(uncounted: Lifted, trips: int) -> None:
    """Whatever the number of trips, with respect to the state and to what the loop closes over."""
    gradient = jax.jit(jax.grad(_scalar(uncounted.reverse), (0, 1)))
    expected = jax.jit(jax.grad(_until(_masked(trips)), (0, 1)))
    _assert_equal(gradient(_X, _A, trips), expected(_X, _A, trips), 1e-13)


@pytest.mark.parametrize("max_trips", [1, 30, 5000])
def test_bounds_change_no_derivative(max_trips: int) -> None:
    """A bound lays reverse mode out; a loop that goes beyond it has the same gradient."""
    bounded = _lifted(_until(_looped), _X, _A, 3, max_trips=max_trips)
    gradient = jax.jit(jax.grad(_scalar(bounded.reverse), (0, 1)))
    expected = jax.jit(jax.grad(_until(_masked(100)), (0, 1)))
    _assert_equal(gradient(_X, _A, 100), expected(_X, _A, 100), 1e-13)


def test_a_function_from_the_exporter_has_reverse_mode() -> None:
    """Also inside a custom rule, which is built for forward mode, and around one."""

    @jax.custom_jvp
    def root(a: Any) -> Any:
        def trip(state: Any) -> Any:
            return 0.5 * (state[0] + a / state[0]), state[1] + 1

        return lax.while_loop(lambda state: jnp.abs(state[0] ** 2 - a) > 1e-14 * a, trip, (a, 0))[0]

    @root.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        value = root(*primals)
        return value, tangents[0] / (2.0 * value)

    def function(x: Any, n: Any) -> Any:
        trip = lambda state: (root(state[0] + 1.0) * state[0], state[1] + 1)  # noqa: E731 -- one of a pair
        return lax.while_loop(lambda state: state[1] < n, trip, (x, 0))[0]

    def expected(x: Any) -> Any:
        for _ in range(3):
            x = jnp.sqrt(x + 1.0) * x
        return x

    program = export_function(function, 2.0, 3)
    assert isinstance(program.body, StableHlo)
    lifted = _scalar(lift(program.body, program.signature).reverse)
    for transform in (jax.grad, lambda f: jax.jacfwd(jax.grad(f))):
        actual = transform(lifted)(jnp.float64(2.0), jnp.int64(3))
        _assert_equal(actual, transform(expected)(2.0), 1e-13)


def test_reverse_rules_inside_a_loop() -> None:
    """Hessians go through the rules, as they would in a scan: what has them has no forward mode itself."""

    @jax.custom_vjp
    def sine(x: Any) -> Any:
        return jnp.sin(x)

    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, cotangent: (cotangent * jnp.cos(x),))

    def make(function: Callable[..., Any], loop: Callable[..., Any]) -> Callable[..., Any]:
        def trip(state: Any) -> Any:
            return function(state[0]) * 1.3, state[1] + 1

        return lambda x, n: loop(lambda state: state[1] < n, trip, (x, 0), None)[0].sum()

    program = export_function(make(sine, _looped), _X, 3)
    assert isinstance(program.body, StableHlo)
    lifted = _scalar(lift(program.body, program.signature).reverse)
    hessian = jax.jit(jax.jacfwd(jax.grad(lifted)))
    _assert_equal(hessian(_X, 3), jax.jit(jax.hessian(make(jnp.sin, _masked(3))))(_X, 3), 1e-14)


def test_loops_whose_trips_are_computed_again() -> None:
    """A loop inside jax.checkpoint inside a scan."""

    def make(loop: Callable[..., Any]) -> Callable[..., Any]:
        @jax.checkpoint
        def step(carry: Any, n: Any) -> Any:
            trip = lambda state: (jnp.sin(state[0]) * 1.3 + 0.2 * carry, state[1] + 1)  # noqa: E731 -- short
            after = loop(lambda state: state[1] < n, trip, (carry, 0), None)[0]
            return after, after.sum()

        return lambda x, ns: lax.scan(step, x, ns)[1].sum()

    trips = np.array([3, 0, 2])
    program = export_function(make(_looped), _X, trips)
    assert isinstance(program.body, StableHlo)
    lifted = _scalar(lift(program.body, program.signature).reverse)
    expected = make(_masked(3))
    for transform in (jax.grad, lambda function: jax.jacfwd(jax.grad(function))):
        _assert_equal(jax.jit(transform(lifted))(_X, trips), jax.jit(transform(expected))(_X, trips), 1e-13)


def test_values_and_forward_derivatives_stay_jaxs_own(uncounted: Lifted) -> None:
    """In forward mode the loop is a plain while_loop."""
    assert "while" in _primitives(_scalar(uncounted.forward), _X, _A, 3)
    assert "custom_vjp_call" not in _primitives(_scalar(uncounted.forward), _X, _A, 3)
    forward = jax.jit(jax.jacfwd(_scalar(uncounted.forward), (0, 1)))
    _assert_equal(forward(_X, _A, 40), jax.jit(jax.jacfwd(_until(_looped), (0, 1)))(_X, _A, 40), 1e-14)


@pytest.mark.parametrize("trips", [0, 3, 300])
def test_forward_over_reverse(uncounted: Lifted, trips: int) -> None:
    """The Hessian, and a product with it."""
    function, expected = _scalar(uncounted.reverse), _until(_masked(trips))
    _assert_equal(
        jax.jit(jax.jacfwd(jax.grad(function), (0, 1)))(_X, _A, trips),
        jax.jit(jax.jacfwd(jax.grad(expected), (0, 1)))(_X, _A, trips),
        1e-13,
    )


def test_third_order(uncounted: Lifted) -> None:
    """Forward over forward over reverse."""
    third = jax.jacfwd(jax.jacfwd(jax.grad(_scalar(uncounted.reverse))))
    expected = jax.jacfwd(jax.jacfwd(jax.grad(_until(_masked(20)))))
    _assert_equal(jax.jit(third)(_X, _A, 20), jax.jit(expected)(_X, _A, 20), 1e-13)


def test_points_of_a_batch_end_each_at_its_time(uncounted: Lifted) -> None:
    """Points whose numbers of trips differ are reversed side by side."""
    trips, points = np.array([0, 3, 70, 400, 1]), np.stack([_X * factor for factor in (1, 2, 3, -1, 0.5)])
    for transform in (jax.grad, lambda function: jax.jacfwd(jax.grad(function))):
        batched = jax.vmap(transform(_scalar(uncounted.reverse)), (0, None, 0))
        expected = jax.vmap(transform(_until(_masked(400))), (0, None, 0))
        _assert_equal(jax.jit(batched)(points, _A, trips), jax.jit(expected)(points, _A, trips), 1e-13)


def test_what_is_undefined_behind_the_end_stays_out() -> None:
    """Points that are done take no part: a trip that has no derivative behind the end makes no NaN."""

    def function(x: Any) -> Any:
        def trip(state: Any) -> Any:
            return state - jnp.sqrt(state - 1.0) - 0.1

        return lax.while_loop(lambda state: state > 2.0, trip, x)

    def expected(x: float) -> float:
        slope = 1.0
        while x > 2.0:
            slope *= 1.0 - 0.5 / np.sqrt(x - 1.0)
            x -= np.sqrt(x - 1.0) + 0.1
        return slope

    lifted = _scalar(_lifted(function, 3.0).reverse)
    points = np.array([0.5, 9.0, 2.5, 40.0])
    _assert_equal(jax.vmap(jax.grad(lifted))(points), np.array([expected(point) for point in points]), 1e-13)


def test_loops_in_loops_branches_and_scans() -> None:
    """A loop without a known end inside another, inside a branch, inside a scan."""

    def make(loop: Callable[..., Any]) -> Callable[..., Any]:
        def inner(x: Any, most: Any) -> Any:
            return loop(lambda s: s[1] < most, lambda s: (jnp.sin(s[0]) + 0.3 * x, s[1] + 1), (x, 0))[0]

        def outer(x: Any, n: Any) -> Any:
            trip = lambda s: (inner(s[0], s[1]) * 1.1 + x, s[1] + 1)  # noqa: E731 -- one of a pair
            return loop(lambda s: s[1] < n, trip, (x, 0))[0]

        def function(rows: Any, n: Any) -> Any:
            def step(carry: Any, row: Any) -> Any:
                return lax.cond(row[0] > 0, lambda: outer(row + carry, n), lambda: carry * row), None

            return lax.scan(step, rows[0], rows)[0].sum()

        return function

    def masked(goes_on: Any, trip: Any, state: Any) -> Any:
        return _masked(4)(goes_on, trip, state, None)

    lifted = _scalar(_lifted(make(lax.while_loop), _ROWS, 3).reverse)
    expected = make(masked)
    _assert_equal(jax.jit(lifted)(_ROWS, 3), jax.jit(expected)(_ROWS, 3), 1e-14)
    _assert_equal(jax.jit(jax.grad(lifted))(_ROWS, 3), jax.jit(jax.grad(expected))(_ROWS, 3), 1e-13)


def test_states_without_elements() -> None:
    """Loops over empty arrays run and are reversed."""

    def function(x: Any, n: Any) -> Any:
        return lax.fori_loop(0, n, lambda i, y: jnp.sin(y) * i, x)

    lifted = _lifted(function, np.zeros((0, 2)), 3)
    (value,), pullback = jax.vjp(lambda x: lifted.reverse([x, jnp.asarray(3)]), jnp.zeros((0, 2)))
    assert value.shape == (0, 2)
    assert pullback([value])[0].shape == (0, 2)


@pytest.mark.parametrize("max_trips", [None, 1, 40, 10_000])
def test_schedules_hold_bounded_states(max_trips: int | None) -> None:
    """Any number of blocks is reached with the slots there are, and a bound says how many are needed."""
    schedule = Schedule.of(max_trips)
    assert schedule.slots % 2 == schedule.kept % 2 == 0
    if max_trips is not None:
        assert schedule.block * schedule.kept >= max_trips
        assert schedule.slots <= 2 * np.sqrt(max_trips) + 16
    for blocks in (2, 7, 5000):
        for free in (0, 1, schedule.slots):
            assert 1 <= int(schedule.advance(jnp.int32(blocks), jnp.int32(free))) < blocks
