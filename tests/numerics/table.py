"""The rows of the table, and how each is computed: locally by JAX, and from the lifted program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numerics.cases import Case
from numerics.catalogue import (
    algebra,
    complex_plane,
    control,
    elementary,
    indexing,
    networks,
    physics,
    probability,
    special,
)

from pullback.export import export
from pullback_server.compute.formats.stablehlo.lift import lift

_THEMES: Final = (
    elementary,
    indexing,
    algebra,
    control,
    special,
    probability,
    networks,
    physics,
    complex_plane,
)
CASES: Final = {case.name: case for theme in _THEMES for case in theme.CASES}
_NUMBERS: Final = {name: number for number, name in enumerate(CASES)}
REAL: Final = ("float64", "float32")
COMPLEX: Final = ("complex128",)
BATCHES: Final = (None, 1, 3)

Function = Callable[..., Any]


def _scalar(function: Function) -> Function:
    """The results weighted and summed: what gradients are taken of."""

    def scalar(*arguments: Any) -> Any:
        out = function(*arguments)
        weights = jnp.cos(jnp.arange(out.size, dtype=out.real.dtype)).reshape(out.shape)
        return jnp.sum(out.real * weights + out.imag) if jnp.iscomplexobj(out) else jnp.sum(out * weights)

    return scalar


def _every(arguments: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(arguments)))


def _directions(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(jnp.sin(1.0 + jnp.arange(v.size).astype(v.dtype)).reshape(v.shape) for v in values)


def _value(f: Function, *x: Any) -> Any:
    return f(*x)


def _grad(f: Function, *x: Any) -> Any:
    return jax.grad(_scalar(f), _every(x))(*x)


def _jacfwd(f: Function, *x: Any) -> Any:
    return jax.jacfwd(f, _every(x))(*x)


def _jacrev(f: Function, *x: Any) -> Any:
    return jax.jacrev(f, _every(x))(*x)


def _hessian(f: Function, *x: Any) -> Any:
    return jax.hessian(_scalar(f), _every(x))(*x)


def _jvp(f: Function, *x: Any) -> Any:
    return jax.jvp(f, x, _directions(x))


def _vjp(f: Function, *x: Any) -> Any:
    out, pullback = jax.vjp(f, *x)
    return pullback(_directions([out])[0])


def _third(f: Function, *x: Any) -> Any:
    return jax.jacfwd(jax.hessian(_scalar(f)))(*x)


DERIVATIVES: Final[dict[str, Function]] = {
    "value": _value,
    "grad": _grad,
    "jacfwd": _jacfwd,
    "jacrev": _jacrev,
    "hessian": _hessian,
    "jvp": _jvp,
    "vjp": _vjp,
    "third": _third,
}
_FAST: Final = {
    ("float64", None): ("value", "grad", "hessian"),
    ("complex128", None): ("value", "grad"),
}
_SLOW: Final = (("float64", 3), ("complex128", 3))
# A batch of a function has some of these, and the next function others: compiling takes most of the time.
_BATCHED: Final = (
    frozenset({"value", "hessian"}),
    frozenset({"value", "jacfwd", "vjp"}),
    frozenset({"value", "grad", "jacrev", "jvp"}),
)
_SLOW_SINGLE: Final = ("value", "grad")
# Single precision runs through the same lifter: one function of three shows what is peculiar to it.
_SINGLE_STRIDE: Final = 3
# Third derivatives of batches take longest to compile, and are batched as Hessians are.
_THIRD_STRIDE: Final = 3
_OF_COMPLEX: Final = frozenset({"value", "grad", "jvp", "vjp"})
_REVERSE: Final = frozenset({"grad", "jacrev", "hessian", "vjp", "third"})
_FORWARD: Final = frozenset({"jacfwd", "hessian", "jvp", "third"})


def derivatives_of(case: Case) -> list[str]:
    """The derivatives of a case that JAX has."""
    return [
        name
        for name in DERIVATIVES
        if not (name in _REVERSE and not case.reverse)
        and not (name in _FORWARD and not case.forward)
        and not (name == "third" and not case.third)
        and not (case.is_complex and name not in _OF_COMPLEX)
    ]


@dataclass(frozen=True)
class Row:
    """One row: a derivative of a function, in a precision, at a point or at a batch of points."""

    case: str
    derivative: str
    dtype: str
    batch: int | None

    @property
    def id(self) -> str:
        """The row's name."""
        where = "point" if self.batch is None else f"batch{self.batch}"
        return f"{self.case}-{self.derivative}-{self.dtype}-{where}"


ROWS: Final = [
    Row(case.name, derivative, dtype, batch)
    for case in CASES.values()
    for dtype in (COMPLEX if case.is_complex else REAL)
    for batch in BATCHES
    for derivative in derivatives_of(case)
]


def is_fast(row: Row) -> bool:
    """Whether the row belongs to the part of the table that takes minutes, not an hour."""
    if CASES[row.case].heavy:
        return row.derivative == "value" and (row.dtype, row.batch) == ("float64", None)
    return row.derivative in _FAST.get((row.dtype, row.batch), ())


def is_slow(row: Row) -> bool:
    """Whether a row that is not fast belongs to the part that takes minutes: batches."""
    if CASES[row.case].heavy:
        return False
    if (row.dtype, row.batch) == ("float32", 3):
        return row.derivative in _SLOW_SINGLE and _NUMBERS[row.case] % _SINGLE_STRIDE == 0
    if row.derivative == "third":
        return (row.dtype, row.batch) in _SLOW and _NUMBERS[row.case] % _THIRD_STRIDE == 0
    turn = _NUMBERS[row.case] % len(_BATCHED)
    return (row.dtype, row.batch) in _SLOW and row.derivative in _BATCHED[turn]


def arguments_of(case: Case, dtype: str, batch: int | None) -> tuple[np.ndarray[Any, Any], ...]:
    """The point, or a batch of points near it."""
    point = tuple(part.astype(dtype) for part in case.point)
    if batch is None:
        return point
    return tuple(np.stack([part * (1 + 0.01 * i) for i in range(batch)]).astype(dtype) for part in point)


def _selection(row: Row) -> tuple[bool, bool]:
    return is_fast(row), is_slow(row)


@cache
def lifted(name: str, dtype: str) -> Function:
    """The function, exported and lifted again."""
    case = CASES[name]
    program = export(case.function, *arguments_of(case, dtype, None))
    flat = lift(program.body, program.signature)
    return lambda *arguments: flat(arguments)[0]


def both(row: Row) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
    """A row's leaves, locally and from the lifted program.

    Rows of a function at one kind of point are compiled together if they are run together.
    """
    local, remote = _together(row.case, row.dtype, row.batch, _selection(row))
    return local[row.derivative], remote[row.derivative]


@cache
def _together(
    name: str, dtype: str, batch: int | None, selection: tuple[bool, bool]
) -> tuple[dict[str, Any], dict[str, Any]]:
    case = CASES[name]
    names = [
        derivative
        for derivative in derivatives_of(case)
        if _selection(Row(name, derivative, dtype, batch)) == selection
    ]
    arguments = arguments_of(case, dtype, batch)
    local = _evaluate(case.function, names, arguments, batch)
    return local, _evaluate(lifted(name, dtype), names, arguments, batch)


def _evaluate(
    function: Function, names: list[str], arguments: Sequence[Any], batch: int | None
) -> dict[str, Any]:
    def everything(*x: Any) -> dict[str, list[Any]]:
        return {name: jax.tree.leaves(DERIVATIVES[name](function, *x)) for name in names}

    transformed = everything if batch is None else jax.vmap(everything)
    out: dict[str, Any] = jax.tree.map(np.asarray, jax.jit(transformed)(*arguments))
    return out
