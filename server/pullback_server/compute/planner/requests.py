"""Checks wants against a signature, whatever their quantity. Knows no JAX.

The front has checked them before; here it is made sure that nothing else can be computed by mistake.
"""

from __future__ import annotations

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.quantities import Mode, Quantity, Want

_ALONG_TANGENTS = (Quantity.JVP, Quantity.HVP)


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
    if len({want.argnums for want in wants if want.quantity in _ALONG_TANGENTS}) > 1:
        raise service_error(
            Reason.INVALID_ARGNUMS,
            "JVPs and HVPs of one request take the same tangents and need the same argnums; "
            "send those with other argnums in a request of their own",
        )


def directions_of(
    wants: tuple[Want, ...], signature: Signature, results: tuple[TensorType, ...]
) -> tuple[tuple[TensorType, ...], tuple[TensorType, ...]]:
    """The types of the tangents and of the cotangents that wants take."""
    pushed = next((want.argnums for want in wants if want.quantity in _ALONG_TANGENTS), ())
    moving = [signature.arguments[argnum].leaves for argnum in pushed]
    tangents = tuple(leaf for leaves in moving for leaf in leaves if leaf.element.differentiable)
    if not any(want.quantity is Quantity.VJP for want in wants):
        return tangents, ()
    return tangents, tuple(leaf for leaf in results if leaf.element.differentiable)


def _check_fields(want: Want) -> None:
    if want.mode is not Mode.PLANNED and want.quantity is not Quantity.JACOBIAN:
        raise _malformed(want, f"has no mode, and {want.mode.value} was asked for; only a jacobian has")
    if want.order and want.quantity is not Quantity.DERIVATIVE:
        raise _malformed(want, f"has no order, and {want.order} was asked for; only a derivative has")


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
