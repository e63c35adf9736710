"""What several quantities refuse, in one place, so that they refuse it in the same words.

The conditions are JAX's own: those of jax.grad, jax.jacrev and jax.jacfwd without `holomorphic`.
"""

from __future__ import annotations

from pullback_server.compute.planner.kinds.kind import Subject
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.quantities import Mode, Want


def require_differentiable_arguments(want: Want, subject: Subject) -> None:
    """Refuses arguments with integer or boolean leaves (INVALID_ARGNUMS)."""
    for leaf in subject.arguments:
        if not leaf.element.differentiable:
            raise service_error(
                Reason.INVALID_ARGNUMS,
                f"argnums {list(want.argnums)} include a leaf of type {leaf}, and an integer or boolean "
                f"has no derivative; choose other argnums for {want.quantity.value}",
                quantity=want.quantity.value,
                argnums=str(list(want.argnums)),
                leaf=str(leaf),
            )


def require_real_arguments(want: Want, subject: Subject) -> None:
    """Refuses complex arguments, as jax.jacfwd does (DERIVATIVE_UNDEFINED)."""
    for leaf in subject.arguments:
        if leaf.element.is_complex:
            raise undefined(
                want, f"forward mode needs real arguments, and a leaf has type {leaf}; use JVP, or VJP"
            )


def require_real_results(want: Want, subject: Subject) -> None:
    """Refuses results that are not real, as jax.jacrev does (DERIVATIVE_UNDEFINED)."""
    require_differentiable_results(want, subject)
    for leaf in subject.results:
        if leaf.element.is_complex:
            raise undefined(want, f"reverse mode needs a real result, and a leaf has type {leaf}; use VJP")


def require_modes(want: Want, subject: Subject, modes: tuple[Mode, ...]) -> None:
    """Refuses what does not exist in the modes that are used (DERIVATIVE_UNDEFINED)."""
    # The gradient with respect to a complex argument is complex, so it has no reverse mode itself.
    if Mode.FORWARD in modes or len(modes) > 1:
        require_real_arguments(want, subject)
    if Mode.REVERSE in modes:
        require_real_results(want, subject)
    require_differentiable_results(want, subject)


def require_differentiable_results(want: Want, subject: Subject) -> None:
    """Refuses results with integer or boolean leaves (DERIVATIVE_UNDEFINED)."""
    for leaf in subject.results:
        if not leaf.element.differentiable:
            raise undefined(
                want,
                f"a leaf of the result has type {leaf}, and an integer or boolean has no derivative; "
                "register a function without it, or use JVP or VJP, which pass it over",
            )


def require_real_scalar(want: Want, subject: Subject) -> None:
    """Refuses results other than one real scalar, as jax.grad does (DERIVATIVE_UNDEFINED)."""
    if not subject.is_scalar:
        raise undefined(
            want, f"it needs a function whose result is one real scalar, and this one gives {_spell(subject)}"
        )


def undefined(want: Want, why: str) -> ServiceError:
    """The error of a quantity that does not exist for a function."""
    return service_error(
        Reason.DERIVATIVE_UNDEFINED,
        f"the {want.quantity.value} is not defined here: {why}",
        quantity=want.quantity.value,
    )


def _spell(subject: Subject) -> str:
    return f"({', '.join(map(str, subject.results))})"
