"""Checks wants against a signature, whatever their quantity. Knows no JAX.

The front has checked them before; here it is made sure that nothing else can be computed by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.quantities import Mode, Quantity, Want


def check_wants(wants: tuple[Want, ...], signature: Signature) -> None:
    """Refuses wants that no function with this signature has.

    Raises:
        ServiceError: MALFORMED_REQUEST or INVALID_ARGNUMS.
    """
    if not wants:
        raise service_error(Reason.MALFORMED_REQUEST, "nothing is wanted; ask for one quantity at least")
    for want in wants:
        _check_fields(want)
        _check_argnums(want, len(signature.arguments))
    if len({(want.argnums, want.directions) for want in wants if want.quantity.takes_tangents}) > 1:
        raise service_error(
            Reason.INVALID_ARGNUMS,
            "JVPs, HVPs and GGN_VPs of one request take the same tangents and need the same argnums and "
            "directions; send those with others in a request of their own",
        )
    if len({want.directions for want in wants if want.quantity is Quantity.VJP}) > 1:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            "VJPs of one request take the same cotangents and need the same directions",
        )


def directions_of(
    wants: tuple[Want, ...], signature: Signature, results: tuple[TensorType, ...]
) -> tuple[tuple[TensorType, ...], tuple[TensorType, ...]]:
    """The types of the tangents and of the cotangents that wants take."""
    pushed = next((want for want in wants if want.quantity.takes_tangents), None)
    pulled = next((want for want in wants if want.quantity is Quantity.VJP), None)
    moving = [signature.arguments[argnum].leaves for argnum in (pushed.argnums if pushed else ())]
    tangents = [leaf for leaves in moving for leaf in leaves if leaf.element.differentiable]
    cotangents = [leaf for leaf in results if leaf.element.differentiable]
    return _along(pushed, tangents), _along(pulled, cotangents)


def _along(want: Want | None, leaves: Iterable[TensorType]) -> tuple[TensorType, ...]:
    """The types of the directions that a want takes."""
    if want is None:
        return ()
    count = want.directions
    return tuple(leaf if count is None else leaf.batched(count) for leaf in leaves)


def _check_fields(want: Want) -> None:
    quantity = want.quantity
    if want.mode is not Mode.PLANNED and quantity is not Quantity.JACOBIAN:
        raise _malformed(want, f"has no mode, and {want.mode.value} was asked for; only a jacobian has")
    if want.order and quantity is not Quantity.DERIVATIVE:
        raise _malformed(want, f"has no order, and {want.order} was asked for; only a derivative has")
    levels = 0 if want.sparse else quantity.levels(want.order)
    if want.modes and (len(want.modes) != levels or Mode.PLANNED in want.modes):
        raise _malformed(want, f"takes {levels} modes, each forward or reverse, and got {len(want.modes)}")
    if want.directions is not None and (want.directions < 0 or not quantity.takes_directions):
        raise _malformed(want, f"cannot be taken along {want.directions} directions")
    if want.sparse and quantity not in (Quantity.JACOBIAN, Quantity.HESSIAN):
        raise _malformed(want, "is not sparse; a jacobian and a hessian can be")


def _malformed(want: Want, why: str) -> ServiceError:
    quantity = want.quantity.value
    return service_error(Reason.MALFORMED_REQUEST, f"{quantity} {why}", quantity=quantity)


def _check_argnums(want: Want, count: int) -> None:
    argnums = want.argnums
    if (want.quantity is Quantity.VALUE) == bool(argnums):
        why = "takes no argnums" if argnums else "needs argnums"
    elif len(set(argnums)) < len(argnums):
        why = "needs each of its argnums once"
    elif not all(0 <= argnum < count for argnum in argnums):
        why = f"of a function of {count} arguments needs argnums from 0 to {count - 1}"
    else:
        return
    raise service_error(
        Reason.INVALID_ARGNUMS,
        f"{want.quantity.value} {why}, but argnums are {list(argnums)}",
        quantity=want.quantity.value,
        argnums=str(list(argnums)),
    )
