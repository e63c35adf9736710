"""Loading refuses what is damaged, what cannot be traced, and what belies its signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from pullback.program.container import Formula, Program
from pullback.program.digest import digest
from pullback.program.tensors import parse_tensor_type
from pullback.program.wire import program_from_bytes, program_to_bytes
from pullback_server.compute.programs import ProgramMissingError
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Compilation

X = np.linspace(0.0, 1.0, 3)


def test_load_gives_the_types_of_the_result(bench: Any) -> None:
    """The leaves of a tree, in the order of its sorted keys."""
    loaded = bench.kernel.load(*bench.program(lambda x: {"b": x[0] > 0, "a": (x, jnp.float32(1))}, X))
    assert loaded.result == tuple(map(parse_tensor_type, ("f64[3]", "f32[]", "i1[]")))


def test_loading_again_changes_nothing(make_bench: Any) -> None:
    """The second time the program is not even read."""
    bench = make_bench()
    name, data = bench.program(lambda x: x, X)
    first = bench.kernel.load(name, data)
    bench.functions.clear()
    assert bench.kernel.load(name, data) == first


def test_a_wrong_digest_is_refused(bench: Any) -> None:
    """The program is not kept under the name that was announced."""
    _, data = bench.program(lambda x: x, X)
    with pytest.raises(ServiceError) as caught:
        bench.kernel.load("0" * 64, data)
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    with pytest.raises(ProgramMissingError):
        bench.kernel.compile(Compilation("0" * 64, ()))


def test_damaged_bytes_are_refused(bench: Any) -> None:
    """Bytes that are no program are no program."""
    with pytest.raises(ServiceError) as caught:
        bench.kernel.load("0" * 64, b"\xff\xff\xff")
    assert caught.value.reason is Reason.MALFORMED_PROGRAM


def test_what_cannot_be_traced_is_refused(bench: Any) -> None:
    """JAX's own words reach the caller, on one line."""
    _, data = bench.program(lambda x: x, X)
    program = program_from_bytes(data)
    bench.functions["broken"] = lambda x: x @ jnp.ones((7, 2))
    broken = Program(Formula("broken"), replace(program.signature, result=None))
    with pytest.raises(ServiceError, match=r"cannot be traced: .*dot_general.*7") as caught:
        bench.kernel.load(digest(broken), program_to_bytes(broken))
    assert caught.value.reason is Reason.MALFORMED_PROGRAM
    assert "\n" not in caught.value.message


def test_a_signature_that_belies_the_program_is_refused(bench: Any) -> None:
    """The message has both."""
    name, data = bench.program(lambda x: x, X)
    source = program_from_bytes(data).body.source
    bench.functions[source] = lambda x: x[:2]
    with pytest.raises(ServiceError, match=r"f64\[2\].*f64\[3\]") as caught:
        bench.kernel.load(name, data)
    assert caught.value.reason is Reason.MALFORMED_PROGRAM


def test_programs_are_dropped_by_size(make_bench: Any, want: Any) -> None:
    """A dropped program is missing until it is loaded again."""
    bench = make_bench(options={"program_cache_bytes": 1})
    first, data = bench.program(lambda x: x * 2, X)
    bench.kernel.load(first, data)
    bench.load(lambda x: x * 3, X)
    with pytest.raises(ProgramMissingError) as caught:
        bench.evaluate(first, [want("value")], X)
    assert caught.value.digest == first
    bench.kernel.load(first, data)
    np.testing.assert_array_equal(bench.evaluate(first, [want("value")], X)[0][0], X * 2)
