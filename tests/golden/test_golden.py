"""Programs exported under every supported JAX, as users have stored them: each loads under the installed one.

The folders hold programs and what local JAX said of them when they were made (tools/golden.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.program.container import StableHlo
from pullback.program.wire import program_from_bytes
from pullback_server.compute.formats.stablehlo.lift import lift

_FOLDER = Path(__file__).parent
_FILES = sorted(_FOLDER.glob("jax-*/*.binpb"))


def test_there_are_programs_of_every_supported_jax() -> None:
    """The oldest and the newest supported JAX made the same set of programs."""
    made = {folder.name: {file.stem for file in folder.glob("*.binpb")} for folder in _FOLDER.glob("jax-*")}
    assert {"jax-0.10", "jax-0.12"} <= set(made)
    assert all(len(programs) > 10 for programs in made.values())
    assert made["jax-0.10"] == made["jax-0.12"]


def test_programs_are_small() -> None:
    """They are part of the repository."""
    assert sum(file.stat().st_size for file in _FOLDER.glob("jax-*/*")) < 1 << 20


@pytest.mark.parametrize("file", _FILES, ids=[f"{file.parent.name}-{file.stem}" for file in _FILES])
def test_program_is_what_it_was(file: Path) -> None:
    """Value, gradient and Hessian are those of the JAX that made the program."""
    with jax.enable_x64(True), np.load(file.with_suffix(".npz")) as stored:
        arguments = [
            stored[f"argument{i}"] for i in range(sum(name.startswith("argument") for name in stored))
        ]
        program = program_from_bytes(file.read_bytes())
        assert isinstance(program.body, StableHlo)
        flat = lift(program.body, program.signature)
        actual = jax.jit(_derivatives(flat, bool(stored["forward"])))(*arguments)
        for name, value in actual.items():
            expected = stored[name]
            scale = np.max(np.abs(expected))
            np.testing.assert_allclose(value, expected, rtol=0.0, atol=1e-12 * scale, err_msg=name)
            assert value.dtype == expected.dtype


def _derivatives(flat: Any, forward: bool) -> Any:
    def function(*arguments: Any) -> jax.Array:
        result: jax.Array = flat(arguments)[0]
        return result

    def scalar(*arguments: Any) -> jax.Array:
        out = function(*arguments)
        return jnp.sum(out * jnp.cos(jnp.arange(out.size, dtype=out.dtype)).reshape(out.shape))

    def everything(*arguments: Any) -> dict[str, jax.Array]:
        argnum = len(arguments) - 1
        gradient = (jax.jacfwd if forward else jax.grad)(scalar, argnum)
        return {
            "value": function(*arguments),
            "gradient": gradient(*arguments),
            "hessian": jax.jacfwd(gradient, argnum)(*arguments),
        }

    return everything
