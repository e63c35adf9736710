"""Diagonals and products that are made without their matrices, against what they are made without."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.comparing import alike, by_direction, compare, in_result
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding
from pullback.checking.space import Leaves, tree_leaves
from pullback.checking.subject import Subject, attempt
from pullback.program.trees import unflatten

_HESSIAN = "hessian"
_TWICE = "vjp of jvp"


def check_diagonals(subject: Subject, hessian: Leaves) -> Asking[tuple[Finding, ...]]:
    """`hessian_diag` and `laplacian` against the diagonal of the Hessian."""
    diagonals = tuple(_diagonals(subject, hessian))
    findings = yield from attempt("hessian_diag", _HESSIAN, partial(_diagonal, subject, diagonals))
    return findings + (yield from attempt("laplacian", _HESSIAN, partial(_laplacian, subject, diagonals)))


def _diagonal(subject: Subject, diagonals: Leaves) -> Asking[tuple[Finding, ...]]:
    found = tree_leaves((yield from ask("hessian_diag", subject.arguments, subject.space.argnums)))
    pairs = [
        alike(one, other, subject.precision, in_result(axes))
        for one, other, axes in zip(found, diagonals, subject.axes(1), strict=True)
    ]
    return (compare("hessian_diag", _HESSIAN, pairs, subject.precision.exact),)


def _laplacian(subject: Subject, diagonals: Leaves) -> Asking[tuple[Finding, ...]]:
    found = tree_leaves((yield from ask("laplacian", subject.arguments, subject.space.argnums)))
    count = len(subject.space.moving)
    parts = [diagonals[i : i + count] for i in range(0, len(diagonals), count)]
    pairs = []
    for one, blocks, axes in zip(found, parts, subject.axes(0), strict=True):
        total = sum(block.reshape(*one.shape, -1).sum(axis=-1) for block in blocks)
        pairs.append(alike(one, np.asarray(total), subject.precision, in_result(axes)))
    return (compare("laplacian", _HESSIAN, pairs, subject.precision.exact),)


def _diagonals(subject: Subject, hessian: Leaves) -> Iterator[Array]:
    """For each pair of a leaf of the result and one that moves the diagonal of its block."""
    count = len(subject.space.moving)
    for number in range(0, len(hessian), count * count):
        for place, leaf in enumerate(subject.space.moving):
            block = hessian[number + place * count + place]
            shape = subject.space.signature.leaves[leaf].shape
            outer = block.shape[: block.ndim - 2 * len(shape)]
            size = math.prod(shape)
            diagonal = np.diagonal(block.reshape((*outer, size, size)), axis1=-2, axis2=-1)
            yield diagonal.reshape((*outer, *shape))


def check_gauss_newton(subject: Subject) -> Asking[tuple[Finding, ...]]:
    """`ggn_vp` against `vjp` of what `jvp` gives; of real functions."""
    leaves = [
        *(subject.space.signature.leaves[i] for i in subject.space.moving),
        *subject.space.result.leaves,
    ]
    if any(leaf.element.is_complex for leaf in leaves):
        return ()
    return (yield from attempt("ggn_vp", _TWICE, partial(_gauss_newton, subject), subject.nbytes(1)))


def _gauss_newton(subject: Subject) -> Asking[tuple[Finding, ...]]:
    space, argnums = subject.space, subject.space.argnums
    pushed = tree_leaves((yield from ask("jvp", subject.arguments, argnums, tangents=subject.tangents)))
    cotangents: list[Array | None] = [None] * len(space.result.leaves)
    for number, leaf in zip(space.changing, pushed, strict=True):
        cotangents[number] = leaf.astype(space.result.leaves[number].element.dtype)
    tree = unflatten(space.result.tree, cotangents)
    twice = tree_leaves((yield from ask("vjp", subject.arguments, argnums, cotangents=tree)))
    found = tree_leaves((yield from ask("ggn_vp", subject.arguments, argnums, tangents=subject.tangents)))
    paths = zip(space.argument_paths(), space.moving, strict=True)
    axes = [((path, len(space.signature.leaves[number].shape)),) for path, number in paths]
    pairs = [
        alike(one, other, subject.precision, by_direction(subject.directions, axis))
        for one, other, axis in zip(found, twice, axes, strict=True)
    ]
    return (compare("ggn_vp", _TWICE, pairs, subject.precision.exact),)
