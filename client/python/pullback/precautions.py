"""Precautions against two faults of jaxlib 0.10 on a CPU. Knows neither JAX nor the rest of Pullback.

1. A batched LAPACK call (cholesky, triangular_solve, eigh ...) hands pieces of its batch to XLA's thread
   pool and blocks one of the pool's own threads until they are done. As many such calls at once as the
   pool has threads wait for each other for ever; on two cores, the gradient of a batch of Gaussian
   processes is enough. With a pool of one thread the batch is not cut into pieces.
2. Reductions that XLA hands to the library YNNPACK can be wrong without a word: the third derivative of
   a Gaussian process's likelihood was, in one element by more than its size. Products and convolutions
   are not affected and stay with the library.

Neither is seen in jaxlib 0.11 and later, where nothing is done.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_FIRST_WITHOUT: Final = (0, 11)
# By NPROC XLA learns the size of its pool.
_THREADS: Final = ("NPROC", "1")
_LIBRARY_USE: Final = (
    "--xla_cpu_experimental_ynn_fusion_type="
    "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
)


def take_precautions() -> None:
    """Sets what jaxlib reads from the environment; to be called before JAX is imported.

    What the user has set for the same purpose stands.
    """
    if not _is_affected():
        return
    os.environ.setdefault(*_THREADS)
    flags = os.environ.get("XLA_FLAGS", "")
    if _LIBRARY_USE.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_LIBRARY_USE}".strip()


def single_threaded() -> bool:
    """Whether XLA may use one thread only on a CPU, since more can wait for each other for ever."""
    return _is_affected() and os.environ.get(*_THREADS) == _THREADS[1]


def _is_affected() -> bool:
    try:
        installed = version("jaxlib")
    except PackageNotFoundError:
        return False
    return tuple(map(int, installed.split(".")[:2])) < _FIRST_WITHOUT
