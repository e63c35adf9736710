"""Operations that are made of functions: custom derivatives, loops, solvers, rematerialization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from jax.extend import core

from pullback.export._composites import emit_composite
from pullback.export._equations import (
    HI_CALL,
    bind,
    close,
    function_of,
    is_root,
    primal_of,
    replaced,
)
from pullback.export._policies import describe
from pullback.export._rewriting import Handler, Rewriting
from pullback.export._rules import in_order, operand_order, transpose_rule
from pullback.export.errors import RuleClosureError
from pullback.program.composites import STRUCTURED


def _custom_jvp(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    (rule,), captured = rewriting.rules(equation)
    parameters = {"constants": len(captured) + equation.params["num_consts"], "rule": rule}
    body = _after(_primal(rewriting, equation), len(captured))
    return _emit("custom_jvp", body, [*captured, *inputs], parameters)


def _custom_vjp(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    (forward, backward), captured = rewriting.rules(equation)
    constants, primals = operand_order(equation, rewriting.fixed(equation))
    order = [*constants, *primals]
    body = _after(in_order(_primal(rewriting, equation), order), len(captured))
    ordered = [inputs[number] for number in order]
    count = len(captured) + len(constants)
    parameters = {"constants": count, "forward": forward, "backward": backward}
    return _emit("custom_vjp", body, [*captured, *ordered], parameters)


def _primal(rewriting: Rewriting, equation: core.JaxprEqn) -> Callable[..., list[Any]]:
    """What an equation with rules computes."""
    return function_of(rewriting.rewrite_primal(primal_of(equation)), equation.primitive.name)


def _hi_primitive(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """What it stands for, in its place; a root that is sought keeps its rule."""
    if not is_root(equation):
        return function_of(rewriting.rewrite(primal_of(equation)), "hi_primitive")(*inputs)
    (rule,), captured = rewriting.rules(equation)
    body = _after(_primal(rewriting, equation), len(captured))
    return _emit("custom_jvp", body, [*captured, *inputs], {"constants": len(captured), "rule": rule})


def _checkpoint(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    policy = describe(equation.params["policy"], close(equation.params["jaxpr"]))
    parameters = {
        "prevent_cse": bool(equation.params["prevent_cse"]),
        "policy": policy.name,
        "names": policy.names,
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


def _linear_call(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    residuals = equation.params["num_callee_consts"] + equation.params["num_res"]
    transpose = replaced(transpose_rule(equation, residuals), _callee)
    parameters = {"residuals": residuals, "transpose": rewriting.body(transpose)}
    return _emit("linear_call", _body(rewriting, equation, "callee"), inputs, parameters)


def _callee(equation: core.JaxprEqn) -> core.ClosedJaxpr | None:
    """What a linear call calls: JAX gives a transpose as a call whose own transpose is the function again."""
    called = equation.params.get("callee")
    return None if called is None else close(called)


def _jit(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    try:
        return bind(equation, inputs, jaxpr=rewriting.rewrite(equation.params["jaxpr"]))
    except RuleClosureError:
        # A rule inside captured a value from outside the call.
        return rewriting.inline(equation.params["jaxpr"], inputs)


def _inline(parameter: str) -> Handler:
    """A call that is replaced by what it calls: what else it says is for JAX's other transformations."""

    def handler(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
        return list(_body(rewriting, equation, parameter)(*inputs))

    return handler


def _emit(
    operation: str,
    decomposition: Callable[..., Any],
    inputs: Sequence[Any],
    parameters: dict[str, Any],
) -> list[Any]:
    return emit_composite(operation, decomposition, inputs, STRUCTURED[operation], parameters)


def _body(rewriting: Rewriting, equation: core.JaxprEqn, parameter: str) -> Callable[..., list[Any]]:
    """The equation's own function: the decomposition that servers read as well."""
    return function_of(rewriting.rewrite(equation.params[parameter]), equation.primitive.name)


def _after(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The function with more arguments before its own, which only its rules use."""

    def longer(*operands: Any) -> Any:
        return function(*operands[count:])

    longer.__name__ = function.__name__
    return longer


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
    "jit": _jit,
    "linear_call": _linear_call,
    "custom_partitioning": _inline("call"),
    "custom_vmap_call": _inline("call"),
}
