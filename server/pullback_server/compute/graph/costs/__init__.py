"""What primitives cost, one module for each family. `table` puts them together.

Counts are of operations on real numbers of floating point, to leading order where an algorithm decides.
Arithmetic on integers and booleans, and moving data, count zero; a complex addition counts 2, a
multiplication 6, a division 11.
"""
