"""Formulas lifted from text and types, and what is said of those that are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import pytest

from pullback.program.container import Formula
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback_server.compute.formats.formula.lift import lift
from pullback_server.errors import Reason, ServiceError

jax.config.update("jax_enable_x64", True)


def lift_formula(source: str, **types: str) -> Callable[..., jax.Array]:
    """The function of a formula, with arguments by position and one array as result."""
    arguments = [Argument(name, LEAF, (parse_tensor_type(text),)) for name, text in types.items()]
    lifted = lift(Formula(source), Signature(tuple(arguments)))

    def function(*leaves: Any) -> jax.Array:
        (result,) = lifted(leaves)
        return result

    return function


OVER = (Reason.PROGRAM_TOO_LARGE, Reason.TOO_MANY_OPERATIONS, Reason.NESTING_TOO_DEEP)
"""The reasons of formulas that are too large."""


def refusal(source: str, **types: str) -> ServiceError:
    """The error with which a formula is refused."""
    with pytest.raises(ServiceError) as caught:
        lift_formula(source, **types)
    assert caught.value.reason in (Reason.FORMULA_ERROR, *OVER)
    return caught.value


@pytest.fixture(scope="session", name="formula")
def formula_fixture() -> Callable[..., Callable[..., jax.Array]]:
    """Lifts a formula: `formula("x + y", x="f64[8]", y="f64[]")(x, y)`."""
    return lift_formula


@pytest.fixture(scope="session", name="refusal")
def refusal_fixture() -> Callable[..., ServiceError]:
    """The error of a formula: `refusal("x +", x="f64[8]")`."""
    return refusal
