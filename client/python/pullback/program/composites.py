"""The names and parameters of Pullback's composites (docs/stablehlo.md).

A composite of the namespace stands for an operation whose derivative would be lost in its plain
StableHLO: an exporter writes it, a server reads it. Knows neither JAX nor MLIR: parameters are plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

NAMESPACE: Final = "pullback"
VERSION: Final = 1


class Kind(StrEnum):
    """What a parameter is, and how its attribute is spelled in StableHLO."""

    INTEGER = "integer"
    """A 64-bit integer attribute."""
    INTEGERS = "integers"
    """An array of 64-bit integer attributes."""
    FLAG = "flag"
    """A boolean attribute."""
    ELEMENT = "element"
    """A string attribute with the name of an element type, such as `f64`."""
    NUMBER = "number"
    """A 64-bit floating-point attribute."""
    TEXT = "text"
    """A string attribute."""
    TEXTS = "texts"
    """An array of string attributes."""
    MODULE = "module"
    """A 64-bit integer attribute: the index of a module of the same program."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a composite.

    Attributes:
        kind: What it is.
        optional: Whether it may be absent, which is how None is written.
    """

    kind: Kind
    optional: bool = False


Parameters = Mapping[str, Parameter]

_INTEGER: Final = Parameter(Kind.INTEGER)
_INTEGERS: Final = Parameter(Kind.INTEGERS)
_FLAG: Final = Parameter(Kind.FLAG)
_ELEMENT: Final = Parameter(Kind.ELEMENT)
_TEXT: Final = Parameter(Kind.TEXT)
_TEXTS: Final = Parameter(Kind.TEXTS)
_MODULE: Final = Parameter(Kind.MODULE)
_OPTIONAL_MODULE: Final = Parameter(Kind.MODULE, optional=True)
_CUMULATIVE: Final = {"axis": _INTEGER, "reverse": _FLAG}
_EXTREME: Final = {"axes": _INTEGERS, "index_dtype": _ELEMENT}

_ELEMENTWISE: Final = (
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "sinh", "tan"),
    *("exp2", "log2", "logistic", "square", "one_minus_square", "polynomial", "conj", "pow", "nextafter"),
    *("bessel_i0e", "bessel_i1e", "digamma", "erf", "erf_inv", "erfc", "lgamma", "polygamma", "zeta"),
    *("igamma", "igamma_grad_a", "igammac", "regularized_incomplete_beta"),
)

COMPLEX: Final = ("abs", "cos", "sin")
"""Operations that are composites where they are of complex numbers."""

LIBRARY: Final[Mapping[str, Parameters]] = MappingProxyType(
    {
        **{name: {} for name in _ELEMENTWISE},
        # Where they are complex: StableHLO has them of real numbers alone, or JAX takes them apart.
        **{name: {} for name in COMPLEX},
        "stop_gradient": {},
        "integer_pow": {"y": _INTEGER},
        "cumsum": _CUMULATIVE,
        "cumprod": _CUMULATIVE,
        "cummax": _CUMULATIVE,
        "cummin": _CUMULATIVE,
        "cumlogsumexp": _CUMULATIVE,
        "sort": {"dimension": _INTEGER, "is_stable": _FLAG, "num_keys": _INTEGER},
        "top_k": {"k": _INTEGER, "axis": _INTEGER},
        "argmax": _EXTREME,
        "argmin": _EXTREME,
        "split": {"sizes": _INTEGERS, "axis": _INTEGER},
        "stack": {"axis": _INTEGER},
        "unstack": {"axis": _INTEGER},
        "tile": {"reps": _INTEGERS},
        "cholesky": {},
        "lu": {},
        "qr": {"pivoting": _FLAG, "full_matrices": _FLAG},
        "eigh": {"lower": _FLAG, "sort_eigenvalues": _FLAG},
        "eig": {
            "compute_left_eigenvectors": _FLAG,
            "compute_right_eigenvectors": _FLAG,
            "enable_eigvec_derivs": _FLAG,
        },
        "svd": {"full_matrices": _FLAG, "compute_uv": _FLAG},
        "triangular_solve": {
            "left_side": _FLAG,
            "lower": _FLAG,
            "transpose_a": _FLAG,
            "conjugate_a": _FLAG,
            "unit_diagonal": _FLAG,
        },
        "tridiagonal_solve": {},
        "householder_product": {},
        "hessenberg": {},
        "schur": {"compute_schur_vectors": _FLAG, "sort_eig_vals": _FLAG},
        "tridiagonal": {"lower": _FLAG},
        "lu_pivots_to_permutation": {"permutation_size": _INTEGER},
        "approx_top_k": {
            "k": _INTEGER,
            "reduction_dimension": _INTEGER,
            "recall_target": Parameter(Kind.NUMBER),
            "is_max_k": _FLAG,
            "reduction_input_size_override": _INTEGER,
            "aggregate_to_topk": _FLAG,
        },
        "random_gamma": {"impl": _TEXT, "log_space": _FLAG},
        "name": {"name": _TEXT},
        "platform_index": {"platforms": _TEXTS},
    }
)
"""Operations of JAX's library, by the name of their primitive, with parameters that are plain data."""

STRUCTURED: Final[Mapping[str, Parameters]] = MappingProxyType(
    {
        "custom_jvp": {"constants": _INTEGER, "rule": _OPTIONAL_MODULE},
        "custom_vjp": {"constants": _INTEGER, "forward": _OPTIONAL_MODULE, "backward": _OPTIONAL_MODULE},
        "scan": {
            "body": _MODULE,
            "constants": _INTEGER,
            "carries": _INTEGER,
            "length": _INTEGER,
            "reverse": _FLAG,
            "unroll": _INTEGER,
        },
        "custom_linear_solve": {
            "constants": _INTEGERS,
            "matvec": _MODULE,
            "solve": _MODULE,
            "transpose_solve": _OPTIONAL_MODULE,
            "symmetric": _FLAG,
        },
        "linear_call": {"residuals": _INTEGER, "transpose": _MODULE},
        "checkpoint": {
            "prevent_cse": _FLAG,
            "policy": Parameter(Kind.TEXT, optional=True),
            "names": Parameter(Kind.TEXTS, optional=True),
        },
    }
)
"""Operations made of other functions: derivative rules, loops, solvers, rematerialization."""


DEEPEST_RULES: Final = 8
"""How many rules are followed where each uses yet another one, as those of a series expansion do. A
composite beyond has no rule: it has values, and no derivative."""


def composite_name(operation: str) -> str:
    """The composite's full name, such as `pullback.cumsum`."""
    return f"{NAMESPACE}.{operation}"
