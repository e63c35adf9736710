"""Memory that clients on this machine hand to the server, over a side channel beside the gRPC socket.

`sockets` makes Unix domain sockets, `descriptors` checks what a client hands over, `segments` keeps what is
handed over, and `listener` is the side channel. Knows neither gRPC nor what is computed.
"""
