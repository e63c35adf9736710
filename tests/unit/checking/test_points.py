"""Points that are drawn."""

from __future__ import annotations

import numpy as np

from pullback.checking.points import draw
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

SIGNATURE = Signature(
    tuple(
        Argument(name, LEAF, (parse_tensor_type(text),))
        for name, text in {"x": "f64[3,2]", "z": "c64[4]", "n": "i32[5]", "b": "i1[6]", "e": "f32[0]"}.items()
    )
)


def test_points_have_the_signature_s_types() -> None:
    """Shapes and dtypes, those without elements too; integers are small and not 0."""
    first, second = draw(SIGNATURE, 2, seed=7)
    for leaf, expected in zip(first, SIGNATURE.leaves, strict=True):
        assert (leaf.dtype, leaf.shape) == (expected.element.dtype, expected.shape)
    assert not np.array_equal(first[0], second[0])
    assert set(first[2].tolist()) <= {1, 2, 3}
    assert np.iscomplex(first[1]).all()


def test_a_seed_gives_the_same_points() -> None:
    """And another seed gives others."""
    same, again, other = (draw(SIGNATURE, 1, seed)[0][0] for seed in (1, 1, 2))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


def test_bounds_hold() -> None:
    """For real and imaginary parts."""
    (point,) = draw(SIGNATURE, 1, seed=0, bounds=(0.5, 0.75))
    assert point[0].min() >= 0.5
    assert point[0].max() <= 0.75
    assert point[1].imag.min() >= 0.5
