"""Going over a function: its primal once, and forward and reverse passes around it.

`differentiation` goes over it; `nest` says how the passes stand inside one another; `forward`, `reverse` and
`curvature` are its levels, `step` is what they hand to one another, and `sweep` goes through many directions.
"""
