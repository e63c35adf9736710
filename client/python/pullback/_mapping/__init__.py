"""Maps over many points as data, without gRPC: what the drivers `_map` and `_aio_map` share.

`requests` reads what the user asks for. On the way out, `files` opens what is given by path, `cutting` makes
chunks of arrays and `gathering` makes them of iterators. Under way, `flight` knows what was sent, what has to
be sent again and what comes next in order; `failures` says what passes by itself. On the way back, `joining`
puts results into whole arrays, `spreading` gives each item of an iterator its own, `leaves` cuts and joins;
`progress` shows how far it is.
"""
