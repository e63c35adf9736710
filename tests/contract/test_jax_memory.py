"""What JAX says of the memory that an executable needs, before it runs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from pullback_server.compute.compiler.memory import needed_bytes


def _compiled(function: Any, *shapes: tuple[int, ...]) -> jax.stages.Compiled:
    return jax.jit(function).lower(*[jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]).compile()


def test_the_parts_are_there() -> None:
    """Arguments and results are exact; what lies between counts."""
    compiled = _compiled(lambda x, y: jnp.sin(x @ y) @ y, (70, 30), (30, 30))
    analysis = compiled.memory_analysis()
    assert analysis is not None
    assert analysis.argument_size_in_bytes == 4 * (70 * 30 + 30 * 30)
    assert analysis.output_size_in_bytes == 4 * 70 * 30
    assert analysis.temp_size_in_bytes >= 4 * 70 * 30
    assert (analysis.generated_code_size_in_bytes, analysis.alias_size_in_bytes) >= (0, 0)


def test_what_a_loop_keeps() -> None:
    """What reverse mode keeps of each step counts as well."""

    def repeated(x: Any) -> Any:
        carry, _ = jax.lax.scan(lambda carry, _: (jnp.sin(carry), None), x, None, length=50)
        return carry.sum()

    assert (needed_bytes(_compiled(jax.grad(repeated), (1000,))) or 0) >= 50 * 4000


def test_more_than_there_is() -> None:
    """An executable that needs terabytes compiles, and says so: nothing is taken before it runs."""
    compiled = _compiled(lambda x: jnp.sort(jnp.outer(x, x), axis=0)[0], (3_000_000,))
    assert (needed_bytes(compiled) or 0) > 4 * 3_000_000**2


def test_executables_that_are_read() -> None:
    """One that was written and read again says the same, as one from the cache on disk."""
    compiled = _compiled(lambda x: jnp.cos(x @ x) @ x, (40, 40))
    payload, inputs, outputs = serialize(compiled)
    read = deserialize_and_load(payload, inputs, outputs)
    assert needed_bytes(read) == needed_bytes(compiled)


def test_devices_on_a_cpu_do_not_say() -> None:
    """What there is of a CPU's memory the front says."""
    if jax.default_backend() != "cpu":
        pytest.skip("this is about CPUs")
    assert jax.local_devices()[0].memory_stats() is None
