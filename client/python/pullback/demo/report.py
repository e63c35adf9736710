"""Runs the demo: an embedded server, real functions, and a table of how near they come to local JAX."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import pullback
from pullback.demo.cases import Asked, Case, cases

POINTS: Final = 16
TOLERANCE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one case.

    Attributes:
        case: The case.
        asked: The quantity.
        shapes: The shapes of the result's leaves for one point.
        distance: The largest distance to local JAX, relative to the largest element.
        bit_equal: Whether every bit is the same.
        seconds: The time of a call once everything is compiled.
    """

    case: Case
    asked: Asked
    shapes: tuple[tuple[int, ...], ...]
    distance: float
    bit_equal: bool
    seconds: float


def main() -> int:
    """Runs the demo and prints its table.

    Returns:
        The exit status: 0 if every result is within 1e-12 of local JAX, else 1.
    """
    # The server always computes in the dtype of the program; only the comparison needs this switch.
    with jax.enable_x64(True):
        return _run(Console())


def _run(console: Console) -> int:
    console.print("Starting an embedded Pullback server ...")
    with pullback.local() as client:
        capabilities = client.capabilities()
        console.print(f"It runs JAX {capabilities.versions['jax']} on {_devices(capabilities.devices)}.")
        _show_first_example(console, client)
        with console.status("Registering and compiling ...") as status:
            rows = list(_rows(client, lambda title: status.update(f"Registering and compiling: {title} ...")))
    console.print(_table(rows))
    return _conclude(console, rows)


def _devices(devices: Any) -> str:
    return ", ".join(f"{device.platform}:{device.ordinal} ({device.kind})" for device in devices)


def _show_first_example(console: Console, client: pullback.Client) -> None:
    formula = client.register(pullback.Formula("sin(x)*cos(x)", x="f64[]"), name="tutorial")
    console.print(
        f"The gradient of sin(x)*cos(x) at 1.0 is {float(formula.grad(1.0)):.16f}, "
        f"and cos(2) is {np.cos(2.0):.16f}.",
        soft_wrap=True,
    )


def _rows(client: pullback.Client, show: Callable[[str], None]) -> Iterator[Row]:
    for case in cases():
        show(case.title)
        served = client.register(case.function, case.center, name=case.name, description=case.title)
        for asked in case.asked:
            yield _row(case, asked, _served(served, asked))


def _served(function: pullback.Function, asked: Asked) -> Callable[[Any], Any]:
    return function if asked == "value" else getattr(function, asked)


def _row(case: Case, asked: Asked, served: Callable[[Any], Any]) -> Row:
    points = case.points(POINTS)
    leaves = jax.tree.leaves(served(points))
    expected = [np.asarray(leaf) for leaf in jax.tree.leaves(_local(case, asked)(points))]
    began = time.perf_counter()
    served(points)
    seconds = time.perf_counter() - began
    distance = max(map(_distance, leaves, expected))
    bit_equal = all(map(np.array_equal, leaves, expected))
    shapes = tuple(leaf.shape[1:] for leaf in leaves)
    return Row(case, asked, shapes, distance, bit_equal, seconds)


def _local(case: Case, asked: Asked) -> Callable[[Any], Any]:
    transformations: dict[Asked, Callable[[Any], Any]] = {
        "value": lambda function: function,
        "grad": jax.grad,
        "jacobian": jax.jacfwd if "grad" not in case.asked else jax.jacrev,
        "hessian": jax.hessian,
    }
    local: Callable[[Any], Any] = jax.jit(jax.vmap(transformations[asked](case.function)))
    return local


def _distance(actual: Any, expected: Any) -> float:
    scale = max(float(np.max(np.abs(expected))), np.finfo(np.float64).tiny)
    return float(np.max(np.abs(actual - expected))) / scale


def _table(rows: list[Row]) -> Table:
    table = Table(title=f"A batch of {POINTS} points of each function, over gRPC, against local JAX")
    for heading in ("function", "quantity", "shape of one"):
        table.add_column(heading)
    for heading in ("distance", "time"):
        table.add_column(heading, justify="right")
    for previous, row in zip([None, *rows], rows, strict=False):
        first = previous is None or previous.case.name != row.case.name
        if first and previous is not None:
            table.add_section()
        table.add_row(row.case.title if first else "", row.asked, _shape(row), _nearness(row), _time(row))
    return table


def _shape(row: Row) -> str:
    if len(row.shapes) > 1:
        return f"{len(row.shapes)} arrays"
    return " x ".join(map(str, row.shapes[0])) or "scalar"


def _nearness(row: Row) -> str:
    return "0, bit for bit" if row.bit_equal else f"{row.distance:.1e}"


def _time(row: Row) -> str:
    return f"{1e3 * row.seconds:.1f} ms"


def _conclude(console: Console, rows: list[Row]) -> int:
    far = [row for row in rows if not row.distance <= TOLERANCE]
    same = sum(row.bit_equal for row in rows)
    if far:
        names = ", ".join(f"{row.asked} of {row.case.name}" for row in far)
        console.print(f"[red]Farther than {TOLERANCE:g} from local JAX: {names}[/red]")
        return 1
    console.print(
        f"All {len(rows)} results are within {TOLERANCE:g} of local JAX, {same} of them bit for bit. "
        "The server has stopped."
    )
    return 0
