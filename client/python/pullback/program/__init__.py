"""Programs as data: the ground that client and server both stand on.

Knows numpy and protobuf, neither gRPC nor JAX. `elements` and `tensors` say what an array is,
`trees` how arrays are nested, `signature` and `container` what a program is, `digest` how it is
named, and `wire` how all of it looks as protobuf messages.
"""
