"""Custom calls that are known and not served, and what to do instead."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import Call
from pullback_server.errors import ServiceError

_CALLBACK: Final = (
    "calls back into the Python process that exported it",
    "compute the same with jax.numpy, or pass what the callback gives as an argument",
)
_KERNEL: Final = (
    "is a kernel compiled for one kind of device",
    "export the function with a plain implementation, such as the kernel's interpreted reference",
)
_OLD: Final = (
    "is of a calling convention that JAX itself has given up",
    "export the function again with a JAX version of the last year",
)
_UNKNOWN: Final = (
    "calls code that is not part of the program",
    "export the function with pullback.export, which keeps JAX's operations by name, or without this call",
)
# By the start of the name.
_KNOWN: Final = {
    "xla_python_": _CALLBACK,
    "xla_ffi_python_": _CALLBACK,
    "xla_ffi_partitioned_python_": _CALLBACK,
    "xla_buffer_python_": _CALLBACK,
    "tf.call_tf_function": _CALLBACK,
    "CustomSPMDPartitioning": (
        "is partitioned by code in the process that exported it",
        "export the function without custom_partitioning",
    ),
    "tpu_custom_call": _KERNEL,
    "mosaic_gpu": _KERNEL,
    "triton_kernel_call": _KERNEL,
    "__gpu$xla.gpu.triton": _KERNEL,
    "__cudnn$": _KERNEL,
    "__cublas$": _KERNEL,
    "lapack_": _OLD,
    "blas_": _OLD,
    "cusolver_": _OLD,
    "cublas_": _OLD,
    "hipsolver_": _OLD,
    "hipblas_": _OLD,
    "rocsolver_": _OLD,
}


def refusal(call: Call) -> ServiceError:
    """The error for a custom call that is not served."""
    for start, (why, advice) in _KNOWN.items():
        if call.target.startswith(start):
            return unsupported(call.name, why, advice)
    return unsupported(call.name, *_UNKNOWN)
