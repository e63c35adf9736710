"""Artifacts of `jax.export`, as its users make them.

`artifact` reads the container, `structures` its trees and types, `signature` what goes in and comes out, and
`lift` makes it callables. No node type that is registered in this process takes part, and nothing is
unpickled.
"""
