"""Checks what is wanted against a signature, and fills in defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.v1 import evaluation_pb2
from pullback_server.errors import Reason, ServiceError, exceeded, service_error
from pullback_server.model.quantities import Mode, Quantity, Want

_QUANTITIES: Final = {
    int(evaluation_pb2.Quantity.Value(f"QUANTITY_{quantity.name}")): quantity for quantity in Quantity
}
_MODES: Final = {
    int(evaluation_pb2.MODE_UNSPECIFIED): Mode.PLANNED,
    int(evaluation_pb2.MODE_FORWARD): Mode.FORWARD,
    int(evaluation_pb2.MODE_REVERSE): Mode.REVERSE,
}
_OF_ALL_ARGUMENTS: Final = (Quantity.JVP, Quantity.VJP)
_OF_A_REAL_SCALAR: Final = (Quantity.GRADIENT, Quantity.HVP)
_SPARSE: Final = (Quantity.JACOBIAN, Quantity.HESSIAN)
_MOST_WANTS: Final = 32
_MOST_DIRECTIONS: Final = 1 << 20


def check_wants(
    messages: Sequence[evaluation_pb2.Want], signature: Signature, highest_order: int
) -> tuple[Want, ...]:
    """The wants of a request.

    Args:
        messages: The wants as they came.
        signature: The function's signature, with its result.
        highest_order: The limit on the order of a derivative.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED or ORDER_TOO_HIGH.
    """
    if not 0 < len(messages) <= _MOST_WANTS:
        raise _malformed(f"{len(messages)} quantities are wanted; ask for 1 to {_MOST_WANTS}", "wants")
    wants = tuple(_want(message, signature, highest_order) for message in messages)
    _check_shared(wants)
    return wants


def _check_shared(wants: Sequence[Want]) -> None:
    """Refuses wants that would share their tangents or cotangents, and cannot."""
    along = [want for want in wants if want.quantity.takes_tangents]
    if len({want.argnums for want in along}) > 1:
        raise service_error(
            Reason.INVALID_ARGNUMS,
            "JVPs, HVPs and GGN_VPs of one request share their tangents and need the same argnums (without "
            "argnums a JVP takes all arguments and the others argument 0); give them the same, or send two "
            "requests",
        )
    pulled = [want for want in wants if want.quantity is Quantity.VJP]
    for sharing, what in ((along, "tangents"), (pulled, "cotangents")):
        if len({want.directions for want in sharing}) > 1:
            raise _malformed(
                f"wants of one request share their {what} and need the same directions; give them the same, "
                "or send two requests",
                "directions",
            )


def _want(message: evaluation_pb2.Want, signature: Signature, highest_order: int) -> Want:
    quantity = _QUANTITIES.get(message.quantity)
    if quantity is None:
        known = ", ".join(sorted(f"QUANTITY_{known.name}" for known in Quantity))
        raise _malformed(f"the quantity {message.quantity} cannot be wanted; known are {known}", "quantity")
    mode = _mode(quantity, message.mode)
    _check_order(quantity, message.order, highest_order)
    argnums = _argnums(quantity, tuple(message.argnums), len(signature.arguments))
    modes = _modes(quantity, message)
    want = Want(quantity, mode, message.order, argnums, modes, _directions(quantity, message), message.sparse)
    _check_arguments(want, signature)
    _check_result(want, signature)
    return want


def _mode(quantity: Quantity, number: int) -> Mode:
    mode = _MODES.get(number)
    if mode is None:
        raise _malformed(f"the mode {number} is unknown; give MODE_FORWARD, MODE_REVERSE or none", "mode")
    if mode is not Mode.PLANNED and quantity is not Quantity.JACOBIAN:
        raise _malformed(f"a mode was given for {quantity.name}; only a JACOBIAN has one", "mode")
    return mode


def _modes(quantity: Quantity, message: evaluation_pb2.Want) -> tuple[Mode, ...]:
    if message.sparse and quantity not in _SPARSE:
        raise _malformed(f"{quantity.name} cannot be sparse; a JACOBIAN and a HESSIAN can", "sparse")
    modes = tuple(_MODES.get(number, Mode.PLANNED) for number in message.modes)
    levels = 0 if message.sparse else quantity.levels(message.order)
    if modes and not levels:
        what = f"a sparse {quantity.name}" if message.sparse else quantity.name
        raise _malformed(f"modes were given for {what}, whose modes the planner chooses", "modes")
    if modes and (len(modes) != levels or Mode.PLANNED in modes):
        raise _malformed(
            f"{quantity.name} takes {levels} modes, each MODE_FORWARD or MODE_REVERSE, innermost first, but "
            f"modes are {list(message.modes)}",
            "modes",
        )
    return modes


def _directions(quantity: Quantity, message: evaluation_pb2.Want) -> int | None:
    if not message.HasField("directions"):
        return None
    if not quantity.takes_directions:
        raise _malformed(
            f"directions were given for {quantity.name}; only JVP, VJP, HVP and GGN_VP have them",
            "directions",
        )
    if message.directions > _MOST_DIRECTIONS:
        raise _malformed(
            f"{message.directions} directions were given; at most {_MOST_DIRECTIONS} go into one request",
            "directions",
        )
    return message.directions


def _check_order(quantity: Quantity, order: int, highest: int) -> None:
    if quantity is not Quantity.DERIVATIVE:
        if order:
            raise _malformed(
                f"order {order} was given for {quantity.name}; only a DERIVATIVE has one", "order"
            )
    elif order == 0:
        raise _malformed("a DERIVATIVE needs its order; give 1 or more", "order")
    elif order > highest:
        raise exceeded(
            Reason.ORDER_TOO_HIGH,
            f"the derivative of order {order} was asked for",
            value=order,
            limit=highest,
            setting="max_derivative_order",
            advice="ask for a lower order",
        )


def _argnums(quantity: Quantity, given: tuple[int, ...], count: int) -> tuple[int, ...]:
    if quantity is Quantity.VALUE:
        if given:
            raise _invalid_argnums(quantity, given, "a VALUE has no argnums; leave them out")
        return ()
    argnums = given or (tuple(range(count)) if quantity in _OF_ALL_ARGUMENTS else (0,))
    if not count:
        raise _invalid_argnums(quantity, argnums, "the function has no arguments to differentiate")
    outside = [argnum for argnum in argnums if argnum >= count]
    if outside:
        fitting = "only 0" if count == 1 else f"0 to {count - 1}"
        why = f"argument {outside[0]} is out of range: the function has {count} and takes {fitting}"
        raise _invalid_argnums(quantity, argnums, why)
    if len(set(argnums)) < len(argnums):
        raise _invalid_argnums(quantity, argnums, "an argument stands there twice; give each once")
    return argnums


def _check_arguments(want: Want, signature: Signature) -> None:
    leaves = [
        (path, leaf)
        for argnum in want.argnums
        for path, leaf in zip(
            signature.arguments[argnum].paths, signature.arguments[argnum].leaves, strict=True
        )
    ]
    fixed = [(path, leaf) for path, leaf in leaves if not leaf.element.differentiable]
    passes_over = want.quantity in _OF_ALL_ARGUMENTS and len(fixed) < len(leaves)
    if fixed and not passes_over:
        path, leaf = fixed[0]
        why = f"{path} has type {leaf}, which has no derivative; choose floating-point or complex arguments"
        raise _invalid_argnums(want.quantity, want.argnums, why)


def _check_result(want: Want, signature: Signature) -> None:
    result = signature.result.leaves if signature.result else ()
    if want.sparse and want.quantity is Quantity.HESSIAN and not _is_real_scalar(result):
        raise _undefined(want, result, "has entries with coordinates for one real scalar as result only")
    if want.quantity in _OF_A_REAL_SCALAR and not _is_real_scalar(result):
        jacobian = "; ask for the jacobian" if want.quantity is Quantity.GRADIENT else ""
        raise _undefined(want, result, f"exists for one real scalar as result{jacobian}")
    whole = want.quantity not in (Quantity.VALUE, *_OF_ALL_ARGUMENTS)
    if whole and not all(leaf.element.differentiable for leaf in result):
        raise _undefined(want, result, "needs results of floating-point or complex type only; ask for a jvp")


def _is_real_scalar(result: tuple[TensorType, ...]) -> bool:
    match result:
        case [TensorType(element, ())]:
            return element.differentiable and not element.is_complex
        case _:
            return False


def _undefined(want: Want, result: tuple[TensorType, ...], why: str) -> ServiceError:
    spelled = ", ".join(map(str, result))
    return service_error(
        Reason.DERIVATIVE_UNDEFINED,
        f"a {want.quantity.value} {why}; this function's result is ({spelled})",
        quantity=want.quantity.name,
        result=spelled,
    )


def _invalid_argnums(quantity: Quantity, argnums: tuple[int, ...], why: str) -> ServiceError:
    spelled = str(list(argnums))
    return service_error(
        Reason.INVALID_ARGNUMS,
        f"argnums {spelled} of {quantity.name}: {why}",
        quantity=quantity.name,
        argnums=spelled,
    )


def _malformed(message: str, field: str) -> ServiceError:
    return service_error(Reason.MALFORMED_REQUEST, message, field=field)
