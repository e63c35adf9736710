"""`pullback demo`: real functions, served by an embedded server, held against local JAX.

Runs in a process of its own and imports JAX, which the light client never does; so it is loaded only
by the command line.
"""

from pullback.precautions import take_precautions

take_precautions()
