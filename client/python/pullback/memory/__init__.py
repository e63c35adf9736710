"""The ground: memory, of a process and shared by those of one machine.

`blocks` says which parts of a piece of memory are in use, and `handover` what a client and a server say over
the side channel where memory is handed over, as bytes; `allocation` has a process keep memory that it frees.
None does I/O.
"""
