"""Executables on disk, so that a worker that starts anew compiles nothing twice."""

from __future__ import annotations

from pathlib import Path

import jax


def keep_executables(folder: Path) -> None:
    """Has JAX keep every executable in a folder, whatever its size and however fast it was compiled.

    Args:
        folder: Made where it is missing; processes of one user may share it.
    """
    jax.config.update("jax_compilation_cache_dir", str(folder))  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)  # type: ignore[no-untyped-call]
