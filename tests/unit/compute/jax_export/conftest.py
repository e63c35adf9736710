"""A kernel, and artifacts of jax.export to load into it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pytest
from evaluations import evaluated, evaluation
from jax import export

from pullback.program.container import Body, Program
from pullback.program.digest import digest
from pullback.program.signature import Signature
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.kernel import Kernel
from pullback_server.model.functions import Findings
from pullback_server.model.quantities import Quantity, Want


@dataclass
class Bench:
    """Loads bodies that say their signature, and evaluates them.

    Attributes:
        kernel: Where they are loaded.
    """

    kernel: Kernel = field(default_factory=Kernel)

    def load(self, body: Body) -> Findings:
        """What is found in a body; the stored program, which has the signature, loads as well."""
        program = Program(body, Signature(()))
        found = self.kernel.load(digest(program), program_to_bytes(program))
        stored = Program(body, found.signature or Signature(()))
        assert Kernel().load(digest(stored), program_to_bytes(stored)).signature == found.signature
        return found

    def evaluate(self, body: Body, quantity: str, *arguments: Any, points: int | None = None) -> Any:
        """The leaves of one quantity, with respect to the first argument."""
        self.load(body)
        want = Want(Quantity(quantity), argnums=() if quantity == "value" else (0,))
        tensors = tuple(to_tensor(np.asarray(argument)) for argument in arguments)
        name = digest(Program(body, Signature(())))
        outcome = evaluated(self.kernel, evaluation(name, (want,), tensors, points=points))
        return [to_array(tensor) for tensor in outcome.results[0]]


@pytest.fixture(scope="session")
def bench() -> Bench:
    """One kernel for all tests."""
    return Bench()


Serialize = Callable[..., bytes]


@pytest.fixture(scope="session")
def serialize() -> Serialize:
    """Exports a function and serializes it, in float64."""

    def serialize(
        function: Any, *types: Any, vjp_order: int = 0, platforms: Any = None, **keywords: Any
    ) -> bytes:
        with jax.enable_x64(True):
            exported = export.export(jax.jit(function), platforms=platforms)(*types, **keywords)
            return bytes(exported.serialize(vjp_order=vjp_order))

    return serialize
