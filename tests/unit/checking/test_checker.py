"""Checks of right and of wrong functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from pullback.checking.report import Finding, Report, Verdict

Make = Callable[..., Any]
FAILED = Verdict.FAILED


def rosenbrock(x: Any) -> Any:
    """Smooth, and of very different sizes."""
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@jax.custom_jvp
def almost_sine(x: Any) -> Any:
    """A sine whose rule is wrong by a hundredth."""
    return jnp.sin(x)


almost_sine.defjvp(lambda x, t: (jnp.sin(x[0]), 1.01 * jnp.cos(x[0]) * t[0]))


@jax.custom_vjp
def reverse_sine(x: Any) -> Any:
    """A sine with a reverse rule only, which is wrong by a hundredth."""
    return jnp.sin(x)


reverse_sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * 1.01 * jnp.cos(x),))


def verdicts(report: Report) -> dict[tuple[str, str], Verdict]:
    """The verdict of each comparison."""
    return {(finding.derivative, finding.against): finding.verdict for finding in report.summary}


def of(report: Report, derivative: str, against: str = "finite differences") -> Finding:
    """The worst finding of a comparison."""
    return next(
        finding
        for finding in report.summary
        if (finding.derivative, finding.against) == (derivative, against)
    )


def test_a_right_function_passes_everything(local: Make) -> None:
    """Every derivative in every comparison, with errors far below the tolerance."""
    report = local(rosenbrock, (np.zeros(4),)).check(drawn=2, order=3)
    assert report.passed
    assert set(verdicts(report).values()) == {Verdict.PASSED}
    assert set(verdicts(report)) == {
        *(
            (name, "finite differences")
            for name in ("jvp", "vjp", "grad", "jacfwd", "jacrev", "hvp", "hessian")
        ),
        ("derivative of order 3", "finite differences"),
        ("vjp", "jvp"),
        ("jacfwd", "jacrev"),
        ("hessian", "its transpose"),
        ("hessian", "hvp"),
        ("hessian_diag", "hessian"),
        ("laplacian", "hessian"),
        ("ggn_vp", "vjp of jvp"),
        ("value", "point by point"),
        ("grad", "point by point"),
    }
    assert max(finding.error / finding.tolerance for finding in report.findings) < 1e-3


def test_numbers_and_arrays_together(local: Make) -> None:
    """An argument without axes has a diagonal, too."""
    report = local(lambda x, y: jnp.sum(jnp.sin(x) ** 3) * y, (np.zeros(3), np.zeros(()))).check(order=2)
    assert report.passed
    assert verdicts(report)["hessian_diag", "hessian"] is Verdict.PASSED


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_wrong_rule_is_found(local: Make, dtype: Any) -> None:
    """An error of a hundredth fails every first derivative, in single precision too, and is told in size."""
    report = local(lambda x: almost_sine(x).sum(), (np.zeros(3, dtype),)).check(
        (np.array([0.3, -0.7, 1.1], dtype),)
    )
    assert not report.passed
    failed = {key for key, verdict in verdicts(report).items() if verdict is FAILED}
    assert {(name, "finite differences") for name in ("jvp", "vjp", "grad", "jacfwd", "jacrev")} <= failed
    assert of(report, "grad").error == pytest.approx(0.01, rel=0.1)
    assert of(report, "grad").argument.startswith("x0[")
    assert ("jacfwd", "jacrev") not in failed


def test_a_wrong_reverse_rule_is_found(local: Make) -> None:
    """Where there is no forward mode, which is told and is no failure."""
    report = local(lambda x: reverse_sine(x).sum(), (np.zeros(3),)).check()
    found = verdicts(report)
    assert found["grad", "finite differences"] is found["vjp", "finite differences"] is FAILED
    assert found["jvp", "finite differences"] is found["jacfwd", "finite differences"] is Verdict.UNAVAILABLE
    assert "custom_vjp" in of(report, "jvp").note


def test_one_wrong_element_is_found_and_named(local: Make) -> None:
    """With its place in the argument's tree."""

    def change(quantity: str, result: Any) -> Any:
        if quantity == "grad":
            result[0]["w"][1, 0] *= 1 + 1e-4
        return result

    function = local(
        lambda p: jnp.sum(jnp.exp(p["w"])) + p["b"], ({"b": np.zeros(()), "w": np.zeros((2, 3))},)
    )
    function.change = lambda quantity, result: change(quantity, jax.tree.map(np.array, result))
    finding = of(function.check(), "grad")
    assert (finding.verdict, finding.argument) == (FAILED, "x0['w'][1, 0]")
    assert finding.error == pytest.approx(1e-4, rel=0.1)


@pytest.mark.parametrize(
    ("function", "point", "element"),
    [
        pytest.param(lambda x: jnp.sum(jnp.abs(x)), [1.0, 0.0, -2.0], "x0[1]", id="abs"),
        pytest.param(lambda x: jnp.sum(jax.nn.relu(x) * 3), [0.0, 1.0, -2.0], "x0[0]", id="relu"),
        pytest.param(lambda x: jnp.sum(jnp.sqrt(x)), [1.0, 0.5, 0.0], "x0[2]", id="the end of a domain"),
        pytest.param(lambda x: jnp.sum(jnp.floor(x)), [0.5, 1.0, 0.25], "x0[1]", id="a jump"),
    ],
)
def test_kinks_are_no_failures(local: Make, function: Any, point: list[float], element: str) -> None:
    """They are told, with the element and the slopes to both sides, and nothing fails."""
    report = local(function, (np.zeros(3),)).check((np.array(point),))
    assert report.passed
    finding = of(report, "grad")
    assert (finding.verdict, finding.argument) == (Verdict.KINK, element)
    assert "slopes to both sides" in finding.note


def test_a_kink_hides_no_mistake(local: Make) -> None:
    """What is wrong elsewhere fails all the same."""
    function = local(lambda x: jnp.sum(jnp.abs(x)) + almost_sine(x[2]), (np.zeros(3),))
    finding = of(function.check((np.array([1.0, 0.0, 0.5]),)), "grad")
    assert (finding.verdict, finding.argument) == (FAILED, "x0[2]")


def test_curvature_is_no_kink(local: Make) -> None:
    """A parabola a thousandth wide bends a lot, and has one slope."""
    report = local(lambda x: jnp.sum(jnp.sqrt(x**2 + 1e-6)), (np.zeros(2),)).check((np.array([1e-4, 0.0]),))
    assert of(report, "grad").verdict is Verdict.PASSED


def test_a_gradient_that_is_not_finite(local: Make) -> None:
    """The trap of `where`: a smooth function whose gradient is no number fails, at the right element."""
    function = local(lambda x: jnp.sum(jnp.where(x > 0, jnp.sqrt(x), 0.0)), (np.zeros(3),))
    report = function.check((np.array([1.0, 2.0, -2.0]),))
    assert (of(report, "grad").verdict, of(report, "grad").argument) == (FAILED, "x0[2]")
    assert [(each.quantity, each.where, each.value) for each in report.non_finite] == [
        ("grad", "x0[2]", "nan")
    ]


def test_a_value_that_is_not_finite(local: Make) -> None:
    """It is told with the element that brings it about, and nothing else is said of that point."""
    function = local(lambda x, y: {"a": jnp.log(x).sum(), "b": y}, (np.zeros(3), np.zeros(2)))
    good, bad = (np.ones(3), np.ones(2)), (np.array([1.0, -1.0, 2.0]), np.ones(2))
    report = function.check(good, bad)
    (broken,) = report.non_finite
    assert (broken.quantity, broken.where, broken.point, broken.culprits) == (
        "value",
        "result['a']",
        1,
        ("x0[1]",),
    )
    assert report.passed
    alone = function.check(bad)
    assert not alone.passed
    assert alone.non_finite[0].culprits == ("x0[1]",)


def test_arguments_that_are_not_finite_are_named(local: Make) -> None:
    """Before what comes of them."""
    report = local(lambda x: x.sum(), (np.zeros(3),)).check((np.array([1.0, np.inf, 2.0]),))
    assert [(each.quantity, each.where) for each in report.non_finite] == [
        ("argument", "x0[1]"),
        ("value", "result"),
    ]


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda z: jnp.exp(z) * z, id="holomorphic"),
        pytest.param(lambda z: jnp.conj(z) * z.real, id="not holomorphic"),
        pytest.param(lambda z: jnp.sum(jnp.abs(z) ** 2), id="real"),
    ],
)
def test_complex_functions(local: Make, function: Any) -> None:
    """In real and imaginary directions, by jvp and vjp, and by grad where the result is real."""
    report = local(function, (np.zeros(2, np.complex128),)).check()
    assert report.passed
    assert of(report, "jvp").verdict is of(report, "vjp").verdict is Verdict.PASSED
    assert of(report, "vjp", "jvp").verdict is Verdict.PASSED


def test_a_conjugate_that_is_missing_is_found(local: Make) -> None:
    """The gradient of a real function of complex numbers, conjugated."""
    function = local(lambda z: jnp.sum(jnp.abs(z) ** 2), (np.zeros(2, np.complex128),))
    function.change = lambda quantity, result: jax.tree.map(np.conj, result) if quantity == "grad" else result
    finding = of(function.check(), "grad")
    assert finding.verdict is FAILED
    assert finding.argument.endswith("(imaginary)")


def test_integers_are_passed_over(local: Make) -> None:
    """Those of arguments, of a tree with others, and of the result."""

    def function(x: Any, n: Any, both: Any) -> Any:
        return {"count": n + both["k"], "power": x**n * both["y"]}

    examples = (np.zeros(2), np.int32(1), {"k": np.int32(0), "y": np.ones(2)})
    report = local(function, examples).check()
    found = verdicts(report)
    assert found["jvp", "finite differences"] is found["vjp", "finite differences"] is Verdict.PASSED
    assert report.passed


def test_nothing_to_differentiate(local: Make) -> None:
    """Is nothing to find fault with."""
    for example in (np.int32(3), np.zeros((0, 2))):
        report = local(lambda x: x * 2, (example,)).check()
        assert report.passed
        assert not report.findings


def test_many_elements_are_sampled(local: Make) -> None:
    """So many as were asked for, and a direction of all of them."""
    function = local(lambda x: jnp.sum(jnp.sin(x)), (np.zeros(500),))
    function.change = lambda quantity, result: (
        jax.tree.map(lambda leaf: leaf * 1.001, result) if quantity == "grad" else result
    )
    assert of(function.check(elements=5), "grad").verdict is FAILED


def test_argnums_choose(local: Make) -> None:
    """Only they move."""
    function = local(lambda x, y: almost_sine(x).sum() + (y**2).sum(), (np.zeros(2), np.zeros(3)))
    assert function.check(argnums=(1,)).passed
    assert not function.check(argnums=(0,)).passed


def test_a_batch_that_differs_is_found(local: Make) -> None:
    """By more than rounding."""
    function = local(rosenbrock, (np.zeros(3),))
    function.change = lambda quantity, result: result * (1 + 1e-6) if np.ndim(result) == 1 else result
    assert of(function.check(), "value", "point by point").verdict is FAILED


def test_an_asymmetric_hessian_is_found(local: Make) -> None:
    """With both elements' place."""

    def change(quantity: str, result: Any) -> Any:
        if quantity == "hessian":
            result[0][0][0, 1] *= 1.5
        return result

    function = local(jnp.prod, (np.zeros(3),))
    function.change = lambda quantity, result: change(quantity, jax.tree.map(np.array, result))
    finding = of(function.check(order=2), "hessian", "its transpose")
    assert finding.verdict is FAILED
    assert finding.result in ("result by x0[0] by x0[1]", "result by x0[1] by x0[0]")


def test_vectors_of_vectors(local: Make) -> None:
    """A function with several arguments and results: blocks are compared with the right ones."""

    def function(a: Any, b: Any) -> Any:
        return jnp.outer(jnp.sin(a), b**2), jnp.sum(a) * b[0] ** 3

    report = local(function, (np.zeros(2), np.zeros(3))).check(order=2)
    assert report.passed
    assert of(report, "hessian").verdict is Verdict.PASSED


def test_loops_without_reverse_mode(local: Make) -> None:
    """Are checked in forward mode; the rest is unavailable, with the reason."""

    def function(x: Any) -> Any:
        return lax.while_loop(lambda c: c.sum() < 9, lambda c: c * 2, jnp.exp(x)).sum()

    report = local(function, (np.zeros(2),)).check()
    found = verdicts(report)
    assert found["jvp", "finite differences"] is Verdict.PASSED
    assert found["jacrev", "finite differences"] is Verdict.UNAVAILABLE
    assert report.passed


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_arguments_of_any_size(local: Make, scale: float) -> None:
    """Steps follow the arguments."""
    report = local(lambda x: jnp.sum(jnp.log(x)), (np.zeros(2),)).check((np.array([1.0, 3.0]) * scale,))
    assert report.passed
    assert of(report, "grad").verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("quantity", "against"),
    [("hessian_diag", "hessian"), ("laplacian", "hessian"), ("ggn_vp", "vjp of jvp"), ("hvp", "hessian")],
)
def test_wrong_products_are_found(local: Make, quantity: str, against: str) -> None:
    """Each against what it is made without."""
    function = local(lambda x: jnp.sum(x**4), (np.zeros(3),))
    function.change = lambda asked, result: (
        jax.tree.map(lambda leaf: leaf * 1.001, result) if asked == quantity else result
    )
    against, quantity = (quantity, against) if quantity == "hvp" else (against, quantity)
    assert of(function.check(order=2), quantity, against).verdict is FAILED
