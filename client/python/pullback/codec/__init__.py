"""The messages that carry tensors, read and written by hand: byte-compatible with protobuf, and quicker.

A generated class copies every tensor into an object of its own, field by field. Here tensors stay where they
came in, as slices, and a message is written with one join. `evaluation` has the messages and the functions,
`requests`, `responses` and `streams` how each is read and written, `tensors` and `timings` what they hold,
`fields` protobuf's encoding itself. The room knows neither gRPC nor numpy; the truth is
proto/pullback/v1/evaluation.proto, and any implementation of protobuf reads what is written here.
"""
