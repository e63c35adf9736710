"""Sizes of programs that are registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pullback.program.container import Constant, Formula, Program, StableHlo
from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.errors import Code, Reason, ServiceError
from pullback_server.model.functions import Registered
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.programs import (
    check_arguments,
    check_constant_size,
    check_program,
    check_program_size,
)

Make = Callable[..., Registered]


def _constants(*sizes: int) -> StableHlo:
    """A body with constants of so many bytes."""
    kinds = [Constant(TensorType(ElementType.UI8, (size,)), "ab" * 32) for size in sizes]
    return StableHlo(b"", (), tuple(kinds))


def _program(body: StableHlo | Formula, registered: Make, **arguments: str) -> Program:
    function = registered("f64[]", **arguments)
    return Program(body, function.signature, function.producer)


@pytest.mark.parametrize(
    ("sizes", "value", "limit", "setting"),
    [
        ((1000, 500), None, 0, ""),
        ((1001,), 1001, 1000, "max_constant_bytes"),
        ((900, 600, 1), 1501, 1500, "max_program_constant_bytes"),
    ],
)
def test_constants(
    sizes: tuple[int, ...], value: int | None, limit: int, setting: str, registered: Make, limits: Limits
) -> None:
    """One constant and all of them together have a limit each, and each is named."""
    program = _program(_constants(*sizes), registered, x="f64[]")
    if value is None:
        check_program(program, limits)
        return
    with pytest.raises(ServiceError, match=rf"{value} bytes.*\({setting}\) is {limit};") as caught:
        check_program(program, limits)
    assert (caught.value.reason, caught.value.code) == (Reason.CONSTANTS_TOO_LARGE, Code.RESOURCE_EXHAUSTED)
    assert caught.value.metadata == {"value": str(value), "limit": str(limit), "setting": setting}


def test_inputs(registered: Make, limits: Limits) -> None:
    """A function of as many tensors as allowed is fine, one more is not."""
    arguments = {f"x{i}": "f64[2]" for i in range(limits.inputs)}
    check_program(_program(Formula("1"), registered, **arguments), limits)
    with pytest.raises(ServiceError, match=r"takes 9 tensors; .*\(max_inputs\) is 8;") as caught:
        check_program(_program(Formula("1"), registered, **arguments, y="f64[]"), limits)
    assert caught.value.reason is Reason.TOO_MANY_INPUTS


def test_arguments(limits: Limits) -> None:
    """Their number is told before anything is made of them."""
    check_arguments(8, limits)
    with pytest.raises(ServiceError, match=r"takes 9 arguments; .*\(max_inputs\) is 8;") as caught:
        check_arguments(9, limits)
    assert caught.value.reason is Reason.TOO_MANY_INPUTS


@pytest.mark.parametrize("where", ["argument", "result", "constant"])
def test_axes(registered: Make, limits: Limits, where: str) -> None:
    """How large a tensor of very many axes is takes minutes to say, so that it is refused before."""
    for axes, fits in ((64, True), (65, False), (1 << 12, False)):
        shape = (1,) * axes if fits else (1 << 62,) * axes
        sizes = ",".join(map(str, shape)) if where != "constant" else ""
        result, argument = (f"f64[{sizes}]", "f64[]") if where == "result" else ("f64[]", f"f64[{sizes}]")
        body = StableHlo(b"", (), (Constant(TensorType(ElementType.UI8, shape), "ab" * 32),))
        signature = registered(result, x=argument).signature
        program = Program(body if where == "constant" else Formula("1"), signature)
        if fits:
            check_program(program, limits)
            continue
        with pytest.raises(ServiceError, match=f"{axes} axes, and may have 64;") as caught:
            check_program(program, limits)
        assert caught.value.reason is Reason.MALFORMED_PROGRAM


def test_bytes(limits: Limits) -> None:
    """A serialized program and a constant that is announced, one byte too large."""
    check_program_size(1000, limits)
    check_constant_size(1000, limits)
    with pytest.raises(ServiceError, match=r"1001 bytes.*\(max_program_bytes\) is 1000;") as caught:
        check_program_size(1001, limits)
    assert caught.value.reason is Reason.PROGRAM_TOO_LARGE
    with pytest.raises(ServiceError, match=str(1 << 70)) as caught:
        check_constant_size(1 << 70, replace(limits, constant_bytes=1 << 40))
    assert caught.value.reason is Reason.CONSTANTS_TOO_LARGE
