"""What clients do: each piece of work asks for something, and says whether the numbers are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

import pullback
from chaos.clients.patience import delete, while_the_disk_is_full
from chaos.clients.wire import gradients
from chaos.functions import (
    BOWL,
    CUBE,
    TOLERANCE,
    WAVE,
    WIDTH,
    Array,
    bowl_jacobian,
    cube_gradient,
    right,
    wave,
    wave_gradient,
    wave_hessian,
)
from pullback.errors import NotFoundError

_BATCH: Final = 50
_STREAMED: Final = 30
_MAPPED: Final = 1500
_LARGE: Final = 4000


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a piece of work.

    Attributes:
        answers: How many answers there were.
        reopened: How often a stream broke off.
    """

    answers: int = 1
    reopened: int = 0


class WrongError(Exception):
    """An answer is not what it has to be."""


@dataclass
class Client:
    """One client of a tenant.

    Attributes:
        name: What it is called, among all.
        own: Its own connection.
        shared: A connection that it shares with others, whose calls travel together.
        place: The server's address, and the token, for what goes without the library.
        factor: The factor of its tenant's functions.
        generator: Its points.
        functions: The functions, by name, of each connection.
    """

    name: str
    own: pullback.Client
    shared: pullback.Client
    place: tuple[str, str | None]
    factor: float
    generator: np.random.Generator
    registered: int = 0
    functions: dict[tuple[str, bool], pullback.Function] = field(default_factory=dict)

    def function(self, name: str, *, shared: bool = False) -> pullback.Function:
        """A function, by name."""
        if (name, shared) not in self.functions:
            self.functions[name, shared] = (self.shared if shared else self.own).function(name)
        return self.functions[name, shared]

    def points(self, *shape: int) -> tuple[Array, Array]:
        """Arguments of a wave, with these axes before its own."""
        x, y = self.generator.normal(size=(2, *shape, WIDTH))
        return x, y


def point(client: Client) -> Done:
    """A gradient at a point, by a connection that others use at the same time."""
    x, y = client.points()
    _require(client.function(WAVE, shared=True).grad(x, y), wave_gradient(x, y, client.factor))
    return Done()


def both(client: Client) -> Done:
    """A value with its gradient."""
    x, y = client.points()
    value, gradient = client.function(WAVE).value_and_grad(x, y)
    _require(value, wave(x, y, client.factor))
    _require(gradient, wave_gradient(x, y, client.factor))
    return Done()


def batch(client: Client) -> Done:
    """Values and gradients of a batch, of any size."""
    size = int(client.generator.integers(0, _BATCH))
    x, y = client.points(size)
    results = client.function(WAVE).evaluate(x, y, want=["value", "grad"])
    _require(results.value, wave(x, y, client.factor))
    _require(results.grad, wave_gradient(x, y, client.factor))
    return Done()


def large(client: Client) -> Done:
    """Gradients of a batch whose tensors go through shared memory where client and server share it."""
    x, y = client.points(_LARGE)
    _require(client.function(WAVE).evaluate(x, y, want=["grad"]).grad, wave_gradient(x, y, client.factor))
    return Done()


def hessian(client: Client) -> Done:
    """A Hessian."""
    x, y = client.points()
    _require(client.function(WAVE).hessian(x, y), wave_hessian(x, y, client.factor))
    return Done()


def jacobian(client: Client) -> Done:
    """A Jacobian."""
    x, _ = client.points()
    _require(client.function(BOWL).jacobian(x), bowl_jacobian(x, client.factor))
    return Done()


def stream(client: Client) -> Done:
    """Many gradients on a stream, each answered once with its own numbers."""
    xs, ys = client.points(_STREAMED)
    with client.function(WAVE).stream() as streamed:
        futures = [streamed.grad(x, y) for x, y in zip(xs, ys, strict=True)]
        answers = [future.result(timeout=300) for future in futures]
    _require(np.stack(answers), wave_gradient(xs, ys, client.factor))
    return Done(_STREAMED)


def bare(client: Client) -> Done:
    """A stream without the client library, on which each answer comes once."""
    xs, ys = client.points(_STREAMED)
    answers, reopened = gradients(*client.place, xs, ys)
    _require(answers, wave_gradient(xs, ys, client.factor))
    return Done(_STREAMED, reopened)


def mapped(client: Client) -> Done:
    """A map over many points."""
    xs, ys = client.points(_MAPPED)
    results = client.function(WAVE).map(xs, ys, want=["grad"], chunk=100)
    _require(results.grad, wave_gradient(xs, ys, client.factor))
    return Done(_MAPPED)


def register(client: Client) -> Done:
    """A function that comes, is evaluated, goes, and is gone."""
    client.registered += 1
    name = f"{client.name}-{client.registered}"
    factor = 1 + client.registered / 1000
    source = pullback.Formula(CUBE.format(factor=factor), x=f"f64[{WIDTH}]")
    function = while_the_disk_is_full(lambda: client.own.register(source, name=name))
    x, _ = client.points()
    _require(function.grad(x), cube_gradient(x, factor))
    delete(client.own, name)
    try:
        client.own.function(name)
    except NotFoundError:
        return Done(4)
    raise WrongError(f"{name} is still there after it was deleted")


def listed(client: Client) -> Done:
    """The list of functions has those that stay."""
    names = {function.name for function in client.own.functions()}
    if not {WAVE, BOWL} <= names:
        raise WrongError(f"functions are missing: {sorted(names)}")
    return Done()


WORK: Final[dict[str, tuple[int, Callable[[Client], Done]]]] = {
    "point": (37, point),
    "both": (15, both),
    "batch": (12, batch),
    "large": (3, large),
    "hessian": (12, hessian),
    "jacobian": (4, jacobian),
    "stream": (6, stream),
    "bare": (3, bare),
    "map": (3, mapped),
    "register": (3, register),
    "list": (2, listed),
}
"""What is done, and how often in a hundred."""


def _require(actual: Any, expected: Array) -> None:
    if not right(actual, expected):
        given = np.asarray(actual)
        difference = np.max(np.abs(given - expected)) if given.shape == expected.shape else given.shape
        raise WrongError(f"wrong numbers: off by {difference}, where {TOLERANCE} is allowed")
