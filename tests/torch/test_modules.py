"""PyTorch modules: values and derivatives are those of PyTorch itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

import pullback
from pullback.export.errors import ExampleError, TracingError
from pullback.export.torch import export_module
from pullback.program.container import Program
from pullback.program.trees import flatten, unflatten
from pullback_server.compute.formats.reader import read

# PyTorch warns of its own use of itself.
pytestmark = pytest.mark.filterwarnings("ignore")

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}


class Attention(nn.Module):
    """Attention of an array to itself, with its weights as a second result."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """A dict, whose keys are not in the order of the alphabet."""
        value, weights = self.attention(x, x, x)
        return {"value": value, "weights": weights}


class Branching(nn.Module):
    """What no tracer can follow."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Branches on a value."""
        return x if x.sum() > 0 else -x


def mlp() -> nn.Module:
    """Linear layers with what stands between them."""
    return nn.Sequential(
        nn.Linear(3, 8),
        nn.GELU(),
        nn.LayerNorm(8),
        nn.Dropout(0.5),
        nn.Linear(8, 4),
        nn.SiLU(),
        nn.Linear(4, 2),
    )


def cnn() -> nn.Module:
    """Convolutions, batch normalization with means of its own, pooling."""
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, stride=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, groups=2),
        nn.GroupNorm(2, 6),
        nn.AvgPool2d(2, padding=1),
        nn.Flatten(),
        nn.Linear(6, 2),
        nn.LogSoftmax(-1),
    )
    module(torch.randn(4, 3, 14, 12))  # moves the running means
    return module


@dataclass(frozen=True)
class Case:
    """A module.

    Attributes:
        make: Makes it.
        shape: The shape of its input.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]


CASES = {
    "mlp": Case(mlp, (5, 3)),
    "cnn": Case(cnn, (2, 3, 14, 12)),
    "encoder": Case(lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "encoder with the norm first": Case(
        lambda: nn.TransformerEncoderLayer(8, 2, 12, norm_first=True, activation="gelu"), (3, 2, 8)
    ),
    "attention": Case(Attention, (2, 5, 8)),
    "lstm": Case(lambda: nn.LSTM(4, 6, num_layers=2, batch_first=True), (2, 5, 4)),
}


def as_jax(program: Program) -> Callable[..., list[jax.Array]]:
    """The program as a server lifts it: a function of the arguments that gives the result's leaves."""
    lifted = read(program)

    def function(*arguments: Any) -> list[jax.Array]:
        trees = [argument.tree for argument in program.signature.arguments]
        pairs = zip(trees, arguments, strict=True)
        return lifted([jnp.asarray(leaf) for tree, value in pairs for leaf in flatten(tree, value)])

    return function


def leaves_of(result: Any) -> list[torch.Tensor]:
    """The tensors of a result, as JAX orders them."""
    return [leaf for leaf in jax.tree.leaves(result) if isinstance(leaf, torch.Tensor)]


def total(leaves: list[Any]) -> Any:
    """A number that every element has its own part in."""
    return sum((leaf**3 + 2 * leaf).sum() for leaf in leaves)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, dtype: torch.dtype) -> None:
    """Values, and gradients by input and by every parameter, are those of torch.autograd."""
    case, rtol = CASES[name], TOLERANCES[dtype]
    module = case.make().to(dtype)
    x = torch.randn(case.shape, dtype=dtype)
    program = export_module(module, x, parameters=True)
    assert module.training
    module.eval()
    x.requires_grad_()
    expected = leaves_of(module(x))
    parameters = dict(module.named_parameters())
    gradients = torch.autograd.grad(total(expected), [*parameters.values(), x])

    function = as_jax(program)
    own = {key: jnp.asarray(value.detach().numpy()) for key, value in parameters.items()}
    point = jnp.asarray(x.detach().numpy())
    found = function(own, point)
    by_parameters, by_input = jax.grad(lambda *given: total(function(*given)), argnums=(0, 1))(own, point)
    for actual, wanted in zip(found, expected, strict=True):
        close(actual, wanted, rtol)
    for key, wanted in zip(parameters, gradients, strict=False):
        close(by_parameters[key], wanted, rtol)
    close(by_input, gradients[-1], rtol)


def close(actual: Any, expected: torch.Tensor, rtol: float) -> None:
    """Equal relative to the largest element, and of the same element type."""
    wanted = expected.detach().numpy()
    assert actual.dtype == wanted.dtype
    np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=rtol * max(1.0, np.abs(wanted).max()))


def test_hessian_and_batches() -> None:
    """A module's program has second derivatives, which PyTorch confirms, and takes batches."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = torch.randn(3, dtype=torch.float64)
    function = as_jax(export_module(module, x))

    def value(point: jax.Array) -> jax.Array:
        return function(point)[0].sum()

    expected = torch.func.hessian(lambda point: module(point).sum())(x).detach().numpy()
    np.testing.assert_allclose(jax.hessian(value)(jnp.asarray(x.numpy())), expected, rtol=1e-10)
    batch = np.stack([x.numpy(), 2 * x.numpy()])
    np.testing.assert_allclose(jax.vmap(jax.hessian(value))(batch)[0], expected, rtol=1e-10)


def test_frozen_module_takes_inputs_alone() -> None:
    """Parameters are constants unless they are asked for, and integers keep their 64 bits."""
    program = export_module(nn.Embedding(10, 4), torch.tensor([1, 2, 5]))
    (argument,) = program.signature.arguments
    assert (argument.name, str(argument.leaves[0])) == ("input", "i64[3]")
    assert {"torch", "torchax"} <= set(program.producer.dependencies)


def test_nested_examples() -> None:
    """Dicts go in by name, whatever the order in which they were made."""

    class Named(nn.Module):
        def forward(self, data: dict[str, torch.Tensor], scale: float) -> torch.Tensor:
            return data["first"] - scale * data["second"].sum()

    data = {"second": torch.tensor([4.0, 5.0]), "first": torch.tensor([1.0, 2.0, 3.0])}
    program = export_module(Named(), data, torch.tensor(2.0))
    (found,) = as_jax(program)({key: value.numpy() for key, value in data.items()}, np.float32(2.0))
    np.testing.assert_array_equal(found, [-17.0, -16.0, -15.0])
    tree = program.signature.arguments[0].tree
    assert set(unflatten(tree, [0, 1])) == {"first", "second"}


def test_what_cannot_be_exported() -> None:
    """A module that branches on values, or that gets too many examples, is refused with a word."""
    with pytest.raises(TracingError, match="must not branch on values"):
        export_module(Branching(), torch.randn(3))
    with pytest.raises(ExampleError, match="takes 1 arguments, and 2 were given"):
        export_module(nn.Linear(3, 2), torch.randn(3), torch.randn(3))


def test_with_a_server() -> None:
    """A module is registered like a function; its parameters are an argument where that is asked for."""
    module = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())
    x = torch.randn(3)
    with pullback.local("cpu:1") as client:
        plain = client.register(module, x, name="plain")
        np.testing.assert_allclose(plain(x), module(x).detach(), rtol=1e-6)
        source = pullback.Torch(module, parameters=True)
        function = client.register(source, x, name="module")
        jacobian = function.jacobian(source.parameters, x.numpy(), argnums=0)
        expected = torch.func.jacrev(lambda p: torch.func.functional_call(module, p, x))(
            dict(module.named_parameters())
        )
        assert set(jacobian) == set(expected)
        for name, wanted in expected.items():
            np.testing.assert_allclose(jacobian[name], wanted.detach(), rtol=1e-5, atol=1e-7)
