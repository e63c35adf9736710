"""StableHLO, lifted back into JAX (docs/stablehlo.md).

A module goes from left to right: `refinement` settles its shapes, `reading` turns MLIR into the plain data of
`syntax`, `building` turns that into functions, with one entry of `operations` or `composites` for each
operation, and `lift` checks that the whole can be traced. Nothing of MLIR is left when a program runs. What
is refused, and why, stands in `coverage`.
"""
