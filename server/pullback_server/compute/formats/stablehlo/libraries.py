"""The names under which JAX calls libraries of linear algebra."""

from __future__ import annotations


def lapack(real: str, complex_: str | None = None) -> tuple[str, ...]:
    """The names of a LAPACK routine in its four precisions.

    Args:
        real: The routine for real matrices.
        complex_: The one for complex matrices, where it has another name.
    """
    parts = [*((letter, real) for letter in "sd"), *((letter, complex_ or real) for letter in "cz")]
    return tuple(f"lapack_{letter}{routine}_ffi" for letter, routine in parts)


def solvers(routine: str) -> tuple[str, ...]:
    """The names of a routine of cuSOLVER, hipSOLVER and oneAPI."""
    return tuple(f"{device}solver_{routine}_ffi" for device in ("cu", "hip", "oneapi"))
