"""The reference page and the tables that it is made from."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path
from typing import Any

import jax
import pytest

from pullback_server.compute.formats.formula.functions.table import FUNCTIONS
from pullback_server.compute.formats.formula.operators import BINARY, PREFIX
from pullback_server.compute.formats.formula.reference import BEGIN, END, embed

PAGE = Path(__file__).parents[4] / "docs" / "formula.md"


def test_page_is_up_to_date() -> None:
    """docs/formula.md says what the tables say; the module's docstring tells how to bring it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert embed(page) == page


def test_page_without_marks() -> None:
    """A page without marks is refused, not overwritten."""
    with pytest.raises(ValueError, match="the page has no"):
        embed(f"{END} text {BEGIN}")


def test_example_of_the_page(formula: Any) -> None:
    """The longer example of the page is a formula."""
    (source,) = re.findall(r"```\n(# A Gaussian.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    function = formula(source, t="f64[6]", y="f64[6]", scale="f64[]", noise="f64[]")
    assert (
        jax.eval_shape(function, *[jax.ShapeDtypeStruct(s, float) for s in ((6,), (6,), (), ())]).shape == ()
    )


@pytest.mark.parametrize("entry", [*BINARY.values(), *PREFIX.values()], ids=lambda entry: entry.symbol)
def test_operators_name_what_they_do(entry: Any) -> None:
    """The JAX name in an operator's row is the function that it calls."""
    assert _resolve(entry.jax) is entry.arrays


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_name_what_they_do(name: str) -> None:
    """The JAX name in a function's row is its rule, or the rule of that name wrapped by one of ours."""
    entry = FUNCTIONS[name]
    if entry.rule.__module__.startswith("pullback_server"):
        assert entry.rule.__name__.removeprefix("_") in entry.name
    else:
        assert _resolve(entry.jax) is entry.rule


def _resolve(path: str) -> Any:
    return reduce(getattr, path.replace("jnp", "jax.numpy").split(".")[1:], jax)
