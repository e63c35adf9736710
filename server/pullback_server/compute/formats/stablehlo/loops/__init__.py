"""Loops that can be reversed.

JAX differentiates a `while` in forward mode only. Here most of them become something that it reverses:
`integers` follows the counters of a loop through its operations, `counting` finds the number of trips in
them where the program says it; `inlining` and `slicing` find the arrays that such a loop goes through
element by element, and `scanning` makes a `lax.scan` of it. Where the number of trips depends on data,
`reversal` gives the loop a reverse mode of its own, with the checkpoints that `schedule` chooses.
"""
