"""From MLIR to the plain data of `syntax`: the only room of the lifter that touches MLIR.

`module` reads what one module's functions do, with `attributes`, `constants` and `tuples`; `refinement`
settles the shapes that the arguments decide, `specialization` the sizes and the platform that are chosen, and
`open_sizes` finds names for those that stay open. What is parsed here was written by strangers, and MLIR can
crash on it: that is why it happens in workers only.
"""
