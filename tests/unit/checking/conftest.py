"""Functions that answer a check's questions by local JAX, as a server would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback._checks import Dialogue
from pullback._evaluation.results import FLOAT0
from pullback._evaluation.wants import Want
from pullback.checking.checker import Options, check
from pullback.checking.points import draw
from pullback.checking.questions import Question
from pullback.checking.report import Report
from pullback.errors import InvalidArgumentError, PullbackError
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import structure_of


def _types(leaves: Any) -> tuple[TensorType, ...]:
    return tuple(TensorType(element_of(np.dtype(leaf.dtype)), tuple(leaf.shape)) for leaf in leaves)


@dataclass
class Local:
    """A function whose derivatives local JAX takes.

    Attributes:
        function: The function.
        examples: Example arguments.
        change: Changes an answer, to see that it is noticed: takes the quantity and the result.
        asked: The quantities that were asked for.
    """

    function: Callable[..., Any]
    examples: tuple[Any, ...]
    change: Callable[[str, Any], Any] = lambda _, result: result
    asked: list[str] = field(default_factory=list)

    @property
    def signature(self) -> Signature:
        """The signature at the examples."""
        arguments = []
        for number, example in enumerate(self.examples):
            tree, leaves = structure_of(example)
            arguments.append(Argument(f"x{number}", tree, _types(map(np.asarray, leaves))))
        tree, leaves = structure_of(jax.eval_shape(self.function, *self.examples))
        return Signature(tuple(arguments), Result(tree, _types(leaves)))

    def check(self, *points: tuple[Any, ...], drawn: int = 1, **options: Any) -> Report:
        """Checks first derivatives at points, or at some that are drawn; higher ones if told."""
        signature = self.signature
        assert signature.result is not None
        leaves = [tuple(map(np.asarray, jax.tree.leaves(point))) for point in points]
        chosen = leaves or draw(signature, drawn, 0)
        chosen_options = Options(**{"order": 1, **options})
        dialogue = Dialogue(check("f", signature, signature.result, chosen, chosen_options), {})
        while dialogue.question is not None:
            dialogue.answer(self.answer(dialogue.question))
        return dialogue.report

    def answer(self, question: Question) -> dict[str, Any] | PullbackError:
        """The answer that a server would give."""
        (want,) = question.want
        self.asked.append(want.quantity)
        axes, batched = self._axes(question)
        give = self._quantity(want)
        integers = any(not leaf.element.differentiable for leaf in self.signature.result.leaves)
        if integers and want.quantity not in ("value", "jvp", "vjp"):
            return InvalidArgumentError("integers", code="INVALID_ARGUMENT", reason="DERIVATIVE_UNDEFINED")
        inputs = (question.arguments, question.tangents, question.cotangents)
        try:
            found = (jax.vmap(give, in_axes=axes) if batched else give)(*inputs)
        except (TypeError, ValueError) as error:
            return InvalidArgumentError(
                str(error).splitlines()[0], code="INVALID_ARGUMENT", reason="DERIVATIVE_UNDEFINED"
            )
        result = jax.tree.map(lambda leaf: leaf if leaf.dtype == FLOAT0 else np.asarray(leaf), found)
        return {want.key: self.change(want.quantity, result)}

    def _axes(self, question: Question) -> tuple[Any, bool]:
        def axis(leaf: Any, example: Any) -> int | None:
            return 0 if np.ndim(leaf) > np.ndim(example) else None

        arguments = jax.tree.map(axis, question.arguments, self.examples)
        argnums = question.want[0].argnums
        moving = tuple(self.examples[i] for i in argnums) if isinstance(argnums, tuple) else ()
        tangents = None
        if question.tangents is not None:
            tangents = jax.tree.map(axis, question.tangents, _without_integers(moving))
        cotangents = None
        if question.cotangents is not None:
            cotangents = jax.tree.map(
                axis, question.cotangents, _without_integers(jax.eval_shape(self.function, *self.examples))
            )
        axes = (arguments, tangents, cotangents)
        return axes, any(part == 0 for part in jax.tree.leaves(axes))

    def _quantity(self, want: Want) -> Callable[..., Any]:  # noqa: PLR0911 -- one for each quantity
        argnums: Any = want.argnums
        f = self.function
        match want.quantity:
            case "value":
                return lambda args, _, __: f(*args)
            case "jvp":
                return lambda args, tangents, _: _jvp(f, args, argnums, tangents)
            case "vjp":
                return lambda args, _, cotangents: _vjp(f, args, argnums, cotangents)
            case "hvp":
                grad = jax.grad(f, argnums)
                return lambda args, tangents, _: _jvp(grad, args, argnums, tangents)
            case "ggn_vp":
                return lambda args, tangents, _: _ggn(f, args, argnums, tangents)
            case "hessian_diag" | "laplacian" as name:
                return lambda args, _, __: _diagonal(f, args, argnums, name)
            case "derivative":
                derived = jax.jacrev(f, argnums)
                for _ in range(want.order - 1):
                    derived = jax.jacfwd(derived, argnums)
                return lambda args, _, __: derived(*args)
            case name:
                transformed = getattr(jax, name)(f, argnums)
                return lambda args, _, __: transformed(*args)


def _without_integers(tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: leaf if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) else None, tree
    )


def _jvp(function: Callable[..., Any], args: Any, argnums: tuple[int, ...], tangents: Any) -> Any:
    given = dict(zip(argnums, tangents, strict=True))
    whole = [
        jax.tree.map(
            lambda leaf, tangent: np.zeros(np.shape(leaf), FLOAT0) if tangent is None else tangent,
            arg,
            given.get(i, jax.tree.map(lambda leaf: None, arg)),
            is_leaf=lambda leaf: leaf is None,
        )
        if i in given
        else jax.tree.map(_zero, arg)
        for i, arg in enumerate(args)
    ]
    return jax.jvp(function, tuple(args), tuple(whole))[1]


def _ggn(function: Callable[..., Any], args: Any, argnums: tuple[int, ...], tangents: Any) -> Any:
    return _vjp(function, args, argnums, _jvp(function, args, argnums, tangents))


def _diagonal(function: Callable[..., Any], args: Any, argnums: tuple[int, ...], name: str) -> Any:
    """Of arrays, to one number."""
    if not all(hasattr(arg, "ndim") for arg in args) or getattr(jax.eval_shape(function, *args), "ndim", 1):
        raise TypeError("not served here")
    hessian = jax.hessian(function, argnums)(*args)
    diagonals = tuple(
        jnp.diagonal(hessian[place][place].reshape(2 * (args[number].size,))).reshape(args[number].shape)
        for place, number in enumerate(argnums)
    )
    return diagonals if name == "hessian_diag" else sum(map(jnp.sum, diagonals))


def _zero(leaf: Any) -> Any:
    inexact = jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.inexact)
    return jnp.zeros_like(leaf) if inexact else np.zeros(np.shape(leaf), FLOAT0)


def _vjp(function: Callable[..., Any], args: Any, argnums: tuple[int, ...], cotangents: Any) -> Any:
    value, pull = jax.vjp(function, *args)
    whole = jax.tree.map(
        lambda leaf, ct: np.zeros(leaf.shape, FLOAT0) if ct is None else ct,
        value,
        cotangents,
        is_leaf=lambda leaf: leaf is None,
    )
    pulled = pull(whole)
    return tuple(pulled[i] for i in argnums)


@pytest.fixture(scope="session")
def local() -> type[Local]:
    """Makes a function that answers by local JAX."""
    jax.config.update("jax_enable_x64", True)
    return Local
