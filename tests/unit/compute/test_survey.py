"""Which derivatives a function has, and why it lacks the others."""

from __future__ import annotations

from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pullback.program.derivatives import DerivativeKind
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.programs import load_program, parse_program
from pullback_server.compute.survey import survey
from pullback_server.errors import ServiceError

X = np.array([0.4, -0.7, 0.2])


@jax.custom_vjp
def _reverse_only(x: Any) -> Any:
    return jnp.sin(x).sum()


_reverse_only.defvjp(lambda x: (_reverse_only(x), x), lambda x, cotangent: (cotangent * jnp.cos(x),))


def _loop(x: Any) -> Any:
    return lax.while_loop(lambda y: y.sum() < 9.0, lambda y: y * y + 1.0, x)


_CASES = {
    "all": (lambda x: jnp.sin(x).sum(), X, set(DerivativeKind)),
    # Forward mode is made of reverse mode there.
    "a reverse rule": (_reverse_only, X, set(DerivativeKind)),
    "a loop": (_loop, X, {DerivativeKind.FORWARD}),
    "integers in": (lambda x: x * 1.5, np.arange(3), set()),
    "integers out": (jnp.argsort, X, set()),
    "a complex result": (lambda x: x * 1j, X, {DerivativeKind.FORWARD, DerivativeKind.REVERSE}),
}


@pytest.mark.parametrize("name", _CASES)
def test_kinds_of_functions(bench: Any, name: str) -> None:
    """Each kind is named once, and what is lacking has a reason."""
    function, example, expected = _CASES[name]
    found = bench.kernel.survey(bench.load(function, example))
    assert [support.kind for support in found] == list(DerivativeKind)
    assert {support.kind for support in found if support.supported} == expected
    assert all(bool(support.reason) != support.supported for support in found)


def test_a_request_is_answered_with_the_same_reason(bench: Any, want: Any) -> None:
    """What the description says is what DERIVATIVE_UNDEFINED says."""
    name = bench.load(_loop, X)
    with pytest.raises(ServiceError) as raised:
        bench.evaluate(name, [want("vjp")], X, cotangents=[X])
    assert raised.value.message == bench.kernel.survey(name)[1].reason


def test_what_takes_long_is_not_tried(bench: Any) -> None:
    """After a kind that took long, the next is left out; after a program that did, all are."""
    name, data = bench.program(lambda x: x * 2.0, X)
    program = load_program(parse_program(name, data), len(data), bench.read)
    seconds = count(0.0, 1.5)
    assert [support.kind for support in survey(program, lambda: next(seconds))] == [DerivativeKind.FORWARD]


def test_reverse_mode_has_a_function_of_its_own(make_bench: Any, want: Any, same: Any) -> None:
    """Passes with reverse mode take the callable for it, all others take the other."""
    twins = make_bench()
    name, data = twins.program(_loop, X)
    read = twins.read

    def with_reverse(program: Any) -> Lifted:
        forward = read(program).forward
        return Lifted(forward, lambda leaves: [7.0 * leaf for leaf in leaves])

    twins.kernel._read = with_reverse
    twins.kernel.load(name, data)
    value, pushed = twins.evaluate(name, [want("value"), want("jvp")], X, tangents=[X])
    same(value, _loop(X))
    same(pushed, jax.jvp(_loop, (jnp.asarray(X),), (jnp.asarray(X),))[1])
    ((pulled,),) = twins.evaluate(name, [want("vjp")], X, cotangents=[X])
    np.testing.assert_array_equal(pulled, 7.0 * X)
    assert all(support.supported for support in twins.kernel.survey(name))
