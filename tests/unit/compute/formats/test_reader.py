"""The reader finds the format of a program, and the kernel differentiates what it reads."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.export import export
from pullback.program.container import Formula, Program, StableHlo
from pullback.program.digest import digest
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.formats.reader import read
from pullback_server.compute.kernel import Kernel
from pullback_server.errors import Reason, ServiceError

X = np.linspace(0.1, 0.9, 4)
SIGNATURE = Signature((Argument("x", LEAF, (parse_tensor_type("f64[4]"),)),))


@pytest.mark.parametrize(
    "program", [Program(Formula("sum(x**3)"), SIGNATURE), export(lambda x: jnp.sum(x**3), X)]
)
def test_every_format_is_read(want: Any, close: Any, program: Program) -> None:
    """A formula and a StableHLO module of the same function have the same gradient."""
    kernel = Kernel()
    assert kernel.load(digest(program), program_to_bytes(program)).result == (parse_tensor_type("f64[]"),)
    outcome = evaluated(kernel, evaluation(digest(program), (want("gradient"),), (to_tensor(X),)))
    close([to_array(tensor) for tensor in outcome.results[0]], jax.grad(lambda x: jnp.sum(x**3))(X))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (Formula("sum(x"), Reason.FORMULA_ERROR),
        (StableHlo(b"no module"), Reason.MALFORMED_PROGRAM),
    ],
)
def test_every_format_says_what_is_wrong(body: Formula | StableHlo, reason: Reason) -> None:
    """A program that its format refuses is refused with the format's own reason."""
    with pytest.raises(ServiceError) as caught:
        read(Program(body, SIGNATURE))
    assert caught.value.reason is reason
