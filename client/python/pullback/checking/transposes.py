"""`vjp` against finite differences and against `jvp`: the dot-product test <w, J v> = <J^T w, v>.

The product is bilinear, as JAX's is: nothing is conjugated, and of complex numbers the real part counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.comparing import Pair, compare
from pullback.checking.differences import Slopes
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding
from pullback.checking.space import Leaves, contract, tree_leaves
from pullback.checking.subject import DIFFERENCES, Subject, attempt
from pullback.program.trees import unflatten

_ROUNDINGS: Final = 64


def check_vjp(subject: Subject, slopes: Sequence[Slopes]) -> Asking[tuple[Finding, ...]]:
    """`vjp` of random cotangents, against finite differences and against `jvp`."""
    weights, cotangents = _cotangents(subject)
    argnums = subject.space.argnums
    pulled: list[Array] = []

    def against_differences() -> Asking[tuple[Finding, ...]]:
        found = yield from ask("vjp", subject.arguments, argnums, cotangents=cotangents)
        pulled.append(_dot(subject.stacked, tree_leaves(found)))
        return (compare("vjp", DIFFERENCES, [_differences(subject, pulled[0], weights, slopes)], tolerance),)

    def against_jvp() -> Asking[tuple[Finding, ...]]:
        found = yield from ask("jvp", subject.arguments, argnums, tangents=subject.tangents)
        pushed = tree_leaves(found)
        noise = _ROUNDINGS * subject.precision.epsilon * _dot(map(np.abs, pushed), map(np.abs, weights))
        pair = Pair(
            pulled[0], _dot(pushed, weights), noise, lambda index: (subject.directions[index[0]].where, "")
        )
        return (compare("vjp", "jvp", [pair], subject.precision.exact),)

    tolerance = subject.precision.differences
    findings = yield from attempt("vjp", DIFFERENCES, against_differences)
    if pulled:
        findings += yield from attempt("vjp", "jvp", against_jvp)
    return findings


def _cotangents(subject: Subject) -> tuple[Leaves, Any]:
    """Random weights for the leaves of the result that have a derivative, and the same as a tree."""
    result = subject.space.result
    leaves: list[Array | None] = [None] * len(result.leaves)
    weights = []
    for number in subject.space.changing:
        kind = result.leaves[number]
        real = subject.rng.uniform(-1, 1, kind.shape)
        drawn = real + 1j * subject.rng.uniform(-1, 1, kind.shape) if kind.element.is_complex else real
        leaves[number] = np.asarray(drawn).astype(kind.element.dtype)
        weights.append(np.asarray(leaves[number]).astype(np.asarray(drawn).dtype))
    return tuple(weights), unflatten(result.tree, leaves)


def _differences(subject: Subject, pulled: Array, weights: Leaves, slopes: Sequence[Slopes]) -> Pair:
    def total(name: str) -> Array:
        return _dot([getattr(slope, name) for slope in slopes], weights)

    kinks = [slope.kink.reshape(len(slope.kink), -1).any(axis=1) for slope in slopes]
    kink = np.logical_or.reduce(kinks) if kinks else np.zeros(len(pulled), bool)
    noise = _dot([slope.noise for slope in slopes], list(map(np.abs, weights)))
    joined = Slopes(total("slope"), noise, kink, total("left"), total("right"))
    place = subject.directions
    return Pair(pulled, joined.slope, noise, lambda index: (place[index[0]].where, ""), joined)


def _dot(stacked: Any, weights: Any) -> Array:
    """The real part of the bilinear product of all leaves, for each direction."""
    parts = [contract(changes, weight).real for changes, weight in zip(stacked, weights, strict=True)]
    return np.asarray(sum(parts[1:], parts[0]))
