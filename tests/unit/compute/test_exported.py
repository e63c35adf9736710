"""From the client's export through the kernel: every quantity equals local JAX.

Functions cross as StableHLO, so that XLA may group operations otherwise than locally: over batches, numbers
are equal but for the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluated, evaluation

from pullback.export import export
from pullback.program.digest import digest
from pullback.program.wire import program_to_bytes
from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.kernel import Kernel
from pullback_server.model.quantities import Want

jax.config.update("jax_enable_x64", True)
RANDOM = np.random.default_rng(5)
PARAMETERS = {"w": RANDOM.normal(size=(4, 3)), "b": [RANDOM.normal(size=3), np.float64(0.4)]}
X = RANDOM.normal(size=4)
Z = RANDOM.normal(size=3) + 1j * RANDOM.normal(size=3)


def loss(parameters: dict[str, Any], x: jax.Array) -> jax.Array:
    """A tree and an array to a scalar, with a custom rule and a stopped gradient inside."""
    hidden = jax.nn.softplus(x @ parameters["w"] + parameters["b"][0])
    return jax.nn.logsumexp(hidden * jax.lax.stop_gradient(x[0])) * parameters["b"][1]


def outputs(parameters: dict[str, Any], x: jax.Array) -> dict[str, Any]:
    """A tree and an array to a tree, through a scan."""
    carry, steps = jax.lax.scan(lambda c, w: (jnp.sin(c) + w.sum(), c * w), x[0], parameters["w"])
    return {"last": carry, "all": steps[:, ::2]}


def chosen(x: jax.Array, n: jax.Array, on: jax.Array) -> jax.Array:
    """A real, an integer and a boolean argument to a scalar."""
    return jnp.where(on, jnp.sum(x**n), jnp.sum(jnp.cos(x)))


def energy(z: jax.Array, x: jax.Array) -> jax.Array:
    """A complex and a real argument to a real scalar."""
    return jnp.sum(jnp.abs(jnp.exp(z) * x[:3]) ** 2)


@dataclass(frozen=True)
class Case:
    """A function with arguments, and a quantity with what local JAX calls it.

    Attributes:
        function: The function.
        arguments: Its arguments, at one point.
        quantity: The quantity.
        argnums: Its argnums.
        local: Gives the quantity of the arguments.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    quantity: str
    argnums: tuple[int, ...]
    local: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.function.__name__}-{self.quantity}-{self.argnums}"


def case(function: Any, arguments: tuple[Any, ...], quantity: str, *argnums: int) -> Case:
    """A case, with the transformation of JAX that belongs to the quantity."""
    transformation = {
        "value": lambda f, _: f,
        "gradient": jax.grad,
        "jacobian": jax.jacrev,
        "hessian": jax.hessian,
    }[quantity]
    return Case(function, arguments, quantity, argnums, transformation(function, argnums))


CASES = [
    case(loss, (PARAMETERS, X), "value"),
    case(loss, (PARAMETERS, X), "gradient", 0),
    case(loss, (PARAMETERS, X), "gradient", 1, 0),
    case(loss, (PARAMETERS, X), "hessian", 1),
    case(loss, (PARAMETERS, X), "hessian", 0, 1),
    case(outputs, (PARAMETERS, X), "value"),
    case(outputs, (PARAMETERS, X), "jacobian", 0),
    case(outputs, (PARAMETERS, X), "jacobian", 1, 0),
    case(outputs, (PARAMETERS, X), "hessian", 1),
    case(chosen, (X, np.int64(3), np.bool_(True)), "gradient", 0),
    case(chosen, (X, np.int64(3), np.bool_(False)), "hessian", 0),
    case(energy, (Z, X), "gradient", 0),
    case(energy, (Z, X), "gradient", 1, 0),
    case(energy, (Z, X), "hessian", 1),
]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """A kernel that reads what was exported."""
    return Kernel()


def evaluate(
    kernel: Kernel, asked: Case, want: Want, arguments: Sequence[Any], points: int | None
) -> list[np.ndarray]:
    """Exports, loads and evaluates; gives the leaves of the one quantity."""
    program = export(asked.function, *asked.arguments)
    kernel.load(digest(program), program_to_bytes(program))
    tensors = tuple(to_tensor(np.asarray(leaf)) for leaf in jax.tree.leaves(tuple(arguments)))
    outcome = evaluated(kernel, evaluation(digest(program), (want,), tensors, points=points))
    return [to_array(tensor) for tensor in outcome.results[0]]


def planned(asked: Case, want: Any) -> Want:
    """The want of a case, in reverse mode where there is a mode."""
    mode = {"mode": "reverse"} if asked.quantity == "jacobian" else {}
    wanted: Want = want(asked.quantity, *asked.argnums, **mode)
    return wanted


@pytest.mark.parametrize("asked", CASES, ids=str)
def test_at_a_point(kernel: Kernel, want: Any, same: Any, close: Any, asked: Case) -> None:
    """At one point, the quantity is that of local JAX, bit for bit where no complex product is regrouped."""
    expected = jax.jit(asked.local)(*asked.arguments)
    agree = close if asked.function is energy else same
    agree(evaluate(kernel, asked, planned(asked, want), asked.arguments, None), expected)


@pytest.mark.parametrize("asked", CASES, ids=str)
@pytest.mark.parametrize("points", [0, 1, 3])
def test_over_a_batch(kernel: Kernel, want: Any, close: Any, asked: Case, points: int) -> None:
    """Over a batch of every argument, the quantity is that of jax.vmap, in type even for no points."""
    scale = 1 + np.arange(points) / 8
    batch = jax.tree.map(lambda leaf: _scaled(np.asarray(leaf), scale), asked.arguments)
    expected = jax.jit(jax.vmap(asked.local))(*batch) if points else _none(asked)
    close(evaluate(kernel, asked, planned(asked, want), batch, points), expected)


@pytest.mark.parametrize("asked", [asked for asked in CASES if len(asked.arguments) > 1], ids=str)
def test_with_shared_arguments(kernel: Kernel, want: Any, close: Any, asked: Case) -> None:
    """With the first argument batched and the others shared, it is that of jax.vmap with in_axes."""
    first = jax.tree.map(lambda leaf: _scaled(np.asarray(leaf), np.arange(1.0, 4.0)), asked.arguments[0])
    given = (first, *asked.arguments[1:])
    axes = (0, *[None] * (len(given) - 1))
    expected = jax.jit(jax.vmap(asked.local, axes))(*given)
    close(evaluate(kernel, asked, planned(asked, want), given, 3), expected)


def _scaled(leaf: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """A batch: a number is scaled differently at each point, an integer or a boolean is repeated."""
    factors = scale.reshape(-1, *[1] * leaf.ndim)
    return (
        factors * leaf if leaf.dtype.kind in "fc" else np.broadcast_to(leaf, (len(scale), *leaf.shape))
    ).astype(leaf.dtype)


def _none(asked: Case) -> Any:
    shapes = jax.eval_shape(asked.local, *asked.arguments)
    return jax.tree.map(lambda leaf: np.empty((0, *leaf.shape), leaf.dtype), shapes)
