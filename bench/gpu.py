"""Heavy derivatives on an accelerator, against local JAX on the same one: `python bench/gpu.py [--record]`.

Every row is measured with arrays in the host's memory, as a caller has them, and local JAX also with arrays
that stay on the device: the difference is what transfers take where nothing hides them. The worker is
Pullback's own kernel in this process; the server is one with local JAX's device, in other processes. On a CPU
it shows that it works: `--scale 8` makes everything smaller.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

import pullback
from harness.machine import machine
from measure import Measurement, compare
from pullback.precautions import take_precautions

# Local JAX and the server share the device, so neither may take all of its memory. JAX and XLA read the
# environment when they are imported, which is why what stands on them is imported late here.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
take_precautions()

import jax  # noqa: E402 -- see above
import jax.numpy as jnp  # noqa: E402 -- see above

from pullback.export import export  # noqa: E402 -- see above
from pullback.program.digest import digest  # noqa: E402 -- see above
from pullback.program.wire import program_to_bytes  # noqa: E402 -- see above
from pullback_server.compute.kernel import Kernel  # noqa: E402 -- see above
from pullback_server.model.evaluation import Kind  # noqa: E402 -- see above
from pullback_server.model.quantities import Quantity, Want  # noqa: E402 -- see above

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
RESIDENT, LOCAL, WORKER, SERVER = "local JAX, on the device", "local JAX", "Pullback's worker", "Pullback"

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A derivative to take.

    Attributes:
        name: What it is.
        function: Of one array.
        transformation: JAX's, of functions.
        quantity: What Pullback calls it.
        x: The array, or a batch of them.
        points: The size of the batch; None for a single array.
    """

    name: str
    function: Function
    transformation: Callable[[Function], Function]
    quantity: Quantity
    x: Array
    points: int | None = None

    @property
    def point(self) -> Array:
        """One array."""
        return self.x if self.points is None else np.asarray(self.x[0])


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=2.0, help="seconds of each turn")
    parser.add_argument("--scale", type=int, default=1, help="how many times smaller everything is")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    options = parser.parse_args()
    report = _report(options)
    print(report)
    if options.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def cases(scale: int) -> tuple[Case, ...]:
    """The derivatives, in float32: those that the bars name, or smaller ones."""
    draws = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return draws.normal(size=shape).astype(np.float32) / np.float32(shape[-1] ** 0.5)

    width, points, n = 512 // scale, 8192 // scale, 512 // scale
    rows, columns = 256 // scale, 4096 // scale
    return (
        Case(
            f"gradients of a network of 4 layers, {4 * width**2:,} parameters, at {points:,} points",
            _network([normal(width, width) for _ in range(4)]),
            jax.grad,
            Quantity.GRADIENT,
            normal(points, width),
            points,
        ),
        Case(
            f"Hessian, n = {n}",
            _network([normal(n, n), normal(n, n)]),
            jax.hessian,
            Quantity.HESSIAN,
            normal(n),
        ),
        Case(
            f"Jacobian, {rows} x {columns:,}",
            _layer(normal(rows, columns)),
            jax.jacobian,
            Quantity.JACOBIAN,
            normal(columns),
        ),
    )


def _network(layers: list[Array]) -> Function:
    def network(x: Any) -> Any:
        for weights in layers:
            x = jnp.tanh(weights @ x)
        return jnp.sum(x**2)

    return network


def _layer(weights: Array) -> Function:
    return lambda x: jnp.tanh(weights @ jnp.sin(x))


def _report(options: argparse.Namespace) -> str:
    device = jax.devices()[0]
    setting = {"gpu": "cuda:0"}.get(device.platform, f"{device.platform}:1")
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d}: heavy derivatives on {device.device_kind}, float32",
        "",
        f"{machine()}; `bench/gpu.py`, medians of {options.rounds} interleaved rounds of",
        f"{options.budget:g} s. All but the first of each have their arrays in the host's memory.",
        "",
        "| derivative | what | time | over local JAX |",
        "| --- | --- | ---: | ---: |",
    ]
    with pullback.local(setting, timeout=600) as client:
        for number, case in enumerate(cases(options.scale)):
            calls = _calls(case, client, f"case-{number}")
            measured = compare(calls, LOCAL, rounds=options.rounds, budget=options.budget)
            lines += _rows(case.name, measured)
    return "\n".join(lines)


def _rows(name: str, measured: Mapping[str, Measurement]) -> list[str]:
    return [
        f"| {name} | {what} | {1e3 * each.seconds:.3f} ms | {each.ratio:.2f} |"
        for what, each in measured.items()
    ]


def _calls(case: Case, client: pullback.Client, name: str) -> dict[str, Callable[[], object]]:
    """The calls to compare, of which each was made once and gave the same."""
    transformed = case.transformation(case.function)
    local = jax.jit(transformed if case.points is None else jax.vmap(transformed))
    resident = jax.device_put(case.x)
    served = getattr(client.register(case.function, case.point, name=name), _METHODS[case.quantity])
    worker = _worker(case)
    expected = np.asarray(local(case.x))
    scale = float(np.abs(expected).max())
    for answer in (worker(), served(case.x)):
        np.testing.assert_allclose(answer, expected, atol=1e-4 * scale)
    return {
        RESIDENT: lambda: local(resident).block_until_ready(),
        LOCAL: lambda: np.asarray(local(case.x)),
        WORKER: worker,
        SERVER: lambda: served(case.x),
    }


_METHODS: Final = {
    Quantity.GRADIENT: "grad",
    Quantity.HESSIAN: "hessian",
    Quantity.JACOBIAN: "jacobian",
}


def _worker(case: Case) -> Callable[[], Array]:
    """A call of the worker's kernel, from the host's memory into it."""
    program = export(case.function, case.point)
    kernel = Kernel()
    for name, constant in program.attachments.items():
        kernel.bring(name, constant)
    kernel.load(digest(program), program_to_bytes(program))
    wants = (Want(case.quantity, argnums=(0,)),)
    batched = None if case.points is None else (True,)
    made = kernel.prepare(Kind(digest(program), wants, program.signature.leaves, batched=batched))
    (leaf,) = made.leaves
    place = bytearray(leaf.nbytes(case.points))
    result = leaf.form.place(place, case.points)
    data = case.x.reshape(-1).view(np.uint8).data

    def run() -> Array:
        kernel.run(made, [data], case.points, [place])
        return result

    return run


if __name__ == "__main__":
    main()
