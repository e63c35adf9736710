"""Graphs of operations: as data, on the wire, and as text, DOT, SVG and JSON.

`data` says what a graph is, `wire` reads and writes its message, and the other modules show it. Knows
neither gRPC nor JAX; a worker makes graphs of this data, and a client shows them.
"""
