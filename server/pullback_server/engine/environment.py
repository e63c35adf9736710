"""What a worker's process has of the front's environment: what it computes with, and nothing else.

A front's environment may have secrets, which a worker that a program has taken over would read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

_NAMES: Final = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TZ", "USER"),
        *("TEMP", "TMP", "TMPDIR", "XDG_CACHE_HOME"),
        *("CONDA_PREFIX", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"),
        *("GLIBC_TUNABLES", "NPROC"),
    }
)
_PREFIXES: Final = (
    *("LC_", "LD_", "MALLOC_", "PYTHON"),
    *("JAX_", "LLVM_", "MLIR_", "PJRT_", "TF_", "XLA_"),
    *("GOMP_", "KMP_", "MKL_", "NUMBA_", "OMP_", "OPENBLAS_"),
    *("CUBLAS_", "CUDA_", "CUDNN_", "CUSOLVER_", "NCCL_", "NVIDIA_"),
    *("AMD_", "GPU_", "HIP_", "HSA_", "ROCM_", "ROCR_"),
    *("CLOUD_TPU_", "LIBTPU_", "MEGASCALE_", "TPU_"),
)


def inherited(environment: Mapping[str, str], more: Collection[str] = ()) -> dict[str, str]:
    """What of an environment a worker has.

    Args:
        environment: The front's.
        more: The names of further variables that it has, where they are set.
    """
    return {
        name: value
        for name, value in environment.items()
        if name in _NAMES or name in more or name.startswith(_PREFIXES)
    }
