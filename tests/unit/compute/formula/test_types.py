"""Element types: constants take the type of what they meet; arguments promote as in JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.formats.formula.values import weakly_typed


@pytest.mark.parametrize(
    "constant",
    [
        "2",
        "0.1",
        "1/3",
        "pi",
        "inf",
        "sqrt(2)",
        "[1, 2, 3]",
        "[0.5, 1, 2]",
        "[[1.5], [2]]",
        "zeros(3)",
        "ones((2, 3))",
        "full(3, 0.5)",
        "full((3,), [1.5])",
        "eye(3)",
        "inv(2*eye(3))",
        "solve(eye(3), [1, 2, 3])",
        "arange(3)",
        "arange(0, 1, 0.4)",
        "linspace(0, 1, 3)",
        "sum([0.5, 2])",
        "concatenate([[0.5], zeros(2)])",
        "outer([1, 2], [1.5, 2, 3])[0]",
        "cumsum([0.1, 0.2, 0.3])",
        "where([True, False, True], 0.5, 1)",
    ],
)
@pytest.mark.parametrize("element", ["f32", "f16", "bf16", "f64"])
def test_constants_keep_the_type(constant: str, element: str, formula: Any) -> None:
    """What is made of numbers alone does not raise the precision of an argument."""
    function = formula(f"x * {constant} + {constant}", x=f"{element}[3]")
    dtype = {"f32": jnp.float32, "f16": jnp.float16, "bf16": jnp.bfloat16, "f64": jnp.float64}[element]
    assert jax.eval_shape(function, jax.ShapeDtypeStruct((3,), dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("source", "dtype"),
    [
        ("i + 1", "int32"),
        ("i + [1, 2]", "int32"),
        ("i * 0.5", "float64"),
        ("i / 2", "float32"),
        ("i + x", "float32"),
        ("x + y", "float64"),
        ("2j * x", "complex64"),
        ("x + [1j, 0]", "complex64"),
        ("i > 0", "bool"),
        ("x * 2**40", "float32"),
        ("(i > 0) + 2**40", "int64"),
        ("argmin(x)", "int64"),
        ("sum(i > 0) * x", "float32"),
        ("2", "int64"),
        ("zeros(2)", "float64"),
        ("True", "bool"),
        ("[]", "float64"),
    ],
)
def test_promotion(source: str, dtype: str, formula: Any) -> None:
    """Types promote as in JAX, and a result of constants has JAX's default type, never a weak one."""
    function = formula(source, i="i32[2]", x="f32[2]", y="f64[2]")
    result = function(np.ones(2, np.int32), np.ones(2, np.float32), np.ones(2))
    assert result.dtype == dtype
    assert not result.weak_type


def test_leaves_are_taken_as_declared(formula: Any) -> None:
    """A weakly typed leaf counts as what the signature says."""
    assert formula("x + [1.5]", x="f32[]")(2).dtype == jnp.float32


@pytest.mark.parametrize("array", [np.zeros((0, 3)), np.arange(5), np.array(2j), np.ones((2, 1, 3))])
def test_weakly_typed(array: Any) -> None:
    """JAX's contract: scattering into a weakly typed array keeps its weak type and the elements."""
    weak = weakly_typed(jnp.asarray(array))
    assert weak.weak_type
    assert weak.dtype == array.dtype
    np.testing.assert_array_equal(weak, array)


def test_other_types_stay() -> None:
    """Conditions and types that are no default have no weak form."""
    condition = jnp.asarray([True])
    assert weakly_typed(condition) is condition
    half = jnp.ones(2, jnp.float16)
    assert weakly_typed(half) is half


@pytest.mark.parametrize("element", ["i1", "i4", "i8", "ui64", "f8e4m3fn", "c64"])
def test_any_element_type_passes(element: str, formula: Any) -> None:
    """Every element type can go through a formula."""
    function = formula("x[::-1]", x=f"{element}[2]")
    assert function(jnp.array([0, 1])).shape == (2,)
