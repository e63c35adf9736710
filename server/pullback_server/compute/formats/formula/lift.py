"""Makes a formula a function that JAX can trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from pullback.program.container import Formula
from pullback.program.signature import Argument, Signature
from pullback.program.trees import Leaf
from pullback_server.compute.abstract import abstract
from pullback_server.compute.formats.formula.diagnostics import FormulaError, report
from pullback_server.compute.formats.formula.evaluation import evaluate
from pullback_server.compute.formats.formula.grammar import FOREIGN_WORDS, RESERVED
from pullback_server.compute.formats.formula.parser import parse

Lifted = Callable[[Sequence[jax.Array]], list[jax.Array]]


def lift(body: Formula, signature: Signature) -> Lifted:
    """A function of the arguments' leaves that gives a list of one array.

    The formula is evaluated once on the declared types, without numbers, so that an error in it comes up
    here. All of JAX's transformations apply to what comes back.

    Args:
        body: The formula.
        signature: Its arguments, each one array.

    Raises:
        ServiceError: FORMULA_ERROR, with line and column, if the text is no formula, if a name or a function
            is unknown, or if shapes or element types do not fit.
    """
    try:
        names = tuple(map(_name, signature.arguments))
        syntax = parse(body.source)
    except FormulaError as error:
        raise report(error, body.source) from error
    dtypes = [leaf.element.dtype for leaf in signature.leaves]

    def lifted(leaves: Sequence[jax.Array]) -> list[jax.Array]:
        arrays = [jnp.asarray(leaf, dtype) for leaf, dtype in zip(leaves, dtypes, strict=True)]
        try:
            return [evaluate(syntax, dict(zip(names, arrays, strict=True)))]
        except FormulaError as error:
            raise report(error, body.source) from error

    jax.eval_shape(lifted, [abstract(leaf) for leaf in signature.leaves])
    return lifted


def _name(argument: Argument) -> str:
    if not isinstance(argument.tree, Leaf):
        what = f"the argument {argument.name} is a tree of {len(argument.leaves)} arrays"
        raise FormulaError(what, "A formula takes arrays: make each array an argument of its own.")
    if argument.name in RESERVED or argument.name in FOREIGN_WORDS:
        raise FormulaError(
            f"the argument name {argument.name} is a word of the language", "Rename the argument."
        )
    return argument.name
