"""Programs out of functions: their bytes, their modules, their refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental.ode import odeint

from pullback.export import ExportError, TracingError, UnsupportedOperationError, export
from pullback.program.container import StableHlo
from pullback.program.digest import digest

_X = np.array([0.3, -0.7])


def _body(function: Any, *examples: Any) -> StableHlo:
    body = export(function, *examples).body
    assert isinstance(body, StableHlo)
    return body


def _busy(x: jax.Array) -> jax.Array:
    scanned, _ = lax.scan(lambda c, e: (jax.nn.softplus(c) * e, None), x[0], x)
    return jnp.logaddexp(scanned, jnp.linalg.norm(jnp.sort(x))) + jnp.sinc(x)


def test_same_function_gives_same_bytes() -> None:
    """A function that is exported twice, or written twice, has one digest."""
    again = export(_busy, _X)
    assert digest(export(_busy, _X)) == digest(again)


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_process() -> None:
    """Neither hash seeds nor the place of the source change a program."""
    source = (
        "import jax, numpy as np; from pullback.export import export\n"
        "from pullback.program.digest import digest\n"
        "f = lambda x: jax.nn.softplus(jax.numpy.sort(x)).sum() + jax.numpy.logaddexp(x[0], x[1])\n"
        "print(digest(export(f, np.zeros(3))))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", "\n" * lines + source],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed, lines in (("1", 0), ("2", 5))
    ]
    assert runs[0] == runs[1] != ""


def test_no_locations_are_kept() -> None:
    """Programs hold no paths of the machine that made them."""
    body = _body(_busy, _X)
    for module in (body.entry, *body.modules):
        assert b".py" not in module
        assert str(Path.cwd()).encode() not in module


def test_artifacts_are_written_for_old_readers() -> None:
    """Modules are artifacts of StableHLO 1.0.0, or of a version 12 weeks old where that is too old."""
    assert b"StableHLO_v1.0.0" in _body(jnp.sin, _X).entry[:24]
    young = _body(lambda x: lax.exp(x, accuracy=lax.AccuracyMode.HIGHEST), _X).entry
    assert young.startswith(b"ML\xefR\rStableHLO_v1.1")


def test_recursive_rule_is_one_module() -> None:
    """The rule of logaddexp uses logaddexp; it is exported once."""
    assert len(_body(jnp.logaddexp, _X, _X).modules) == 1


def test_endless_rules_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that uses yet another one without end is followed a bounded number of times, fewer if long."""

    def series(order: int) -> Any:
        @jax.custom_jvp
        def term(x: jax.Array) -> jax.Array:
            return x / (order + 1.0)

        term.defjvp(lambda p, t: (term(*p), series(order + 1)(p[0]) * t[0]))
        return term

    assert 4 < len(_body(series(0), _X).modules) < 20
    monkeypatch.setattr("pullback.export._rewriting._PATIENCE_EQUATIONS", -1)
    assert len(_body(series(0), _X).modules) == 2


def test_rules_that_differ_far_down_are_kept_apart() -> None:
    """Two functions of equal values and equal first rules, whose second rules differ, are two."""

    def make(factor: float) -> Any:
        @jax.custom_jvp
        def inner(x: jax.Array) -> jax.Array:
            return jnp.cos(x)

        inner.defjvp(lambda p, t: (inner(*p), factor * t[0]))

        @jax.custom_jvp
        def outer(x: jax.Array) -> jax.Array:
            return jnp.sin(x)

        outer.defjvp(lambda p, t: (outer(*p), inner(p[0]) * t[0]))
        return outer

    first, second = make(2.0), make(3.0)
    assert len(_body(lambda x: first(x) + second(x), _X).modules) == 4
    assert len(_body(lambda x: first(x) + first(2 * x), _X).modules) == 2


def test_constants_tell_rules_apart() -> None:
    """Rules that differ only in an array that they hold are two."""

    def make(values: Any) -> Any:
        function = jax.custom_jvp(lambda x: x * 1.0)
        function.defjvp(lambda p, t: (function(*p), t[0] * values))
        return function

    first, second = make(np.array([1.0, 2.0])), make(np.array([1.0, 3.0]))
    assert len(_body(lambda x: first(x) + second(x), _X).modules) == 2


def test_shared_functions_are_shared() -> None:
    """A jitted function that is called many times stands in the module once."""
    inner = jax.jit(lambda x: jnp.sin(jnp.cos(jnp.tanh(jnp.exp(x)))))

    def calls(times: int) -> int:
        def function(x: jax.Array) -> jax.Array:
            for _ in range(times):
                x = inner(x)
            return x

        return len(_body(function, _X).entry)

    assert calls(40) - calls(20) < 20 * 12


def test_rules_inside_a_function_with_rules_are_left_out() -> None:
    """Its derivatives are its own rule's; what it is made of is differentiated elsewhere alone."""
    outer = jax.custom_jvp(lambda x: jax.nn.softplus(jax.nn.silu(x)))
    outer.defjvp(lambda p, t: (outer(*p), 3.0 * t[0]))
    assert len(_body(outer, _X).modules) == 1

    softplus = jax.nn.softplus
    assert len(_body(lambda x: outer(softplus(x)), _X).modules) == 1 + len(_body(softplus, _X).modules)


@pytest.mark.slow
def test_rules_that_grow_with_every_order_are_cut() -> None:
    """The adjoint of a differential equation is another one, three times as large."""

    def last(x: jax.Array) -> jax.Array:
        return odeint(lambda y, _, p: -p * jnp.sin(y), jnp.ones(2), jnp.array([0.0, 1.0]), x)[-1]

    assert 2 < len(_body(last, _X).modules) < 40


def test_result_structure_and_types() -> None:
    """Numbers and numpy arrays among the results become arrays."""
    program = export(lambda x: {"a": 1.0, "b": [x, np.arange(3)]}, _X)
    assert program.signature.result is not None
    assert [str(leaf) for leaf in program.signature.result.leaves] == ["f64[]", "f64[2]", "i64[3]"]


def test_producer_is_named() -> None:
    """A program says which versions made it."""
    producer = export(jnp.sin, _X).producer
    assert producer.name == "pullback-python"
    assert producer.dependencies["jax"] == jax.__version__


def _call_back(x: jax.Array) -> jax.Array:
    return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def _mutate(x: jax.Array) -> jax.Array:
    box = jax.new_ref(x)
    box[...] = x * 2.0
    return box[...]


@pytest.mark.parametrize(
    ("function", "words"),
    [(_call_back, "pure_callback.*Python code"), (_mutate, "state|ref")],
)
def test_effects_are_refused_by_name(function: Any, words: str) -> None:
    """What a server cannot do is refused with the operation's name and advice."""
    with pytest.raises(UnsupportedOperationError, match=words):
        export(function, _X)
    with pytest.raises(UnsupportedOperationError, match=words):
        export(lambda x: lax.cond(x[0] > 0, function, lambda y: y, x), _X)


def test_effects_in_rules_are_refused_by_name() -> None:
    """A rule that calls back is refused when its function is exported, not when it is differentiated."""
    function = jax.custom_jvp(jnp.sin)
    function.defjvp(lambda p, t: (function(*p), _call_back(t[0])))
    with pytest.raises(UnsupportedOperationError, match="pure_callback"):
        export(function, _X)


def _print(x: jax.Array) -> jax.Array:
    jax.debug.print("x = {}", x)
    return lax.fori_loop(0, 2, lambda i, y: (jax.debug.callback(print, y), y * i)[1], x)


@pytest.mark.filterwarnings("ignore:the function uses debug_callback")
def test_printing_is_left_out_with_a_warning() -> None:
    """A server would print where nobody looks."""
    with pytest.warns(UserWarning, match="debug_print.*exported without it"):
        program = export(_print, _X)
    assert isinstance(program.body, StableHlo)
    assert b"callback" not in program.body.entry


def test_operation_of_the_cpu_only_is_exported() -> None:
    """Decompositions that exist for CPUs only do not keep a function from being exported."""
    assert _body(jnp.linalg.eigvals, np.eye(2)).entry


def test_untraceable_function_is_refused() -> None:
    """An error of JAX or of the function itself is passed on with its text."""

    def branchy(x: jax.Array) -> jax.Array:
        return x if x[0] > 0 else -x

    with pytest.raises(TracingError, match=r"cannot trace branchy.*TracerBoolConversionError"):
        export(branchy, _X)
    with pytest.raises(TracingError, match="ZeroDivisionError"):
        export(lambda x: x / (1 // 0), _X)


def test_result_that_is_no_array_is_refused() -> None:
    """Text has no place among the results."""
    with pytest.raises(ExportError):
        export(lambda x: (x, "text"), _X)
