"""Programs that serve every size."""

from __future__ import annotations

import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.kernel import Kernel
from pullback_server.compute.polynomials import sample_points, symbolic_types
from pullback_server.errors import ServiceError
from pullback_server.model.quantities import Quantity, Want


def formula(source: str, **arguments: str) -> Program:
    """A formula with arguments of symbolic sizes."""
    named = [Argument(name, LEAF, (parse_tensor_type(text),)) for name, text in arguments.items()]
    return Program(Formula(source), Signature(tuple(named)))


def load(kernel: Kernel, program: Program) -> str:
    """Loads a program; gives the type of its result."""
    (result,) = kernel.load(digest(program), program_to_bytes(program)).result
    return str(result)


@pytest.mark.parametrize(
    ("source", "arguments", "result"),
    [
        ("sum(x**2) * y", {"x": "f64[n]", "y": "f64[]"}, "f64[]"),
        ("a @ x", {"a": "f64[n,m]", "x": "f64[m]"}, "f64[n]"),
        ("concatenate([x, x, x])", {"x": "f64[n]"}, "f64[3*n]"),
        ("outer(x, y)", {"x": "f64[n]", "y": "f64[2*n+m]"}, "f64[n,m+2*n]"),
    ],
)
def test_results_of_formulas(source: str, arguments: dict[str, str], result: str) -> None:
    """What a formula gives is found by trying, and holds at every size."""
    assert load(Kernel(), formula(source, **arguments)) == result


def test_a_formula_at_several_sizes() -> None:
    """One program, gradients of several sizes."""
    kernel, program = Kernel(), formula("sum(x**2)", x="f64[n]")
    load(kernel, program)
    want = Want(Quantity.GRADIENT, argnums=(0,))
    for size in (0, 3, 8):
        x = np.arange(float(size))
        outcome = evaluated(kernel, evaluation(digest(program), (want,), (to_tensor(x),)))
        np.testing.assert_array_equal(to_array(outcome.results[0][0]), 2 * x)


def test_formulas_that_work_at_no_size() -> None:
    """The first error is the one that is reported."""
    with pytest.raises(ServiceError):
        load(Kernel(), formula("a @ x", a="f64[n,3]", x="f64[4]"))


@pytest.mark.parametrize("expression", ["7", "n", "m+2*n", "n-m", "2+m*n", "m*m", "3*n"])
def test_polynomials_are_found(expression: str) -> None:
    """Exactly, and in one spelling."""
    kind = parse_tensor_type(f"f64[{expression}]")
    points = list(sample_points((24, 12)))
    samples = [(point, (kind.at({"n": point[0], "m": point[1]}),)) for point in points]
    found = symbolic_types(samples, ["n", "m"])
    assert found is not None
    point = {"n": 77, "m": 5}
    assert found[0].at(point) == kind.at(point)


def test_other_sizes_are_not_guessed() -> None:
    """Quotients and maxima are no polynomials."""
    for expression in ("floordiv(n,5)", "max(n,30)"):
        kind = parse_tensor_type(f"f64[{expression}]")
        samples = [(point, (kind.at({"n": point[0]}),)) for point in sample_points((12,))]
        assert symbolic_types(samples, ["n"]) is None
