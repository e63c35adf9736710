"""Operations that are made of functions: custom derivatives, loops, solvers, rematerialization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
from jax.extend import core

from pullback.export._composites import emit_composite
from pullback.export._equations import HI_CALL, bind, close, function_of, is_root, primal_of
from pullback.export._rewriting import Handler, Rewriting
from pullback.program.composites import STRUCTURED

_POLICIES: Final[dict[Callable[..., Any], str]] = {
    getattr(jax.checkpoint_policies, name): name
    for name in (
        "everything_saveable",
        "nothing_saveable",
        "dots_saveable",
        "dots_with_no_batch_dims_saveable",
    )
}


def _custom_jvp(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    (rule,) = rewriting.rule_indices(equation)
    parameters = {"constants": equation.params["num_consts"], "rule": rule}
    return _emit("custom_jvp", _body(rewriting, equation, "call_jaxpr"), inputs, parameters)


def _custom_vjp(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    forward, backward = rewriting.rule_indices(equation)
    parameters = {"constants": equation.params["num_consts"], "forward": forward, "backward": backward}
    return _emit("custom_vjp", _body(rewriting, equation, "call_jaxpr"), inputs, parameters)


def _hi_primitive(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """What it stands for, in its place; a root that is sought keeps its rule."""
    function = function_of(rewriting.rewrite(primal_of(equation)), "hi_primitive")
    if not is_root(equation):
        return function(*inputs)
    (rule,) = rewriting.rule_indices(equation)
    return _emit("custom_jvp", function, inputs, {"constants": 0, "rule": rule})


def _checkpoint(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    # A policy of the user's own is code, which programs do not carry: it chooses what is stored, not
    # what is computed, so the default stands in for it.
    parameters = {
        "prevent_cse": bool(equation.params["prevent_cse"]),
        "policy": _POLICIES.get(equation.params["policy"]),
    }
    return _emit("checkpoint", _body(rewriting, equation, "jaxpr"), inputs, parameters)


def _scan(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    body = close(equation.params["jaxpr"])
    carries, constants = _scan_layout(equation, body)
    parameters = {
        "body": rewriting.body(body),
        "constants": constants,
        "carries": carries,
        **{name: equation.params[name] for name in ("length", "reverse", "unroll")},
    }
    return _emit(
        "scan", _decomposition(rewriting, equation, jaxpr=rewriting.rewrite(body)), inputs, parameters
    )


def _scan_layout(equation: core.JaxprEqn, body: core.ClosedJaxpr) -> tuple[int, int]:
    """The numbers of carries and of constants: what is scanned over has one axis more outside the body."""
    carries = _count_equal_ranks(equation.outvars, body.out_avals)
    return carries, _count_equal_ranks(equation.invars, body.in_avals) - carries


def _count_equal_ranks(outside: Sequence[Any], inside: Sequence[Any]) -> int:
    return sum(
        len(outer.aval.shape) == len(inner.shape) for outer, inner in zip(outside, inside, strict=True)
    )


def _linear_solve(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    jaxprs, lengths = equation.params["jaxprs"], equation.params["const_lengths"]
    transposed = jaxprs.transpose_solve
    parameters = {
        "constants": tuple(lengths),
        "matvec": rewriting.body(jaxprs.matvec),
        "solve": rewriting.body(jaxprs.solve),
        "transpose_solve": None if transposed is None else rewriting.body(transposed),
        "symmetric": jaxprs.vecmat is jaxprs.matvec,
    }
    rewritten = type(jaxprs)(*[None if jaxpr is None else rewriting.rewrite(jaxpr) for jaxpr in jaxprs])
    return _emit(
        "custom_linear_solve", _decomposition(rewriting, equation, jaxprs=rewritten), inputs, parameters
    )


def _emit(
    operation: str,
    decomposition: Callable[..., Any],
    inputs: Sequence[Any],
    parameters: dict[str, Any],
) -> list[Any]:
    return emit_composite(operation, decomposition, inputs, STRUCTURED[operation], parameters)


def _body(rewriting: Rewriting, equation: core.JaxprEqn, parameter: str) -> Callable[..., Any]:
    """The equation's own function: the decomposition that servers read as well."""
    return function_of(rewriting.rewrite(equation.params[parameter]), equation.primitive.name)


def _decomposition(_: Rewriting, equation: core.JaxprEqn, **changes: Any) -> Callable[..., Any]:
    def decomposition(*operands: Any) -> list[Any]:
        return bind(equation, operands, **changes)

    decomposition.__name__ = equation.primitive.name
    return decomposition


HANDLERS: Final[dict[str, Handler]] = {
    "custom_jvp_call": _custom_jvp,
    "custom_vjp_call": _custom_vjp,
    HI_CALL: _hi_primitive,
    "remat2": _checkpoint,
    "checkpoint": _checkpoint,
    "scan": _scan,
    "custom_linear_solve": _linear_solve,
}
