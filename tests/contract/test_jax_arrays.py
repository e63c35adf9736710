"""How arrays enter and leave executables on a CPU, which decides how often they are copied."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

MANY = 1 << 23


@pytest.fixture(scope="module")
def compiled() -> Callable[[Callable[..., Any], Any], Any]:
    """Compiles a function ahead, for arrays like an example."""
    import jax

    if jax.default_backend() != "cpu":
        pytest.skip("is about CPUs")

    def compile_ahead(function: Callable[..., Any], example: Any) -> Any:
        return jax.jit(function).lower(jax.ShapeDtypeStruct(example.shape, example.dtype)).compile()

    return compile_ahead


def seconds(call: Callable[[], object]) -> float:
    """The fastest of some calls."""
    call()
    times = []
    for _ in range(5):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return min(times)


@pytest.mark.parametrize("offset", [0, 64, 4096])
def test_aligned_inputs_are_used_where_they_lie(compiled: Any, offset: int) -> None:
    """At a multiple of 64 bytes, also in memory that processes share; elsewhere they are copied first."""
    memory = mmap.mmap(-1, 4 * MANY + 2 * mmap.PAGESIZE)
    aligned = np.frombuffer(memory, np.float32, MANY, offset)
    elsewhere = np.frombuffer(memory, np.float32, MANY, offset + 16)
    first = compiled(lambda x: x[:4] + 1, aligned)
    in_place, copied = (seconds(lambda x=x: np.asarray(first(x))) for x in (aligned, elsewhere))
    assert 10 * in_place < copied


def test_results_are_read_where_they_lie(compiled: Any) -> None:
    """A view of a result in numpy is XLA's memory, and never that of an input."""
    x = np.frombuffer(mmap.mmap(-1, 8 * 4096), np.float32)
    for function in (lambda x: x, lambda x: x * 2):
        result = compiled(function, x)(x)
        assert np.asarray(result).ctypes.data == result.unsafe_buffer_pointer()
        assert not np.shares_memory(np.asarray(result), x)


def test_a_run_has_ended_when_its_result_is_an_array(compiled: Any) -> None:
    """The input may be used for something else then."""
    x = np.ones(MANY, np.float32)
    run = compiled(lambda x: x * 3, x)
    result = np.asarray(run(x))
    x[:] = 0
    assert result.min() == 3


def test_what_xla_says_of_an_executables_memory(compiled: Any) -> None:
    """The size of its code is a number, on a CPU 0; weights go by equations there."""
    analysis = compiled(lambda x: x * 2, np.ones(3, np.float32)).memory_analysis()
    assert analysis.generated_code_size_in_bytes >= 0
