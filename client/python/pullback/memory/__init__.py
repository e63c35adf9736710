"""The ground: memory that a client and a server on the same machine share.

`handover` is what the two say over the side channel, as bytes, and `blocks` which parts of a piece of memory
are in use. Neither does I/O.
"""
