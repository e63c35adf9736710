"""A kernel with Python functions for programs, and what local JAX says of the same functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.elements import element_of
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import flatten, structure_of, unflatten
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.compiler.tiles import Tiling
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.kernel import Kernel
from pullback_server.model.evaluation import Outcome
from pullback_server.model.quantities import Mode, Quantity, Want


def types_of(leaves: Sequence[Any]) -> tuple[TensorType, ...]:
    """The types of arrays."""
    return tuple(TensorType(element_of(np.asarray(leaf).dtype), np.shape(leaf)) for leaf in leaves)


def signature_of(function: Callable[..., Any], *examples: Any) -> Signature:
    """The signature of a Python function at example arguments."""
    arguments = []
    for i, example in enumerate(examples):
        tree, leaves = structure_of(example)
        arguments.append(Argument(f"x{i}", tree, types_of(leaves)))
    tree, shapes = structure_of(jax.eval_shape(function, *examples))
    leaves = tuple(TensorType(element_of(shape.dtype), shape.shape) for shape in shapes)
    return Signature(tuple(arguments), Result(tree, leaves))


@dataclass
class Bench:
    """A kernel in which Python functions stand for programs: the formula's text is the function's name.

    Only the reading of formats is replaced; planning, compiling and running are real.
    """

    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    tiling: Tiling | None = None
    options: dict[str, Any] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kernel = Kernel(read=self.read, tiling=self.tiling, **self.options)

    def read(self, program: Program) -> Lifted:
        """Reads a program by looking its function up."""
        assert isinstance(program.body, Formula)
        function = self.functions[program.body.source]
        signature = program.signature

        def flat(leaves: Sequence[jax.Array]) -> list[jax.Array]:
            parts = [[leaves[i] for i in signature.leaf_range(n)] for n in range(len(signature.arguments))]
            pairs = zip(signature.arguments, parts, strict=True)
            result = function(*[unflatten(argument.tree, part) for argument, part in pairs])
            return flatten(structure_of(result)[0], result)

        return Lifted.alike(flat)

    def program(self, function: Callable[..., Any], *examples: Any) -> tuple[str, bytes]:
        """The digest and the bytes of a program that stands for a function."""
        name = f"f{len(self.functions)}"
        self.functions[name] = function
        program = Program(Formula(name), signature_of(function, *examples))
        self.signatures[digest(program)] = program.signature
        return digest(program), program_to_bytes(program)

    def load(self, function: Callable[..., Any], *examples: Any) -> str:
        """Loads a function; gives its digest."""
        name, data = self.program(function, *examples)
        self.kernel.load(name, data)
        return name

    def evaluate(
        self,
        name: str,
        wants: Sequence[Want],
        *arguments: Any,
        tangents: Sequence[Any] = (),
        cotangents: Sequence[Any] = (),
        points: int | None = None,
    ) -> list[list[np.ndarray]]:
        """Evaluates a loaded function; gives for each want its leaves as arrays."""
        outcome = self.outcome(
            name, wants, *arguments, tangents=tangents, cotangents=cotangents, points=points
        )
        return [[to_array(tensor) for tensor in result] for result in outcome.results]

    def outcome(
        self,
        name: str,
        wants: Sequence[Want],
        *arguments: Any,
        tangents: Sequence[Any] = (),
        cotangents: Sequence[Any] = (),
        points: int | None = None,
    ) -> Outcome:
        """Evaluates a loaded function; gives the outcome as it is."""
        tensors = [
            tuple(to_tensor(np.asarray(leaf)) for leaf in jax.tree.leaves(given))
            for given in (arguments, tangents, cotangents)
        ]
        leaves = self.signatures[name].leaves
        return evaluated(self.kernel, evaluation(name, wants, *tensors, points=points, leaves=leaves))


@pytest.fixture(scope="session")
def bench() -> Bench:
    """A bench with the kernel's usual limits."""
    return Bench()


@pytest.fixture(scope="session")
def make_bench() -> type[Bench]:
    """Makes a bench with limits of the test's choice."""
    return Bench


def want(quantity: str, *argnums: int, mode: str = "planned", order: int = 0, **extras: Any) -> Want:
    """A want by the name of its quantity; argument 0 unless told, and none for the value."""
    numbers = () if quantity == "value" else argnums or (0,)
    return Want(Quantity(quantity), Mode(mode), order, numbers, **extras)


@pytest.fixture(scope="session", name="want")
def want_fixture() -> Callable[..., Want]:
    """Makes a want by the name of its quantity."""
    return want


def assert_same(actual: Sequence[Any], expected: Any) -> None:
    """Leaves equal those of an expected value bit for bit, in number, dtype and shape too."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(expected)]
    assert [(leaf.dtype, leaf.shape) for leaf in actual] == [(leaf.dtype, leaf.shape) for leaf in leaves]
    for one, other in zip(actual, leaves, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="session")
def same() -> Callable[[Sequence[Any], Any], None]:
    """Asserts that leaves equal those of a value bit for bit."""
    return assert_same


def assert_close(actual: Sequence[Any], expected: Any) -> None:
    """Leaves equal those of an expected value in number, dtype and shape, and but for the last bits.

    For quantities that are asked together: what XLA fuses with what decides the last bits.
    """
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(expected)]
    assert [(leaf.dtype, leaf.shape) for leaf in actual] == [(leaf.dtype, leaf.shape) for leaf in leaves]
    for one, other in zip(actual, leaves, strict=True):
        epsilon = float(jnp.finfo(other.dtype).eps) if jnp.issubdtype(other.dtype, jnp.inexact) else 0.0
        wide = np.result_type(other.dtype, np.float32)
        np.testing.assert_allclose(one.astype(wide), other.astype(wide), rtol=64 * epsilon, atol=64 * epsilon)


@pytest.fixture(scope="session")
def close() -> Callable[[Sequence[Any], Any], None]:
    """Asserts that leaves equal those of a value but for the last bits."""
    return assert_close
