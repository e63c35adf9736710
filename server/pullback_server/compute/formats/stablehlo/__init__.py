"""StableHLO, lifted back into JAX (docs/stablehlo.md).

A module goes from left to right: `reading` settles its shapes and turns MLIR into the plain data of `syntax`,
`rewriting` puts together what travelled in pieces, `building` turns that into functions, with one entry of
`operations`, `loops` or `composites` for each operation, and `lift` checks that the whole can be traced.
`foreign` does the same for modules without a signature. Nothing of MLIR is left when a program runs. What is
refused, and why, stands in `coverage`.
"""
