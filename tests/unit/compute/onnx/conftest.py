"""Lets JAX keep 64-bit types."""

from __future__ import annotations

from pullback_server.compute.kernel import configure_jax

configure_jax()
