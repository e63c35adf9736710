"""The programs that JAX keeps to prove that old exports still load: each is served, or refused by name.

They hold every custom call that JAX guarantees to be stable, with inputs and expected outputs, as CPUs,
GPUs of both makers and TPUs computed them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from conformance.agreement import disagreement
from conformance.exports import serve, type_of
from jax._src.internal_test_util import export_back_compat_test_data as package

from pullback_server.compute.formats.stablehlo.reading.specialization import specialize
from pullback_server.errors import Reason, ServiceError

Array = np.ndarray[Any, np.dtype[Any]]

_KERNEL = "kernel compiled for one kind of device"
# What is refused, by the start of the name, and what the message says.
_REFUSED = {
    "mosaic_": _KERNEL,
    "triton_": _KERNEL,
    "rocm_eigh_hipsolver_syev": "given up",
    "shardy_sharding_ops_with_different_meshes": "several devices",
    "tpu_Sharding": "several devices",
}
# It starts from what is no identity; how often that counts is left to a device, and here a TPU had its way.
_UNDEFINED = "tpu_stablehlo_dynamic_reduce_window/data_variadic"
# Eigenvectors are unique but for a factor of modulus 1, singular vectors but for a common one.
_FACTORS = {"eigh_": "eigh", "_svd_": "svd", "cpu_schur": "schur", "cpu_eig_": "eig"}
_ULPS = 2000


def _data() -> Iterator[tuple[str, dict[str, Any]]]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.startswith("data_"):
                yield from _nested(f"{module.name.rpartition('.')[2]}/{name}", value)


def _nested(name: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict) and "testdata_version" in value:
        yield name, value
    else:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from _nested(f"{name}/{key}", inner)


pytestmark = pytest.mark.slow
_ALL = dict(_data())
_SERVED = [name for name in _ALL if not name.startswith((*_REFUSED, _UNDEFINED))]
_NOT_SERVED = [name for name in _ALL if name.startswith(tuple(_REFUSED))]


def _run(name: str) -> list[Array]:
    inputs = [np.asarray(leaf) for leaf in jax.tree.leaves(_ALL[name]["inputs"])]
    types = list(map(type_of, inputs))
    served = serve(specialize(_ALL[name]["mlir_module_serialized"], types), types)
    return [np.asarray(leaf) for leaf in jax.jit(served.forward)(*inputs)]


@pytest.mark.parametrize("name", _SERVED)
def test_an_old_program_gives_what_it_gave(name: str) -> None:
    """The stored outputs, but for rounding, and but for the freedom of eigenvectors."""
    expected = [np.asarray(leaf) for leaf in jax.tree.leaves(_ALL[name]["expected_outputs"])]
    actual = _run(name)
    kind = next((kind for part, kind in _FACTORS.items() if part in name), "")
    assert [(leaf.dtype, leaf.shape) for leaf in actual] == [(leaf.dtype, leaf.shape) for leaf in expected]
    assert not disagreement(_unique(kind, actual), _unique(kind, expected), _ULPS)


def _unique(kind: str, leaves: Sequence[Array]) -> list[Array]:
    """What is unique about a decomposition: its values, and their product."""
    match kind:
        case "eigh":
            vectors, values = leaves
            return [values, (vectors * values[..., None, :]) @ _adjoint(vectors)]
        case "svd" if len(leaves) == 3:
            # GPUs give U first.
            values = min(leaves, key=np.ndim)
            left, right = (leaf for leaf in leaves if leaf is not values)
            count = values.shape[-1]
            return [values, (left[..., :, :count] * values[..., None, :]) @ right[..., :count, :]]
        case "schur":
            form, vectors = leaves
            return [vectors @ form @ _adjoint(vectors)]
        case "eig":
            values, *vectors = leaves
            order = np.argsort(-np.abs(values))[:2]
            # The others belong to an eigenvalue of zero that is there twice.
            return [values[order], *(_projectors(each[:, order]) for each in vectors)]
        case _:
            return list(leaves)


def _adjoint(matrix: Array) -> Array:
    return np.conj(np.swapaxes(matrix, -1, -2))


def _projectors(vectors: Array) -> Array:
    return np.einsum("ik,jk->kij", vectors, np.conj(vectors))


@pytest.mark.parametrize("name", _NOT_SERVED)
def test_what_is_not_served_is_refused_by_name(name: str) -> None:
    """Kernels of one device, several devices, and conventions that JAX gave up, are refused with advice."""
    with pytest.raises(ServiceError) as caught:
        _run(name)
    expected = next(text for start, text in _REFUSED.items() if name.startswith(start))
    assert caught.value.reason is Reason.UNSUPPORTED_OPERATION
    assert expected in str(caught.value)
