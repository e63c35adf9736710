"""The ground: memory that processes of one machine share.

`blocks` says which parts of a piece of memory are in use, and `handover` what a client and a server say over
the side channel where memory is handed over, as bytes. Neither does I/O.
"""
