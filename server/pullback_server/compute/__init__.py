"""The compute floor, which lives in worker processes: the only floor that imports JAX.

A request goes from left to right: `formats` read a program into a JAX-traceable function, `planner`
turns wants into one function that gives them all, `compiler` makes it an executable and runs it.
`programs` and `cache` keep what was made, `symbolic` reads a program again for other sizes, `survey` finds
which derivatives a program has, `graph` shows what one computes, and `kernel` is the door.
"""
