"""The peak memory of large derivatives: the planner's, in chunks, and JAX's own, all directions at once.

`python bench/memory.py` measures each in a process of its own and prints a table. Every number includes the
results, and the process with JAX in it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback.program.elements import ElementType
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF
from pullback_server.compute.compiler.compiler import compile_ahead
from pullback_server.compute.compiler.trace import trace
from pullback_server.compute.kernel import configure_jax
from pullback_server.compute.programs import LoadedProgram
from pullback_server.model.quantities import Mode, Quantity, Want

DATA: Final = np.random.default_rng(3).normal(size=(512, 64))


def loss(weights: jax.Array) -> jax.Array:
    """A network of one hidden layer on 512 examples: f64[4096] -> f64[]."""
    hidden = jnp.tanh(DATA @ weights.reshape(64, 64))
    return jnp.mean(jnp.sum(jnp.sin(hidden) * hidden, 1) ** 2)


def outputs(weights: jax.Array) -> jax.Array:
    """The same network's first 256 outputs: f64[4096] -> f64[256]."""
    hidden = jnp.tanh(DATA @ weights.reshape(64, 64))
    return jnp.sum(jnp.sin(hidden) * hidden, 1)[:256]


def small(weights: jax.Array) -> jax.Array:
    """A network with 96 parameters on 4,096 examples: f64[96] -> f64[]."""
    data = jnp.tile(DATA[:, :12], (8, 1))
    return jnp.mean(jnp.sum(jnp.sin(jnp.tanh(data @ weights.reshape(12, 8))), 1) ** 3)


CASES: Final[dict[str, tuple[Callable[..., Any], int, Want, Callable[..., Any]]]] = {
    "hessian 4096 x 4096": (loss, 4096, Want(Quantity.HESSIAN, argnums=(0,)), jax.hessian(loss)),
    "jacobian 256 x 4096": (
        outputs,
        4096,
        Want(Quantity.JACOBIAN, mode=Mode.FORWARD, argnums=(0,)),
        jax.jacfwd(outputs),
    ),
    "third order, 96 parameters": (
        small,
        96,
        Want(Quantity.DERIVATIVE, order=3, argnums=(0,)),
        jax.jacfwd(jax.hessian(small)),
    ),
}


def planned(function: Callable[..., Any], size: int, want: Want) -> Callable[..., Any]:
    """The planner's executable for a want of a function of one array."""
    leaf = TensorType(ElementType.F64, (size,))
    shape = jax.eval_shape(function, jax.ShapeDtypeStruct((size,), np.float64))
    result = (TensorType(ElementType.F64, shape.shape),)
    signature = Signature((Argument("x", LEAF, (leaf,)),), Result(LEAF, result))

    def flat(*leaves: jax.Array) -> list[jax.Array]:
        return [function(*leaves)]

    program = LoadedProgram(flat, lambda: flat, signature, result, 0)
    return compile_ahead(trace(program, (want,)), None, None)


def measure(name: str, who: str) -> None:
    """Prints the peak memory and the time of one case in this process."""
    configure_jax()
    function, size, want, native = CASES[name]
    x = np.random.default_rng(0).normal(size=size) / 8
    run = planned(function, size, want) if who == "planned" else jax.jit(native)
    before = time.perf_counter()
    jax.block_until_ready(run(x))
    seconds = time.perf_counter() - before
    print(f"{name:28} {who:8} {_peak_mib():8.0f} MiB {seconds:7.1f} s")


def _peak_mib() -> float:
    """The most memory that this program had; getrusage also counts its parent's from before it began."""
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(*sys.argv[1:])
    else:
        for case in CASES:
            for side in ("planned", "native"):
                subprocess.run([sys.executable, __file__, case, side], check=False)
